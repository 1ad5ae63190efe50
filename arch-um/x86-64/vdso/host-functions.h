// SPDX-License-Identifier: GPL-2.0-or-later
// The words of the vDSO image that the kernel fills in.
#pragma once

namespace umbra::x86_64 {

/// Addresses in the stub zone, 0 where the host has no such function. Found in the image by the magic in
/// front.
struct HostFunctions {
    unsigned long magic[2];
    unsigned long clock_gettime, clock_getres, gettimeofday, time;
};
constexpr unsigned long kVdsoMagic[2] = { 0x6f76206172626d75, 0x736e6f6974636e75 };

} // namespace umbra::x86_64
