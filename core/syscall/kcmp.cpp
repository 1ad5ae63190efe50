// SPDX-License-Identifier: GPL-2.0-or-later
// kcmp(2): whether two tasks share a thing of the kernel's.
#include "core/ipc/epoll.h"
#include "core/syscall/syscall.h"
#include "core/task/permissions.h"
#include "core/task/pid-namespace.h"
#include "core/task/process-table.h"

namespace umbra {

namespace {

enum : i32 { file = 0, vm = 1, files = 2, fs = 3, sighand = 4, io = 5, sysvsem = 6, epoll_target = 7 };

/// struct kcmp_epoll_slot.
struct EpollSlot {
    u32 set, target, nth;
};

/// An order of objects that does not tell guests where they lie.
i64 order(Kernel const& kernel, void const* a, void const* b)
{
    auto key = [&](void const* p) {
        constexpr u64 kOdd = 0x9e3779b97f4a7c15;
        return (reinterpret_cast<u64>(p) ^ reinterpret_cast<u64>(&kernel) << 7) * kOdd;
    };
    return a == b ? 0 : key(a) < key(b) ? 1 : 2;
}

Result<Task*> subject(Task& task, i32 pid)
{
    Task* t = task.kernel().processes().find_task(pid_in(task, pid));
    if (!t || !t->has_mm() || !t->has_files() || !t->has_fs()) return err::srch;
    TRY(check_may_inspect(task, *t));
    return t;
}

/// Whether a descriptor of `a` is what an epoll set of `b` watches.
SyscallResult compare_target(Task& task, Task& a, Task& b, u64 descriptor, u64 slot_address)
{
    auto const slot = TRY(UserIn<EpollSlot> { GuestAddr(slot_address) }.copy_in(task));
    auto const file = TRY(a.files().get(GuestFd(i32(descriptor)), true));
    auto const set = TRY(b.files().get(GuestFd(i32(slot.set)), true));
    auto* const epoll = ipc::as_epoll(*set);
    if (!epoll) return err::inval;
    vfs::File const* const target = epoll->target(i32(slot.target), slot.nth);
    if (!target) return err::noent;
    return order(task.kernel(), &*file, target);
}

} // namespace

SyscallResult sys_kcmp(Task& task, i32 pid1, i32 pid2, i32 type, u64 index1, u64 index2)
{
    Task& a = *TRY(subject(task, pid1));
    Task& b = *TRY(subject(task, pid2));
    Kernel const& kernel = task.kernel();
    switch (type) {
    case file: {
        auto one = TRY(a.files().get(GuestFd(i32(index1)), true));
        auto two = TRY(b.files().get(GuestFd(i32(index2)), true));
        return order(kernel, &*one, &*two);
    }
    case vm:
        return order(kernel, &a.mm(), &b.mm());
    case files:
        return order(kernel, &a.files(), &b.files());
    case fs:
        return order(kernel, &a.fs(), &b.fs());
    case sighand:
        return order(kernel, &*a.process().handlers, &*b.process().handlers);
    case io:
        return 0; // nobody has an I/O context of its own
    case epoll_target:
        return compare_target(task, a, b, index1, index2);
    case sysvsem:
        return order(kernel, a.semaphore_undos.get(), b.semaphore_undos.get());
    default:
        return err::inval;
    }
}

} // namespace umbra
