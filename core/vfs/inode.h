// SPDX-License-Identifier: GPL-2.0-or-later
// An inode: a file system's object. File systems derive from Inode and override what their kind of object can do; the
// defaults return Linux's error for the operation on an object that lacks it. Every call is made under the kernel
// lock; calls marked "may wait" can sleep (host files), so callers revalidate what they remembered across them.
// Permission checks, name-length checks, mount checks and dentry upkeep are the VFS's (core/vfs), not the file system's.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/abi/file.h"
#include "core/base/error.h"
#include "core/base/list.h"
#include "core/base/ref.h"
#include "core/base/types.h"
#include "core/sync/mutex.h"

namespace umbra {
class Kernel;
class Task;
struct Credentials;
namespace mm {
class MemoryObject;
}
} // namespace umbra

namespace umbra::vfs {

class File;
class FileSystem;
class Inode;
struct Path;

/// What stat(2) shows. Times in the guest's realtime clock.
struct Attributes {
    u32 mode = 0; ///< type and permission bits
    u32 uid = 0, gid = 0;
    u32 nlink = 1;
    u64 rdev = 0;
    u64 size = 0;
    u64 blocks = 0; ///< of 512 bytes
    u32 block_size = 4096;
    abi::Timespec atime {}, mtime {}, ctime {}, btime {};
    u32 flags = 0; ///< abi::fs_immutable and so on (ioctl_iflags(2))
};

/// A change of attributes: only what is in `mask` changes.
struct AttributeChange {
    enum Mask : u32 {
        kMode = 1,
        kUid = 2,
        kGid = 4,
        kSize = 8,
        kAtime = 16,
        kMtime = 32,
        kCtime = 64,
        kFlags = 128
    };
    u32 mask = 0;
    u32 mode = 0, uid = 0, gid = 0;
    u64 size = 0;
    abi::Timespec atime {}, mtime {}, ctime {};
    u32 flags = 0;
};

/// What a new object starts with. The VFS has applied umask, setgid directories and ownership rules already.
struct NewInode {
    u32 mode; ///< with the type: regular, fifo, socket, device, directory
    u32 uid, gid;
    u64 rdev = 0;
    bool linkable
        = true; ///< of create_unnamed(): link(2) may give it a name later (O_TMPFILE without O_EXCL)
};

/// Receives directory entries; returns false when it is full (the entry was not taken).
using DirectoryEmitter = std::function<bool(std::string_view name, u64 ino, u8 type, i64 next_offset)>;

/// File locks (flock, POSIX, OFD) hang from the inode; defined in core/vfs/locks.h.
class FileLocks;
/// inotify's watches; defined in core/vfs/notify.h.
class InodeWatch;
/// fanotify's marks, of an inode, a mount, a file system; defined in core/vfs/marks.h.
class Mark;
struct MarkOnObject;
struct MarkOfFileSystem;
using ObjectMarks = List<Mark, TaggedNode<MarkOnObject>>;

class Inode : public RefCounted {
public:
    Inode(FileSystem& fs, u64 number, Attributes const& attributes);
    ~Inode() override;

    FileSystem& file_system() const { return fs_; }
    u64 number() const { return number_; }
    /// The cached attributes; permission checks use these. stat(2) calls refresh() first.
    Attributes const& attributes() const { return attributes_; }
    u32 mode() const { return attributes_.mode; }
    bool is_directory() const { return abi::is_directory(mode()); }
    bool is_regular() const { return abi::is_regular(mode()); }
    bool is_symlink() const { return abi::is_symlink(mode()); }
    bool is_immutable() const { return attributes_.flags & abi::fs_immutable; }
    bool is_append_only() const { return attributes_.flags & abi::fs_append; }
    /// Which of the flags the file system keeps for this object; 0: it has none, and ENOTTY says so.
    virtual u32 flags_kept() const { return 0; }

    /// Brings attributes() up to date with the backing store. May wait.
    virtual Result<void> refresh() { return {}; }
    /// Applies a change that the VFS has allowed. May wait. Default: changes attributes_ (kSize: EINVAL).
    virtual Result<void> set_attributes(AttributeChange const& change);
    /// The VFS saw an access that moves the access time. Must not wait. Default: changes the cached attributes.
    virtual void touch_atime(abi::Timespec const& now) { attributes_.atime = now; }

