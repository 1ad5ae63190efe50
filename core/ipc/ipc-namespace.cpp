// SPDX-License-Identifier: GPL-2.0-or-later
// Which IPC namespace a task has.
#include "core/ipc/ipc-namespace.h"

#include "core/kernel.h"
#include "core/task/task.h"

namespace umbra::ipc {

IpcNamespace& ipc_namespace(Task const& task) { return task.kernel().ipc(); }

void exit_ipc(Task& task)
{
    leave_sem_undos(task);
    exit_shm(task);
}

} // namespace umbra::ipc
