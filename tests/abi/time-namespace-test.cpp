// SPDX-License-Identifier: GPL-2.0-or-later
// Time namespaces: time_namespaces(7). An ordinary user gets one together with a user namespace.
#include "own-namespace.h"

#include <climits>

#include <linux/futex.h>
#include <linux/nsfs.h>
#include <linux/sched.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/sysinfo.h>
#include <sys/timerfd.h>
#include <thread>
#include <time.h>

#ifndef CLONE_NEWTIME
#define CLONE_NEWTIME 0x80
#endif

namespace abi_test {
namespace {

#define NEEDS_TIME_NAMESPACES() NEEDS_NAMESPACES(CLONE_NEWTIME)

constexpr long long kDay = 86400, kNanoseconds = 1'000'000'000;

std::string link_of(std::string const& name)
{
    char text[64];
    ssize_t n = ::readlink(("/proc/self/ns/" + name).c_str(), text, sizeof text);
    return n < 0 ? std::strerror(errno) : std::string(text, size_t(n));
}

constexpr char kOffsets[] = "/proc/self/timens_offsets";

/// The result of write(2), or -errno.
ssize_t write_offsets(std::string const& text)
{
    Fd file = ::open(kOffsets, O_WRONLY | O_CLOEXEC);
    if (file < 0) return -errno;
    ssize_t n = ::write(file, text.data(), text.size());
    return n < 0 ? -errno : n;
}

void set_offsets(long long monotonic, long long boottime)
{
    std::string const text
        = "monotonic " + std::to_string(monotonic) + " 0\nboottime " + std::to_string(boottime) + " 0\n";
    ASSERT_EQ(write_offsets(text), ssize_t(text.size())) << text;
}

/// Seconds, by the C library, which asks the vDSO.
long long seconds(clockid_t clock)
{
    timespec t {};
    EXPECT_OK(::clock_gettime(clock, &t));
    return t.tv_sec;
}

long long seconds_by_kernel(clockid_t clock)
{
    timespec t {};
    EXPECT_EQ(raw(SYS_clock_gettime, clock, &t), 0);
    return t.tv_sec;
}

/// Runs the body in a child that is in a new time namespace with these offsets.
template <typename Body> void in_namespace(long long monotonic, long long boottime, Body&& body)
{
    in_child([&] {
        ASSERT_OK(::unshare(with_rights(CLONE_NEWTIME)));
        set_offsets(monotonic, boottime);
        in_child(body);
    });
}

/// The clock reads the offset more than `outside`, and no more than an hour has passed.
void expect_shift(clockid_t clock, long long outside, long long offset)
{
    for (long long now : { seconds(clock), seconds_by_kernel(clock) }) {
        EXPECT_GE(now, outside + offset) << clock;
        EXPECT_LT(now, outside + offset + 3600) << clock;
    }
}

TEST(TimeNamespace, is_entered_by_children)
{
    NEEDS_TIME_NAMESPACES();
    std::string const before = link_of("time");
    EXPECT_EQ(link_of("time_for_children"), before);
    in_child([&] {
        ASSERT_OK(::unshare(with_rights(CLONE_NEWTIME)));
        EXPECT_EQ(link_of("time"), before);
        std::string const next = link_of("time_for_children");
        EXPECT_NE(next, before);
        in_child([&] {
            EXPECT_EQ(link_of("time"), next);
            EXPECT_EQ(link_of("time_for_children"), next);
        });
        EXPECT_EQ(link_of("time"), before);
        std::thread([&] { EXPECT_EQ(link_of("time"), before); }).join();
    });
}

TEST(TimeNamespace, shifts_the_clocks)
{
    NEEDS_TIME_NAMESPACES();
    constexpr clockid_t kMonotonic[] = { CLOCK_MONOTONIC, CLOCK_MONOTONIC_RAW, CLOCK_MONOTONIC_COARSE };
    long long before[3];
    for (int i = 0; i < 3; ++i)
        before[i] = seconds_by_kernel(kMonotonic[i]);
    long long const boot = seconds_by_kernel(CLOCK_BOOTTIME), real = seconds_by_kernel(CLOCK_REALTIME);
    in_namespace(10 * kDay, 20 * kDay, [&] {
        for (int i = 0; i < 3; ++i)
            expect_shift(kMonotonic[i], before[i], 10 * kDay);
        expect_shift(CLOCK_BOOTTIME, boot, 20 * kDay);
        expect_shift(CLOCK_REALTIME, real, 0);
    });
    expect_shift(CLOCK_MONOTONIC, before[0], 0);
    // One clock alone, and backwards.
    in_namespace(-1, 0, [&] {
        EXPECT_LT(seconds(CLOCK_MONOTONIC), before[0] + 3600);
        expect_shift(CLOCK_BOOTTIME, boot, 0);
    });
}

TEST(TimeNamespace, of_a_grandchild_begins_with_the_same_offsets)
{
    NEEDS_TIME_NAMESPACES();
    long long const before = seconds(CLOCK_MONOTONIC);
    in_namespace(10 * kDay, 0, [&] {
        std::string const above = link_of("time");
        ASSERT_OK(::unshare(CLONE_NEWTIME));
        EXPECT_EQ(read_file(kOffsets), "monotonic      864000         0\nboottime            0         0\n");
        set_offsets(5 * kDay, 0);
        in_child([&] {
            EXPECT_NE(link_of("time"), above);
            expect_shift(CLOCK_MONOTONIC, before, 5 * kDay);
        });
        expect_shift(CLOCK_MONOTONIC, before, 10 * kDay);
    });
}

TEST(TimeNamespace, offsets_are_written_until_somebody_enters)
{
    NEEDS_TIME_NAMESPACES();
    in_child([] {
        ASSERT_OK(::unshare(with_rights(CLONE_NEWTIME)));
        EXPECT_EQ(read_file(kOffsets), "monotonic           0         0\nboottime            0         0\n");
        EXPECT_EQ(write_offsets("1 -1 5\n7 300 999999999"), 22);
        EXPECT_EQ(read_file(kOffsets), "monotonic          -1         5\nboottime          300 999999999\n");
        EXPECT_EQ(write_offsets("monotonic\t7  8 and more"), 23);
        EXPECT_EQ(read_file(kOffsets), "monotonic           7         8\nboottime          300 999999999\n");
        std::string const three = "monotonic 1 0\nboottime 2 0\nmonotonic 3 0\n";
        EXPECT_EQ(write_offsets(three), 27) << "two at a time";
        EXPECT_EQ(read_file(kOffsets), "monotonic           1         0\nboottime            2         0\n");
        in_child([] {});
        EXPECT_EQ(write_offsets("monotonic 2 0\n"), -EACCES);
        EXPECT_EQ(read_file(kOffsets), "monotonic           1         0\nboottime            2         0\n");
    });
}

TEST(TimeNamespace, refuses_other_offsets)
{
    NEEDS_TIME_NAMESPACES();
    in_child([] {
        ASSERT_OK(::unshare(with_rights(CLONE_NEWTIME)));
        for (auto text : { "monotonic", "monotonic 1", "monotonic 1 x", "monotonic x 1", "realtime 1 1",
                 "0 1 1", "monotonic 1 1000000000", "monotonic 1 -1", "\nmonotonic 1 1", "monotonic 1 1\nx",
                 "monotonics 1 1" })
            EXPECT_EQ(write_offsets(text), -EINVAL) << text;
        for (auto text : { "monotonic 9223372037 0", "monotonic -9223372037 0", "monotonic -9223372036 0",
                 "boottime 4611686018 0", "monotonic 1 0\nboottime -4000000000 0" })
            EXPECT_EQ(write_offsets(text), -ERANGE) << text;
        EXPECT_EQ(write_offsets(std::string(kPage, ' ')), -EINVAL);
        EXPECT_EQ(read_file(kOffsets), "monotonic           0         0\nboottime            0         0\n");
        Fd file = ::open(kOffsets, O_WRONLY);
        EXPECT_EQ(::lseek(file, 1, SEEK_SET), 1);
        EXPECT_ERROR(::write(file, "1 1 1", 5), EINVAL);
    });
}

TEST(TimeNamespace, those_of_the_first_stay)
{
    NEEDS_ROOT();
    std::string const text = "monotonic 1 0\n";
    ssize_t const written = write_offsets(text);
    EXPECT_TRUE(written == -EACCES || written == -EPERM) << written;
}

TEST(TimeNamespace, is_refused_to_ordinary_users)
{
    as_ordinary_user([] {
        Fd own = ::open("/proc/self/ns/time", O_RDONLY | O_CLOEXEC);
        EXPECT_ERROR(::unshare(CLONE_NEWTIME), EPERM);
        EXPECT_ERROR(::setns(own, CLONE_NEWTIME), EPERM);
        clone_args args {};
        args.flags = CLONE_NEWTIME;
        args.exit_signal = SIGCHLD;
        EXPECT_EQ(raw(SYS_clone3, &args, sizeof args), -EPERM);
    });
}

TEST(TimeNamespace, of_a_child_by_clone3)
{
    NEEDS_TIME_NAMESPACES();
    std::string const before = link_of("time");
    clone_args args {};
    args.flags = uint64_t(with_rights(CLONE_NEWTIME));
    args.exit_signal = SIGCHLD;
    long child = raw(SYS_clone3, &args, sizeof args);
    if (child == 0) {
        EXPECT_NE(link_of("time"), before);
        EXPECT_EQ(link_of("time"), link_of("time_for_children"));
        finish_child();
    }
    ASSERT_GT(child, 0);
    EXPECT_EQ(wait_for(pid_t(child)), exited(0));
    EXPECT_EQ(link_of("time"), before);
}

TEST(TimeNamespace, is_entered_by_the_next_program)
{
    if (std::getenv("TIME_NAMESPACE_TEST")) {
        long long const outside = std::atoll(std::getenv("TIME_NAMESPACE_TEST"));
        expect_shift(CLOCK_MONOTONIC, outside, 10 * kDay);
        EXPECT_EQ(link_of("time"), link_of("time_for_children"));
        // An ordinary user's capabilities are gone with the old program.
        EXPECT_EQ(write_offsets("monotonic 2 0\n"), ::geteuid() == 0 ? -EACCES : -EPERM);
        return;
    }
    NEEDS_TIME_NAMESPACES();
    long long const before = seconds(CLOCK_MONOTONIC);
    in_child([&] {
        ASSERT_OK(::unshare(with_rights(CLONE_NEWTIME)));
        set_offsets(10 * kDay, 0);
        ::setenv("TIME_NAMESPACE_TEST", std::to_string(before).c_str(), 1);
        // vfork(2): the child shares the memory and the clocks until it runs the program.
        pid_t const child = ::vfork();
        if (child == 0) {
            ::execl("/proc/self/exe", "abi-tests",
                "--gtest_filter=TimeNamespace.is_entered_by_the_next_program", nullptr);
            ::_exit(99);
        }
        EXPECT_EQ(wait_for(child), exited(0));
    });
}

TEST(TimeNamespace, is_entered_and_left_by_setns)
{
    NEEDS_ROOT();
    NEEDS_TIME_NAMESPACES();
    long long const before = seconds(CLOCK_MONOTONIC);
    in_child([&] {
        Fd outside = ::open("/proc/self/ns/time", O_RDONLY | O_CLOEXEC);
        EXPECT_EQ(::ioctl(outside, NS_GET_NSTYPE), CLONE_NEWTIME);
        ASSERT_OK(::unshare(CLONE_NEWTIME));
        set_offsets(10 * kDay, 20 * kDay);
        Fd inside = ::open("/proc/self/ns/time_for_children", O_RDONLY | O_CLOEXEC);
        EXPECT_ERROR(::setns(inside, CLONE_NEWUTS), EINVAL);
        ASSERT_OK(::setns(inside, CLONE_NEWTIME));
        expect_shift(CLOCK_MONOTONIC, before, 10 * kDay);
        EXPECT_EQ(link_of("time"), link_of("time_for_children"));
        EXPECT_EQ(write_offsets("monotonic 2 0\n"), -EACCES);
        in_child([&] { expect_shift(CLOCK_MONOTONIC, before, 10 * kDay); });
        ASSERT_OK(::setns(outside, 0));
        expect_shift(CLOCK_MONOTONIC, before, 0);
        in_child([&] { expect_shift(CLOCK_MONOTONIC, before, 0); });
        // Not under the feet of another thread.
        Gate done;
        std::thread other([&] { done.wait(); });
        EXPECT_ERROR(::setns(inside, CLONE_NEWTIME), EUSERS);
        done.open();
        other.join();
    });
}

TEST(TimeNamespace, is_entered_by_pidfd)
{
    NEEDS_ROOT();
    NEEDS_TIME_NAMESPACES();
    long long const before = seconds(CLOCK_BOOTTIME);
    Gate ready, done;
    pid_t other = start([&] {
        ASSERT_OK(::unshare(CLONE_NEWTIME));
        set_offsets(0, 20 * kDay);
        in_child([&] {
            ready.open();
            done.wait();
        });
    });
    ready.wait();
    std::string const children
        = read_file("/proc/" + std::to_string(other) + "/task/" + std::to_string(other) + "/children");
    in_child([&] {
        Fd process = int(raw(SYS_pidfd_open, std::atoi(children.c_str()), 0));
        ASSERT_OK(process);
        ASSERT_OK(::setns(process, CLONE_NEWTIME));
        expect_shift(CLOCK_BOOTTIME, before, 20 * kDay);
    });
    done.open();
    EXPECT_EQ(wait_for(other), exited(0));
}

/// Instants of the namespace that have passed and that are to come: by whose clock does a call count?
TEST(TimeNamespace, absolute_sleeps_are_on_its_clocks)
{
    NEEDS_TIME_NAMESPACES();
    in_namespace(10 * kDay, 20 * kDay, [] {
        for (clockid_t clock : { CLOCK_MONOTONIC, CLOCK_BOOTTIME }) {
            timespec const past { seconds(clock) - 1, 0 }, ancient { 1, 0 };
            EXPECT_EQ(::clock_nanosleep(clock, TIMER_ABSTIME, &past, nullptr), 0);
            EXPECT_EQ(::clock_nanosleep(clock, TIMER_ABSTIME, &ancient, nullptr), 0);
            timespec soon {};
            ::clock_gettime(clock, &soon);
            soon.tv_nsec += 20'000'000;
            if (soon.tv_nsec >= kNanoseconds) soon.tv_nsec -= kNanoseconds, ++soon.tv_sec;
            EXPECT_EQ(::clock_nanosleep(clock, TIMER_ABSTIME, &soon, nullptr), 0);
            timespec now {};
            ::clock_gettime(clock, &now);
            EXPECT_GE(now.tv_sec * kNanoseconds + now.tv_nsec, soon.tv_sec * kNanoseconds + soon.tv_nsec);
        }
    });
}

TEST(TimeNamespace, timers_are_on_its_clocks)
{
    NEEDS_TIME_NAMESPACES();
    in_namespace(10 * kDay, 20 * kDay, [] {
        for (clockid_t clock : { CLOCK_MONOTONIC, CLOCK_BOOTTIME }) {
            sigevent event {};
            event.sigev_notify = SIGEV_NONE;
            timer_t timer;
            ASSERT_OK(::timer_create(clock, &event, &timer));
            Fd file = ::timerfd_create(clock, TFD_NONBLOCK);
            itimerspec const later { {}, { seconds(clock) + 7200, 0 } }, past { {}, { 1, 0 } };
            ASSERT_OK(::timer_settime(timer, TIMER_ABSTIME, &later, nullptr));
            ASSERT_OK(::timerfd_settime(file, TFD_TIMER_ABSTIME, &later, nullptr));
            itimerspec left[2] {};
            ASSERT_OK(::timer_gettime(timer, &left[0]));
            ASSERT_OK(::timerfd_gettime(file, &left[1]));
            for (auto const& l : left) {
                EXPECT_GT(l.it_value.tv_sec, 3600) << clock;
                EXPECT_LE(l.it_value.tv_sec, 7200) << clock;
            }
            ASSERT_OK(::timer_settime(timer, TIMER_ABSTIME, &past, nullptr));
            ASSERT_OK(::timerfd_settime(file, TFD_TIMER_ABSTIME, &past, nullptr));
            ASSERT_OK(::timer_gettime(timer, &left[0]));
            EXPECT_EQ(left[0].it_value.tv_sec, 0);
            uint64_t ticks = 0;
            EXPECT_EQ(::fcntl(file, F_SETFL, 0), 0);
            EXPECT_EQ(::read(file, &ticks, sizeof ticks), ssize_t(sizeof ticks));
            EXPECT_EQ(ticks, 1u);
        }
    });
}

TEST(TimeNamespace, futexes_are_on_its_clock)
{
    NEEDS_TIME_NAMESPACES();
    in_namespace(10 * kDay, 0, [] {
        uint32_t word = 0;
        timespec const past { seconds(CLOCK_MONOTONIC) - 1, 0 };
        EXPECT_EQ(
            raw(SYS_futex, &word, FUTEX_WAIT_BITSET, 0, &past, nullptr, FUTEX_BITSET_MATCH_ANY), -ETIMEDOUT);
        timespec const real { seconds(CLOCK_REALTIME) - 1, 0 };
        EXPECT_EQ(raw(SYS_futex, &word, FUTEX_WAIT_BITSET | FUTEX_CLOCK_REALTIME, 0, &real, nullptr,
                      FUTEX_BITSET_MATCH_ANY),
            -ETIMEDOUT);
        timespec const relative { 0, 1000 };
        EXPECT_EQ(raw(SYS_futex, &word, FUTEX_WAIT, 0, &relative, nullptr, 0), -ETIMEDOUT);
    });
}

/// The time since boot, as three files and a call have it.
TEST(TimeNamespace, shifts_what_counts_from_boot)
{
    NEEDS_TIME_NAMESPACES();
    auto uptime = [] { return std::atoll(read_file("/proc/uptime").c_str()); };
    auto booted = [] {
        std::string const text = read_file("/proc/stat");
        return std::atoll(text.c_str() + text.find("btime ") + 6);
    };
    auto born = [] {
        std::string text = read_file("/proc/self/stat");
        size_t at = text.rfind(')') + 1;
        for (int field = 3; field < 22; ++field)
            at = text.find(' ', at + 1);
        return std::atoll(text.c_str() + at) / ::sysconf(_SC_CLK_TCK);
    };
    long long const up = uptime(), boot = booted(), birth = born();
    struct sysinfo info { };
    ASSERT_OK(::sysinfo(&info));
    long long const known = info.uptime;
    in_namespace(0, 20 * kDay, [&] {
        auto shifted = [](long long now, long long outside, long long by) {
            EXPECT_GE(now, outside + by);
            EXPECT_LT(now, outside + by + 3600);
        };
        shifted(uptime(), up, 20 * kDay);
        shifted(booted(), boot - 2, -20 * kDay);
        shifted(born(), birth, 20 * kDay);
        struct sysinfo inside { };
        ASSERT_OK(::sysinfo(&inside));
        shifted(inside.uptime, known, 20 * kDay);
    });
}

} // namespace
} // namespace abi_test
