// SPDX-License-Identifier: GPL-2.0-or-later
// Sessions, process groups, hang-up of one's own terminal.
#include "core/tty/session.h"
#include "core/task/pid-namespace.h"
#include "core/task/process-table.h"
#include "core/tty/tty.h"

#include "core/syscall/syscall.h"

namespace umbra {

namespace {

/// The process that a pid argument means: 0 is the caller. ESRCH.
Result<Process*> process_of(Task& task, Pid pid)
{
    if (pid.value == 0) return &task.process();
    // A thread's number means its process, as on Linux.
    if (Task* thread = task.kernel().processes().find_task(pid_in(task, pid.value)))
        return &thread->process();
    Process* process = task.kernel().processes().find_process(pid_in(task, pid.value));
    if (!process || !process->group) return err::srch;
    return process;
}

} // namespace

SyscallResult sys_setsid(Task& task) { return pid_out(task, TRY(tty::create_session(task))); }

SyscallResult sys_getsid(Task& task, i32 pid)
{
    return pid_out(task, TRY(process_of(task, Pid(pid)))->session().id);
}

SyscallResult sys_setpgid(Task& task, i32 pid, i32 group)
{
    TRY(tty::set_process_group(task, pid_in(task, pid), pid_in(task, group)));
    return 0;
}

SyscallResult sys_getpgid(Task& task, i32 pid)
{
    return pid_out(task, TRY(process_of(task, Pid(pid)))->group->id);
}

SyscallResult sys_getpgrp(Task& task) { return pid_out(task, task.process().group->id); }

SyscallResult sys_vhangup(Task& task)
{
    if (!task.credentials().has(Capability::sys_tty_config)) return err::perm;
    if (tty::Tty* terminal = tty::controlling_terminal(task)) terminal->hang_up();
    return 0;
}

} // namespace umbra
