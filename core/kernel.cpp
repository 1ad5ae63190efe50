// SPDX-License-Identifier: GPL-2.0-or-later
// Construction of the Kernel in the order in which its parts need each other.
#include "core/kernel.h"

#include "core/cgroup/cgroup.h"
#include "core/device/device-table.h"
#include "core/fs/table.h"
#include "core/mm/frame.h"
#include "core/mm/memory-object.h"
#include "core/platform/patched-calls.h"
#include "core/printk/kmsg.h"
#include "core/printk/printk.h"
#include "core/sync/kernel-lock.h"
#include "core/task/futex.h"
#include "core/task/lifecycle.h"
#include "core/task/namespaces.h"
#include "core/task/process-table.h"
#include "core/task/scheduler.h"
#include "core/time/timekeeper.h"
#include "core/trace/trace.h"
#include "core/tty/tty-registry.h"
#include "core/vfs/dentry-cache.h"
#include "core/vfs/file-system-types.h"
#include "core/vfs/internal-mounts.h"
#include "core/vfs/mount-table.h"

namespace umbra {

Kernel::Kernel(platform::Platform& platform, KernelOptions options)
    : first_user_namespace(make_ref<UserNamespace>(options.max_tasks / 2)) // as Linux's limits
    , platform_(platform)
    , options_(std::move(options))
    , lock_(std::make_unique<KernelLock>())
    , printk_(std::make_unique<Printk>(platform))
    , trace_(std::make_unique<Tracepoints>())
    , time_(std::make_unique<Timekeeper>(platform))
    , memory_(std::make_unique<mm::PhysicalMemory>(platform, options_.memory_limit))
    , mount_table_(std::make_unique<vfs::MountTable>(options_.memory_limit))
    , dentries_(std::make_unique<vfs::DentryCache>())
    , first_namespaces_(make_ref<NamespaceSet>(*this))
    , cgroups_(std::make_unique<cgroup::Hierarchy>(*this))
    , scheduler_(std::make_unique<Scheduler>(*this))
    , processes_(std::make_unique<ProcessTable>(*this))
    , futexes_(std::make_unique<FutexTable>())
    , file_system_types_(std::make_unique<vfs::FileSystemTypes>())
    , devices_(std::make_unique<device::DeviceTable>())
    , ttys_(std::make_unique<tty::TtyRegistry>())
{
    auto const* patched_calls = dynamic_cast<platform::PatchedCalls const*>(&platform_);
    if (options_.patched_calls && patched_calls && patched_calls->are_useful())
        patched_calls_ = patched_calls;
    // As Linux: what marks may cost a user is a hundredth of memory, at some 2.4 KiB of a mark and its inode.
    fanotify_mark_limit = std::clamp<i64>(i64(options_.memory_limit / 100 / 2456), 8192, 1048576);
    auto anonymous = vfs::make_anonymous_file_system(*this);
    anonymous_files_ = anonymous;
    internal_mounts_ = std::make_unique<vfs::InternalMounts>(vfs::make_internal_mounts(*this, anonymous));
    device::add_memory_devices(*devices_);
    tty::add_tty_devices(*this);
    add_kmsg_device(*devices_);
    fs::add_file_system_types(*this);
}

Kernel::~Kernel()
{
    // Its pages go back to the physical memory.
    vdso_object = nullptr;
}

void Kernel::set_signal_frames(std::unique_ptr<SignalFrames> frames) { signal_frames_ = std::move(frames); }

void Kernel::shut_down(int status)
{
    if (shutting_down_) return;
    shutting_down_ = true;
    exit_status_ = status;
    scheduler_->stop();
}

} // namespace umbra
