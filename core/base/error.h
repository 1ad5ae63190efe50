// SPDX-License-Identifier: GPL-2.0-or-later
// Guest error numbers (errno(3), Linux x86-64 values) and the kernel-internal restart codes.
#pragma once

#include "core/base/result.h"

namespace umbra {

/// A guest errno. Values up to 4095 are Linux's; the restart codes never leave core/syscall/dispatch.
enum class Errno : i32 {
    // clang-format off
    perm = 1, noent = 2, srch = 3, intr = 4, io = 5, nxio = 6, too_big = 7, noexec = 8, badf = 9, child = 10,
    again = 11, nomem = 12, acces = 13, fault = 14, notblk = 15, busy = 16, exist = 17, xdev = 18, nodev = 19,
    notdir = 20, isdir = 21, inval = 22, nfile = 23, mfile = 24, notty = 25, txtbsy = 26, fbig = 27, nospc = 28,
    spipe = 29, rofs = 30, mlink = 31, pipe = 32, dom = 33, range = 34, deadlk = 35, nametoolong = 36,
    nolck = 37, nosys = 38, notempty = 39, loop = 40, nomsg = 42, idrm = 43, nodata = 61, time = 62,
    proto = 71, badmsg = 74, overflow = 75, badfd = 77, libacc = 79, libbad = 80, ilseq = 84, users = 87,
    notsock = 88, destaddrreq = 89, msgsize = 90, prototype = 91, noprotoopt = 92, protonosupport = 93,
    socktnosupport = 94, opnotsupp = 95, pfnosupport = 96, afnosupport = 97, addrinuse = 98,
    addrnotavail = 99, netdown = 100, netunreach = 101, connaborted = 103, connreset = 104, nobufs = 105,
    isconn = 106, notconn = 107, toomanyrefs = 109, timedout = 110, connrefused = 111, hostunreach = 113, already = 114,
    inprogress = 115, stale = 116, dquot = 122, canceled = 125, ownerdead = 130, notrecoverable = 131,
    // clang-format on

    // Restart codes, as in Linux's include/linux/errno.h; dispatch turns them into a restart or EINTR.
    restart_sys = 512, ///< restart if the handler has SA_RESTART (or there is no handler), else EINTR
    restart_nointr = 513, ///< always restart
    restart_nohand = 514, ///< restart only if no handler runs
    restart_block = 516, ///< restart through restart_syscall(2) with the task's saved block
};

template <typename T> using Result = Expected<T, Errno>;

/// What a system call returns to the guest: a value or an errno.
using SyscallResult = Result<i64>;

/// The errnos under their lower-case names: `return err::inval;`
namespace err {
using enum Errno;
}

/// Linux's name for an errno ("EINVAL"), or "E?" for an unknown one. Never waits.
char const* errno_name(Errno e);

} // namespace umbra
