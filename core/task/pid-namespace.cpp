// SPDX-License-Identifier: GPL-2.0-or-later
// Numbers of processes as namespaces have them, and the end of a namespace.
#include "core/task/pid-namespace.h"

#include "core/kernel.h"
#include "core/task/lifecycle.h"
#include "core/task/process-table.h"

namespace umbra {

PidNamespace::PidNamespace(UserNamespace& owner)
    : Namespace(vfs::NamespaceKind::pid, vfs::first_namespace_origin(vfs::NamespaceKind::pid, owner))
{
}

PidNamespace::PidNamespace(vfs::NamespaceOrigin origin, Ref<PidNamespace> parent)
    : Namespace(vfs::NamespaceKind::pid, std::move(origin))
    , parent_(parent)
    , level_(parent->level() + 1)
{
}

bool PidNamespace::is_within(PidNamespace const& other) const
{
    PidNamespace const* at = this;
    while (at && at->level_ > other.level_)
        at = at->parent();
    return at == &other;
}

PidNamespace& pid_namespace(Task const& task) { return *task.process().pids; }

Pid pid_in(Task const& task, i32 number) { return pid_in(pid_namespace(task), number); }

Pid pid_in(PidNamespace const& space, i32 number)
{
    if (space.is_first() || number <= 0) return Pid(number);
    auto it = space.numbers.find(number);
    return Pid(it == space.numbers.end() ? ProcessTable::kPidMax : it->second);
}

i32 pid_out(Kernel& kernel, PidNamespace const& reader, Pid number)
{
    return kernel.processes().number_in(reader, number);
}

i32 pid_out(Task const& reader, Pid number)
{
    return pid_out(reader.kernel(), pid_namespace(reader), number);
}

std::vector<i32> numbers_below(
    Kernel& kernel, PidNamespace const& reader, PidNamespace const& own, Pid number)
{
    std::vector<i32> found;
    for (PidNamespace const* at = &own; at && at->level() >= reader.level(); at = at->parent())
        found.insert(found.begin(), pid_out(kernel, *at, number));
    return found;
}

bool is_namespace_init(Process const& process) { return process.pids->init == &process; }

void end_pid_namespace(Task& last)
{
    Process& init = last.process();
    PidNamespace& space = *init.pids;
    ProcessTable& table = last.kernel().processes();
    space.ended = true;
    // Its children are not waited for by anybody any more.
    init.handlers->actions[abi::sigchld - 1].handler = abi::sig_ign;
    for (;;) {
        // One that would tell of its end by another signal, or by none, vanishes too.
        for (Process* child : init.children)
            child->exit_signal = abi::sigchld;
        reap_zombie_children(init);
        auto const numbers = space.numbers; // a process may go at once
        bool alone = true;
        for (auto const& [inside, number] : numbers) {
            Process* process = table.find_process(Pid(number));
            if (!process || process == &init) continue;
            alone = false;
            exit_group(*process, u32(abi::sigkill));
        }
        if (alone) return;
        size_t const before = space.numbers.size();
        // Nothing interrupts it, as on Linux: it dies already.
        (void)space.number_released
            .wait_until([&] { return space.numbers.size() != before; }, kNever, Interruption::refused)
            .ok();
    }
}

} // namespace umbra
