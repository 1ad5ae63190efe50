// SPDX-License-Identifier: GPL-2.0-or-later
// A volume is a mount of a host tree. Of a file it is a mount of the directory that has it, with the file as its root:
// nothing else of that directory can be reached, because a path cannot lead up from a mount's root into its file system.
#include "arch-um/boot/volume.h"

#include <cstdlib>
#include <memory>

#include <fcntl.h>

#include "core/task/task.h"
#include "core/vfs/operations.h"
#include "drivers-virtual/host-files/host-files.h"
#include "hostabi/fd.h"

namespace umbra::boot {

namespace {

/// The host's path without symbolic links: which directory has the file depends on them.
std::string resolved(std::string const& path)
{
    std::unique_ptr<char, decltype(&std::free)> real(::realpath(path.c_str(), nullptr), &std::free);
    return real ? real.get() : path;
}

/// The mount, not yet attached.
Result<Ref<vfs::Mount>> make_mount(Task& task, drivers::HostIo& io, VolumeChoice const& volume,
    std::optional<fs::OwnerMapping> const& owners)
{
    auto access = volume.read_only ? fs::HostAccess::read_only : fs::HostAccess::write_through;
    fs::HostFsOptions how { .access = access, .owners_as_root = owners };
    u32 flags = vfs::kMountRelAtime | (volume.read_only ? u32 { vfs::kMountReadOnly } : 0);
    auto path = resolved(volume.host);
    auto tree = host_directory(task, io, path, how);
    if (tree.ok()) return make_ref<vfs::Mount>(tree.value(), tree.value()->root_dentry(), flags, volume.host);
    if (tree.error() != err::notdir) return tree.error();
    auto slash = path.rfind('/');
    auto parent = TRY(host_directory(task, io, slash ? path.substr(0, slash) : "/", how));
    vfs::Path top { make_ref<vfs::Mount>(parent, flags, volume.host), parent->root_dentry() };
    auto file = TRY(vfs::lookup_child(top, path.substr(slash + 1)));
    if (file->is_negative()) return err::noent;
    return make_ref<vfs::Mount>(parent, file, flags, volume.host);
}

/// Makes what is missing of the place: directories, and at the end a directory or an empty file. That something is there
/// already is no error, and what could not be made the walk will miss.
Errno make_place(Task& task, std::string_view guest, bool directory)
{
    auto const& root = task.fs().root;
    Errno problem = err::noent;
    for (size_t at = 1; at < guest.size();) {
        auto end = std::min(guest.find('/', at), guest.size());
        bool const last = guest.find_first_not_of('/', end) == guest.npos;
        vfs::At place { root, guest.substr(0, end) };
        auto made = last && !directory ? vfs::mknod(task, place, abi::s_ifreg | 0644, 0)
                                       : vfs::mkdir(task, place, 0755);
        if (made.is_error() && made.error() != err::exist) problem = made.error();
        at = last ? guest.size() : end + 1;
    }
    return problem;
}

} // namespace

BootError failed(std::string const& what, Errno why) { return { what + ": " + errno_name(why) }; }

Result<Ref<vfs::FileSystem>> host_directory(
    Task& task, drivers::HostIo& io, std::string const& path, fs::HostFsOptions const& how)
{
    auto fd = hostabi::OwnedFd::open(path.c_str(), O_PATH | O_DIRECTORY);
    if (fd.is_error()) return hostabi::to_guest_errno(fd.error());
    return fs::make_host_file_system(task.kernel(), drivers::make_host_file(fd.release_value(), io), how);
}

BootError mount_volume(Task& task, drivers::HostIo& io, VolumeChoice const& volume,
    std::optional<fs::OwnerMapping> const& owners)
{
    auto what = "-v " + volume.host + ":" + volume.guest;
    auto mount = make_mount(task, io, volume, owners);
    if (mount.is_error()) return failed(what, mount.error());
    bool const directory = mount.value()->root()->inode().is_directory();
    auto problem = make_place(task, volume.guest, directory);
    auto at = vfs::walk(task, task.fs().root, volume.guest);
    if (at.is_error()) return failed(what, at.error() == err::noent ? problem : at.error());
    if (at.value().inode().is_directory() != directory)
        return { what + ": one is a directory and the other is not: give two of a kind" };
    auto attached = task.fs().mounts->attach(mount.release_value(), at.value());
    return attached.is_error() ? failed(what, attached.error()) : BootError {};
}

} // namespace umbra::boot
