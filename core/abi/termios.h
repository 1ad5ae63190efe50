// SPDX-License-Identifier: GPL-2.0-or-later
// The guest's ABI for terminals (termios(3), ioctl_tty(2)): structures, flags, requests. Linux's values for x86-64.
#pragma once

#include <cstddef>

#include "core/base/types.h"

namespace umbra::abi {

constexpr u32 nccs = 19; ///< control characters in the kernel's structures; libc's have more
// Indices into c_cc.
constexpr u32 vintr = 0, vquit = 1, verase = 2, vkill = 3, veof = 4, vtime = 5, vmin = 6, vswtc = 7,
              vstart = 8;
constexpr u32 vstop = 9, vsusp = 10, veol = 11, vreprint = 12, vdiscard = 13, vwerase = 14, vlnext = 15,
              veol2 = 16;
/// A control character of this value is off.
constexpr u8 disabled_char = 0;

// c_iflag
constexpr u32 ignbrk = 01, brkint = 02, ignpar = 04, parmrk = 010, inpck = 020, istrip = 040, inlcr = 0100;
constexpr u32 igncr = 0200, icrnl = 0400, iuclc = 01000, ixon = 02000, ixany = 04000, ixoff = 010000;
constexpr u32 imaxbel = 020000, iutf8 = 040000;
// c_oflag
constexpr u32 opost = 01, olcuc = 02, onlcr = 04, ocrnl = 010, onocr = 020, onlret = 040, ofill = 0100;
constexpr u32 tabdly = 014000, xtabs = 014000;
// c_cflag
constexpr u32 b38400 = 017, csize = 060, cs8 = 060, cstopb = 0100, cread = 0200, parenb = 0400,
              parodd = 01000;
constexpr u32 hupcl = 02000, clocal = 04000, cbaud = 010017;
// c_lflag
constexpr u32 isig = 01, icanon = 02, xcase = 04, echo = 010, echoe = 020, echok = 040, echonl = 0100;
constexpr u32 noflsh = 0200, tostop = 0400, echoctl = 01000, echoprt = 02000, echoke = 04000, flusho = 010000;
constexpr u32 pendin = 040000, iexten = 0100000, extproc = 0200000;

/// The kernel's `struct termios`.
struct Termios {
    u32 iflag, oflag, cflag, lflag;
    u8 line;
    u8 cc[nccs];
};
static_assert(sizeof(Termios) == 36);

struct Termios2 {
    u32 iflag, oflag, cflag, lflag;
    u8 line;
    u8 cc[nccs];
    u32 ispeed, ospeed;
};
static_assert(sizeof(Termios2) == 44);

/// System V's.
struct Termio {
    u16 iflag, oflag, cflag, lflag;
    u8 line;
    u8 cc[8];
    u8 pad = 0;
};
static_assert(sizeof(Termio) == 18);

struct WindowSize {
    u16 rows = 0, columns = 0, x_pixels = 0, y_pixels = 0;
    constexpr bool operator==(WindowSize const&) const = default;
};
static_assert(sizeof(WindowSize) == 8);

// ioctl(2) requests
constexpr u32 tcgets = 0x5401, tcsets = 0x5402, tcsetsw = 0x5403, tcsetsf = 0x5404, tcgeta = 0x5405,
              tcseta = 0x5406;
constexpr u32 tcsetaw = 0x5407, tcsetaf = 0x5408, tcsbrk = 0x5409, tcxonc = 0x540a, tcflsh = 0x540b;
constexpr u32 tiocexcl = 0x540c, tiocnxcl = 0x540d, tiocsctty = 0x540e, tiocgpgrp = 0x540f,
              tiocspgrp = 0x5410;
constexpr u32 tiocoutq = 0x5411, tiocsti = 0x5412, tiocgwinsz = 0x5413, tiocswinsz = 0x5414,
              tiocgsoftcar = 0x5419;
constexpr u32 tiocssoftcar = 0x541a, tiocinq = 0x541b, tioccons = 0x541d, tiocpkt = 0x5420,
              tiocnotty = 0x5422;
constexpr u32 tiocsetd = 0x5423, tiocgetd = 0x5424, tcsbrkp = 0x5425, tiocsbrk = 0x5427, tioccbrk = 0x5428;
constexpr u32 tiocgsid = 0x5429, tcgets2 = 0x802c542a, tcsets2 = 0x402c542b, tcsetsw2 = 0x402c542c;
constexpr u32 tcsetsf2 = 0x402c542d, tiocgptn = 0x80045430, tiocsptlck = 0x40045431, tiocgdev = 0x80045432;
constexpr u32 tiocglcktrmios = 0x5456, tiocslcktrmios = 0x5457;
constexpr u32 tiocvhangup = 0x5437, tiocgpkt = 0x80045438, tiocgptlck = 0x80045439, tiocgexcl = 0x80045440;
constexpr u32 tiocgptpeer = 0x5441, tiocsig = 0x40045436;

// tcflow(3) and tcflush(3)
constexpr u64 tcooff = 0, tcoon = 1, tcioff = 2, tcion = 3;
constexpr u64 tciflush = 0, tcoflush = 1, tcioflush = 2;

// Packet mode (TIOCPKT): the status byte.
constexpr u8 tiocpkt_data = 0, tiocpkt_flushread = 1, tiocpkt_flushwrite = 2, tiocpkt_stop = 4,
             tiocpkt_start = 8;
constexpr u8 tiocpkt_nostop = 16, tiocpkt_dostop = 32, tiocpkt_ioctl = 64;

// Device numbers
constexpr u32 tty_auxiliary_major = 5; ///< minor 0: /dev/tty, 1: /dev/console, 2: /dev/ptmx
constexpr u32 pty_slave_major = 136;

/// What Linux starts a terminal with (tty_std_termios).
constexpr Termios standard_termios {
    .iflag = icrnl | ixon,
    .oflag = opost | onlcr,
    .cflag = b38400 | cs8 | cread,
    .lflag = isig | icanon | echo | echoe | echok | echoctl | echoke | iexten,
    .line = 0,
    .cc = { 3, 28, 127, 21, 4, 0, 1, 0, 17, 19, 26, 0, 18, 15, 23, 22, 0, 0, 0 },
};

} // namespace umbra::abi
