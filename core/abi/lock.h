// SPDX-License-Identifier: GPL-2.0-or-later
// The guest's ABI for file locks (fcntl(2), flock(2)).
#pragma once

#include <cstddef>

#include "core/base/types.h"

namespace umbra::abi {

constexpr u32 f_getlk = 5, f_setlk = 6, f_setlkw = 7, f_ofd_getlk = 36, f_ofd_setlk = 37, f_ofd_setlkw = 38;
constexpr i16 f_rdlck = 0, f_wrlck = 1, f_unlck = 2;
constexpr u32 lock_sh = 1, lock_ex = 2, lock_nb = 4, lock_un = 8;

/// struct flock
struct Flock {
    i16 type;
    i16 whence;
    i32 pad0 = 0;
    i64 start;
    i64 length; ///< 0: to the end of the file, however it grows
    i32 pid;
    i32 pad1 = 0;
};
static_assert(sizeof(Flock) == 32 && offsetof(Flock, pid) == 24);

} // namespace umbra::abi
