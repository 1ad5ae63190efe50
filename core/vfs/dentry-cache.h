// SPDX-License-Identifier: GPL-2.0-or-later
// The dentry cache: which name in which directory is which inode, or is known to be nothing (a negative
// dentry). A dentry that nobody references stays on a least-recently-used list, up to a bound, so that the
// next walk finds it. Every dentry in use or on the list is among its parent's children; the list holds no
// references: a dentry on it has a count of zero and comes back to one when a walk finds it.
#pragma once

#include "core/base/list.h"
#include "core/vfs/path.h"

namespace umbra::vfs {

class DentryCache {
public:
    static constexpr u64 kMaxUnused = 8192;

    DentryCache() = default;
    ~DentryCache();
    DentryCache(DentryCache const&) = delete;

    /// What the cache knows of a name; null if nothing.
    RefPtr<Dentry> find(Dentry& parent, std::string_view name);
    /// Adds what a file system answered for a name that find() does not know; a null inode makes it negative.
    Ref<Dentry> insert(Dentry& parent, std::string_view name, RefPtr<Inode> inode);
    /// An object that never had a name (O_TMPFILE), shown as a deleted one of the directory.
    Ref<Dentry> make_unlinked(Dentry& parent, std::string name, Ref<Inode> inode);
    /// A negative dentry became something: create, link.
    void instantiate(Dentry& dentry, Ref<Inode> inode);
    /// The name is gone: unlink, rmdir, replaced by a rename. Those who have it open keep it as "(deleted)".
    void unlinked(Dentry& dentry);
    /// rename: `dentry` takes the place of `target` (negative or already unlinked()).
    void moved(Dentry& dentry, Dentry& target);
    /// rename with RENAME_EXCHANGE.
    void exchanged(Dentry& a, Dentry& b);
    /// The file system says that what is cached of this name may be wrong: the next walk asks again.
    void invalidate(Dentry& parent, std::string_view name);
    void invalidate_children(Dentry& parent);
    /// Drops the unused dentries of a file system that is being unmounted.
    void prune(FileSystem const& fs);
    /// Drops up to `count` unused dentries, oldest first (memory pressure, /proc/sys/vm/drop_caches).
    void shrink(u64 count);

    u64 unused() const { return unused_; }

private:
    friend class Dentry;
    void hash(Dentry& dentry);
    void unhash(Dentry& dentry);
    void release(Dentry& dentry);
    void destroy(Dentry& dentry);
    void take_from_lru(Dentry& dentry);

    List<Dentry, TaggedNode<DentryCache>> lru_; ///< oldest first
    u64 unused_ = 0;
    std::vector<Dentry*> doomed_; ///< to be deleted by the loop in destroy(): a deep chain must not recurse
    bool destroying_ = false;
    bool closing_ = false;
};

} // namespace umbra::vfs
