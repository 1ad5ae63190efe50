// SPDX-License-Identifier: GPL-2.0-or-later
// What a program may ask about a TCP connection (tcp(7)).
#include "inet.h"

#include <linux/tcp.h>

#include <string>

namespace abi_test {
namespace {

TEST(TcpOption, information)
{
    Fd listener = ::socket(AF_INET, SOCK_STREAM, 0), a = ::socket(AF_INET, SOCK_STREAM, 0);
    ASSERT_OK(bind_to(listener, name4(0)));
    ASSERT_OK(::listen(listener, 7));
    auto ask = [](int socket) {
        tcp_info info {};
        socklen_t length = sizeof info;
        EXPECT_OK(::getsockopt(socket, IPPROTO_TCP, TCP_INFO, &info, &length));
        EXPECT_GE(length, 100u);
        return info;
    };
    constexpr int established = 1, closed = 7, listening = 10;
    EXPECT_EQ(ask(a).tcpi_state, closed);
    ASSERT_OK(connect_to(a, name_of(listener)));
    ASSERT_TRUE(becomes_ready(listener, POLLIN));
    tcp_info const waiting = ask(listener);
    EXPECT_EQ(waiting.tcpi_state, listening);
    EXPECT_EQ(waiting.tcpi_unacked, 1u);
    EXPECT_EQ(waiting.tcpi_sacked, 7u);
    Fd b = ::accept(listener, nullptr, nullptr);
    ASSERT_EQ(::send(a, "hello", 5, 0), 5);
    ASSERT_TRUE(becomes_ready(b, POLLIN));
    tcp_info const sender = ask(a), receiver = ask(b);
    EXPECT_EQ(sender.tcpi_state, established);
    EXPECT_EQ(sender.tcpi_bytes_sent, 5u);
    EXPECT_EQ(receiver.tcpi_bytes_received, 5u);
    EXPECT_EQ(sender.tcpi_total_retrans, 0u);
    EXPECT_GT(sender.tcpi_snd_mss, 1000u);
    char part;
    socklen_t length = 1;
    EXPECT_OK(::getsockopt(a, IPPROTO_TCP, TCP_INFO, &part, &length));
    EXPECT_EQ(length, 1u);
    EXPECT_EQ(part, established);
}

TEST(TcpOption, size_of_segments)
{
    Fd listener = ::socket(AF_INET, SOCK_STREAM, 0), a = ::socket(AF_INET, SOCK_STREAM, 0);
    EXPECT_EQ(option(a, IPPROTO_TCP, TCP_MAXSEG), 536);
    EXPECT_ERROR(set_option(a, IPPROTO_TCP, TCP_MAXSEG, 87), EINVAL);
    EXPECT_ERROR(set_option(a, IPPROTO_TCP, TCP_MAXSEG, 32768), EINVAL);
    ASSERT_OK(bind_to(listener, name4(0)));
    ASSERT_OK(::listen(listener, 7));
    ASSERT_OK(connect_to(a, name_of(listener)));
    EXPECT_GT(option(a, IPPROTO_TCP, TCP_MAXSEG), 10000) << "lo's packets are large";
}

/// Two ends of a connection over lo.
struct Streams {
    Streams()
    {
        Fd listener = ::socket(AF_INET, SOCK_STREAM, 0);
        EXPECT_OK(bind_to(listener, name4(0)));
        EXPECT_OK(::listen(listener, 1));
        EXPECT_OK(connect_to(a, name_of(listener)));
        b = ::accept(listener, nullptr, nullptr);
    }
    Fd a = ::socket(AF_INET, SOCK_STREAM, 0), b = -1;
};

/// What has come, without waiting; empty: nothing.
std::string read_now(int socket)
{
    char text[64];
    ssize_t const got = ::recv(socket, text, sizeof text, MSG_DONTWAIT);
    return std::string(text, got > 0 ? size_t(got) : 0);
}

/// Whether a byte that is sent so stays with its sender for a while. A machine that stands still for 200 ms misses that: so again.
template <typename Send> bool is_held_back(int receiver, Send send)
{
    for (int tries = 0; tries < 20; ++tries) {
        send();
        bool const is_held = read_now(receiver).empty();
        EXPECT_TRUE(becomes_ready(receiver, POLLIN)); // not for ever, though nothing else happens
        EXPECT_EQ(read_now(receiver), "x");
        if (is_held) return true;
    }
    return false;
}

TEST(TcpOption, more_to_come)
{
    Streams streams;
    Fd &a = streams.a, &b = streams.b;
    EXPECT_TRUE(is_held_back(b, [&] { EXPECT_EQ(::send(a, "x", 1, MSG_MORE), 1); }));
    ASSERT_EQ(::send(a, "to", 2, MSG_MORE), 2);
    ASSERT_EQ(::send(a, "gether", 6, 0), 6);
    ASSERT_TRUE(becomes_ready(b, POLLIN));
    EXPECT_EQ(read_now(b), "together");
    ASSERT_EQ(::send(a, "end", 3, MSG_MORE), 3);
    ASSERT_OK(::shutdown(a, SHUT_WR));
    ASSERT_TRUE(becomes_ready(b, POLLIN));
    char text[8];
    EXPECT_EQ(::recv(b, text, sizeof text, MSG_WAITALL), 3);
}

TEST(TcpOption, cork)
{
    Streams streams;
    Fd &a = streams.a, &b = streams.b;
    ASSERT_OK(set_option(a, IPPROTO_TCP, TCP_CORK, 1));
    EXPECT_EQ(option(a, IPPROTO_TCP, TCP_CORK), 1);
    EXPECT_TRUE(is_held_back(b, [&] { EXPECT_EQ(::write(a, "x", 1), 1); }));
    ASSERT_EQ(::write(a, "un", 2), 2);
    ASSERT_EQ(::write(a, "corked", 6), 6);
    ASSERT_OK(set_option(a, IPPROTO_TCP, TCP_CORK, 0));
    char text[16] = {};
    EXPECT_EQ(::recv(b, text, 8, MSG_WAITALL), 8);
    EXPECT_STREQ(text, "uncorked");
    ASSERT_OK(set_option(a, IPPROTO_TCP, TCP_CORK, 1));
    ASSERT_EQ(::write(a, "pushed", 6), 6);
    ASSERT_OK(set_option(a, IPPROTO_TCP, TCP_NODELAY, 1));
    EXPECT_EQ(::recv(b, text, 6, MSG_WAITALL), 6);
    // Much goes in whole segments, all of it when the socket is closed.
    std::string const much(1 << 20, 'm');
    pid_t const writer = start([&] {
        EXPECT_EQ(::write(a, much.data(), much.size()), ssize_t(much.size()));
        EXPECT_EQ(::write(a, "!", 1), 1);
    });
    a.reset();
    std::string got;
    for (char piece[4096];;) {
        ssize_t const count = ::recv(b, piece, sizeof piece, 0);
        if (count <= 0) break;
        got.append(piece, size_t(count));
    }
    EXPECT_EQ(got.size(), much.size() + 1);
    EXPECT_EQ(got.back(), '!');
    EXPECT_EQ(wait_for(writer), exited(0));
}

TEST(TcpOption, congestion_control)
{
    Fd a = ::socket(AF_INET6, SOCK_STREAM, 0);
    char name[32] = {};
    socklen_t length = sizeof name;
    ASSERT_OK(::getsockopt(a, IPPROTO_TCP, TCP_CONGESTION, name, &length));
    EXPECT_EQ(length, 16u);
    EXPECT_OK(::setsockopt(a, IPPROTO_TCP, TCP_CONGESTION, name, socklen_t(std::strlen(name)))) << name;
    EXPECT_OK(::setsockopt(a, IPPROTO_TCP, TCP_CONGESTION, "reno", 4));
    EXPECT_ERROR(::setsockopt(a, IPPROTO_TCP, TCP_CONGESTION, "no-such-one", 11), ENOENT);
}

} // namespace
} // namespace abi_test
