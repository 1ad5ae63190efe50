// SPDX-License-Identifier: GPL-2.0-or-later
// The host's network interfaces, as they are at the time of the question.
#pragma once

#include <array>
#include <optional>
#include <string>
#include <vector>

#include "core/base/types.h"

namespace umbra::hostabi {

struct HostInterface {
    struct Address {
        std::array<u8, 16> bytes {}; ///< IPv4 as its v4-mapped IPv6 address
        u8 prefix = 0; ///< bits, of 32 for IPv4
    };
    std::string name;
    i32 index = 0, mtu = 0;
    bool is_loopback = false, is_up = false;
    std::array<u8, 6> hardware_address {};
    std::vector<Address> addresses {};
    std::optional<std::array<u8, 4>> gateway {}; ///< of the default route
};

/// In the order of their indices. Reads files: before the vCPUs run.
std::vector<HostInterface> list_interfaces();

} // namespace umbra::hostabi
