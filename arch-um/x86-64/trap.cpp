// SPDX-License-Identifier: GPL-2.0-or-later
// See trap.h. Signal codes: sigaction(2); error codes: Intel SDM volume 3, 6.15.
#include "arch-um/x86-64/trap.h"

#include <linux/audit.h>
#include <signal.h>

namespace umbra::x86_64 {

using platform::Protection;
using platform::Trap;
using platform::TrapKind;

namespace {
constexpr u64 kPageFaultVector = 14;
constexpr i64 kUretprobeNumber = 335;
constexpr u64 kErrorWrite = 2;
constexpr u64 kErrorInstructionFetch = 16;

Trap syscall_trap(HostFrame const& frame)
{
    auto const& c = frame.context;
    return {
        .kind = TrapKind::syscall,
        .compat = frame.info.syscall.arch != AUDIT_ARCH_X86_64,
        .number = frame.info.syscall.number,
        .args = { c.rdi, c.rsi, c.rdx, c.r10, c.r8, c.r9 },
        .instruction = c.rip,
    };
}

/// uretprobe(2) is the one call that newer hosts (6.14) hide from seccomp filters. Made from anywhere but the
/// host's own trampoline, it does nothing but raise this SIGILL, which no instruction raises: to the guest it
/// is a call as any other.
Trap uretprobe_trap(HostFrame const& frame)
{
    Trap trap = syscall_trap(frame);
    trap.compat = false;
    trap.number = kUretprobeNumber;
    return trap;
}

Trap fault_trap(int signal, HostFrame const& frame)
{
    auto const& c = frame.context;
    Trap trap { .kind = TrapKind::fault };
    trap.address = GuestAddr(c.cr2);
    trap.access = Protection::read;
    if (c.error_code & kErrorWrite) trap.access = Protection::write;
    if (c.error_code & kErrorInstructionFetch) trap.access = Protection::execute;
    trap.vector = kPageFaultVector;
    trap.error_code = static_cast<u32>(c.error_code);
    // SIGBUS: the mapping is there but the host has no page behind it.
    if (signal == SIGBUS) trap.host_code = frame.info.code;
    return trap;
}
} // namespace

std::optional<Trap> trap_of_frame(int signal, HostFrame const& frame)
{
    if (frame.info.code <= 0) return {}; // SI_USER, SI_TKILL, SI_QUEUE: not the CPU's doing
    if (signal == SIGSYS) return syscall_trap(frame);
    if (signal == SIGILL && frame.info.code == SI_KERNEL) return uretprobe_trap(frame);
    auto const vector = static_cast<u8>(frame.context.trap_number);
    if ((signal == SIGSEGV || signal == SIGBUS) && vector == kPageFaultVector)
        return fault_trap(signal, frame);
    Trap trap { .kind = TrapKind::exception };
    trap.address = GuestAddr(frame.context.rip);
    trap.vector = vector;
    trap.error_code = static_cast<u32>(frame.context.error_code);
    trap.host_code = frame.info.code;
    return trap;
}

} // namespace umbra::x86_64
