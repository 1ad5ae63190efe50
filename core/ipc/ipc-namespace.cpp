// SPDX-License-Identifier: GPL-2.0-or-later
// The life of an IPC namespace, and which one a task is in.
#include "core/ipc/ipc-namespace.h"

#include "core/kernel.h"
#include "core/task/namespaces.h"
#include "core/task/task.h"

namespace umbra::ipc {

IpcNamespace::IpcNamespace(Kernel& kernel, vfs::NamespaceOrigin origin)
    : Namespace(vfs::NamespaceKind::ipc, std::move(origin))
    , kernel(kernel)
    , memory(make_ref<IpcMemory>())
    , mqueues { make_ref<MqueueLimits>(memory) }
{
}

IpcNamespace::IpcNamespace(Kernel& kernel, vfs::NamespaceOrigin origin, IpcNamespace const& other)
    : Namespace(vfs::NamespaceKind::ipc, std::move(origin))
    , kernel(kernel)
    , memory(other.memory)
    , mqueues { make_ref<MqueueLimits>(memory) }
{
}

IpcNamespace::~IpcNamespace()
{
    mqueues.limits->ended = true;
    // Whoever still maps one keeps it.
    segments.for_each([](ShmSegment& segment) { segment.orphan(); });
}

IpcNamespace& ipc_namespace(Task const& task) { return *task.namespaces().ipc; }

void exit_ipc(Task& task)
{
    leave_sem_undos(task);
    exit_shm(task);
}

} // namespace umbra::ipc
