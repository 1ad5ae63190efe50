// SPDX-License-Identifier: GPL-2.0-or-later
// How a user namespace numbers users, groups or projects (user_namespaces(7), "User and group ID mappings"). The kernel
// keeps every id as the first namespace has it (Linux: kuid_t, kgid_t); these tables translate where ids come in from a
// guest and go out to one.
#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include "core/base/error.h"
#include "core/base/types.h"

namespace umbra {

constexpr u32 kNoId = ~u32 { 0 }; ///< in calls: leave unchanged; in maps: nobody
constexpr u32 kOverflowId = 65534; ///< what is shown for an id that a namespace does not know

/// `count` ids from `inside` on are those from `outside` on. In a map that is in use `outside` is an id of the kernel's;
/// in one that was just written it is an id of the parent namespace.
struct IdRange {
    u32 inside, outside, count;
};

class IdMap {
public:
    static constexpr size_t kMaxRanges = 340; ///< of one map

    IdMap() = default;
    explicit IdMap(std::vector<IdRange> ranges)
        : ranges_(std::move(ranges))
    {
    }
    /// Every id is itself: the map of the first namespace.
    static IdMap identity() { return IdMap({ { 0, 0, kNoId } }); }
    /// The text of /proc/PID/uid_map: lines of three numbers. EINVAL: malformed, empty, too many, overlapping.
    static Result<IdMap> parse(std::string_view text);

    bool is_set() const { return !ranges_.empty(); }
    std::vector<IdRange> const& ranges() const { return ranges_; }
    std::optional<u32> to_outside(u32 inside) const;
    std::optional<u32> to_inside(u32 outside) const;
    /// The same with `outside` taken through `parent` to ids of the kernel's. EPERM: a range that the parent does not have
    /// whole.
    Result<IdMap> through(IdMap const& parent) const;

private:
    std::vector<IdRange> ranges_;
};

} // namespace umbra
