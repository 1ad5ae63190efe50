// SPDX-License-Identifier: GPL-2.0-or-later
// The guest's ABI for sockets (socket(2), socket(7), unix(7)): families, types, message flags, options,
// structures.
#pragma once

#include <cstddef>

#include "core/base/types.h"

namespace umbra::abi {

constexpr i32 af_unspec = 0, af_unix = 1, af_inet = 2, af_inet6 = 10, af_netlink = 16, af_packet = 17;
constexpr i32 sock_stream = 1, sock_dgram = 2, sock_raw = 3, sock_seqpacket = 5, sock_type_mask = 0xf;
constexpr i32 sock_type_max = 11;
constexpr u32 sock_nonblock = 04000, sock_cloexec = 02000000; ///< the bits of O_NONBLOCK and O_CLOEXEC

constexpr u32 msg_oob = 1, msg_peek = 2, msg_dontroute = 4, msg_ctrunc = 8, msg_trunc = 0x20,
              msg_dontwait = 0x40;
constexpr u32 msg_eor = 0x80, msg_waitall = 0x100, msg_confirm = 0x800, msg_errqueue = 0x2000,
              msg_nosignal = 0x4000;
constexpr u32 msg_more = 0x8000, msg_waitforone = 0x10000, msg_cmsg_cloexec = 0x40000000;

constexpr i32 sol_socket = 1;
constexpr i32 so_debug = 1, so_reuseaddr = 2, so_type = 3, so_error = 4, so_dontroute = 5, so_broadcast = 6;
constexpr i32 so_sndbuf = 7, so_rcvbuf = 8, so_keepalive = 9, so_oobinline = 10, so_no_check = 11,
              so_priority = 12;
constexpr i32 so_linger = 13, so_reuseport = 15, so_passcred = 16, so_peercred = 17, so_rcvlowat = 18;
constexpr i32 so_sndlowat = 19, so_rcvtimeo = 20, so_sndtimeo = 21, so_peername = 28, so_timestamp = 29,
              so_bindtodevice = 25, so_timestampns = 35;
constexpr i32 so_acceptconn = 30, so_sndbufforce = 32, so_rcvbufforce = 33, so_mark = 36, so_protocol = 38;
constexpr i32 so_domain = 39, so_peergroups = 59, so_bindtoifindex = 62, so_rcvtimeo_new = 66,
              so_sndtimeo_new = 67, so_peerpidfd = 77;

constexpr i32 scm_rights = 1, scm_credentials = 2;
constexpr u64 scm_max_fds = 253;
constexpr i32 shut_rd = 0, shut_wr = 1, shut_rdwr = 2;
constexpr i32 somaxconn = 4096;

constexpr u64 sockaddr_max = 128; ///< sizeof(struct sockaddr_storage)
constexpr u64 unix_path_offset = 2, unix_path_max = 108;

/// struct msghdr
struct MessageHeader {
    u64 name;
    i32 name_length;
    i32 pad0;
    u64 vector, vector_length;
    u64 control, control_length;
    u32 flags;
    i32 pad1;
};
static_assert(sizeof(MessageHeader) == 56 && offsetof(MessageHeader, control) == 32);

/// struct mmsghdr
struct MultiMessageHeader {
    MessageHeader header;
    u32 length;
    u32 pad0;
};
static_assert(sizeof(MultiMessageHeader) == 64);

/// struct cmsghdr; data follows, the next one starts at a multiple of 8.
struct ControlHeader {
    u64 length; ///< with this header
    i32 level, type;
};
static_assert(sizeof(ControlHeader) == 16);
constexpr u64 control_align(u64 length) { return (length + 7) & ~u64 { 7 }; }

struct Ucred {
    i32 pid;
    u32 uid, gid;
};
static_assert(sizeof(Ucred) == 12);

struct Linger {
    i32 on, seconds;
};

} // namespace umbra::abi
