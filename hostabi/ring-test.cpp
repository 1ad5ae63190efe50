// SPDX-License-Identifier: GPL-2.0-or-later
// The contract of Ring, checked on both engines.
#include "hostabi/ring.h"

#include <atomic>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include <dirent.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <semaphore.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "hostabi/clock.h"
#include "hostabi/fd.h"

namespace umbra::hostabi {
namespace {

constexpr i32 kPending = INT32_MIN;
constexpr Nanoseconds kMillisecond = 1'000'000;

struct Recorder final : Completion {
    void complete(i32 r) override
    {
        EXPECT_EQ(result, kPending) << "completed twice";
        result = r;
    }
    bool is_done() const { return result != kPending; }
    i32 result = kPending;
};

std::span<u8 const> bytes(std::string_view s) { return { reinterpret_cast<u8 const*>(s.data()), s.size() }; }

class RingTest : public testing::TestWithParam<RingEngine> {
protected:
    void SetUp() override
    {
        auto ring = Ring::create(GetParam());
        if (ring.is_error() && GetParam() == RingEngine::io_uring)
            GTEST_SKIP() << "this host refuses io_uring";
        ASSERT_TRUE(ring.ok()) << ring.error().value;
        ring_ = ring.release_value();
    }

    void finish(Recorder& r)
    {
        Nanoseconds const limit = monotonic_now() + 20 * kNanosecondsPerSecond;
        while (!r.is_done() && monotonic_now() < limit) {
            ring_->wait(limit);
            ring_->dispatch();
        }
        ASSERT_TRUE(r.is_done()) << "no completion came";
    }
    /// Lets the ring do all that it can do without anything happening outside.
    void settle()
    {
        for (int i = 0; i < 3; i++) {
            ring_->wait(0);
            ring_->dispatch();
        }
    }
    static OwnedFd memory_file(std::string_view content)
    {
        OwnedFd file = MUST(OwnedFd::memfd("ring-test")); // any host has memory for it
        EXPECT_EQ(::write(file.get(), content.data(), content.size()), static_cast<ssize_t>(content.size()));
        EXPECT_EQ(::lseek(file.get(), 0, SEEK_SET), 0);
        return file;
    }
    static PipeEnds make_pipe() { return MUST(OwnedFd::pipe()); } // the test has few descriptors

