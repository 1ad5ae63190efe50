// SPDX-License-Identifier: GPL-2.0-or-later
// SO_RCVLOWAT (socket(7)): how much a reader of a stream waits for.
#include "inet.h"

#include <string>

namespace abi_test {
namespace {

struct Pair {
    Fd a, b;
};

Pair make_pair(bool is_tcp)
{
    if (!is_tcp) {
        int pair[2];
        EXPECT_OK(::socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
        return { Fd(pair[0]), Fd(pair[1]) };
    }
    Fd listener = ::socket(AF_INET, SOCK_STREAM, 0);
    EXPECT_OK(bind_to(listener, name4(0)));
    EXPECT_OK(::listen(listener, 1));
    Fd a = ::socket(AF_INET, SOCK_STREAM, 0);
    EXPECT_OK(connect_to(a, name_of(listener)));
    Fd b = ::accept(listener, nullptr, nullptr);
    return { std::move(a), std::move(b) };
}

class LowWater : public ::testing::TestWithParam<bool> { };
std::string name(::testing::TestParamInfo<bool> const& info) { return info.param ? "tcp" : "local"; }
INSTANTIATE_TEST_SUITE_P(Streams, LowWater, ::testing::Bool(), name);

TEST_P(LowWater, a_read_waits_for_it)
{
    Pair s = make_pair(GetParam());
    EXPECT_EQ(option(s.b, SOL_SOCKET, SO_RCVLOWAT), 1);
    ASSERT_OK(set_option(s.b, SOL_SOCKET, SO_RCVLOWAT, 5));
    EXPECT_EQ(option(s.b, SOL_SOCKET, SO_RCVLOWAT), 5);
    char room[64];
    ASSERT_EQ(::send(s.a, "ab", 2, 0), 2);
    pid_t const sender = start([&] {
        ::usleep(20'000);
        EXPECT_EQ(::send(s.a, "c", 1, 0), 1);
        ::usleep(20'000);
        EXPECT_EQ(::send(s.a, "defg", 4, 0), 4);
    });
    EXPECT_EQ(::recv(s.b, room, sizeof room, 0), 7);
    EXPECT_EQ(wait_for(sender), exited(0));
    // What has less room waits for less, and who does not wait takes what is there.
    ASSERT_EQ(::send(s.a, "abc", 3, 0), 3);
    EXPECT_EQ(::recv(s.b, room, 2, 0), 2);
    EXPECT_EQ(::recv(s.b, room, sizeof room, MSG_DONTWAIT), 1);
    ASSERT_EQ(::send(s.a, "abc", 3, 0), 3);
    ASSERT_OK(::shutdown(s.a, SHUT_WR));
    EXPECT_EQ(::recv(s.b, room, sizeof room, 0), 3) << "no more can come";
}

TEST(LowWaterTcp, readiness)
{
    Pair s = make_pair(true);
    ASSERT_OK(set_option(s.b, SOL_SOCKET, SO_RCVLOWAT, 5));
    ASSERT_EQ(::send(s.a, "abcd", 4, 0), 4);
    EXPECT_EQ(poll_bits(s.b, POLLIN, 50), 0);
    ASSERT_EQ(::send(s.a, "e", 1, 0), 1);
    EXPECT_TRUE(becomes_ready(s.b, POLLIN));
    char room[64];
    ASSERT_EQ(::recv(s.b, room, 3, 0), 3);
    EXPECT_EQ(poll_bits(s.b, POLLIN), 0);
    ASSERT_OK(::shutdown(s.a, SHUT_WR));
    EXPECT_TRUE(becomes_ready(s.b, POLLIN));
    ASSERT_OK(set_option(s.b, SOL_SOCKET, SO_RCVLOWAT, 0));
    EXPECT_EQ(option(s.b, SOL_SOCKET, SO_RCVLOWAT), 1);
    EXPECT_ERROR(set_option(s.b, SOL_SOCKET, SO_SNDLOWAT, 5), ENOPROTOOPT);
}

} // namespace
} // namespace abi_test
