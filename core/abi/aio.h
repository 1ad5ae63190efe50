// SPDX-License-Identifier: GPL-2.0-or-later
// The guest's ABI for asynchronous I/O (io_submit(2), io_getevents(2)): control blocks, events, and the ring of events
// that a library may read without a call.
#pragma once

#include "core/base/types.h"

namespace umbra::abi {

constexpr u16 iocb_cmd_pread = 0, iocb_cmd_pwrite = 1, iocb_cmd_fsync = 2, iocb_cmd_fdsync = 3;
constexpr u16 iocb_cmd_poll = 5, iocb_cmd_preadv = 7, iocb_cmd_pwritev = 8;
constexpr u32 iocb_flag_resfd = 1, iocb_flag_ioprio = 2;

/// struct iocb.
struct Iocb {
    u64 data;
    u32 key; ///< written by io_submit(2): 0
    u32 rw_flags; ///< RWF_*
    u16 opcode;
    i16 priority;
    u32 fd;
    u64 buffer;
    u64 length; ///< bytes, or pieces of a vector
    i64 offset;
    u64 reserved2;
    u32 flags; ///< IOCB_FLAG_*
    u32 event_fd;
};
static_assert(sizeof(Iocb) == 64);

/// struct io_event.
struct IoEvent {
    u64 data;
    u64 object; ///< where the control block was
    i64 result;
    i64 result2;
};
static_assert(sizeof(IoEvent) == 32);

/// The head of the ring (Linux: struct aio_ring); `capacity` events follow.
struct AioRingHead {
    u32 id;
    u32 capacity;
    u32 head; ///< the next event to read: whoever reads moves it
    u32 tail; ///< where the next event goes
    u32 magic;
    u32 compatible_features;
    u32 incompatible_features;
    u32 header_length;
};
static_assert(sizeof(AioRingHead) == 32);
constexpr u32 aio_ring_magic = 0xa10a10a1;

/// The signal mask of io_pgetevents(2).
struct AioSigset {
    u64 mask; ///< its address
    u64 size;
};
static_assert(sizeof(AioSigset) == 16);

} // namespace umbra::abi