    Recorder left_over_;
    std::unique_ptr<Ring> ring_;
};

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

TEST_P(RingTest, FileReadAndWriteAtOffsets)
{
    OwnedFd file = memory_file("hello, world");
    u8 buffer[32] = {};
    Recorder w, r, end;
    ring_->write(file.get(), bytes("WORLD"), 7, w);
    finish(w);
    EXPECT_EQ(w.result, 5);
    ring_->read(file.get(), buffer, 1, r);
    finish(r);
    EXPECT_EQ(r.result, 11);
    EXPECT_EQ(std::memcmp(buffer, "ello, WORLD", 11), 0);
    ring_->read(file.get(), buffer, 100, end);
    finish(end);
    EXPECT_EQ(end.result, 0);
}

TEST_P(RingTest, MinusOneIsTheFilesOwnPosition)
{
    OwnedFd file = memory_file("abcdef");
    u8 buffer[3];
    for (std::string_view const expected : { "abc", "def", "" }) {
        Recorder r;
        ring_->read(file.get(), buffer, -1, r);
        finish(r);
        ASSERT_EQ(r.result, static_cast<i32>(expected.size()));
        EXPECT_EQ(std::memcmp(buffer, expected.data(), expected.size()), 0);
    }
    Recorder w;
    ring_->write(file.get(), bytes("ghi"), -1, w);
    finish(w);
    EXPECT_EQ(w.result, 3);
    EXPECT_EQ(::lseek(file.get(), 0, SEEK_CUR), 9);
}

TEST_P(RingTest, VectorsOnFileAndPipe)
{
    OwnedFd file = memory_file("");
    PipeEnds pipe = make_pipe();
    char one[] = "one", two[] = "twotwo";
    iovec const out[] = { { one, 3 }, { two, 6 } };
    char a[4] = {}, b[16] = {};
    iovec const in[] = { { a, 4 }, { b, 16 } };
    for (auto [write_fd, read_fd, offset] : { std::tuple { file.get(), file.get(), i64 { 2 } },
             { pipe.writer.get(), pipe.reader.get(), i64 { -1 } } }) {
        Recorder w, r;
        ring_->writev(write_fd, out, offset, w);
        finish(w);
        EXPECT_EQ(w.result, 9);
        ring_->readv(read_fd, in, offset, r);
        finish(r);
        EXPECT_EQ(r.result, 9);
        EXPECT_EQ(std::string(a, 4), "onet");
        EXPECT_EQ(std::string(b, 5), "wotwo");
    }
}

TEST_P(RingTest, LargeFile)
{
    OwnedFd file = memory_file("");
    std::vector<u8> out(4 << 20), in(4 << 20);
    for (std::size_t i = 0; i < out.size(); i++)
        out[i] = static_cast<u8>(i * 7 + i / 4096);
    Recorder w, r;
    ring_->write(file.get(), out, 0, w);
    finish(w);
    ASSERT_EQ(w.result, 4 << 20);
    ring_->read(file.get(), in, 0, r);
    finish(r);
    ASSERT_EQ(r.result, 4 << 20);
    EXPECT_EQ(in, out);
}

TEST_P(RingTest, PipeReadWaitsForData)
{
    PipeEnds pipe = make_pipe();
    u8 buffer[16];
    Recorder r, w;
    ring_->read(pipe.reader.get(), buffer, -1, r);
    settle();
    EXPECT_FALSE(r.is_done());
    ring_->write(pipe.writer.get(), bytes("ping"), -1, w);
    finish(r);
    finish(w);
    EXPECT_EQ(w.result, 4);
    ASSERT_EQ(r.result, 4);
    EXPECT_EQ(std::memcmp(buffer, "ping", 4), 0);
    Recorder end;
    ring_->read(pipe.reader.get(), buffer, -1, end);
    pipe.writer.reset();
    finish(end);
    EXPECT_EQ(end.result, 0);
}

TEST_P(RingTest, PipeWriteWaitsForRoom)
{
    PipeEnds pipe = make_pipe();
    int const room = ::fcntl(pipe.writer.get(), F_GETPIPE_SZ);
    std::vector<u8> fill(static_cast<std::size_t>(room), 1);
    ASSERT_EQ(::write(pipe.writer.get(), fill.data(), fill.size()), room);
    Recorder w;
    ring_->write(pipe.writer.get(), bytes("tail"), -1, w);
    settle();
    EXPECT_FALSE(w.is_done());
    ASSERT_EQ(::read(pipe.reader.get(), fill.data(), fill.size()), room);
    finish(w);
    EXPECT_EQ(w.result, 4);
}

TEST_P(RingTest, WriteToClosedPipe)
{
    ::signal(SIGPIPE, SIG_IGN);
    PipeEnds pipe = make_pipe();
    pipe.reader.reset();
    Recorder w;
    ring_->write(pipe.writer.get(), bytes("x"), -1, w);
    finish(w);
    EXPECT_EQ(w.result, -EPIPE);
}

TEST_P(RingTest, TerminalRead)
{
    OwnedFd master = MUST(OwnedFd::open("/dev/ptmx", O_RDWR | O_NOCTTY)); // every host of ours has ptys
    ASSERT_EQ(::unlockpt(master.get()), 0);
    OwnedFd tty = MUST(OwnedFd::open(::ptsname(master.get()), O_RDWR | O_NOCTTY)); // just made
    u8 buffer[16];
    Recorder r, w;
    ring_->read(tty.get(), buffer, -1, r);
    settle();
    EXPECT_FALSE(r.is_done());
    ASSERT_EQ(::write(master.get(), "ls\n", 3), 3);
    finish(r);
    EXPECT_EQ(r.result, 3);
    ring_->write(tty.get(), bytes("out"), -1, w);
    finish(w);
    EXPECT_EQ(w.result, 3);
    Recorder cancelled;
    ring_->read(tty.get(), buffer, -1, cancelled);
    settle();
    ring_->cancel(cancelled);
    finish(cancelled);
    EXPECT_EQ(cancelled.result, -ECANCELED);
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
    EXPECT_LE(rounds, 3);
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

TEST_P(RingTest, PathOperations)
{
    char directory[] = "/tmp/umbra-ring-XXXXXX";
    ASSERT_NE(::mkdtemp(directory), nullptr);
    OwnedFd dir = MUST(OwnedFd::open(directory, O_RDONLY | O_DIRECTORY)); // just made
    auto run = [&](auto submit) {
        Recorder r;
        submit(r);
        finish(r);
        return r.result;
    };
    int const d = dir.get();
    EXPECT_EQ(run([&](auto& r) { ring_->mkdirat(d, "sub", 0700, r); }), 0);
    EXPECT_EQ(run([&](auto& r) { ring_->mkdirat(d, "sub", 0700, r); }), -EEXIST);
    i32 const fd = run([&](auto& r) { ring_->openat(d, "sub/file", O_RDWR | O_CREAT | O_EXCL, 0600, r); });
    ASSERT_GE(fd, 0);
    OwnedFd file = OwnedFd::adopt(fd);
    EXPECT_EQ(::fcntl(fd, F_GETFD), FD_CLOEXEC);
    EXPECT_EQ(run([&](auto& r) { ring_->fallocate(fd, 0, 0, 8192, r); }), 0);
    EXPECT_EQ(run([&](auto& r) { ring_->fsync(fd, false, r); }), 0);
    EXPECT_EQ(run([&](auto& r) { ring_->fsync(fd, true, r); }), 0);
    EXPECT_EQ(run([&](auto& r) { ring_->linkat(d, "sub/file", d, "hard", 0, r); }), 0);
    EXPECT_EQ(run([&](auto& r) { ring_->symlinkat("hard", d, "soft", r); }), 0);
    EXPECT_EQ(run([&](auto& r) { ring_->renameat2(d, "soft", d, "sub/soft", RENAME_NOREPLACE, r); }), 0);
    EXPECT_EQ(
        run([&](auto& r) { ring_->renameat2(d, "hard", d, "sub/soft", RENAME_NOREPLACE, r); }), -EEXIST);
    struct statx info { };
    EXPECT_EQ(run([&](auto& r) { ring_->statx(d, "hard", 0, STATX_BASIC_STATS, info, r); }), 0);
    EXPECT_EQ(info.stx_size, 8192u);
    EXPECT_EQ(info.stx_nlink, 2u);
    for (char const* name : { "sub/soft", "sub/file", "hard" })
        EXPECT_EQ(run([&](auto& r) { ring_->unlinkat(d, name, 0, r); }), 0);
    EXPECT_EQ(run([&](auto& r) { ring_->unlinkat(d, "sub", AT_REMOVEDIR, r); }), 0);
    EXPECT_EQ(run([&](auto& r) { ring_->openat(d, "sub", O_RDONLY, 0, r); }), -ENOENT);
    EXPECT_EQ(::rmdir(directory), 0);
}

TEST_P(RingTest, OffloadRunsElsewhere)
{
    struct Work {
        std::thread::id thread;
        int value;
    };
    std::vector<Work> work(50);
    std::vector<Recorder> done(50);
    for (int i = 0; i < 50; i++) {
        work[static_cast<std::size_t>(i)].value = i;
        ring_->offload(
            [](void* argument) -> i32 {
                auto& w = *static_cast<Work*>(argument);
                w.thread = std::this_thread::get_id();
                return w.value % 2 ? w.value : -1000 - w.value;
            },
            &work[static_cast<std::size_t>(i)], done[static_cast<std::size_t>(i)]);
    }
    EXPECT_EQ(ring_->in_flight(), 50u);
    for (int i = 0; i < 50; i++) {
        finish(done[static_cast<std::size_t>(i)]);
        EXPECT_EQ(done[static_cast<std::size_t>(i)].result, i % 2 ? i : -1000 - i);
        EXPECT_NE(work[static_cast<std::size_t>(i)].thread, std::this_thread::get_id());
    }
}

/// Blocks in read(2) of an empty pipe, as a host call may.
struct Blocker {
    PipeEnds pipe;
    std::atomic<bool> entered = false;

    static i32 call(void* argument)
    {
        auto& self = *static_cast<Blocker*>(argument);
        self.entered = true;
        char byte;
        ssize_t const n = ::read(self.pipe.reader.get(), &byte, 1);
        return n < 0 ? -errno : static_cast<i32>(n);
    }
};

TEST_P(RingTest, CancelOffload)
{
    Blocker blockers[20];
    Recorder done[20];
    for (int i = 0; i < 20; i++) {
        blockers[i].pipe = make_pipe();
        ring_->offload(Blocker::call, &blockers[i], done[i]);
    }
    while (!blockers[0].entered)
        std::this_thread::yield();
    ring_->cancel(done[19]); // still queued: there are fewer helpers than jobs
    finish(done[19]);
    EXPECT_EQ(done[19].result, -ECANCELED);
    EXPECT_FALSE(blockers[19].entered);
    // Running. The interruption may come just before the host call begins, so it is asked for until it
    // worked.
    while (!done[0].is_done()) {
        ring_->cancel(done[0]);
        ring_->wait(monotonic_now() + kMillisecond);
        ring_->dispatch();
    }
    EXPECT_EQ(done[0].result, -ECANCELED);
    for (int i = 1; i < 19; i++) {
        ASSERT_EQ(::write(blockers[i].pipe.writer.get(), "x", 1), 1);
        finish(done[i]);
        EXPECT_EQ(done[i].result, 1);
    }
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

INSTANTIATE_TEST_SUITE_P(Engines, RingTest, testing::Values(RingEngine::io_uring, RingEngine::epoll),
    [](auto const& engine) { return engine.param == RingEngine::io_uring ? "uring" : "epoll"; });

} // namespace
} // namespace umbra::hostabi
