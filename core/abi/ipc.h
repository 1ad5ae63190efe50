// SPDX-License-Identifier: GPL-2.0-or-later
// The guest's ABI for System V IPC: sysvipc(7), shmctl(2), semctl(2), msgctl(2).
#pragma once

#include <cstddef>

#include "core/base/types.h"

namespace umbra::abi {

constexpr i32 ipc_private = 0;
constexpr u32 ipc_creat = 01000, ipc_excl = 02000, ipc_nowait = 04000;
constexpr i32 ipc_rmid = 0, ipc_set = 1, ipc_stat = 2, ipc_info = 3;

/// struct ipc64_perm
struct IpcPermission {
    i32 key;
    u32 uid, gid, cuid, cgid;
    u32 mode;
    u16 sequence;
    u16 pad0 = 0;
    u32 pad1 = 0;
    u64 unused[2] {};
};
static_assert(sizeof(IpcPermission) == 48 && offsetof(IpcPermission, sequence) == 24);

constexpr u32 shm_hugetlb = 04000, shm_noreserve = 010000;
constexpr u32 shm_rdonly = 010000, shm_rnd = 020000, shm_remap = 040000, shm_exec = 0100000;
constexpr u32 shm_dest = 01000, shm_locked = 02000; ///< in the mode that IPC_STAT gives
constexpr i32 shm_lock = 11, shm_unlock = 12, shm_stat = 13, shm_info = 14, shm_stat_any = 15;

/// struct shmid64_ds; times in seconds of CLOCK_REALTIME.
struct ShmStatus {
    IpcPermission permission;
    u64 size;
    i64 attach_time, detach_time, change_time;
    i32 creator, last;
    u64 attached;
    u64 unused[2] {};
};
static_assert(sizeof(ShmStatus) == 112 && offsetof(ShmStatus, attached) == 88);

/// struct shminfo64
struct ShmLimits {
    u64 max, min, identifiers, per_process, all;
    u64 unused[4] {};
};
static_assert(sizeof(ShmLimits) == 72);

/// struct shm_info; sizes in pages.
struct ShmUsage {
    i32 identifiers;
    i32 pad = 0;
    u64 total, resident, swapped, swap_attempts, swap_successes;
};
static_assert(sizeof(ShmUsage) == 48);

// semop(2), semctl(2)
constexpr u32 sem_undo = 010000; ///< SEM_UNDO
constexpr i32 getpid_ = 11, getval = 12, getall = 13, getncnt = 14, getzcnt = 15, setval = 16, setall = 17;
constexpr i32 sem_stat = 18, sem_info = 19, sem_stat_any = 20;

/// struct sembuf
struct SemOperation {
    u16 number;
    i16 change;
    u16 flags;
};
static_assert(sizeof(SemOperation) == 6);

/// struct semid64_ds
struct SemStatus {
    IpcPermission permission;
    i64 operation_time;
    u64 unused0 = 0;
    i64 change_time;
    u64 unused1 = 0;
    u64 count;
    u64 unused2[2] {};
};
static_assert(sizeof(SemStatus) == 104);

/// struct seminfo
struct SemLimits {
    i32 map, identifiers, semaphores, undos, per_set, per_call, per_process, undo_size, value, adjustment;
};
static_assert(sizeof(SemLimits) == 40);

// msgop(2), msgctl(2)
constexpr u32 msg_noerror = 010000, msg_except = 020000, msg_copy = 040000;
constexpr i32 msg_stat = 11, msg_info = 12, msg_stat_any = 13;

/// struct msqid64_ds
struct MsgStatus {
    IpcPermission permission;
    i64 send_time, receive_time, change_time;
    u64 bytes, messages, max_bytes;
    i32 last_sender, last_receiver;
    u64 unused[2] {};
};
static_assert(sizeof(MsgStatus) == 120);

/// struct msginfo
struct MsgLimits {
    i32 pool, map, max, queue_bytes, queues, segment_size, total;
    u16 segments;
    u16 pad = 0;
};
static_assert(sizeof(MsgLimits) == 32);

} // namespace umbra::abi