    // Directories. Names are single components, never "." or "..". May wait.
    virtual Result<Ref<Inode>> lookup(std::string_view name);
    virtual Result<Ref<Inode>> create(std::string_view name, NewInode const& what); ///< any type but symlink
    virtual Result<Ref<Inode>> symlink(std::string_view name, std::string_view target, NewInode const& what);
    virtual Result<void> link(std::string_view name, Inode& target);
    virtual Result<void> unlink(std::string_view name, Inode& victim);
    virtual Result<void> rmdir(std::string_view name, Inode& victim);
    /// Moves `name` here to `new_name` in `new_directory` of the same file system; `victim` is what is there now, or
    /// null. The VFS has checked types and loops. flags: rename_exchange (victim set) or 0 or rename_whiteout.
    virtual Result<void> rename(std::string_view name, Inode& moved, Inode& new_directory,
        std::string_view new_name, Inode* victim, u32 flags);
    /// An object without a name (O_TMPFILE). EOPNOTSUPP by default.
    virtual Result<Ref<Inode>> create_unnamed(NewInode const& what);

    /// Symbolic links. May wait.
    virtual Result<std::string> read_link();
    /// A magic link (proc's exe, cwd, fd/N): where it leads, or an error. Default: ENOLINK-like `inval` = not magic.
    virtual bool is_magic_link() const { return false; }
    virtual Result<Path> follow_magic_link();

    /// Opens for the given O_* flags (access has been checked, creation and truncation are done). `path` is what was
    /// opened. FIFOs may wait here. Default: err::nxio.
    virtual Result<Ref<File>> open(Path const& path, u32 flags);
    /// The pages behind a regular file, for mmap, exec and page-wise I/O; null if there are none.
    virtual mm::MemoryObject* memory_object() { return nullptr; }

    // Extended attributes; names with their prefix. Defaults: EOPNOTSUPP. ENODATA, EEXIST (create), ERANGE by VFS.
    virtual Result<std::string> get_xattr(std::string_view name);
    virtual Result<void> set_xattr(std::string_view name, std::string_view value, u32 flags);
    virtual Result<void> remove_xattr(std::string_view name);
    virtual Result<std::vector<std::string>> list_xattrs();

    /// False where the dentry cache must ask lookup() again each time (proc's pid directories). Default true.
    virtual bool cacheable_children() const { return true; }
    /// False where nothing can be mounted: its name lasts no longer than an open file (proc's fd/N and fdinfo/N).
    virtual bool may_be_covered() const { return true; }
    /// Grants what the mode bits do not: a file of a namespace, which that one's root may write.
    virtual bool grants(Credentials const&, u32 mask) const
    {
        (void)mask;
        return false;
    }
    /// Extra permission policy beyond mode bits; default: ok. `mask` of abi::r_ok|w_ok|x_ok.
    virtual Result<void> check_access(Credentials const&, u32 mask)
    {
        (void)mask;
        return {};
    }

    FileLocks& locks(); ///< made on first use
    bool has_locks() const { return locks_ != nullptr; }

    /// i_rwsem: a directory's is held over lookups that miss the cache and over changes of its entries; a regular
    /// file's over writes, truncation and fallocate. Taken by the VFS, never by file systems.
    Mutex mutex;
    /// Open-for-write and executing counts: ETXTBSY. Negative: mapped as a program text, positive: writers.
    i32 write_count = 0;
    i32 read_count
        = 0; ///< descriptions of a regular file that can only read: a write lease needs that there is no other
    /// Per-inode object of the pipe, socket or inotify layer (a FIFO's pipe), owned here.
    RefPtr<RefCounted> attachment;
    List<InodeWatch, TaggedNode<InodeWatch>> watches;
    ObjectMarks marks;

protected:
    /// Applies all of a change but kSize to attributes_; for set_attributes overrides.
    void apply_change(AttributeChange const& change);
    /// Updates the named times to now; for file systems' own use.
    void touch(bool access, bool modify, bool change);

    FileSystem& fs_;
    u64 number_;
    Attributes attributes_;

private:
    std::unique_ptr<FileLocks> locks_;
};

} // namespace umbra::vfs
