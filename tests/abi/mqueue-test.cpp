// SPDX-License-Identifier: GPL-2.0-or-later
// POSIX message queues, mq_overview(7).
#include "abi-test.h"

#include <climits>
#include <dirent.h>
#include <mqueue.h>
#include <poll.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/vfs.h>

namespace abi_test {
namespace {

constexpr timespec kAtOnce {};

class Mqueue : public ::testing::Test {
protected:
    Mqueue()
        : name_("/umbra-abi-" + std::to_string(::getpid()))
        , owner_(::getpid())
    {
    }
    ~Mqueue() override
    {
        if (::getpid() == owner_) ::mq_unlink(name_.c_str());
    }
    Fd open(int flags, long messages = 4, long size = 64, mode_t mode = 0600)
    {
        mq_attr shape {};
        shape.mq_maxmsg = messages;
        shape.mq_msgsize = size;
        return ::mq_open(name_.c_str(), flags, mode, &shape);
    }
    static int send(int queue, std::string_view text, unsigned priority = 0)
    {
        return ::mq_send(queue, text.data(), text.size(), priority);
    }
    static std::string receive(int queue, unsigned* priority = nullptr)
    {
        char text[64];
        ssize_t size = ::mq_receive(queue, text, sizeof text, priority);
        return size < 0 ? "error " + std::to_string(errno) : std::string(text, size_t(size));
    }
    static mq_attr attributes(int queue)
    {
        mq_attr shape {};
        EXPECT_OK(::mq_getattr(queue, &shape));
        return shape;
    }
    static short ready(int queue)
    {
        pollfd entry { queue, POLLIN | POLLOUT, 0 };
        EXPECT_OK(::poll(&entry, 1, 0));
        return entry.revents;
    }

