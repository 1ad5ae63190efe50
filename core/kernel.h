// SPDX-License-Identifier: GPL-2.0-or-later
// The one object from which all state hangs (law 8). Made by the composition (arch-um/boot/compose.cpp) or by a test;
// a process may hold several. Subsystems are members by pointer so that this header needs none of theirs.
#pragma once

#include <algorithm>
#include <functional>
#include <map>
#include <memory>
#include <string>

#include "core/base/ref.h"
#include "core/base/types.h"
#include "core/platform/platform.h"

namespace umbra {

class FutexTable;
class KernelLock;
class Printk;
class ProcessTable;
class Scheduler;
class SignalFrames;
class Timekeeper;
class Tracepoints;
namespace platform {
class PatchedCalls;
}
namespace mm {
class MemoryObject;
class PhysicalMemory;
} // namespace mm
namespace vfs {
class DentryCache;
class FileSystem;
class FileSystemTypes;
class MountTable;
struct InternalMounts;
} // namespace vfs
namespace cgroup {
class Hierarchy;
}
namespace device {
class DeviceTable;
}
namespace tty {
class TtyRegistry;
}

struct NamespaceSet;
class UserNamespace;

struct KernelOptions {
    u64 memory_limit = u64 { 4 } << 30;
    std::string hostname = "umbra";
    bool patched_calls = true; ///< calls that are made often need no trap (core/mm/call-patches.cpp)
    bool image_faults = true; ///< the first fault in a program or library shows all of it (core/mm/image.cpp)
    u64 fault_around = 64 << 10; ///< first block mapped by a fault, bytes; a power of two from 4096 to 2 MiB
    bool quiet = false;
    /// The most tasks there may be (threads-max): each process and each of its threads is one of the host's.
    u64 max_tasks = 16384;
};

class Kernel {
public:
    Kernel(platform::Platform& platform, KernelOptions options);
    ~Kernel();
    Kernel(Kernel const&) = delete;

    platform::Platform& platform() const { return platform_; }
    /// Null where they are not wanted, or of no use.
    platform::PatchedCalls const* patched_calls() const { return patched_calls_; }
    KernelOptions const& options() const { return options_; }

    KernelLock& lock() const { return *lock_; }
    Printk& printk() const { return *printk_; }
    Tracepoints& trace() const { return *trace_; }
    Timekeeper& time() const { return *time_; }
    mm::PhysicalMemory& memory() const { return *memory_; }
    Scheduler& scheduler() const { return *scheduler_; }
    ProcessTable& processes() const { return *processes_; }
    FutexTable& futexes() const { return *futexes_; }
    SignalFrames& signal_frames() const { return *signal_frames_; }
    void set_signal_frames(std::unique_ptr<SignalFrames> frames);

    vfs::MountTable& mount_table() const { return *mount_table_; }
    vfs::DentryCache& dentries() const { return *dentries_; }
    vfs::FileSystem& anonymous_files() const { return *anonymous_files_; } ///< anon_inodefs, pipefs, sockfs
    vfs::InternalMounts& internal_mounts() const { return *internal_mounts_; }
    vfs::FileSystemTypes& file_system_types() const { return *file_system_types_; }
    device::DeviceTable& devices() const { return *devices_; }
    cgroup::Hierarchy& cgroups() const { return *cgroups_; }
    tty::TtyRegistry& ttys() const { return *ttys_; }
    NamespaceSet& first_namespaces() const { return *first_namespaces_; } ///< those of the first process

    RefPtr<mm::MemoryObject> vdso_object; ///< made when the first program starts
    Ref<UserNamespace> first_user_namespace; ///< whose ids are the kernel's

    /// Of /proc/sys/kernel/seccomp/actions_logged, as a set of seccomp::kLogAllActions.
    u32 seccomp_logged_actions = 0x7f;

