// SPDX-License-Identifier: GPL-2.0-or-later
// prctl(2).
#include "core/abi/signal.h"
#include "core/syscall/seccomp.h"
#include "core/syscall/syscall.h"

namespace umbra {

using namespace abi;

namespace {

/// prctl(2)'s options.
// clang-format off
enum : i32 {
    set_pdeathsig = 1, get_pdeathsig = 2, get_dumpable = 3, set_dumpable = 4, get_keepcaps = 7, set_keepcaps = 8,
    get_timing = 13, set_timing = 14, set_name = 15, get_name = 16, get_seccomp = 21, set_seccomp = 22, capbset_read = 23, capbset_drop = 24, get_tsc = 25, set_tsc = 26,
    get_securebits = 27, set_securebits = 28, set_timerslack = 29, get_timerslack = 30, mce_kill_get = 34, set_child_subreaper = 36, get_child_subreaper = 37,
    set_no_new_privs = 38, get_no_new_privs = 39, get_tid_address = 40, set_thp_disable = 41, get_thp_disable = 42,
    cap_ambient = 47,
};
// clang-format on

/// PR_CAP_AMBIENT.
SyscallResult ambient_capabilities(Task& task, u64 a, u64 b, u64 c, u64 d)
{
    enum : u64 { is_set = 1, raise = 2, lower = 3, clear_all = 4 };
    auto cred = task.credentials().clone();
    if (a == clear_all && !b && !c && !d) {
        cred->ambient = 0;
    } else {
        if (b > 40 || c || d) return err::inval;
        u64 bit = u64 { 1 } << b;
        if (a == is_set) return bool(cred->ambient & bit);
        if (a == raise && !((cred->permitted & cred->inheritable) & bit)) return err::perm;
        if (a != raise && a != lower) return err::inval;
        cred->ambient = a == raise ? cred->ambient | bit : cred->ambient & ~bit;
    }
    task.set_credentials(std::move(cred));
    return 0;
}

/// Options that read or change credentials.
SyscallResult credential_option(Task& task, i32 option, u64 a, u64 b, u64 c, u64 d)
{
    constexpr u32 kKeepCaps = 1 << 4;
    switch (option) {
    case get_keepcaps:
        return bool(task.credentials().securebits & kKeepCaps);
    case set_keepcaps: {
        if (a > 1) return err::inval;
        auto cred = task.credentials().clone();
        cred->securebits = (cred->securebits & ~kKeepCaps) | (a ? kKeepCaps : 0);
        task.set_credentials(std::move(cred));
        return 0;
    }
    case capbset_read:
        if (a > 40) return err::inval;
        return task.credentials().bounding >> a & 1;
    case capbset_drop: {
        if (!task.credentials().holds(Capability::setpcap)) return err::perm;
        if (a > 40) return err::inval;
        auto cred = task.credentials().clone();
        cred->bounding &= ~(u64 { 1 } << a);
        task.set_credentials(std::move(cred));
        return 0;
    }
    case get_securebits:
        return task.credentials().securebits;
    case set_securebits: {
        if (!task.credentials().holds(Capability::setpcap)) return err::perm;
        if (a > 0xff) return err::perm;
        auto cred = task.credentials().clone();
        cred->securebits = u32(a);
        task.set_credentials(std::move(cred));
        return 0;
    }
    case cap_ambient:
        return ambient_capabilities(task, a, b, c, d);
    default:
        return err::inval; // as a kernel that does not know the option
    }
}

/// Options that describe the machine or have one possible value here.
SyscallResult machine_option(Task& task, i32 option, u64 a, u64 b, u64 c, u64 d)
{
    constexpr u64 kTscEnabled = 1, kMceKillDefault = 2;
    Process& process = task.process();
    switch (option) {
    case get_timing:
        return 0; // statistical
    case set_timing:
        return a == 0 ? SyscallResult(0) : SyscallResult(err::inval);
    case get_seccomp:
        return task.seccomp_mode;
    case set_seccomp:
        return set_seccomp_mode(task, a, GuestAddr(b));
    case get_tsc:
        TRY((UserOut<i32> { GuestAddr(a) }.copy_out(task, i32(kTscEnabled))));
        return 0;
    // Guests read the counter natively: it cannot be taken from one of them.
    case set_tsc:
        return a == kTscEnabled ? SyscallResult(0) : SyscallResult(err::inval);
    case mce_kill_get:
        if (a || b || c || d) return err::inval;
        return i64(kMceKillDefault);
    case set_thp_disable:
        if (b || c || d) return err::inval;
        process.huge_pages_disabled = a;
        return 0;
    case get_thp_disable:
        if (a || b || c || d) return err::inval;
        return process.huge_pages_disabled;
    default:
        return credential_option(task, option, a, b, c, d);
    }
}

} // namespace

SyscallResult sys_prctl(Task& task, i32 option, u64 a, u64 b, u64 c, u64 d)
{
    Process& process = task.process();
    switch (option) {
    case set_pdeathsig:
        if (a > u64(signal_count)) return err::inval;
        task.parent_death_signal = u32(a);
        return 0;
    case get_pdeathsig:
        TRY((UserOut<i32> { GuestAddr(a) }.copy_out(task, i32(task.parent_death_signal))));
        return 0;
    case get_dumpable:
        return process.dumpable;
    case set_dumpable:
        if (a > 1) return err::inval;
        process.dumpable = a;
        return 0;
    case set_name: {
        char name[16] = {};
        auto text = copy_string_from_user(task, GuestAddr(a), 16, err::nametoolong);
        if (text.is_error() && text.error() == err::fault) return err::fault;
        if (text.is_error()) TRY(copy_from_user(task, name, GuestAddr(a), 15));
        task.set_name(text.ok() ? std::string_view(text.value()) : std::string_view(name));
        return 0;
    }
    case get_name: {
        char name[16] = {};
        task.name().copy(name, 15);
        TRY(copy_to_user(task, GuestAddr(a), name, sizeof name));
        return 0;
    }
    case set_timerslack:
        task.timer_slack = a ? Nanoseconds(a) : task.default_timer_slack;
        return 0;
    case get_timerslack:
        return task.timer_slack;
    case set_child_subreaper:
        process.is_subreaper = a;
        return 0;
    case get_child_subreaper:
        TRY((UserOut<i32> { GuestAddr(a) }.copy_out(task, process.is_subreaper)));
        return 0;
    case set_no_new_privs:
        if (a != 1 || b || c || d) return err::inval;
        task.no_new_privileges = true;
        return 0;
    case get_no_new_privs:
        if (a || b || c || d) return err::inval;
        return task.no_new_privileges;
    case get_tid_address:
        TRY((UserOut<u64> { GuestAddr(a) }.copy_out(task, task.clear_child_tid.value)));
        return 0;
    default:
        return machine_option(task, option, a, b, c, d);
    }
}

} // namespace umbra
