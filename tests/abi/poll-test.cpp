// SPDX-License-Identifier: GPL-2.0-or-later
// Waiting for readiness: poll(2), select(2), epoll(7), eventfd(2).
#include "abi-test.h"

#include <poll.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/select.h>
#include <thread>
#include <vector>

namespace abi_test {
namespace {

short polled(int fd, short events)
{
    pollfd entry { fd, events, 0 };
    int n = ::poll(&entry, 1, 0);
    EXPECT_EQ(n, entry.revents ? 1 : 0);
    return entry.revents;
}

TEST(Poll, pipe_ends)
{
    Pipe pipe;
    EXPECT_EQ(polled(pipe.read_end, POLLIN | POLLOUT), 0);
    EXPECT_EQ(polled(pipe.write_end, POLLIN | POLLOUT), POLLOUT);
    ASSERT_EQ(::write(pipe.write_end, "x", 1), 1);
    EXPECT_EQ(polled(pipe.read_end, POLLIN), POLLIN);
    EXPECT_EQ(polled(pipe.read_end, POLLIN | POLLRDNORM), POLLIN | POLLRDNORM);
    pipe.write_end.reset();
    EXPECT_EQ(polled(pipe.read_end, POLLIN), POLLIN | POLLHUP);
    char c;
    ASSERT_EQ(::read(pipe.read_end, &c, 1), 1);
    EXPECT_EQ(polled(pipe.read_end, POLLIN), POLLHUP);
}

TEST(Poll, write_end_without_readers)
{
    Pipe pipe;
    pipe.read_end.reset();
    EXPECT_EQ(polled(pipe.write_end, POLLOUT), POLLOUT | POLLERR);
    EXPECT_EQ(polled(pipe.write_end, 0), POLLERR);
}

TEST(Poll, full_pipe_is_not_writable)
{
    Pipe pipe(O_NONBLOCK);
    std::string much(1 << 20, 'x');
    ASSERT_GT(::write(pipe.write_end, much.data(), much.size()), 0);
    EXPECT_EQ(polled(pipe.write_end, POLLOUT), 0);
    char buffer[65536];
    ASSERT_GT(::read(pipe.read_end, buffer, sizeof buffer), 0);
    EXPECT_EQ(polled(pipe.write_end, POLLOUT), POLLOUT);
}

TEST(Poll, bad_and_negative_descriptors)
{
    EXPECT_EQ(polled(999, POLLIN), POLLNVAL);
    pollfd ignored { -1, POLLIN, 77 };
    EXPECT_EQ(::poll(&ignored, 1, 0), 0);
    EXPECT_EQ(ignored.revents, 0);
}

TEST(Poll, regular_files_are_always_ready)
{
    ScratchDirectory scratch;
    Fd fd = new_file("f");
    EXPECT_EQ(polled(fd, POLLIN | POLLOUT), POLLIN | POLLOUT);
}

TEST(Poll, timeout_passes)
{
    timespec start = monotonic_now();
    EXPECT_EQ(::poll(nullptr, 0, 30), 0);
    EXPECT_GE(seconds_since(start), 0.03);
    timespec wait { 0, 30'000'000 };
    start = monotonic_now();
    EXPECT_EQ(::ppoll(nullptr, 0, &wait, nullptr), 0);
    EXPECT_GE(seconds_since(start), 0.03);
}

TEST(Poll, wakes_up_when_data_come)
{
    Pipe one, two;
    pid_t parent = ::getpid();
    pid_t child = start([&] {
        wait_until_sleeping(parent);
        EXPECT_EQ(::write(two.write_end, "x", 1), 1);
    });
    pollfd entries[2] = { { one.read_end, POLLIN, 0 }, { two.read_end, POLLIN, 0 } };
    EXPECT_EQ(::poll(entries, 2, -1), 1);
    EXPECT_EQ(entries[0].revents, 0);
    EXPECT_EQ(entries[1].revents, POLLIN);
    EXPECT_EQ(wait_for(child), exited(0));
}

TEST(Poll, wakes_up_on_hangup_without_asking_for_it)
{
    Pipe pipe;
    pid_t child = start([&] {
        pipe.write_end.reset();
        pollfd entry { pipe.read_end, 0, 0 };
        EXPECT_EQ(::poll(&entry, 1, -1), 1);
        EXPECT_EQ(entry.revents, POLLHUP);
    });
    wait_until_sleeping(child);
    pipe.write_end.reset();
    EXPECT_EQ(wait_for(child), exited(0));
}

TEST(Poll, errors)
{
    rlimit limit;
    ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &limit), 0);
    std::vector<pollfd> many(limit.rlim_cur + 1, pollfd { -1, 0, 0 });
    EXPECT_EQ(raw(SYS_poll, many.data(), many.size(), 0), -EINVAL);
    EXPECT_EQ(raw(SYS_poll, 8, 1, 0), -EFAULT);
    timespec bad { -1, 0 };
    EXPECT_ERROR(::ppoll(nullptr, 0, &bad, nullptr), EINVAL);
}

