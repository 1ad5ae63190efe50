// SPDX-License-Identifier: GPL-2.0-or-later
// The vDSO that guests get (AT_SYSINFO_EHDR), an ELF image of its own: see vdso(7). Clocks are the host's, so
// its functions call the host's vDSO, which every stub has in its zone; the addresses are patched into
// host_functions when Umbra starts. Where the host has none, and for what core decides, they make the system
// call, which traps.
#include <sys/syscall.h>
#include <time.h>

#include "arch-um/x86-64/vdso/host-functions.h"
#include "core/platform/vdso.h"

using umbra::platform::VdsoClocks;
using umbra::x86_64::HostFunctions;

// Read-only for the guest, but not a constant for the compiler.
extern "C" [[gnu::visibility("hidden")]] HostFunctions const volatile host_functions;
asm(".section .rodata.host_functions, \"a\", @progbits\n"
    ".balign 16\n"
    ".globl host_functions\n"
    ".hidden host_functions\n"
    "host_functions:\n"
    ".quad 0x6f76206172626d75, 0x736e6f6974636e75\n" // kVdsoMagic
    ".quad 0, 0, 0, 0\n"
    ".text\n");

extern "C" [[gnu::visibility("hidden")]] VdsoClocks const volatile vdso_clocks;
asm(".section .rodata.vdso_clocks, \"a\", @progbits\n"
    ".balign 16\n"
    ".globl vdso_clocks\n"
    ".hidden vdso_clocks\n"
    "vdso_clocks:\n"
    ".quad 0x6f6c632061726275, 0x6c656e72656b736b\n" // kVdsoClocksMagic
    ".quad 0\n"
    ".text\n");

namespace {
long trap(long number, void const* a, void const* b, void const* c)
{
    long result;
    asm volatile("syscall" : "=a"(result) : "0"(number), "D"(a), "S"(b), "d"(c) : "rcx", "r11", "memory");
    return result;
}

template <typename Function> Function host(unsigned long address)
{
    return reinterpret_cast<Function>(address);
}

void const* word(long value) { return reinterpret_cast<void const*>(value); }

/// Adding an offset to what the host's function says would be wrong: it may have made the call, which adds it too.
bool is_kernels(clockid_t clock)
{
    auto const number = static_cast<unsigned long>(clock);
    return number < 64 && (vdso_clocks.by_kernel >> number & 1);
}
} // namespace

extern "C" {

int __vdso_clock_gettime(clockid_t clock, struct timespec* out)
{
    auto const address = host_functions.clock_gettime;
    if (address && !is_kernels(clock)) return host<int (*)(clockid_t, timespec*)>(address)(clock, out);
    return static_cast<int>(trap(SYS_clock_gettime, word(clock), out, nullptr));
}

int __vdso_clock_getres(clockid_t clock, struct timespec* out)
{
    if (auto address = host_functions.clock_getres)
        return host<int (*)(clockid_t, timespec*)>(address)(clock, out);
    return static_cast<int>(trap(SYS_clock_getres, word(clock), out, nullptr));
}

int __vdso_gettimeofday(struct timeval* out, void* zone)
{
    if (auto address = host_functions.gettimeofday) return host<int (*)(timeval*, void*)>(address)(out, zone);
    return static_cast<int>(trap(SYS_gettimeofday, out, zone, nullptr));
}

time_t __vdso_time(time_t* out)
{
    if (auto address = host_functions.time) return host<time_t (*)(time_t*)>(address)(out);
    return trap(SYS_time, out, nullptr, nullptr);
}

// Which CPU: the guest's vCPU, not the host's CPU, so it is core's to say.
long __vdso_getcpu(unsigned* cpu, unsigned* node, void* unused)
{
    return trap(SYS_getcpu, cpu, node, unused);
}

// Linux gives each function its plain name too.
[[gnu::weak, gnu::alias("__vdso_clock_gettime")]] int clock_gettime(clockid_t, struct timespec*) noexcept;
[[gnu::weak, gnu::alias("__vdso_clock_getres")]] int clock_getres(clockid_t, struct timespec*) noexcept;
[[gnu::weak, gnu::alias("__vdso_gettimeofday")]] int gettimeofday(struct timeval*, void*) noexcept;
[[gnu::weak, gnu::alias("__vdso_time")]] time_t time(time_t*) noexcept;

} // extern "C"
