// SPDX-License-Identifier: GPL-2.0-or-later
// epoll(7): levels and edges, one-shot, exclusive, nesting, waiting with a mask.
#include "abi-test.h"

#include <poll.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <thread>

namespace abi_test {
namespace {

struct Set {
    Fd fd = ::epoll_create1(EPOLL_CLOEXEC);

    int add(int file, uint32_t events, uint64_t data = 0)
    {
        return control(EPOLL_CTL_ADD, file, events, data);
    }
    int modify(int file, uint32_t events, uint64_t data = 0)
    {
        return control(EPOLL_CTL_MOD, file, events, data);
    }
    int remove(int file) { return ::epoll_ctl(fd, EPOLL_CTL_DEL, file, nullptr); }
    int control(int operation, int file, uint32_t events, uint64_t data)
    {
        epoll_event event {};
        event.events = events;
        event.data.u64 = data;
        return ::epoll_ctl(fd, operation, file, &event);
    }
    /// The events of the one file that is ready now; 0 for none.
    uint32_t ready(int timeout = 0)
    {
        epoll_event event {};
        int count = ::epoll_wait(fd, &event, 1, timeout);
        EXPECT_GE(count, 0) << std::strerror(errno);
        return count > 0 ? uint32_t(event.events) : 0;
    }
};

TEST(EpollSet, level_triggered_reports_while_it_holds)
{
    Set set;
    Pipe pipe;
    ASSERT_OK(set.add(pipe.read_end, EPOLLIN));
    EXPECT_EQ(set.ready(), 0u);
    ASSERT_EQ(::write(pipe.write_end, "ab", 2), 2);
    EXPECT_EQ(set.ready(), uint32_t(EPOLLIN));
    EXPECT_EQ(set.ready(), uint32_t(EPOLLIN));
    char buffer[2];
    ASSERT_EQ(::read(pipe.read_end, buffer, 2), 2);
    EXPECT_EQ(set.ready(), 0u);
}

TEST(EpollSet, edge_triggered_reports_each_write)
{
    Set set;
    Pipe pipe;
    ASSERT_OK(set.add(pipe.read_end, EPOLLIN | EPOLLET));
    for (int i = 0; i < 3; i++) {
        ASSERT_EQ(::write(pipe.write_end, "ab", 2), 2);
        EXPECT_EQ(set.ready(), uint32_t(EPOLLIN));
        EXPECT_EQ(set.ready(), 0u);
    }
    char byte;
    ASSERT_EQ(::read(pipe.read_end, &byte, 1), 1);
    EXPECT_EQ(set.ready(), 0u) << "a read is no edge";
}

TEST(EpollSet, one_shot_waits_for_modify)
{
    Set set;
    Pipe pipe;
    ASSERT_OK(set.add(pipe.read_end, EPOLLIN | EPOLLONESHOT));
    ASSERT_EQ(::write(pipe.write_end, "a", 1), 1);
    EXPECT_EQ(set.ready(), uint32_t(EPOLLIN));
    ASSERT_EQ(::write(pipe.write_end, "b", 1), 1);
    EXPECT_EQ(set.ready(), 0u);
    ASSERT_OK(set.modify(pipe.read_end, EPOLLIN | EPOLLONESHOT));
    EXPECT_EQ(set.ready(), uint32_t(EPOLLIN));
}

TEST(EpollSet, hang_up_and_error_come_unasked)
{
    Set set;
    Pipe reading, writing;
    ASSERT_OK(set.add(reading.read_end, 0));
    EXPECT_EQ(set.ready(), 0u);
    reading.write_end.reset();
    EXPECT_EQ(set.ready(), uint32_t(EPOLLHUP));
    ASSERT_OK(set.remove(reading.read_end));
    ASSERT_OK(set.add(writing.write_end, EPOLLIN));
    writing.read_end.reset();
    EXPECT_EQ(set.ready(), uint32_t(EPOLLERR));
}

TEST(EpollSet, closing_removes_but_a_duplicate_keeps)
{
    Set set;
    Pipe pipe;
    Fd copy = ::dup(pipe.read_end);
    int number = pipe.read_end;
    ASSERT_OK(set.add(pipe.read_end, EPOLLIN, 7));
    ASSERT_EQ(::write(pipe.write_end, "a", 1), 1);
    pipe.read_end.reset();
    EXPECT_EQ(set.ready(), uint32_t(EPOLLIN)) << "the description lives";
    EXPECT_ERROR(set.remove(number), EBADF);
    copy.reset();
    EXPECT_EQ(set.ready(), 0u);
}

TEST(EpollSet, errors)
{
    Set set;
    Pipe pipe;
    ASSERT_OK(set.add(pipe.read_end, EPOLLIN));
    EXPECT_ERROR(set.add(pipe.read_end, EPOLLIN), EEXIST);
    EXPECT_ERROR(set.modify(pipe.write_end, EPOLLOUT), ENOENT);
    EXPECT_ERROR(set.remove(pipe.write_end), ENOENT);
    EXPECT_ERROR(set.add(set.fd, EPOLLIN), EINVAL);
    EXPECT_ERROR(set.add(-1, EPOLLIN), EBADF);
    EXPECT_ERROR(set.control(99, pipe.read_end, 0, 0), EINVAL);
    Fd file = ::open("/", O_RDONLY | O_DIRECTORY);
    EXPECT_ERROR(set.add(file, EPOLLIN), EPERM);
    epoll_event event;
    EXPECT_ERROR(::epoll_wait(set.fd, &event, 0, 0), EINVAL);
    EXPECT_ERROR(::epoll_wait(pipe.read_end, &event, 1, 0), EINVAL);
    EXPECT_ERROR(::epoll_create1(1), EINVAL);
    EXPECT_EQ(raw(SYS_epoll_create, 0), -EINVAL);
}

TEST(EpollSet, nested_sets_and_loops)
{
    Set inner, outer;
    Pipe pipe;
    ASSERT_OK(inner.add(pipe.read_end, EPOLLIN));
    ASSERT_OK(outer.add(inner.fd, EPOLLIN));
    EXPECT_EQ(outer.ready(), 0u);
    ASSERT_EQ(::write(pipe.write_end, "a", 1), 1);
    EXPECT_EQ(outer.ready(), uint32_t(EPOLLIN));
    pollfd poll { inner.fd, POLLIN, 0 };
    EXPECT_EQ(::poll(&poll, 1, 0), 1);
    EXPECT_ERROR(inner.add(outer.fd, EPOLLIN), ELOOP);
}

TEST(EpollSet, exclusive_has_rules)
{
    Set set, other;
    Pipe pipe;
    EXPECT_ERROR(set.add(other.fd, EPOLLIN | EPOLLEXCLUSIVE), EINVAL);
    EXPECT_ERROR(set.add(pipe.read_end, EPOLLIN | EPOLLEXCLUSIVE | EPOLLONESHOT), EINVAL);
    ASSERT_OK(set.add(pipe.read_end, EPOLLIN | EPOLLEXCLUSIVE));
    EXPECT_ERROR(set.modify(pipe.read_end, EPOLLIN), EINVAL);
    ASSERT_EQ(::write(pipe.write_end, "a", 1), 1);
    EXPECT_EQ(set.ready(), uint32_t(EPOLLIN));
}

TEST(EpollSet, a_sleeping_wait_is_woken)
{
    Set set;
    Pipe pipe;
    ASSERT_OK(set.add(pipe.read_end, EPOLLIN));
    pid_t child = start([&] { EXPECT_EQ(set.ready(-1), uint32_t(EPOLLIN)); });
    wait_until_sleeping(child);
    ASSERT_EQ(::write(pipe.write_end, "a", 1), 1);
    EXPECT_EQ(wait_for(child), exited(0));
}

TEST(EpollSet, each_of_two_sleepers_gets_an_event)
{
    Set set;
    Fd first = ::eventfd(0, 0), second = ::eventfd(0, 0);
    ASSERT_OK(set.add(first, EPOLLIN | EPOLLET, 1));
    ASSERT_OK(set.add(second, EPOLLIN | EPOLLET, 2));
    auto sleeper = [&] { EXPECT_EQ(set.ready(-1), uint32_t(EPOLLIN)); };
    pid_t a = start(sleeper), b = start(sleeper);
    wait_until_sleeping(a);
    wait_until_sleeping(b);
    uint64_t one = 1;
    ASSERT_EQ(::write(first, &one, 8), 8);
    ASSERT_EQ(::write(second, &one, 8), 8);
    EXPECT_EQ(wait_for(a), exited(0));
    EXPECT_EQ(wait_for(b), exited(0));
}

TEST(EpollSet, signals_end_a_wait_whatever_their_flags)
{
    Set set;
    RepeatingAlarm alarm(SA_RESTART);
    epoll_event event;
    EXPECT_ERROR(::epoll_wait(set.fd, &event, 1, -1), EINTR);
}

TEST(EpollSet, pwait_swaps_the_mask)
{
    Set set;
    block_signals({ SIGUSR1 });
    static int seen = 0;
    set_handler(SIGUSR1, [](int) { seen++; });
    ::raise(SIGUSR1);
    EXPECT_EQ(seen, 0);
    sigset_t open = signals({});
    epoll_event event;
    EXPECT_ERROR(::epoll_pwait(set.fd, &event, 1, -1, &open), EINTR);
    EXPECT_EQ(seen, 1);
    ::raise(SIGUSR1);
    EXPECT_EQ(seen, 1) << "blocked again";
}

TEST(EpollSet, pwait2_times_out)
{
    Set set;
    epoll_event event;
    timespec timeout { 0, 20'000'000 };
    timespec begin = monotonic_now();
    long result = raw(SYS_epoll_pwait2, int(set.fd), &event, 1, &timeout, nullptr, 0);
    if (result == -ENOSYS) SKIP_AS_HOST_LACKS("epoll_pwait2");
    EXPECT_EQ(result, 0);
    EXPECT_GE(seconds_since(begin), 0.02);
    timeout.tv_nsec = 1'000'000'000;
    EXPECT_EQ(raw(SYS_epoll_pwait2, int(set.fd), &event, 1, &timeout, nullptr, 0), -EINVAL);
}

TEST(EpollSet, many_files)
{
    Set set;
    std::vector<Fd> files;
    for (int i = 0; i < 200; i++) {
        files.emplace_back(::eventfd(1, 0));
        ASSERT_OK(set.add(files.back(), EPOLLIN, uint64_t(i)));
    }
    std::vector<epoll_event> events(300);
    EXPECT_EQ(::epoll_wait(set.fd, events.data(), 300, 0), 200);
    std::vector<bool> seen(200);
    for (int i = 0; i < 200; i++)
        seen[events[size_t(i)].data.u64] = true;
    EXPECT_EQ(std::count(seen.begin(), seen.end(), true), 200);
}

TEST(EpollTargets, are_compared)
{
    constexpr int target = 7; // KCMP_EPOLL_TFD
    struct {
        uint32_t set, descriptor, nth;
    } slot {};
    int ends[2];
    ASSERT_OK(::pipe(ends));
    Fd reader = ends[0], writer = ends[1];
    Fd set = ::epoll_create1(0);
    epoll_event event { .events = EPOLLIN, .data = {} };
    ASSERT_OK(::epoll_ctl(set, EPOLL_CTL_ADD, reader, &event));
    auto compare = [&](int descriptor) {
        return ::syscall(SYS_kcmp, ::getpid(), ::getpid(), target, descriptor, &slot);
    };
    slot = { uint32_t(int(set)), uint32_t(int(reader)), 0 };
    EXPECT_EQ(compare(reader), 0);
    EXPECT_GT(compare(writer), 0);
    slot.nth = 1;
    EXPECT_ERROR(compare(reader), ENOENT);
    slot.nth = 0, slot.descriptor = uint32_t(int(writer));
    EXPECT_ERROR(compare(reader), ENOENT);
    slot.set = uint32_t(int(reader));
    EXPECT_ERROR(compare(reader), EINVAL);
    slot.set = 999;
    EXPECT_ERROR(compare(reader), EBADF);
    slot.set = uint32_t(int(set));
    EXPECT_ERROR(compare(999), EBADF);
    EXPECT_ERROR(::syscall(SYS_kcmp, ::getpid(), ::getpid(), target, int(reader), 8), EFAULT);
    // The same number once more, for another file: both are there.
    slot.descriptor = uint32_t(int(reader));
    Fd kept = ::dup(reader);
    ASSERT_OK(::dup2(writer, reader));
    event.events = EPOLLOUT;
    ASSERT_OK(::epoll_ctl(set, EPOLL_CTL_ADD, reader, &event));
    int same_as_reader = 0, same_as_writer = 0;
    for (slot.nth = 0; slot.nth < 2; ++slot.nth) {
        same_as_reader += compare(kept) == 0;
        same_as_writer += compare(writer) == 0;
    }
    EXPECT_EQ(same_as_reader, 1);
    EXPECT_EQ(same_as_writer, 1);
}

} // namespace
} // namespace abi_test
