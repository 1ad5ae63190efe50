// SPDX-License-Identifier: GPL-2.0-or-later
// Asking through AF_NETLINK: requests put together, answers taken apart.
#pragma once

#include "own-namespace.h"

#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <sched.h>
#include <sys/socket.h>
#include <vector>

namespace abi_test {

inline Fd netlink(int protocol = NETLINK_ROUTE, int flags = 0)
{
    return ::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | flags, protocol);
}

/// A request with a fixed part and attributes.
class Request {
public:
    template <typename T> Request(int type, int flags, T const& fixed)
    {
        header_.nlmsg_type = uint16_t(type);
        header_.nlmsg_flags = uint16_t(NLM_F_REQUEST | flags);
        header_.nlmsg_seq = 77;
        append(&header_, sizeof header_);
        append(&fixed, sizeof fixed);
    }
    Request& attribute(int type, void const* data, size_t size)
    {
        nlattr head { uint16_t(sizeof head + size), uint16_t(type) };
        append(&head, sizeof head);
        append(data, size);
        return *this;
    }
    void send(int fd)
    {
        uint32_t const length = uint32_t(bytes_.size());
        std::memcpy(bytes_.data(), &length, sizeof length);
        EXPECT_EQ(::send(fd, bytes_.data(), bytes_.size(), 0), ssize_t(bytes_.size()));
    }
    /// Sends it; the messages that came as answer until the end of it.
    std::vector<std::vector<char>> ask(int fd, int expected_error = 0)
    {
        send(fd);
        std::vector<std::vector<char>> answers;
        for (;;) {
            char buffer[32768];
            ssize_t n = ::recv(fd, buffer, sizeof buffer, MSG_DONTWAIT);
            if (n <= 0) {
                EXPECT_EQ(expected_error, 0) << "no answer";
                return answers;
            }
            auto left = uint32_t(n); // as both of the macro's comparisons like it
            for (auto* one = reinterpret_cast<nlmsghdr*>(buffer); NLMSG_OK(one, left);
                 one = NLMSG_NEXT(one, left)) {
                EXPECT_EQ(one->nlmsg_seq, 77u);
                if (one->nlmsg_type == NLMSG_DONE) return answers;
                if (one->nlmsg_type == NLMSG_ERROR) {
                    EXPECT_EQ(-static_cast<nlmsgerr*>(NLMSG_DATA(one))->error, expected_error);
                    return answers;
                }
                auto* start = reinterpret_cast<char*>(one);
                answers.emplace_back(start, start + one->nlmsg_len);
                if (!(one->nlmsg_flags & NLM_F_MULTI) && !(header_.nlmsg_flags & NLM_F_ACK)) return answers;
            }
        }
    }

private:
    void append(void const* data, size_t size)
    {
        auto const* start = static_cast<char const*>(data);
        bytes_.insert(bytes_.end(), start, start + size);
        bytes_.resize((bytes_.size() + 3) & ~size_t { 3 });
    }
    nlmsghdr header_ {};
    std::vector<char> bytes_;
};

template <typename T> T fixed(std::vector<char> const& message)
{
    T value;
    std::memcpy(&value, message.data() + sizeof(nlmsghdr), sizeof value);
    return value;
}

/// The bytes of an attribute behind a fixed part of some size.
inline std::string attribute(std::vector<char> const& message, size_t fixed_size, int type)
{
    size_t at = sizeof(nlmsghdr) + ((fixed_size + 3) & ~size_t { 3 });
    while (at + sizeof(nlattr) <= message.size()) {
        nlattr head;
        std::memcpy(&head, message.data() + at, sizeof head);
        if (head.nla_len < sizeof head) break;
        if (head.nla_type == type) return { message.data() + at + sizeof head, head.nla_len - sizeof head };
        at += (head.nla_len + 3u) & ~3u;
    }
    return {};
}

#define NEEDS_NETWORK_NAMESPACES() NEEDS_NAMESPACES(CLONE_NEWNET)

inline ifinfomsg link_message(int index = 0, unsigned flags = 0, unsigned change = 0)
{
    ifinfomsg link {};
    link.ifi_index = index, link.ifi_flags = flags, link.ifi_change = change;
    return link;
}

} // namespace abi_test
