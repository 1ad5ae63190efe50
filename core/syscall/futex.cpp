// SPDX-License-Identifier: GPL-2.0-or-later
// futex(2), its younger kin with one call per operation (futex_waitv, futex_wake, ...), and robust lists.
#include "core/task/futex.h"

#include "core/abi/process.h"
#include "core/syscall/syscall.h"
#include "core/task/permissions.h"
#include "core/task/pid-namespace.h"
#include "core/task/process-table.h"
#include "core/time/time-namespace.h"

namespace umbra {

using namespace abi;

namespace {

/// An absolute timeout as an instant of CLOCK_MONOTONIC; kNever without one.
Result<Nanoseconds> absolute_deadline(Task& task, UserIn<Timespec> timeout, bool realtime)
{
    if (timeout.is_null()) return kNever;
    auto t = TRY(timeout.copy_in(task));
    if (!Timekeeper::is_valid(t)) return err::inval;
    Nanoseconds at = Timekeeper::from_timespec(t);
    auto& time = task.kernel().time();
    if (!realtime) return time_namespace(task).to_kernel(clock_monotonic, at);
    if (at == kNever) return at;
    return Timekeeper::add(time.monotonic(), at - time.realtime());
}

} // namespace

SyscallResult sys_futex(Task& task, GuestAddr address, u32 operation, u32 value, GuestAddr timeout,
    GuestAddr address2, u32 value3)
{
    FutexCall call { .address = address, .operation = operation, .value = value };
    call.address2 = address2, call.value3 = value3;
    u32 command = operation & futex_cmd_mask;
    bool waits = command == futex_wait || command == futex_wait_bitset || command == futex_lock_pi
        || command == futex_lock_pi2 || command == futex_wait_requeue_pi;
    bool realtime = (operation & futex_clock_realtime) || command == futex_lock_pi;
    if ((operation & futex_clock_realtime) && command != futex_wait_bitset && command != futex_wait
        && command != futex_lock_pi2 && command != futex_wait_requeue_pi)
        return err::nosys;
    UserIn<Timespec> time { timeout };
    if (!waits) {
        call.value2 = u32(timeout.value);
    } else if (command == futex_wait && !timeout.is_null()) {
        auto t = TRY(time.copy_in(task));
        if (!Timekeeper::is_valid(t)) return err::inval;
        call.deadline = Timekeeper::add(task.kernel().time().monotonic(), Timekeeper::from_timespec(t));
    } else {
        call.deadline = TRY(absolute_deadline(task, time, realtime));
    }
    return futex_call(task, call);
}

namespace {

constexpr u32 kSizeMask = 3, kSize32 = 2, kPrivate = 128; ///< FUTEX2_*
constexpr u32 kWaitersMax = 128;

/// EINVAL for words of another size than 32 bits, as Linux has it so far.
Result<void> check_flags(u32 flags)
{
    return (flags & ~(kSizeMask | kPrivate)) || (flags & kSizeMask) != kSize32 ? Result<void>(err::inval)
                                                                               : Result<void>();
}

Result<FutexWord> to_word(FutexWaitBlock const& block)
{
    TRY(check_flags(block.flags));
    if (block.reserved || block.value > UINT32_MAX) return err::inval;
    return FutexWord { GuestAddr(block.address), u32(block.value), bool(block.flags & kPrivate) };
}

Result<std::vector<FutexWord>> copy_in_words(Task& task, UserIn<FutexWaitBlock> blocks, u32 count)
{
    std::vector<FutexWord> words;
    for (auto const& block : TRY(blocks.copy_in_array(task, count)))
        words.push_back(TRY(to_word(block)));
    return words;
}

Result<Nanoseconds> deadline_on(Task& task, UserIn<Timespec> timeout, i32 clock)
{
    if (!timeout.is_null() && clock != clock_monotonic && clock != clock_realtime) return err::inval;
    return absolute_deadline(task, timeout, clock == clock_realtime);
}

} // namespace

SyscallResult sys_futex_waitv(
    Task& task, UserIn<FutexWaitBlock> blocks, u32 count, u32 flags, UserIn<Timespec> timeout, i32 clock)
{
    if (flags || count == 0 || count > kWaitersMax || blocks.is_null()) return err::inval;
    Nanoseconds deadline = TRY(deadline_on(task, timeout, clock));
    auto words = TRY(copy_in_words(task, blocks, count));
    return futex_wait_for_any(task, words, deadline);
}

SyscallResult sys_futex_wake(Task& task, GuestAddr address, u64 mask, i32 count, u32 flags)
{
    TRY(check_flags(flags));
    if (mask > UINT32_MAX) return err::inval;
    FutexCall call {
        .address = address, .operation = futex_wake_bitset | (flags & kPrivate), .value = u32(count)
    };
    call.value3 = u32(mask);
    return futex_call(task, call);
}

SyscallResult sys_futex_wait(
    Task& task, GuestAddr address, u64 value, u64 mask, u32 flags, UserIn<Timespec> timeout, i32 clock)
{
    TRY(check_flags(flags));
    if (value > UINT32_MAX || mask > UINT32_MAX) return err::inval;
    FutexCall call {
        .address = address, .operation = futex_wait_bitset | (flags & kPrivate), .value = u32(value)
    };
    call.deadline = TRY(deadline_on(task, timeout, clock));
    call.value3 = u32(mask);
    return futex_call(task, call);
}

SyscallResult sys_futex_requeue(Task& task, UserIn<FutexWaitBlock> blocks, u32 flags, i32 wake, i32 move)
{
    if (flags || blocks.is_null() || wake < 0 || move < 0) return err::inval;
    auto words = TRY(copy_in_words(task, blocks, 2));
    return futex_move_waiters(task, words[0], words[1], u32(wake), u32(move));
}

namespace {
constexpr u64 kRobustHeadSize = 24;
}

SyscallResult sys_set_robust_list(Task& task, GuestAddr head, u64 size)
{
    if (size != kRobustHeadSize) return err::inval;
    task.robust_list = head;
    return 0;
}

SyscallResult sys_get_robust_list(Task& task, i32 pid, UserOut<u64> head, UserOut<u64> size)
{
    Task* t = pid ? task.kernel().processes().find_task(pid_in(task, pid)) : &task;
    if (!t) return err::srch;
    TRY(check_may_inspect(task, *t));
    TRY(size.copy_out(task, kRobustHeadSize));
    TRY(head.copy_out(task, t->robust_list.value));
    return 0;
}

} // namespace umbra
