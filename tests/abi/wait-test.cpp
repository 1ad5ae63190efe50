// SPDX-License-Identifier: GPL-2.0-or-later
// The wait family: wait4(2), waitid(2) and their options, what SIGCHLD says, and pidfds.
#include "abi-test.h"

#include <poll.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/resource.h>

namespace abi_test {
namespace {

TEST(Wait, zombies_do_not_count_as_processes_that_live)
{
    in_child([] {
        constexpr int many = 2000;
        for (int i = 0; i < many; i++) {
            pid_t const child = ::fork();
            if (child == 0) ::_exit(i & 1);
            ASSERT_GT(child, 0) << i << ": " << std::strerror(errno);
        }
        int ended = 0, ones = 0, status = 0;
        while (::wait(&status) > 0) {
            ended++;
            ones += status == exited(1);
        }
        EXPECT_EQ(ended, many);
        EXPECT_EQ(ones, many / 2);
    });
}

pid_t start_sleeper()
{
    return start([] {
        for (;;)
            ::pause();
    });
}

int pidfd_open(pid_t pid, unsigned flags = 0) { return int(::syscall(SYS_pidfd_open, pid, flags)); }

TEST(Wait, without_children_gives_echild)
{
    EXPECT_ERROR(::waitpid(-1, nullptr, 0), ECHILD);
    EXPECT_ERROR(::waitpid(::getpid(), nullptr, 0), ECHILD);
    EXPECT_ERROR(::waitpid(-1, nullptr, WNOHANG), ECHILD);
}

TEST(Wait, refuses_unknown_options)
{
    EXPECT_ERROR(::waitpid(-1, nullptr, 0x100), EINVAL);
    EXPECT_ERROR(::waitid(P_ALL, 0, nullptr, 0), EINVAL);
    EXPECT_ERROR(::waitid(P_ALL, 0, nullptr, WEXITED | 0x100), EINVAL);
    EXPECT_ERROR(::waitid(idtype_t(77), 0, nullptr, WEXITED), EINVAL);
}

TEST(Wait, nohang_returns_zero_while_the_child_runs)
{
    pid_t child = start_sleeper();
    int status = 0x5a5a;
    EXPECT_EQ(::waitpid(child, &status, WNOHANG), 0);
    EXPECT_EQ(status, 0x5a5a);
    EXPECT_EQ(::kill(child, SIGKILL), 0);
    EXPECT_EQ(wait_for(child), killed_by(SIGKILL));
}

TEST(Wait, signal_death_is_told_from_exit)
{
    for (int signal : { SIGHUP, SIGINT, SIGKILL, SIGTERM, SIGUSR1, SIGPIPE, SIGALRM, SIGRTMIN, SIGRTMAX }) {
        pid_t child = start_sleeper();
        ASSERT_EQ(::kill(child, signal), 0);
        EXPECT_EQ(wait_for(child), killed_by(signal));
    }
}

TEST(Wait, core_flag_follows_the_limit)
{
    pid_t child = start([] {
        rlimit none { 0, 0 };
        ASSERT_EQ(::setrlimit(RLIMIT_CORE, &none), 0);
        ::raise(SIGQUIT);
    });
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    EXPECT_TRUE(WIFSIGNALED(status));
    EXPECT_EQ(WTERMSIG(status), SIGQUIT);
}

TEST(Wait, a_child_is_reaped_once)
{
    pid_t child = start([] {});
    EXPECT_EQ(wait_for(child), exited(0));
    EXPECT_ERROR(::waitpid(child, nullptr, 0), ECHILD);
    EXPECT_ERROR(::kill(child, 0), ESRCH);
}

TEST(Wait, zombie_still_takes_signals_and_has_a_state)
{
    pid_t child = start([] {});
    siginfo_t info {};
    ASSERT_EQ(::waitid(P_PID, id_t(child), &info, WEXITED | WNOWAIT), 0);
    EXPECT_EQ(::kill(child, 0), 0);
    EXPECT_EQ(process_state(child), 'Z');
    EXPECT_EQ(wait_for(child), exited(0));
}

TEST(Wait, nowait_leaves_the_child_waitable)
{
    pid_t child = start([] { ::_exit(3); });
    for (int i = 0; i < 2; i++) {
        siginfo_t info {};
        ASSERT_EQ(::waitid(P_PID, id_t(child), &info, WEXITED | WNOWAIT), 0);
        EXPECT_EQ(info.si_status, 3);
    }
    EXPECT_EQ(wait_for(child), exited(3));
}

TEST(Wait, waitid_fills_siginfo_for_an_exit)
{
    pid_t child = start([] { ::_exit(42); });
    siginfo_t info {};
    ASSERT_EQ(::waitid(P_ALL, 0, &info, WEXITED), 0);
    EXPECT_EQ(info.si_signo, SIGCHLD);
    EXPECT_EQ(info.si_code, CLD_EXITED);
    EXPECT_EQ(info.si_pid, child);
    EXPECT_EQ(info.si_uid, ::getuid());
    EXPECT_EQ(info.si_status, 42);
    EXPECT_EQ(info.si_errno, 0);
}

TEST(Wait, waitid_fills_siginfo_for_a_kill)
{
    pid_t child = start_sleeper();
    ASSERT_EQ(::kill(child, SIGTERM), 0);
    siginfo_t info {};
    ASSERT_EQ(::waitid(P_PID, id_t(child), &info, WEXITED), 0);
    EXPECT_EQ(info.si_code, CLD_KILLED);
    EXPECT_EQ(info.si_status, SIGTERM);
}

TEST(Wait, waitid_nohang_clears_the_pid_when_nothing_happened)
{
    pid_t child = start_sleeper();
    siginfo_t info;
    std::memset(&info, 0x55, sizeof info);
    ASSERT_EQ(::waitid(P_PID, id_t(child), &info, WEXITED | WNOHANG), 0);
    EXPECT_EQ(info.si_pid, 0);
    EXPECT_EQ(info.si_signo, 0);
    ::kill(child, SIGKILL);
    wait_for(child);
}

TEST(Wait, raw_waitid_returns_resource_usage)
{
    pid_t child = start([] {
        for (int i = 0; i < 1'000'000; i++)
            asm volatile("");
    });
    rusage usage;
    std::memset(&usage, 0x7f, sizeof usage);
    siginfo_t info {};
    ASSERT_EQ(raw(SYS_waitid, P_PID, child, &info, WEXITED, &usage), 0);
    EXPECT_GE(usage.ru_utime.tv_sec, 0);
    EXPECT_LT(usage.ru_utime.tv_sec, 1000);
    EXPECT_LT(usage.ru_stime.tv_usec, 1'000'000);
}

TEST(Wait, wait4_accepts_null_pointers)
{
    pid_t child = start([] {});
    EXPECT_EQ(::wait4(child, nullptr, 0, nullptr), child);
}

TEST(Wait, bad_status_pointer_gives_efault)
{
    pid_t child = start([] {});
    EXPECT_EQ(raw(SYS_wait4, child, 8, 0, 0), -EFAULT);
}

TEST(Wait, stop_and_continue_are_reported)
{
    pid_t child = start_sleeper();
    ASSERT_EQ(::kill(child, SIGSTOP), 0);
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, WUNTRACED), child);
    EXPECT_EQ(status, stopped_by(SIGSTOP));
    EXPECT_EQ(process_state(child), 'T');
    // A stop is reported once.
    EXPECT_EQ(::waitpid(child, &status, WUNTRACED | WNOHANG), 0);
    ASSERT_EQ(::kill(child, SIGCONT), 0);
    ASSERT_EQ(::waitpid(child, &status, WCONTINUED), child);
    EXPECT_TRUE(WIFCONTINUED(status));
    EXPECT_EQ(::waitpid(child, &status, WCONTINUED | WNOHANG), 0);
    ASSERT_EQ(::kill(child, SIGKILL), 0);
    EXPECT_EQ(wait_for(child), killed_by(SIGKILL));
}

