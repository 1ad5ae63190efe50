// SPDX-License-Identifier: GPL-2.0-or-later
// /proc/PID/status and stat: everything about a process in one file, for people and for ps(1).
#include <algorithm>
#include <bit>

#include "core/fs/proc/pid-directory.h"
#include "core/fs/pseudo/text.h"
#include "core/kernel.h"
#include "core/seccomp/filter.h"
#include "core/task/lifecycle.h"
#include "core/task/process-table.h"
#include "core/task/ptrace.h"
#include "core/task/scheduler.h"
#include "core/time/time-namespace.h"
#include "core/tty/tty.h"

namespace umbra::fs {

namespace {
using ull = unsigned long long;

constexpr Nanoseconds kTick = kNanosecondsPerSecond / 100; ///< USER_HZ, sysconf(_SC_CLK_TCK)
ull ticks(Nanoseconds time) { return ull(time / kTick); }

/// The letter of stat and the text of status.
char const* state_text(Subject const& subject)
{
    if (!subject.task) return "Z (zombie)";
    if (subject.task->tracee && subject.task->tracee->is_stopped()) return "t (tracing stop)";
    if (subject.process->state == ProcessState::stopped && !subject.task->tracee) return "T (stopped)";
    switch (subject.task->state) {
    case TaskState::sleeping:
        return subject.task->sleep_mode == Interruption::allowed ? "S (sleeping)" : "D (disk sleep)";
    case TaskState::dead:
        return "Z (zombie)"; // a leader whose other threads go on
    default:
        return "R (running)";
    }
}

struct SignalSets {
    u64 pending = 0, shared_pending = 0, blocked = 0, ignored = 0, caught = 0;
    u64 queued = 0;
};

SignalSets signal_sets(Subject const& subject)
{
    SignalSets sets;
    Process& process = *subject.process;
    sets.shared_pending = process.shared_pending.set();
    sets.queued = process.shared_pending.count();
    for (int signal = 1; signal <= abi::signal_count; ++signal) {
        u64 handler = process.handlers->actions[size_t(signal) - 1].handler;
        if (handler == abi::sig_ign)
            sets.ignored |= abi::sigbit(signal);
        else if (handler != abi::sig_dfl)
            sets.caught |= abi::sigbit(signal);
    }
    if (!subject.task) return sets;
    sets.pending = subject.task->pending.set();
    sets.queued += subject.task->pending.count();
    sets.blocked = subject.task->blocked;
    return sets;
}

i32 parent_id(Subject const& subject)
{
    Process const* parent = subject.process->parent;
    return parent ? subject.shown(parent->id) : 0;
}

/// A line of the numbers that something has from the reader's namespace down to the process's own.
void add_numbers(std::string& out, Subject const& subject, char const* name, Pid number)
{
    append_format(out, "%s:", name);
    Kernel& kernel = subject.kernel();
    PidNamespace const& reader = subject.view ? *subject.view : kernel.processes().first_namespace();
    for (i32 shown : numbers_below(kernel, reader, *subject.process->pids, number))
        append_format(out, "\t%d", shown);
    out += '\n';
}

void add_ids(std::string& out, Subject const& subject)
{
    Process const& process = *subject.process;
    auto const& ids = *current().credentials().user_namespace;
    append_format(out, "State:\t%s\nTgid:\t%d\nNgid:\t0\nPid:\t%d\nPPid:\t%d\nTracerPid:\t%d\n",
        state_text(subject), subject.shown(process.id), subject.shown(subject.id()), parent_id(subject),
        subject.task && subject.task->tracee ? subject.shown(subject.task->tracee->tracer->pid()) : 0);
    if (subject.task) {
        Credentials const& c = subject.task->credentials();
        append_format(out, "Uid:\t%u\t%u\t%u\t%u\n", ids.uid_out(c.uid), ids.uid_out(c.euid),
            ids.uid_out(c.suid), ids.uid_out(c.fsuid));
        append_format(out, "Gid:\t%u\t%u\t%u\t%u\n", ids.gid_out(c.gid), ids.gid_out(c.egid),
            ids.gid_out(c.sgid), ids.gid_out(c.fsgid));
        u32 slots = subject.task->has_files() ? u32(subject.task->files().highest() + 1) : 0;
        append_format(out, "FDSize:\t%u\nGroups:\t", slots ? std::bit_ceil(std::max(slots, 64u)) : 0);
        for (u32 group : c.groups)
            append_format(out, "%u ", ids.gid_out(group));
        out += '\n';
    } else {
        u32 const uid = ids.uid_out(process.last_uid);
        append_format(
            out, "Uid:\t%u\t%u\t%u\t%u\nGid:\t0\t0\t0\t0\nFDSize:\t0\nGroups:\t\n", uid, uid, uid, uid);
    }
    add_numbers(out, subject, "NStgid", process.id);
    add_numbers(out, subject, "NSpid", subject.id());
    add_numbers(out, subject, "NSpgid", process.group->id);
    add_numbers(out, subject, "NSsid", process.session().id);
    out += "Kthread:\t0\n";
}

void add_size(std::string& out, char const* name, u64 pages)
{
    append_format(out, "%s:\t%8llu kB\n", name, ull(pages << (kPageShift - 10)));
}

void add_memory(std::string& out, Subject const& subject)
{
    RefPtr<mm::AddressSpace> memory = subject.memory();
    if (!memory) return;
    mm::MemoryUsage usage = memory->usage();
    u64 library = 0;
    for (auto const& [start, area] : memory->areas())
        if ((area->prot & 4) && area->path && area->start != memory->code_start.value)
            library += area->pages();
    add_size(out, "VmPeak", memory->total_pages());
    add_size(out, "VmSize", memory->total_pages());
    add_size(out, "VmLck", usage.locked);
    add_size(out, "VmPin", 0);
    u64 resident = usage.resident_anonymous + usage.resident_file;
    add_size(out, "VmHWM", std::max(memory->peak_resident_pages(), resident));
    add_size(out, "VmRSS", resident);
    add_size(out, "RssAnon", usage.resident_anonymous);
    add_size(out, "RssFile", usage.resident_file);
    add_size(out, "RssShmem", 0);
    add_size(out, "VmData", usage.data);
    add_size(out, "VmStk", usage.stack);
    u64 text = (page_up(memory->code_end.value) - page_down(memory->code_start.value)) >> kPageShift;
    add_size(out, "VmExe", text);
    add_size(out, "VmLib", library > text ? library - text : 0);
    add_size(out, "VmPTE", memory->resident_pages() / 512 + 1);
    add_size(out, "VmSwap", 0);
    out += "HugetlbPages:\t       0 kB\nCoreDumping:\t0\nTHP_enabled:\t0\nuntag_mask:\t0xffffffffffffffff\n";
}

void add_signals(std::string& out, Subject const& subject)
{
    SignalSets s = signal_sets(subject);
    append_format(
        out, "SigQ:\t%llu/%llu\n", ull(s.queued), ull(subject.process->limit(Resource::sigpending)));
    append_format(out,
        "SigPnd:\t%016llx\nShdPnd:\t%016llx\nSigBlk:\t%016llx\nSigIgn:\t%016llx\nSigCgt:\t%016llx\n",
        ull(s.pending), ull(s.shared_pending), ull(s.blocked), ull(s.ignored), ull(s.caught));
}

void add_capabilities(std::string& out, Task const& task)
{
    Credentials const& c = task.credentials();
    append_format(out,
        "CapInh:\t%016llx\nCapPrm:\t%016llx\nCapEff:\t%016llx\nCapBnd:\t%016llx\nCapAmb:\t%016llx\n",
        ull(c.inheritable), ull(c.permitted), ull(c.effective), ull(c.bounding), ull(c.ambient));
    append_format(out, "NoNewPrivs:\t%d\nSeccomp:\t%d\nSeccomp_filters:\t%llu\n", task.no_new_privileges,
        task.seccomp_mode, ull(seccomp::count(task)));
}

void add_scheduling(std::string& out, Task const& task)
{
    unsigned count = task.kernel().scheduler().vcpu_count();
    u64 present = count >= 64 ? ~u64 { 0 } : (u64 { 1 } << count) - 1;
    u64 allowed = task.affinity & present;
    append_format(
        out, "Cpus_allowed:\t%llx\nCpus_allowed_list:\t%s\n", ull(allowed), format_list(allowed).c_str());
    append_format(out, "Mems_allowed:\t1\nMems_allowed_list:\t0\n");
    append_format(out, "voluntary_ctxt_switches:\t%llu\nnonvoluntary_ctxt_switches:\t%llu\n",
        ull(task.usage.voluntary_switches), ull(task.usage.involuntary_switches));
}
} // namespace

std::string subject_name(Subject const& subject)
{
    return subject.task ? subject.task->name() : subject.process->last_name;
}

Result<std::string> pid_status(Subject const& subject)
{
    std::string out = "Name:\t";
    append_escaped(out, subject_name(subject), "\n");
    out += '\n';
    if (subject.task && subject.task->has_fs()) append_format(out, "Umask:\t%04o\n", subject.task->umask());
    add_ids(out, subject);
    add_memory(out, subject);
    append_format(out, "Threads:\t%zu\n", std::max<size_t>(subject.process->threads.size(), 1));
    add_signals(out, subject);
    if (!subject.task) return out;
    add_capabilities(out, *subject.task);
    add_scheduling(out, *subject.task);
    return out;
}

namespace {
/// What stat shows of the memory's layout; zeroes for whoever may not look into the process.
struct Layout {
    u64 size = 0, resident = 0;
    u64 start_code = 0, end_code = 0, start_stack = 0, start_data = 0, end_data = 0, start_break = 0;
    u64 argument_start = 0, argument_end = 0, environment_start = 0, environment_end = 0;
};

Layout layout_of(Subject const& subject)
{
    Layout l;
    RefPtr<mm::AddressSpace> memory = subject.memory();
    if (!memory) return l;
    l.size = memory->total_pages() << kPageShift;
    mm::MemoryUsage usage = memory->usage();
    l.resident = usage.resident_anonymous + usage.resident_file;
    if (check_inspection(subject).is_error()) {
        // As Linux: 1 instead of 0, which would mean a kernel thread.
        l.start_code = l.end_code = 1;
        return l;
    }
    l.start_code = memory->code_start.value, l.end_code = memory->code_end.value;
    l.start_stack = memory->stack_start.value;
    l.start_data = memory->data_start.value, l.end_data = memory->data_end.value;
    l.start_break = memory->break_start();
    l.argument_start = memory->arguments_start.value, l.argument_end = memory->arguments_end.value;
    l.environment_start = memory->environment_start.value, l.environment_end = memory->environment_end.value;
    return l;
}

ResourceUsage usage_of(Subject const& subject)
{
    return subject.is_thread ? task_usage(*subject.task) : process_usage(*subject.process);
}

/// sched(7): 20 + nice for normal tasks, -1 - priority for realtime ones.
i32 priority_of(Subject const& subject)
{
    if (!subject.task) return 20;
    return subject.task->rt_priority ? -1 - subject.task->rt_priority : 20 + subject.task->nice;
}
} // namespace

Result<std::string> pid_stat(Subject const& subject)
{
    Process& process = *subject.process;
    ResourceUsage usage = usage_of(subject), children = process.children_usage;
    tty::Tty const* terminal = process.session().terminal;
    SignalSets s = signal_sets(subject);
    Layout l = layout_of(subject);
    Task* task = subject.task.get();
    std::string out = format_text("%d (", subject.shown(subject.id()));
    append_escaped(out, subject_name(subject), "\n");
    append_format(out, ") %c %d %d %d %d %d ", state_text(subject)[0], parent_id(subject),
        subject.shown(process.group->id), subject.shown(process.session().id),
        terminal ? i32(terminal->device()) : 0,
        terminal && terminal->foreground() ? subject.shown(terminal->foreground()->id) : -1);
    // PF_RANDOMIZE, and PF_FORKNOEXEC, which ps shows as flag 1.
    append_format(out, "%u %llu %llu %llu %llu ", process.programs_run ? 0x400000 : 0x400040,
        ull(usage.minor_faults), ull(children.minor_faults), ull(usage.major_faults),
        ull(children.major_faults));
    append_format(out, "%llu %llu %llu %llu %d %d %zu 0 %llu ", ticks(usage.user), ticks(usage.system),
        ticks(children.user), ticks(children.system), priority_of(subject), task ? task->nice : 0,
        std::max<size_t>(process.threads.size(), 1),
        ticks(
            time_namespace(current()).since_boot(subject.is_thread ? task->start_time : process.start_time)));
    append_format(out, "%llu %llu %llu %llu %llu %llu 0 0 ", ull(l.size), ull(l.resident),
        ull(process.limit(Resource::rss)), ull(l.start_code), ull(l.end_code), ull(l.start_stack));
    // Signals as of old: 31 bits. Newer programs read status.
    constexpr u64 kOldSignals = 0x7fffffff;
    append_format(out, "%llu %llu %llu %llu %d 0 0 %u %u %d %u 0 0 0 ",
        ull((s.pending | s.shared_pending) & kOldSignals), ull(s.blocked & kOldSignals),
        ull(s.ignored & kOldSignals), ull(s.caught & kOldSignals), task && task->state == TaskState::sleeping,
        process.exit_signal, task && task->vcpu ? task->vcpu->index() : 0, task ? task->rt_priority : 0,
        task ? task->policy : 0);
    append_format(out, "%llu %llu %llu %llu %llu %llu %llu %u\n", ull(l.start_data), ull(l.end_data),
        ull(l.start_break), ull(l.argument_start), ull(l.argument_end), ull(l.environment_start),
        ull(l.environment_end), check_inspection(subject).ok() ? process.exit_code : 0);
    return out;
}

} // namespace umbra::fs
