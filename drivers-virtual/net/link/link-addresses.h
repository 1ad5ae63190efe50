// SPDX-License-Identifier: GPL-2.0-or-later
// What `--net tap:NAME,..` and `--net passt:PATH,..` say of the instance.
#pragma once

#include <optional>

#include "core/net/inet/address.h"

namespace umbra::drivers {

/// All of IPv4.
struct LinkAddresses {
    net::IpAddress address {};
    u8 prefix = 0; ///< bits, 1 to 30
    std::optional<net::IpAddress> gateway {}; ///< on the same wire; without it nothing else can be reached
    std::optional<net::IpAddress> name_server {};
};

} // namespace umbra::drivers
