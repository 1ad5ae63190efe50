// SPDX-License-Identifier: GPL-2.0-or-later
// The small text files of a process: names, limits, counters, what it waits for.
#include "core/cgroup/namespace.h"
#include "core/fs/proc/pid-directory.h"
#include "core/fs/pseudo/text.h"
#include "core/kernel.h"
#include "core/syscall/names.h"
#include "core/task/lifecycle.h"
#include "core/task/posix-timers.h"
#include "core/task/process-table.h"
#include "core/task/scheduler.h"

namespace umbra::fs {

namespace {
using ull = unsigned long long;
}

Result<std::string> pid_statm(Subject const& subject)
{
    RefPtr<mm::AddressSpace> memory = subject.memory();
    if (!memory) return std::string("0 0 0 0 0 0 0\n");
    mm::MemoryUsage usage = memory->usage();
    u64 text = (page_up(memory->code_end.value) - page_down(memory->code_start.value)) >> kPageShift;
    return format_text("%llu %llu %llu %llu 0 %llu 0\n", ull(memory->total_pages()),
        ull(usage.resident_anonymous + usage.resident_file), ull(usage.resident_file), ull(text),
        ull(usage.data + usage.stack));
}

Result<std::string> pid_comm(Subject const& subject)
{
    std::string out;
    append_escaped(out, subject_name(subject), "\n");
    return out + '\n';
}

Result<void> set_pid_comm(Subject const& subject, std::string_view text)
{
    // Only threads of the process itself may, see proc_pid_comm(5); others get EINVAL.
    if (!subject.task || &subject.task->process() != &current().process()) return err::inval;
    text = text.substr(0, text.find('\n'));
    subject.task->set_name(text.substr(0, text.find('\0')));
    return {};
}

Result<std::string> pid_limits(Subject const& subject)
{
    struct Row {
        char const *name, *unit;
        Resource resource;
    };
    static constexpr Row rows[] = { { "Max cpu time", "seconds", Resource::cpu },
        { "Max file size", "bytes", Resource::fsize }, { "Max data size", "bytes", Resource::data },
        { "Max stack size", "bytes", Resource::stack }, { "Max core file size", "bytes", Resource::core },
        { "Max resident set", "bytes", Resource::rss }, { "Max processes", "processes", Resource::nproc },
        { "Max open files", "files", Resource::nofile }, { "Max locked memory", "bytes", Resource::memlock },
        { "Max address space", "bytes", Resource::as }, { "Max file locks", "locks", Resource::locks },
        { "Max pending signals", "signals", Resource::sigpending },
        { "Max msgqueue size", "bytes", Resource::msgqueue }, { "Max nice priority", "", Resource::nice },
        { "Max realtime priority", "", Resource::rtprio },
        { "Max realtime timeout", "us", Resource::rttime } };
    auto value
        = [](u64 limit) { return limit == kRlimInfinity ? std::string("unlimited") : std::to_string(limit); };
    std::string out = format_text("%-25s %-20s %-20s %-10s\n", "Limit", "Soft Limit", "Hard Limit", "Units");
    for (Row const& row : rows) {
        Rlimit const& limit = subject.process->limits[size_t(row.resource)];
        append_format(out, "%-25s %-20s %-20s %-10s\n", row.name, value(limit.current).c_str(),
            value(limit.maximum).c_str(), row.unit);
    }
    return out;
}

Result<std::string> pid_io(Subject const& subject)
{
    ResourceUsage usage = subject.is_thread ? task_usage(*subject.task) : process_usage(*subject.process);
    // Bytes of single calls are not counted; what went to storage is, in blocks of 512.
    return format_text("rchar: 0\nwchar: 0\nsyscr: 0\nsyscw: 0\nread_bytes: %llu\nwrite_bytes: %llu\n"
                       "cancelled_write_bytes: 0\n",
        ull(usage.blocks_in * 512), ull(usage.blocks_out * 512));
}

Result<std::string> pid_sched(Subject const& subject)
{
    Ref<Task> task = TRY(live_task(subject));
    ResourceUsage usage = task_usage(*task);
    std::string out = format_text("%s (%d, #threads: %zu)\n", task->name().c_str(),
        subject.shown(subject.id()), subject.process->threads.size());
    out += std::string(67, '-') + '\n';
    auto milliseconds = [&](char const* name, u64 time) {
        append_format(out, "%-45s:%14lld.%06lld\n", name, static_cast<long long>(time / 1'000'000),
            static_cast<long long>(time % 1'000'000));
    };
    auto number
        = [&](char const* name, u64 value) { append_format(out, "%-45s:%21llu\n", name, ull(value)); };
    milliseconds("se.exec_start", u64(task->kernel().time().monotonic()));
    milliseconds("se.vruntime", task->virtual_runtime);
    milliseconds("se.sum_exec_runtime", u64(usage.user + usage.system));
    number("nr_switches", usage.voluntary_switches + usage.involuntary_switches);
    number("nr_voluntary_switches", usage.voluntary_switches);
    number("nr_involuntary_switches", usage.involuntary_switches);
    number("se.load.weight", Scheduler::weight_of(*task));
    number("policy", task->policy);
    number("prio", u64(task->rt_priority ? 99 - task->rt_priority : 120 + task->nice));
    return out;
}

Result<std::string> pid_schedstat(Subject const& subject)
{
    Ref<Task> task = TRY(live_task(subject));
    ResourceUsage usage = task_usage(*task);
    // The time spent runnable but not running is not measured.
    return format_text("%llu 0 %llu\n", ull(usage.user + usage.system),
        ull(usage.voluntary_switches + usage.involuntary_switches));
}

namespace {
std::string wait_place(Subject const& subject)
{
    if (!subject.task || subject.task->state != TaskState::sleeping || check_inspection(subject).is_error())
        return "0";
    if (!subject.task->wait_channel.empty()) return subject.task->wait_channel;
    SyscallText const* call = subject.task->in_syscall ? syscall_text(subject.task->trap.number) : nullptr;
    return call ? "sys_" + std::string(call->name) : "0";
}
} // namespace

Result<std::string> pid_wchan(Subject const& subject) { return wait_place(subject); }

Result<std::string> pid_syscall(Subject const& subject)
{
    Ref<Task> task = TRY(live_task(subject));
    if (task->state != TaskState::sleeping) return std::string("running\n");
    // The stack pointer is in the guest's registers, and reading those may need the guest: 0 stands for it.
    if (!task->in_syscall) return format_text("-1 0x0 %#llx\n", ull(task->trap.instruction));
    u64 const* a = task->trap.args;
    return format_text("%lld %#llx %#llx %#llx %#llx %#llx %#llx 0x0 %#llx\n",
        static_cast<long long>(task->trap.number), ull(a[0]), ull(a[1]), ull(a[2]), ull(a[3]), ull(a[4]),
        ull(a[5]), ull(task->trap.instruction));
}

Result<std::string> pid_stack(Subject const& subject)
{
    if (!current().credentials().has(Capability::sys_admin)) return err::acces;
    std::string where = wait_place(subject);
    return where == "0" ? std::string() : "[<0>] " + where + "\n";
}

Result<std::string> pid_personality(Subject const& subject)
{
    return format_text("%08x\n", TRY(live_task(subject))->personality);
}

Result<std::string> pid_cgroup(Subject const& subject)
{
    auto const& group = subject.task ? *subject.task->membership.group : cgroup::group_of(*subject.process);
    std::string const path = cgroup::path_of(group, cgroup::visible_root(current()));
    return "0::" + path + (group.dead ? " (deleted)\n" : "\n");
}

Result<std::string> pid_children(Subject const& subject)
{
    Task const& task = *TRY(live_task(subject));
    std::string out;
    for (Process* child : task.process().children) {
        // The children of a thread that is gone are the leader's.
        Task* maker = task.kernel().processes().find_task(child->forked_by);
        bool orphaned = !maker || &maker->process() != &task.process();
        bool its_own = orphaned ? task.tid() == task.pid() : maker == &task;
        if (its_own) append_format(out, "%d ", subject.shown(child->id));
    }
    return out;
}

Result<std::string> pid_timers(Subject const& subject)
{
    std::string out;
    if (!subject.process->timers) return out;
    static constexpr char const* kinds[] = { "signal", "none", "thread", "?", "signal" };
    for (auto const& [id, timer] : subject.process->timers->timers) {
        // SIGEV_THREAD_ID (4) names a thread.
        bool to_thread = timer->notify == 4;
        append_format(out, "ID: %d\nsignal: %d/%016llx\nnotify: %s/%s.%d\nClockID: %d\n", id, timer->signal,
            ull(timer->value), kinds[timer->notify >= 0 && timer->notify <= 4 ? timer->notify : 3],
            to_thread ? "tid" : "pid", subject.shown(to_thread ? timer->thread : subject.process->id),
            timer->clock);
    }
    return out;
}

Result<std::string> pid_timer_slack(Subject const& subject)
{
    return format_text("%lld\n", static_cast<long long>(TRY(live_task(subject))->timer_slack));
}

Result<void> set_pid_timer_slack(Subject const& subject, std::string_view text)
{
    Ref<Task> task = TRY(live_task(subject));
    TRY(check_inspection(subject));
    i64 value = TRY(parse_integer(text));
    if (value < 0) return err::inval;
    task->timer_slack = value ? value : 50'000;
    return {};
}

} // namespace umbra::fs
