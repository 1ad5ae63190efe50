// SPDX-License-Identifier: GPL-2.0-or-later
// seccomp(2), and prctl(2)'s older way to the same.
#include "core/syscall/seccomp.h"

#include "core/seccomp/filter.h"
#include "core/syscall/syscall.h"

namespace umbra {

using namespace abi;

namespace {

SyscallResult set_filter_mode(Task& task, u32 flags, GuestAddr argument)
{
    if (flags & ~seccomp_flag_mask) return err::inval;
    bool const sync = flags & seccomp_flag_tsync, listener = flags & seccomp_flag_new_listener;
    // Both give a number: with TSYNC_ESRCH, only the listener does.
    if (sync && listener && !(flags & seccomp_flag_tsync_esrch)) return err::inval;
    if ((flags & seccomp_flag_wait_killable_recv) && !listener) return err::inval;
    auto const program = TRY(UserIn<SockProgram> { argument }.copy_in(task));
    if (program.length == 0 || program.length > bpf_max_instructions) return err::inval;
    // Before the instructions are looked at, as in Linux.
    if (!task.no_new_privileges && !task.credentials().holds(Capability::sys_admin)) return err::acces;
    auto code = TRY(UserIn<SockFilter> { GuestAddr(program.filter) }.copy_in_array(task, program.length));
    return TRY(seccomp::install(task, flags, std::move(code)));
}

SyscallResult get_action_available(Task& task, u32 flags, GuestAddr argument)
{
    if (flags) return err::inval;
    u32 const action = TRY(UserIn<u32> { argument }.copy_in(task));
    return seccomp::is_action(action) ? SyscallResult(0) : SyscallResult(err::opnotsupp);
}

SyscallResult get_notif_sizes(Task& task, u32 flags, GuestAddr argument)
{
    if (flags) return err::inval;
    SeccompNotifSizes const sizes { sizeof(SeccompNotif), sizeof(SeccompNotifResponse), sizeof(SeccompData) };
    TRY(UserOut<SeccompNotifSizes> { argument }.copy_out(task, sizes));
    return 0;
}

} // namespace

SyscallResult sys_seccomp(Task& task, u32 operation, u32 flags, GuestAddr argument)
{
    switch (operation) {
    case seccomp_set_mode_strict:
        if (flags || !argument.is_null()) return err::inval;
        TRY(seccomp::enter_strict_mode(task));
        return 0;
    case seccomp_set_mode_filter:
        return set_filter_mode(task, flags, argument);
    case seccomp_get_action_avail:
        return get_action_available(task, flags, argument);
    case seccomp_get_notif_sizes:
        return get_notif_sizes(task, flags, argument);
    default:
        return err::inval;
    }
}

SyscallResult set_seccomp_mode(Task& task, u64 mode, GuestAddr filter)
{
    if (mode == seccomp_mode_strict)
        return umbra::sys_seccomp(task, seccomp_set_mode_strict, 0, GuestAddr(0));
    if (mode == seccomp_mode_filter) return umbra::sys_seccomp(task, seccomp_set_mode_filter, 0, filter);
    return err::inval;
}

} // namespace umbra
