// SPDX-License-Identifier: GPL-2.0-or-later
// Blocks of a capture file (pcapng, draft-ietf-opsawg-pcapng): little-endian, times in nanoseconds since 1970, and packets that
// begin with the header of IP, since interfaces here have nothing below it.
#pragma once

#include <span>
#include <string>

#include "core/base/types.h"

namespace umbra::net {

/// What a file begins with. `program`: who wrote it.
std::string pcapng_section(std::string_view program);
/// The interfaces follow; packets name them by their place, from 0.
std::string pcapng_interface(std::string_view name);
std::string pcapng_packet(u32 interface, u64 time, std::span<u8 const> packet);
/// At the end: how many passed, and how many of them are not in the file.
std::string pcapng_statistics(u32 interface, u64 time, u64 passed, u64 lost);

} // namespace umbra::net
