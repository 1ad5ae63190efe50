// SPDX-License-Identifier: GPL-2.0-or-later
// prctl(2): the bounding and ambient sets, and the securebits with their locks (capabilities(7)).
#include "core/syscall/prctl.h"

namespace umbra {

using namespace abi;

namespace {

constexpr u64 kLastCapability = u64(Capability::checkpoint_restore);

void set_securebits(Task& task, u32 bits)
{
    auto cred = task.credentials().clone();
    cred->securebits = bits;
    task.set_credentials(std::move(cred));
}

SyscallResult keep_capabilities(Task& task, u64 on)
{
    u32 const bits = task.credentials().securebits;
    if (on > 1) return err::inval;
    if (bits & lock_of(kSecureKeepCaps)) return err::perm;
    set_securebits(task, on ? bits | kSecureKeepCaps : bits & ~kSecureKeepCaps);
    return 0;
}

SyscallResult change_securebits(Task& task, u64 wanted)
{
    constexpr u64 locks = lock_of(kSecureAll);
    u64 const old = task.credentials().securebits;
    bool const breaks_lock = (((old & locks) >> 1) & (old ^ wanted)) || (old & locks & ~wanted);
    if (breaks_lock || (wanted & ~(kSecureAll | locks))) return err::perm;
    if (!task.credentials().holds(Capability::setpcap)) return err::perm;
    set_securebits(task, u32(wanted));
    return 0;
}

SyscallResult drop_from_bounding_set(Task& task, u64 capability)
{
    if (!task.credentials().holds(Capability::setpcap)) return err::perm;
    if (capability > kLastCapability) return err::inval;
    auto cred = task.credentials().clone();
    cred->bounding &= ~(u64 { 1 } << capability);
    task.set_credentials(std::move(cred));
    return 0;
}

SyscallResult change_ambient_set(Task& task, PrctlCall const& call)
{
    enum : u64 { is_set = 1, raise = 2, lower = 3, clear_all = 4 };
    auto cred = task.credentials().clone();
    if (call.a == clear_all) {
        if (call.b || call.c || call.d) return err::inval;
        cred->ambient = 0;
        task.set_credentials(std::move(cred));
        return 0;
    }
    if (call.b > kLastCapability || call.c || call.d) return err::inval;
    u64 const bit = u64 { 1 } << call.b;
    if (call.a == is_set) return bool(cred->ambient & bit);
    if (call.a != raise && call.a != lower) return err::inval;
    bool const may_raise
        = (cred->permitted & cred->inheritable & bit) && !(cred->securebits & kSecureNoAmbientRaise);
    if (call.a == raise && !may_raise) return err::perm;
    cred->ambient = call.a == raise ? cred->ambient | bit : cred->ambient & ~bit;
    task.set_credentials(std::move(cred));
    return 0;
}

} // namespace

PrctlResult prctl_credentials(Task& task, PrctlCall const& call)
{
    switch (call.option) {
    case Prctl::get_keepcaps:
        return SyscallResult(bool(task.credentials().securebits & kSecureKeepCaps));
    case Prctl::set_keepcaps:
        return keep_capabilities(task, call.a);
    case Prctl::capbset_read:
        if (call.a > kLastCapability) return SyscallResult(err::inval);
        return SyscallResult(i64(task.credentials().bounding >> call.a & 1));
    case Prctl::capbset_drop:
        return drop_from_bounding_set(task, call.a);
    case Prctl::get_securebits:
        return SyscallResult(task.credentials().securebits);
    case Prctl::set_securebits:
        return change_securebits(task, call.a);
    case Prctl::cap_ambient:
        return change_ambient_set(task, call);
    default:
        return {};
    }
}

} // namespace umbra
