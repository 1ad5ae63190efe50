// SPDX-License-Identifier: GPL-2.0-or-later
// membarrier(2): a barrier on every vCPU that runs guest code. Crossing into the kernel is one, since it takes the kernel
// lock, so the others are asked to cross. The way back into a guest is a host's switch between processes or its return
// from a signal: the CPU fetches anew what it executes, which SYNC_CORE promises.
#include "core/syscall/syscall.h"
#include "core/task/scheduler.h"

namespace umbra {

namespace {
enum : i32 {
    query = 0,
    global = 1,
    global_expedited = 2,
    register_global_expedited = 4,
    private_expedited = 8,
    register_private_expedited = 16,
    private_expedited_sync_core = 32,
    register_private_expedited_sync_core = 64,
    private_expedited_rseq = 128,
    register_private_expedited_rseq = 256,
    get_registrations = 512,
};
constexpr i32 kKnown = 1023;
constexpr u32 kOneCpu = 1; // MEMBARRIER_CMD_FLAG_CPU

/// Threads that run elsewhere leave the critical section they are in; `cpu`: only those there, or -1.
void restart_sequences(Task& task, i32 cpu)
{
    auto& scheduler = task.kernel().scheduler();
    for (unsigned i = 0; i < scheduler.vcpu_count(); ++i) {
        Task* running = scheduler.vcpu(i).running();
        if (!running || running == &task || !running->has_mm() || &running->mm() != &task.mm()) continue;
        if ((cpu < 0 || u32(cpu) == i) && !running->rseq.area.is_null()) running->rseq_pending = true;
    }
    scheduler.make_guests_cross(&task.mm());
}
} // namespace

SyscallResult sys_membarrier(Task& task, i32 command, u32 flags, i32 cpu)
{
    if (flags && !(command == private_expedited_rseq && flags == kOneCpu)) return err::inval;
    u32& registered = task.process().membarrier_registrations;
    auto& scheduler = task.kernel().scheduler();
    switch (command) {
    case query:
        return kKnown;
    case global:
    case global_expedited: // whoever has not registered may be left out, and is not
        scheduler.make_guests_cross(nullptr);
        return 0;
    case private_expedited:
    case private_expedited_sync_core:
        if (!(registered & u32(command << 1))) return err::perm;
        scheduler.make_guests_cross(&task.mm());
        return 0;
    case private_expedited_rseq:
        if (!(registered & register_private_expedited_rseq)) return err::perm;
        restart_sequences(task, flags & kOneCpu ? cpu : -1);
        return 0;
    case register_global_expedited:
    case register_private_expedited:
    case register_private_expedited_sync_core:
    case register_private_expedited_rseq:
        registered |= u32(command);
        return 0;
    case get_registrations:
        return registered;
    default:
        return err::inval;
    }
}

} // namespace umbra
