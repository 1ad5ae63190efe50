// SPDX-License-Identifier: GPL-2.0-or-later
// adjtimex(2) and clock_adjtime(2): the state of a clock that nobody disciplines. It is the host's and read without a
// trap, so it cannot be changed for one instance.
#include "core/syscall/clocks.h"
#include "core/syscall/syscall.h"
#include "core/time/timekeeper.h"

namespace umbra {

using namespace abi;

namespace {

constexpr i64 kTick = 10'000; ///< microseconds, at Linux's USER_HZ of 100

/// EPERM and EINVAL in Linux's order.
Result<void> check_request(Task& task, Timex const& request)
{
    bool may_set = task.credentials().has(Capability::sys_time);
    if (request.modes & adj_adjtime) {
        if (!(request.modes & adj_offset_singleshot)) return err::inval;
        if (!(request.modes & adj_offset_readonly) && !may_set) return err::perm;
    } else {
        if (request.modes && !may_set) return err::perm;
        // A tick may be off by a tenth.
        if ((request.modes & adj_tick) && (request.tick < kTick * 9 / 10 || request.tick > kTick * 11 / 10))
            return err::inval;
    }
    if (request.modes & adj_setoffset) {
        if (!may_set) return err::perm;
        i64 limit = request.modes & adj_nano ? kNanosecondsPerSecond : 1'000'000;
        if (request.time.usec < 0 || request.time.usec >= limit) return err::inval;
    }
    bool reads_only
        = !request.modes || request.modes == (adj_adjtime | adj_offset_singleshot | adj_offset_readonly);
    if (!reads_only) return err::perm;
    return {};
}

SyscallResult adjust(Task& task, Timex request, UserInOut<Timex> out)
{
    TRY(check_request(task, request));
    constexpr i64 kUnknownError = 16'000'000; // NTP's largest, in microseconds
    auto now = task.kernel().time().realtime_timespec();
    Timex state {};
    state.modes = request.modes;
    state.maxerror = state.esterror = kUnknownError;
    state.status = sta_unsync;
    state.constant = 2, state.precision = 1;
    state.tolerance = i64 { 500 } << 16; // 500 ppm
    state.time = { now.sec, now.nsec / 1000 };
    state.tick = kTick;
    TRY(out.copy_out(task, state));
    return time_error;
}

} // namespace

SyscallResult sys_adjtimex(Task& task, UserInOut<Timex> request)
{
    return adjust(task, TRY(request.copy_in(task)), request);
}

SyscallResult sys_clock_adjtime(Task& task, i32 clock, UserInOut<Timex> request)
{
    auto values = TRY(request.copy_in(task));
    if (clock == clock_realtime) return adjust(task, values, request);
    // A negative number is a process's CPU clock, whoever that is, or a device's.
    if (clock > clock_realtime) TRY(read_clock(task, clock));
    return err::opnotsupp;
}

} // namespace umbra
