// SPDX-License-Identifier: GPL-2.0-or-later
// What every ABI test uses: children that report through gtest, descriptors that close themselves, a scratch
// directory, raw system calls. The host is the oracle: a test that fails there is wrong. tests/abi/main.cpp
// runs each test in its own process and session, so a test may change its own process as it likes.
//
// EXPECT and ASSERT work in forked children too: start() turns a failure there into a non-zero exit status.
#pragma once

#include <cerrno>
#include <csignal>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <string>
#include <string_view>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>
#include <utility>

#include <gtest/gtest.h>

namespace abi_test {

/// A descriptor that closes itself. Converts to int, so that it reads like one in a call.
class Fd {
public:
    Fd() = default;
    // Implicit: every call that returns a descriptor can initialise one.
    Fd(int fd)
        : fd_(fd)
    {
    }
    Fd(Fd&& other) noexcept
        : fd_(std::exchange(other.fd_, -1))
    {
    }
    Fd& operator=(Fd&& other) noexcept
    {
        reset(std::exchange(other.fd_, -1));
        return *this;
    }
    ~Fd() { reset(); }
    operator int() const { return fd_; }
    void reset(int fd = -1)
    {
        if (fd_ >= 0) ::close(fd_);
        fd_ = fd;
    }

private:
    int fd_ = -1;
};

struct Pipe {
    Fd read_end;
    Fd write_end;
    explicit Pipe(int flags = 0);
};

/// The errno of a C library call that failed, 0 if it succeeded: EXPECT_EQ(error_of(close(-1)), EBADF).
int error_of(long result);

/// A system call without the C library in between: the result or -errno.
template <typename... Args> long raw(long number, Args... args)
{
    long result = ::syscall(number, args...);
    return result == -1 ? -errno : result;
}

/// The call returns 0 or more; stops the test otherwise.
#define ASSERT_OK(expr) ASSERT_GE((expr), 0) << std::strerror(errno)
#define EXPECT_OK(expr) EXPECT_GE((expr), 0) << std::strerror(errno)
#define EXPECT_ERROR(expr, error) EXPECT_EQ(::abi_test::error_of(expr), (error))

/// For what an older host may lack. The guest must have everything: UMBRA_ABI_STRICT turns the skip into a
/// failure.
#define SKIP_AS_HOST_LACKS(what)                                                                             \
    do {                                                                                                     \
        if (std::getenv("UMBRA_ABI_STRICT")) FAIL() << "missing: " << (what);                                \
        GTEST_SKIP() << "the host lacks " << (what);                                                         \
    } while (false)

#define NEEDS_ROOT()                                                                                         \
    if (::geteuid() != 0) GTEST_SKIP() << "needs root"

#define NEEDS_ORDINARY_USER()                                                                                \
    if (::geteuid() == 0) GTEST_SKIP() << "needs an ordinary user"

constexpr int kOrdinaryUser = 1000;
constexpr size_t kPage = 4096;

// Wait statuses. wait_for() drops the core-dump flag, since that depends on the limits around the test.
constexpr int exited(int code) { return (code & 0xff) << 8; }
constexpr int killed_by(int signal) { return signal; }
constexpr int stopped_by(int signal) { return (signal << 8) | 0x7f; }
int wait_for(pid_t pid, int options = 0);

/// Ends the calling child: status 1 if an expectation has failed in it, else 0.
[[noreturn]] void finish_child();

/// Forks a child that runs the body and ends.
template <typename Body> pid_t start(Body&& body)
{
    pid_t pid = ::fork();
    if (pid == 0) {
        body();
        finish_child();
    }
    EXPECT_GT(pid, 0) << std::strerror(errno);
    return pid;
}

/// Runs the body in a child and expects that all went well there.
template <typename Body> void in_child(Body&& body)
{
    EXPECT_EQ(wait_for(start(std::forward<Body>(body))), exited(0));
}

/// Runs the body as an ordinary user without capabilities: in a child that gave up root, or in a plain child.
void become_ordinary_user();
template <typename Body> void as_ordinary_user(Body&& body)
{
    in_child([&] {
        become_ordinary_user();
        body();
    });
}

/// A pipe on which one process waits for the other.
class Gate {
public:
    void open() const { EXPECT_EQ(::write(pipe_.write_end, "!", 1), 1); }
    void wait() const;

private:
    Pipe pipe_;
};

/// Waits until a process (or thread, with its thread id) sleeps in the kernel, as /proc shows it.
void wait_until_sleeping(pid_t pid);
/// The state letter of /proc/PID/stat, or 0 if there is no such process.
char process_state(pid_t pid);

/// A signal that comes every few milliseconds: something to interrupt a blocking call with, however slow the
/// machine.
class RepeatingAlarm {
public:
    using Handler = void (*)(int);
    explicit RepeatingAlarm(int flags, Handler handler = nullptr);
    ~RepeatingAlarm();
    static int count();
};

void set_handler(int signal, void (*handler)(int), int flags = 0);
void set_handler(int signal, void (*handler)(int, siginfo_t*, void*), int flags = 0);
sigset_t signals(std::initializer_list<int> members);
void block_signals(std::initializer_list<int> members);

/// A fresh directory that is the working directory of the test; removed at its end.
class ScratchDirectory {
public:
    ScratchDirectory();
    ~ScratchDirectory();
    std::string const& path() const { return path_; }

private:
    std::string path_;
    pid_t owner_;
};

/// For tests about files: each starts in its own empty directory.
class InScratchDirectory : public ::testing::Test {
protected:
    ScratchDirectory scratch_;
};

void write_file(std::string const& path, std::string_view content, mode_t mode = 0644);
std::string read_file(std::string const& path);
std::string read_all(int fd);
/// Creates an empty file and opens it for reading and writing.
Fd new_file(std::string const& path, mode_t mode = 0644);
bool exists(std::string const& path);
struct stat status_of(std::string const& path);
mode_t mode_of(std::string const& path);

/// Memory in whole pages that unmaps itself.
class Mapping {
public:
    explicit Mapping(size_t length, int protection = 3, int flags = 0x22, int fd = -1, off_t offset = 0);
    ~Mapping();
    Mapping(Mapping const&) = delete;
    Mapping& operator=(Mapping const&) = delete;
    char* data() const { return data_; }
    char& operator[](size_t i) const { return data_[i]; }
    size_t size() const { return length_; }
    template <typename T> T* as() const { return reinterpret_cast<T*>(data_); }

private:
    char* data_;
    size_t length_;
};

/// Whether a read or write of the byte is answered by SIGSEGV; tried in a child.
bool can_read(void const* address);
bool can_write(void* address);

double seconds_since(timespec const& start);
timespec monotonic_now();

} // namespace abi_test
