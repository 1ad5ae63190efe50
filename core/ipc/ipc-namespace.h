// SPDX-License-Identifier: GPL-2.0-or-later
// The System V IPC objects that tasks see, and their limits (ipc_namespaces(7)). There is one for all tasks so far;
// everybody asks ipc_namespace(task) for his.
#pragma once

#include "core/ipc/mqueue.h"
#include "core/ipc/msg.h"
#include "core/ipc/sem.h"
#include "core/ipc/shm.h"

namespace umbra::ipc {

class IpcNamespace : public RefCounted {
public:
    explicit IpcNamespace(Kernel& kernel)
        : kernel(kernel)
    {
    }

    Kernel& kernel;
    ShmSettings shm;
    IpcTable<ShmSegment> segments;
    i32 used_semaphores = 0; ///< in all sets
    u64 semaphore_bytes = 0; ///< of values and undos: the kernel's memory, not the instance's
    IpcTable<SemSet> semaphore_sets;
    MsgSettings msg;
    IpcTable<MsgQueue> queues;
    MqueueSpace mqueues;
};

/// The namespace of a task.
IpcNamespace& ipc_namespace(Task const& task);
/// What the end of a task means to IPC. Does not wait.
void exit_ipc(Task& task);

} // namespace umbra::ipc
