// SPDX-License-Identifier: GPL-2.0-or-later
// System calls that are made over and over from one place (hot-call-test.cpp) by several threads and processes.
#include "abi-test.h"

#include <atomic>
#include <csignal>
#include <cstring>
#include <thread>
#include <vector>

#include <poll.h>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/socket.h>

namespace abi_test {
namespace {

constexpr int kMany = 20000;
constexpr int kThreads = 4;

/// The arguments of a call in their registers, the call, a comparison.
constexpr unsigned char kCode[] = {
    0x48, 0x89, 0xf8, // mov %rdi, %rax
    0x48, 0x89, 0xf7, // mov %rsi, %rdi
    0x48, 0x89, 0xd6, // mov %rdx, %rsi
    0x48, 0x89, 0xca, // mov %rcx, %rdx
    0x0f, 0x05, // syscall
    0x48, 0x3d, 0x00, 0xf0, 0xff, 0xff, // cmp $-4096, %rax
    0xc3, // ret
};

/// A place that nobody has made a call from yet.
class Place {
public:
    Place()
    {
        memory_ = ::mmap(nullptr, kSize, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        std::memcpy(memory_, kCode, sizeof kCode);
        ::mprotect(memory_, kSize, PROT_READ | PROT_EXEC);
    }
    ~Place() { ::munmap(memory_, kSize); }
    Place(Place const&) = delete;
    long call(long number, long a = 0, long b = 0, long c = 0) const
    {
        return reinterpret_cast<long (*)(long, long, long, long)>(memory_)(number, a, b, c);
    }

private:
    static constexpr size_t kSize = 4096;
    void* memory_;
};

/// Calls whose answer is the caller's own.
void ask_who(Place const& place, int times)
{
    long const me = ::gettid();
    for (int i = 0; i < times; ++i)
        ASSERT_EQ(place.call(SYS_gettid), me);
}

template <typename Work> std::vector<std::thread> start_threads(Work work)
{
    std::vector<std::thread> threads;
    for (int i = 0; i < kThreads; ++i)
        threads.emplace_back(work, i);
    return threads;
}

void join(std::vector<std::thread>& threads)
{
    for (auto& thread : threads)
        thread.join();
}

TEST(HotCallThreads, each_gets_its_own_answers)
{
    Place place;
    auto threads = start_threads([&](int) {
        for (int round = 0; round < 20; ++round) {
            ask_who(place, kMany / 20);
            ::usleep(500);
        }
    });
    ask_who(place, kMany);
    join(threads);
    ask_who(place, kMany);
}

TEST(HotCallThreads, others_sleep_in_a_call_from_the_same_place)
{
    for (int round = 0; round < 10; ++round) {
        Place place;
        Pipe pipes[kThreads];
        std::atomic<int> ready { 0 };
        auto threads = start_threads([&](int index) {
            char in = 0;
            ++ready;
            ASSERT_EQ(place.call(SYS_read, pipes[index].read_end, long(&in), 1), 1);
            ASSERT_EQ(in, char('a' + index));
            ask_who(place, 500);
        });
        while (ready < kThreads)
            ::usleep(1000);
        ask_who(place, kMany);
        for (int i = 0; i < kThreads; ++i) {
            char const out = char('a' + i);
            ASSERT_EQ(place.call(SYS_write, pipes[i].write_end, long(&out), 1), 1);
            ask_who(place, 100);
        }
        join(threads);
    }
}

TEST(HotCallThreads, take_turns)
{
    Place place;
    Pipe there, back;
    std::thread other([&] {
        char byte;
        while (place.call(SYS_read, there.read_end, long(&byte), 1) == 1) {
            ask_who(place, byte);
            ASSERT_EQ(place.call(SYS_write, back.write_end, long(&byte), 1), 1);
        }
    });
    for (int i = 0; i < 1000; ++i) {
        char out = char(i % 100), in = -1;
        ask_who(place, i % 50);
        ASSERT_EQ(place.call(SYS_write, there.write_end, long(&out), 1), 1);
        ASSERT_EQ(place.call(SYS_read, back.read_end, long(&in), 1), 1);
        ASSERT_EQ(in, out);
    }
    there.write_end.reset();
    other.join();
}

std::atomic<int> g_handled;

TEST(HotCallThreads, signals_find_each)
{
    Place place;
    struct sigaction action = {};
    action.sa_handler = [](int) { ++g_handled; };
    action.sa_flags = SA_RESTART;
    ASSERT_OK(::sigaction(SIGUSR1, &action, nullptr));
    g_handled = 0;
    std::atomic<bool> is_over { false };
    auto threads = start_threads([&](int) {
        while (!is_over)
            ask_who(place, 100);
    });
    for (int i = 0; i < 400; ++i) {
        ask_who(place, 50);
        ASSERT_EQ(::pthread_kill(threads[size_t(i % kThreads)].native_handle(), SIGUSR1), 0);
    }
    is_over = true;
    join(threads);
    EXPECT_GT(g_handled, 0);
    ::signal(SIGUSR1, SIG_DFL);
}

TEST(HotCallThreads, a_vfork_child_is_somebody_else)
{
    Place place;
    auto ask = [&](long wanted, int times) {
        for (int i = 0; i < times; ++i)
            if (place.call(SYS_getpid) != wanted) return false;
        return true;
    };
    long const me = ::getpid();
    for (int round = 0; round < 10; ++round) {
        pid_t const child = ::vfork();
        if (child == 0) {
            bool const right = ask(::getpid(), 2000) && ::getpid() != me;
            ::_exit(right ? 0 : 1);
        }
        ASSERT_EQ(wait_for(child), exited(0));
        ASSERT_TRUE(ask(me, 2000));
    }
}

/// Messages go round by many sockets at once: each side makes calls in a row, and then waits for the other.
TEST(HotCallThreads, processes_talk_in_batches)
{
    constexpr int kSockets = 10, kRounds = 1500;
    Place place;
    int ends[kSockets][2];
    for (auto& pair : ends)
        ASSERT_OK(::socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
    pid_t const child = start([&] {
        pollfd wanted[kSockets];
        for (int i = 0; i < kSockets; ++i) {
            ::close(ends[i][0]);
            wanted[i] = { .fd = ends[i][1], .events = POLLIN };
        }
        for (int left = kRounds * kSockets; left > 0;) {
            ASSERT_GT(place.call(SYS_poll, long(wanted), kSockets, -1), 0);
            for (auto const& each : wanted) {
                if (!each.revents) continue;
                int number = 0;
                ASSERT_EQ(place.call(SYS_read, each.fd, long(&number), sizeof number), long(sizeof number));
                number = -number;
                ASSERT_EQ(place.call(SYS_write, each.fd, long(&number), sizeof number), long(sizeof number));
                --left;
            }
        }
    });
    for (int round = 1; round <= kRounds; ++round) {
        for (int i = 0; i < kSockets; ++i) {
            int const number = round * kSockets + i;
            ASSERT_EQ(place.call(SYS_write, ends[i][0], long(&number), sizeof number), long(sizeof number));
        }
        for (int i = 0; i < kSockets; ++i) {
            int answer = 0;
            ASSERT_EQ(place.call(SYS_read, ends[i][0], long(&answer), sizeof answer), long(sizeof answer));
            ASSERT_EQ(answer, -(round * kSockets + i));
        }
    }
    EXPECT_EQ(wait_for(child), exited(0));
    for (auto& pair : ends)
        ::close(pair[0]), ::close(pair[1]);
}

} // namespace
} // namespace abi_test
