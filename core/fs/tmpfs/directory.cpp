// SPDX-License-Identifier: GPL-2.0-or-later
// Directories of a tmpfs.
#include "core/fs/tmpfs/tmpfs-inode.h"
#include "core/vfs/operations.h"

namespace umbra::fs {

namespace {

constexpr u64 kEntrySize = 20; ///< what Linux's tmpfs adds to a directory's size for a name

class TmpfsDirectoryFile final : public vfs::File {
public:
    TmpfsDirectoryFile(vfs::Path const& path, u32 flags)
        : File(path, flags)
    {
    }
    bool is_seekable() const override { return true; }
    Result<void> read_directory(i64 from, vfs::DirectoryEmitter const& emit) override
    {
        if (!vfs::emit_dots(*this, from, emit)) return {};
        static_cast<TmpfsDirectory&>(inode()).list(from, emit);
        vfs::update_access_time(*path(), flags());
        return {};
    }
};

} // namespace

Result<Ref<vfs::File>> TmpfsDirectory::open(vfs::Path const& path, u32 flags)
{
    return Ref<vfs::File>(make_ref<TmpfsDirectoryFile>(path, flags));
}

void TmpfsDirectory::list(i64 position, vfs::DirectoryEmitter const& emit) const
{
    for (auto it = entries_.lower_bound(position); it != entries_.end(); ++it) {
        auto const& [name, inode] = it->second;
        if (!emit(name, inode->number(), abi::dt_from_mode(inode->mode()), it->first + 1)) return;
    }
}

std::optional<TmpfsDirectory::Child> TmpfsDirectory::child_from(i64 position) const
{
    auto it = entries_.lower_bound(position);
    if (it == entries_.end()) return std::nullopt;
    return Child { it->second.name, it->second.inode.get(), it->first + 1 };
}

std::vector<Ref<TmpfsInode>> TmpfsDirectory::take_children()
{
    std::vector<Ref<TmpfsInode>> children;
    for (auto& [position, entry] : entries_)
        children.push_back(entry.inode);
    positions_.clear();
    entries_.clear();
    return children;
}

TmpfsDirectory::Entry& TmpfsDirectory::entry(std::string_view name)
{
    auto it = positions_.find(name);
    UMBRA_ASSERT(it != positions_.end());
    return entries_.at(it->second);
}

void TmpfsDirectory::entries_changed()
{
    attributes_.size = entries_.size() * kEntrySize;
    touch(false, true, true);
}

void TmpfsDirectory::add(std::string_view name, Ref<TmpfsInode> inode)
{
    if (inode->is_directory()) add_link();
    i64 position = next_position_++;
    auto it = entries_.emplace_hint(entries_.end(), position, Entry { std::string(name), std::move(inode) });
    positions_.emplace(it->second.name, position);
    entries_changed();
}

Ref<TmpfsInode> TmpfsDirectory::remove(std::string_view name)
{
    auto it = positions_.find(name);
    UMBRA_ASSERT(it != positions_.end());
    auto entry = entries_.find(it->second);
    Ref<TmpfsInode> inode = entry->second.inode;
    if (inode->is_directory()) drop_link();
    positions_.erase(it);
    entries_.erase(entry);
    entries_changed();
    return inode;
}

Result<Ref<vfs::Inode>> TmpfsDirectory::lookup(std::string_view name)
{
    auto it = positions_.find(name);
    if (it == positions_.end()) return err::noent;
    return Ref<Inode>(Ref<TmpfsInode>(entries_.at(it->second).inode));
}

void TmpfsDirectory::inherit_flags(Inode& made) const
{
    if (u32 const flags = attributes_.flags & made.flags_kept() & (abi::fs_nodump | abi::fs_noatime))
        (void)made.set_attributes({ .mask = vfs::AttributeChange::kFlags, .flags = flags }); // never fails
}

Result<Ref<vfs::Inode>> TmpfsDirectory::create(std::string_view name, vfs::NewInode const& what)
{
    if (positions_.count(name)) return err::exist;
    auto inode = TRY(tmpfs().make(what));
    inherit_flags(*inode);
    add(name, Ref<TmpfsInode>(static_cast<TmpfsInode&>(*inode)));
    return inode;
}

Result<Ref<vfs::Inode>> TmpfsDirectory::symlink(
    std::string_view name, std::string_view target, vfs::NewInode const& what)
{
    if (positions_.count(name)) return err::exist;
    auto inode = TRY(tmpfs().make_symlink(target, what));
    add(name, Ref<TmpfsInode>(static_cast<TmpfsInode&>(*inode)));
    return inode;
}

Result<Ref<vfs::Inode>> TmpfsDirectory::create_unnamed(vfs::NewInode const& what)
{
    auto inode = TRY(tmpfs().make(what));
    inherit_flags(*inode);
    auto& unnamed = static_cast<TmpfsInode&>(*inode);
    unnamed.set_link_count(0);
    unnamed.linkable = what.linkable;
    return inode;
}

Result<void> TmpfsDirectory::link(std::string_view name, Inode& target)
{
    if (positions_.count(name)) return err::exist;
    auto& inode = static_cast<TmpfsInode&>(target);
    if (target.attributes().nlink == 0 && !inode.linkable) return err::noent;
    inode.linkable = false;
    inode.add_link();
    inode.changed();
    add(name, Ref<TmpfsInode>(inode));
    return {};
}

Result<void> TmpfsDirectory::unlink(std::string_view name, Inode&)
{
    if (!positions_.count(name)) return err::noent;
    auto inode = remove(name);
    inode->drop_link();
    inode->changed();
    return {};
}

Result<void> TmpfsDirectory::rmdir(std::string_view name, Inode& victim)
{
    if (!positions_.count(name)) return err::noent;
    if (!static_cast<TmpfsDirectory&>(victim).is_empty()) return err::notempty;
    auto inode = remove(name);
    inode->set_link_count(0);
    inode->changed();
    return {};
}

Result<void> TmpfsDirectory::exchange(
    std::string_view name, TmpfsDirectory& other, std::string_view other_name)
{
    Ref<TmpfsInode>& mine = entry(name).inode;
    Ref<TmpfsInode>& theirs = other.entry(other_name).inode;
    if (this != &other && mine->is_directory() != theirs->is_directory()) {
        TmpfsDirectory& loses = mine->is_directory() ? *this : other;
        TmpfsDirectory& gains = mine->is_directory() ? other : *this;
        loses.drop_link();
        gains.add_link();
    }
    std::swap(mine, theirs);
    mine->changed();
    theirs->changed();
    entries_changed();
    other.entries_changed();
    return {};
}

Result<void> TmpfsDirectory::rename(std::string_view name, Inode& moved, Inode& new_directory,
    std::string_view new_name, Inode* victim, u32 flags)
{
    auto& target_directory = static_cast<TmpfsDirectory&>(new_directory);
    if (flags & abi::rename_exchange) return exchange(name, target_directory, new_name);
    RefPtr<Inode> whiteout;
    if (flags & abi::rename_whiteout) {
        auto const& a = moved.attributes();
        whiteout = TRY(tmpfs().make({ .mode = abi::s_ifchr, .uid = a.uid, .gid = a.gid }));
    }
    if (victim && victim->is_directory())
        TRY(target_directory.rmdir(new_name, *victim));
    else if (victim)
        TRY(target_directory.unlink(new_name, *victim));
    auto inode = remove(name);
    inode->changed();
    target_directory.add(new_name, inode);
    if (whiteout) add(name, Ref<TmpfsInode>(static_cast<TmpfsInode&>(*whiteout)));
    return {};
}

} // namespace umbra::fs
