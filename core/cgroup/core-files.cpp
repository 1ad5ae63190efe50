// SPDX-License-Identifier: GPL-2.0-or-later
// The files that every group has: cgroup.*.
#include <charconv>

#include "core/cgroup/cgroup.h"
#include "core/cgroup/file-system.h"
#include "core/fs/pseudo/text.h"
#include "core/kernel.h"
#include "core/task/process-table.h"

namespace umbra::cgroup {

namespace {

using ull = unsigned long long;

std::string format_controllers(ControllerSet set)
{
    std::string text;
    for (size_t i = 0; i < kControllers; ++i)
        if (set & bit(Controller(i))) text += (text.empty() ? "" : " ") + std::string(name_of(Controller(i)));
    return text.empty() ? text : text + '\n';
}

Result<std::string> show_type(Cgroup& group)
{
    if (group.threaded) return std::string("threaded\n");
    if (!group.is_valid_domain()) return std::string("domain invalid\n");
    return std::string(group.is_thread_root() ? "domain threaded\n" : "domain\n");
}

Result<void> store_type(Cgroup& group, std::string_view text, Mover const&)
{
    if (text != "threaded") return err::inval;
    return make_threaded(group);
}

/// The processes whose resources this group's are. 0 stands for one that the reader's pid namespace does not have.
Result<std::string> show_procs(Cgroup& group)
{
    if (group.threaded) return err::opnotsupp;
    std::string text;
    for (auto const& [id, process] : group.hierarchy.kernel().processes().processes())
        if (process->leader() && &process->leader()->membership.group->domain() == &group)
            fs::append_format(text, "%d\n", pid_out(current(), process->id));
    return text;
}

Result<std::string> show_threads(Cgroup& group)
{
    std::string text;
    for (auto const& [id, task] : group.hierarchy.kernel().processes().tasks())
        if (task->membership.is_live && task->membership.group.get() == &group)
            fs::append_format(text, "%d\n", pid_out(current(), task->tid()));
    return text;
}

Result<std::string> show_controllers(Cgroup& group) { return format_controllers(group.available()); }
Result<std::string> show_subtree_control(Cgroup& group) { return format_controllers(group.subtree_control); }

Result<void> store_subtree_control(Cgroup& group, std::string_view text, Mover const&)
{
    auto const& writer = current().credentials();
    return change_subtree_control(group, text, { writer.fsuid, writer.fsgid });
}

Result<std::string> show_events(Cgroup& group)
{
    return fs::format_text("populated %d\nfrozen %d\n", group.is_populated(), group.frozen);
}

/// "max" or a number that an int holds. EINVAL, ERANGE.
Result<u64> parse_count(std::string_view text)
{
    if (text == "max") return kNoLimit;
    i64 const number = TRY(fs::parse_integer(text));
    if (number < 0 || number > INT32_MAX) return err::range;
    return u64(number);
}

Result<std::string> show_max_descendants(Cgroup& group) { return format_limit(group.max_descendants); }
Result<std::string> show_max_depth(Cgroup& group) { return format_limit(group.max_depth); }
Result<void> store_max_descendants(Cgroup& group, std::string_view text, Mover const&)
{
    group.max_descendants = TRY(parse_count(text));
    return {};
}
Result<void> store_max_depth(Cgroup& group, std::string_view text, Mover const&)
{
    group.max_depth = TRY(parse_count(text));
    return {};
}

/// How many groups from here down have the controller.
u64 count_with(Cgroup& top, Controller controller)
{
    u64 count = 0;
    for_each_below(top, [&](Cgroup& group) { count += (group.available() & bit(controller)) ? 1 : 0; });
    return count;
}

Result<std::string> show_stat(Cgroup& group)
{
    std::string text = fs::format_text("nr_descendants %llu\n", ull(group.descendants));
    for (size_t i = 0; i < kControllers; ++i)
        if (group.available() & bit(Controller(i)))
            fs::append_format(
                text, "nr_subsys_%s %llu\n", name_of(Controller(i)), ull(count_with(group, Controller(i))));
    fs::append_format(text, "nr_dying_descendants %llu\n", ull(group.dying_descendants));
    return text;
}

Result<std::string> show_freeze(Cgroup& group) { return std::string(group.freeze ? "1\n" : "0\n"); }
Result<void> store_freeze(Cgroup& group, std::string_view text, Mover const&)
{
    i64 const wanted = TRY(fs::parse_integer(text));
    if (wanted < 0 || wanted > 1) return err::range;
    set_freeze(group, wanted);
    return {};
}

Result<void> store_kill(Cgroup& group, std::string_view text, Mover const&)
{
    if (TRY(fs::parse_integer(text)) != 1) return err::range;
    // A process must be killed whole, and a threaded group may have parts.
    if (group.threaded) return err::opnotsupp;
    kill_all(group);
    return {};
}

Result<void> store_procs(Cgroup& group, std::string_view text, Mover const& writer)
{
    return move(group, text, Moved::process, writer);
}

Result<void> store_threads(Cgroup& group, std::string_view text, Mover const& writer)
{
    return move(group, text, Moved::thread, writer);
}

constexpr Row kRows[] = {
    { "cgroup.type", Row::not_on_root, {}, show_type, store_type },
    { "cgroup.procs", Row::delegatable, {}, show_procs, store_procs },
    { "cgroup.threads", Row::delegatable, {}, show_threads, store_threads },
    { "cgroup.controllers", 0, {}, show_controllers },
    { "cgroup.subtree_control", Row::delegatable, {}, show_subtree_control, store_subtree_control },
    { "cgroup.events", Row::not_on_root, {}, show_events, nullptr, Notice::events },
    { "cgroup.max.descendants", 0, {}, show_max_descendants, store_max_descendants },
    { "cgroup.max.depth", 0, {}, show_max_depth, store_max_depth },
    { "cgroup.stat", 0, {}, show_stat },
    { "cgroup.freeze", Row::not_on_root, {}, show_freeze, store_freeze },
    { "cgroup.kill", Row::not_on_root, {}, nullptr, store_kill },
};

} // namespace

std::span<Row const> core_rows() { return kRows; }

Result<u64> parse_limit(std::string_view text)
{
    if (text == "max") return kNoLimit;
    i64 const number = TRY(fs::parse_integer(text));
    if (number < 0) return err::inval;
    return u64(number);
}

std::string format_limit(u64 limit) { return limit == kNoLimit ? "max\n" : std::to_string(limit) + '\n'; }

} // namespace umbra::cgroup
