// SPDX-License-Identifier: GPL-2.0-or-later
// The machine as a whole: its names, its memory and load, random numbers, the end.
#include "core/abi/system.h"

#include <algorithm>
#include <cstdio>

#include "core/mm/frame.h"
#include "core/printk/printk.h"
#include "core/syscall/syscall.h"
#include "core/task/lifecycle.h"
#include "core/task/namespaces.h"
#include "core/task/permissions.h"
#include "core/task/pid-namespace.h"
#include "core/task/process-table.h"
#include "core/task/scheduler.h"
#include "core/time/time-namespace.h"

namespace umbra {

using namespace abi;

SyscallResult sys_uname(Task& task, UserOut<Utsname> out)
{
    Utsname names {};
    auto set = [](char(&field)[65], std::string_view text) { text.copy(field, utsname_length); };
    set(names.sysname, kSystemName);
    UtsNamespace const& uts = *task.namespaces().uts;
    set(names.nodename, uts.hostname);
    // UNAME26: for programs that choke on a version from 3 on; Linux shows 6.x as 2.6.(60 + x).
    set(names.release, task.personality & personality_uname26 ? "2.6.72-umbra" : kRelease);
    set(names.version, kVersion);
    set(names.machine, kMachine);
    set(names.domainname, uts.domainname);
    TRY(out.copy_out(task, names));
    return 0;
}

namespace {
SyscallResult set_system_name(Task& task, GuestAddr from, i32 length, std::string& name)
{
    if (!is_capable(task.credentials(), *task.namespaces().uts->owner(), Capability::sys_admin))
        return err::perm;
    if (length < 0 || u64(length) > utsname_length) return err::inval;
    char text[utsname_length];
    TRY(copy_from_user(task, text, from, u64(length)));
    name.assign(text, u64(length));
    if (auto end = name.find('\0'); end != name.npos) name.resize(end);
    return 0;
}
} // namespace

SyscallResult sys_sethostname(Task& task, GuestAddr name, i32 length)
{
    return set_system_name(task, name, length, task.namespaces().uts->hostname);
}

SyscallResult sys_setdomainname(Task& task, GuestAddr name, i32 length)
{
    return set_system_name(task, name, length, task.namespaces().uts->domainname);
}

SyscallResult sys_sysinfo(Task& task, UserOut<Sysinfo> out)
{
    Kernel& kernel = task.kernel();
    Sysinfo info {};
    // Rounded up, as Linux does, so that a machine that just came up shows one second.
    Nanoseconds const up = time_namespace(task).since_boot(kernel.time().uptime());
    info.uptime = (up + kNanosecondsPerSecond - 1) / kNanosecondsPerSecond;
    double load[3];
    kernel.scheduler().load_average(load);
    for (int i = 0; i < 3; ++i)
        info.loads[i] = u64(load[i] * 65536);
    info.totalram = kernel.memory().limit() << kPageShift;
    info.freeram = kernel.memory().free() << kPageShift;
    info.procs = u16(std::min<size_t>(kernel.processes().tasks().size(), 0xffff));
    info.mem_unit = 1;
    TRY(out.copy_out(task, info));
    return 0;
}

SyscallResult sys_getrandom(Task& task, GuestAddr buffer, u64 length, u32 flags)
{
    if (flags & ~(grnd_nonblock | grnd_random | grnd_insecure)) return err::inval;
    if ((flags & grnd_random) && (flags & grnd_insecure)) return err::inval;
    length = std::min<u64>(length, INT32_MAX);
    IoBuffer out = IoBuffer::user(task, buffer, length);
    u8 chunk[256];
    while (out.remaining()) {
        std::span<u8> piece(chunk, std::min<u64>(out.remaining(), sizeof chunk));
        task.kernel().platform().random_bytes(piece);
        auto moved = out.put(piece.data(), piece.size());
        if (moved.is_error() && !out.transferred()) return moved.error();
        if (moved.is_error() || moved.value() < piece.size()) break;
        // As Linux: a long request ends at a signal, a short one never does.
        if (out.transferred() >= kPageSize && task.has_pending_signal()) break;
    }
    return i64(out.transferred());
}

SyscallResult sys_getcpu(Task& task, UserOut<u32> cpu, UserOut<u32> node, GuestAddr)
{
    if (!cpu.is_null()) TRY(cpu.copy_out(task, task.vcpu->index()));
    if (!node.is_null()) TRY(node.copy_out(task, 0));
    return 0;
}

SyscallResult sys_personality(Task& task, u32 persona)
{
    u32 old = task.personality;
    if (persona != personality_query) task.personality = persona;
    return old;
}

namespace {

/// Within a pid namespace it ends that one's init, whose parent sees a signal that tells how.
SyscallResult reboot_namespace(Task& task, PidNamespace& pids, u32 command)
{
    switch (command) {
    case reboot_restart:
    case reboot_restart2:
        pids.reboot_signal = sighup;
        break;
    case reboot_halt:
    case reboot_power_off:
        pids.reboot_signal = sigint;
        break;
    default:
        return err::inval;
    }
    if (pids.init) exit_group(*pids.init, u32(sigkill));
    exit_group(task.process(), 0);
    return 0;
}

} // namespace

SyscallResult sys_reboot(Task& task, u32 magic1, u32 magic2, u32 command, GuestAddr)
{
    PidNamespace& pids = pid_namespace(task);
    if (!is_capable(task.credentials(), *pids.owner(), Capability::sys_boot)) return err::perm;
    if (magic1 != reboot_magic1
        || std::find(std::begin(reboot_magic2), std::end(reboot_magic2), magic2) == std::end(reboot_magic2))
        return err::inval;
    if (!pids.is_first()) return reboot_namespace(task, pids, command);
    switch (command) {
    case reboot_cad_on:
    case reboot_cad_off:
        // There is no Ctrl-Alt-Del that could be taken over.
        return 0;
    case reboot_restart:
    case reboot_restart2:
    case reboot_halt:
    case reboot_power_off:
        task.kernel().printk().notice("umbra: the guest ends the instance (reboot, command %#x)", command);
        task.kernel().shut_down(0);
        return 0;
    default:
        return err::inval;
    }
}

} // namespace umbra
