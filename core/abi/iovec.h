// SPDX-License-Identifier: GPL-2.0-or-later
// The guest's ABI for vectors of buffers (readv(2)).
#pragma once

#include "core/base/types.h"

namespace umbra::abi {

struct Iovec {
    u64 base, length;
};
constexpr u64 iov_max = 1024;

} // namespace umbra::abi
