// SPDX-License-Identifier: GPL-2.0-or-later
// ioctl(2) requests that apply to more than one kind of file; a terminal's own are in core/abi/termios.h.
#pragma once

#include "core/base/types.h"

namespace umbra::abi {

constexpr u32 fionread = 0x541b, fionbio = 0x5421, fionclex = 0x5450, fioclex = 0x5451, fioasync = 0x5452;
constexpr u32 fioqsize = 0x5460, figetbsz = 2;
constexpr u32 siocinq = fionread, siocoutq = 0x5411;

} // namespace umbra::abi
