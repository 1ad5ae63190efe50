// SPDX-License-Identifier: GPL-2.0-or-later
// Files of the host as the host-directory file system (core/fs/host) and the tar file system need them.
// Implemented by drivers-virtual/host-files over the ring: where the host can answer from memory the answer
// comes at once, else the task sleeps in the ring. Every call may wait unless it says otherwise; an error is
// the host's errno.
//
// Names are single components; none is ever followed if it is a symbolic link, and "/", "." and ".." do not
// occur, so that nothing outside of the directory that was handed in can be reached, whatever the host's
// users move meanwhile.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/error.h"
#include "core/base/ref.h"
#include "core/platform/platform.h"
#include "core/vfs/inode.h"

namespace umbra::device {

/// What the host says about an object. Owners and device numbers are the host's.
struct HostStatus {
    u64 device = 0, inode = 0; ///< identity on the host
    vfs::Attributes attributes;
};

struct HostDirectoryEntry {
    std::string name;
    u64 inode;
    u8 type; ///< abi::dt_*
};

struct HostXattr {
    std::string name, value;
};

class HostFile;

/// A name that was looked up: a place handle (O_PATH), which can be opened no further but identifies the
/// object.
struct HostFound {
    Ref<HostFile> file;
    HostStatus status;
};

/// An open descriptor of the host. Closed with the last reference.
class HostFile : public RefCounted {
public:
    /// The descriptor as the platform can map it into guests. Valid while this object lives; its number is
    /// used again for something else afterwards.
    virtual platform::HostHandle handle() const = 0;
    virtual Result<HostStatus> status() = 0;

    // Directories; a place handle does.
    virtual Result<HostFound> find(std::string const& name) = 0;
    /// `flags`: abi::o_*; O_NOFOLLOW, O_NOCTTY and O_NONBLOCK are added. EMFILE where the host gives no more
    /// handles.
    virtual Result<Ref<HostFile>> open(std::string const& name, u32 flags, u32 mode = 0) = 0;
    /// Every entry but "." and "..".
    virtual Result<std::vector<HostDirectoryEntry>> list() = 0;
    virtual Result<void> make_directory(std::string const& name, u32 mode) = 0;
    /// Any other type but a symbolic link.
    virtual Result<void> make_node(std::string const& name, u32 mode, u64 device) = 0;
    virtual Result<void> make_symlink(std::string const& name, std::string const& target) = 0;
    virtual Result<void> remove(std::string const& name, bool directory) = 0;
    /// `flags`: abi::rename_*.
    virtual Result<void> rename(
        std::string const& name, HostFile& new_directory, std::string const& new_name, u32 flags)
        = 0;
    /// Gives `target` (any handle) this name.
    virtual Result<void> link(std::string const& name, HostFile& target) = 0;

    /// A place handle of a symbolic link.
    virtual Result<std::string> read_link() = 0;

    // Regular files. Reads are short at the end of the file only.
    virtual Result<u64> read(std::span<u8> buffer, u64 offset) = 0;
    virtual Result<u64> write(std::span<u8 const> buffer, u64 offset) = 0;
    virtual Result<void> truncate(u64 size) = 0;
    virtual Result<void> allocate(u32 mode, u64 offset, u64 length) = 0;
    virtual Result<void> sync(bool data_only) = 0;
    /// abi::seek_data or seek_hole.
    virtual Result<u64> seek(u64 offset, i32 whence) = 0;

    // Attributes; a place handle does.
    virtual Result<void> set_mode(u32 mode) = 0;
    virtual Result<void> set_owner(u32 uid, u32 gid) = 0; ///< ~0u leaves an id
    virtual Result<void> set_times(abi::Timespec const* atime, abi::Timespec const* mtime)
        = 0; ///< null leaves it
    /// Of the entry `name`, or of the directory itself for an empty name. All that the host shows,
    /// unfiltered.
    virtual Result<std::vector<HostXattr>> xattrs(std::string_view name) = 0;
    virtual Result<void> set_xattr(
        std::string_view name, std::string const& attribute, std::string_view value, u32 flags)
        = 0;
    virtual Result<void> remove_xattr(std::string_view name, std::string const& attribute) = 0;
    virtual Result<abi::Statfs> file_system_status() = 0;
    virtual Result<void> sync_file_system() = 0;
};

} // namespace umbra::device
