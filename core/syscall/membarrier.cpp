// SPDX-License-Identifier: GPL-2.0-or-later
// membarrier(2): a barrier on every vCPU that runs guest code. Crossing into the kernel is one, since it takes the kernel
// lock, so the others are asked to cross.
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
    get_registrations = 512,
};
constexpr i32 kKnown = global | global_expedited | register_global_expedited | private_expedited
    | register_private_expedited | get_registrations;
} // namespace

SyscallResult sys_membarrier(Task& task, i32 command, u32 flags, i32)
{
    if (flags) return err::inval;
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
        if (!(registered & register_private_expedited)) return err::perm;
        scheduler.make_guests_cross(&task.mm());
        return 0;
    case register_global_expedited:
    case register_private_expedited:
        registered |= u32(command);
        return 0;
    case get_registrations:
        return registered;
    default:
        return err::inval;
    }
}

} // namespace umbra
