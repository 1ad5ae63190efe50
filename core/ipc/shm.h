// SPDX-License-Identifier: GPL-2.0-or-later
// System V shared memory (shmget(2), shmop(2), shmctl(2)): unnamed memory files that areas attach to.
#pragma once

#include <string>

#include "core/ipc/ipc-object.h"
#include "core/mm/memory-object.h"
#include "core/mm/vma.h"
#include "core/vfs/file.h"

namespace umbra::ipc {

class IpcNamespace;

/// /proc/sys/kernel/shm*.
struct ShmSettings {
    u64 max_bytes = ~u64 { 0 } - (u64 { 1 } << 24); ///< shmmax
    u64 max_pages = ~u64 { 0 } - (u64 { 1 } << 24); ///< shmall
    i64 max_segments = 4096; ///< shmmni
    i64 remove_unattached = 0; ///< shm_rmid_forced
    u64 used_pages = 0; ///< of all segments, removed but attached ones included
};

class ShmSegment final : public IpcObject {
public:
    ShmSegment(IpcNamespace& owner, Ref<vfs::File> file, Ref<mm::MemoryObject> memory, u64 size);
    ~ShmSegment() override;

    /// An area shows it or stops doing so, in the name of `by`; 0 for nobody. The last may destroy the segment.
    void attached(Pid by);
    void detached(Pid by);
    /// Takes it out of the table if nobody has it attached and it is marked, or all such are to go.
    void destroy_if_unused();
    /// The namespace has gone.
    void orphan();
    u64 pages() const { return page_up(size) >> kPageShift; }
    u64 resident_pages() const;
    abi::ShmStatus status() const;

    IpcNamespace* owner; ///< null once it has gone, while areas still show the segment
    Kernel& kernel;
    Ref<vfs::File> file; ///< of the kernel's shared memory: the path in /proc/PID/maps
    Ref<mm::MemoryObject> memory;
    u64 size; ///< bytes, as asked for
    i64 attach_time = 0, detach_time = 0;
    Pid creator {}, last {};
    Task const* creating_task = nullptr; ///< until it ends, for shm_rmid_forced
    u64 attachments = 0; ///< areas that show it
    u32 locked_by = 0; ///< uid, while mode has shm_locked
};

/// shmget(2): an identifier. EINVAL, ENOSPC, ENOMEM and those of get_or_create().
Result<i32> shm_get(Task& task, i32 key, u64 size, u32 flags);
/// shmat(2): where the segment appears. May wait. EINVAL, EACCES, EIDRM, ENOMEM.
Result<GuestAddr> shm_attach(Task& task, i32 id, u64 address, u32 flags);
/// shmdt(2). May wait. EINVAL.
Result<void> shm_detach(Task& task, u64 address);
/// IPC_RMID: the segment goes with its last area. EINVAL, EPERM.
Result<void> shm_remove(Task& task, i32 id);
Result<void> shm_set(Task& task, i32 id, abi::IpcPermission const& permission);
/// SHM_LOCK and SHM_UNLOCK. EINVAL, EPERM, ENOMEM beyond RLIMIT_MEMLOCK.
Result<void> shm_set_locked(Task& task, i32 id, bool locked);
abi::ShmLimits shm_limits(IpcNamespace const& ns);
abi::ShmUsage shm_usage(IpcNamespace const& ns);
/// After shm_rmid_forced was set: segments without areas go if their creator has ended.
void shm_remove_orphans(IpcNamespace& ns);
void exit_shm(Task& task);
/// /proc/sysvipc/shm
std::string shm_listing(IpcNamespace const& ns);

} // namespace umbra::ipc
