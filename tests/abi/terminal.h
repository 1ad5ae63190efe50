// SPDX-License-Identifier: GPL-2.0-or-later
// A pseudo-terminal with both its sides, for the tests about the line discipline and about job control.
#pragma once

#include <poll.h>
#include <sys/ioctl.h>
#include <termios.h>

#include "abi-test.h"

namespace abi_test {

class Terminal : public ::testing::Test {
protected:
    Terminal()
    {
        master_ = ::open("/dev/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC);
        int unlock = 0;
        if (master_ < 0 || ::ioctl(master_, TIOCSPTLCK, &unlock) != 0
            || ::ioctl(master_, TIOCGPTN, &number_) != 0) {
            ADD_FAILURE() << "ptmx: " << std::strerror(errno);
            return;
        }
        name_ = "/dev/pts/" + std::to_string(number_);
        slave_ = ::open(name_.c_str(), O_RDWR | O_NOCTTY | O_CLOEXEC);
        EXPECT_OK(slave_);
    }

    void type(std::string const& keys)
    {
        ASSERT_EQ(::write(master_, keys.data(), keys.size()), ssize_t(keys.size()));
    }

    /// What arrives at a descriptor next, waiting for the first byte.
    static std::string next(int fd)
    {
        char buffer[4096];
        ssize_t n = ::read(fd, buffer, sizeof buffer);
        EXPECT_GE(n, 0) << std::strerror(errno);
        return std::string(buffer, n > 0 ? size_t(n) : 0);
    }
    /// The next `length` bytes.
    static std::string take(int fd, size_t length)
    {
        std::string all;
        while (all.size() < length) {
            char c;
            if (::read(fd, &c, 1) != 1) break;
            all += c;
        }
        return all;
    }
    static bool readable(int fd, int timeout = 0)
    {
        pollfd event { fd, POLLIN, 0 };
        return ::poll(&event, 1, timeout) == 1 && (event.revents & POLLIN);
    }

    termios settings() const
    {
        termios t {};
        EXPECT_EQ(::tcgetattr(slave_, &t), 0);
        return t;
    }
    template <typename Change> void change(Change&& change)
    {
        termios t = settings();
        change(t);
        ASSERT_EQ(::tcsetattr(slave_, TCSANOW, &t), 0);
    }
    void no_echo()
    {
        change([](termios& t) { t.c_lflag &= ~tcflag_t(ECHO); });
    }
    void raw_mode(cc_t minimum, cc_t time)
    {
        change([=](termios& t) {
            ::cfmakeraw(&t);
            t.c_cc[VMIN] = minimum;
            t.c_cc[VTIME] = time;
        });
    }

    Fd master_, slave_;
    int number_ = -1;
    std::string name_;
};

} // namespace abi_test
