// SPDX-License-Identifier: GPL-2.0-or-later
// Trying without waiting on pipes, sockets, files and terminals that are in blocking mode.
#include "hostabi/stream.h"

#include <cerrno>
#include <cstring>
#include <string>

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

namespace umbra::hostabi {
namespace {

std::span<u8 const> bytes(std::string_view text)
{
    return { reinterpret_cast<u8 const*>(text.data()), text.size() }; // chars are bytes
}

std::string read_text(HostStream& stream)
{
    u8 buffer[64];
    auto count = stream.read_now(buffer);
    if (count.is_error()) return "error " + std::to_string(count.error().value);
    return std::string(buffer, buffer + count.value());
}

HostStream stream_of(int fd) { return std::move(HostStream::duplicate(fd)).value(); }

TEST(HostStream, PipeMovesWhatIsThereAndNeverWaits)
{
    auto ends = std::move(OwnedFd::pipe()).value();
    auto reader = stream_of(ends.reader.get()), writer = stream_of(ends.writer.get());
    EXPECT_EQ(reader.kind(), StreamKind::pipe);
    EXPECT_EQ(read_text(reader), "error " + std::to_string(EAGAIN));
    EXPECT_EQ(reader.poll_now(POLLIN), 0u);
    EXPECT_EQ(writer.write_now(bytes("abc")).value(), 3u);
    EXPECT_EQ(reader.poll_now(POLLIN), u32(POLLIN));
    EXPECT_EQ(reader.bytes_available().value(), 3);
    EXPECT_EQ(read_text(reader), "abc");

    std::string const much(1 << 20, 'x');
    u64 const room = writer.write_now(bytes(much)).value();
    EXPECT_GE(room, 4096u);
    EXPECT_LT(room, much.size());
    EXPECT_EQ(writer.write_now(bytes(much)).error().value, EAGAIN);
}

TEST(HostStream, PipeEndOfFile)
{
    auto ends = std::move(OwnedFd::pipe()).value();
    auto reader = stream_of(ends.reader.get());
    ends.writer.reset();
    EXPECT_EQ(read_text(reader), "");
    EXPECT_TRUE(reader.poll_now(POLLIN) & POLLHUP);
}

TEST(HostStream, SocketIsTriedWithoutWaiting)
{
    auto pair = std::move(OwnedFd::socketpair(AF_UNIX, SOCK_STREAM)).value();
    auto a = stream_of(pair.first.get()), b = stream_of(pair.second.get());
    EXPECT_EQ(read_text(a), "error " + std::to_string(EAGAIN));
    EXPECT_EQ(b.write_now(bytes("hi")).value(), 2u);
    EXPECT_EQ(read_text(a), "hi");
    EXPECT_TRUE(a.reopen(O_RDONLY).is_error());
}

TEST(HostStream, TerminalIsTriedWithoutWaiting)
{
    OwnedFd master = OwnedFd::adopt(posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC));
    ASSERT_TRUE(master);
    ASSERT_EQ(grantpt(master.get()), 0);
    ASSERT_EQ(unlockpt(master.get()), 0);
    char name[64];
    ASSERT_EQ(ptsname_r(master.get(), name, sizeof name), 0);
    auto slave = std::move(OwnedFd::open(name, O_RDWR | O_NOCTTY)).value();
    auto stream = stream_of(slave.get());
    EXPECT_EQ(stream.kind(), StreamKind::terminal);
    EXPECT_EQ(read_text(stream), "error " + std::to_string(EAGAIN));
    ASSERT_EQ(write(master.get(), "x\n", 2), 2);
    EXPECT_EQ(read_text(stream), "x\n");
    EXPECT_FALSE(fcntl(slave.get(), F_GETFL) & O_NONBLOCK);
}

TEST(HostStream, RegularFileSharesItsPosition)
{
    auto file = std::move(OwnedFd::memfd("stream-test")).value();
    ASSERT_EQ(write(file.get(), "abcdef", 6), 6);
    auto stream = stream_of(file.get());
    EXPECT_TRUE(stream.is_regular());
    EXPECT_EQ(stream.seek(2, SEEK_SET).value(), 2u);
    EXPECT_EQ(lseek(file.get(), 0, SEEK_CUR), 2);
    EXPECT_EQ(stream.status().value().size, 6u);
    auto again = std::move(stream.reopen(O_RDONLY)).value();
    EXPECT_EQ(again.seek(0, SEEK_CUR).value(), 0u);
}

} // namespace
} // namespace umbra::hostabi
