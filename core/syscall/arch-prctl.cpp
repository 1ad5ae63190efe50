// SPDX-License-Identifier: GPL-2.0-or-later
// arch_prctl(2): the segment bases, and what there is of the CPU's optional state.
#include <cstring>

#include "core/syscall/syscall.h"
#include "core/task/scheduler.h"

namespace umbra {

namespace {

enum : i32 {
    set_gs = 0x1001,
    set_fs = 0x1002,
    get_fs = 0x1003,
    get_gs = 0x1004,
    get_cpuid = 0x1011,
    set_cpuid = 0x1012,
    get_xcomp_supp = 0x1021,
    get_xcomp_perm = 0x1022,
    req_xcomp_perm = 0x1023,
    get_xcomp_guest_perm = 0x1024,
    req_xcomp_guest_perm = 0x1025,
};

SyscallResult move_base(Task& task, i32 code, u64 address)
{
    auto* regs = task.guest().registers(*task.vcpu);
    if (!regs) return err::srch;
    u64& base = code == set_fs || code == get_fs ? regs->fs_base : regs->gs_base;
    if (code == set_fs || code == set_gs) {
        if (address >= task.kernel().platform().machine().task_size) return err::perm;
        base = address;
        return 0;
    }
    u64 const value = base;
    TRY((UserOut<u64> { GuestAddr(address) }.copy_out(task, value)));
    return 0;
}

/// The parts of the XSAVE image that a guest has: all that it may ever have, too.
SyscallResult get_components(Task& task, u64 address)
{
    constexpr u64 mask_at = 464 + 8; // in the software bytes of the signal frame's image
    auto image = task.guest().fp_state(*task.vcpu);
    if (image.size() < mask_at + sizeof(u64)) return err::srch;
    u64 mask;
    std::memcpy(&mask, image.data() + mask_at, sizeof mask);
    TRY((UserOut<u64> { GuestAddr(address) }.copy_out(task, mask)));
    return 0;
}

} // namespace

SyscallResult sys_arch_prctl(Task& task, i32 code, u64 address)
{
    constexpr u64 last_dynamic_component = 18; // AMX's tiles
    switch (code) {
    case set_gs:
    case set_fs:
    case get_fs:
    case get_gs:
        return move_base(task, code, address);
    case get_cpuid:
        return 1; // the instruction can be used,
    case set_cpuid:
        return err::nodev; // and cannot be made to fault
    case get_xcomp_supp:
    case get_xcomp_perm:
    case get_xcomp_guest_perm:
        return get_components(task, address);
    case req_xcomp_perm:
    case req_xcomp_guest_perm:
        return address > last_dynamic_component ? err::inval : err::opnotsupp;
    default:
        return err::inval;
    }
}

} // namespace umbra
