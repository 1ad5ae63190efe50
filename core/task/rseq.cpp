// SPDX-License-Identifier: GPL-2.0-or-later
// What the kernel does about restartable sequences.
#include "core/task/rseq.h"

#include <bit>

#include "core/abi/rseq.h"
#include "core/kernel.h"
#include "core/mm/address-space.h"
#include "core/task/lifecycle.h"
#include "core/task/scheduler.h"

namespace umbra::rseq {

using namespace abi;
using platform::Registers;

namespace {

constexpr u64 kSignatureSize = 4; ///< before the abort handler's first instruction

/// EFAULT, EINVAL for one that Linux does not believe.
Result<RseqCriticalSection> read_section(Task& task, u64 address)
{
    u64 const task_size = task.kernel().platform().machine().task_size;
    if (address >= task_size) return err::inval;
    auto const section = TRY(UserIn<RseqCriticalSection> { GuestAddr(address) }.copy_in(task));
    u64 const end = section.start + section.length;
    if (section.start >= task_size || end >= task_size || section.abort >= task_size || section.version != 0)
        return err::inval;
    if (end < section.start || section.abort - section.start < section.length) return err::inval;
    u32 const signature = TRY(UserIn<u32> { GuestAddr(section.abort - kSignatureSize) }.copy_in(task));
    if (signature != task.rseq.signature) return err::inval;
    return section;
}

Result<void> forget_section(Task& task)
{
    return UserOut<u64> { task.rseq.area + offsetof(RseqArea, critical_section) }.copy_out(task, 0);
}

/// `regs` are those of the interrupted guest code.
Result<void> leave_section(Task& task, RseqArea const& area, Registers& regs)
{
    auto const section = TRY(read_section(task, area.critical_section));
    bool const within = regs.rip - section.start < section.length;
    if (within && (area.flags || section.flags)) return err::inval; // what once kept from restarts
    TRY(forget_section(task));
    if (within) regs.rip = section.abort;
    return {};
}

/// The lowest that no other running task of this memory has.
u32 take_id(Task& task)
{
    u64& taken = task.mm().concurrency_ids;
    if (task.concurrency_id < 0) {
        task.concurrency_id = std::countr_one(taken);
        taken |= u64 { 1 } << task.concurrency_id;
    }
    return u32(task.concurrency_id);
}

Result<void> publish(Task& task)
{
    u32 const cpu = task.vcpu->index(), id = take_id(task);
    u32 const cpus[] = { cpu, cpu }, others[] = { 0, id };
    TRY(copy_to_user(task, task.rseq.area, cpus, sizeof cpus));
    return copy_to_user(task, task.rseq.area + offsetof(RseqArea, node_id), others, sizeof others);
}

Result<RseqArea> read_area(Task& task)
{
    RseqArea area {};
    TRY(copy_from_user(task, &area, task.rseq.area, rseq_feature_size));
    return area;
}

Result<void> bring_up_to_date(Task& task)
{
    auto const area = TRY(read_area(task));
    if (area.critical_section) {
        auto* regs = task.guest().registers(*task.vcpu);
        if (!regs) return {}; // its stub has died: the next entry says so
        TRY(leave_section(task, area, *regs));
    }
    return publish(task);
}

} // namespace

void prepare_to_return(Task& task)
{
    // First: whatever waits below may move the task, which then comes here again.
    task.rseq_pending = false;
    if (bring_up_to_date(task).is_error() && !task.is_dying()) force_signal(task, kernel_signal(sigsegv));
}

void prepare_for_handler(Task& task, Registers& regs, int signal)
{
    auto area = read_area(task);
    if (area.ok() && !area.value().critical_section) return;
    if (area.ok() && leave_section(task, area.value(), regs).ok()) return;
    if (signal == sigsegv)
        exit_group(task.process(), sigsegv);
    else
        force_signal(task, kernel_signal(sigsegv));
}

void release_id(Task& task)
{
    if (task.concurrency_id < 0) return;
    task.mm().concurrency_ids &= ~(u64 { 1 } << task.concurrency_id);
    task.concurrency_id = -1;
}

} // namespace umbra::rseq
