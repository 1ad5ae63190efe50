// SPDX-License-Identifier: GPL-2.0-or-later
// Construction of tasks and processes, and the small questions that others ask of them.
#include "core/task/task.h"

#include <algorithm>

#include "core/cgroup/cgroup.h"
#include "core/kernel.h"
#include "core/mm/address-space.h"
#include "core/seccomp/filter.h"
#include "core/task/core-dump.h"
#include "core/task/namespaces.h"
#include "core/task/posix-timers.h"
#include "core/task/process-table.h"
#include "core/task/ptrace.h"
#include "core/task/scheduler.h"
#include "core/task/watchpoints.h"
#include "core/time/timekeeper.h"

namespace umbra {

Process::Process(Kernel& owner, Pid pid, PidNamespace& space, Ref<SignalHandlers> signal_handlers)
    : kernel(owner)
    , id(pid)
    , pids(space)
    , handlers(std::move(signal_handlers))
{
    limits.fill({ kRlimInfinity, kRlimInfinity });
    auto set = [&](Resource r, u64 current, u64 maximum) { limits[size_t(r)] = { current, maximum }; };
    set(Resource::stack, 8 << 20, kRlimInfinity);
    set(Resource::core, 0, kRlimInfinity);
    set(Resource::nproc, 65536, 65536);
    set(Resource::nofile, 1024, 1 << 20);
    set(Resource::memlock, 8 << 20, 8 << 20);
    set(Resource::sigpending, 65536, 65536);
    set(Resource::msgqueue, 819200, 819200);
    set(Resource::nice, 0, 0);
    set(Resource::rtprio, 0, 0);
    start_time = kernel.time().boottime();
}

Process::~Process() = default;

PosixTimers& Process::timers_or_new()
{
    if (!timers) timers = std::make_unique<PosixTimers>();
    return *timers;
}

Task* Process::any_thread() const
{
    auto it = std::find_if(threads.begin(), threads.end(), [](Task* t) { return !t->exiting; });
    return it == threads.end() ? nullptr : *it;
}

Task::Task(Kernel& kernel, Pid tid, Ref<Process> process)
    : kernel_(kernel)
    , tid_(tid)
    , process_(std::move(process))
    , namespaces_(kernel.first_namespaces())
    , credentials_(make_ref<Credentials>(kernel.first_user_namespace))
{
    start_time = kernel.time().boottime();
}

void Task::set_tracee(RefPtr<Tracee> bond)
{
    tracee = std::move(bond);
    syscall_work = tracee ? syscall_work | work_traced : syscall_work & ~u32 { work_traced };
}

Task::~Task()
{
    // Of one that never ran; the scheduler takes back those of others.
    if (stack_) kernel_.platform().free_stack(stack_, kStackSize);
    kernel_.processes().remove(*this);
}

Result<vfs::Path> Task::path_base(GuestFd directory, std::string_view path)
{
    if (!path.empty() && path[0] == '/') return fs_->root;
    if (directory.value == abi::at_fdcwd) return fs_->cwd;
    auto file = TRY(files_->get(directory, true));
    if (!path.empty() && !file->inode().is_directory()) return err::notdir;
    return *file->path();
}

Result<void> set_time_stamp_counter(Task& task, bool readable)
{
    if (task.counter_is_readable == readable) return {};
    TRY(task.guest().set_time_stamp_counter(*task.vcpu, readable));
    task.counter_is_readable = readable;
    return {};
}

} // namespace umbra
