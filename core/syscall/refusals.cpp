// SPDX-License-Identifier: GPL-2.0-or-later
// Calls that reach below the kernel, which a guest may not: what Linux says where they are locked down, in its
// order of checks. Those that Linux answers with ENOSYS are rows of table.def and have no function.
#include "core/syscall/path-argument.h"
#include "core/syscall/syscall.h"

namespace umbra {

/// acct(2): turning off what was never on succeeds.
SyscallResult sys_acct(Task& task, UserCString path)
{
    if (!task.credentials().has(Capability::sys_pacct)) return err::perm;
    if (path.is_null()) return 0;
    auto file = TRY(resolve(task, kWorkingDirectory, path));
    if (!abi::is_regular(file.inode().mode())) return err::acces;
    return err::nosys;
}

SyscallResult sys_swapon(Task& task, UserCString path, u32 flags)
{
    constexpr u32 kKnownFlags = 0x7fff | 0x8000 | 0x10000 | 0x20000 | 0x40000; // priority, prefer, discard
    if (flags & ~kKnownFlags) return err::inval;
    if (!task.credentials().has(Capability::sys_admin)) return err::perm;
    TRY(resolve(task, kWorkingDirectory, path));
    return err::inval;
}

SyscallResult sys_swapoff(Task& task, UserCString path)
{
    if (!task.credentials().has(Capability::sys_admin)) return err::perm;
    TRY(resolve(task, kWorkingDirectory, path));
    return err::inval;
}

SyscallResult sys_iopl(Task&, u32 level)
{
    if (level > 3) return err::inval;
    return level ? SyscallResult(err::perm) : SyscallResult(0);
}

SyscallResult sys_ioperm(Task&, u64 from, u64 count, i32 turn_on)
{
    constexpr u64 kPorts = 65536;
    if (from + count <= from || from + count > kPorts) return err::inval;
    return turn_on ? SyscallResult(err::perm) : SyscallResult(0);
}

SyscallResult sys_init_module(Task&, GuestAddr, u64, UserCString) { return err::perm; }
SyscallResult sys_delete_module(Task&, UserCString, u32) { return err::perm; }
SyscallResult sys_finit_module(Task&, i32, UserCString, i32) { return err::perm; }
SyscallResult sys_kexec_load(Task&, u64, u64, GuestAddr, u64) { return err::perm; }
SyscallResult sys_kexec_file_load(Task&, i32, i32, u64, GuestAddr, u64) { return err::perm; }

namespace {

/// struct user_desc of modify_ldt(2); the bits of `flags` are Linux's bit fields in order.
struct SegmentDescription {
    u32 entry, base, limit, flags;
    u32 contents() const { return flags >> 1 & 3; }
    bool not_present() const { return flags >> 5 & 1; }
};
static_assert(sizeof(SegmentDescription) == 16);

constexpr u32 kSegments = 8192;

SyscallResult write_segment(Task& task, GuestAddr pointer, u64 length, bool old_form)
{
    if (length != sizeof(SegmentDescription)) return err::inval;
    auto wanted = TRY(UserIn<SegmentDescription> { pointer }.copy_in(task));
    if (wanted.entry >= kSegments) return err::inval;
    if (wanted.contents() == 3 && (old_form || !wanted.not_present())) return err::inval;
    return err::nosys; // only the host could load it into the stub's table
}

SyscallResult use_segments(Task& task, i32 function, GuestAddr pointer, u64 length)
{
    constexpr u64 kDefaultTable = 128;
    switch (function) {
    case 0: // the table, which has no entry
        return 0;
    case 2: {
        u64 size = std::min(length, kDefaultTable);
        TRY(zero_user(task, pointer, size));
        return i64(size);
    }
    case 1:
    case 0x11:
        return write_segment(task, pointer, length, function == 1);
    default:
        return err::nosys;
    }
}

} // namespace

SyscallResult sys_modify_ldt(Task& task, i32 function, GuestAddr pointer, u64 length)
{
    auto result = use_segments(task, function, pointer, length);
    if (result.ok()) return result;
    // Linux's result is an int that is not extended: the upper half of rax is zero.
    return i64(u32(-i32(result.error())));
}

} // namespace umbra
