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
