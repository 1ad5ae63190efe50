// SPDX-License-Identifier: GPL-2.0-or-later
// Pseudo-terminals: the line discipline, its settings, window size, hang-up: termios(3), tty_ioctl(2),
// pty(7).
#include "terminal.h"

namespace abi_test {
namespace {

TEST_F(Terminal, is_a_terminal_with_a_name)
{
    EXPECT_TRUE(::isatty(slave_));
    EXPECT_TRUE(::isatty(master_));
    struct stat info { };
    ASSERT_EQ(::stat(name_.c_str(), &info), 0);
    EXPECT_TRUE(S_ISCHR(info.st_mode));
    EXPECT_EQ(info.st_uid, ::getuid());
    char target[64] = {};
    ASSERT_GT(::readlink(("/proc/self/fd/" + std::to_string(int(slave_))).c_str(), target, sizeof target), 0);
    EXPECT_EQ(target, name_);
}

TEST_F(Terminal, slave_is_locked_at_first)
{
    Fd master = ::open("/dev/ptmx", O_RDWR | O_NOCTTY);
    int number = -1, lock = 0;
    ASSERT_EQ(::ioctl(master, TIOCGPTN, &number), 0);
    std::string name = "/dev/pts/" + std::to_string(number);
    EXPECT_NE(number, number_);
    EXPECT_ERROR(::open(name.c_str(), O_RDWR | O_NOCTTY), EIO);
    ASSERT_EQ(::ioctl(master, TIOCSPTLCK, &lock), 0);
    Fd slave = ::open(name.c_str(), O_RDWR | O_NOCTTY);
    EXPECT_OK(slave);
    master.reset();
    slave.reset();
    EXPECT_FALSE(exists(name));
}

TEST_F(Terminal, default_settings)
{
    termios t = settings();
    EXPECT_EQ(t.c_iflag & (ICRNL | IXON), tcflag_t(ICRNL | IXON));
    EXPECT_EQ(t.c_oflag & (OPOST | ONLCR), tcflag_t(OPOST | ONLCR));
    EXPECT_EQ(t.c_lflag & (ISIG | ICANON | ECHO | ECHOE | ECHOK | IEXTEN),
        tcflag_t(ISIG | ICANON | ECHO | ECHOE | ECHOK | IEXTEN));
    EXPECT_EQ(t.c_cc[VINTR], 3);
    EXPECT_EQ(t.c_cc[VQUIT], 28);
    EXPECT_EQ(t.c_cc[VERASE], 127);
    EXPECT_EQ(t.c_cc[VKILL], 21);
    EXPECT_EQ(t.c_cc[VEOF], 4);
    EXPECT_EQ(t.c_cc[VSUSP], 26);
    EXPECT_EQ(t.c_cc[VMIN], 1);
}

TEST_F(Terminal, what_is_locked_stays)
{
    termios const before = settings();
    termios locked {};
    ASSERT_EQ(::ioctl(slave_, TIOCGLCKTRMIOS, &locked), 0);
    EXPECT_EQ(locked.c_lflag, 0u);
    locked.c_lflag = ECHO;
    locked.c_cc[VINTR] = 1;
    as_ordinary_user([&] { EXPECT_ERROR(::ioctl(slave_, TIOCSLCKTRMIOS, &locked), EPERM); });
    if (::ioctl(slave_, TIOCSLCKTRMIOS, &locked) != 0) GTEST_SKIP() << "needs CAP_SYS_ADMIN";
    termios wanted = before;
    wanted.c_lflag &= ~tcflag_t(ECHO | ICANON);
    wanted.c_cc[VINTR] = 5, wanted.c_cc[VQUIT] = 6;
    ASSERT_EQ(::tcsetattr(slave_, TCSANOW, &wanted), 0);
    termios const now = settings();
    EXPECT_EQ(now.c_lflag & (ECHO | ICANON), tcflag_t(ECHO));
    EXPECT_EQ(now.c_cc[VINTR], before.c_cc[VINTR]);
    EXPECT_EQ(now.c_cc[VQUIT], 6);
}

TEST_F(Terminal, line_is_delivered_when_complete)
{
    type("hel");
    EXPECT_FALSE(readable(slave_));
    type("lo\r");
    EXPECT_TRUE(readable(slave_, -1));
    EXPECT_EQ(next(slave_), "hello\n");
}

TEST_F(Terminal, one_line_a_read)
{
    type("one\ntwo\n");
    EXPECT_EQ(next(slave_), "one\n");
    EXPECT_EQ(next(slave_), "two\n");
    type("three\n");
    char c;
    EXPECT_EQ(::read(slave_, &c, 1), 1);
    EXPECT_EQ(next(slave_), "hree\n");
}

TEST_F(Terminal, echoes)
{
    type("ab\r");
    EXPECT_EQ(take(master_, 4), "ab\r\n");
    type("\x01");
    EXPECT_EQ(take(master_, 2), "^A");
}

TEST_F(Terminal, no_echo_but_newline_with_echonl)
{
    change([](termios& t) {
        t.c_lflag &= ~tcflag_t(ECHO);
        t.c_lflag |= ECHONL;
    });
    type("secret\n");
    EXPECT_EQ(take(master_, 2), "\r\n");
    EXPECT_EQ(next(slave_), "secret\n");
}

TEST_F(Terminal, erase_word_erase_and_kill)
{
    no_echo();
    type("abX\x7f"
         "c\n");
    EXPECT_EQ(next(slave_), "abc\n");
    type("first second\x17third\n");
    EXPECT_EQ(next(slave_), "first third\n");
    type("junk\x15good\n");
    EXPECT_EQ(next(slave_), "good\n");
    type("\x7f\x7fz\n");
    EXPECT_EQ(next(slave_), "z\n");
}

TEST_F(Terminal, erase_is_shown)
{
    type("ab\x7f");
    EXPECT_EQ(take(master_, 5), "ab\b \b");
}

TEST_F(Terminal, erase_in_utf8_takes_a_character)
{
    change([](termios& t) {
        t.c_iflag |= IUTF8;
        t.c_lflag &= ~tcflag_t(ECHO);
    });
    type("a\xc3\xa4\x7f"
         "b\n");
    EXPECT_EQ(next(slave_), "ab\n");
}

TEST_F(Terminal, literal_next)
{
    no_echo();
    type("a\x16\x03"
         "b\n");
    EXPECT_EQ(next(slave_),
        "a\x03"
        "b\n");
}

TEST_F(Terminal, end_of_file)
{
    no_echo();
    type("\x04");
    EXPECT_EQ(next(slave_), "");
    type("part\x04");
    EXPECT_EQ(next(slave_), "part");
    type("x\x04\x04");
    EXPECT_EQ(next(slave_), "x");
    EXPECT_EQ(next(slave_), "");
}

TEST_F(Terminal, input_mapping)
{
    no_echo();
    change([](termios& t) {
        t.c_iflag &= ~tcflag_t(ICRNL);
        t.c_iflag |= INLCR;
        t.c_cc[VEOL] = '\r';
    });
    type("a\n");
    EXPECT_EQ(next(slave_), "a\r");
    change([](termios& t) {
        t.c_iflag &= ~tcflag_t(INLCR);
        t.c_iflag |= IGNCR;
    });
    type("b\rc\n");
    EXPECT_EQ(next(slave_), "bc\n");
}

TEST_F(Terminal, output_mapping)
{
    ASSERT_EQ(::write(slave_, "a\nb", 3), 3);
    EXPECT_EQ(take(master_, 4), "a\r\nb");
    change([](termios& t) { t.c_oflag &= ~tcflag_t(OPOST); });
    ASSERT_EQ(::write(slave_, "a\nb", 3), 3);
    EXPECT_EQ(take(master_, 3), "a\nb");
}

TEST_F(Terminal, tabs_are_expanded_when_asked)
{
    change([](termios& t) { t.c_oflag |= XTABS; });
    ASSERT_EQ(::write(slave_, "ab\tc", 4), 4);
    EXPECT_EQ(take(master_, 9), "ab      c");
}

TEST_F(Terminal, raw_mode_passes_everything_at_once)
{
    raw_mode(1, 0);
    std::string all;
    for (int c = 0; c < 256; c++)
        all += char(c);
    type(all);
    EXPECT_EQ(take(slave_, 256), all);
    EXPECT_FALSE(readable(master_)) << "no echo";
}

TEST_F(Terminal, minimum_without_time)
{
    raw_mode(3, 0);
    type("ab");
    // poll looks at VMIN too when there is no time.
    EXPECT_FALSE(readable(slave_));
    type("c");
    EXPECT_EQ(next(slave_), "abc");
}

TEST_F(Terminal, no_minimum_no_time_returns_at_once)
{
    raw_mode(0, 0);
    EXPECT_EQ(next(slave_), "");
    type("x");
    EXPECT_TRUE(readable(slave_, -1));
    EXPECT_EQ(next(slave_), "x");
}

TEST_F(Terminal, time_without_minimum_is_a_timeout)
{
    raw_mode(0, 1);
    timespec begin = monotonic_now();
    EXPECT_EQ(next(slave_), "");
    EXPECT_GE(seconds_since(begin), 0.09);
    type("x");
    EXPECT_TRUE(readable(slave_, -1));
    EXPECT_EQ(next(slave_), "x");
}

TEST_F(Terminal, time_between_bytes)
{
    raw_mode(10, 1);
    type("abc");
    // The clock starts with the first byte; ten never come.
    EXPECT_EQ(next(slave_), "abc");
}

TEST_F(Terminal, nonblocking_read)
{
    ASSERT_EQ(::fcntl(slave_, F_SETFL, O_NONBLOCK), 0);
    char c;
    EXPECT_ERROR(::read(slave_, &c, 1), EAGAIN);
}

TEST_F(Terminal, waiting_bytes_and_flush)
{
    no_echo();
    type("abc\n");
    EXPECT_TRUE(readable(slave_, -1));
    int n = -1;
    ASSERT_EQ(::ioctl(slave_, FIONREAD, &n), 0);
    EXPECT_EQ(n, 4);
    ASSERT_EQ(::tcflush(slave_, TCIFLUSH), 0);
    ASSERT_EQ(::ioctl(slave_, FIONREAD, &n), 0);
    EXPECT_EQ(n, 0);
    EXPECT_FALSE(readable(slave_));
    EXPECT_EQ(::tcdrain(slave_), 0);
}

TEST_F(Terminal, flow_control_by_characters)
{
    ASSERT_EQ(::fcntl(slave_, F_SETFL, O_NONBLOCK), 0);
    // What is typed reaches the line discipline a little later.
    type("\x13");
    while (::write(slave_, "x", 1) == 1)
        ::usleep(1000);
    EXPECT_EQ(errno, EAGAIN);
    type("\x11");
    while (::write(slave_, "y", 1) < 0)
        ::usleep(1000);
    while (take(master_, 1) != "y")
        ;
}

TEST_F(Terminal, window_size)
{
    winsize size { 30, 100, 0, 0 }, got {};
    ASSERT_EQ(::ioctl(master_, TIOCSWINSZ, &size), 0);
    ASSERT_EQ(::ioctl(slave_, TIOCGWINSZ, &got), 0);
    EXPECT_EQ(got.ws_row, 30);
    EXPECT_EQ(got.ws_col, 100);
}

TEST_F(Terminal, hangup_of_the_master)
{
    master_.reset();
    EXPECT_EQ(next(slave_), "");
    EXPECT_ERROR(::write(slave_, "x", 1), EIO);
    pollfd event { slave_, POLLIN | POLLOUT, 0 };
    EXPECT_EQ(::poll(&event, 1, 0), 1);
    EXPECT_TRUE(event.revents & POLLHUP);
    EXPECT_ERROR(::open(name_.c_str(), O_RDWR | O_NOCTTY), errno);
}

TEST_F(Terminal, master_sees_the_last_slave_go)
{
    ASSERT_EQ(::write(slave_, "bye", 3), 3);
    slave_.reset();
    EXPECT_EQ(take(master_, 3), "bye");
    char c;
    EXPECT_ERROR(::read(master_, &c, 1), EIO);
    // Opened again it works again.
    slave_ = ::open(name_.c_str(), O_RDWR | O_NOCTTY);
    ASSERT_EQ(::write(slave_, "x", 1), 1);
    EXPECT_EQ(take(master_, 1), "x");
}

TEST_F(Terminal, packet_mode_and_exclusive_use)
{
    int on = 1;
    ASSERT_EQ(::ioctl(master_, TIOCPKT, &on), 0);
    ASSERT_EQ(::write(slave_, "x", 1), 1);
    EXPECT_EQ(next(master_), std::string("\0x", 2));
    as_ordinary_user([&] {
        ASSERT_EQ(::ioctl(slave_, TIOCEXCL), 0);
        EXPECT_NE(error_of(::open(name_.c_str(), O_RDWR | O_NOCTTY)), 0);
        ASSERT_EQ(::ioctl(slave_, TIOCNXCL), 0);
    });
}

TEST_F(Terminal, long_lines_are_cut)
{
    no_echo();
    std::string line(5000, 'x');
    type(line.substr(0, 2500));
    type(line.substr(2500));
    type("\n");
    EXPECT_EQ(next(slave_).size(), 4096u);
}

} // namespace
} // namespace abi_test
