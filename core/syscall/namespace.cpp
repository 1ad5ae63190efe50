// SPDX-License-Identifier: GPL-2.0-or-later
// setns. unshare and clone are in process.cpp.
#include "core/ipc/pidfd.h"
#include "core/syscall/syscall.h"
#include "core/task/lifecycle.h"
#include "core/task/namespaces.h"
#include "core/task/permissions.h"
#include "core/task/process-table.h"

namespace umbra {

namespace {

constexpr vfs::NamespaceKind kInOrder[] = { vfs::NamespaceKind::cgroup, vfs::NamespaceKind::ipc,
    vfs::NamespaceKind::uts, vfs::NamespaceKind::network, vfs::NamespaceKind::time, vfs::NamespaceKind::pid,
    vfs::NamespaceKind::mount };

/// Those of the process that a pidfd stands for, all that `flags` names.
Result<void> enter_those_of(Task& task, Process& process, u32 flags)
{
    Task* other = process.any_thread();
    if (!other) return err::srch;
    TRY(check_may_inspect(task, *other));
    if (flags & abi::clone_newuser) return err::inval;
    if (!task.credentials().has(Capability::sys_admin)) return err::perm;
    for (auto kind : kInOrder)
        if (flags & vfs::info_of(kind).clone_flag)
            TRY(enter_namespace(task, *TRY(namespace_of(*other, kind))));
    return {};
}

} // namespace

SyscallResult sys_setns(Task& task, GuestFd fd, u32 flags)
{
    auto file = TRY(task.files().get(fd));
    if (auto space = vfs::namespace_of_file(*file)) {
        if (flags && flags != vfs::info_of(space->kind()).clone_flag) return err::inval;
        TRY(enter_namespace(task, *space));
        return 0;
    }
    auto process = ipc::process_of_pidfd(*file);
    if (process.is_error() || !flags || (flags & ~u32(abi::kAllNamespaces))) return err::inval;
    TRY(enter_those_of(task, *process.value(), flags));
    return 0;
}

} // namespace umbra
