// SPDX-License-Identifier: GPL-2.0-or-later
// Marks (Linux: fsnotify marks): what a group of fanotify(7) wants to know of an inode, a mount or a file system, and
// what it wants not to know. core/vfs/notify.h calls report() where the file system has any mark; one event reaches a group
// once, whichever of its marks asked for it.
// References: a group owns its marks. A mark holds its inode, unless it is evictable, and neither mount nor file system:
// those drop their marks when they go, and the last mount of a file system drops the marks of all its inodes.
#pragma once

#include <string_view>
#include <vector>

#include "core/abi/fanotify.h"
#include "core/vfs/path.h"

namespace umbra::vfs {

class MarkGroup;

/// Which object of an event a mark is on.
enum MarkedAs : u32 {
    kMarkedFileSystem = 1,
    kMarkedMount = 2,
    kMarkedInode = 4, ///< what it happened to, or the directory of an entry
    kMarkedParent = 8,
    kMarkedNewDirectory = 16, ///< of FAN_RENAME
};

/// What happened. Names and pointers are the caller's: good for as long as report() has not waited.
struct Happening {
    u32 mask; ///< FAN_*, with FAN_ONDIR where it happened to a directory
    Path const* path = nullptr; ///< of an open file; null for what reaches no mount and gives no descriptor
    Inode* inode = nullptr; ///< what it happened to
    Inode* directory = nullptr; ///< whose entry that is
    std::string_view name = {}; ///< of the entry
    Inode* new_directory = nullptr; ///< FAN_RENAME: where it went
    std::string_view new_name = {};

    bool is_of_entry() const { return mask & abi::fan_entry_events; }
};

/// What the marks of one group say to an event.
struct MarkInterest {
    Ref<MarkGroup> group;
    u32 mask = 0, ignored = 0;
    u32 matched = 0; ///< MarkedAs of the marks behind `mask`
};

enum class MarkKind : u8 { inode, mount, file_system };

struct MarkOfGroup;

class Mark final : public TaggedNode<MarkOnObject>,
                   public TaggedNode<MarkOfFileSystem>,
                   public TaggedNode<MarkOfGroup> {
public:
    Mark(MarkGroup& group, Path const& place, MarkKind kind, bool evictable);
    ~Mark();

    MarkGroup& group() const { return group_; }
    MarkKind kind() const { return kind_; }
    Inode* inode() const { return inode_; } ///< of kind inode
    Mount* mount() const { return mount_; } ///< of kind mount
    FileSystem& file_system() const { return file_system_; }
    bool is_evictable() const { return kind_ == MarkKind::inode && !held_; }
    void hold() { held_ = inode_; }
    bool is_on(Path const& place) const;
    /// What is ignored of an event that reaches the mark in this way.
    u32 ignored_of(bool of_directory, MarkedAs as) const;

    u32 mask = 0, ignored = 0; ///< FAN_* with FAN_EVENT_ON_CHILD and FAN_ONDIR
    bool ignored_survives_modify = false;
    bool has_ignore_flags = false; ///< the flags in `ignored` count (FAN_MARK_IGNORE), not those in `mask`

private:
    MarkGroup& group_;
    MarkKind kind_;
    FileSystem& file_system_;
    Mount* mount_ = nullptr;
    Inode* inode_ = nullptr;
    RefPtr<Inode> held_;
};

/// Whoever listens.
class MarkGroup : public RefCounted {
public:
    /// `priority`: greater ones hear of an event first.
    explicit MarkGroup(u32 priority)
        : priority_(priority)
    {
    }
    ~MarkGroup() override;

    u32 priority() const { return priority_; }
    /// An event that `interest` does not rule out. Waits for an answer to permission events only, whose error it is.
    virtual Result<void> happened(Happening const& what, MarkInterest const& interest) = 0;

    /// The mark on that object of `place`, or null.
    Mark* find(Path const& place, MarkKind kind) const;
    /// Adds a mark without any mask.
    Mark& add(Path const& place, MarkKind kind, bool evictable);
    virtual void remove(Mark& mark);
    void remove_all(MarkKind kind);
    List<Mark, TaggedNode<MarkOfGroup>> const& marks() const { return marks_; }

private:
    List<Mark, TaggedNode<MarkOfGroup>> marks_;
    u32 priority_;
};

/// Tells all groups with an interest. The first error of a permission event ends it; other events give none.
Result<void> report(Happening const& what);
/// Something happened to an inode that has no place.
void report_inode(Inode& inode, u32 mask);
/// An entry of a directory came, went or moved; what is none of abi::fan_entry_events is not for marks.
void report_entry(Inode& directory, std::string_view name, Inode& entry, u32 mask);
/// Something happened at a dentry; `path` as in Happening.
Result<void> report_dentry(Dentry const& dentry, Path const* path, u32 mask);
/// `moved` has its new name already; the directory and the name are the former ones.
void report_rename(Inode& directory, std::string_view name, Dentry const& moved);
/// The object ends.
void drop_marks(ObjectMarks& marks);
/// The file system is mounted nowhere any more.
void drop_all_marks(FileSystem& file_system);

} // namespace umbra::vfs
