// SPDX-License-Identifier: GPL-2.0-or-later
// A mounted file-system instance (Linux: super_block): the root inode, identity, statfs.
// The instance owns nothing of the mounts that show it; each Mount and each Inode user holds a reference on it.
#pragma once

#include <string>

#include "core/abi/file.h"
#include "core/task/user-namespace.h"
#include "core/vfs/inode.h"

namespace umbra::vfs {

constexpr u64 kNameMax = 255; ///< NAME_MAX: bytes in one component of a path

class Dentry;

class FileSystem : public RefCounted {
public:
    /// `type` is the name in /proc/mounts; the device number is a fresh anonymous one unless set.
    FileSystem(Kernel& kernel, std::string type);
    ~FileSystem() override;

    Kernel& kernel() const { return kernel_; }
    std::string const& type() const { return type_; }
    u64 device() const { return device_; }
    /// Whose mount made it: only ids that this one knows are stored in it.
    UserNamespace& user_namespace() const { return *user_namespace_; }
    /// Before it is used. The first one otherwise.
    void set_user_namespace(Ref<UserNamespace> space) { user_namespace_ = std::move(space); }
    /// Device nodes in what a user namespace mounts cannot be opened, unless the file system makes them itself.
    virtual bool devices_are_dead() const { return !user_namespace_->is_first(); }
    virtual Ref<Inode> root() = 0;
    /// The one dentry of the root, which every mount of the instance shares.
    Ref<Dentry> root_dentry();
    /// What a new mount of it shows. May wait. Default: root_dentry().
    virtual Result<Ref<Dentry>> mount_root();
    /// Where a mount's root is in it, for /proc/PID/mountinfo; empty: its path from root_dentry().
    virtual std::string shown_root(Dentry const&) const { return {}; }
    /// statfs(2). May wait. Default: zeroes with `magic`.
    virtual Result<abi::Statfs> statfs();
    virtual bool is_read_only() const { return read_only_; }
    /// mount(2)'s MS_RDONLY for the whole file system, however it is mounted.
    void set_read_only(bool value) { read_only_ = value; }
    /// The options column of /proc/mounts without "rw"/"ro", e.g. ",size=1024k"; empty for none.
    virtual std::string show_options() const { return {}; }
    /// mount(2) with MS_REMOUNT: takes over the options it can change. EINVAL for others; default: none are changed.
    virtual Result<void> reconfigure(std::string_view options)
    {
        return options.empty() ? Result<void>() : err::inval;
    }
    /// The same, and whether it is to be read-only: EBUSY while files are open for writing.
    Result<void> remount(std::string_view options, bool read_only);
    /// Writes back everything (sync, umount). May wait.
    virtual Result<void> sync() { return {}; }
    u64 next_inode_number() { return ++last_inode_; }

    u32 writers = 0; ///< files open for writing
    u32 mount_count = 0; ///< mounts that show it
    List<InodeWatch, TaggedNode<FileSystem>> watches; ///< those of its inodes, for the end of its last mount
    ObjectMarks marks; ///< of the whole file system
    List<Mark, TaggedNode<MarkOfFileSystem>> all_marks; ///< those of its inodes and mounts too
    /// Held over a rename between two directories, so that the tree above both stands still.
    Mutex rename_mutex;

protected:
    Kernel& kernel_;
    std::string type_;
    u64 device_;
    i64 magic_ = 0;
    u64 last_inode_ = 0;
    bool read_only_ = false;

private:
    friend class DentryCache;
    Ref<UserNamespace> user_namespace_;
    Dentry* root_dentry_ = nullptr; ///< not counted: it holds the file system
};

} // namespace umbra::vfs