    std::string name_;
    pid_t owner_;
};

TEST_F(Mqueue, messages_come_by_priority_and_age)
{
    Fd queue = open(O_CREAT | O_RDWR);
    ASSERT_OK(queue);
    EXPECT_OK(send(queue, "low", 1));
    EXPECT_OK(send(queue, "high", 32767u));
    EXPECT_OK(send(queue, "low again", 1));
    EXPECT_OK(send(queue, "", 2));
    EXPECT_EQ(attributes(queue).mq_curmsgs, 4);
    unsigned priority = 0;
    EXPECT_EQ(receive(queue, &priority), "high");
    EXPECT_EQ(priority, 32767u);
    EXPECT_EQ(receive(queue, &priority), "");
    EXPECT_EQ(priority, 2u);
    EXPECT_EQ(receive(queue), "low");
    EXPECT_EQ(receive(queue), "low again");
    EXPECT_EQ(attributes(queue).mq_curmsgs, 0);
}

TEST_F(Mqueue, opening)
{
    EXPECT_ERROR(open(O_RDWR), ENOENT);
    Fd queue = open(O_CREAT | O_EXCL | O_RDWR);
    ASSERT_OK(queue);
    EXPECT_EQ(::fcntl(queue, F_GETFD), FD_CLOEXEC);
    EXPECT_ERROR(open(O_CREAT | O_EXCL | O_RDWR), EEXIST);
    Fd again = open(O_CREAT | O_RDONLY, 1, 1);
    ASSERT_OK(again);
    EXPECT_EQ(attributes(again).mq_maxmsg, 4) << "as it was made";
    EXPECT_EQ(attributes(again).mq_msgsize, 64);
    EXPECT_ERROR(open(O_ACCMODE), EINVAL);
    EXPECT_OK(::mq_unlink(name_.c_str()));
    EXPECT_ERROR(::mq_unlink(name_.c_str()), ENOENT);
    EXPECT_OK(send(queue, "it lives on"));
    EXPECT_EQ(receive(again), "it lives on");
}

TEST_F(Mqueue, wrong_names)
{
    EXPECT_EQ(raw(SYS_mq_open, "", O_CREAT | O_RDWR, 0600, nullptr), -ENOENT);
    EXPECT_EQ(raw(SYS_mq_open, "/a", O_CREAT | O_RDWR, 0600, nullptr), -EACCES);
    EXPECT_EQ(raw(SYS_mq_open, "a/b", O_CREAT | O_RDWR, 0600, nullptr), -EACCES);
    EXPECT_EQ(raw(SYS_mq_open, ".", O_RDWR, 0600, nullptr), -EACCES);
    EXPECT_EQ(raw(SYS_mq_open, "..", O_RDWR, 0600, nullptr), -EACCES);
    EXPECT_EQ(raw(SYS_mq_open, std::string(256, 'a').c_str(), O_RDWR, 0600, nullptr), -ENAMETOOLONG);
    EXPECT_EQ(raw(SYS_mq_open, nullptr, O_RDWR, 0600, nullptr), -EFAULT);
    EXPECT_EQ(raw(SYS_mq_open, "a", O_RDWR, 0600, 1), -EFAULT);
    EXPECT_EQ(raw(SYS_mq_unlink, "a/b"), -EACCES);
    EXPECT_EQ(raw(SYS_mq_unlink, ""), -ENOENT);
}

TEST_F(Mqueue, wrong_shapes)
{
    EXPECT_ERROR(open(O_CREAT | O_RDWR, 0, 64), EINVAL);
    EXPECT_ERROR(open(O_CREAT | O_RDWR, 4, 0), EINVAL);
    EXPECT_ERROR(open(O_CREAT | O_RDWR, -1, 64), EINVAL);
    EXPECT_ERROR(open(O_CREAT | O_RDWR, 65537, 64), EINVAL);
    EXPECT_ERROR(open(O_CREAT | O_RDWR, 1, (16 << 20) + 1), EINVAL);
    as_ordinary_user([&] {
        EXPECT_ERROR(open(O_CREAT | O_RDWR, 11, 64), EINVAL);
        EXPECT_ERROR(open(O_CREAT | O_RDWR, 4, 8193), EINVAL);
    });
    Fd usual = ::mq_open(name_.c_str(), O_CREAT | O_RDWR, 0600, nullptr);
    ASSERT_OK(usual);
    EXPECT_EQ(attributes(usual).mq_maxmsg, 10);
    EXPECT_EQ(attributes(usual).mq_msgsize, 8192);
}

TEST_F(Mqueue, a_user_may_have_so_much)
{
    in_child([&] {
        become_ordinary_user();
        // 4 messages of 64 bytes, and 96 bytes of the kernel's for each.
        rlimit limit { 4 * (64 + 96) - 1, RLIM_INFINITY };
        ASSERT_OK(::getrlimit(RLIMIT_MSGQUEUE, &limit));
        limit.rlim_cur = 4 * (64 + 96) - 1;
        ASSERT_OK(::setrlimit(RLIMIT_MSGQUEUE, &limit));
        EXPECT_ERROR(open(O_CREAT | O_RDWR), EMFILE);
    });
}

TEST_F(Mqueue, access_follows_the_mode)
{
    Fd queue = open(O_CREAT | O_RDWR, 4, 64, 0444);
    ASSERT_OK(queue);
    NEEDS_ROOT();
    as_ordinary_user([&] {
        EXPECT_ERROR(open(O_RDWR), EACCES);
        EXPECT_ERROR(open(O_WRONLY), EACCES);
        EXPECT_OK(open(O_RDONLY));
        EXPECT_EQ(raw(SYS_mq_unlink, name_.c_str() + 1), -EPERM);
    });
}

TEST_F(Mqueue, access_mode_counts)
{
    Fd reader = open(O_CREAT | O_RDONLY);
    Fd writer = open(O_WRONLY);
    EXPECT_ERROR(send(reader, "x"), EBADF);
    EXPECT_EQ(receive(writer), "error " + std::to_string(EBADF));
    char text[64];
    EXPECT_ERROR(::mq_receive(-1, text, sizeof text, nullptr), EBADF);
    Pipe pipe;
    EXPECT_ERROR(send(pipe.write_end, "x"), EBADF);
    EXPECT_ERROR(::mq_receive(pipe.read_end, text, sizeof text, nullptr), EBADF);
    mq_attr shape;
    EXPECT_ERROR(::mq_getattr(pipe.read_end, &shape), EBADF);
}

TEST_F(Mqueue, sizes_and_priorities)
{
    Fd queue = open(O_CREAT | O_RDWR);
    char text[65] {};
    EXPECT_ERROR(::mq_send(queue, text, 65, 0), EMSGSIZE);
    EXPECT_OK(::mq_send(queue, text, 64, 0));
    EXPECT_ERROR(::mq_receive(queue, text, 63, nullptr), EMSGSIZE);
    EXPECT_ERROR(::mq_send(queue, text, 1, 32768), EINVAL);
    EXPECT_EQ(raw(SYS_mq_timedsend, int(queue), 1, 1, 0, nullptr), -EFAULT);
    EXPECT_EQ(raw(SYS_mq_timedsend, int(queue), text, 1, 0, 1), -EFAULT);
    timespec wrong { 0, 1'000'000'000 };
    EXPECT_EQ(raw(SYS_mq_timedsend, -1, text, 1, 0, &wrong), -EINVAL);
    EXPECT_EQ(raw(SYS_mq_timedreceive, -1, text, 64, nullptr, &wrong), -EINVAL);
    wrong = { -1, 0 };
    EXPECT_EQ(raw(SYS_mq_timedsend, int(queue), text, 1, 0, &wrong), -EINVAL);
    EXPECT_EQ(raw(SYS_mq_timedreceive, int(queue), 1, 64, nullptr, nullptr), -EFAULT);
    EXPECT_EQ(attributes(queue).mq_curmsgs, 0) << "the message is gone";
}

TEST_F(Mqueue, nonblocking)
{
    Fd queue = open(O_CREAT | O_RDWR | O_NONBLOCK, 1);
    EXPECT_EQ(attributes(queue).mq_flags, O_NONBLOCK);
    EXPECT_EQ(receive(queue), "error " + std::to_string(EAGAIN));
    EXPECT_OK(send(queue, "x"));
    EXPECT_ERROR(send(queue, "y"), EAGAIN);
}

TEST_F(Mqueue, attributes_change)
{
    Fd queue = open(O_CREAT | O_RDWR);
    mq_attr wanted {}, before {};
    wanted.mq_flags = O_NONBLOCK;
    wanted.mq_maxmsg = 7;
    ASSERT_OK(::mq_setattr(queue, &wanted, &before));
    EXPECT_EQ(before.mq_flags, 0);
    EXPECT_EQ(before.mq_maxmsg, 4);
    EXPECT_EQ(attributes(queue).mq_flags, O_NONBLOCK);
    EXPECT_EQ(attributes(queue).mq_maxmsg, 4);
    EXPECT_TRUE(::fcntl(queue, F_GETFL) & O_NONBLOCK);
    wanted.mq_flags = O_APPEND;
    EXPECT_ERROR(::mq_setattr(queue, &wanted, nullptr), EINVAL);
    EXPECT_EQ(raw(SYS_mq_getsetattr, int(queue), 1, nullptr), -EFAULT);
    EXPECT_EQ(raw(SYS_mq_getsetattr, int(queue), nullptr, 1), -EFAULT);
    EXPECT_EQ(raw(SYS_mq_getsetattr, int(queue), nullptr, nullptr), 0);
}

TEST_F(Mqueue, time_runs_out)
{
    Fd queue = open(O_CREAT | O_RDWR, 1);
    timespec long_ago { 1, 0 };
    char text[64];
    EXPECT_ERROR(::mq_timedreceive(queue, text, sizeof text, nullptr, &long_ago), ETIMEDOUT);
    EXPECT_OK(::mq_timedsend(queue, "x", 1, 0, &long_ago));
    EXPECT_ERROR(::mq_timedsend(queue, "y", 1, 0, &long_ago), ETIMEDOUT);
    EXPECT_EQ(::mq_timedreceive(queue, text, sizeof text, nullptr, &long_ago), 1);
}

TEST_F(Mqueue, a_receiver_waits)
{
    Fd queue = open(O_CREAT | O_RDWR);
    pid_t child = start([&] { EXPECT_EQ(receive(queue), "here"); });
    wait_until_sleeping(child);
    EXPECT_OK(send(queue, "here"));
    EXPECT_EQ(wait_for(child), exited(0));
}

TEST_F(Mqueue, a_sender_waits)
{
    Fd queue = open(O_CREAT | O_RDWR, 1);
    ASSERT_OK(send(queue, "first", 0));
    pid_t child = start([&] { EXPECT_OK(send(queue, "second", 5)); });
    wait_until_sleeping(child);
    EXPECT_EQ(receive(queue), "first");
    EXPECT_EQ(wait_for(child), exited(0));
    EXPECT_EQ(receive(queue), "second");
}

TEST_F(Mqueue, a_signal_interrupts)
{
    Fd queue = open(O_CREAT | O_RDWR, 1);
    RepeatingAlarm alarm(0);
    EXPECT_EQ(receive(queue), "error " + std::to_string(EINTR));
    EXPECT_OK(send(queue, "x"));
    EXPECT_ERROR(send(queue, "y"), EINTR);
}

TEST_F(Mqueue, polls)
{
    Fd queue = open(O_CREAT | O_RDWR, 1);
    EXPECT_EQ(ready(queue), POLLOUT);
    ASSERT_OK(send(queue, "x"));
    EXPECT_EQ(ready(queue), POLLIN);
    receive(queue);
    pid_t child = start([&] {
        pollfd entry { queue, POLLIN, 0 };
        EXPECT_EQ(::poll(&entry, 1, -1), 1);
    });
    wait_until_sleeping(child);
    ASSERT_OK(send(queue, "x"));
    EXPECT_EQ(wait_for(child), exited(0));
}

TEST_F(Mqueue, tells_of_a_message_by_signal)
{
    block_signals({ SIGUSR1 });
    Fd queue = open(O_CREAT | O_RDWR);
    sigevent event {};
    event.sigev_notify = SIGEV_SIGNAL;
    event.sigev_signo = SIGUSR1;
    event.sigev_value.sival_int = 42;
    ASSERT_OK(::mq_notify(queue, &event));
    EXPECT_ERROR(::mq_notify(queue, &event), EBUSY);
    pid_t child = start([&] {
        EXPECT_ERROR(::mq_notify(queue, &event), EBUSY);
        EXPECT_OK(::mq_notify(queue, nullptr)) << "another's stays";
        EXPECT_OK(send(queue, "x"));
    });
    EXPECT_EQ(wait_for(child), exited(0));
    sigset_t wanted = signals({ SIGUSR1 });
    siginfo_t info {};
    ASSERT_EQ(::sigtimedwait(&wanted, &info, &kAtOnce), SIGUSR1);
    EXPECT_EQ(info.si_code, SI_MESGQ);
    EXPECT_EQ(info.si_pid, child);
    EXPECT_EQ(info.si_uid, ::getuid());
    EXPECT_EQ(info.si_value.sival_int, 42);
    receive(queue);
    EXPECT_OK(send(queue, "y"));
    EXPECT_ERROR(::sigtimedwait(&wanted, &info, &kAtOnce), EAGAIN) << "told once";
    ASSERT_OK(::mq_notify(queue, &event));
    EXPECT_OK(send(queue, "z"));
    EXPECT_ERROR(::sigtimedwait(&wanted, &info, &kAtOnce), EAGAIN) << "it was not empty";
    EXPECT_OK(::mq_notify(queue, nullptr));
    EXPECT_OK(::mq_notify(queue, &event));
}

TEST_F(Mqueue, a_waiting_receiver_comes_first)
{
    block_signals({ SIGUSR1 });
    Fd queue = open(O_CREAT | O_RDWR);
    sigevent event {};
    event.sigev_signo = SIGUSR1;
    ASSERT_OK(::mq_notify(queue, &event));
    pid_t child = start([&] { receive(queue); });
    wait_until_sleeping(child);
    EXPECT_OK(send(queue, "x"));
    EXPECT_EQ(wait_for(child), exited(0));
    sigset_t pending;
    ::sigpending(&pending);
    EXPECT_FALSE(::sigismember(&pending, SIGUSR1));
    EXPECT_OK(send(queue, "x"));
    ::sigpending(&pending);
    EXPECT_TRUE(::sigismember(&pending, SIGUSR1));
}

TEST_F(Mqueue, closing_ends_notification)
{
    Fd queue = open(O_CREAT | O_RDWR);
    Fd copy = ::dup(queue);
    sigevent event {};
    event.sigev_notify = SIGEV_NONE;
    ASSERT_OK(::mq_notify(queue, &event));
    in_child([&] { ::close(copy); });
    EXPECT_ERROR(::mq_notify(queue, &event), EBUSY);
    copy.reset();
    EXPECT_OK(::mq_notify(queue, &event));
}

TEST_F(Mqueue, wrong_notifications)
{
    Fd queue = open(O_CREAT | O_RDWR);
    sigevent event {};
    event.sigev_notify = 3;
    EXPECT_EQ(raw(SYS_mq_notify, int(queue), &event), -EINVAL);
    event.sigev_notify = SIGEV_SIGNAL;
    event.sigev_signo = 65;
    EXPECT_EQ(raw(SYS_mq_notify, -1, &event), -EINVAL);
    event.sigev_signo = SIGUSR1;
    EXPECT_EQ(raw(SYS_mq_notify, -1, &event), -EBADF);
    EXPECT_EQ(raw(SYS_mq_notify, int(queue), 1), -EFAULT);
    event.sigev_notify = SIGEV_THREAD;
    EXPECT_EQ(raw(SYS_mq_notify, int(queue), &event), -EFAULT);
    char cookie[32] {};
    event.sigev_value.sival_ptr = cookie;
    event.sigev_signo = -1;
    EXPECT_EQ(raw(SYS_mq_notify, int(queue), &event), -EBADF);
    event.sigev_signo = queue;
    EXPECT_EQ(raw(SYS_mq_notify, int(queue), &event), -ENOTSOCK);
}

TEST_F(Mqueue, its_file_shows_its_state)
{
    Fd queue = open(O_CREAT | O_RDWR);
    ASSERT_OK(send(queue, "12345"));
    sigevent event {};
    event.sigev_signo = SIGUSR1;
    ASSERT_OK(::mq_notify(queue, &event));
    char text[100] {};
    ASSERT_GT(::pread(queue, text, sizeof text, 0), 0);
    char wanted[100];
    std::snprintf(wanted, sizeof wanted, "QSIZE:%-10d NOTIFY:%-5d SIGNO:%-5d NOTIFY_PID:%-6d\n", 5, 0,
        SIGUSR1, ::getpid());
    EXPECT_STREQ(text, wanted);
    struct stat status;
    ASSERT_OK(::fstat(queue, &status));
    EXPECT_TRUE(S_ISREG(status.st_mode));
    EXPECT_EQ(status.st_size, 80);
    EXPECT_ERROR(::write(queue, "x", 1), EINVAL);
}

TEST_F(Mqueue, is_mountable)
{
    NEEDS_ROOT();
    ScratchDirectory scratch;
    Fd queue = open(O_CREAT | O_RDWR);
    if (::mount("none", scratch.path().c_str(), "mqueue", 0, nullptr) != 0) SKIP_AS_HOST_LACKS("mounting");
    std::string path = scratch.path() + name_;
    EXPECT_EQ(mode_of(path) & 07777, 0600u);
    ASSERT_OK(send(queue, "x"));
    EXPECT_EQ(read_file(path).substr(0, 7), "QSIZE:1");
    {
        Fd by_path = ::open(path.c_str(), O_RDONLY);
        EXPECT_EQ(receive(by_path), "x");
    }
    struct statfs fs;
    EXPECT_OK(::statfs(scratch.path().c_str(), &fs));
    EXPECT_EQ(fs.f_type, 0x19800202);
    EXPECT_EQ(mode_of(scratch.path()) & 07777, 01777u);
    EXPECT_ERROR(::mkdir((scratch.path() + "/d").c_str(), 0777), EPERM);
    EXPECT_OK(::unlink(path.c_str()));
    EXPECT_ERROR(open(O_RDWR), ENOENT);
    {
        Fd made = ::open(path.c_str(), O_CREAT | O_RDWR, 0600);
    }
    Fd by_name = open(O_RDWR);
    EXPECT_OK(by_name);
    EXPECT_OK(::umount(scratch.path().c_str()));
}

TEST(MqueueLimits, are_in_proc)
{
    EXPECT_EQ(read_file("/proc/sys/fs/mqueue/queues_max"), "256\n");
    EXPECT_EQ(read_file("/proc/sys/fs/mqueue/msg_max"), "10\n");
    EXPECT_EQ(read_file("/proc/sys/fs/mqueue/msgsize_max"), "8192\n");
    EXPECT_EQ(read_file("/proc/sys/fs/mqueue/msg_default"), "10\n");
    EXPECT_EQ(read_file("/proc/sys/fs/mqueue/msgsize_default"), "8192\n");
}

} // namespace
} // namespace abi_test
