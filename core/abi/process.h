// SPDX-License-Identifier: GPL-2.0-or-later
// The guest's ABI for processes and time: rusage, rlimit, clone_args, itimers, sigevent, sched parameters.
#pragma once

#include "core/abi/file.h"
#include "core/abi/signal.h"

namespace umbra::abi {

struct Rusage {
    Timeval utime, stime;
    i64 maxrss, ixrss, idrss, isrss, minflt, majflt, nswap, inblock, oublock, msgsnd, msgrcv, nsignals, nvcsw,
        nivcsw;
};
static_assert(sizeof(Rusage) == 144);

struct RlimitPair {
    u64 current, maximum;
};

struct CloneArgs {
    u64 flags, pidfd, child_tid, parent_tid, exit_signal, stack, stack_size, tls, set_tid, set_tid_size,
        cgroup;
};
static_assert(sizeof(CloneArgs) == 88);

struct Tms {
    i64 utime, stime, cutime, cstime;
};

struct Itimerspec {
    Timespec interval, value;
};
struct Itimerval {
    Timeval interval, value;
};
struct Timezone {
    i32 minuteswest, dsttime;
};

struct SigEvent {
    u64 value;
    i32 signo, notify;
    i32 thread;
    i32 pad[11];
};
static_assert(sizeof(SigEvent) == 64);
constexpr i32 sigev_signal = 0, sigev_none = 1, sigev_thread = 2, sigev_thread_id = 4;

struct FutexWaitBlock {
    u64 value, address;
    u32 flags, reserved;
};
static_assert(sizeof(FutexWaitBlock) == 24);

/// struct sched_attr of Linux 5.3 on; the last two words came with it.
struct SchedAttr {
    u32 size, policy;
    u64 flags;
    i32 nice;
    u32 priority;
    u64 runtime, deadline, period;
    u32 util_min, util_max;
};
static_assert(sizeof(SchedAttr) == 56);
constexpr u32 sched_attr_size_first = 48;
constexpr u32 sched_other = 0, sched_fifo = 1, sched_rr = 2, sched_batch = 3, sched_idle = 5,
              sched_deadline = 6;
constexpr u64 sched_flag_reset_on_fork = 1, sched_flag_reclaim = 2, sched_flag_dl_overrun = 4,
              sched_flag_keep_policy = 8, sched_flag_keep_params = 16;

struct SchedParam {
    i32 priority;
};

constexpr i32 clock_realtime = 0, clock_monotonic = 1, clock_process_cputime = 2, clock_thread_cputime = 3;
constexpr i32 clock_monotonic_raw = 4, clock_realtime_coarse = 5, clock_monotonic_coarse = 6,
              clock_boottime = 7;
constexpr i32 clock_realtime_alarm = 8, clock_boottime_alarm = 9, clock_tai = 11;
constexpr u32 timer_abstime = 1;

/// struct timex of adjtimex(2).
struct Timex {
    u32 modes, pad;
    i64 offset, freq, maxerror, esterror;
    i32 status, pad2;
    i64 constant, precision, tolerance;
    Timeval time;
    i64 tick, ppsfreq, jitter;
    i32 shift, pad3;
    i64 stabil, jitcnt, calcnt, errcnt, stbcnt;
    i32 tai, pad4[11];
};
static_assert(sizeof(Timex) == 208 && offsetof(Timex, time) == 72 && offsetof(Timex, tai) == 160);
constexpr u32 adj_offset = 0x0001, adj_tick = 0x4000, adj_adjtime = 0x8000, adj_offset_singleshot = 0x0001;
constexpr u32 adj_offset_readonly = 0x2000, adj_setoffset = 0x0100, adj_nano = 0x2000, adj_frequency = 0x0002;
constexpr i32 sta_unsync = 0x0040, time_error = 5;

constexpr i32 p_all = 0, p_pid = 1, p_pgid = 2, p_pidfd = 3;

} // namespace umbra::abi
