// SPDX-License-Identifier: GPL-2.0-or-later
// Sessions and process groups (setsid(2), setpgid(2), credentials(7)), controlling terminals, job control.
#include "core/tty/session.h"

#include "core/kernel.h"
#include "core/task/process-table.h"
#include "core/tty/tty-file.h"

namespace umbra::tty {

namespace {

bool is_session_leader(Process const& process) { return process.session().id == process.id; }

void signal_former_foreground(Process& leader)
{
    auto* group = leader.kernel.processes().find_group(leader.session().former_foreground);
    if (!group || group->session != &leader.session()) return;
    send_signal(*group, kernel_signal(abi::sighup));
    send_signal(*group, kernel_signal(abi::sigcont));
}

} // namespace

Result<Pid> create_session(Task& task)
{
    Process& process = task.process();
    auto& table = task.kernel().processes();
    if (is_session_leader(process) || table.find_group(process.id)) return err::perm;
    table.enter_new_group(process, process.id, nullptr);
    process.gave_up_terminal = false;
    return process.id;
}

Result<void> set_process_group(Task& task, Pid pid, Pid group)
{
    auto& table = task.kernel().processes();
    if (group.value < 0) return err::inval;
    Process& caller = task.process();
    Process* process = pid.value == 0 ? &caller : table.find_process(pid);
    if (!process || !process->group) return err::srch; // a zombie can still be moved, as on Linux
    if (process != &caller) {
        if (process->parent != &caller) return err::srch;
        if (&process->session() != &caller.session()) return err::perm;
        if (process->programs_run) return err::acces;
    }
    if (is_session_leader(*process)) return err::perm;
    if (group.value == 0) group = process->id;
    ProcessGroup* target = table.find_group(group);
    if (group != process->id && (!target || target->session != &caller.session())) return err::perm;
    if (target == process->group.get()) return {};
    if (target)
        table.move_to_group(*process, Ref<ProcessGroup>(*target));
    else
        table.enter_new_group(*process, group, RefPtr<Session>(&process->session()));
    return {};
}

Tty* controlling_terminal(Task& task)
{
    Process& process = task.process();
    return process.gave_up_terminal ? nullptr : process.session().terminal;
}

void session_leader_exits(Process& process)
{
    RefPtr<RefCounted> const keep = process.session().terminal_ref;
    Tty* tty = process.session().terminal;
    if (!tty) return signal_former_foreground(process);
    if (tty->survives_hang_up()) return tty->hang_up(Tty::HangUp::session_exit);
    (void)tty->signal_group(abi::sighup);
    tty->drop_session();
}

void give_up_terminal(Process& process)
{
    if (!is_session_leader(process)) {
        process.gave_up_terminal = true;
        return;
    }
    RefPtr<RefCounted> const keep = process.session().terminal_ref;
    Tty* tty = process.session().terminal;
    if (!tty) return;
    (void)tty->signal_group(abi::sighup);
    (void)tty->signal_group(abi::sigcont);
    tty->drop_session();
}

Result<void> check_foreground(Task& task, Tty& tty, int signal)
{
    ProcessGroup& group = *task.process().group;
    if (controlling_terminal(task) != &tty || !tty.foreground() || tty.foreground() == &group) return {};
    if (is_signal_blocked(task, signal) || is_signal_ignored(task, signal))
        return signal == abi::sigttin ? Result<void>(err::io) : Result<void>();
    if (is_orphaned(group)) return err::io;
    send_signal(group, kernel_signal(signal));
    return err::restart_sys;
}

Result<Ref<vfs::File>> open_tty(Tty& tty, vfs::Path const& path, u32 flags)
{
    Task& task = current();
    if (tty.exclusive && !task.credentials().has(Capability::sys_admin)) return err::busy;
    TRY(tty.opening());
    auto file = make_ref<TtyFile>(path, flags, Ref<Tty>(tty));
    Process& process = task.process();
    bool const becomes_controlling = tty.offers_control() && !(flags & abi::o_noctty) && file->is_readable()
        && is_session_leader(process) && !process.session().terminal && !tty.session();
    if (becomes_controlling) tty.take_session(process);
    return Ref<vfs::File>(file);
}

} // namespace umbra::tty
