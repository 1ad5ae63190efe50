// SPDX-License-Identifier: GPL-2.0-or-later
// IPC namespaces (ipc_namespaces(7)): the System V IPC objects and POSIX message queues that tasks see, and their limits.
// References: the sets of tasks and open files of a namespace hold it; its objects know it without holding it. When the
// last goes, the objects go too, but for segments that are still mapped and queues that are still open.
#pragma once

#include "core/ipc/mqueue.h"
#include "core/ipc/msg.h"
#include "core/ipc/sem.h"
#include "core/ipc/shm.h"
#include "core/vfs/namespace.h"

namespace umbra::ipc {

class IpcNamespace final : public vfs::Namespace {
public:
    /// The first one.
    IpcNamespace(Kernel& kernel, vfs::NamespaceOrigin origin);
    /// An empty one with the usual limits, beside `other`.
    IpcNamespace(Kernel& kernel, vfs::NamespaceOrigin origin, IpcNamespace const& other);
    ~IpcNamespace() override;

    Kernel& kernel;
    Ref<IpcMemory> memory;
    ShmSettings shm;
    IpcTable<ShmSegment> segments;
    i32 used_semaphores = 0; ///< in all sets
    IpcTable<SemSet> semaphore_sets;
    MsgSettings msg;
    IpcTable<MsgQueue> queues;
    MqueueSpace mqueues;
};

/// The namespace of a task.
IpcNamespace& ipc_namespace(Task const& task);
/// What the end of a task, or its leaving the namespace, means to IPC. Does not wait.
void exit_ipc(Task& task);

} // namespace umbra::ipc
