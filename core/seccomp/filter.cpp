// SPDX-License-Identifier: GPL-2.0-or-later
// Entering the modes of seccomp(2): the rules of who may, the chain and its limit, and how threads of a process are
// brought in step (SECCOMP_FILTER_FLAG_TSYNC).
#include "core/seccomp/filter.h"

#include "core/kernel.h"
#include "core/task/pid-namespace.h"

namespace umbra::seccomp {

using namespace abi;

namespace {
constexpr u64 kMemoryShare = 16; ///< of the memory limit
constexpr u64 kFilterOverhead = 128; ///< bytes beside the object and its instructions
} // namespace

Filter::Filter(Kernel& kernel, Program checked, RefPtr<Filter> before)
    : kernel(kernel)
    , program(std::move(checked))
    , previous(std::move(before))
{
    kernel.seccomp_bytes += cost();
}

u64 Filter::cost() const { return kFilterOverhead + sizeof(Filter) + program.length() * sizeof(SockFilter); }

Filter::~Filter()
{
    kernel.seccomp_bytes -= cost();
    if (notifications) notifications->orphan();
    // A chain may be some thousand filters long: they end one after another, not each within the one before.
    RefPtr<Filter> next = std::move(previous);
    while (next && next->ref_count() == 1)
        next = std::move(next->previous);
}

namespace {

void set_filter(Task& task, RefPtr<Filter> filter)
{
    task.seccomp_filter = std::move(filter);
    task.seccomp_mode = seccomp_mode_filter;
    task.syscall_work |= work_seccomp;
}

bool may_enter(Task const& task, u8 mode) { return !task.seccomp_mode || task.seccomp_mode == mode; }

bool has_listener(Task const& task)
{
    for (Filter const* f = task.seccomp_filter.get(); f; f = f->previous.get())
        if (f->notifications) return true;
    return false;
}

/// A chain's own filter, or null, which every chain ends with.
bool is_ancestor(Filter const* filter, Filter const* chain)
{
    while (filter && chain && chain != filter)
        chain = chain->previous.get();
    return filter == chain || !filter;
}

/// The first other thread that is not where the caller is, or was on its way there.
Task* out_of_step(Task& task)
{
    for (Task* t : task.process().threads) {
        if (t == &task || t->exiting) continue;
        bool const follows = t->seccomp_mode == seccomp_mode_filter
            && is_ancestor(t->seccomp_filter.get(), task.seccomp_filter.get());
        if (t->seccomp_mode != seccomp_mode_disabled && !follows) return t;
    }
    return nullptr;
}

void bring_in_step(Task& task)
{
    for (Task* t : task.process().threads) {
        if (t == &task || t->exiting) continue;
        if (task.no_new_privileges) t->no_new_privileges = true;
        set_filter(*t, task.seccomp_filter);
    }
}

/// 0, or the thread that cannot be brought in step.
Result<i64> check_threads(Task& task, u32 flags)
{
    Task const* thread = flags & seccomp_flag_tsync ? out_of_step(task) : nullptr;
    if (!thread) return 0;
    if (flags & seccomp_flag_tsync_esrch) return err::srch;
    return pid_out(task, thread->tid());
}

Result<void> check_length(Task const& task, Program const& program)
{
    u64 total = program.length();
    for (Filter const* f = task.seccomp_filter.get(); f; f = f->previous.get())
        total += f->program.length() + kFilterPenalty;
    if (total > kMaxChainInstructions) return err::nomem;
    return {};
}

Ref<Notifications> make_notifications(Task const& task, u32 flags)
{
    u64 first_id = 0;
    task.kernel().platform().random_bytes({ reinterpret_cast<u8*>(&first_id), sizeof first_id }); // its bytes
    return make_ref<Notifications>(first_id, bool(flags & seccomp_flag_wait_killable_recv));
}

} // namespace

Result<void> enter_strict_mode(Task& task)
{
    if (!may_enter(task, seccomp_mode_strict)) return err::inval;
    TRY(set_time_stamp_counter(task, false));
    task.seccomp_mode = seccomp_mode_strict;
    task.syscall_work |= work_seccomp;
    return {};
}

Result<i64> install(Task& task, u32 flags, std::vector<SockFilter> code)
{
    if (!task.no_new_privileges && !task.credentials().holds(Capability::sys_admin)) return err::acces;
    auto program = TRY(Program::check(std::move(code)));
    bool const wants_listener = flags & seccomp_flag_new_listener;
    if (!may_enter(task, seccomp_mode_filter)) return err::inval;
    if (wants_listener && has_listener(task)) return err::busy;
    // A thread that is about to run a program may gain by it what it would not under the filter.
    auto const& executing = task.process().executing;
    if (flags & seccomp_flag_tsync)
        TRY(task.process().exec_over.wait_until([&] { return !executing; }, kNever, Interruption::killable));
    TRY(check_length(task, program));
    if (i64 const thread = TRY(check_threads(task, flags))) return thread;
    auto& kernel = task.kernel();
    auto filter = make_ref<Filter>(kernel, std::move(program), task.seccomp_filter);
    if (kernel.seccomp_bytes > kernel.options().memory_limit / kMemoryShare) return err::nomem;
    filter->log = flags & seccomp_flag_log;
    i64 listener = 0;
    if (wants_listener) {
        auto notifications = make_notifications(task, flags);
        listener = TRY(
            task.files().add(make_listener(task.kernel(), notifications), true, task.limit(Resource::nofile)))
                       .value;
        filter->notifications = std::move(notifications);
    }
    set_filter(task, std::move(filter));
    if (flags & seccomp_flag_tsync) bring_in_step(task);
    return listener;
}

void inherit(Task const& parent, Task& child)
{
    child.seccomp_filter = parent.seccomp_filter;
    child.seccomp_mode = parent.seccomp_mode;
    child.syscall_work |= parent.syscall_work & work_seccomp;
}

void release(Task& task) { task.seccomp_filter = nullptr; }

u64 count(Task const& task)
{
    u64 filters = 0;
    for (Filter const* f = task.seccomp_filter.get(); f; f = f->previous.get())
        ++filters;
    return filters;
}

Result<Ref<Filter>> nth(Task const& task, u64 index)
{
    if (task.seccomp_mode != seccomp_mode_filter) return err::inval;
    u64 const filters = count(task);
    if (index >= filters) return err::noent;
    Filter* f = task.seccomp_filter.get();
    for (u64 newer = filters - 1 - index; newer; --newer)
        f = f->previous.get();
    return Ref<Filter>(*f);
}

} // namespace umbra::seccomp
