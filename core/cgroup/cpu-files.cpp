// SPDX-License-Identifier: GPL-2.0-or-later
// The files of the cpu controller; cpu.stat is in every group.
#include <algorithm>
#include <array>
#include <cstdlib>

#include "core/cgroup/cpu.h"
#include "core/cgroup/file-system.h"
#include "core/fs/pseudo/text.h"
#include "core/kernel.h"
#include "core/task/scheduler.h"

namespace umbra::cgroup {

namespace {

using ull = unsigned long long;
constexpr Nanoseconds kMicrosecond = 1000;

Result<std::string> show_stat(Cgroup& group)
{
    count_times(group);
    auto const& time = group.hierarchy.kernel().time();
    CpuState const& cpu = group.cpu;
    auto const user = ull(time.cycles_to_ns(cpu.user_cycles) / kMicrosecond);
    auto const system = ull(time.cycles_to_ns(cpu.system_cycles) / kMicrosecond);
    std::string text
        = fs::format_text("usage_usec %llu\nuser_usec %llu\nsystem_usec %llu\n", user + system, user, system);
    if (group.has(Controller::cpu))
        fs::append_format(text, "nr_periods %llu\nnr_throttled %llu\nthrottled_usec %llu\n", ull(cpu.periods),
            ull(cpu.throttled_periods), ull(cpu.throttled / kMicrosecond));
    return text;
}

Result<std::string> show_max(Cgroup& group)
{
    auto const& bandwidth = group.cpu.bandwidth;
    Nanoseconds const period = bandwidth ? bandwidth->period() : Bandwidth::kDefaultPeriod;
    std::string const quota = bandwidth && bandwidth->is_limit()
        ? std::to_string(bandwidth->quota() / kMicrosecond)
        : std::string("max");
    return quota + " " + std::to_string(period / kMicrosecond) + "\n";
}

Bandwidth& bandwidth_of(Cgroup& group)
{
    if (!group.cpu.bandwidth) group.cpu.bandwidth = make_ref<Bandwidth>(group);
    return *group.cpu.bandwidth;
}

void set_bandwidth(Cgroup& group, Nanoseconds quota, Nanoseconds period, Nanoseconds burst)
{
    bandwidth_of(group).set(quota, period, burst);
    suspend_shares(group);
    resume_shares(group);
}

/// Microseconds to nanoseconds. EINVAL.
Result<Nanoseconds> parse_time(std::string_view text)
{
    i64 const value = TRY(fs::parse_integer(text));
    if (value < 0 || value > kNever / kMicrosecond / 2) return err::inval;
    return value * kMicrosecond;
}

/// "QUOTA", or "QUOTA PERIOD"; a quota of "max" is none.
Result<void> store_max(Cgroup& group, std::string_view text, Mover const&)
{
    auto const quota_text = fs::take_word(text), period_text = fs::take_word(text);
    if (quota_text.empty()) return err::inval;
    Nanoseconds const quota = quota_text == "max" ? kNever : TRY(parse_time(quota_text));
    auto const* old = group.cpu.bandwidth.get();
    Nanoseconds period = old ? old->period() : Bandwidth::kDefaultPeriod;
    if (!period_text.empty()) period = TRY(parse_time(period_text));
    if (quota < Bandwidth::kLeast || period < Bandwidth::kLeast || period > Bandwidth::kMostPeriod)
        return err::inval;
    Nanoseconds const burst = old ? old->burst() : 0;
    if (quota != kNever && burst > quota) return err::inval;
    set_bandwidth(group, quota, period, burst);
    return {};
}

Result<std::string> show_burst(Cgroup& group)
{
    auto const* bandwidth = group.cpu.bandwidth.get();
    return std::to_string(bandwidth ? bandwidth->burst() / kMicrosecond : 0) + '\n';
}

Result<void> store_burst(Cgroup& group, std::string_view text, Mover const&)
{
    Nanoseconds const burst = TRY(parse_time(text));
    Bandwidth& bandwidth = bandwidth_of(group);
    if (bandwidth.is_limit() && burst > bandwidth.quota()) return err::inval;
    set_bandwidth(group, bandwidth.quota(), bandwidth.period(), burst);
    return {};
}

Result<std::string> show_weight(Cgroup& group)
{
    return std::to_string(group.cpu.idle ? 0 : group.cpu.weight) + '\n';
}

Result<void> set_weight(Cgroup& group, i64 weight)
{
    if (group.cpu.idle) return err::inval;
    suspend_shares(group);
    group.cpu.weight = u32(weight);
    resume_shares(group);
    return {};
}

Result<void> store_weight(Cgroup& group, std::string_view text, Mover const&)
{
    i64 const weight = TRY(fs::parse_integer(text));
    if (weight < 1 || weight > 10000) return err::range;
    return set_weight(group, weight);
}

/// The cpu.weight that stands for a nice value.
i64 weight_of_nice(i64 nice) { return (i64(Scheduler::weight_of_nice(i32(nice))) * 100 + 512) / 1024; }

Result<std::string> show_weight_nice(Cgroup& group)
{
    i64 best = -20;
    for (i64 nice = -20; nice < 20; ++nice)
        if (std::abs(weight_of_nice(nice) - i64(group.cpu.weight))
            < std::abs(weight_of_nice(best) - i64(group.cpu.weight)))
            best = nice;
    return std::to_string(best) + '\n';
}

Result<void> store_weight_nice(Cgroup& group, std::string_view text, Mover const&)
{
    i64 const nice = TRY(fs::parse_integer(text));
    if (nice < -20 || nice > 19) return err::range;
    return set_weight(group, weight_of_nice(nice));
}

Result<std::string> show_idle(Cgroup& group) { return std::string(group.cpu.idle ? "1\n" : "0\n"); }
Result<void> store_idle(Cgroup& group, std::string_view text, Mover const&)
{
    i64 const idle = TRY(fs::parse_integer(text));
    if (idle < 0 || idle > 1) return err::inval;
    if (bool(idle) == group.cpu.idle) return {};
    suspend_shares(group);
    group.cpu.idle = idle;
    group.cpu.weight = 100;
    resume_shares(group);
    return {};
}

constexpr auto kCpu = Controller::cpu;
constexpr Row kRows[] = {
    { "cpu.stat", 0, {}, show_stat },
    { "cpu.max", Row::not_on_root, kCpu, show_max, store_max },
    { "cpu.max.burst", Row::not_on_root, kCpu, show_burst, store_burst },
    { "cpu.weight", Row::not_on_root, kCpu, show_weight, store_weight },
    { "cpu.weight.nice", Row::not_on_root, kCpu, show_weight_nice, store_weight_nice },
    { "cpu.idle", Row::not_on_root, kCpu, show_idle, store_idle },
};

} // namespace

std::span<Row const> cpu_rows() { return kRows; }

} // namespace umbra::cgroup
