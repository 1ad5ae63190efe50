// SPDX-License-Identifier: GPL-2.0-or-later
// The contract of Ring: readiness, waiting, waking, cancelling, ending.
#include "hostabi/ring-test.h"

#include <chrono>
#include <thread>
#include <vector>

#include <dirent.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "hostabi/process.h"
#include "hostabi/seccomp.h"

namespace umbra::hostabi {
namespace {

TEST_P(RingTest, PollReportsReadiness)
{
    PipeEnds pipe = make_pipe();
    Recorder r;
    ring_->poll(pipe.reader.get(), POLLIN, r);
    EXPECT_EQ(ring_->in_flight(), 1u);
    settle();
    EXPECT_FALSE(r.is_done());
    ASSERT_EQ(::write(pipe.writer.get(), "x", 1), 1);
    finish(r);
    EXPECT_EQ(r.result, POLLIN);
    EXPECT_EQ(ring_->in_flight(), 0u);
}

TEST_P(RingTest, PollOfReadyFdCompletesAtOnce)
{
    PipeEnds pipe = make_pipe();
    Recorder r;
    ring_->poll(pipe.writer.get(), POLLOUT, r);
    finish(r);
    EXPECT_EQ(r.result, POLLOUT);
}

TEST_P(RingTest, PollIsOneShotAndCanBeRepeated)
{
    PipeEnds pipe = make_pipe();
    ASSERT_EQ(::write(pipe.writer.get(), "x", 1), 1);
    for (int i = 0; i < 5; i++) {
        Recorder r;
        ring_->poll(pipe.reader.get(), POLLIN, r);
        finish(r);
        settle();
        EXPECT_EQ(r.result, POLLIN);
    }
}

TEST_P(RingTest, PollReportsHangUpUnasked)
{
    PipeEnds pipe = make_pipe();
    Recorder r;
    ring_->poll(pipe.reader.get(), POLLIN, r);
    settle();
    pipe.writer.reset();
    finish(r);
    EXPECT_EQ(r.result, POLLHUP);
}

TEST_P(RingTest, SeveralPollsOfOneFd)
{
    FdPair pair = MUST(OwnedFd::socketpair(AF_UNIX, SOCK_STREAM)); // few descriptors
    Recorder in1, in2, out;
    ring_->poll(pair.first.get(), POLLIN, in1);
    ring_->poll(pair.first.get(), POLLIN, in2);
    ring_->poll(pair.first.get(), POLLOUT, out);
    finish(out);
    EXPECT_EQ(out.result, POLLOUT);
    settle();
    EXPECT_FALSE(in1.is_done());
    EXPECT_FALSE(in2.is_done());
    ASSERT_EQ(::write(pair.second.get(), "x", 1), 1);
    finish(in1);
    finish(in2);
    EXPECT_EQ(in1.result, POLLIN);
    EXPECT_EQ(in2.result, POLLIN);
}

TEST_P(RingTest, PollOfReusedDescriptorNumber)
{
    for (int i = 0; i < 3; i++) {
        PipeEnds pipe = make_pipe(); // the same two numbers each time
        Recorder r, cancelled;
        ring_->poll(pipe.reader.get(), POLLIN, r);
        ring_->poll(pipe.reader.get(), POLLPRI, cancelled);
        ring_->wait(0);
        ASSERT_EQ(::write(pipe.writer.get(), "x", 1), 1);
        finish(r);
        EXPECT_EQ(r.result, POLLIN);
        ring_->cancel(cancelled);
        finish(cancelled);
        EXPECT_EQ(cancelled.result, -ECANCELED);
    }
}

TEST_P(RingTest, PollOfRegularFileIsAlwaysReady)
{
    OwnedFd file = memory_file("");
    Recorder r;
    ring_->poll(file.get(), POLLIN | POLLOUT, r);
    finish(r);
    EXPECT_EQ(r.result, POLLIN | POLLOUT);
}

TEST_P(RingTest, BadDescriptorIsAnError)
{
    Recorder p, r, w;
    u8 byte = 0;
    ring_->poll(-1, POLLIN, p);
    ring_->read(9999, { &byte, 1 }, -1, r);
    ring_->write(9999, { &byte, 1 }, 0, w);
    finish(p);
    finish(r);
    finish(w);
    EXPECT_EQ(p.result, -EBADF);
    EXPECT_EQ(r.result, -EBADF);
    EXPECT_EQ(w.result, -EBADF);
}

TEST_P(RingTest, CancelPollAndRead)
{
    PipeEnds pipe = make_pipe();
    u8 byte;
    Recorder p, r, kept;
    ring_->poll(pipe.reader.get(), POLLIN, p);
    ring_->poll(pipe.reader.get(), POLLIN, kept);
    ring_->read(pipe.reader.get(), { &byte, 1 }, -1, r);
    ring_->cancel(p); // not submitted yet
    settle();
    ring_->cancel(r);
    finish(p);
    finish(r);
    EXPECT_EQ(p.result, -ECANCELED);
    EXPECT_EQ(r.result, -ECANCELED);
    EXPECT_FALSE(kept.is_done());
    ASSERT_EQ(::write(pipe.writer.get(), "x", 1), 1);
    finish(kept);
    EXPECT_EQ(kept.result, POLLIN);
    EXPECT_EQ(ring_->in_flight(), 0u);
}

TEST_P(RingTest, CancelOfNothingIsHarmless)
{
    Recorder never;
    ring_->cancel(never);
    settle();
    EXPECT_FALSE(never.is_done());
    EXPECT_EQ(ring_->in_flight(), 0u);
}

TEST_P(RingTest, WaitEndsAtDeadline)
{
    Nanoseconds const start = monotonic_now();
    Nanoseconds const deadline = start + 20 * kMillisecond;
    while (monotonic_now() < deadline)
        ring_->wait(deadline); // it may return early, but it must return
    EXPECT_EQ(ring_->dispatch(), 0u);
    ring_->wait(start); // in the past
    ring_->wait(0);
}

TEST_P(RingTest, WaitDoesNotSpin)
{
    settle();
    Nanoseconds const deadline = monotonic_now() + 30 * kMillisecond;
    int rounds = 0;
    for (; monotonic_now() < deadline; rounds++) {
        ring_->wait(deadline);
        ring_->dispatch();
    }
    EXPECT_LE(rounds, 50); // a few early returns are allowed; spinning would make thousands
}

TEST_P(RingTest, WakeBeforeWait)
{
    ring_->wake();
    ring_->wake();
    ring_->wait(kNever);
    EXPECT_EQ(ring_->dispatch(), 0u);
}

TEST_P(RingTest, WakeDuringWaitManyTimes)
{
    constexpr int kRounds = 2000;
    std::atomic<int> told = 0, seen = 0;
    std::thread waker([&] {
        for (int i = 1; i <= kRounds; i++) {
            told = i;
            ring_->wake();
            while (seen < i)
                std::this_thread::yield();
        }
    });
    for (int i = 1; i <= kRounds; i++) {
        while (told < i) {
            ring_->wait(kNever); // a lost wake-up would hang here
            ring_->dispatch();
        }
        seen = i;
    }
    waker.join();
}

/// As a vCPU that waits for the kernel lock while nobody runs its completions.
TEST_P(RingTest, WaitForWakeSleepsBesideCompletions)
{
    PipeEnds pipe = make_pipe();
    settle();
    Recorder polls[3], offloaded;
    for (Recorder& poll : polls)
        ring_->poll(pipe.writer.get(), POLLOUT, poll);
    ring_->offload([](void*) { return 5; }, nullptr, offloaded);
    ring_->wait(monotonic_now() + kMillisecond); // they are there now, and not dispatched
    u64 const before = ring_->entries();
    std::atomic<bool> told = false;
    std::thread waker([&] {
        std::this_thread::sleep_for(std::chrono::milliseconds(30));
        told = true;
        ring_->wake();
    });
    while (!told)
        ring_->wait_for_wake();
    waker.join();
    EXPECT_LE(
        ring_->entries() - before, 10u); // one for each completion is allowed; spinning would make thousands
    for (Recorder& poll : polls)
        EXPECT_FALSE(poll.is_done());
    for (Recorder& poll : polls) {
        finish(poll);
        EXPECT_EQ(poll.result, POLLOUT);
    }
    finish(offloaded);
    EXPECT_EQ(ring_->in_flight(), 0u);
}

TEST_P(RingTest, WaitForWakeWithWakeBefore)
{
    settle();
    ring_->wake();
    ring_->wait_for_wake(); // a lost wake-up would hang here
}

/// More than the host's ring holds arrives while nobody dispatches: neither they nor the wake-ups are lost.
TEST_P(RingTest, WaitForWakeDuringFlood)
{
    constexpr std::size_t kCount = 3000;
    constexpr int kRounds = 200;
    PipeEnds pipe = make_pipe();
    std::vector<Recorder> polls(kCount);
    for (Recorder& poll : polls)
        ring_->poll(pipe.reader.get(), POLLIN, poll);
    std::atomic<int> told = 0, seen = 0;
    std::thread waker([&] {
        for (int i = 1; i <= kRounds; i++) {
            if (i == kRounds / 2) {
                EXPECT_EQ(::write(pipe.writer.get(), "x", 1), 1);
            }
            told = i;
            ring_->wake();
            while (seen < i)
                std::this_thread::yield();
        }
    });
    for (int i = 1; i <= kRounds; i++) {
        while (told < i)
            ring_->wait_for_wake();
        seen = i;
    }
    waker.join();
    for (Recorder& poll : polls)
        EXPECT_FALSE(poll.is_done());
    for (Recorder& poll : polls)
        finish(poll);
    EXPECT_EQ(ring_->in_flight(), 0u);
}

TEST_P(RingTest, DestroyWithCompletionsPutAside)
{
    PipeEnds pipe = make_pipe();
    Recorder done, pending;
    ring_->poll(pipe.writer.get(), POLLOUT, done);
    ring_->poll(pipe.reader.get(), POLLIN, pending);
    ring_->wait(monotonic_now() + kMillisecond);
    ring_->wake();
    ring_->wait_for_wake();
    EXPECT_EQ(ring_->in_flight(), 2u);
    ring_.reset();
    EXPECT_FALSE(done.is_done());
    EXPECT_FALSE(pending.is_done());
}

TEST_P(RingTest, OwnerMayDifferFromCreator)
{
    PipeEnds pipe = make_pipe();
    std::thread owner([&] {
        Recorder p, o;
        ring_->poll(pipe.reader.get(), POLLIN, p);
        ring_->offload([](void*) { return 5; }, nullptr, o);
        ASSERT_EQ(::write(pipe.writer.get(), "x", 1), 1);
        finish(p);
        finish(o);
        EXPECT_EQ(p.result, POLLIN);
        EXPECT_EQ(o.result, 5);
        ring_->poll(pipe.writer.get(), POLLPRI, left_over_);
        ring_->wait(0);
    });
    owner.join();
    ring_.reset(); // on a thread that never used it, with a request in flight
}

TEST_P(RingTest, ManyInFlight)
{
    constexpr std::size_t kCount = 3000; // more than any queue of the engines holds
    PipeEnds pipe = make_pipe();
    std::vector<Recorder> polls(kCount), reads(kCount);
    std::vector<u8> data(kCount);
    OwnedFd file = memory_file(std::string(kCount, 'z'));
    for (std::size_t i = 0; i < kCount; i++) {
        ring_->poll(pipe.reader.get(), POLLIN, polls[i]);
        ring_->read(file.get(), { &data[i], 1 }, static_cast<i64>(i), reads[i]);
    }
    EXPECT_EQ(ring_->in_flight(), 2 * kCount);
    ASSERT_EQ(::write(pipe.writer.get(), "x", 1), 1);
    for (std::size_t i = 0; i < kCount; i++) {
        finish(polls[i]);
        finish(reads[i]);
        EXPECT_EQ(polls[i].result, POLLIN);
        EXPECT_EQ(reads[i].result, 1);
        EXPECT_EQ(data[i], 'z');
    }
    EXPECT_EQ(ring_->in_flight(), 0u);
    ring_->wake(); // the wake-up survived the flood
    ring_->wait(kNever);
}

TEST_P(RingTest, CompletionMaySubmit)
{
    struct Chain final : Completion {
        void complete(i32 r) override
        {
            EXPECT_EQ(r, POLLOUT);
            if (--left > 0) ring->poll(fd, POLLOUT, *this);
        }
        Ring* ring = nullptr;
        int fd = -1;
        int left = 500;
    } chain;
    PipeEnds pipe = make_pipe();
    chain.ring = ring_.get();
    chain.fd = pipe.writer.get();
    ring_->poll(chain.fd, POLLOUT, chain);
    while (chain.left > 0) {
        ring_->wait(kNever);
        ring_->dispatch();
    }
    EXPECT_EQ(ring_->in_flight(), 0u);
}

TEST_P(RingTest, DestroyWithRequestsInFlight)
{
    PipeEnds pipe = make_pipe();
    OwnedFd file = memory_file("data");
    Blocker blocker { make_pipe() };
    Recorder r[6];
    std::vector<u8> buffer(1 << 20);
    u8 byte;
    ring_->poll(pipe.reader.get(), POLLIN, r[0]);
    ring_->read(pipe.reader.get(), { &byte, 1 }, -1, r[1]);
    ring_->offload(Blocker::call, &blocker, r[2]);
    ring_->wait(0);
    ring_->write(file.get(), buffer, 0, r[3]);
    ring_->read(file.get(), buffer, 0, r[4]);
    ring_->poll(pipe.writer.get(), POLLOUT, r[5]);
    ring_.reset();
    // Nobody reads from the pipe any more, and no completion ran.
    ASSERT_EQ(::write(pipe.writer.get(), "x", 1), 1);
    pollfd state { pipe.reader.get(), POLLIN, 0 };
    EXPECT_EQ(::poll(&state, 1, 0), 1);
    for (Recorder const& each : r)
        EXPECT_FALSE(each.is_done());
}

TEST_P(RingTest, LeavesNoDescriptorBehind)
{
    auto count = [] {
        int n = 0;
        DIR* const dir = ::opendir("/proc/self/fd");
        while (::readdir(dir))
            n++;
        ::closedir(dir);
        return n;
    };
    ring_.reset();
    int const before = count();
    for (int i = 0; i < 20; i++) {
        ring_ = MUST(Ring::create(GetParam())); // it worked in SetUp
        Recorder r;
        ring_->offload([](void*) { return 0; }, nullptr, r);
        finish(r);
        ring_.reset();
    }
    EXPECT_EQ(count(), before);
}

/// Before Linux 5.11, and under filters that do not know the call.
TEST(EpollRing, WorksWithoutEpollPwait2)
{
    i32 const pid = ::fork();
    if (pid == 0) {
        SeccompAssembler a;
        a.load_number();
        a.return_action_if_equal(SYS_epoll_pwait2, SECCOMP_RET_ERRNO | EPERM);
        a.return_action(SECCOMP_RET_ALLOW);
        if (install_seccomp_filter(a.finish()).is_error()) ::_exit(99);
        auto ring = Ring::create(RingEngine::epoll).release_value();
        Nanoseconds const deadline = monotonic_now() + 5 * kMillisecond;
        while (monotonic_now() < deadline)
            ring->wait(deadline);
        PipeEnds pipe = OwnedFd::pipe().release_value();
        Recorder r;
        ring->poll(pipe.writer.get(), POLLOUT, r);
        ring->wait(kNever);
        ring->dispatch();
        ::_exit(r.result == POLLOUT ? 0 : 1);
    }
    EXPECT_EQ(process::wait_for_child(pid).value().status, 0);
}

INSTANTIATE_TEST_SUITE_P(Engines, RingTest, kBothEngines, engine_name);

} // namespace
} // namespace umbra::hostabi
