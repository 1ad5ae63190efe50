// SPDX-License-Identifier: GPL-2.0-or-later
// Write access to what a task refers to, for clone, exec and exit only.
#pragma once

#include "core/mm/address-space.h"
#include "core/task/task.h"

namespace umbra {

struct TaskAccess {
    explicit TaskAccess(Task& t)
        : task(t)
    {
    }
    RefPtr<mm::AddressSpace>& mm() { return task.mm_; }
    RefPtr<FdTable>& files() { return task.files_; }
    RefPtr<vfs::FsContext>& fs() { return task.fs_; }
    Ref<NamespaceSet>& namespaces() { return task.namespaces_; }
    std::unique_ptr<platform::GuestThread>& guest() { return task.guest_; }
    std::function<void(Task&)>& start() { return task.start_; }
    void set_tid(Pid tid) { task.tid_ = tid; }

    Task& task;
};

} // namespace umbra
