// SPDX-License-Identifier: GPL-2.0-or-later
// Where a guest's destinations lead on the host, and where they do not.
#include "drivers-virtual/net/addresses.h"

#include <gtest/gtest.h>

namespace umbra::drivers {
namespace {

using net::InetName;
using net::IpAddress;

InetName v4(u8 a, u8 b, u8 c, u8 d, u16 port = 80) { return { IpAddress::v4(a, b, c, d), port }; }
IpAddress v6(u8 first, u8 second, u8 last)
{
    return { { first, second, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, last } };
}

Errno error_of(UserNetworkOptions const& options, InetName const& to)
{
    auto result = to_host(options, to);
    EXPECT_TRUE(result.is_error()) << net::text_of(to.address);
    return result.is_error() ? result.error() : Errno(0);
}

TEST(UserNetworkAddresses, TheWorldIsWhatItIs)
{
    auto const there = to_host({}, v4(192, 0, 2, 1));
    ASSERT_TRUE(there.ok());
    EXPECT_EQ(there.value(), hostabi::HostName::v4({ 192, 0, 2, 1 }, 80));
    EXPECT_TRUE(to_host({}, { v6(0x20, 0x01, 1), 443 }).ok());
    EXPECT_EQ(from_host(there.value()), v4(192, 0, 2, 1));
}

TEST(UserNetworkAddresses, MachinesOfTheNetwork)
{
    EXPECT_TRUE(is_user_machine(user_gateway()));
    EXPECT_TRUE(is_user_machine(user_name_server()));
    EXPECT_FALSE(is_user_machine(user_address())) << "the guest itself";
    EXPECT_FALSE(is_user_machine(IpAddress::v4(10, 0, 2, 77)));
    EXPECT_FALSE(is_user_machine(IpAddress::loopback(true)));
}

TEST(UserNetworkAddresses, TheHostIsTheGatewayIfItMayBe)
{
    EXPECT_EQ(error_of({}, v4(10, 0, 2, 2)), err::connrefused);
    UserNetworkOptions const open { .host_loopback = true };
    EXPECT_EQ(to_host(open, v4(10, 0, 2, 2, 8080)).value(), hostabi::HostName::v4({ 127, 0, 0, 1 }, 8080));
    EXPECT_EQ(error_of(open, v4(10, 0, 2, 77)), err::hostunreach);
    EXPECT_EQ(from_host(hostabi::HostName::v4({ 127, 0, 0, 1 }, 5)), v4(10, 0, 2, 2, 5));
    EXPECT_EQ(from_host(hostabi::HostName::v4({ 127, 9, 9, 9 }, 5)), v4(10, 0, 2, 2, 5));
}

TEST(UserNetworkAddresses, TheNameServerAnswersNamesOnly)
{
    EXPECT_EQ(error_of({}, v4(10, 0, 2, 3, 53)), err::connrefused);
    auto const server = hostabi::HostName::v4({ 192, 0, 2, 53 }, 53);
    UserNetworkOptions const options { .name_server = server };
    EXPECT_EQ(to_host(options, v4(10, 0, 2, 3, 53)).value(), server);
    EXPECT_EQ(error_of(options, v4(10, 0, 2, 3, 80)), err::connrefused);
}

TEST(UserNetworkAddresses, WhatNoRouterForwardsStaysHere)
{
    UserNetworkOptions const open { .host_loopback = true, .ipv6 = true };
    for (auto const& to : { v4(127, 0, 0, 1), v4(127, 255, 0, 1), v4(0, 0, 0, 0), v4(0, 1, 2, 3),
             v4(169, 254, 169, 254), v4(224, 0, 0, 1), v4(240, 0, 0, 1), v4(255, 255, 255, 255) })
        EXPECT_EQ(error_of(open, to), err::netunreach);
    for (auto const& to : { v6(0, 0, 0), v6(0, 0, 1), v6(0xfe, 0x80, 1), v6(0xfe, 0xbf, 1), v6(0xff, 2, 1) })
        EXPECT_EQ(error_of(open, { to, 80 }), err::netunreach);
}

} // namespace
} // namespace umbra::drivers
