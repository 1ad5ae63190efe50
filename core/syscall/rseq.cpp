// SPDX-License-Identifier: GPL-2.0-or-later
// rseq(2): a thread says where its area is, or takes that back.
#include "core/abi/rseq.h"

#include "core/syscall/syscall.h"
#include "core/task/rseq.h"

namespace umbra {

using namespace abi;

namespace {

/// EINVAL for another area than the one that is registered, EPERM for another signature.
Result<void> check_same(RseqRegistration const& known, GuestAddr area, u32 length, u32 signature)
{
    if (known.area != area || known.area.is_null() || known.length != length) return err::inval;
    if (known.signature != signature) return err::perm;
    return {};
}

SyscallResult unregister(Task& task)
{
    u32 const cpus[] = { 0, rseq_cpu_uninitialized }, others[] = { 0, 0 };
    TRY(copy_to_user(task, task.rseq.area, cpus, sizeof cpus));
    TRY(copy_to_user(task, task.rseq.area + offsetof(RseqArea, node_id), others, sizeof others));
    task.rseq = {};
    task.rseq_pending = false;
    rseq::release_id(task);
    return 0;
}

/// The first size came with an alignment of its own; longer areas hold all that this kernel knows.
bool is_aligned_and_long(GuestAddr area, u32 length)
{
    constexpr u64 alignment = 32;
    return length >= rseq_original_size && area.value % alignment == 0;
}

} // namespace

SyscallResult sys_rseq(Task& task, GuestAddr area, u32 length, u32 flags, u32 signature)
{
    if (flags & ~rseq_flag_unregister) return err::inval;
    if (flags & rseq_flag_unregister) {
        TRY(check_same(task.rseq, area, length, signature));
        return unregister(task);
    }
    if (!task.rseq.area.is_null()) {
        TRY(check_same(task.rseq, area, length, signature));
        return err::busy;
    }
    if (!is_aligned_and_long(area, length)) return err::inval;
    u64 const task_size = task.kernel().platform().machine().task_size;
    if (area.value >= task_size || length > task_size - area.value) return err::fault;
    task.rseq = { area, length, signature };
    task.rseq_pending = true;
    return 0;
}

} // namespace umbra