TEST(Wait, stop_is_not_reported_without_untraced)
{
    pid_t child = start_sleeper();
    ASSERT_EQ(::kill(child, SIGSTOP), 0);
    siginfo_t info {};
    ASSERT_EQ(::waitid(P_PID, id_t(child), &info, WSTOPPED | WNOWAIT), 0);
    EXPECT_EQ(::waitpid(child, nullptr, WNOHANG), 0);
    ASSERT_EQ(::kill(child, SIGKILL), 0);
    EXPECT_EQ(wait_for(child), killed_by(SIGKILL));
}

TEST(Wait, waitid_fills_siginfo_for_stop_and_continue)
{
    pid_t child = start_sleeper();
    // In a group of its own: this session's first group is orphaned, where SIGTSTP does nothing.
    ASSERT_EQ(::setpgid(child, child), 0);
    ASSERT_EQ(::kill(child, SIGTSTP), 0);
    siginfo_t info {};
    ASSERT_EQ(::waitid(P_PID, id_t(child), &info, WSTOPPED), 0);
    EXPECT_EQ(info.si_code, CLD_STOPPED);
    EXPECT_EQ(info.si_status, SIGTSTP);
    ASSERT_EQ(::kill(child, SIGCONT), 0);
    ASSERT_EQ(::waitid(P_PID, id_t(child), &info, WCONTINUED), 0);
    EXPECT_EQ(info.si_code, CLD_CONTINUED);
    EXPECT_EQ(info.si_status, SIGCONT);
    ASSERT_EQ(::kill(child, SIGKILL), 0);
    wait_for(child);
}

