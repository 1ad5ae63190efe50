// SPDX-License-Identifier: GPL-2.0-or-later
// Processes, signals, clocks, random numbers.
#include "hostabi/process.h"

#include <cerrno>
#include <csignal>
#include <ctime>
#include <vector>

#include <gtest/gtest.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "hostabi/clock.h"
#include "hostabi/random.h"
#include "hostabi/signals.h"

namespace umbra::hostabi {
namespace {

/// A child that sleeps until it is killed.
i32 make_sleeper()
{
    i32 const pid = ::fork();
    if (pid == 0) {
        for (;;)
            ::pause();
    }
    return pid;
}

TEST(Process, KillAndPollChild)
{
    i32 const pid = make_sleeper();
    OwnedFd pidfd = OwnedFd::pidfd_open(pid).release_value();
    EXPECT_FALSE(process::poll_child(pid).value().has_value());
    ASSERT_TRUE(process::send_signal_by_pidfd(pidfd.get(), SIGKILL).ok());
    pollfd state { pidfd.get(), POLLIN, 0 };
    ASSERT_EQ(::poll(&state, 1, -1), 1);
    auto const status = process::poll_child(pid).value();
    ASSERT_TRUE(status.has_value());
    EXPECT_EQ(status->id, pid);
    EXPECT_TRUE(WIFSIGNALED(status->status));
    EXPECT_EQ(process::poll_child(pid).error().value, ECHILD);
    EXPECT_EQ(process::send_signal_to_thread(pid, pid, 0).error().value, ESRCH);
}

TEST(Process, AnyHasEnded)
{
    i32 const pids[] = { make_sleeper(), make_sleeper() };
    EXPECT_FALSE(process::has_any_ended());
    ASSERT_TRUE(process::send_signal(pids[1], SIGKILL).ok());
    while (!process::has_ended(pids[1]))
        ::usleep(1000);
    EXPECT_TRUE(process::has_any_ended());
    EXPECT_TRUE(process::has_any_ended()); // it was not reaped by asking
    EXPECT_FALSE(process::has_ended(pids[0]));
    ASSERT_TRUE(process::wait_for_child(pids[1]).ok());
    EXPECT_FALSE(process::has_any_ended());
    ASSERT_TRUE(process::send_signal(pids[0], SIGKILL).ok());
    ASSERT_TRUE(process::wait_for_child(pids[0]).ok());
    EXPECT_FALSE(process::has_any_ended()); // none is left at all
}

TEST(Process, PreemptingIsAPolicy)
{
    i32 const pid = make_sleeper();
    ASSERT_EQ(::sched_getscheduler(pid), SCHED_OTHER);
    EXPECT_TRUE(process::set_preempting(pid, true).ok());
    EXPECT_EQ(::sched_getscheduler(pid), SCHED_OTHER);
    EXPECT_TRUE(process::set_preempting(pid, false).ok());
    EXPECT_EQ(::sched_getscheduler(pid), SCHED_BATCH);
    EXPECT_TRUE(process::set_preempting(pid, true).ok());
    EXPECT_EQ(::sched_getscheduler(pid), SCHED_OTHER);
    sched_param const no_priority {};
    ASSERT_EQ(::sched_setscheduler(pid, SCHED_IDLE, &no_priority), 0);
    EXPECT_TRUE(process::set_preempting(pid, false).ok());
    EXPECT_EQ(::sched_getscheduler(pid), SCHED_IDLE); // somebody chose it
    ASSERT_TRUE(process::send_signal(pid, SIGKILL).ok());
    ASSERT_TRUE(process::wait_for_child(pid).ok());
    EXPECT_EQ(process::set_preempting(pid, false).error().value, ESRCH);
}

TEST(Process, DieWithParent)
{
    PipeEnds pipe = OwnedFd::pipe().release_value();
    i32 const middle = ::fork();
    if (middle == 0) {
        i32 const self = process::own_pid();
        i32 const grandchild = ::fork();
        if (grandchild == 0) {
            if (process::die_with_parent(SIGKILL, self).is_error()) ::_exit(1);
            if (::write(pipe.writer.get(), "x", 1) != 1) ::_exit(1);
            for (;;)
                ::pause(); // holds the pipe's writing end for as long as it lives
        }
        char byte;
        ::_exit(::read(pipe.reader.get(), &byte, 1) == 1 ? 0 : 1);
    }
    pipe.writer.reset();
    EXPECT_EQ(process::wait_for_child(middle).value().status, 0);
    u8 byte;
    EXPECT_EQ(read_all(pipe.reader.get(), { &byte, 1 }).value(), 0u); // the end: nobody holds it any more
    EXPECT_EQ(process::die_with_parent(0, -1).error().value, ESRCH);
}

TEST(Process, Affinity)
{
    cpu_set_t const before = process::affinity(0).value();
    ASSERT_GE(CPU_COUNT(&before), 1);
    unsigned const cpu = process::current_cpu();
    ASSERT_TRUE(process::pin_to_cpu(0, cpu).ok());
    cpu_set_t const pinned = process::affinity(0).value();
    EXPECT_EQ(CPU_COUNT(&pinned), 1);
    EXPECT_EQ(process::current_cpu(), cpu);
    EXPECT_TRUE(process::set_affinity(process::own_tid(), before).ok());
    EXPECT_EQ(process::pin_to_cpu(0, CPU_SETSIZE - 1).error().value, EINVAL);
}

TEST(Process, Limits)
{
    process::Limit const before = process::limit(RLIMIT_NOFILE).value();
    u64 const raised = process::raise_descriptor_limit();
    EXPECT_GE(raised, before.soft);
    EXPECT_EQ(process::limit(RLIMIT_NOFILE).value().soft, raised);
    EXPECT_TRUE(process::set_limit(RLIMIT_NOFILE, before).ok());
}

TEST(Process, Attributes)
{
    i32 const pid = ::fork();
    if (pid == 0) {
        char name[16];
        bool const ok = process::set_name("umbra-test").ok() && ::prctl(PR_GET_NAME, name) == 0
            && std::string_view(name) == "umbra-test" && process::set_timer_slack(1000).ok()
            && ::prctl(PR_GET_TIMERSLACK) == 1000 && process::set_dumpable(false).ok()
            && ::prctl(PR_GET_DUMPABLE) == 0 && process::set_dumpable(true).ok()
            && process::set_oom_score(process::own_pid(), 500).ok() && process::adopt_orphans().ok();
        ::_exit(ok ? 0 : 1);
    }
    EXPECT_EQ(process::wait_for_child(pid).value().status, 0);
}

TEST(Signals, QueueInsteadOfHandlers)
{
    SignalMask const before = block_signals({ SIGUSR1, SIGUSR2 });
    EXPECT_TRUE(current_signal_mask().contains(SIGUSR2));
    OwnedFd queue = open_signal_queue({ SIGUSR1, SIGUSR2 }).release_value();
    signalfd_siginfo info;
    EXPECT_EQ(read_signal(queue.get(), info).error().value, EAGAIN);
    ASSERT_TRUE(process::send_signal_to_thread(process::own_pid(), process::own_tid(), SIGUSR2).ok());
    ASSERT_TRUE(read_signal(queue.get(), info).ok());
    EXPECT_EQ(info.ssi_signo, static_cast<u32>(SIGUSR2));
    EXPECT_EQ(info.ssi_pid, static_cast<u32>(process::own_pid()));
    set_signal_mask(before);
    EXPECT_EQ(current_signal_mask(), before);
}

TEST(Signals, MaskIsTheHosts)
{
    constexpr SignalMask mask { SIGHUP, SIGTERM };
    static_assert(mask.bits == ((1u << 0) | (1u << 14)));
    EXPECT_FALSE(mask.contains(SIGINT));
}

TEST(Clock, RunsForward)
{
    Nanoseconds const a = monotonic_now();
    Nanoseconds const b = clock_now(CLOCK_MONOTONIC);
    EXPECT_LE(a, b);
    EXPECT_GT(clock_now(CLOCK_REALTIME), b);
    EXPECT_GE(clock_resolution(CLOCK_MONOTONIC), 1);
    EXPECT_EQ(from_timespec(to_timespec(1'234'567'890'123)), 1'234'567'890'123);
}

TEST(Random, DiffersEachTime)
{
    std::vector<u8> a(1000), b(1000);
    random_bytes(a);
    random_bytes(b);
    EXPECT_NE(a, b);
}

} // namespace
} // namespace umbra::hostabi
