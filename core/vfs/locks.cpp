// SPDX-License-Identifier: GPL-2.0-or-later
// The locks of one inode: conflicts, splitting and merging of ranges, blocking, and the search for deadlocks.
#include "core/vfs/locks.h"

#include <algorithm>
#include <set>
#include <utility>

#include "core/vfs/fd-table.h"

namespace umbra::vfs {

namespace {

bool same_owner(FileLock const& a, FileLock const& b) { return a.kind == b.kind && a.owner == b.owner; }

bool conflicts(FileLock const& held, FileLock const& request)
{
    if (held.is_record() != request.is_record() || same_owner(held, request)) return false;
    if (held.mode == LockMode::shared && request.mode == LockMode::shared) return false;
    return held.overlaps(request);
}

/// Whether `next` starts right behind `lock` (kEnd has nothing behind it).
bool is_adjacent(FileLock const& lock, FileLock const& next)
{
    return lock.last != FileLock::kEnd && lock.last + 1 == next.first;
}

} // namespace

FileLock const* FileLocks::find_conflict(FileLock const& request) const
{
    auto found = std::ranges::find_if(locks_, [&](FileLock const& held) { return conflicts(held, request); });
    return found == locks_.end() ? nullptr : &*found;
}

/// Takes the owner's locks of a kind out of first..last; what reaches beyond stays.
void FileLocks::carve(LockKind kind, void const* owner, u64 first, u64 last)
{
    std::vector<FileLock> kept;
    kept.reserve(locks_.size() + 1);
    for (FileLock const& lock : locks_) {
        if (lock.kind != kind || lock.owner != owner || lock.last < first || lock.first > last) {
            kept.push_back(lock);
            continue;
        }
        if (lock.first < first) {
            kept.push_back(lock);
            kept.back().last = first - 1;
        }
        if (lock.last > last) {
            kept.push_back(lock);
            kept.back().first = last + 1;
        }
    }
    locks_ = std::move(kept);
}

void FileLocks::insert_merged(FileLock lock)
{
    std::erase_if(locks_, [&](FileLock const& other) {
        if (!same_owner(other, lock) || other.mode != lock.mode) return false;
        if (!is_adjacent(other, lock) && !is_adjacent(lock, other)) return false;
        lock.first = std::min(lock.first, other.first);
        lock.last = std::max(lock.last, other.last);
        return true;
    });
    auto place
        = std::ranges::find_if(locks_, [&](FileLock const& other) { return other.first > lock.first; });
    locks_.insert(place, lock);
}

Result<void> FileLocks::try_lock(FileLock const& request)
{
    if (request.kind == LockKind::flock) {
        auto held
            = std::ranges::find_if(locks_, [&](FileLock const& lock) { return same_owner(lock, request); });
        if (held != locks_.end() && held->mode == request.mode) return {};
        // flock(2): a conversion first removes the existing lock, which is lost if the new one is refused.
        unlock(request.kind, request.owner);
    }
    if (find_conflict(request)) return err::again;
    bool had_exclusive = std::ranges::any_of(locks_, [&](FileLock const& held) {
        return same_owner(held, request) && held.mode == LockMode::exclusive && held.overlaps(request);
    });
    carve(request.kind, request.owner, request.first, request.last);
    insert_merged(request);
    // An exclusive lock that became shared may let others in.
    if (had_exclusive && request.mode == LockMode::shared) waiters_.wake_all();
    return {};
}

void FileLocks::unlock(LockKind kind, void const* owner, u64 first, u64 last)
{
    auto affected = [&](FileLock const& lock) {
        return lock.kind == kind && lock.owner == owner && lock.first <= last && lock.last >= first;
    };
    if (std::ranges::none_of(locks_, affected)) return;
    carve(kind, owner, first, last);
    waiters_.wake_all();
}

/// Follows "waits for" from the owner of what blocks the request: back at the requester means that nobody
/// would ever go on. OFD locks are left out, as on Linux: their owners are no processes that wait.
bool FileLocks::would_deadlock(FileLock const& request) const
{
    std::set<void const*> seen;
    std::vector<void const*> to_visit;
    auto add_blockers = [&](FileLocks const& locks, FileLock const& blocked) {
        for (FileLock const& held : locks.locks_)
            if (held.kind == LockKind::posix && conflicts(held, blocked) && seen.insert(held.owner).second)
                to_visit.push_back(held.owner);
    };
    add_blockers(*this, request);
    while (!to_visit.empty()) {
        void const* owner = to_visit.back();
        to_visit.pop_back();
        if (owner == request.owner) return true;
        // A posix lock's owner is a descriptor table, and lives as long as it holds locks.
        for (LockWait const& wait : static_cast<FdTable const*>(owner)->lock_waits)
            add_blockers(*wait.locks, wait.request);
    }
    return false;
}

namespace {

/// Registers a blocked POSIX request with its owner for as long as it lives.
class RegisteredWait {
public:
    RegisteredWait(FileLocks& locks, FileLock const& request)
        : wait_ { {}, &locks, request }
    {
        if (request.kind != LockKind::posix) return;
        // The owner of a posix request is the waiting task's descriptor table; const only as a lock's
        // identity.
        auto* table = const_cast<FdTable*>(static_cast<FdTable const*>(request.owner));
        table->lock_waits.push_back(wait_);
    }

private:
    LockWait wait_; ///< unlinks itself
};

} // namespace

Result<void> FileLocks::lock(FileLock const& request)
{
    if (try_lock(request).ok()) return {};
    RegisteredWait registered(*this, request);
    // Whom this request waits for changes as locks come and go: the search is made again at every wake-up.
    bool deadlocked = false;
    TRY(waiters_.wait_until([&] {
        if (!find_conflict(request)) return true;
        deadlocked = request.kind == LockKind::posix && would_deadlock(request);
        return deadlocked;
    }));
    if (deadlocked) return err::deadlk;
    return try_lock(request);
}

} // namespace umbra::vfs
