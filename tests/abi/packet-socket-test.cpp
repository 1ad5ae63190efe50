// SPDX-License-Identifier: GPL-2.0-or-later
// AF_PACKET sockets (packet(7)), on a lo of one's own.
#include "packets.h"

#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/sockios.h>
#include <netinet/icmp6.h>
#include <netinet/ip_icmp.h>

namespace abi_test {
namespace {

constexpr uint16_t kOwnType = 0x88b5; ///< for experiments (IEEE 802)

int packet_socket(int type, uint16_t protocol) { return ::socket(AF_PACKET, type, htons(protocol)); }

sockaddr_ll on_loopback(uint16_t protocol)
{
    sockaddr_ll name {};
    name.sll_family = AF_PACKET;
    name.sll_protocol = htons(protocol);
    name.sll_ifindex = 1;
    name.sll_halen = ETH_ALEN;
    return name;
}

/// The header of the link, all addresses 0.
Bytes frame(uint16_t type, std::string const& text)
{
    Bytes bytes(ETH_HLEN);
    bytes[12] = uint8_t(type >> 8), bytes[13] = uint8_t(type);
    bytes.insert(bytes.end(), text.begin(), text.end());
    return bytes;
}

struct Seen {
    Bytes bytes;
    sockaddr_ll from;
};
Seen see(int socket)
{
    Seen seen { Bytes(2000), {} };
    socklen_t length = sizeof seen.from;
    EXPECT_TRUE(becomes_ready(socket, POLLIN));
    ssize_t const got = ::recvfrom(socket, seen.bytes.data(), seen.bytes.size(), MSG_DONTWAIT,
        reinterpret_cast<sockaddr*>(&seen.from), &length);
    EXPECT_OK(got);
    EXPECT_EQ(length, sizeof seen.from);
    seen.bytes.resize(got < 0 ? 0 : size_t(got));
    return seen;
}

TEST(PacketSocket, needs_the_right)
{
    if (::geteuid() == 0)
        in_child([] {
            ASSERT_OK(::setuid(65534));
            EXPECT_ERROR(packet_socket(SOCK_RAW, ETH_P_ALL), EPERM);
        });
    else
        EXPECT_ERROR(packet_socket(SOCK_RAW, ETH_P_ALL), EPERM);
    on_own_loopback([] {
        EXPECT_ERROR(packet_socket(SOCK_STREAM, ETH_P_ALL), ESOCKTNOSUPPORT);
        EXPECT_OK(int(Fd(packet_socket(SOCK_DGRAM, 0))));
    });
}

TEST(PacketSocket, sees_a_frame_leave_and_arrive)
{
    on_own_loopback([] {
        Fd all = packet_socket(SOCK_RAW, ETH_P_ALL), sender = packet_socket(SOCK_RAW, ETH_P_ALL),
           own = packet_socket(SOCK_RAW, kOwnType), other = packet_socket(SOCK_RAW, ETH_P_IP);
        Bytes const sent = frame(kOwnType, "hello");
        ASSERT_EQ(send_to(sender, sent, on_loopback(kOwnType)), ssize_t(sent.size()));
        EXPECT_EQ(see(sender).from.sll_pkttype, PACKET_HOST);
        EXPECT_TRUE(is_silent(sender)) << "its own does not leave for it";
        for (uint8_t const way : { PACKET_OUTGOING, PACKET_HOST }) {
            Seen const seen = see(all);
            EXPECT_EQ(seen.bytes, sent);
            EXPECT_EQ(seen.from.sll_family, AF_PACKET);
            EXPECT_EQ(seen.from.sll_protocol, htons(kOwnType));
            EXPECT_EQ(seen.from.sll_ifindex, 1);
            EXPECT_EQ(seen.from.sll_hatype, 772) << "ARPHRD_LOOPBACK";
            EXPECT_EQ(seen.from.sll_pkttype, way);
            EXPECT_EQ(seen.from.sll_halen, ETH_ALEN);
        }
        EXPECT_EQ(see(own).from.sll_pkttype, PACKET_HOST);
        EXPECT_TRUE(is_silent(own)) << "what leaves is for those who see everything";
        EXPECT_TRUE(is_silent(all));
        EXPECT_TRUE(is_silent(other));
    });
}

TEST(PacketSocket, without_the_header_of_the_link)
{
    on_own_loopback([] {
        Fd cooked = packet_socket(SOCK_DGRAM, kOwnType), raw = packet_socket(SOCK_RAW, kOwnType);
        ASSERT_EQ(send_to(cooked, Bytes { 1, 2, 3 }, on_loopback(kOwnType)), 3);
        EXPECT_EQ(see(cooked).bytes, (Bytes { 1, 2, 3 }));
        EXPECT_EQ(see(raw).bytes, frame(kOwnType, "\1\2\3"));
        ASSERT_EQ(send_to(raw, frame(kOwnType, "xy"), on_loopback(0)), 16) << "the frame says what it is";
        EXPECT_EQ(see(cooked).bytes, (Bytes { 'x', 'y' }));
    });
}

TEST(PacketSocket, names)
{
    on_own_loopback([] {
        Fd socket = packet_socket(SOCK_RAW, 0);
        sockaddr_ll name {};
        socklen_t length = sizeof name;
        ASSERT_OK(::getsockname(socket, reinterpret_cast<sockaddr*>(&name), &length));
        EXPECT_EQ(length, 12u) << "no address of a link";
        EXPECT_EQ(name.sll_ifindex, 0);
        EXPECT_EQ(name.sll_protocol, 0);
        sockaddr_ll wanted = on_loopback(kOwnType);
        EXPECT_ERROR(::bind(socket, reinterpret_cast<sockaddr*>(&wanted), sizeof wanted - 1), EINVAL);
        wanted.sll_ifindex = 77;
        EXPECT_ERROR(bind_to(socket, wanted), ENODEV);
        wanted = on_loopback(kOwnType);
        wanted.sll_family = AF_INET;
        EXPECT_ERROR(bind_to(socket, wanted), EINVAL);
        ASSERT_OK(bind_to(socket, on_loopback(kOwnType)));
        length = sizeof name;
        ASSERT_OK(::getsockname(socket, reinterpret_cast<sockaddr*>(&name), &length));
        EXPECT_EQ(length, 18u);
        EXPECT_EQ(name.sll_ifindex, 1);
        EXPECT_EQ(name.sll_protocol, htons(kOwnType));
        EXPECT_EQ(name.sll_hatype, 772);
        EXPECT_EQ(::send(socket, frame(kOwnType, "").data(), ETH_HLEN, 0), ETH_HLEN) << "where it is bound";
        EXPECT_EQ(see(socket).bytes.size(), size_t(ETH_HLEN));
        EXPECT_ERROR(::getpeername(socket, reinterpret_cast<sockaddr*>(&name), &length), EOPNOTSUPP);
        EXPECT_ERROR(connect_to(socket, on_loopback(kOwnType)), EOPNOTSUPP);
        EXPECT_ERROR(::listen(socket, 1), EOPNOTSUPP);
        EXPECT_ERROR(::shutdown(socket, SHUT_RDWR), EOPNOTSUPP);
        EXPECT_NE(read_file("/proc/net/packet").find(" 88b5 "), std::string::npos);
    });
}

TEST(PacketSocket, refuses)
{
    on_own_loopback([] {
        Fd raw = packet_socket(SOCK_RAW, ETH_P_ALL);
        Bytes const bytes = frame(kOwnType, "x");
        EXPECT_ERROR(::send(raw, bytes.data(), bytes.size(), 0), ENXIO) << "no interface";
        sockaddr_ll to = on_loopback(kOwnType);
        to.sll_ifindex = 77;
        EXPECT_ERROR(send_to(raw, bytes, to), ENXIO);
        to.sll_ifindex = 1;
        EXPECT_ERROR(
            ::sendto(raw, bytes.data(), bytes.size(), 0, reinterpret_cast<sockaddr*>(&to), 12), EINVAL);
        EXPECT_ERROR(send_to(raw, Bytes(13), to), EINVAL) << "no whole header";
        EXPECT_ERROR(send_to(raw, Bytes(70000), to), EMSGSIZE);
        char byte;
        EXPECT_ERROR(::recv(raw, &byte, 1, MSG_OOB | MSG_DONTWAIT), EINVAL);
        EXPECT_ERROR(::recv(raw, &byte, 1, MSG_DONTWAIT), EAGAIN);
    });
}

TEST(PacketSocket, sees_what_others_send)
{
    on_own_loopback([] {
        Fd packets = packet_socket(SOCK_DGRAM, ETH_P_IP), udp = ::socket(AF_INET, SOCK_DGRAM, 0);
        ASSERT_OK(bind_to(udp, name4(0)));
        ASSERT_EQ(send_to(udp, Bytes { 'h', 'i' }, name_of(udp)), 2);
        Bytes const got = see(packets).bytes;
        ASSERT_EQ(got.size(), 30u);
        EXPECT_EQ(got[0], 0x45);
        EXPECT_EQ(got[9], IPPROTO_UDP);
        EXPECT_EQ(htons(word(got, 22)), name_of(udp).sin_port);
        EXPECT_EQ(got[28], 'h');
        Fd listener = ::socket(AF_INET, SOCK_STREAM, 0), client = ::socket(AF_INET, SOCK_STREAM, 0);
        ASSERT_OK(bind_to(listener, name4(0)));
        ASSERT_OK(::listen(listener, 1));
        ASSERT_OK(connect_to(client, name_of(listener)));
        EXPECT_EQ(see(packets).bytes[9], IPPROTO_TCP);
    });
}

TEST(PacketSocket, makes_packets_that_arrive)
{
    on_own_loopback([] {
        Fd packets = packet_socket(SOCK_DGRAM, 0), icmp = ::socket(AF_INET6, SOCK_RAW, IPPROTO_ICMPV6);
        Bytes packet(40);
        packet[0] = 0x60, packet[5] = 8, packet[6] = IPPROTO_ICMPV6, packet[7] = 64;
        packet[23] = packet[39] = 1; // ::1
        Bytes const echo = { ICMP6_ECHO_REQUEST, 0, 0x7f, 0xba, 0, 1, 0, 0 };
        packet.insert(packet.end(), echo.begin(), echo.end());
        ASSERT_EQ(send_to(packets, packet, on_loopback(ETH_P_IPV6)), 48);
        EXPECT_EQ(next(icmp)[0], ICMP6_ECHO_REQUEST);
        EXPECT_EQ(next(icmp)[0], ICMP6_ECHO_REPLY);
        packet[47] ^= 1;
        ASSERT_EQ(send_to(packets, packet, on_loopback(ETH_P_IPV6)), 48);
        EXPECT_TRUE(is_silent(icmp)) << "a wrong checksum";
    });
}

TEST(PacketSocket, loopback_addresses_of_ipv4_come_from_no_link)
{
    on_own_loopback([] {
        Fd packets = packet_socket(SOCK_DGRAM, 0), icmp = ::socket(AF_INET, SOCK_RAW, IPPROTO_ICMP);
        Bytes packet = { 0x45, 0, 0, 28, 0, 1, 0, 0, 64, IPPROTO_ICMP, 0, 0, 127, 0, 0, 1, 127, 0, 0, 1 };
        uint16_t const sum = checksum_of(packet.data(), packet.size());
        packet[10] = uint8_t(sum >> 8), packet[11] = uint8_t(sum);
        Bytes const echo = with_checksum(echo_request(ICMP_ECHO, 1, 2, ""));
        packet.insert(packet.end(), echo.begin(), echo.end());
        ASSERT_EQ(send_to(packets, packet, on_loopback(ETH_P_IP)), 28);
        EXPECT_TRUE(is_silent(icmp));
    });
}

TEST(PacketSocket, options)
{
    on_own_loopback([] {
        Fd raw = packet_socket(SOCK_RAW, ETH_P_ALL);
        packet_mreq wanted {};
        wanted.mr_ifindex = 1;
        wanted.mr_type = PACKET_MR_PROMISC;
        EXPECT_OK(::setsockopt(raw, SOL_PACKET, PACKET_DROP_MEMBERSHIP, &wanted, sizeof wanted))
            << "none yet";
        ASSERT_OK(::setsockopt(raw, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &wanted, sizeof wanted));
        ASSERT_OK(::setsockopt(raw, SOL_PACKET, PACKET_DROP_MEMBERSHIP, &wanted, sizeof wanted));
        EXPECT_ERROR(::setsockopt(raw, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &wanted, 8), EINVAL);
        wanted.mr_ifindex = 77;
        EXPECT_ERROR(::setsockopt(raw, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &wanted, sizeof wanted), ENODEV);
        EXPECT_EQ(option(raw, SOL_PACKET, PACKET_AUXDATA), 0);
        ASSERT_OK(set_option(raw, SOL_PACKET, PACKET_AUXDATA, 5));
        EXPECT_EQ(option(raw, SOL_PACKET, PACKET_AUXDATA), 1);
        EXPECT_ERROR(set_option(raw, SOL_PACKET, PACKET_IGNORE_OUTGOING, 2), EINVAL);
        ASSERT_OK(set_option(raw, SOL_PACKET, PACKET_IGNORE_OUTGOING, 1));
        EXPECT_EQ(option(raw, SOL_PACKET, 9999), -ENOPROTOOPT);
        EXPECT_ERROR(set_option(raw, SOL_PACKET, 9999, 1), ENOPROTOOPT);
        EXPECT_ERROR(set_option(raw, IPPROTO_IP, IP_TTL, 1), ENOPROTOOPT);
        ASSERT_EQ(send_to(raw, frame(kOwnType, "abc"), on_loopback(0)), 17);
        Bytes room(10);
        char control[100];
        iovec part { room.data(), room.size() };
        msghdr header { nullptr, 0, &part, 1, control, sizeof control, 0 };
        ASSERT_TRUE(becomes_ready(raw, POLLIN));
        int waiting = 0;
        EXPECT_OK(::ioctl(raw, SIOCINQ, &waiting));
        EXPECT_EQ(waiting, 17);
        ASSERT_EQ(::recvmsg(raw, &header, 0), 10);
        EXPECT_TRUE(header.msg_flags & MSG_TRUNC);
        cmsghdr const* const note = CMSG_FIRSTHDR(&header);
        ASSERT_NE(note, nullptr);
        EXPECT_EQ(note->cmsg_level, SOL_PACKET);
        EXPECT_EQ(note->cmsg_type, PACKET_AUXDATA);
        tpacket_auxdata data;
        std::memcpy(&data, CMSG_DATA(note), sizeof data);
        EXPECT_EQ(data.tp_len, 17u);
        EXPECT_EQ(data.tp_net, ETH_HLEN);
        EXPECT_TRUE(is_silent(raw)) << "it has not seen it leave";
    });
}

TEST(PacketSocket, counts_and_drops)
{
    on_own_loopback([] {
        Fd seen = packet_socket(SOCK_RAW, kOwnType), sender = packet_socket(SOCK_RAW, 0);
        ASSERT_OK(set_option(seen, SOL_SOCKET, SO_RCVBUF, 0));
        for (int i = 0; i < 100; ++i)
            ASSERT_EQ(send_to(sender, frame(kOwnType, std::string(500, 'x')), on_loopback(0)), 514);
        tpacket_stats numbers {};
        socklen_t length = sizeof numbers;
        ASSERT_OK(::getsockopt(seen, SOL_PACKET, PACKET_STATISTICS, &numbers, &length));
        EXPECT_EQ(numbers.tp_packets, 100u);
        EXPECT_GT(numbers.tp_drops, 50u);
        EXPECT_LT(numbers.tp_drops, 100u);
        ASSERT_OK(::getsockopt(seen, SOL_PACKET, PACKET_STATISTICS, &numbers, &length));
        EXPECT_EQ(numbers.tp_packets, 0u) << "from now on";
    });
}

TEST(PacketSocket, on_an_interface_that_is_down)
{
    NEEDS_NAMESPACES(CLONE_NEWNET);
    in_namespace(CLONE_NEWNET, [] {
        Fd raw = packet_socket(SOCK_RAW, ETH_P_ALL);
        EXPECT_ERROR(send_to(raw, frame(kOwnType, ""), on_loopback(0)), ENETDOWN);
        ASSERT_OK(bind_to(raw, on_loopback(kOwnType)));
        EXPECT_EQ(poll_bits(raw) & POLLERR, POLLERR);
        EXPECT_EQ(option(raw, SOL_SOCKET, SO_ERROR), ENETDOWN);
        EXPECT_EQ(option(raw, SOL_SOCKET, SO_ERROR), 0) << "told once";
    });
}

} // namespace
} // namespace abi_test
