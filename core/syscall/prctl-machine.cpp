// SPDX-License-Identifier: GPL-2.0-or-later
// prctl(2): options about the CPU: its counter, its errors, its speculation, who catches system calls.
#include "core/syscall/prctl.h"

namespace umbra {

using namespace abi;

namespace {

/// PR_TSC_ENABLE, PR_TSC_SIGSEGV.
enum : u64 { counter_readable = 1, counter_fatal = 2 };

SyscallResult get_time_stamp_counter(Task& task, GuestAddr out)
{
    TRY(UserOut<i32> { out }.copy_out(
        task, i32(task.counter_is_readable ? counter_readable : counter_fatal)));
    return 0;
}

SyscallResult set_time_stamp_counter(Task& task, u64 mode)
{
    if (mode != counter_readable && mode != counter_fatal) return err::inval;
    TRY(umbra::set_time_stamp_counter(task, mode == counter_readable));
    return 0;
}

SyscallResult set_machine_check_policy(Task& task, PrctlCall const& call)
{
    if (call.c || call.d) return err::inval;
    if (call.a == mce_kill_clear) {
        if (call.b) return err::inval;
        task.machine_check_policy = u8(mce_kill_default);
        return 0;
    }
    if (call.a != mce_kill_set || call.b > mce_kill_default) return err::inval;
    task.machine_check_policy = u8(call.b);
    return 0;
}

/// As Linux on a machine that was started with mitigations=off: what the CPU does is the host's to say.
SyscallResult get_speculation(PrctlCall const& call)
{
    if (call.b || call.c || call.d) return err::inval;
    if (call.a == spec_l1d_flush) return i64(spec_force_disable);
    if (call.a == spec_store_bypass || call.a == spec_indirect_branch) return i64(spec_enable);
    return err::nodev;
}

SyscallResult set_speculation(PrctlCall const& call)
{
    if (call.c || call.d) return err::inval;
    switch (call.a) {
    case spec_store_bypass:
        return err::nxio;
    case spec_indirect_branch:
        if (call.b == spec_enable) return 0;
        return call.b == spec_disable || call.b == spec_force_disable ? err::perm : err::range;
    case spec_l1d_flush:
        return err::perm;
    default:
        return err::nodev;
    }
}

SyscallResult set_dispatch(Task& task, PrctlCall const& call)
{
    SyscallDispatch const wanted { call.b, call.c, GuestAddr(call.d) };
    TRY(set_syscall_dispatch(task, call.a, wanted));
    return 0;
}

} // namespace

Result<void> set_syscall_dispatch(Task& task, u64 mode, SyscallDispatch const& wanted)
{
    if (mode == dispatch_off) {
        if (wanted.start || wanted.length || !wanted.selector.is_null()) return err::inval;
        task.syscall_work &= ~u32 { work_dispatch };
        task.dispatch = {};
        return {};
    }
    if (mode != dispatch_on) return err::inval;
    if (wanted.start && wanted.start + wanted.length <= wanted.start) return err::inval;
    if (wanted.selector.value >= task.kernel().platform().machine().task_size) return err::fault;
    task.dispatch = wanted;
    task.syscall_work |= work_dispatch;
    return {};
}

PrctlResult prctl_machine(Task& task, PrctlCall const& call)
{
    switch (call.option) {
    case Prctl::get_tsc:
        return get_time_stamp_counter(task, GuestAddr(call.a));
    case Prctl::set_tsc:
        return set_time_stamp_counter(task, call.a);
    case Prctl::mce_kill:
        return set_machine_check_policy(task, call);
    case Prctl::mce_kill_get:
        return call.has_any() ? SyscallResult(err::inval) : SyscallResult(task.machine_check_policy);
    case Prctl::get_speculation_ctrl:
        return get_speculation(call);
    case Prctl::set_speculation_ctrl:
        return set_speculation(call);
    case Prctl::set_syscall_user_dispatch:
        return set_dispatch(task, call);
    default:
        return {};
    }
}

} // namespace umbra
