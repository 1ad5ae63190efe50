// SPDX-License-Identifier: GPL-2.0-or-later
// The mounts that a process sees: mounts (fstab(5)'s form), mountinfo, mountstats. An open file shows those of the
// namespace and below the root that the process had then, and poll(2) tells of changes: POLLERR and POLLPRI.
#include "core/fs/proc/pid-directory.h"
#include "core/fs/pseudo/text.h"
#include "core/vfs/mount-names.h"

namespace umbra::fs {

namespace {
/// What a process saw when the file was opened.
struct View {
    Ref<vfs::MountNamespace> mounts;
    vfs::Path root;
};

constexpr std::string_view kBreaksColumns = " \t\n", kBreaksSource = " \t\n#";

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

/// Calls visit(mount, mount point as the process sees it) for every mount that it can reach.
template <typename Visit> void for_each_mount(View const& view, Visit visit)
{
    for (Ref<vfs::Mount> const& mount : view.mounts->mounts())
        if (vfs::is_visible(*mount, view.root)) visit(*mount, vfs::mount_point(*mount, view.root));
}

/// The optional fields of mountinfo: " shared:1 master:2 propagate_from:3", " unbindable".
std::string propagation_fields(vfs::Mount const& mount, View const& view)
{
    std::string out;
    if (mount.peers()) append_format(out, " shared:%u", mount.peers()->id());
    if (mount.master()) {
        append_format(out, " master:%u", mount.master()->id());
        u32 const from = vfs::dominating_group(mount, *view.mounts, view.root);
        if (from && from != mount.master()->id()) append_format(out, " propagate_from:%u", from);
    }
    if (mount.is_unbindable()) out += " unbindable";
    return out;
}

std::string source_of(vfs::Mount const& mount) { return mount.source().empty() ? "none" : mount.source(); }

std::string mounts_text(View const& view)
{
    std::string out;
    for_each_mount(view, [&](vfs::Mount& mount, std::string const& point) {
        append_escaped(out, source_of(mount), kBreaksSource);
        out += ' ';
        append_escaped(out, point, kBreaksColumns);
        // The file system may be read-only where the mount is not.
        std::string options = mount_options(mount);
        if (mount.is_read_only()) options.replace(0, 2, "ro");
        append_format(out, " %s %s%s 0 0\n", mount.file_system().type().c_str(), options.c_str(),
            mount.file_system().show_options().c_str());
    });
    return out;
}

std::string mountinfo_text(View const& view)
{
    std::string out;
    for_each_mount(view, [&](vfs::Mount& mount, std::string const& point) {
        vfs::FileSystem& fs = mount.file_system();
        append_format(out, "%u %u %u:%u ", mount.id(), mount.parent() ? mount.parent()->id() : mount.id(),
            abi::dev_major(fs.device()), abi::dev_minor(fs.device()));
        append_escaped(out, vfs::root_within_file_system(mount), kBreaksColumns);
        out += ' ';
        append_escaped(out, point, kBreaksColumns);
        append_format(out, " %s%s - %s ", mount_options(mount).c_str(),
            propagation_fields(mount, view).c_str(), fs.type().c_str());
        append_escaped(out, source_of(mount), kBreaksSource);
        append_format(out, " %s%s\n", fs.is_read_only() ? "ro" : "rw", fs.show_options().c_str());
    });
    return out;
}

std::string mountstats_text(View const& view)
{
    std::string out;
    for_each_mount(view, [&](vfs::Mount& mount, std::string const& point) {
        out += "device ";
        append_escaped(out, source_of(mount), kBreaksSource);
        out += " mounted on ";
        append_escaped(out, point, kBreaksColumns);
        append_format(out, " with fstype %s\n", mount.file_system().type().c_str());
    });
    return out;
}

using Describe = std::string (*)(View const&);

class MountsFile final : public vfs::File {
public:
    MountsFile(vfs::Path path, u32 flags, View view, Describe describe)
        : File(std::move(path), flags)
        , view_(std::move(view))
        , describe_(describe)
        , event_(view_.mounts->event())
    {
    }
    Result<u64> read(IoBuffer& buffer, u64 offset) override
    {
        return text_.read(buffer, offset, [this] { return Result<std::string>(describe_(view_)); });
    }
    bool is_seekable() const override { return true; }
    u64 end_offset() override { return 0; }
    /// Each change is told once to each file.
    u32 readiness() override
    {
        if (describe_ == mountstats_text) return File::readiness(); // Linux never tells here
        bool const changed = std::exchange(event_, view_.mounts->event()) != view_.mounts->event();
        return abi::pollin | abi::pollrdnorm | (changed ? abi::pollerr | abi::pollpri : 0);
    }
    WaitQueue* wait_queue() override { return &view_.mounts->changes(); }

private:
    View view_;
    Describe describe_;
    u64 event_; ///< of the namespace, when it was last asked for
    Snapshot text_;
};

class MountsInode final : public PseudoInode {
public:
    MountsInode(vfs::FileSystem& fs, PidReference const& reference, PseudoAttributes const& attributes,
        Describe describe)
        : PseudoInode(fs, abi::s_ifreg, attributes)
        , reference_(reference)
        , describe_(describe)
    {
    }
    Result<Ref<vfs::File>> open(vfs::Path const& path, u32 flags) override
    {
        auto subject = find_subject(fs_.kernel(), reference_);
        if (subject.is_error() || !subject.value().task || !subject.value().task->has_fs()) return err::inval;
        auto const& fs = subject.value().task->fs();
        return Ref<vfs::File>(make_ref<MountsFile>(path, flags, View { fs.mounts, fs.root }, describe_));
    }

private:
    PidReference reference_;
    Describe describe_;
};

} // namespace

Ref<vfs::Inode> make_mounts_file(
    vfs::FileSystem& fs, PidReference const& of, PseudoAttributes const& attributes)
{
    return make_ref<MountsInode>(fs, of, attributes, mounts_text);
}

Ref<vfs::Inode> make_mountinfo_file(
    vfs::FileSystem& fs, PidReference const& of, PseudoAttributes const& attributes)
{
    return make_ref<MountsInode>(fs, of, attributes, mountinfo_text);
}

Ref<vfs::Inode> make_mountstats_file(
    vfs::FileSystem& fs, PidReference const& of, PseudoAttributes const& attributes)
{
    return make_ref<MountsInode>(fs, of, attributes, mountstats_text);
}

} // namespace umbra::fs