    u64 aio_requests = 0; ///< fs.aio-nr: what all contexts of asynchronous I/O were made for
    u64 aio_limit = 65536; ///< fs.aio-max-nr
    i64 max_map_count = 65530; ///< vm.max_map_count: areas of one address space
    i64 leases_enabled = 1; ///< fs.leases-enable
    i64 lease_break_time = 45; ///< fs.lease-break-time, seconds; 0: a holder may take its time
    /// fs.fanotify: events in a queue, groups and marks of one user; a new group takes the limits as they are.
    i64 fanotify_event_limit = 16384, fanotify_group_limit = 128, fanotify_mark_limit = 0;
    struct FanotifyUse {
        i64 groups = 0, marks = 0;
    };
    std::map<u32, FanotifyUse> fanotify_use; ///< by uid
    u64 fanotify_events = 0; ///< in all queues
    /// Beyond it every queue overflows, FAN_UNLIMITED_QUEUE or not: a sixteenth of memory, at 1 KiB of an event.
    u64 max_fanotify_events() const { return std::max<u64>(options_.memory_limit >> 14, 32768); }
    /// kernel.core_pattern, core_uses_pid and core_pipe_limit, see core(5).
    std::string core_pattern = "core";
    i64 core_uses_pid = 0, core_pipe_limit = 0;

    RefPtr<RefCounted> network; ///< net::Network; made on first use

    std::map<std::string, i64> kept_numbers; ///< sysctls that are kept and shown, and without effect, by path
    std::string boot_id; ///< of /proc/sys/kernel/random; made when it is first asked for
    /// Open file descriptions, and the most there may be (fs.file-max): as Linux, a tenth of memory's KiB, at least 8,192.
    /// Unlike Linux's, root's count too: what they cost is the host's memory, not the instance's.
    u64 open_files = 0;
    /// Of the lines that guests' filters cause in the log.
    struct LogLimit {
        Nanoseconds since = 0;
        u32 lines = 0;
    } seccomp_log_limit;
    u64 seccomp_bytes = 0; ///< of guests' filters: at most a sixteenth of the memory limit beside it
    u64 max_open_files() const { return std::max<u64>(options_.memory_limit / 10240, 8192); }

    /// A number that is unique in this kernel: anonymous device minors, pipe inodes, cookies.
    u64 next_unique() { return ++unique_; }
    /// Ends the instance: run_vcpus returns once every vCPU has noticed. `status` is what Umbra's process exits with.
    void shut_down(int status);
    bool is_shutting_down() const { return shutting_down_; }
    int exit_status() const { return exit_status_; }

private:
    platform::Platform& platform_;
    platform::PatchedCalls const* patched_calls_ = nullptr;
    KernelOptions options_;
    std::unique_ptr<KernelLock> lock_;
    std::unique_ptr<Printk> printk_;
    std::unique_ptr<Tracepoints> trace_;
    std::unique_ptr<Timekeeper> time_;
    std::unique_ptr<mm::PhysicalMemory> memory_;
    std::unique_ptr<vfs::MountTable> mount_table_;
    std::unique_ptr<vfs::DentryCache> dentries_; ///< before the processes: their working directories end here
    RefPtr<vfs::FileSystem> anonymous_files_;
    std::unique_ptr<vfs::InternalMounts> internal_mounts_;
    RefPtr<NamespaceSet> first_namespaces_; ///< before the processes: their areas let go of its segments
    std::unique_ptr<cgroup::Hierarchy> cgroups_; ///< before the processes, which are in its groups
    std::unique_ptr<Scheduler> scheduler_;
    std::unique_ptr<ProcessTable> processes_;
    std::unique_ptr<FutexTable> futexes_;
    std::unique_ptr<SignalFrames> signal_frames_;
    std::unique_ptr<vfs::FileSystemTypes> file_system_types_;
    std::unique_ptr<device::DeviceTable> devices_;
    std::unique_ptr<tty::TtyRegistry> ttys_;
    u64 unique_ = 0;
    int exit_status_ = 0;
    bool shutting_down_ = false;
};

} // namespace umbra
