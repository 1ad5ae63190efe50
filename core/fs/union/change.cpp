// SPDX-License-Identifier: GPL-2.0-or-later
// Changes of names in a union. All happen in the upper layer; a name that a lower layer has too is replaced by a whiteout
// (a character device 0:0) when it goes. The VFS holds the mutexes of the directories concerned, so that nobody sees the
// steps through the union.
#include "core/fs/union/union-inode.h"
#include "core/kernel.h"
#include "core/vfs/dentry-cache.h"

namespace umbra::fs {

namespace {
using abi::rename_exchange;
}

void UnionDirectory::changed() { copy_attributes(); }

/// MUST be there: the caller knows that the name is in the upper layer.
Result<vfs::Path> UnionDirectory::upper_child(std::string_view name)
{
    auto child = TRY(child_in(*upper_, name));
    if (!child) return err::stale;
    return *child;
}

/// Whether a lower layer has something under the name that would show without the upper layer.
Result<bool> UnionDirectory::shows_lower(std::string_view name)
{
    for (auto const& layer : lower_) {
        auto child = TRY(child_in(layer, name));
        if (child) return !overlay().is_whiteout(child->inode());
    }
    return false;
}

Result<void> UnionDirectory::make_whiteout(std::string_view name)
{
    TRY(vfs::make_node(current(), { *upper_, name }, abi::s_ifchr, 0));
    return {};
}

/// Makes a name in the upper layer, in the place of a whiteout if there is one there.
Result<void> UnionDirectory::make_in_upper(std::string_view name, Make const& make, bool is_directory)
{
    Task& task = current();
    auto const there = TRY(child_in(*upper_, name));
    if (!there) {
        TRY(make({ *upper_, name }));
        // What a lower layer may get under this name one day is none of its.
        if (is_directory && is_merged()) (void)overlay().make_opaque(TRY(upper_child(name)).inode(), err::io);
        return {};
    }
    std::string const temporary = overlay().temporary_name();
    vfs::At const made { overlay().work(), temporary };
    auto replace = [&]() -> Result<void> {
        TRY(make(made));
        if (!is_directory) return vfs::rename(task, made, { *upper_, name }, 0);
        auto directory = TRY(vfs::lookup_child(overlay().work(), temporary));
        TRY(overlay().make_opaque(directory->inode(), err::io));
        return vfs::rename(task, made, { *upper_, name }, rename_exchange);
    };
    auto const replaced = replace();
    // The whiteout, or what did not get to its place.
    overlay().discard(temporary);
    return replaced;
}

Result<Ref<UnionInode>> UnionDirectory::make(
    std::string_view name, vfs::NewInode const& what, Make const& make)
{
    TRY(copy_up());
    {
        auto const owner = overlay().as_mounter(what.uid, what.gid);
        TRY(make_in_upper(name, make, abi::is_directory(what.mode)));
    }
    auto path = TRY(upper_child(name));
    changed();
    return overlay().inode_for(path, {}, this, name);
}

Result<Ref<vfs::Inode>> UnionDirectory::create(std::string_view name, vfs::NewInode const& what)
{
    auto make_it = [&](vfs::At const& at) -> Result<void> {
        if (abi::is_directory(what.mode)) {
            TRY(vfs::mkdir(current(), at, what.mode));
        } else {
            TRY(vfs::make_node(current(), at, what.mode, what.rdev));
        }
        // The working directory has no group to pass on, and nothing but this says what the VFS decided.
        auto made = TRY(vfs::lookup_child(at.base, at.path));
        using C = vfs::AttributeChange;
        return made->inode().set_attributes(
            { .mask = C::kMode | C::kGid, .mode = what.mode & 07777, .gid = what.gid });
    };
    return Ref<Inode>(TRY(make(name, what, make_it)));
}

Result<Ref<vfs::Inode>> UnionDirectory::symlink(
    std::string_view name, std::string_view target, vfs::NewInode const& what)
{
    auto make_it = [&](vfs::At const& at) { return vfs::symlink(current(), target, at); };
    return Ref<Inode>(TRY(make(name, what, make_it)));
}

Result<Ref<vfs::Inode>> UnionDirectory::create_unnamed(vfs::NewInode const& what)
{
    TRY(copy_up());
    auto const owner = overlay().as_mounter(what.uid, what.gid);
    u32 const flags = abi::o_tmpfile | abi::o_rdwr | (what.linkable ? 0 : abi::o_excl);
    auto file = TRY(vfs::open(current(), { *upper_, "." }, { .flags = flags, .mode = what.mode & 07777 }));
    return Ref<Inode>(overlay().inode_for(*file->path(), {}, this, ""));
}

Result<void> UnionDirectory::link(std::string_view name, Inode& target)
{
    auto& node = static_cast<UnionInode&>(target);
    TRY(node.copy_up());
    TRY(copy_up());
    auto const mounter = overlay().as_mounter();
    auto link_it = [&](vfs::At const& at) -> Result<void> {
        MutexLock lock(at.base.inode().mutex);
        auto dentry = TRY(vfs::lookup_child_locked(*at.base.dentry, at.path));
        if (!dentry->is_negative()) return err::exist;
        TRY(at.base.inode().link(at.path, node.real()));
        current().kernel().dentries().instantiate(*dentry, Ref<Inode>(node.real()));
        return {};
    };
    TRY(make_in_upper(name, link_it, false));
    node.copy_attributes();
    changed();
    return {};
}

/// Takes away what the name is in the upper layer, and hides what it is below.
Result<void> UnionDirectory::remove(std::string_view name, UnionInode& victim)
{
    Task& task = current();
    TRY(copy_up());
    auto const mounter = overlay().as_mounter();
    bool const hides = TRY(shows_lower(name));
    bool const is_directory = victim.is_directory();
    if (!victim.upper()) {
        TRY(make_whiteout(name));
        victim.name_is_gone();
    } else if (!hides) {
        TRY(is_directory ? vfs::rmdir(task, { *upper_, name }) : vfs::unlink(task, { *upper_, name }));
    } else {
        std::string const temporary = overlay().temporary_name();
        vfs::At const old { overlay().work(), temporary };
        TRY(vfs::make_node(task, old, abi::s_ifchr, 0));
        auto const replaced = vfs::rename(task, old, { *upper_, name }, rename_exchange);
        overlay().discard(temporary);
        TRY(replaced);
    }
    victim.copy_attributes();
    changed();
    return {};
}

Result<void> UnionDirectory::unlink(std::string_view name, Inode& victim)
{
    Ref<UnionInode> const kept(static_cast<UnionInode&>(victim));
    return remove(name, *kept);
}

/// All that an empty directory has in the upper layer. May wait.
Result<void> UnionDirectory::remove_whiteouts()
{
    if (!upper_) return {};
    auto const mounter = overlay().as_mounter();
    std::map<std::string, Entry, std::less<>> seen;
    TRY(list_layer(*upper_, true, seen));
    // From here on what is below must not show again.
    if (is_merged()) TRY(overlay().make_opaque(upper_->inode(), err::io));
    for (auto const& [name, entry] : seen)
        TRY(vfs::unlink(current(), { *upper_, name }));
    return {};
}

Result<void> UnionDirectory::rmdir(std::string_view name, Inode& victim)
{
    Ref<UnionDirectory> const directory(static_cast<UnionDirectory&>(victim));
    if (!TRY(directory->list()).empty()) return err::notempty;
    TRY(copy_up());
    TRY(directory->remove_whiteouts());
    return remove(name, *directory);
}

/// The name goes to `to`, where `victim` or nothing is; both directories and what moves are in the upper layer.
Result<void> UnionDirectory::move(std::string_view name, UnionInode& moved, UnionDirectory& to,
    std::string_view new_name, UnionInode* victim)
{
    Task& task = current();
    auto const mounter = overlay().as_mounter();
    bool const hides = TRY(shows_lower(name));
    if (moved.is_directory() && to.is_merged()) TRY(overlay().make_opaque(moved.real(), err::xdev));
    auto const there = TRY(to.child_in(*to.upper_, new_name));
    vfs::At const from { *upper_, name }, target { *to.upper_, new_name };
    if (there && overlay().is_whiteout(there->inode())) {
        // The whiteout changes places with what moves, and is just what is wanted there, or nothing is.
        TRY(vfs::rename(task, from, target, rename_exchange));
        return hides ? Result<void>() : vfs::unlink(task, from);
    }
    TRY(vfs::rename(task, from, target, 0));
    if (victim && !victim->upper()) victim->name_is_gone();
    return hides ? make_whiteout(name) : Result<void>();
}

Result<void> UnionDirectory::rename(std::string_view name, Inode& moved_inode, Inode& new_directory,
    std::string_view new_name, Inode* victim_inode, u32 flags)
{
    if (flags & ~abi::rename_exchange) return err::inval;
    Ref<UnionInode> const moved(static_cast<UnionInode&>(moved_inode));
    auto& to = static_cast<UnionDirectory&>(new_directory);
    RefPtr<UnionInode> const victim(static_cast<UnionInode*>(victim_inode));
    // A directory with parts below would have to leave a note of where they are (redirect_dir, which is off).
    auto can_move = [](UnionInode const& node) { return !node.is_directory() || node.lower().empty(); };
    bool const exchange = flags & rename_exchange;
    if (!can_move(*moved) || (exchange && !can_move(*victim))) return err::xdev;
    if (victim && !exchange && victim->is_directory()) {
        auto& directory = static_cast<UnionDirectory&>(*victim);
        if (!TRY(directory.list()).empty()) return err::notempty;
        TRY(directory.remove_whiteouts());
    }
    TRY(moved->copy_up());
    TRY(to.copy_up());
    TRY(copy_up());
    if (exchange) {
        TRY(victim->copy_up());
        auto const mounter = overlay().as_mounter();
        if (moved->is_directory() && to.is_merged()) TRY(overlay().make_opaque(moved->real(), err::xdev));
        if (victim->is_directory() && is_merged()) TRY(overlay().make_opaque(victim->real(), err::xdev));
        TRY(vfs::rename(current(), { *upper_, name }, { *to.upper_, new_name }, rename_exchange));
    } else {
        TRY(move(name, *moved, to, new_name, victim.get()));
    }
    moved->copy_attributes();
    if (victim) victim->copy_attributes();
    changed();
    to.changed();
    return {};
}

} // namespace umbra::fs