TEST(Wait, terminal_stop_signal_does_nothing_in_an_orphaned_group)
{
    in_child([] {
        EXPECT_EQ(::raise(SIGTSTP), 0);
        EXPECT_EQ(::raise(SIGTTIN), 0);
    });
}

TEST(Wait, by_process_group)
{
    pid_t child = start([] { ASSERT_EQ(::setpgid(0, 0), 0); });
    // Both sides set the group, so that it is there whoever comes first. The child may be gone already.
    (void)::setpgid(child, child);
    int status = 0;
    EXPECT_EQ(::waitpid(-child, &status, 0), child);
    EXPECT_ERROR(::waitpid(-child, &status, 0), ECHILD);
}

TEST(Wait, for_the_own_group_only)
{
    pid_t same = start([] {});
    Gate gate;
    pid_t other = start([&] {
        ASSERT_EQ(::setpgid(0, 0), 0);
        gate.open();
    });
    gate.wait();
    EXPECT_EQ(::waitpid(0, nullptr, 0), same);
    EXPECT_ERROR(::waitpid(0, nullptr, 0), ECHILD);
    EXPECT_EQ(wait_for(other), exited(0));
}

TEST(Wait, grandchildren_are_not_ones_own)
{
    Gate may_end;
    Gate ready;
    pid_t grandchild = 0;
    Pipe pipe;
    pid_t child = start([&] {
        pid_t pid = start([&] { may_end.wait(); });
        ASSERT_EQ(::write(pipe.write_end, &pid, sizeof pid), ssize_t(sizeof pid));
        wait_for(pid);
    });
    ASSERT_EQ(::read(pipe.read_end, &grandchild, sizeof grandchild), ssize_t(sizeof grandchild));
    EXPECT_ERROR(::waitpid(grandchild, nullptr, WNOHANG), ECHILD);
    may_end.open();
    EXPECT_EQ(wait_for(child), exited(0));
}

TEST(Wait, ignored_sigchld_reaps_by_itself)
{
    set_handler(SIGCHLD, SIG_IGN);
    start([] { ::_exit(1); });
    start([] { ::_exit(2); });
    EXPECT_ERROR(::waitpid(-1, nullptr, 0), ECHILD);
}

