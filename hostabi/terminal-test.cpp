// SPDX-License-Identifier: GPL-2.0-or-later
// Raw mode on a pseudo-terminal, and that every exit gives the terminal back.
#include "hostabi/terminal.h"

#include <cerrno>
#include <csignal>
#include <cstdlib>

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include "hostabi/fd.h"
#include "hostabi/process.h"

namespace umbra::hostabi {
namespace {

class TerminalTest : public testing::Test {
protected:
    void SetUp() override
    {
        master_ = OwnedFd::open("/dev/ptmx", O_RDWR | O_NOCTTY).release_value();
        ASSERT_EQ(::unlockpt(master_.get()), 0);
        tty_ = OwnedFd::open(::ptsname(master_.get()), O_RDWR | O_NOCTTY).release_value();
        ASSERT_FALSE(is_raw());
    }
    bool is_raw() const
    {
        termios mode;
        EXPECT_EQ(::tcgetattr(tty_.get(), &mode), 0);
        return !(mode.c_lflag & (ICANON | ECHO | ISIG)) && !(mode.c_oflag & OPOST);
    }
    /// Ends a child in raw mode by `end`, and tells whether the terminal was given back. Returns the wait
    /// status.
    template <typename End> int end_child_in_raw_mode(End end)
    {
        PipeEnds pipe = OwnedFd::pipe().release_value();
        i32 const pid = ::fork();
        if (pid == 0) {
            struct rlimit const no_core { 0, 0 };
            ::setrlimit(RLIMIT_CORE, &no_core);
            for (int const signal : { SIGSEGV, SIGABRT, SIGTERM, SIGILL })
                ::signal(signal, SIG_DFL); // sanitizers take some
            auto raw = RawTerminal::enter(tty_.get());
            char const answer = raw.ok() && is_raw() ? 'y' : 'n';
            if (::write(pipe.writer.get(), &answer, 1) != 1) ::_exit(1);
            end();
            ::_exit(2);
        }
        char answer = 0;
        EXPECT_EQ(::read(pipe.reader.get(), &answer, 1), 1);
        EXPECT_EQ(answer, 'y');
        return process::wait_for_child(pid).value().status;
    }

    OwnedFd master_, tty_;
};

TEST_F(TerminalTest, RawWhileItLives)
{
    {
        auto raw = RawTerminal::enter(tty_.get());
        ASSERT_TRUE(raw.ok());
        EXPECT_TRUE(is_raw());
        EXPECT_EQ(RawTerminal::enter(tty_.get()).error().value, EBUSY);
        RawTerminal moved = raw.release_value();
        moved.suspend();
        EXPECT_FALSE(is_raw());
        moved.resume();
        EXPECT_TRUE(is_raw());
    }
    EXPECT_FALSE(is_raw());
    restore_terminal(); // harmless
    EXPECT_TRUE(RawTerminal::enter(tty_.get()).ok());
    EXPECT_FALSE(is_raw());
}

TEST_F(TerminalTest, FatalSignalsGiveItBack)
{
    int const abort_status = end_child_in_raw_mode([] { std::abort(); });
    EXPECT_TRUE(WIFSIGNALED(abort_status) && WTERMSIG(abort_status) == SIGABRT);
    EXPECT_FALSE(is_raw());
    int const trap_status = end_child_in_raw_mode([] { __builtin_trap(); });
    EXPECT_TRUE(WIFSIGNALED(trap_status) && WTERMSIG(trap_status) == SIGILL);
    EXPECT_FALSE(is_raw());
    int const term_status = end_child_in_raw_mode([] { ::kill(::getpid(), SIGTERM); });
    EXPECT_TRUE(WIFSIGNALED(term_status) && WTERMSIG(term_status) == SIGTERM);
    EXPECT_FALSE(is_raw());
}

TEST_F(TerminalTest, ExitGivesItBack)
{
    int const status = end_child_in_raw_mode([] { std::exit(7); });
    EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 7);
    EXPECT_FALSE(is_raw());
}

TEST_F(TerminalTest, WindowSize)
{
    WindowSize const size { .rows = 40, .columns = 132, .x_pixels = 0, .y_pixels = 0 };
    ASSERT_TRUE(set_window_size(tty_.get(), size).ok());
    EXPECT_EQ(window_size(tty_.get()).value(), size);
}

TEST(Terminal, OtherFilesAreNone)
{
    PipeEnds pipe = OwnedFd::pipe().release_value();
    EXPECT_FALSE(is_terminal(pipe.reader.get()));
    EXPECT_FALSE(is_foreground(pipe.reader.get()));
    EXPECT_EQ(window_size(pipe.reader.get()).error().value, ENOTTY);
    EXPECT_EQ(RawTerminal::enter(pipe.reader.get()).error().value, ENOTTY);
}

} // namespace
} // namespace umbra::hostabi
