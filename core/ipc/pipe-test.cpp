// SPDX-License-Identifier: GPL-2.0-or-later
// The pipe's buffer: order, capacity, atomicity, packets, sharing of pages, wake-ups. Blocking and signals
// are tests/abi/pipe-test.cpp's.
#include "core/ipc/pipe.h"

#include <gtest/gtest.h>

#include <numeric>
#include <string>

#include "core/platform/fake/fake-platform.h"

namespace umbra::ipc {
namespace {

struct CountingWaiter final : Waiter {
    explicit CountingWaiter(WaitQueue& queue, bool is_exclusive = false)
    {
        exclusive = is_exclusive;
        queue.add(*this);
    }
    void notify(u32) override { count++; }
    int count = 0;
};

struct PipeTest : testing::Test {
    platform::fake::FakePlatform platform;
    mm::PhysicalMemory memory { platform, 64 << 20 };
    Ref<Pipe> pipe = make_ref<Pipe>(memory);

    PipeTest() { pipe->readers = pipe->writers = 1; }

    static Result<u64> write(Pipe& to, std::string_view text, bool packets = false)
    {
        auto buffer = IoBuffer::kernel_source({ reinterpret_cast<u8 const*>(text.data()), text.size() });
        auto result = to.write(buffer, packets);
        return buffer.transferred() > 0 ? Result<u64>(buffer.transferred()) : result;
    }
    static std::string read(Pipe& from, u64 limit)
    {
        std::string text(limit, '\0');
        auto buffer = IoBuffer::kernel({ reinterpret_cast<u8*>(text.data()), limit });
        auto result = from.read(buffer);
        if (result.is_error()) return std::string("error ") + errno_name(result.error());
        text.resize(result.value());
        return text;
    }
};

TEST_F(PipeTest, small_writes_share_a_page_and_come_out_in_order)
{
    for (int i = 0; i < 100; i++)
        ASSERT_EQ(write(*pipe, "ab").value(), 2u);
    EXPECT_EQ(pipe->used(), 1u);
    EXPECT_EQ(pipe->bytes(), 200u);
    EXPECT_EQ(read(*pipe, 3), "aba");
    EXPECT_EQ(read(*pipe, 500).size(), 197u);
    EXPECT_EQ(read(*pipe, 1), "error EAGAIN");
}

TEST_F(PipeTest, holds_sixteen_pages_and_then_takes_the_rest_later)
{
    std::string big(100'000, 'x');
    std::iota(big.begin(), big.end(), 0);
    auto buffer = IoBuffer::kernel_source({ reinterpret_cast<u8 const*>(big.data()), big.size() });
    EXPECT_EQ(pipe->write(buffer, false).error(), err::again);
    EXPECT_EQ(buffer.transferred(), 65536u);
    EXPECT_TRUE(pipe->is_full());
    EXPECT_EQ(read(*pipe, 65536), big.substr(0, 65536));
    EXPECT_TRUE(pipe->write(buffer, false).ok());
    EXPECT_EQ(read(*pipe, 65536), big.substr(65536));
}

TEST_F(PipeTest, a_write_up_to_pipe_buf_is_whole_or_not_at_all)
{
    for (int i = 0; i < 16; i++)
        ASSERT_TRUE(write(*pipe, std::string(3000, 'x')).ok());
    EXPECT_EQ(write(*pipe, std::string(2000, 'y')).error(), err::again);
    EXPECT_EQ(write(*pipe, std::string(1096, 'y')).value(), 1096u); // behind the last one's bytes
}

TEST_F(PipeTest, ends_are_seen)
{
    ASSERT_TRUE(write(*pipe, "last words").ok());
    pipe->writers = 0;
    EXPECT_EQ(read(*pipe, 100), "last words");
    EXPECT_EQ(read(*pipe, 100), "");
    pipe->readers = 0;
    EXPECT_EQ(write(*pipe, "x").error(), err::pipe);
}

TEST_F(PipeTest, packets_keep_their_borders_and_lose_their_rest)
{
    ASSERT_TRUE(write(*pipe, "first", true).ok());
    ASSERT_TRUE(write(*pipe, "second", true).ok());
    EXPECT_EQ(read(*pipe, 3), "fir");
    EXPECT_EQ(read(*pipe, 100), "second");
    ASSERT_TRUE(write(*pipe, "packet", true).ok());
    ASSERT_TRUE(write(*pipe, "stream", false).ok());
    EXPECT_EQ(read(*pipe, 100), "packet");
    EXPECT_EQ(read(*pipe, 100), "stream");
}

TEST_F(PipeTest, a_busy_pipe_allocates_no_more)
{
    ASSERT_TRUE(write(*pipe, std::string(65536, 'x')).ok());
    read(*pipe, 65536);
    u64 used = memory.used();
    for (int i = 0; i < 50; i++) {
        ASSERT_TRUE(write(*pipe, std::string(65536, 'x')).ok());
        read(*pipe, 65536);
    }
    EXPECT_EQ(memory.used(), used);
    pipe = make_ref<Pipe>(memory);
    EXPECT_EQ(memory.used(), 0u);
}

TEST_F(PipeTest, resizing_keeps_the_bytes_and_refuses_to_drop_any)
{
    ASSERT_TRUE(write(*pipe, std::string(3 * 4096, 'x')).ok());
    EXPECT_EQ(pipe->resize(2).error(), err::busy);
    ASSERT_TRUE(pipe->resize(4).ok());
    EXPECT_EQ(write(*pipe, std::string(8192, 'y')).value(), 4096u);
    EXPECT_EQ(read(*pipe, 20000), std::string(3 * 4096, 'x') + std::string(4096, 'y'));
}

TEST_F(PipeTest, a_shared_page_stays_as_it_was)
{
    auto other = make_ref<Pipe>(memory);
    other->readers = other->writers = 1;
    ASSERT_TRUE(write(*pipe, "common").ok());
    other->push(pipe->share(0, 4));
    ASSERT_TRUE(write(*pipe, " and mine").ok());
    ASSERT_TRUE(write(*other, " theirs").ok());
    EXPECT_EQ(read(*pipe, 100), "common and mine");
    EXPECT_EQ(read(*other, 100), "comm theirs");
}

TEST_F(PipeTest, wakes_only_when_a_state_ends)
{
    CountingWaiter reader(pipe->readable, true), writer(pipe->writable, true);
    ASSERT_TRUE(write(*pipe, "a").ok());
    ASSERT_TRUE(write(*pipe, "b").ok());
    EXPECT_EQ(reader.count, 1);
    read(*pipe, 2);
    EXPECT_EQ(writer.count, 2); // passed on by both writes: the pipe had room left
    ASSERT_TRUE(write(*pipe, std::string(65536, 'x')).ok());
    writer.count = reader.count = 0;
    read(*pipe, 100);
    EXPECT_EQ(writer.count, 0) << "still no free page";
    EXPECT_EQ(reader.count, 1) << "bytes are left for the next reader";
    read(*pipe, 4096);
    EXPECT_EQ(writer.count, 1);
}

TEST_F(PipeTest, a_poller_hears_of_every_write)
{
    pipe->polled = true;
    CountingWaiter poller(pipe->readable);
    ASSERT_TRUE(write(*pipe, "a").ok());
    ASSERT_TRUE(write(*pipe, "b").ok());
    EXPECT_EQ(poller.count, 2);
    read(*pipe, 1);
    EXPECT_EQ(poller.count, 2) << "reading is no news for readers";
}

} // namespace
} // namespace umbra::ipc
