// SPDX-License-Identifier: GPL-2.0-or-later
// What all mounts of a kernel share: which mount is on which place, their numbers, and how many there may be.
#pragma once

#include <set>
#include <unordered_map>

#include "core/base/error.h"
#include "core/base/types.h"

namespace umbra::vfs {

class Dentry;
class Mount;

/// Small numbers from 1 on; one that was given back is given again.
class NumberPool {
public:
    u32 take();
    void give_back(u32 number) { free_.insert(number); }

private:
    std::set<u32> free_;
    u32 last_ = 0;
};

class MountTable {
public:
    /// `memory`: the instance's limit in bytes. Mounts cost memory of the host's: beyond one for each 16 KiB of it (and
    /// 16,384) there are none, however many namespaces share them.
    explicit MountTable(u64 memory);

    Mount* find(Mount const& parent, Dentry const& place) const;
    void insert(Mount const& parent, Dentry const& place, Mount& mount);
    void erase(Mount const& parent, Dentry const& place);

    /// ENOSPC if the kernel has as many mounts as it may.
    Result<void> check_room(u64 count) const
    {
        return count_ + count > most_ ? Result<void>(err::nospc) : Result<void>();
    }
    /// Unique numbers are above it, so that nobody takes one of /proc/PID/mountinfo for one.
    static constexpr u64 kUniqueIdOffset = u64 { 1 } << 31;
    u64 next_unique_id() { return ++last_unique_; }

    u64 namespace_limit = 100'000; ///< fs.mount-max: mounts of one namespace
    NumberPool mount_ids, group_ids;

private:
    friend class Mount;
    struct Place {
        Mount const* parent;
        Dentry const* dentry;
        bool operator==(Place const&) const = default;
    };
    struct Hash {
        size_t operator()(Place const& p) const
        {
            // Objects are at least 16 bytes apart: the low bits say nothing.
            return (reinterpret_cast<u64>(p.parent) >> 4) * 0x9e3779b97f4a7c15
                ^ (reinterpret_cast<u64>(p.dentry) >> 4);
        }
    };
    std::unordered_map<Place, Mount*, Hash> mounted_;
    u64 count_ = 0, most_;
    /// Far from the small numbers, so that nobody takes one for the other.
    u64 last_unique_ = kUniqueIdOffset;
};

} // namespace umbra::vfs
