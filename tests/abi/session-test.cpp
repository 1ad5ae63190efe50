// SPDX-License-Identifier: GPL-2.0-or-later
// Process groups and sessions: setpgid(2), getpgid(2), setsid(2), getsid(2), signals to groups.
#include <poll.h>

#include "abi-test.h"

namespace abi_test {
namespace {

TEST(Session, test_process_leads_its_own)
{
    // main.cpp made this session.
    EXPECT_EQ(::getsid(0), ::getpid());
    EXPECT_EQ(::getpgrp(), ::getpid());
}

TEST(Session, children_inherit_group_and_session)
{
    pid_t group = ::getpgrp();
    pid_t session = ::getsid(0);
    in_child([=] {
        EXPECT_EQ(::getpgrp(), group);
        EXPECT_EQ(::getsid(0), session);
    });
}

TEST(Session, setsid_makes_a_session_and_a_group)
{
    in_child([] {
        EXPECT_EQ(::setsid(), ::getpid());
        EXPECT_EQ(::getsid(0), ::getpid());
        EXPECT_EQ(::getpgrp(), ::getpid());
    });
}

TEST(Session, setsid_is_refused_to_a_group_leader)
{
    in_child([] {
        ASSERT_EQ(::setpgid(0, 0), 0);
        EXPECT_ERROR(::setsid(), EPERM);
    });
}

TEST(Session, setpgid_moves_oneself_and_children)
{
    Gate moved;
    pid_t child = start([&] {
        moved.wait();
        EXPECT_EQ(::getpgrp(), ::getpid());
    });
    ASSERT_EQ(::setpgid(child, 0), 0);
    EXPECT_EQ(::getpgid(child), child);
    moved.open();
    EXPECT_EQ(wait_for(child), exited(0));
}

TEST(Session, two_children_share_a_group)
{
    Gate end;
    pid_t first = start([&] { end.wait(); });
    pid_t second = start([&] { end.wait(); });
    ASSERT_EQ(::setpgid(first, first), 0);
    ASSERT_EQ(::setpgid(second, first), 0);
    EXPECT_EQ(::getpgid(second), first);
    end.open();
    end.open();
    EXPECT_EQ(wait_for(first), exited(0));
    EXPECT_EQ(wait_for(second), exited(0));
}

TEST(Session, setpgid_errors)
{
    EXPECT_ERROR(::setpgid(0, -1), EINVAL);
    EXPECT_ERROR(::setpgid(0x3fffffff, 0), ESRCH);
    EXPECT_ERROR(::setpgid(::getppid(), 0), ESRCH);
    // A session leader stays where it is.
    EXPECT_ERROR(::setpgid(0, 0), EPERM);
    in_child([] {
        // No such group in this session.
        EXPECT_ERROR(::setpgid(0, 0x3fffffff), EPERM);
    });
}

TEST(Session, setpgid_is_refused_across_sessions)
{
    Gate ready, end;
    pid_t child = start([&] {
        ASSERT_GT(::setsid(), 0);
        ready.open();
        end.wait();
    });
    ready.wait();
    EXPECT_ERROR(::setpgid(child, ::getpgrp()), EPERM);
    end.open();
    EXPECT_EQ(wait_for(child), exited(0));
}

TEST(Session, setpgid_is_refused_after_exec)
{
    Pipe pipe(O_CLOEXEC);
    pid_t child = start([&] {
        ::execl("/proc/self/exe", "abi-tests", "--list", "--gtest_filter=None.none", nullptr);
        FAIL() << std::strerror(errno);
    });
    pipe.write_end.reset();
    // End of file: exec has closed the child's copy.
    EXPECT_EQ(read_all(pipe.read_end), "");
    EXPECT_ERROR(::setpgid(child, child), EACCES);
    wait_for(child);
}

TEST(Session, getpgid_and_getsid_of_nobody)
{
    EXPECT_ERROR(::getpgid(0x3fffffff), ESRCH);
    EXPECT_ERROR(::getsid(0x3fffffff), ESRCH);
    EXPECT_ERROR(::getpgid(-1), ESRCH);
}

TEST(Session, kill_reaches_a_whole_group)
{
    Gate ready;
    pid_t leader = start([&] {
        ASSERT_EQ(::setpgid(0, 0), 0);
        ready.open();
        ::pause();
    });
    ready.wait();
    pid_t member = start([] { ::pause(); });
    ASSERT_EQ(::setpgid(member, leader), 0);
    ASSERT_EQ(::kill(-leader, SIGUSR1), 0);
    EXPECT_EQ(wait_for(leader), killed_by(SIGUSR1));
    EXPECT_EQ(wait_for(member), killed_by(SIGUSR1));
    EXPECT_ERROR(::kill(-leader, SIGUSR1), ESRCH);
}

/// Starts a group whose leader forks without end, and sends a signal to it while it does. Returns a pipe whose write end
/// the members hold. Each waits for ever, and so does the leader at its limit.
Fd signal_group_that_forks(int signal)
{
    constexpr int kMost = 200;
    Gate forking;
    Pipe held;
    pid_t const leader = start([&] {
        ASSERT_EQ(::setpgid(0, 0), 0);
        for (int i = 0; i < kMost; ++i) {
            if (::fork() == 0) break;
            if (i == 3) forking.open();
        }
        for (;;)
            ::pause();
    });
    forking.wait();
    EXPECT_EQ(::kill(-leader, signal), 0);
    EXPECT_EQ(wait_for(leader), killed_by(signal));
    return std::move(held.read_end);
}

TEST(Session, no_child_slips_through_a_signal_to_its_group)
{
    constexpr int kRounds = 40;
    for (int round = 0; round < kRounds; ++round) {
        Fd const held = signal_group_that_forks(SIGTERM);
        // Its end comes when the last member has died.
        pollfd end { held, POLLIN, 0 };
        ASSERT_EQ(::poll(&end, 1, 30'000), 1) << "a member lives on, round " << round;
        char c;
        ASSERT_EQ(::read(held, &c, 1), 0);
    }
}

int volatile seen;
void note(int) { seen = 1; }

TEST(Session, kill_zero_reaches_ones_own_group)
{
    in_child([] {
        ASSERT_EQ(::setpgid(0, 0), 0);
        pid_t child = start([] { ::pause(); });
        set_handler(SIGUSR1, note);
        ASSERT_EQ(::kill(0, SIGUSR1), 0);
        EXPECT_EQ(seen, 1);
        EXPECT_EQ(wait_for(child), killed_by(SIGUSR1));
    });
}

TEST(Session, kill_errors)
{
    EXPECT_ERROR(::kill(::getpid(), 65), EINVAL);
    EXPECT_ERROR(::kill(::getpid(), -1), EINVAL);
    EXPECT_ERROR(::kill(0x3fffffff, 0), ESRCH);
    EXPECT_EQ(::kill(::getpid(), 0), 0);
}

TEST(Session, ordinary_user_cannot_signal_others)
{
    as_ordinary_user([] { EXPECT_ERROR(::kill(1, 0), EPERM); });
}

TEST(Session, sigcont_is_allowed_within_a_session)
{
    NEEDS_ROOT();
    pid_t root_child = start([] { ::pause(); });
    as_ordinary_user([=] {
        EXPECT_ERROR(::kill(root_child, SIGTERM), EPERM);
        EXPECT_EQ(::kill(root_child, SIGCONT), 0);
    });
    ::kill(root_child, SIGKILL);
    wait_for(root_child);
}

TEST(Session, a_group_that_was_orphaned_before_gets_no_sighup)
{
    // The leader of a session has its parent in another one: its group has been orphaned from the start.
    in_child([] {
        ASSERT_OK(::setsid());
        Gate ready;
        pid_t const stopped = start([&] {
            ready.open();
            for (;;)
                ::pause();
        });
        ready.wait();
        ASSERT_OK(::kill(stopped, SIGSTOP));
        int status = 0;
        ASSERT_EQ(::waitpid(stopped, &status, WUNTRACED), stopped);
        EXPECT_EQ(wait_for(start([] {})), exited(0)); // another member ends
        EXPECT_EQ(process_state(stopped), 'T');
        ASSERT_OK(::kill(stopped, SIGKILL));
        EXPECT_EQ(wait_for(stopped), killed_by(SIGKILL));
    });
}

TEST(Session, stopped_member_of_an_orphaned_group_gets_sighup_and_sigcont)
{
    Pipe pids;
    Gate stopped;
    Pipe result;
    pid_t leader = start([&] {
        pid_t member = start([&] {
            block_signals({ SIGHUP });
            ASSERT_EQ(::setpgid(0, 0), 0);
            ASSERT_EQ(::raise(SIGSTOP), 0);
            // Continued, because the leader's end left this group without a parent in the session.
            sigset_t pending;
            ASSERT_EQ(::sigpending(&pending), 0);
            char answer = sigismember(&pending, SIGHUP) ? 'y' : 'n';
            ASSERT_EQ(::write(result.write_end, &answer, 1), 1);
        });
        int status = 0;
        ASSERT_EQ(::waitpid(member, &status, WUNTRACED), member);
        EXPECT_EQ(status, stopped_by(SIGSTOP));
    });
    EXPECT_EQ(wait_for(leader), exited(0));
    char answer = 0;
    EXPECT_EQ(::read(result.read_end, &answer, 1), 1);
    EXPECT_EQ(answer, 'y');
}

} // namespace
} // namespace abi_test
