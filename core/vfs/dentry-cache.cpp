// SPDX-License-Identifier: GPL-2.0-or-later
// Dentries and their cache: hashing under the parent, the list of unused ones, and their end.
#include "core/vfs/dentry-cache.h"

#include "core/kernel.h"
#include "core/vfs/notify.h"

namespace umbra::vfs {

Dentry::Dentry(RefPtr<FileSystem> fs, RefPtr<Dentry> parent, std::string name, RefPtr<Inode> inode)
    : fs_(std::move(fs))
    , parent_(std::move(parent))
    , name_(std::move(name))
    , inode_(std::move(inode))
{
}

Dentry::~Dentry()
{
    // A file ends with its last name and the last user of that name; rmdir tells of a directory's end.
    if (unlinked_ && inode_ && !inode_->is_directory() && inode_->attributes().nlink == 0)
        notify_inode(*inode_, abi::in_delete_self);
}

Ref<Dentry> Dentry::make_root(Ref<Inode> inode) { return make_anonymous(std::move(inode), {}); }

Ref<Dentry> Dentry::make_anonymous(Ref<Inode> inode, std::string name)
{
    RefPtr<FileSystem> fs(&inode->file_system());
    return Ref<Dentry>(
        *new Dentry(std::move(fs), nullptr, std::move(name), std::move(inode)), AdoptTag::adopt);
}

bool Dentry::is_ancestor_of(Dentry const& other) const
{
    for (Dentry const* d = &other; d; d = d->parent_.get()) {
        if (d == this) return true;
    }
    return false;
}

void Dentry::last_unref() { file_system().kernel().dentries().release(*this); }

DentryCache::~DentryCache()
{
    closing_ = true;
    shrink(~u64 { 0 });
}

RefPtr<Dentry> DentryCache::find(Dentry& parent, std::string_view name)
{
    auto it = parent.children_.find(name);
    if (it == parent.children_.end()) return nullptr;
    take_from_lru(*it->second);
    return it->second;
}

Ref<Dentry> DentryCache::insert(Dentry& parent, std::string_view name, RefPtr<Inode> inode)
{
    invalidate(parent, name);
    auto* dentry = new Dentry(nullptr, RefPtr<Dentry>(&parent), std::string(name), std::move(inode));
    hash(*dentry);
    return Ref<Dentry>(*dentry, AdoptTag::adopt);
}

Ref<Dentry> DentryCache::make_unlinked(Dentry& parent, std::string name, Ref<Inode> inode)
{
    auto* dentry = new Dentry(nullptr, RefPtr<Dentry>(&parent), std::move(name), std::move(inode));
    dentry->unlinked_ = true;
    return Ref<Dentry>(*dentry, AdoptTag::adopt);
}

void DentryCache::instantiate(Dentry& dentry, Ref<Inode> inode)
{
    UMBRA_ASSERT(dentry.is_negative());
    dentry.inode_ = std::move(inode);
}

void DentryCache::unlinked(Dentry& dentry)
{
    dentry.unlinked_ = true;
    unhash(dentry);
    // What is known not to be in a removed directory would keep it, and all directories above it.
    invalidate_children(dentry);
    // Other namespaces may have mounted something here: the name is gone for them too.
    MountTree::detach_all_on(dentry);
}

void DentryCache::moved(Dentry& dentry, Dentry& target)
{
    unhash(dentry);
    unhash(target);
    dentry.name_ = target.name_;
    dentry.parent_ = target.parent_;
    hash(dentry);
}

void DentryCache::exchanged(Dentry& a, Dentry& b)
{
    unhash(a);
    unhash(b);
    std::swap(a.name_, b.name_);
    std::swap(a.parent_, b.parent_);
    hash(a);
    hash(b);
}

void DentryCache::invalidate(Dentry& parent, std::string_view name)
{
    // find() gives a reference: if it is the only one, dropping it destroys the dentry, which is no longer
    // hashed.
    if (auto old = find(parent, name)) unhash(*old);
}

void DentryCache::invalidate_children(Dentry& parent)
{
    while (!parent.children_.empty())
        invalidate(parent, parent.children_.begin()->first);
}

void DentryCache::prune(FileSystem const& fs)
{
    // Destroying a child may put its parent on the list, so one round may leave something for another.
    for (bool found = true; found;) {
        found = false;
        for (Dentry& dentry : lru_) {
            if (&dentry.file_system() != &fs) continue;
            found = true;
            take_from_lru(dentry);
            destroy(dentry);
        }
    }
}

void DentryCache::shrink(u64 count)
{
    for (; count > 0 && !lru_.is_empty(); --count) {
        Dentry& oldest = *lru_.front();
        take_from_lru(oldest);
        destroy(oldest);
    }
}

void DentryCache::hash(Dentry& dentry)
{
    UMBRA_ASSERT(!dentry.hashed_);
    dentry.hashed_ = dentry.parent_->children_.try_emplace(dentry.name_, &dentry).second;
    UMBRA_ASSERT(dentry.hashed_);
}

void DentryCache::unhash(Dentry& dentry)
{
    if (!dentry.hashed_) return;
    dentry.parent_->children_.erase(dentry.name_);
    dentry.hashed_ = false;
}

void DentryCache::take_from_lru(Dentry& dentry)
{
    TaggedNode<DentryCache>& node = dentry;
    if (!node.is_linked()) return;
    node.unlink();
    --unused_;
}

void DentryCache::release(Dentry& dentry)
{
    bool keep = dentry.hashed_ && !closing_ && dentry.parent_->inode().cacheable_children();
    if (!keep) return destroy(dentry);
    lru_.push_back(dentry);
    if (++unused_ > kMaxUnused) shrink(unused_ - kMaxUnused);
}

void DentryCache::destroy(Dentry& dentry)
{
    unhash(dentry);
    if (dentry.fs_ && dentry.fs_->root_dentry_ == &dentry) dentry.fs_->root_dentry_ = nullptr;
    doomed_.push_back(&dentry);
    if (destroying_) return;
    destroying_ = true;
    while (!doomed_.empty()) {
        Dentry* next = doomed_.back();
        doomed_.pop_back();
        delete next; // drops its parent, which may come back here through release()
    }
    destroying_ = false;
}

} // namespace umbra::vfs
