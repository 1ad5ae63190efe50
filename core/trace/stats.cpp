// SPDX-License-Identifier: GPL-2.0-or-later
// Counting and printing.
#include "core/trace/stats.h"

#include <algorithm>
#include <cinttypes>
#include <cstdarg>
#include <cstdio>
#include <vector>

#include "core/kernel.h"
#include "core/platform/host-counters.h"
#include "core/syscall/names.h"
#include "core/task/task.h"

namespace umbra::trace {

namespace {
constexpr Nanoseconds kFirstBound = 1'000;

/// As printf(3), appended.
[[gnu::format(printf, 2, 3)]] void print(std::string& out, char const* format, ...)
{
    char text[256];
    va_list arguments;
    va_start(arguments, format);
    std::vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    out += text;
}

/// "980ns", "12us", "3.4ms", "1.2s": three digits or less.
std::string short_time(Nanoseconds ns)
{
    static constexpr struct {
        double unit;
        char const* name;
    } kUnits[] = { { 1e9, "s" }, { 1e6, "ms" }, { 1e3, "us" } };
    char text[32];
    for (auto const& [unit, name] : kUnits) {
        if (double(ns) < unit) continue;
        double const value = double(ns) / unit;
        std::snprintf(text, sizeof text, value < 10 ? "%.1f%s" : "%.0f%s", value, name);
        return text;
    }
    std::snprintf(text, sizeof text, "%" PRIu64 "ns", u64(ns));
    return text;
}
} // namespace

Nanoseconds LatencyHistogram::bound(size_t bucket)
{
    return bucket + 1 < kBuckets ? kFirstBound << (2 * bucket) : 0;
}

void LatencyHistogram::add(Nanoseconds time)
{
    size_t bucket = 0;
    while (bucket + 1 < kBuckets && time >= bound(bucket))
        ++bucket;
    ++buckets_[bucket];
    ++count_;
    total_ += time;
    longest_ = std::max(longest_, time);
}

Nanoseconds LatencyHistogram::bound_of(double share) const
{
    u64 const wanted = std::max<u64>(1, u64(share * double(count_) + 0.5));
    u64 seen = 0;
    for (size_t i = 0; i + 1 < kBuckets; ++i)
        if ((seen += buckets_[i]) >= wanted) return std::min(bound(i), longest_);
    return longest_;
}

Stats::Stats(Kernel& kernel)
    : kernel_(kernel)
{
    kernel_.trace().attach(*this);
}

Stats::~Stats() { kernel_.trace().detach(*this); }

void Stats::syscall_enter(Task& task, i64 number, u64 const[6])
{
    open_[&task] = { number, kernel_.platform().now(platform::HostClock::monotonic) };
}

void Stats::syscall_exit(Task& task, i64 number, u64 const[6], SyscallResult const& result)
{
    auto const at = open_.find(&task);
    if (at == open_.end() || at->second.number != number) return; // begun before there was somebody to count
    Row& row = rows_[number];
    row.times.add(kernel_.platform().now(platform::HostClock::monotonic) - at->second.since);
    row.errors += result.is_error();
    open_.erase(at);
}

void Stats::fault(Task&, GuestAddr, platform::Protection) { ++faults_; }

void Stats::context_switch(Task*, Task* to) { ++(to ? switches_ : idle_); }

void Stats::signal(Task&, abi::SigInfo const&) { ++signals_; }

void Stats::wake(Task&) { ++wakes_; }

void Stats::io(Task&, IoEvent const& event) { requests_ += !event.done; }

void Stats::task_new(Task&, Task&) { ++tasks_; }

void Stats::task_exec(Task&) { ++execs_; }

/// exit does not return, nor does a call in which its task was killed.
void Stats::task_exit(Task& task, u32)
{
    auto const at = open_.find(&task);
    if (at == open_.end()) return;
    ++rows_[at->second.number].unfinished;
    open_.erase(at);
}

void Stats::append_calls(std::string& out) const
{
    std::vector<std::pair<i64, Row const*>> sorted;
    u64 calls = 0;
    for (auto const& [number, row] : rows_) {
        sorted.push_back({ number, &row });
        calls += row.times.count() + row.unfinished;
    }
    std::sort(sorted.begin(), sorted.end(), [](auto const& a, auto const& b) {
        auto const time = [](auto const& entry) { return entry.second->times.total(); };
        return time(a) != time(b) ? time(a) > time(b) : a.first < b.first;
    });
    print(out, "%-18s %9s %8s %8s %8s %8s %8s  %s\n", "system call", "count", "errors", "total", "median",
        "99%", "longest", "how many took up to");
    for (auto const& [number, row] : sorted) {
        SyscallText const* text = syscall_text(number);
        auto const& times = row->times;
        std::string const name = text ? std::string(text->name) : "call " + std::to_string(number);
        print(out, "%-18s %9" PRIu64 " %8" PRIu64 " %8s %8s %8s %8s ", name.c_str(),
            times.count() + row->unfinished, row->errors, short_time(times.total()).c_str(),
            short_time(times.bound_of(0.5)).c_str(), short_time(times.bound_of(0.99)).c_str(),
            short_time(times.longest()).c_str());
        for (size_t i = 0; i < LatencyHistogram::kBuckets; ++i)
            if (u64 const n = times.buckets()[i])
                print(out, " %s:%" PRIu64,
                    LatencyHistogram::bound(i) ? short_time(LatencyHistogram::bound(i)).c_str() : "more", n);
        if (row->unfinished) print(out, " never returned:%" PRIu64, row->unfinished);
        out += '\n';
    }
    print(out, "%-18s %9" PRIu64 "\n", "all", calls);
}

void Stats::append_memory(std::string& out) const
{
    Counters const& c = kernel_.trace().counters;
    FaultCounters const& f = c.faults;
    print(out, "page faults of guests %" PRIu64 "\n", faults_);
    print(out,
        "pages made present, by cause: anonymous %" PRIu64 ", file %" PRIu64 ", image %" PRIu64
        ", host file %" PRIu64 ", copied for a write %" PRIu64 ", regained %" PRIu64 ", shown again %" PRIu64
        ", refused %" PRIu64 "\n",
        f.anonymous, f.file, f.image, f.host_file, f.copied, f.regained, f.shown, f.refused);
    print(out, "pages filled %" PRIu64 ", copied %" PRIu64 "\n", c.pages_filled, c.pages_copied);
    print(out, "bytes copied from guests %" PRIu64 ", to guests %" PRIu64 "\n", c.bytes_from_guest,
        c.bytes_to_guest);
    print(out,
        "stub mappings made %" PRIu64 ", removed %" PRIu64 ", protected %" PRIu64
        "; ranges changed in place %" PRIu64 "\n",
        c.stub_maps, c.stub_unmaps, c.stub_protects, c.in_place);
    print(out, "syscall instructions patched %" PRIu64 "\n", c.calls_patched);
}

std::string Stats::report() const
{
    std::string out;
    append_calls(out);
    append_memory(out);
    print(out,
        "switches to tasks %" PRIu64 ", to the idle loop %" PRIu64 "; wake-ups of tasks %" PRIu64
        "; signals %" PRIu64 "\n",
        switches_, idle_, wakes_, signals_);
    print(out, "tasks made %" PRIu64 ", programs started %" PRIu64 "; requests of file I/O %" PRIu64 "\n",
        tasks_, execs_, requests_);
    if (auto const* host = dynamic_cast<platform::HostCounters const*>(&kernel_.platform())) {
        out += "the host:";
        char const* separator = " ";
        for (auto const& [name, value] : host->host_counters()) {
            print(out, "%s%s %" PRIu64, separator, name, value);
            separator = ", ";
        }
        out += '\n';
    }
    return out;
}

} // namespace umbra::trace
