// SPDX-License-Identifier: GPL-2.0-or-later
// File systems as such: ustat(2), sysfs(2), and quotactl(2), which finds none that keeps quotas.
#include "core/syscall/path-argument.h"
#include "core/syscall/syscall.h"
#include "core/vfs/file-system-types.h"

namespace umbra {

namespace {

/// The mounted file system with that device number (as st_dev shows it), or null.
RefPtr<vfs::FileSystem> file_system_of(Task& task, u64 device)
{
    for (auto const& mount : task.fs().mounts->mounts())
        if (mount->file_system().device() == device) return RefPtr<vfs::FileSystem>(&mount->file_system());
    return nullptr;
}

} // namespace

SyscallResult sys_ustat(Task& task, u32 device, UserOut<abi::Ustat> out)
{
    u32 major = (device & 0xfff00) >> 8, minor = (device & 0xff) | ((device >> 12) & 0xfff00);
    auto file_system = file_system_of(task, abi::make_dev(major, minor));
    if (!file_system) return err::inval;
    auto status = TRY(file_system->statfs());
    abi::Ustat result {};
    result.free_blocks = i32(status.bfree);
    result.free_inodes = status.ffree;
    TRY(out.copy_out(task, result));
    return 0;
}

SyscallResult sys_sysfs(Task& task, i32 option, u64 a, u64 b)
{
    enum : i32 { index_of_name = 1, name_of_index = 2, count = 3 };
    auto const& types = task.kernel().file_system_types().all();
    switch (option) {
    case index_of_name: {
        auto name = TRY(UserCString { GuestAddr(a) }.copy_in(task));
        if (name.empty()) return err::noent;
        for (size_t i = 0; i < types.size(); ++i)
            if (types[i].name == name) return i64(i);
        return err::inval;
    }
    case name_of_index: {
        if (u32(a) >= types.size()) return err::inval;
        auto const& name = types[u32(a)].name;
        TRY(copy_to_user(task, GuestAddr(b), name.c_str(), name.size() + 1));
        return 0;
    }
    case count:
        return i64(types.size());
    default:
        return err::inval;
    }
}

namespace {
constexpr u32 kQuotaTypes = 3; ///< of users, groups, projects
constexpr u32 kQuotaSync = 0x800001;
} // namespace

SyscallResult sys_quotactl(Task& task, u32 command, UserCString special, u32, GuestAddr)
{
    if ((command & 0xff) >= kQuotaTypes) return err::inval;
    // Without a device Q_SYNC means all that have quotas.
    if (special.is_null()) return command >> 8 == kQuotaSync ? SyscallResult(0) : SyscallResult(err::nodev);
    auto path = TRY(resolve(task, kWorkingDirectory, special));
    if (!abi::is_block_device(path.inode().mode())) return err::notblk;
    if (path.mount->flags() & vfs::kMountNoDev) return err::acces;
    return err::nodev; // nothing is mounted from a device
}

SyscallResult sys_quotactl_fd(Task& task, GuestFd fd, u32 command, u32, GuestAddr)
{
    TRY(task.files().get(fd));
    if ((command & 0xff) >= kQuotaTypes) return err::inval;
    return err::nosys; // Linux's answer for a file system without quotas
}

} // namespace umbra
