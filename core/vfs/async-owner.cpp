// SPDX-License-Identifier: GPL-2.0-or-later
// Finding the owner of a file's events and telling it.
#include "core/vfs/async-owner.h"

#include "core/abi/file.h"
#include "core/abi/signal.h"
#include "core/kernel.h"
#include "core/task/pid-namespace.h"
#include "core/task/process-table.h"

namespace umbra::vfs {

namespace {

bool exists(Kernel& kernel, AsyncOwner const& owner)
{
    auto& table = kernel.processes();
    switch (owner.type) {
    case AsyncOwner::thread:
        return table.find_task(Pid(owner.id));
    case AsyncOwner::process:
        return table.find_process(Pid(owner.id));
    default:
        return table.find_group(Pid(owner.id));
    }
}

/// sigio_perm(): as kill(2) by whoever set the owner.
bool may_tell(AsyncOwner const& owner, Process const& process)
{
    Task* member = process.any_thread();
    if (!member) return false;
    auto const& target = member->credentials();
    return owner.euid == 0 || owner.euid == target.suid || owner.euid == target.uid
        || owner.uid == target.suid || owner.uid == target.uid;
}

/// Calls tell(process or thread) for everybody the owner means; tell(process, Audience::several) for members of a group.
template <typename Tell> void for_each_target(Kernel& kernel, AsyncOwner const& owner, Tell tell)
{
    auto& table = kernel.processes();
    if (owner.type == AsyncOwner::thread) {
        if (Task* task = table.find_task(Pid(owner.id)); task && may_tell(owner, task->process()))
            tell(*task);
    } else if (owner.type == AsyncOwner::process) {
        if (Process* process = table.find_process(Pid(owner.id)); process && may_tell(owner, *process))
            tell(*process);
    } else if (ProcessGroup* group = table.find_group(Pid(owner.id))) {
        auto members = group->members; // a signal may end a member
        for (Process* member : members)
            if (may_tell(owner, *member)) tell(*member, Audience::several);
    }
}

i64 band_of(AsyncEvent event)
{
    using namespace abi;
    constexpr u32 pollmsg = 0x400;
    switch (event) {
    case AsyncEvent::in:
        return pollin | pollrdnorm;
    case AsyncEvent::out:
        return pollout | pollwrnorm | pollwrband;
    case AsyncEvent::message:
        return pollin | pollrdnorm | pollmsg;
    case AsyncEvent::error:
        return pollerr;
    case AsyncEvent::priority:
        return pollpri | pollrdband;
    case AsyncEvent::hang_up:
        return pollhup | pollerr;
    }
    return 0;
}

/// Signals whose si_code has meanings of its own: SI_SIGIO tells them from this one.
constexpr u64 kOwnCodes = abi::sigbit(abi::sigill) | abi::sigbit(abi::sigfpe) | abi::sigbit(abi::sigsegv)
    | abi::sigbit(abi::sigbus) | abi::sigbit(abi::sigtrap) | abi::sigbit(abi::sigchld)
    | abi::sigbit(abi::sigsys);

abi::SigInfo describe(AsyncOwner const& owner, i32 fd, AsyncEvent event)
{
    constexpr i32 si_sigio = -5;
    abi::SigInfo info;
    info.signo = owner.signal;
    info.code = kOwnCodes & abi::sigbit(owner.signal) ? si_sigio : i32(event);
    info.poll.band = band_of(event);
    info.poll.fd = fd;
    return info;
}

} // namespace

void set_async_owner(File& file, Task& task, u32 type, i32 id)
{
    auto const& who = task.credentials();
    file.async_owner
        = { .type = type, .id = id, .uid = who.uid, .euid = who.euid, .signal = file.async_owner.signal };
}

i32 live_owner(Task const& reader, AsyncOwner const& owner)
{
    if (!owner.id || !exists(reader.kernel(), owner)) return 0;
    i32 const number = pid_out(reader, Pid(owner.id));
    return owner.type == AsyncOwner::group ? -number : number;
}

void send_async_event(Kernel& kernel, AsyncOwner const& owner, i32 fd, AsyncEvent event)
{
    if (!owner.id) return;
    for_each_target(kernel, owner, [&](auto& target, auto... audience) {
        // A queue that is full loses no event: the plain signal says that there is something to look for.
        if (owner.signal && send_signal(target, describe(owner, fd, event), audience...).ok()) return;
        (void)send_signal(target, kernel_signal(abi::sigio), audience...)
            .ok(); // a standard signal is never refused
    });
}

bool send_urgent(Kernel& kernel, AsyncOwner const& owner)
{
    if (!owner.id) return false;
    for_each_target(kernel, owner, [](auto& target, auto... audience) {
        (void)send_signal(target, kernel_signal(abi::sigurg), audience...)
            .ok(); // a standard signal is never refused
    });
    return true;
}

} // namespace umbra::vfs
