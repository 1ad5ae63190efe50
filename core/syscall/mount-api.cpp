// SPDX-License-Identifier: GPL-2.0-or-later
// Mounting in steps: fsopen, fspick, fsconfig, fsmount, open_tree, move_mount.
#include "core/abi/mount.h"
#include "core/syscall/mount-attributes.h"
#include "core/syscall/path-argument.h"
#include "core/vfs/file-system-types.h"
#include "core/vfs/mount-files.h"

namespace umbra {

namespace {

SyscallResult give_descriptor(Task& task, Ref<vfs::File> file, bool close_on_exec)
{
    return TRY(task.files().add(std::move(file), close_on_exec, task.limit(Resource::nofile))).value;
}

/// EBADF, or EINVAL for a file of another kind.
Result<vfs::FileSystemConfig*> config_of(Ref<vfs::File> const& file)
{
    auto* config = vfs::config_of_file(*file);
    if (!config) return err::inval;
    return config;
}

} // namespace

SyscallResult sys_fsopen(Task& task, UserCString name_in, u32 flags)
{
    if (!may_mount(task)) return err::perm;
    if (flags & ~abi::fsopen_cloexec) return err::inval;
    auto name = TRY(name_in.copy_in(task, kPageSize, err::inval));
    auto const* type = task.kernel().file_system_types().find(name);
    if (!type) return err::nodev;
    auto file = vfs::make_config_file(task.kernel(), vfs::FileSystemConfig(task.kernel(), *type));
    return give_descriptor(task, std::move(file), flags & abi::fsopen_cloexec);
}

SyscallResult sys_fspick(Task& task, GuestFd directory, UserCString path, u32 flags)
{
    if (!may_mount(task)) return err::perm;
    if (flags
        & ~(abi::fspick_cloexec | abi::fspick_symlink_nofollow | abi::fspick_no_automount
            | abi::fspick_empty_path))
        return err::inval;
    u32 const at_flags = (flags & abi::fspick_symlink_nofollow ? abi::at_symlink_nofollow : 0)
        | (flags & abi::fspick_empty_path ? abi::at_empty_path : 0);
    auto place = TRY(resolve(task, directory, path, at_flags));
    if (!(place.dentry == place.mount->root())) return err::inval;
    Ref<vfs::FileSystem> fs(place.mount->file_system());
    auto const* type = task.kernel().file_system_types().find(fs->type());
    auto file = vfs::make_config_file(task.kernel(), vfs::FileSystemConfig(task.kernel(), type, fs));
    return give_descriptor(task, std::move(file), flags & abi::fspick_cloexec);
}

namespace {

constexpr u64 kParameterMax = 256; ///< bytes of a name or a value, with its NUL
constexpr i32 kBlobMax = 1 << 20;

struct ConfigArguments {
    abi::FsConfig command;
    UserCString key, value;
    i32 aux;
};

Result<void> check_arguments(ConfigArguments const& a)
{
    using C = abi::FsConfig;
    bool const key = !a.key.is_null(), value = !a.value.is_null();
    auto valid = [](bool ok) { return ok ? Result<void>() : err::inval; };
    switch (a.command) {
    case C::set_flag:
        return valid(key && !value && !a.aux);
    case C::set_string:
        return valid(key && value && !a.aux);
    case C::set_binary:
        return valid(key && value && a.aux > 0 && a.aux <= kBlobMax);
    case C::set_path:
    case C::set_path_empty:
        return valid(key && value && (a.aux == abi::at_fdcwd || a.aux >= 0));
    case C::set_fd:
        return valid(key && !value && a.aux >= 0);
    case C::create:
    case C::create_exclusive:
    case C::reconfigure:
        return valid(!key && !value && !a.aux);
    }
    return err::opnotsupp;
}

Result<void> configure(Task& task, vfs::FileSystemConfig& config, ConfigArguments const& a)
{
    using C = abi::FsConfig;
    using Sharing = vfs::FileSystemConfig::Sharing;
    std::string name, value;
    if (!a.key.is_null()) name = TRY(a.key.copy_in(task, kParameterMax, err::inval));
    switch (a.command) {
    case C::set_flag:
        return config.set(name, std::nullopt);
    case C::set_string:
        return config.set(name, TRY(a.value.copy_in(task, kParameterMax, err::inval)));
    case C::set_path:
    case C::set_path_empty:
        value = TRY(a.value.copy_in(task));
        if (value.empty() && a.command == C::set_path) return err::noent;
        return config.set_other(name);
    case C::set_binary:
        TRY(UserIn<u8> { a.value.address }.copy_in_array(task, u64(a.aux)));
        return config.set_other(name);
    case C::set_fd:
        TRY(task.files().get(GuestFd(a.aux), true));
        return config.set_other(name);
    case C::create:
        return config.create(Sharing::allowed);
    case C::create_exclusive:
        return config.create(Sharing::refused);
    case C::reconfigure:
        return config.reconfigure();
    }
    return err::opnotsupp;
}

} // namespace

SyscallResult sys_fsconfig(Task& task, GuestFd fd, u32 command, UserCString key, UserCString value, i32 aux)
{
    if (fd.value < 0) return err::inval;
    ConfigArguments const arguments { abi::FsConfig(command), key, value, aux };
    TRY(check_arguments(arguments));
    auto file = TRY(task.files().get(fd));
    TRY(configure(task, *TRY(config_of(file)), arguments));
    return 0;
}

SyscallResult sys_fsmount(Task& task, GuestFd fd, u32 flags, u32 attributes)
{
    if (!may_mount(task)) return err::perm;
    if (flags & ~abi::fsmount_cloexec) return err::inval;
    u32 const mount_flags = TRY(mount_flags_of_attributes(attributes));
    auto file = TRY(task.files().get(fd));
    auto mount = TRY(TRY(config_of(file))->mount(mount_flags));
    return give_descriptor(task,
        vfs::make_mount_tree_file(*task.fs().mounts, vfs::MountTree(std::move(mount))),
        flags & abi::fsmount_cloexec);
}

SyscallResult sys_open_tree(Task& task, GuestFd directory, UserCString path, u32 flags)
{
    constexpr u32 known = abi::at_empty_path | abi::at_no_automount | abi::at_recursive
        | abi::at_symlink_nofollow | abi::open_tree_clone | abi::open_tree_cloexec;
    if (flags & ~known) return err::inval;
    bool const clones = flags & abi::open_tree_clone, recursive = flags & abi::at_recursive;
    if (recursive && !clones) return err::inval;
    if (clones && !may_mount(task)) return err::perm;
    auto place = TRY(resolve(task, directory, path, flags));
    auto file = clones
        ? vfs::make_mount_tree_file(*task.fs().mounts, TRY(task.fs().mounts->clone_tree(place, recursive)))
        : TRY(vfs::open_path(task, place, abi::o_path));
    return give_descriptor(task, std::move(file), flags & abi::open_tree_cloexec);
}

SyscallResult sys_move_mount(Task& task, GuestFd from_directory, UserCString from_path, GuestFd to_directory,
    UserCString to_path, u32 flags)
{
    constexpr u32 known = abi::move_from_symlinks | abi::move_from_automounts | abi::move_from_empty_path
        | abi::move_to_symlinks | abi::move_to_automounts | abi::move_to_empty_path | abi::move_set_group
        | abi::move_beneath;
    constexpr u32 either = abi::move_set_group | abi::move_beneath;
    if (!may_mount(task)) return err::perm;
    if ((flags & ~known) || (flags & either) == either) return err::inval;
    auto at_flags = [&](u32 symlinks, u32 empty) {
        return (flags & symlinks ? 0 : abi::at_symlink_nofollow) | (flags & empty ? abi::at_empty_path : 0);
    };
    auto from = TRY(resolve(
        task, from_directory, from_path, at_flags(abi::move_from_symlinks, abi::move_from_empty_path)));
    auto to
        = TRY(resolve(task, to_directory, to_path, at_flags(abi::move_to_symlinks, abi::move_to_empty_path)));
    auto& mounts = *task.fs().mounts;
    using Placing = vfs::MountNamespace::Placing;
    if (flags & abi::move_set_group)
        TRY(mounts.set_group(from, to));
    else
        TRY(mounts.move(from, to, flags & abi::move_beneath ? Placing::beneath : Placing::on_top));
    return 0;
}

} // namespace umbra
