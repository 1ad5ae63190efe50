// SPDX-License-Identifier: GPL-2.0-or-later
// The mounts that a process sees: mounts (fstab(5)'s form), mountinfo, mountstats.
#include "core/fs/proc/pid-directory.h"
#include "core/fs/pseudo/text.h"

namespace umbra::fs {

namespace {
constexpr std::string_view kBreaksColumns = " \t\n#";

/// The options that belong to the mount, not to the file system.
std::string mount_options(vfs::Mount const& mount)
{
    struct Row {
        u32 flag;
        char const* name;
    };
    static constexpr Row rows[] = { { vfs::kMountNoSuid, ",nosuid" }, { vfs::kMountNoDev, ",nodev" },
        { vfs::kMountNoExec, ",noexec" }, { vfs::kMountNoAtime, ",noatime" },
        { vfs::kMountNoDirAtime, ",nodiratime" }, { vfs::kMountRelAtime, ",relatime" },
        { vfs::kMountNoSymFollow, ",nosymfollow" } };
    std::string out = mount.flags() & vfs::kMountReadOnly ? "ro" : "rw";
    for (Row const& row : rows)
        if (mount.flags() & row.flag) out += row.name;
    return out;
}

/// Where in its file system the mount's root is: "/" but for bind mounts.
std::string root_within_file_system(vfs::Mount const& mount)
{
    std::string path;
    for (vfs::Dentry const* at = mount.root().get(); at->parent(); at = at->parent().get())
        path = "/" + at->name() + path;
    return path.empty() ? "/" : path;
}

/// Calls visit(mount, mount point as the process sees it) for every mount that it can reach.
template <typename Visit> Result<void> for_each_mount(Subject const& subject, Visit visit)
{
    Ref<Task> task = TRY(live_task(subject));
    if (!task->has_fs()) return err::inval;
    vfs::FsContext const& fs = task->fs();
    for (Ref<vfs::Mount> const& mount : fs.mounts->mounts()) {
        std::string point = vfs::path_to_string({ mount, mount->root() }, fs.root);
        if (point.starts_with('/')) visit(*mount, point);
    }
    return {};
}

std::string source_of(vfs::Mount const& mount) { return mount.source().empty() ? "none" : mount.source(); }
} // namespace

Result<std::string> pid_mounts(Subject const& subject)
{
    std::string out;
    TRY(for_each_mount(subject, [&](vfs::Mount const& mount, std::string const& point) {
        append_escaped(out, source_of(mount), kBreaksColumns);
        out += ' ';
        append_escaped(out, point, kBreaksColumns);
        // The file system may be read-only where the mount is not.
        std::string options = mount_options(mount);
        if (mount.is_read_only()) options.replace(0, 2, "ro");
        append_format(out, " %s %s%s 0 0\n", mount.file_system().type().c_str(), options.c_str(),
            mount.file_system().show_options().c_str());
    }));
    return out;
}

Result<std::string> pid_mountinfo(Subject const& subject)
{
    std::string out;
    TRY(for_each_mount(subject, [&](vfs::Mount const& mount, std::string const& point) {
        vfs::FileSystem& fs = mount.file_system();
        append_format(out, "%u %u %u:%u ", mount.id(), mount.parent() ? mount.parent()->id() : mount.id(),
            abi::dev_major(fs.device()), abi::dev_minor(fs.device()));
        append_escaped(out, root_within_file_system(mount), kBreaksColumns);
        out += ' ';
        append_escaped(out, point, kBreaksColumns);
        append_format(out, " %s - %s ", mount_options(mount).c_str(), fs.type().c_str());
        append_escaped(out, source_of(mount), kBreaksColumns);
        append_format(out, " %s%s\n", fs.is_read_only() ? "ro" : "rw", fs.show_options().c_str());
    }));
    return out;
}

Result<std::string> pid_mountstats(Subject const& subject)
{
    std::string out;
    TRY(for_each_mount(subject, [&](vfs::Mount const& mount, std::string const& point) {
        out += "device ";
        append_escaped(out, source_of(mount), kBreaksColumns);
        out += " mounted on ";
        append_escaped(out, point, kBreaksColumns);
        append_format(out, " with fstype %s\n", mount.file_system().type().c_str());
    }));
    return out;
}

} // namespace umbra::fs
