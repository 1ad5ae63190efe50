// SPDX-License-Identifier: GPL-2.0-or-later
// File leases, fcntl(2): F_SETLEASE and F_GETLEASE, what breaks one, and who is told.
#include "abi-test.h"

#include <poll.h>

namespace abi_test {
namespace {

constexpr timespec kAtOnce {};

/// Takes a pending signal, which must be there; its siginfo.
siginfo_t take(int signal)
{
    siginfo_t info {};
    sigset_t wanted = signals({ signal });
    EXPECT_EQ(::sigtimedwait(&wanted, &info, &kAtOnce), signal) << std::strerror(errno);
    return info;
}

bool is_pending(int signal)
{
    sigset_t pending;
    ::sigpending(&pending);
    return ::sigismember(&pending, signal);
}

class Lease : public InScratchDirectory {
protected:
    Lease()
    {
        write_file("f", "text");
        block_signals({ SIGIO, SIGRTMIN });
    }
};

TEST_F(Lease, read_lease_needs_that_nobody_writes)
{
    Fd writer = ::open("f", O_WRONLY);
    Fd fd = ::open("f", O_RDONLY);
    EXPECT_ERROR(::fcntl(fd, F_SETLEASE, F_RDLCK), EAGAIN);
    writer.reset();
    EXPECT_OK(::fcntl(fd, F_SETLEASE, F_RDLCK));
    EXPECT_EQ(::fcntl(fd, F_GETLEASE), F_RDLCK);
}

TEST_F(Lease, write_lease_needs_the_only_description)
{
    Fd other = ::open("f", O_RDONLY);
    Fd fd = ::open("f", O_RDWR);
    EXPECT_ERROR(::fcntl(fd, F_SETLEASE, F_WRLCK), EAGAIN);
    other.reset();
    EXPECT_OK(::fcntl(fd, F_SETLEASE, F_WRLCK));
    EXPECT_EQ(::fcntl(fd, F_GETLEASE), F_WRLCK);
    Fd read_only = ::open("f", O_RDONLY | O_NONBLOCK);
    EXPECT_EQ(read_only, -1);
}

TEST_F(Lease, one_opened_for_writing_gives_no_read_lease)
{
    Fd fd = ::open("f", O_RDWR);
    EXPECT_ERROR(::fcntl(fd, F_SETLEASE, F_RDLCK), EAGAIN);
}

TEST_F(Lease, write_lease_of_a_read_only_description)
{
    Fd fd = ::open("f", O_RDONLY);
    EXPECT_OK(::fcntl(fd, F_SETLEASE, F_WRLCK));
    EXPECT_EQ(::fcntl(fd, F_GETLEASE), F_WRLCK);
}

TEST_F(Lease, none_is_told_as_unlocked)
{
    Fd fd = ::open("f", O_RDONLY);
    EXPECT_EQ(::fcntl(fd, F_GETLEASE), F_UNLCK);
    EXPECT_ERROR(::fcntl(fd, F_SETLEASE, F_UNLCK), EAGAIN);
}

TEST_F(Lease, wrong_arguments)
{
    Fd fd = ::open("f", O_RDONLY);
    EXPECT_ERROR(::fcntl(fd, F_SETLEASE, 3), EINVAL);
    Pipe pipe;
    EXPECT_ERROR(::fcntl(pipe.read_end, F_SETLEASE, F_RDLCK), EINVAL);
    Fd directory = ::open(".", O_RDONLY);
    EXPECT_ERROR(::fcntl(directory, F_SETLEASE, F_RDLCK), EINVAL);
    Fd path_only = ::open("f", O_PATH);
    EXPECT_ERROR(::fcntl(path_only, F_SETLEASE, F_RDLCK), EBADF);
    EXPECT_ERROR(::fcntl(path_only, F_GETLEASE), EBADF);
}

TEST_F(Lease, belongs_to_the_owner_of_the_file)
{
    NEEDS_ROOT();
    ASSERT_OK(::chmod("f", 0644));
    as_ordinary_user([] {
        Fd fd = ::open("f", O_RDONLY);
        ASSERT_OK(fd);
        EXPECT_ERROR(::fcntl(fd, F_SETLEASE, F_RDLCK), EACCES);
        EXPECT_ERROR(::fcntl(fd, F_SETLEASE, F_UNLCK), EACCES);
        EXPECT_ERROR(::fcntl(fd, F_SETLEASE, 3), EINVAL);
    });
}

TEST_F(Lease, many_may_read)
{
    Fd a = ::open("f", O_RDONLY), b = ::open("f", O_RDONLY);
    EXPECT_OK(::fcntl(a, F_SETLEASE, F_RDLCK));
    EXPECT_OK(::fcntl(b, F_SETLEASE, F_RDLCK));
    EXPECT_ERROR(::fcntl(b, F_SETLEASE, F_WRLCK), EAGAIN);
    EXPECT_EQ(::fcntl(b, F_GETLEASE), F_RDLCK);
}

TEST_F(Lease, changes_its_kind)
{
    Fd fd = ::open("f", O_RDONLY);
    EXPECT_OK(::fcntl(fd, F_SETLEASE, F_RDLCK));
    EXPECT_OK(::fcntl(fd, F_SETLEASE, F_WRLCK));
    EXPECT_EQ(::fcntl(fd, F_GETLEASE), F_WRLCK);
    EXPECT_OK(::fcntl(fd, F_SETLEASE, F_UNLCK));
    EXPECT_EQ(::fcntl(fd, F_GETLEASE), F_UNLCK);
}

TEST_F(Lease, an_open_breaks_it)
{
    Fd fd = ::open("f", O_RDONLY);
    ASSERT_OK(::fcntl(fd, F_SETLEASE, F_RDLCK));
    Fd reader = ::open("f", O_RDONLY | O_NONBLOCK);
    EXPECT_OK(reader);
    EXPECT_FALSE(is_pending(SIGIO));
    EXPECT_ERROR(::open("f", O_WRONLY | O_NONBLOCK), EWOULDBLOCK);
    EXPECT_EQ(take(SIGIO).si_code, SI_KERNEL);
    EXPECT_EQ(::fcntl(fd, F_GETLEASE), F_UNLCK) << "what it is to become";
    EXPECT_ERROR(::open("f", O_RDWR | O_NONBLOCK), EWOULDBLOCK);
    EXPECT_FALSE(is_pending(SIGIO)) << "told once";
    ASSERT_OK(::fcntl(fd, F_SETLEASE, F_UNLCK));
    Fd writer = ::open("f", O_WRONLY | O_NONBLOCK);
    EXPECT_OK(writer);
}

TEST_F(Lease, a_reader_downgrades_a_write_lease)
{
    Fd fd = ::open("f", O_RDONLY);
    ASSERT_OK(::fcntl(fd, F_SETLEASE, F_WRLCK));
    EXPECT_ERROR(::open("f", O_RDONLY | O_NONBLOCK), EWOULDBLOCK);
    take(SIGIO);
    EXPECT_EQ(::fcntl(fd, F_GETLEASE), F_RDLCK) << "what it is to become";
    EXPECT_ERROR(::open("f", O_RDONLY | O_NONBLOCK), EWOULDBLOCK);
    EXPECT_FALSE(is_pending(SIGIO));
    ASSERT_OK(::fcntl(fd, F_SETLEASE, F_RDLCK));
    Fd reader = ::open("f", O_RDONLY | O_NONBLOCK);
    EXPECT_OK(reader);
}

TEST_F(Lease, a_break_that_goes_on_lets_nobody_in)
{
    Fd fd = ::open("f", O_RDONLY);
    ASSERT_OK(::fcntl(fd, F_SETLEASE, F_RDLCK));
    EXPECT_ERROR(::open("f", O_WRONLY | O_NONBLOCK), EWOULDBLOCK);
    Fd other = ::open("f", O_RDONLY);
    ASSERT_OK(other);
    EXPECT_ERROR(::fcntl(other, F_SETLEASE, F_RDLCK), EAGAIN);
}

TEST_F(Lease, the_chosen_signal_says_which_descriptor)
{
    Fd fd = ::open("f", O_RDONLY);
    ASSERT_OK(::fcntl(fd, F_SETSIG, SIGRTMIN));
    ASSERT_OK(::fcntl(fd, F_SETLEASE, F_RDLCK));
    EXPECT_EQ(::fcntl(fd, F_GETOWN), ::getpid());
    EXPECT_ERROR(::open("f", O_WRONLY | O_NONBLOCK), EWOULDBLOCK);
    siginfo_t info = take(SIGRTMIN);
    EXPECT_EQ(info.si_code, POLL_MSG);
    EXPECT_EQ(info.si_fd, fd);
    EXPECT_EQ(info.si_band, POLLIN | POLLRDNORM | POLLMSG);
    ASSERT_OK(::fcntl(fd, F_SETLEASE, F_UNLCK));
    EXPECT_EQ(::fcntl(fd, F_GETOWN), 0);
    EXPECT_EQ(::fcntl(fd, F_GETSIG), 0);
}

TEST_F(Lease, whoever_opens_waits_for_the_holder)
{
    Fd fd = ::open("f", O_RDONLY);
    ASSERT_OK(::fcntl(fd, F_SETLEASE, F_RDLCK));
    pid_t child = start([&] {
        fd.reset();
        Fd writer = ::open("f", O_WRONLY | O_TRUNC);
        EXPECT_OK(writer);
        EXPECT_EQ(status_of("f").st_size, 0);
    });
    siginfo_t info;
    sigset_t wanted = signals({ SIGIO });
    ASSERT_EQ(::sigwaitinfo(&wanted, &info), SIGIO);
    wait_until_sleeping(child);
    EXPECT_EQ(status_of("f").st_size, 4);
    ASSERT_OK(::fcntl(fd, F_SETLEASE, F_UNLCK));
    EXPECT_EQ(wait_for(child), exited(0));
}

TEST_F(Lease, closing_ends_it)
{
    Fd fd = ::open("f", O_RDONLY);
    Fd copy = ::dup(fd);
    ASSERT_OK(::fcntl(fd, F_SETLEASE, F_RDLCK));
    fd.reset();
    EXPECT_EQ(::fcntl(copy, F_GETLEASE), F_RDLCK) << "the description has it";
    pid_t child = start([&] {
        copy.reset();
        Fd writer = ::open("f", O_WRONLY);
        EXPECT_OK(writer);
    });
    siginfo_t info;
    sigset_t wanted = signals({ SIGIO });
    ASSERT_EQ(::sigwaitinfo(&wanted, &info), SIGIO);
    copy.reset();
    EXPECT_EQ(wait_for(child), exited(0));
}

TEST_F(Lease, truncate_breaks_it)
{
    Fd fd = ::open("f", O_RDONLY);
    ASSERT_OK(::fcntl(fd, F_SETLEASE, F_RDLCK));
    pid_t child = start([&] {
        fd.reset();
        EXPECT_OK(::truncate("f", 1));
    });
    siginfo_t info;
    sigset_t wanted = signals({ SIGIO });
    ASSERT_EQ(::sigwaitinfo(&wanted, &info), SIGIO);
    wait_until_sleeping(child);
    EXPECT_EQ(status_of("f").st_size, 4);
    ASSERT_OK(::fcntl(fd, F_SETLEASE, F_UNLCK));
    EXPECT_EQ(wait_for(child), exited(0));
    EXPECT_EQ(status_of("f").st_size, 1);
}

TEST_F(Lease, a_signal_interrupts_the_wait)
{
    Fd fd = ::open("f", O_RDONLY);
    ASSERT_OK(::fcntl(fd, F_SETLEASE, F_RDLCK));
    in_child([&] {
        RepeatingAlarm alarm(0);
        EXPECT_ERROR(::open("f", O_WRONLY), EINTR);
    });
}

TEST_F(Lease, time_runs_out_for_the_holder)
{
    NEEDS_ROOT();
    constexpr char kSetting[] = "/proc/sys/fs/lease-break-time";
    std::string before = read_file(kSetting);
    Fd setting = ::open(kSetting, O_WRONLY);
    if (setting < 0) SKIP_AS_HOST_LACKS("a writable lease-break-time");
    ASSERT_EQ(::write(setting, "1\n", 2), 2);
    Fd fd = ::open("f", O_RDONLY);
    ASSERT_OK(::fcntl(fd, F_SETLEASE, F_WRLCK));
    Fd reader = ::open("f", O_RDONLY);
    EXPECT_OK(reader);
    EXPECT_EQ(::fcntl(fd, F_GETLEASE), F_RDLCK);
    Fd writer = ::open("f", O_WRONLY);
    EXPECT_OK(writer);
    EXPECT_EQ(::fcntl(fd, F_GETLEASE), F_UNLCK);
    ASSERT_EQ(::pwrite(setting, before.data(), before.size(), 0), ssize_t(before.size()));
}

TEST(AsyncOwner, what_does_not_exist_owns_nothing)
{
    Pipe pipe;
    EXPECT_ERROR(::fcntl(pipe.read_end, F_SETOWN, 0x3ffffff), ESRCH);
    EXPECT_ERROR(::fcntl(pipe.read_end, F_SETOWN, INT32_MIN), EINVAL);
    f_owner_ex owner { F_OWNER_TID, 0x3ffffff };
    EXPECT_ERROR(::fcntl(pipe.read_end, F_SETOWN_EX, &owner), ESRCH);
    owner = { __pid_type(7), ::getpid() };
    EXPECT_ERROR(::fcntl(pipe.read_end, F_SETOWN_EX, &owner), EINVAL);
    EXPECT_ERROR(::fcntl(pipe.read_end, F_SETSIG, 65), EINVAL);
    pid_t child = start([] {});
    EXPECT_EQ(::waitid(P_PID, id_t(child), nullptr, WEXITED | WNOWAIT), 0);
    EXPECT_OK(::fcntl(pipe.read_end, F_SETOWN, child));
    EXPECT_EQ(wait_for(child), exited(0));
    EXPECT_EQ(::fcntl(pipe.read_end, F_GETOWN), 0);
}

TEST(AsyncOwner, is_remembered)
{
    Pipe pipe;
    EXPECT_OK(::fcntl(pipe.read_end, F_SETOWN, ::getpid()));
    EXPECT_EQ(::fcntl(pipe.read_end, F_GETOWN), ::getpid());
    f_owner_ex owner {};
    EXPECT_OK(::fcntl(pipe.read_end, F_GETOWN_EX, &owner));
    EXPECT_EQ(owner.type, F_OWNER_PID);
    EXPECT_EQ(owner.pid, ::getpid());
    owner = { F_OWNER_PGRP, ::getpgrp() };
    EXPECT_OK(::fcntl(pipe.read_end, F_SETOWN_EX, &owner));
    EXPECT_EQ(raw(SYS_fcntl, int(pipe.read_end), F_GETOWN, 0), -::getpgrp());
    EXPECT_OK(::fcntl(pipe.read_end, F_SETOWN, 0));
    EXPECT_EQ(::fcntl(pipe.read_end, F_GETOWN), 0);
}

} // namespace
} // namespace abi_test
