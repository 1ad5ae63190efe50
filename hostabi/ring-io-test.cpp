// SPDX-License-Identifier: GPL-2.0-or-later
// The contract of Ring: reading, writing, path operations, offloaded calls.
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <string>
#include <thread>
#include <vector>

#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <sys/uio.h>

#include "hostabi/ring-test.h"

namespace umbra::hostabi {
namespace {

class RingIoTest : public RingTest { };

TEST_P(RingIoTest, FileReadAndWriteAtOffsets)
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

TEST_P(RingIoTest, MinusOneIsTheFilesOwnPosition)
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

TEST_P(RingIoTest, VectorsOnFileAndPipe)
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

TEST_P(RingIoTest, LargeFile)
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

TEST_P(RingIoTest, PipeReadWaitsForData)
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

TEST_P(RingIoTest, PipeWriteWaitsForRoom)
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

TEST_P(RingIoTest, WriteToClosedPipe)
{
    ::signal(SIGPIPE, SIG_IGN);
    PipeEnds pipe = make_pipe();
    pipe.reader.reset();
    Recorder w;
    ring_->write(pipe.writer.get(), bytes("x"), -1, w);
    finish(w);
    EXPECT_EQ(w.result, -EPIPE);
}

TEST_P(RingIoTest, TerminalRead)
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

TEST_P(RingIoTest, PathOperations)
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

TEST_P(RingIoTest, OffloadRunsElsewhere)
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

TEST_P(RingIoTest, CancelOffload)
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

INSTANTIATE_TEST_SUITE_P(Engines, RingIoTest, kBothEngines, engine_name);

} // namespace
} // namespace umbra::hostabi