TEST(Wait, no_child_wait_flag_reaps_by_itself)
{
    set_handler(SIGCHLD, SIG_DFL, SA_NOCLDWAIT);
    start([] { ::_exit(1); });
    EXPECT_ERROR(::waitpid(-1, nullptr, 0), ECHILD);
}

siginfo_t volatile child_info;
int volatile child_signals;
void note_child(int, siginfo_t* info, void*)
{
    std::memcpy(const_cast<siginfo_t*>(&child_info), info, sizeof *info);
    child_signals = child_signals + 1;
}

TEST(Wait, sigchld_tells_who_and_how)
{
    set_handler(SIGCHLD, note_child, SA_RESTART);
    pid_t child = start([] { ::_exit(21); });
    EXPECT_EQ(wait_for(child), exited(21));
    EXPECT_EQ(child_signals, 1);
    EXPECT_EQ(child_info.si_signo, SIGCHLD);
    EXPECT_EQ(child_info.si_code, CLD_EXITED);
    EXPECT_EQ(child_info.si_pid, child);
    EXPECT_EQ(child_info.si_status, 21);
    EXPECT_EQ(child_info.si_uid, ::getuid());
}

TEST(Wait, sigchld_for_stop_unless_nocldstop)
{
    block_signals({ SIGCHLD });
    set_handler(SIGCHLD, note_child);
    pid_t child = start_sleeper();
    sigset_t wanted = signals({ SIGCHLD });
    siginfo_t info {};
    ASSERT_EQ(::kill(child, SIGSTOP), 0);
    ASSERT_EQ(::sigwaitinfo(&wanted, &info), SIGCHLD);
    EXPECT_EQ(info.si_code, CLD_STOPPED);
    EXPECT_EQ(info.si_status, SIGSTOP);
    ASSERT_EQ(::kill(child, SIGCONT), 0);
    ASSERT_EQ(::sigwaitinfo(&wanted, &info), SIGCHLD);
    EXPECT_EQ(info.si_code, CLD_CONTINUED);
    set_handler(SIGCHLD, note_child, SA_NOCLDSTOP);
    ASSERT_EQ(::kill(child, SIGSTOP), 0);
    ASSERT_EQ(::waitid(P_PID, id_t(child), &info, WSTOPPED), 0);
    sigset_t pending;
    ASSERT_EQ(::sigpending(&pending), 0);
    EXPECT_FALSE(sigismember(&pending, SIGCHLD));
    ASSERT_EQ(::kill(child, SIGKILL), 0);
    ASSERT_EQ(::sigwaitinfo(&wanted, &info), SIGCHLD);
    EXPECT_EQ(info.si_code, CLD_KILLED);
    wait_for(child);
}

TEST(Wait, is_interrupted_by_a_handler)
{
    pid_t child = start_sleeper();
    {
        RepeatingAlarm alarm(0);
        EXPECT_ERROR(::waitpid(child, nullptr, 0), EINTR);
    }
    ::kill(child, SIGKILL);
    wait_for(child);
}

pid_t volatile victim;
TEST(Wait, restarts_after_a_restarting_handler)
{
    victim = start_sleeper();
    RepeatingAlarm alarm(SA_RESTART, [](int) {
        if (RepeatingAlarm::count() == 3) ::kill(victim, SIGKILL);
    });
    int status = 0;
    EXPECT_EQ(::waitpid(victim, &status, 0), victim);
    EXPECT_EQ(status, killed_by(SIGKILL));
    EXPECT_GE(RepeatingAlarm::count(), 3);
}

TEST(Wait, any_child_in_any_order)
{
    pid_t first = start_sleeper();
    pid_t second = start([] { ::_exit(2); });
    int status = 0;
    EXPECT_EQ(::wait(&status), second);
    EXPECT_EQ(status, exited(2));
    ::kill(first, SIGKILL);
    EXPECT_EQ(::wait(&status), first);
}

