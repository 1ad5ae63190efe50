// SPDX-License-Identifier: GPL-2.0-or-later
// The guest's ABI for signalfd(2).
#pragma once

#include <cstddef>

#include "core/base/types.h"

namespace umbra::abi {

/// struct signalfd_siginfo: what a read gives for each signal.
struct SignalfdInfo {
    u32 signo;
    i32 error, code;
    u32 pid, uid;
    i32 fd;
    u32 timer_id, band, overrun, trap_number;
    i32 status, int_value;
    u64 pointer, utime, stime, address;
    u16 address_lsb, pad0;
    i32 syscall;
    u64 call_address;
    u32 arch;
    u8 pad1[28];
};
static_assert(sizeof(SignalfdInfo) == 128 && offsetof(SignalfdInfo, pointer) == 48);

} // namespace umbra::abi
