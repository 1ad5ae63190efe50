// SPDX-License-Identifier: GPL-2.0-or-later
// The zygote: a child of the kernel that gives up the whole address space it was cloned with, keeps only the
// stub image and the host's vDSO, and from then on clones empty stubs on order. It runs no guest code.
// Freestanding code of the stub image: no libc, no data that needs relocation, valid at the staging address
// and at its own.
//
// Order of its life: zygote_entry (at the staging address), zygote_main (at its own), then one clone per
// order; the clone leaves through become_stub in entry.S.
#include <fcntl.h>
#include <linux/futex.h>
#include <linux/userfaultfd.h>
#include <signal.h>

#include <linux/prctl.h>
#include <linux/sched.h>
#include <sys/mman.h>

#include "arch-um/stub/filter.h"
#include "arch-um/stub/layout.h"
#include "hostabi/host-call.h"

namespace umbra::stub {
namespace {
using hostabi::host_call;
using hostabi::is_host_error;

constexpr i32 kListenerPending = INT32_MIN;
constexpr i32 kTimedOut = -110; // -ETIMEDOUT

// Hidden: reached relative to the instruction pointer, never through a table that would need relocation.
extern "C" {
[[gnu::visibility("hidden")]] extern char image_start[];
[[gnu::visibility("hidden")]] extern char signal_entry[];
[[gnu::visibility("hidden")]] extern char signal_entry_fsgsbase[];
}

constexpr struct sock_fprog kProgram = {
    .len = sizeof kFilter / sizeof kFilter[0],
    .filter = const_cast<struct sock_filter*>(kFilter),
};

template <typename T> T* at(u64 address)
{
    return reinterpret_cast<T*>(address); // addresses of the stub zone are plain numbers
}

/// The kernel's sigaction, which libc's differs from.
struct KernelSigaction {
    void* handler;
    u64 flags;
    void* restorer;
    u64 mask;
};
constexpr u64 kRestorer = 0x04000000; // SA_RESTORER: x86-64 insists on one, though the entry never returns

[[noreturn]] void fail(Control& control, i32 step, i64 error)
{
    control.boot_step = step;
    control.boot_error = static_cast<i32>(error);
    u64 const one = 1;
    host_call(SYS_write, control.done_event, &one, sizeof one);
    for (;;)
        host_call(SYS_exit_group, 1);
}

void check(Control& control, i32 step, i64 result)
{
    if (is_host_error(result)) fail(control, step, result);
}

void move_vdso(Control& control, i32 step, u64 from, u64 to)
{
    for (u32 i = 0; i < control.vdso_part_count; ++i) {
        u64 const offset = control.vdso_parts[i].start - control.vdso_base;
        u64 const size = control.vdso_parts[i].end - control.vdso_parts[i].start;
        check(control, step,
            host_call(SYS_mremap, from + offset, size, size, MREMAP_MAYMOVE | MREMAP_FIXED, to + offset));
    }
}

void set_signal_handlers(Control& control)
{
    u64 const all = ~u64 { 0 };
    host_call(SYS_rt_sigprocmask, 0 /* SIG_BLOCK */, &all, nullptr, sizeof all);
    KernelSigaction action {};
    for (int signal = 1; signal <= 64; ++signal)
        host_call(SYS_rt_sigaction, signal, &action, nullptr, sizeof all);
    action.handler = control.fsgsbase ? signal_entry_fsgsbase : signal_entry;
    action.flags = SA_SIGINFO | SA_ONSTACK | SA_RESTART | kRestorer;
    action.restorer = image_start;
    action.mask = all;
    for (int signal : { SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGSYS, kKickSignal })
        check(control, 7, host_call(SYS_rt_sigaction, signal, &action, nullptr, sizeof all));
}

/// In the new stub: what must happen while its calls are still its own.
[[noreturn]] void child(Control& control)
{
    u64 const flags = control.filter_flags;
    void const* program = control.kind == StubKind::filtered ? &kProgram : nullptr;
    host_call(SYS_prctl, PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
    // The kernel may have died before the line above took effect.
    if (host_call(SYS_getppid) != control.kernel_pid) host_call(SYS_exit_group, 1);
    if (control.userfault) // it belongs to the address space of its maker, hence here
        at<ServicePage>(kService)->userfault
            = static_cast<i32>(host_call(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK | UFFD_USER_MODE_ONLY));
    if (is_host_error(host_call(SYS_munmap, kControl, kPageSize))) host_call(SYS_exit_group, 1);
    u64 const pid = static_cast<u64>(host_call(SYS_getpid));
    // Makes the kernel, whose child it is, its tracer.
    if (!program && is_host_error(host_call(SYS_ptrace, 0 /* PTRACE_TRACEME */, 0, 0, 0)))
        host_call(SYS_exit_group, 1);
    // become_stub unmaps the stack it would return to.
    asm volatile("mov %0, %%r12\n\tmov %1, %%r13\n\tmov %2, %%r14\n\tjmp become_stub"
                 :
                 : "r"(flags), "r"(program), "r"(pid), "D"(kZygoteStack), "S"(kZygoteStackSize)
                 : "r12", "r13", "r14", "memory");
    __builtin_unreachable();
}

/// The child cannot tell anybody once its filter is up: it only stores the descriptor, so look for it.
i32 wait_for_listener(ServicePage& page)
{
    struct {
        i64 seconds, nanoseconds;
    } const pause { 0, 20'000 };
    for (int tries = 0; tries < 50'000; ++tries) {
        i32 const listener = __atomic_load_n(&page.listener, __ATOMIC_ACQUIRE);
        if (listener != kListenerPending) return listener;
        host_call(SYS_futex, &page.listener, FUTEX_WAIT, kListenerPending, &pause, nullptr, 0);
    }
    return kTimedOut;
}

void execute(Control& control, StubOrder& order)
{
    i64 const mapped = host_call(SYS_mmap, kService, kPageSize, PROT_READ | PROT_WRITE,
        MAP_SHARED | MAP_FIXED, control.area_fd, order.service_offset);
    if (is_host_error(mapped)) {
        order.pid = static_cast<i32>(mapped);
        return;
    }
    auto& page = *at<ServicePage>(kService);
    page.listener = kListenerPending;
    page.userfault = kNoUserfault;
    // CLONE_PARENT: the stub is the kernel's child, and dies with it. CLONE_FILES: its mappings can name the
    // kernel's descriptors and its listener is the kernel's; a stub makes no call that the kernel did not
    // decide.
    i64 const pid = host_call(SYS_clone, CLONE_PARENT | CLONE_FILES | SIGCHLD, 0, 0, 0, 0);
    if (pid == 0) child(control);
    order.listener = pid > 0 && control.kind == StubKind::filtered ? wait_for_listener(page) : 0;
    order.userfault = page.userfault;
    order.pid = static_cast<i32>(pid);
}

extern "C" [[noreturn]] void zygote_main()
{
    auto& control = *at<Control>(kControl);
    check(control, 6, host_call(SYS_munmap, kStaging, kStagingSize));
    set_signal_handlers(control);
    host_call(SYS_prctl, PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
    if (host_call(SYS_getppid) != control.kernel_pid) host_call(SYS_exit_group, 1);
    check(control, 8, host_call(SYS_prctl, PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
    host_call(SYS_prctl, PR_SET_TIMERSLACK, 1, 0, 0, 0);
    host_call(SYS_prctl, PR_SET_NAME, "umbra-stub", 0, 0, 0);
    host_call(SYS_arch_prctl, 0x1002 /* ARCH_SET_FS: the kernel's TLS is gone */, 0);
    __atomic_store_n(&control.ready, 1, __ATOMIC_RELEASE);
    u64 const one = 1;
    host_call(SYS_write, control.done_event, &one, sizeof one);
    for (;;) {
        u64 count;
        host_call(SYS_read, control.order_event, &count, sizeof count);
        while (control.answered != __atomic_load_n(&control.ordered, __ATOMIC_ACQUIRE)) {
            execute(control, control.orders[control.answered % kMaxOrders]);
            __atomic_store_n(&control.answered, control.answered + 1, __ATOMIC_RELEASE);
            host_call(SYS_write, control.done_event, &one, sizeof one);
        }
        if (__atomic_load_n(&control.stop, __ATOMIC_ACQUIRE)) host_call(SYS_exit_group, 0);
    }
}

/// Runs at the staging address, on a staging stack, with the kernel's copied address space around it.
extern "C" [[noreturn, gnu::used]] void zygote_entry(Control& control)
{
    move_vdso(control, 1, control.vdso_base, kStagingVdso);
    check(control, 2, host_call(SYS_munmap, 0, kStaging));
    u64 const above = kStaging + kStagingSize;
    check(control, 3, host_call(SYS_munmap, above, kZoneEnd - above));
    check(control, 4,
        host_call(SYS_mmap, kImage, control.image_size, PROT_READ | PROT_EXEC, MAP_SHARED | MAP_FIXED,
            control.image_fd, 0));
    check(control, 4,
        host_call(SYS_mmap, kControl, kPageSize, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED,
            control.control_fd, 0));
    check(control, 4,
        host_call(SYS_mmap, kZygoteStack, kZygoteStackSize, PROT_READ | PROT_WRITE,
            MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0));
    move_vdso(control, 5, kStagingVdso, kHostVdso);
    // The image is linked for kImage; here, at the staging address, relative addressing gives staging
    // addresses.
    u64 const there = reinterpret_cast<u64>(zygote_main) - reinterpret_cast<u64>(image_start) + kImage;
    asm volatile("mov %0, %%rsp\n\txor %%ebp, %%ebp\n\tcall *%1"
                 :
                 : "r"(kZygoteStack + kZygoteStackSize), "r"(there)
                 : "memory");
    __builtin_unreachable();
}
} // namespace
} // namespace umbra::stub
