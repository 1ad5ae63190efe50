// SPDX-License-Identifier: GPL-2.0-or-later
// A mounted file-system instance (Linux: super_block): the root inode, identity, statfs.
// The instance owns nothing of the mounts that show it; each Mount and each Inode user holds a reference on it.
#pragma once

#include <string>

#include "core/abi/file.h"
#include "core/vfs/inode.h"

namespace umbra::vfs {

constexpr u64 kNameMax = 255; ///< NAME_MAX: bytes in one component of a path

class FileSystem : public RefCounted {
public:
    /// `type` is the name in /proc/mounts; the device number is a fresh anonymous one unless set.
    FileSystem(Kernel& kernel, std::string type);
    ~FileSystem() override;

    Kernel& kernel() const { return kernel_; }
    std::string const& type() const { return type_; }
    u64 device() const { return device_; }
    virtual Ref<Inode> root() = 0;
    /// statfs(2). May wait. Default: zeroes with `magic`.
    virtual Result<abi::Statfs> statfs();
    virtual bool is_read_only() const { return false; }
    /// The options column of /proc/mounts without "rw"/"ro", e.g. ",size=1024k"; empty for none.
    virtual std::string show_options() const { return {}; }
    /// Writes back everything (sync, umount). May wait.
    virtual Result<void> sync() { return {}; }
    u64 next_inode_number() { return ++last_inode_; }

    /// Held over a rename between two directories, so that the tree above both stands still.
    Mutex rename_mutex;

protected:
    Kernel& kernel_;
    std::string type_;
    u64 device_;
    i64 magic_ = 0;
    u64 last_inode_ = 0;
};

} // namespace umbra::vfs