TEST(Poll, ppoll_swaps_the_mask)
{
    set_handler(SIGUSR1, [](int) {});
    block_signals({ SIGUSR1 });
    ASSERT_EQ(::raise(SIGUSR1), 0);
    timespec zero {};
    EXPECT_EQ(::ppoll(nullptr, 0, &zero, nullptr), 0);
    sigset_t none = signals({});
    EXPECT_ERROR(::ppoll(nullptr, 0, nullptr, &none), EINTR);
}

TEST(Select, sets_are_narrowed)
{
    Pipe one, two;
    ASSERT_EQ(::write(one.write_end, "x", 1), 1);
    fd_set readable, writable;
    FD_ZERO(&readable);
    FD_ZERO(&writable);
    FD_SET(one.read_end, &readable);
    FD_SET(two.read_end, &readable);
    FD_SET(one.write_end, &writable);
    EXPECT_EQ(::select(64, &readable, &writable, nullptr, nullptr), 2);
    EXPECT_TRUE(FD_ISSET(one.read_end, &readable));
    EXPECT_FALSE(FD_ISSET(two.read_end, &readable));
    EXPECT_TRUE(FD_ISSET(one.write_end, &writable));
}

TEST(Select, timeout_is_counted_down)
{
    timespec start = monotonic_now();
    timeval wait { 0, 30'000 };
    EXPECT_EQ(::select(0, nullptr, nullptr, nullptr, &wait), 0);
    EXPECT_GE(seconds_since(start), 0.03);
    EXPECT_EQ(wait.tv_sec, 0);
    EXPECT_EQ(wait.tv_usec, 0);
    Pipe pipe;
    ASSERT_EQ(::write(pipe.write_end, "x", 1), 1);
    fd_set readable;
    FD_ZERO(&readable);
    FD_SET(pipe.read_end, &readable);
    wait = { 100, 0 };
    EXPECT_EQ(::select(64, &readable, nullptr, nullptr, &wait), 1);
    EXPECT_GT(wait.tv_sec, 90);
}

TEST(Select, errors)
{
    fd_set set;
    FD_ZERO(&set);
    FD_SET(63, &set);
    EXPECT_ERROR(::select(64, &set, nullptr, nullptr, nullptr), EBADF);
    EXPECT_EQ(raw(SYS_select, -1, 0, 0, 0, 0), -EINVAL);
    timeval bad { -1, 0 };
    EXPECT_EQ(raw(SYS_select, 0, 0, 0, 0, &bad), -EINVAL);
    EXPECT_EQ(raw(SYS_select, 64, 8, 0, 0, 0), -EFAULT);
}

TEST(Select, closed_pipe_counts_as_readable)
{
    Pipe pipe;
    pipe.write_end.reset();
    fd_set set;
    FD_ZERO(&set);
    FD_SET(pipe.read_end, &set);
    EXPECT_EQ(::select(64, &set, nullptr, nullptr, nullptr), 1);
}

class Epoll : public ::testing::Test {
protected:
    int control(int operation, int fd, uint32_t events = 0, uint64_t data = 0)
    {
        epoll_event event {};
        event.events = events;
        event.data.u64 = data;
        return ::epoll_ctl(epoll_, operation, fd, &event);
    }
    /// The events that are ready now; data of the first in last_.
    uint32_t ready()
    {
        epoll_event event {};
        int n = ::epoll_wait(epoll_, &event, 1, 0);
        EXPECT_GE(n, 0);
        last_ = event.data.u64;
        return n == 1 ? uint32_t(event.events) : 0;
    }
    Fd epoll_ = ::epoll_create1(EPOLL_CLOEXEC);
    uint64_t last_ = 0;
};

TEST_F(Epoll, level_triggered_reports_again_and_again)
{
    Pipe pipe;
    ASSERT_EQ(control(EPOLL_CTL_ADD, pipe.read_end, EPOLLIN, 42), 0);
    EXPECT_EQ(ready(), 0u);
    ASSERT_EQ(::write(pipe.write_end, "xy", 2), 2);
    EXPECT_EQ(ready(), uint32_t(EPOLLIN));
    EXPECT_EQ(last_, 42u);
    EXPECT_EQ(ready(), uint32_t(EPOLLIN));
    char buffer[2];
    ASSERT_EQ(::read(pipe.read_end, buffer, 2), 2);
    EXPECT_EQ(ready(), 0u);
}

TEST_F(Epoll, edge_triggered_reports_each_arrival)
{
    Pipe pipe;
    ASSERT_EQ(control(EPOLL_CTL_ADD, pipe.read_end, EPOLLIN | EPOLLET), 0);
    ASSERT_EQ(::write(pipe.write_end, "x", 1), 1);
    EXPECT_EQ(ready(), uint32_t(EPOLLIN));
    EXPECT_EQ(ready(), 0u);
    ASSERT_EQ(::write(pipe.write_end, "y", 1), 1);
    EXPECT_EQ(ready(), uint32_t(EPOLLIN));
    EXPECT_EQ(ready(), 0u);
}

TEST_F(Epoll, one_shot_is_disarmed_until_modified)
{
    Pipe pipe;
    ASSERT_EQ(control(EPOLL_CTL_ADD, pipe.read_end, EPOLLIN | EPOLLONESHOT), 0);
    ASSERT_EQ(::write(pipe.write_end, "x", 1), 1);
    EXPECT_EQ(ready(), uint32_t(EPOLLIN));
    ASSERT_EQ(::write(pipe.write_end, "y", 1), 1);
    EXPECT_EQ(ready(), 0u);
    ASSERT_EQ(control(EPOLL_CTL_MOD, pipe.read_end, EPOLLIN | EPOLLONESHOT), 0);
    EXPECT_EQ(ready(), uint32_t(EPOLLIN));
}

TEST_F(Epoll, modify_and_delete)
{
    Pipe pipe;
    ASSERT_EQ(control(EPOLL_CTL_ADD, pipe.write_end, EPOLLIN), 0);
    EXPECT_EQ(ready(), 0u);
    ASSERT_EQ(control(EPOLL_CTL_MOD, pipe.write_end, EPOLLOUT, 7), 0);
    EXPECT_EQ(ready(), uint32_t(EPOLLOUT));
    EXPECT_EQ(last_, 7u);
    ASSERT_EQ(control(EPOLL_CTL_DEL, pipe.write_end), 0);
    EXPECT_EQ(ready(), 0u);
}

TEST_F(Epoll, control_errors)
{
    Pipe pipe;
    ScratchDirectory scratch;
    Fd file = new_file("f");
    ASSERT_EQ(control(EPOLL_CTL_ADD, pipe.read_end, EPOLLIN), 0);
    EXPECT_ERROR(control(EPOLL_CTL_ADD, pipe.read_end, EPOLLIN), EEXIST);
    EXPECT_ERROR(control(EPOLL_CTL_MOD, pipe.write_end, EPOLLIN), ENOENT);
    EXPECT_ERROR(control(EPOLL_CTL_DEL, pipe.write_end), ENOENT);
    EXPECT_ERROR(control(EPOLL_CTL_ADD, file, EPOLLIN), EPERM);
    EXPECT_ERROR(control(EPOLL_CTL_ADD, 999, EPOLLIN), EBADF);
    EXPECT_ERROR(control(EPOLL_CTL_ADD, epoll_, EPOLLIN), EINVAL);
    EXPECT_ERROR(control(9, pipe.write_end, EPOLLIN), EINVAL);
    epoll_event event {};
    EXPECT_ERROR(::epoll_ctl(pipe.read_end, EPOLL_CTL_ADD, pipe.write_end, &event), EINVAL);
    EXPECT_ERROR(::epoll_wait(epoll_, &event, 0, 0), EINVAL);
    EXPECT_ERROR(::epoll_wait(pipe.read_end, &event, 1, 0), EINVAL);
    EXPECT_ERROR(::epoll_create1(0x1), EINVAL);
    EXPECT_ERROR(::epoll_create(0), EINVAL);
    EXPECT_EQ(raw(SYS_epoll_ctl, int(epoll_), EPOLL_CTL_ADD, int(pipe.write_end), 8), -EFAULT);
}

TEST_F(Epoll, closing_the_last_descriptor_removes_it)
{
    Pipe pipe;
    ASSERT_EQ(::write(pipe.write_end, "x", 1), 1);
    ASSERT_EQ(control(EPOLL_CTL_ADD, pipe.read_end, EPOLLIN), 0);
    Fd copy = ::dup(pipe.read_end);
    pipe.read_end.reset();
    // The open file lives on in the copy.
    EXPECT_EQ(ready(), uint32_t(EPOLLIN));
    copy.reset();
    EXPECT_EQ(ready(), 0u);
}

TEST_F(Epoll, several_events_at_once_round_robin)
{
    Pipe pipes[4];
    for (uint64_t i = 0; i < 4; i++) {
        ASSERT_EQ(::write(pipes[i].write_end, "x", 1), 1);
        ASSERT_EQ(control(EPOLL_CTL_ADD, pipes[i].read_end, EPOLLIN, i), 0);
    }
    epoll_event events[8];
    EXPECT_EQ(::epoll_wait(epoll_, events, 8, 0), 4);
    // With room for two, the other two come next.
    std::vector<bool> seen(4);
    for (int i = 0; i < 2; i++) {
        ASSERT_EQ(::epoll_wait(epoll_, events, 2, 0), 2);
        seen[events[0].data.u64] = seen[events[1].data.u64] = true;
    }
    EXPECT_EQ(seen, std::vector<bool>(4, true));
}

TEST_F(Epoll, hangup_is_reported_unasked)
{
    Pipe pipe;
    ASSERT_EQ(control(EPOLL_CTL_ADD, pipe.read_end, 0), 0);
    pipe.write_end.reset();
    EXPECT_EQ(ready(), uint32_t(EPOLLHUP));
}

TEST_F(Epoll, nested)
{
    Pipe pipe;
    Fd inner = ::epoll_create1(0);
    epoll_event event {};
    event.events = EPOLLIN;
    ASSERT_EQ(::epoll_ctl(inner, EPOLL_CTL_ADD, pipe.read_end, &event), 0);
    ASSERT_EQ(control(EPOLL_CTL_ADD, inner, EPOLLIN, 9), 0);
    EXPECT_EQ(ready(), 0u);
    ASSERT_EQ(::write(pipe.write_end, "x", 1), 1);
    EXPECT_EQ(ready(), uint32_t(EPOLLIN));
    EXPECT_EQ(last_, 9u);
    EXPECT_EQ(polled(epoll_, POLLIN), POLLIN);
    EXPECT_ERROR(::epoll_ctl(inner, EPOLL_CTL_ADD, epoll_, &event), ELOOP);
}

TEST_F(Epoll, waits_and_wakes)
{
    Pipe pipe;
    ASSERT_EQ(control(EPOLL_CTL_ADD, pipe.read_end, EPOLLIN), 0);
    pid_t parent = ::getpid();
    pid_t child = start([&] {
        wait_until_sleeping(parent);
        EXPECT_EQ(::write(pipe.write_end, "x", 1), 1);
    });
    epoll_event event {};
    EXPECT_EQ(::epoll_wait(epoll_, &event, 1, -1), 1);
    EXPECT_EQ(wait_for(child), exited(0));
}

TEST_F(Epoll, added_while_waiting)
{
    Pipe pipe;
    ASSERT_EQ(::write(pipe.write_end, "x", 1), 1);
    std::thread adder([&] {
        wait_until_sleeping(::getpid());
        EXPECT_EQ(control(EPOLL_CTL_ADD, pipe.read_end, EPOLLIN), 0);
    });
    epoll_event event {};
    EXPECT_EQ(::epoll_wait(epoll_, &event, 1, -1), 1);
    adder.join();
}

TEST_F(Epoll, timeout_passes)
{
    epoll_event event {};
    timespec start = monotonic_now();
    EXPECT_EQ(::epoll_wait(epoll_, &event, 1, 30), 0);
    EXPECT_GE(seconds_since(start), 0.03);
}

TEST_F(Epoll, exclusive_wakes_at_least_one)
{
    Fd counter = ::eventfd(0, EFD_SEMAPHORE);
    Gate done;
    std::vector<pid_t> children;
    for (int i = 0; i < 3; i++)
        children.push_back(start([&] {
            Fd own = ::epoll_create1(0);
            epoll_event event {};
            event.events = EPOLLIN | EPOLLEXCLUSIVE;
            ASSERT_EQ(::epoll_ctl(own, EPOLL_CTL_ADD, counter, &event), 0);
            EXPECT_ERROR(::epoll_ctl(own, EPOLL_CTL_MOD, counter, &event), EINVAL);
            EXPECT_EQ(::epoll_wait(own, &event, 1, -1), 1);
            uint64_t value;
            EXPECT_EQ(::read(counter, &value, 8), 8);
        }));
    for (pid_t child : children)
        wait_until_sleeping(child);
    for (uint64_t i = 0; i < children.size(); i++) {
        uint64_t one = 1;
        ASSERT_EQ(::write(counter, &one, 8), 8);
    }
    for (pid_t child : children)
        EXPECT_EQ(wait_for(child), exited(0));
}

TEST(EventFd, adds_up_and_clears)
{
    Fd fd = ::eventfd(3, EFD_NONBLOCK);
    uint64_t value = 4;
    ASSERT_EQ(::write(fd, &value, 8), 8);
    ASSERT_EQ(::read(fd, &value, 8), 8);
    EXPECT_EQ(value, 7u);
    EXPECT_ERROR(::read(fd, &value, 8), EAGAIN);
    EXPECT_EQ(polled(fd, POLLIN | POLLOUT), POLLOUT);
}

TEST(EventFd, semaphore_counts_down)
{
    Fd fd = ::eventfd(2, EFD_NONBLOCK | EFD_SEMAPHORE);
    uint64_t value = 0;
    for (int i = 0; i < 2; i++) {
        ASSERT_EQ(::read(fd, &value, 8), 8);
        EXPECT_EQ(value, 1u);
    }
    EXPECT_ERROR(::read(fd, &value, 8), EAGAIN);
}

TEST(EventFd, overflow_blocks_or_is_refused)
{
    Fd fd = ::eventfd(0, EFD_NONBLOCK);
    uint64_t most = UINT64_MAX - 1, one = 1, all = UINT64_MAX;
    EXPECT_ERROR(::write(fd, &all, 8), EINVAL);
    ASSERT_EQ(::write(fd, &most, 8), 8);
    EXPECT_EQ(polled(fd, POLLIN | POLLOUT), POLLIN);
    EXPECT_ERROR(::write(fd, &one, 8), EAGAIN);
}

TEST(EventFd, errors)
{
    EXPECT_ERROR(::eventfd(0, 0x100), EINVAL);
    Fd fd = ::eventfd(1, 0);
    char small[4];
    EXPECT_ERROR(::read(fd, small, 4), EINVAL);
    EXPECT_ERROR(::write(fd, small, 4), EINVAL);
}

} // namespace
} // namespace abi_test
