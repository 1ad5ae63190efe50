// SPDX-License-Identifier: GPL-2.0-or-later
// What the waiting calls (poll, select, epoll_wait, ...) share: timeouts as deadlines, and the signal mask
// that holds only for the wait.
#pragma once

#include "core/abi/file.h"
#include "core/base/error.h"
#include "core/mm/user.h"
#include "core/task/task.h"

namespace umbra {

/// A deadline that has passed: look, but do not wait.
constexpr Nanoseconds kAtOnce = 0;

/// CLOCK_MONOTONIC in nanoseconds.
inline Nanoseconds monotonic_now(Task const& task)
{
    return task.kernel().platform().now(platform::HostClock::monotonic);
}

/// The deadline `timeout` nanoseconds from now; never overflows. 0 is kAtOnce.
inline Nanoseconds deadline_after(Task const& task, Nanoseconds timeout)
{
    if (timeout <= 0) return kAtOnce;
    Nanoseconds now = monotonic_now(task);
    return timeout >= kNever - now ? kNever : now + timeout;
}

/// A relative timespec as nanoseconds, kNever where it does not fit. EINVAL for what is no time.
inline Result<Nanoseconds> to_nanoseconds(abi::Timespec const& time)
{
    if (time.sec < 0 || time.nsec < 0 || time.nsec >= kNanosecondsPerSecond) return err::inval;
    if (time.sec >= kNever / kNanosecondsPerSecond) return kNever;
    return time.sec * kNanosecondsPerSecond + time.nsec;
}

/// A deadline from a timeout in milliseconds as poll(2) takes it: negative waits for ever.
inline Nanoseconds deadline_after_milliseconds(Task const& task, i32 milliseconds)
{
    return milliseconds < 0 ? kNever : deadline_after(task, Nanoseconds(milliseconds) * 1'000'000);
}

/// What is left until `deadline`, not negative.
inline abi::Timespec time_left(Task const& task, Nanoseconds deadline)
{
    Nanoseconds left = deadline == kAtOnce ? 0 : deadline - monotonic_now(task);
    if (left < 0) left = 0;
    return { left / kNanosecondsPerSecond, left % kNanosecondsPerSecond };
}

/// The mask argument of ppoll, pselect6 and epoll_pwait: set before the wait, undone after it, in one step
/// with it as far as signals are concerned. If a signal ended the wait, its handler must still run with the
/// mask of the wait: then the old mask comes back when the handler returns (Task::restore_mask).
class TemporaryMask {
public:
    /// A null `mask` changes nothing. EINVAL for a set of another size, EFAULT.
    static Result<TemporaryMask> apply(Task& task, UserIn<u64> mask, u64 size)
    {
        if (mask.is_null()) return TemporaryMask(nullptr);
        if (size != sizeof(u64)) return err::inval;
        u64 wanted = TRY(mask.copy_in(task));
        task.saved_mask = task.blocked;
        task.blocked = wanted & ~(abi::sigbit(abi::sigkill) | abi::sigbit(abi::sigstop));
        return TemporaryMask(&task);
    }
    /// To be called with the wait's result, once.
    void finish(bool interrupted)
    {
        if (!task_) return;
        if (interrupted)
            task_->restore_mask = true;
        else
            task_->blocked = task_->saved_mask;
    }

private:
    explicit TemporaryMask(Task* task)
        : task_(task)
    {
    }
    Task* task_;
};

} // namespace umbra
