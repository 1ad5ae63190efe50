// SPDX-License-Identifier: GPL-2.0-or-later
// What the whole system is doing: memory, load, time, versions, and the lists of drivers and file systems.
#include <algorithm>
#include <set>

#include "core/abi/system.h"
#include "core/cgroup/cgroup.h"
#include "core/device/device-table.h"
#include "core/fs/proc/proc-file-system.h"
#include "core/fs/pseudo/text.h"
#include "core/ipc/ipc-namespace.h"
#include "core/kernel.h"
#include "core/mm/address-space.h"
#include "core/mm/frame.h"
#include "core/printk/kmsg.h"
#include "core/task/pid-namespace.h"
#include "core/task/process-table.h"
#include "core/task/scheduler.h"
#include "core/time/time-namespace.h"
#include "core/vfs/file-system-types.h"

namespace umbra::fs {

namespace {
using ull = unsigned long long;

constexpr Nanoseconds kHundredth = kNanosecondsPerSecond / 100;

/// Pages of memory by use, as far as the kernel keeps count.
struct MemoryCounts {
    u64 total = 0, free = 0, anonymous = 0, file = 0, page_tables = 0;
    u64 cached() const { return total - free - anonymous; }
};

MemoryCounts count_memory(Kernel& kernel)
{
    MemoryCounts counts { .total = kernel.memory().limit(), .free = kernel.memory().free() };
    std::set<mm::AddressSpace const*> seen;
    for (auto const& [tid, task] : kernel.processes().tasks()) {
        if (!task->has_mm() || !seen.insert(&task->mm()).second) continue;
        counts.anonymous += task->mm().resident_pages();
        counts.page_tables += task->mm().resident_pages() / 512 + 1;
    }
    // Pages that several processes share were counted for each.
    counts.anonymous = std::min(counts.anonymous, counts.total - counts.free);
    return counts;
}

std::string meminfo(Kernel& kernel)
{
    MemoryCounts m = count_memory(kernel);
    std::string out;
    auto line = [&](char const* name, u64 pages) {
        append_format(out, "%-16s%8llu kB\n", name, ull(pages << (kPageShift - 10)));
    };
    line("MemTotal:", m.total);
    line("MemFree:", m.free);
    line("MemAvailable:", m.free);
    line("Buffers:", 0);
    line("Cached:", m.cached());
    line("SwapCached:", 0);
    line("Active:", m.anonymous);
    line("Inactive:", m.cached());
    line("Active(anon):", m.anonymous);
    line("Inactive(anon):", m.cached());
    for (char const* none : { "Active(file):", "Inactive(file):", "Unevictable:", "Mlocked:", "SwapTotal:",
             "SwapFree:", "Dirty:", "Writeback:" })
        line(none, 0);
    line("AnonPages:", m.anonymous);
    line("Mapped:", 0);
    line("Shmem:", m.cached());
    line("KReclaimable:", 0);
    line("Slab:", 0);
    line("SReclaimable:", 0);
    line("SUnreclaim:", 0);
    append_format(
        out, "%-16s%8llu kB\n", "KernelStack:", ull(kernel.processes().tasks().size() * (kStackSize >> 10)));
    line("PageTables:", m.page_tables);
    line("CommitLimit:", m.total / 2);
    line("Committed_AS:", m.anonymous);
    append_format(
        out, "VmallocTotal:   34359738367 kB\nVmallocUsed:           0 kB\nVmallocChunk:          0 kB\n");
    out += "HugePages_Total:       0\nHugePages_Free:        0\nHugePages_Rsvd:        0\nHugePages_Surp:    "
           "    0\n"
           "Hugepagesize:       2048 kB\nHugetlb:               0 kB\n";
    return out;
}

std::string loadavg(Kernel& kernel)
{
    double load[3];
    kernel.scheduler().load_average(load);
    auto& processes = kernel.processes();
    return format_text("%.2f %.2f %.2f %llu/%zu %d\n", load[0], load[1], load[2],
        ull(kernel.scheduler().runnable_count()), processes.tasks().size(),
        pid_namespace(current()).last_number);
}

std::string uptime(Kernel& kernel)
{
    auto& time = kernel.time();
    Nanoseconds up = time.uptime(), idle = 0;
    for (unsigned i = 0; i < kernel.scheduler().vcpu_count(); ++i) {
        Vcpu& vcpu = kernel.scheduler().vcpu(i);
        idle += std::max<Nanoseconds>(up - time.cycles_to_ns(vcpu.user_cycles() + vcpu.system_cycles()), 0);
    }
    auto hundredths = [](Nanoseconds t) { return ull(t % kNanosecondsPerSecond / kHundredth); };
    up = time_namespace(current()).since_boot(up);
    return format_text("%llu.%02llu %llu.%02llu\n", ull(up / kNanosecondsPerSecond), hundredths(up),
        ull(idle / kNanosecondsPerSecond), hundredths(idle));
}

/// user nice system idle iowait irq softirq steal guest guest_nice, in hundredths of a second.
void add_cpu_line(
    std::string& out, std::string const& name, Nanoseconds user, Nanoseconds system, Nanoseconds all)
{
    Nanoseconds idle = std::max<Nanoseconds>(all - user - system, 0);
    append_format(out, "%s %llu 0 %llu %llu 0 0 0 0 0 0\n", name.c_str(), ull(user / kHundredth),
        ull(system / kHundredth), ull(idle / kHundredth));
}

std::string stat(Kernel& kernel)
{
    auto& time = kernel.time();
    auto& scheduler = kernel.scheduler();
    Nanoseconds up = time.uptime(), user = 0, system = 0;
    std::string lines, out;
    for (unsigned i = 0; i < scheduler.vcpu_count(); ++i) {
        Nanoseconds u = time.cycles_to_ns(scheduler.vcpu(i).user_cycles());
        Nanoseconds s = time.cycles_to_ns(scheduler.vcpu(i).system_cycles());
        add_cpu_line(lines, "cpu" + std::to_string(i), u, s, up);
        user += u, system += s;
    }
    Nanoseconds const booted = time.boot_realtime() - time_namespace(current()).offsets.boottime;
    add_cpu_line(out, "cpu ", user, system, up * scheduler.vcpu_count());
    append_format(out,
        "%sintr 0\nctxt %llu\nbtime %llu\nprocesses %llu\nprocs_running %llu\nprocs_blocked 0\n",
        lines.c_str(), ull(scheduler.context_switches()), ull(booted / kNanosecondsPerSecond),
        ull(kernel.processes().forks()), ull(scheduler.runnable_count()));
    return out + "softirq 0 0 0 0 0 0 0 0 0 0 0\n";
}

std::string vmstat(Kernel& kernel)
{
    MemoryCounts m = count_memory(kernel);
    return format_text(
        "nr_free_pages %llu\nnr_anon_pages %llu\nnr_mapped 0\nnr_file_pages %llu\nnr_dirty 0\n"
        "nr_writeback 0\nnr_shmem %llu\nnr_page_table_pages %llu\npgpgin 0\npgpgout 0\npswpin 0\n"
        "pswpout 0\n",
        ull(m.free), ull(m.anonymous), ull(m.cached()), ull(m.cached()), ull(m.page_tables));
}

std::string filesystems(Kernel& kernel)
{
    std::string out;
    for (auto const& type : kernel.file_system_types().all())
        out += (type.needs_device ? "\t" : "nodev\t") + type.name + "\n";
    return out;
}

std::string devices(Kernel& kernel)
{
    std::string out;
    auto list = [&](char const* title, device::DeviceKind kind) {
        out += title;
        std::set<std::pair<u32, std::string>> rows;
        for (auto const& region : kernel.devices().regions())
            if (region.kind == kind) rows.insert({ region.major, region.name });
        for (auto const& [major, name] : rows)
            append_format(out, "%3u %s\n", major, name.c_str());
    };
    list("Character devices:\n", device::DeviceKind::character);
    list("\nBlock devices:\n", device::DeviceKind::block);
    return out;
}

std::string misc(Kernel& kernel)
{
    constexpr u32 misc_major = 10;
    std::string out;
    for (auto const& region : kernel.devices().regions())
        if (region.major == misc_major && region.kind == device::DeviceKind::character)
            for (auto const& node : region.nodes)
                append_format(out, "%3u %s\n", node.minor, node.path.c_str());
    return out;
}

std::string cgroups(Kernel& kernel)
{
    std::string out = "#subsys_name\thierarchy\tnum_cgroups\tenabled\n";
    for (size_t i = 0; i < cgroup::kControllers; ++i)
        if (cgroup::kAllControllers & bit(cgroup::Controller(i)))
            append_format(
                out, "%s\t0\t%llu\t1\n", name_of(cgroup::Controller(i)), ull(kernel.cgroups().groups()));
    return out;
}

std::string version(Kernel&)
{
    return format_text("%s version %s (umbra) (C++20) %s\n", abi::kSystemName, abi::kRelease, abi::kVersion);
}

std::string interrupts(Kernel& kernel)
{
    // No interrupt ever reaches a guest: the list is there, and empty.
    std::string out(11, ' ');
    for (unsigned i = 0; i < kernel.scheduler().vcpu_count(); ++i)
        append_format(out, "CPU%-8u", i);
    return out + '\n';
}

class KmsgInode final : public PseudoInode {
public:
    explicit KmsgInode(vfs::FileSystem& fs)
        : PseudoInode(fs, abi::s_ifreg, { .mode = 0400 })
    {
    }
    Result<Ref<vfs::File>> open(vfs::Path const& path, u32 flags) override
    {
        return open_proc_kmsg(path, flags);
    }
};
} // namespace

void add_system_files(StaticDirectory& root, Kernel& kernel)
{
    struct Row {
        char const* name;
        std::string (*text)(Kernel&);
    };
    static constexpr Row rows[]
        = { { "cgroups", cgroups }, { "devices", devices }, { "filesystems", filesystems },
              { "interrupts", interrupts }, { "loadavg", loadavg }, { "meminfo", meminfo }, { "misc", misc },
              { "stat", stat }, { "uptime", uptime }, { "version", version }, { "vmstat", vmstat } };
    for (Row const& row : rows)
        root.add_text(row.name, [&kernel, text = row.text] { return Result<std::string>(text(kernel)); });
    struct Fixed {
        char const *name, *text;
    };
    static constexpr Fixed fixed[]
        = { { "cmdline", "\n" }, { "swaps", "Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n" },
              { "partitions", "major minor  #blocks  name\n\n" }, { "diskstats", "" },
              { "execdomains", "0-0\tLinux           \t[kernel]\n" } };
    for (Fixed const& row : fixed)
        root.add_text(row.name, [text = row.text] { return Result<std::string>(text); });
}

void add_sysvipc(StaticDirectory& root)
{
    auto& directory = root.directory("sysvipc");
    directory.add_text(
        "shm", [] { return Result<std::string>(ipc::shm_listing(ipc::ipc_namespace(current()))); });
    directory.add_text(
        "sem", [] { return Result<std::string>(ipc::sem_listing(ipc::ipc_namespace(current()))); });
    directory.add_text(
        "msg", [] { return Result<std::string>(ipc::msg_listing(ipc::ipc_namespace(current()))); });
}

void add_kmsg(StaticDirectory& root, Kernel&) { root.add("kmsg", make_ref<KmsgInode>(root.file_system())); }

} // namespace umbra::fs
