// SPDX-License-Identifier: GPL-2.0-or-later
// Directories of an overlay: names of the lower tree, with additions, whiteouts and moves on top. The VFS
// holds the directory's mutex over every call that reads or changes names, so entries_ stands still across
// waits in the lower tree.
#include "core/fs/overlay/overlay-inode.h"
#include "core/vfs/operations.h"

namespace umbra::fs {

namespace {

constexpr i64 kFirstEntry = 2; ///< positions 0 and 1 are "." and ".."

class OverlayDirectoryFile final : public vfs::File {
public:
    OverlayDirectoryFile(vfs::Path const& path, u32 flags)
        : File(path, flags)
    {
    }
    bool is_seekable() const override { return true; }

    /// One listing serves a whole pass, so positions hold whatever is removed meanwhile; rewinding takes a
    /// new one.
    Result<void> read_directory(i64 from, vfs::DirectoryEmitter const& emit) override
    {
        if (!vfs::emit_dots(*this, from, emit)) return {};
        if (!is_listed_ || from == 0) {
            MutexLock lock(inode().mutex);
            listing_ = TRY(static_cast<OverlayDirectory&>(inode()).list());
            is_listed_ = true;
        }
        auto const& entries = listing_.entries;
        for (u64 i = from <= kFirstEntry ? 0 : u64(from - kFirstEntry); i < entries.size(); ++i)
            if (!emit(entries[i].name, entries[i].number, entries[i].type, i64(i) + 1 + kFirstEntry)) break;
        vfs::update_access_time(*path(), flags());
        return {};
    }

private:
    OverlayListing listing_;
    bool is_listed_ = false;
};

} // namespace

Result<Ref<vfs::File>> OverlayDirectory::open(vfs::Path const& path, u32 flags)
{
    return Ref<vfs::File>(make_ref<OverlayDirectoryFile>(path, flags));
}

Result<void> OverlayDirectory::for_each_lower(vfs::DirectoryEmitter const& visit)
{
    if (!lower_) return {};
    auto file = TRY(lower_->open(overlay().lower_path(*lower_), abi::o_rdonly | abi::o_directory));
    bool stopped = false;
    i64 position = kFirstEntry;
    auto emit = [&](std::string_view name, u64 number, u8 type, i64 next) {
        position = next;
        if (entries_.contains(name)) return true;
        return !(stopped = !visit(name, number, type, next));
    };
    // A file system may stop early without a reason of ours; it is done when it has nothing to add.
    for (i64 before = -1; before != position && !stopped;) {
        before = position;
        TRY(file->read_directory(position, emit));
    }
    return {};
}

Result<OverlayListing> OverlayDirectory::list()
{
    OverlayListing listing;
    TRY(for_each_lower([&](std::string_view name, u64 number, u8 type, i64) {
        listing.entries.push_back({ std::string(name), number, type });
        return true;
    }));
    for (auto const& [name, entry] : entries_)
        if (entry.inode)
            listing.entries.push_back(
                { name, entry.inode->number(), abi::dt_from_mode(entry.inode->mode()) });
    return listing;
}

Result<bool> OverlayDirectory::is_empty()
{
    for (auto const& [name, entry] : entries_)
        if (entry.inode) return false;
    bool empty = true;
    TRY(for_each_lower([&](std::string_view, u64, u8, i64) { return empty = false; }));
    return empty;
}

std::vector<Ref<OverlayInode>> OverlayDirectory::take_children()
{
    std::vector<Ref<OverlayInode>> children;
    for (auto& [name, entry] : entries_)
        if (entry.inode) children.push_back(Ref<OverlayInode>(entry.inode));
    entries_.clear();
    return children;
}

Result<Ref<vfs::Inode>> OverlayDirectory::lookup(std::string_view name)
{
    if (auto it = entries_.find(name); it != entries_.end()) {
        if (!it->second.inode) return err::noent;
        return Ref<Inode>(*it->second.inode);
    }
    if (!lower_) return err::noent;
    return Ref<Inode>(overlay().inode_for(TRY(lower_->lookup(name))));
}

void OverlayDirectory::entries_changed()
{
    keep();
    touch(false, true, true);
}

// A lower file system that does not count subdirectories (btrfs) shows 1: leave it so.
void OverlayDirectory::add_subdirectory()
{
    if (attributes_.nlink >= 2) ++attributes_.nlink;
}
void OverlayDirectory::drop_subdirectory()
{
    if (attributes_.nlink > 2) --attributes_.nlink;
}

void OverlayDirectory::add(std::string_view name, Ref<OverlayInode> inode)
{
    if (inode->is_directory()) add_subdirectory();
    auto it = entries_.find(name);
    if (it == entries_.end()) {
        entries_.emplace(name, Entry { inode, false });
    } else {
        UMBRA_ASSERT(!it->second.inode);
        it->second.inode = inode;
    }
    entries_changed();
}

void OverlayDirectory::remove(std::string_view name, OverlayInode& inode)
{
    if (inode.is_directory()) drop_subdirectory();
    auto it = entries_.find(name);
    if (it == entries_.end())
        entries_.emplace(name, Entry { nullptr, true });
    else if (it->second.hides_lower)
        it->second.inode = nullptr;
    else
        entries_.erase(it);
    entries_changed();
}

OverlayDirectory::Entry& OverlayDirectory::own_entry(std::string_view name, OverlayInode& inode)
{
    auto it = entries_.find(name);
    if (it == entries_.end()) it = entries_.emplace(name, Entry { RefPtr<OverlayInode>(&inode), true }).first;
    return it->second;
}

Result<Ref<vfs::Inode>> OverlayDirectory::create(std::string_view name, vfs::NewInode const& what)
{
    auto inode = TRY(overlay().make(what));
    add(name, inode);
    return Ref<Inode>(inode);
}

Result<Ref<vfs::Inode>> OverlayDirectory::symlink(
    std::string_view name, std::string_view target, vfs::NewInode const& what)
{
    auto inode = TRY(overlay().make_symlink(target, what));
    add(name, inode);
    return Ref<Inode>(inode);
}

Result<Ref<vfs::Inode>> OverlayDirectory::create_unnamed(vfs::NewInode const& what)
{
    auto inode = TRY(overlay().make(what));
    inode->drop_all_links();
    inode->linkable = what.linkable;
    return Ref<Inode>(inode);
}

Result<void> OverlayDirectory::link(std::string_view name, Inode& target)
{
    auto& inode = static_cast<OverlayInode&>(target);
    if (target.attributes().nlink == 0 && !inode.linkable) return err::noent;
    inode.linkable = false;
    inode.add_link();
    add(name, Ref<OverlayInode>(inode));
    return {};
}

Result<void> OverlayDirectory::unlink(std::string_view name, Inode& victim)
{
    Ref<OverlayInode> inode(static_cast<OverlayInode&>(victim));
    remove(name, *inode);
    inode->drop_link();
    return {};
}

Result<void> OverlayDirectory::rmdir(std::string_view name, Inode& victim)
{
    Ref<OverlayDirectory> directory(static_cast<OverlayDirectory&>(victim));
    if (!TRY(directory->is_empty())) return err::notempty;
    remove(name, *directory);
    directory->drop_all_links();
    return {};
}

void OverlayDirectory::exchange(std::string_view name, OverlayInode& mine, OverlayDirectory& other,
    std::string_view other_name, OverlayInode& theirs)
{
    // Both entries are made before either is used: making one may move nothing, a map's elements stay.
    Entry& entry = own_entry(name, mine);
    Entry& other_entry = other.own_entry(other_name, theirs);
    if (this != &other && mine.is_directory() != theirs.is_directory()) {
        OverlayDirectory& loses = mine.is_directory() ? *this : other;
        OverlayDirectory& gains = mine.is_directory() ? other : *this;
        loses.drop_subdirectory();
        gains.add_subdirectory();
    }
    std::swap(entry.inode, other_entry.inode);
    mine.changed();
    theirs.changed();
    entries_changed();
    other.entries_changed();
}

Result<void> OverlayDirectory::rename(std::string_view name, Inode& moved, Inode& new_directory,
    std::string_view new_name, Inode* victim, u32 flags)
{
    Ref<OverlayInode> inode(static_cast<OverlayInode&>(moved));
    auto& target = static_cast<OverlayDirectory&>(new_directory);
    if (flags & abi::rename_exchange) {
        exchange(name, *inode, target, new_name, static_cast<OverlayInode&>(*victim));
        return {};
    }
    RefPtr<OverlayInode> whiteout;
    if (flags & abi::rename_whiteout) {
        auto const& a = moved.attributes();
        whiteout = TRY(overlay().make({ .mode = abi::s_ifchr, .uid = a.uid, .gid = a.gid }));
    }
    if (victim && victim->is_directory())
        TRY(target.rmdir(new_name, *victim));
    else if (victim)
        TRY(target.unlink(new_name, *victim));
    remove(name, *inode);
    inode->changed();
    target.add(new_name, inode);
    if (whiteout) add(name, Ref<OverlayInode>(whiteout));
    return {};
}

} // namespace umbra::fs
