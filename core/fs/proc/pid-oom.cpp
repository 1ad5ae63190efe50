// SPDX-License-Identifier: GPL-2.0-or-later
// How likely a process is to be killed for want of memory: oom_score, oom_score_adj, and oom_adj of old.
#include <algorithm>

#include "core/fs/proc/pid-directory.h"
#include "core/fs/pseudo/text.h"
#include "core/kernel.h"
#include "core/mm/frame.h"

namespace umbra::fs {

namespace {
constexpr i32 kScoreMin = -1000, kScoreMax = 1000;
constexpr i32 kOldMin = -17, kOldMax = 15; ///< -17: never

i32 scale_from_old(i64 value) { return value == kOldMax ? kScoreMax : i32(value * kScoreMax / -kOldMin); }

Result<void> set_adjustment(Subject const& subject, i64 value)
{
    // Only the privileged may make themselves safer than they are.
    if (value < subject.process->oom_score_adj && !current().credentials().has(Capability::sys_resource))
        return err::acces;
    subject.process->oom_score_adj = i32(value);
    return {};
}
} // namespace

Result<std::string> pid_oom_score(Subject const& subject)
{
    RefPtr<mm::AddressSpace> memory = subject.memory();
    u64 limit = std::max<u64>(subject.kernel().memory().limit(), 1);
    i64 share = memory ? i64(memory->resident_pages() * 1000 / limit) : 0;
    // Linux 5.9 on: two thirds of (share + 1000 + adjustment), 0 to 2000.
    i64 score = subject.process->oom_score_adj == kScoreMin
        ? 0
        : (share + kScoreMax + subject.process->oom_score_adj) * 2 / 3;
    return std::to_string(std::max<i64>(score, 0)) + "\n";
}

Result<std::string> pid_oom_score_adj(Subject const& subject)
{
    return std::to_string(subject.process->oom_score_adj) + "\n";
}

Result<void> set_pid_oom_score_adj(Subject const& subject, std::string_view text)
{
    i64 value = TRY(parse_integer(text));
    if (value < kScoreMin || value > kScoreMax) return err::inval;
    return set_adjustment(subject, value);
}

Result<std::string> pid_oom_adj(Subject const& subject)
{
    i32 score = subject.process->oom_score_adj;
    return std::to_string(score == kScoreMax ? kOldMax : score * -kOldMin / kScoreMax) + "\n";
}

Result<void> set_pid_oom_adj(Subject const& subject, std::string_view text)
{
    i64 value = TRY(parse_integer(text));
    if (value < kOldMin || value > kOldMax) return err::inval;
    return set_adjustment(subject, scale_from_old(value));
}

} // namespace umbra::fs
