// SPDX-License-Identifier: GPL-2.0-or-later
// The files of the memory controller. There is no swap, and so no memory.swap.*.
#include <algorithm>

#include "core/cgroup/file-system.h"
#include "core/cgroup/memory.h"
#include "core/fs/pseudo/text.h"
#include "core/kernel.h"
#include "core/task/oom.h"
#include "core/task/task.h"
#include "core/vfs/file-system-types.h"

namespace umbra::cgroup {

namespace {

using ull = unsigned long long;

std::string format_pages(u64 pages)
{
    return pages == kNoLimit ? "max\n" : std::to_string(pages << kPageShift) + '\n';
}

/// Bytes, with k, m, g, or "max", as whole pages. EINVAL.
Result<u64> parse_pages(std::string_view text)
{
    if (text == "max") return kNoLimit;
    return TRY(vfs::parse_size(text)) >> kPageShift;
}

Result<std::string> show_current(Cgroup& group) { return format_pages(group.memory.current); }
Result<std::string> show_peak(Cgroup& group) { return format_pages(group.memory.peak); }
Result<std::string> show_max(Cgroup& group) { return format_pages(group.memory.limit); }
Result<std::string> show_high(Cgroup& group) { return format_pages(group.memory.high); }
Result<std::string> show_min(Cgroup& group) { return format_pages(group.memory.minimum); }
Result<std::string> show_low(Cgroup& group) { return format_pages(group.memory.low); }

Result<void> store_min(Cgroup& group, std::string_view text, Mover const&)
{
    group.memory.minimum = TRY(parse_pages(text));
    return {};
}

Result<void> store_low(Cgroup& group, std::string_view text, Mover const&)
{
    group.memory.low = TRY(parse_pages(text));
    return {};
}

Result<void> store_high(Cgroup& group, std::string_view text, Mover const&)
{
    MemoryState& memory = group.memory;
    memory.high = TRY(parse_pages(text));
    if (memory.current > memory.high) reclaim(group, memory.current - memory.high);
    return {};
}

/// A limit below what is used is made true: clean pages go, then processes. Ends early for a signal.
Result<void> store_max(Cgroup& group, std::string_view text, Mover const&)
{
    MemoryState& memory = group.memory;
    memory.limit = TRY(parse_pages(text));
    if (memory.current > memory.limit) reclaim(group, memory.current - memory.limit);
    while (memory.current > memory.limit && !group.dead && !current().has_pending_signal()) {
        if (reclaim_mapped(group) > 0) continue;
        note(group, MemoryEvent::oom);
        if (!relieve_group(current(), group)) break;
    }
    return {};
}

Result<std::string> show_stat(Cgroup& group)
{
    auto const bytes_of
        = [&](mm::FrameUse use) { return ull(group.memory.by_use[size_t(use)] << kPageShift); };
    ull const anonymous = bytes_of(mm::FrameUse::anonymous), file = bytes_of(mm::FrameUse::file);
    ull const shared = bytes_of(mm::FrameUse::shared_memory), kernel = bytes_of(mm::FrameUse::kernel);
    return fs::format_text(
        "anon %llu\nfile %llu\nkernel %llu\nkernel_stack 0\npagetables 0\nsock 0\nshmem %llu\n"
        "inactive_anon %llu\nactive_anon 0\ninactive_file %llu\nactive_file 0\nunevictable 0\n"
        "slab 0\n",
        anonymous, file + shared, kernel, shared, anonymous + shared, file);
}

std::string format_events(u64 const (&events)[kMemoryEvents])
{
    static constexpr char const* names[kMemoryEvents]
        = { "low", "high", "max", "oom", "oom_kill", "oom_group_kill" };
    std::string text;
    for (size_t i = 0; i < kMemoryEvents; ++i)
        fs::append_format(text, "%s %llu\n", names[i], ull(events[i]));
    return text;
}

Result<std::string> show_events(Cgroup& group) { return format_events(group.memory.events); }
Result<std::string> show_local_events(Cgroup& group) { return format_events(group.memory.local_events); }

Result<std::string> show_oom_group(Cgroup& group)
{
    return std::string(group.memory.kill_as_group ? "1\n" : "0\n");
}

Result<void> store_oom_group(Cgroup& group, std::string_view text, Mover const&)
{
    i64 const value = TRY(fs::parse_integer(text));
    if (value < 0 || value > 1) return err::inval;
    group.memory.kill_as_group = value;
    return {};
}

/// "SIZE". EAGAIN: less could be had back.
Result<void> store_reclaim(Cgroup& group, std::string_view text, Mover const&)
{
    u64 const wanted = TRY(parse_pages(text));
    u64 const pages = std::min(wanted, group.memory.current);
    u64 dropped = pages ? reclaim(group, pages) : 0;
    while (dropped < pages && !current().has_pending_signal()) {
        u64 const more = reclaim_mapped(group);
        if (!more) break;
        dropped += more;
    }
    return dropped < wanted ? Result<void>(err::again) : Result<void>();
}

constexpr auto kMemory = Controller::memory;
constexpr Row kRows[] = {
    { "memory.current", Row::not_on_root, kMemory, show_current },
    { "memory.peak", Row::not_on_root, kMemory, show_peak },
    { "memory.min", Row::not_on_root, kMemory, show_min, store_min },
    { "memory.low", Row::not_on_root, kMemory, show_low, store_low },
    { "memory.high", Row::not_on_root, kMemory, show_high, store_high },
    { "memory.max", Row::not_on_root, kMemory, show_max, store_max },
    { "memory.events", Row::not_on_root, kMemory, show_events, nullptr, Notice::memory_events },
    { "memory.events.local", Row::not_on_root, kMemory, show_local_events, nullptr,
        Notice::memory_events_local },
    { "memory.stat", 0, kMemory, show_stat },
    { "memory.oom.group", Row::not_on_root | Row::delegatable, kMemory, show_oom_group, store_oom_group },
    { "memory.reclaim", Row::delegatable, kMemory, nullptr, store_reclaim },
};

} // namespace

std::span<Row const> memory_rows() { return kRows; }

} // namespace umbra::cgroup
