// SPDX-License-Identifier: GPL-2.0-or-later
// Lookup in maps of ids, and their text form.
#include "core/task/id-map.h"

#include <charconv>

namespace umbra {

namespace {

/// Whether the ranges of length `count` from `a` and `b` on have an id in common.
bool overlaps(u32 a, u32 a_count, u32 b, u32 b_count)
{
    return u64 { a } < u64 { b } + b_count && u64 { b } < u64 { a } + a_count;
}

/// The next number of a line; what stands before it is white space. EINVAL.
Result<u32> take_number(std::string_view& line)
{
    size_t const start = line.find_first_not_of(" \t");
    if (start == std::string_view::npos) return err::inval;
    line.remove_prefix(start);
    u32 value = 0;
    auto [end, error] = std::from_chars(line.data(), line.data() + line.size(), value);
    if (error != std::errc()) return err::inval;
    line.remove_prefix(size_t(end - line.data()));
    if (!line.empty() && line[0] != ' ' && line[0] != '\t') return err::inval;
    return value;
}

Result<IdRange> parse_range(std::string_view line)
{
    u32 const inside = TRY(take_number(line)), outside = TRY(take_number(line)),
              count = TRY(take_number(line));
    if (line.find_first_not_of(" \t") != std::string_view::npos) return err::inval;
    // Neither may the range hold the id that stands for none.
    bool const fits = u64 { inside } + count <= kNoId && u64 { outside } + count <= kNoId;
    if (inside == kNoId || outside == kNoId || !count || !fits) return err::inval;
    return IdRange { inside, outside, count };
}

} // namespace

Result<IdMap> IdMap::parse(std::string_view text)
{
    IdMap map;
    while (!text.empty()) {
        size_t const end = text.find('\n');
        auto const range = TRY(parse_range(text.substr(0, end)));
        text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
        for (auto const& other : map.ranges_)
            if (overlaps(range.inside, range.count, other.inside, other.count)
                || overlaps(range.outside, range.count, other.outside, other.count))
                return err::inval;
        if (map.ranges_.size() == kMaxRanges) return err::inval;
        map.ranges_.push_back(range);
    }
    if (map.ranges_.empty()) return err::inval;
    return map;
}

std::optional<u32> IdMap::to_outside(u32 inside) const
{
    for (auto const& r : ranges_)
        if (inside >= r.inside && inside - r.inside < r.count) return r.outside + (inside - r.inside);
    return std::nullopt;
}

std::optional<u32> IdMap::to_inside(u32 outside) const
{
    for (auto const& r : ranges_)
        if (outside >= r.outside && outside - r.outside < r.count) return r.inside + (outside - r.outside);
    return std::nullopt;
}

Result<IdMap> IdMap::through(IdMap const& parent) const
{
    std::vector<IdRange> ranges;
    for (auto const& r : ranges_) {
        bool found = false;
        for (auto const& above : parent.ranges_) {
            bool const within = r.outside >= above.inside && r.outside - above.inside < above.count
                && above.count - (r.outside - above.inside) >= r.count;
            if (!within) continue;
            ranges.push_back({ r.inside, above.outside + (r.outside - above.inside), r.count });
            found = true;
            break;
        }
        if (!found) return err::perm;
    }
    return IdMap(std::move(ranges));
}

} // namespace umbra
