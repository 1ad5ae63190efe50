// SPDX-License-Identifier: GPL-2.0-or-later
// The guest's ABI for poll(2) and pselect(2): the structures. The bits are in core/abi/file.h.
#pragma once

#include "core/base/types.h"

namespace umbra::abi {

struct PollFd {
    i32 fd;
    i16 events;
    i16 revents;
};
static_assert(sizeof(PollFd) == 8);

/// The sixth argument of pselect6: where the mask is, and its size.
struct SelectMask {
    u64 address;
    u64 size;
};

} // namespace umbra::abi
