// SPDX-License-Identifier: GPL-2.0-or-later
// setns. unshare and clone are in process.cpp.
#include "core/ipc/pidfd.h"
#include "core/syscall/syscall.h"
#include "core/task/lifecycle.h"
#include "core/task/namespaces.h"

namespace umbra {

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
    TRY(enter_namespaces_of(task, *process.value(), flags));
    return 0;
}

} // namespace umbra