TEST(Wait, pidfd_becomes_readable_when_the_process_ends)
{
    pid_t child = start_sleeper();
    Fd fd = pidfd_open(child);
    ASSERT_OK(fd);
    pollfd event { fd, POLLIN, 0 };
    EXPECT_EQ(::poll(&event, 1, 0), 0);
    ASSERT_EQ(raw(SYS_pidfd_send_signal, int(fd), SIGTERM, nullptr, 0), 0);
    EXPECT_EQ(::poll(&event, 1, -1), 1);
    EXPECT_TRUE(event.revents & POLLIN);
    siginfo_t info {};
    EXPECT_EQ(::waitid(P_PIDFD, id_t(int(fd)), &info, WEXITED), 0);
    EXPECT_EQ(info.si_pid, child);
    EXPECT_EQ(info.si_status, SIGTERM);
    EXPECT_EQ(raw(SYS_pidfd_send_signal, int(fd), 0, nullptr, 0), -ESRCH);
}

TEST(Wait, pidfd_open_checks_its_arguments)
{
    EXPECT_ERROR(pidfd_open(-1), EINVAL);
    EXPECT_ERROR(pidfd_open(::getpid(), 1), EINVAL);
    EXPECT_ERROR(pidfd_open(0x3fffffff), ESRCH);
}

TEST(Wait, children_usage_is_added_up_when_reaped)
{
    rusage before {}, after {};
    ASSERT_EQ(::getrusage(RUSAGE_CHILDREN, &before), 0);
    in_child([] {
        rusage self {};
        while (self.ru_utime.tv_sec == 0 && self.ru_utime.tv_usec + self.ru_stime.tv_usec < 30'000)
            ::getrusage(RUSAGE_SELF, &self);
    });
    ASSERT_EQ(::getrusage(RUSAGE_CHILDREN, &after), 0);
    auto total = [](rusage const& u) {
        return (u.ru_utime.tv_sec + u.ru_stime.tv_sec) * 1'000'000 + u.ru_utime.tv_usec + u.ru_stime.tv_usec;
    };
    EXPECT_GE(total(after) - total(before), 20'000);
}

TEST(Wait, children_that_nobody_waits_for_do_not_count)
{
    ::signal(SIGCHLD, SIG_IGN);
    rusage before {}, after {};
    EXPECT_OK(::getrusage(RUSAGE_CHILDREN, &before));
    pid_t child = ::fork();
    if (child == 0) {
        Mapping much(64 << 20);
        std::memset(much.data(), 1, much.size());
        ::_exit(0);
    }
    EXPECT_ERROR(::waitpid(child, nullptr, 0), ECHILD) << "it waits for the end all the same";
    EXPECT_OK(::getrusage(RUSAGE_CHILDREN, &after));
    EXPECT_EQ(after.ru_maxrss, before.ru_maxrss);
    EXPECT_EQ(after.ru_minflt, before.ru_minflt);
}

TEST(Wait, a_pidfd_that_cannot_be_told_leaves_no_child)
{
    struct {
        uint64_t flags, pidfd, child_tid, parent_tid, exit_signal, stack, stack_size, tls;
    } arguments {};
    arguments.flags = CLONE_PIDFD;
    arguments.pidfd = 8; // nobody's memory
    arguments.exit_signal = SIGCHLD;
    int const lowest = ::dup(0);
    ASSERT_OK(::close(lowest));
    long const child = raw(SYS_clone3, &arguments, sizeof arguments);
    if (child == 0) ::_exit(0);
    EXPECT_EQ(child, -EFAULT);
    EXPECT_ERROR(::wait(nullptr), ECHILD);
    Fd next = ::dup(0);
    EXPECT_EQ(int(next), lowest) << "nor a descriptor";
}

} // namespace
} // namespace abi_test
