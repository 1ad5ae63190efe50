// SPDX-License-Identifier: GPL-2.0-or-later
// The files of the pids controller. Tasks are counted in attach.cpp.
#include "core/cgroup/file-system.h"
#include "core/fs/pseudo/text.h"
#include "core/task/process-table.h"

namespace umbra::cgroup {

namespace {

using ull = unsigned long long;

Result<std::string> show_max(Cgroup& group) { return format_limit(group.pids.limit); }
Result<std::string> show_current(Cgroup& group) { return std::to_string(group.pids.current) + '\n'; }
Result<std::string> show_peak(Cgroup& group) { return std::to_string(group.pids.peak) + '\n'; }
Result<std::string> show_events(Cgroup& group)
{
    return fs::format_text("max %llu\n", ull(group.pids.refusals));
}
Result<std::string> show_local_events(Cgroup& group)
{
    return fs::format_text("max %llu\n", ull(group.pids.local_refusals));
}

Result<void> store_max(Cgroup& group, std::string_view text, Mover const&)
{
    u64 const limit = TRY(parse_limit(text));
    if (limit != kNoLimit && limit > u64(ProcessTable::kPidMax)) return err::inval;
    group.pids.limit = limit;
    return {};
}

constexpr auto kPids = Controller::pids;
constexpr Row kRows[] = {
    { "pids.max", Row::not_on_root, kPids, show_max, store_max },
    { "pids.current", Row::not_on_root, kPids, show_current },
    { "pids.peak", Row::not_on_root, kPids, show_peak },
    { "pids.events", Row::not_on_root, kPids, show_events, nullptr, Notice::pids_events },
    { "pids.events.local", Row::not_on_root, kPids, show_local_events, nullptr, Notice::pids_events_local },
};

} // namespace

std::span<Row const> pids_rows() { return kRows; }

} // namespace umbra::cgroup
