// SPDX-License-Identifier: GPL-2.0-or-later
// Controlling terminals and job control: tty_ioctl(2), setsid(2), credentials(7). The test process leads a
// session without a terminal, so that children make sessions of their own.
#include "terminal.h"

namespace abi_test {
namespace {

class JobControl : public Terminal { };

TEST_F(JobControl, becomes_controlling_when_a_leader_opens_it)
{
    in_child([&] {
        ASSERT_GT(::setsid(), 0);
        EXPECT_ERROR(::open("/dev/tty", O_RDWR), ENXIO);
        EXPECT_ERROR(::tcgetpgrp(slave_), ENOTTY);
        Fd opened = ::open(name_.c_str(), O_RDWR);
        ASSERT_OK(opened);
        Fd tty = ::open("/dev/tty", O_RDWR);
        EXPECT_OK(tty);
        EXPECT_EQ(::tcgetsid(tty), ::getpid());
        EXPECT_EQ(::tcgetpgrp(tty), ::getpid());
        set_handler(SIGHUP, SIG_IGN);
    });
}

TEST_F(JobControl, noctty_keeps_it_from_controlling)
{
    in_child([&] {
        ASSERT_GT(::setsid(), 0);
        Fd opened = ::open(name_.c_str(), O_RDWR | O_NOCTTY);
        EXPECT_ERROR(::open("/dev/tty", O_RDWR), ENXIO);
        ASSERT_EQ(::ioctl(opened, TIOCSCTTY, 0), 0);
        Fd tty = ::open("/dev/tty", O_RDWR);
        EXPECT_OK(tty);
        // Giving it up hangs up on the foreground group, which is this process.
        set_handler(SIGHUP, SIG_IGN);
        ASSERT_EQ(::ioctl(tty, TIOCNOTTY), 0);
        EXPECT_ERROR(::open("/dev/tty", O_RDWR), ENXIO);
    });
}

TEST_F(JobControl, a_terminal_controls_one_session)
{
    Gate taken, end;
    pid_t first = start([&] {
        ASSERT_GT(::setsid(), 0);
        ASSERT_EQ(::ioctl(slave_, TIOCSCTTY, 0), 0);
        taken.open();
        end.wait();
    });
    taken.wait();
    in_child([&] {
        ASSERT_GT(::setsid(), 0);
        EXPECT_ERROR(::ioctl(slave_, TIOCSCTTY, 0), EPERM);
    });
    end.open();
    EXPECT_EQ(wait_for(first), exited(0));
}

/// A child that leads a session on the slave, as a shell would.
template <typename Body> pid_t start_session(int slave, Body&& body)
{
    return start([&] {
        ASSERT_GT(::setsid(), 0);
        ASSERT_EQ(::ioctl(slave, TIOCSCTTY, 0), 0);
        body();
    });
}

TEST_F(JobControl, interrupt_character_signals_the_foreground_group)
{
    Gate ready;
    pid_t child = start_session(slave_, [&] {
        ready.open();
        ::pause();
    });
    ready.wait();
    type("\x03");
    EXPECT_EQ(wait_for(child), killed_by(SIGINT));
}

TEST_F(JobControl, quit_character_signals_the_foreground_group)
{
    Gate ready;
    pid_t child = start_session(slave_, [&] {
        ready.open();
        ::pause();
    });
    ready.wait();
    type("\x1c");
    EXPECT_EQ(wait_for(child), killed_by(SIGQUIT));
}

TEST_F(JobControl, signal_characters_are_echoed)
{
    type("\x03");
    EXPECT_EQ(take(master_, 2), "^C");
    type("\x1c");
    EXPECT_EQ(take(master_, 2), "^\\");
}

TEST_F(JobControl, isig_off_delivers_the_character)
{
    change([](termios& t) { t.c_lflag &= ~tcflag_t(ISIG | ECHO); });
    type("\x03\n");
    EXPECT_EQ(next(slave_), "\x03\n");
}

TEST_F(JobControl, interrupt_discards_the_line)
{
    no_echo();
    type("half\x03"
         "whole\n");
    EXPECT_EQ(next(slave_), "whole\n");
}

TEST_F(JobControl, suspend_stops_a_job)
{
    // A shell, and a job in a foreground group of its own.
    Gate job_ready;
    pid_t shell = start_session(slave_, [&] {
        set_handler(SIGTTOU, SIG_IGN);
        pid_t job = start([&] {
            ASSERT_EQ(::setpgid(0, 0), 0);
            ASSERT_EQ(::tcsetpgrp(slave_, ::getpid()), 0);
            job_ready.open();
            ::pause();
        });
        int status = 0;
        ASSERT_EQ(::waitpid(job, &status, WUNTRACED), job);
        EXPECT_EQ(status, stopped_by(SIGTSTP));
        ASSERT_EQ(::tcsetpgrp(slave_, ::getpgrp()), 0);
        ::kill(job, SIGKILL);
        wait_for(job);
    });
    job_ready.wait();
    type("\x1a");
    EXPECT_EQ(wait_for(shell), exited(0));
}

TEST_F(JobControl, background_read_stops_with_sigttin)
{
    pid_t shell = start_session(slave_, [&] {
        pid_t job = start([&] {
            ASSERT_EQ(::setpgid(0, 0), 0);
            char c;
            (void)!::read(slave_, &c, 1);
        });
        int status = 0;
        ASSERT_EQ(::waitpid(job, &status, WUNTRACED), job);
        EXPECT_EQ(status, stopped_by(SIGTTIN));
        ::kill(job, SIGKILL);
        wait_for(job);
    });
    EXPECT_EQ(wait_for(shell), exited(0));
}

TEST_F(JobControl, background_read_with_sigttin_ignored_gives_eio)
{
    pid_t shell = start_session(slave_, [&] {
        in_child([&] {
            ASSERT_EQ(::setpgid(0, 0), 0);
            set_handler(SIGTTIN, SIG_IGN);
            char c;
            EXPECT_ERROR(::read(slave_, &c, 1), EIO);
        });
    });
    EXPECT_EQ(wait_for(shell), exited(0));
}

TEST_F(JobControl, background_write_stops_only_with_tostop)
{
    pid_t shell = start_session(slave_, [&] {
        auto write_in_background = [&] {
            pid_t job = start([&] {
                ASSERT_EQ(::setpgid(0, 0), 0);
                ASSERT_EQ(::write(slave_, "x", 1), 1);
            });
            int status = 0;
            EXPECT_EQ(::waitpid(job, &status, WUNTRACED), job);
            if (WIFSTOPPED(status)) {
                ::kill(job, SIGKILL);
                wait_for(job);
            }
            return status;
        };
        EXPECT_EQ(write_in_background(), exited(0));
        change([](termios& t) { t.c_lflag |= TOSTOP; });
        EXPECT_EQ(write_in_background(), stopped_by(SIGTTOU));
    });
    EXPECT_EQ(wait_for(shell), exited(0));
}

TEST_F(JobControl, changing_settings_in_background_stops_with_sigttou)
{
    pid_t shell = start_session(slave_, [&] {
        pid_t job = start([&] {
            ASSERT_EQ(::setpgid(0, 0), 0);
            termios t = settings();
            ::tcsetattr(slave_, TCSANOW, &t);
        });
        int status = 0;
        ASSERT_EQ(::waitpid(job, &status, WUNTRACED), job);
        EXPECT_EQ(status, stopped_by(SIGTTOU));
        ::kill(job, SIGKILL);
        wait_for(job);
    });
    EXPECT_EQ(wait_for(shell), exited(0));
}

TEST_F(JobControl, foreground_group_must_be_of_the_session)
{
    pid_t shell = start_session(slave_, [&] {
        EXPECT_ERROR(::tcsetpgrp(slave_, 1), EPERM);
        EXPECT_ERROR(::tcsetpgrp(slave_, 0x3fffffff), ESRCH);
        EXPECT_ERROR(::tcsetpgrp(slave_, -1), EINVAL);
    });
    EXPECT_EQ(wait_for(shell), exited(0));
}

TEST_F(JobControl, size_change_signals_the_foreground_group)
{
    Gate ready;
    pid_t child = start_session(slave_, [&] {
        block_signals({ SIGWINCH });
        ready.open();
        sigset_t wanted = signals({ SIGWINCH });
        EXPECT_EQ(::sigwaitinfo(&wanted, nullptr), SIGWINCH);
    });
    ready.wait();
    winsize size { 50, 50, 0, 0 };
    ASSERT_EQ(::ioctl(master_, TIOCSWINSZ, &size), 0);
    EXPECT_EQ(wait_for(child), exited(0));
}

TEST_F(JobControl, hangup_signals_the_session)
{
    Gate ready;
    pid_t leader = start_session(slave_, [&] {
        block_signals({ SIGHUP, SIGCONT });
        master_.reset();
        ready.open();
        sigset_t wanted = signals({ SIGHUP });
        EXPECT_EQ(::sigwaitinfo(&wanted, nullptr), SIGHUP);
    });
    ready.wait();
    master_.reset();
    EXPECT_EQ(wait_for(leader), exited(0));
}

TEST_F(JobControl, end_of_the_leader_signals_the_foreground)
{
    Gate ready;
    Pipe result;
    pid_t leader = start_session(slave_, [&] {
        start([&] {
            block_signals({ SIGHUP });
            ready.open();
            sigset_t wanted = signals({ SIGHUP });
            char answer = ::sigwaitinfo(&wanted, nullptr) == SIGHUP ? 'y' : 'n';
            ASSERT_EQ(::write(result.write_end, &answer, 1), 1);
        });
        ready.wait();
    });
    EXPECT_EQ(wait_for(leader), exited(0));
    char answer = 0;
    EXPECT_EQ(::read(result.read_end, &answer, 1), 1);
    EXPECT_EQ(answer, 'y');
}

} // namespace
} // namespace abi_test
