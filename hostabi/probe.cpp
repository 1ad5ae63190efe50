// SPDX-License-Identifier: GPL-2.0-or-later
// The probes that need no child, and what each missing feature costs.
#include "hostabi/probe.h"

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>

#include <fcntl.h>
#include <linux/kvm.h>
#include <linux/seccomp.h>
#include <linux/userfaultfd.h>
#include <sys/auxv.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/utsname.h>

#include "core/base/panic.h"
#include "hostabi/host-call.h"
#include "hostabi/memory.h"
#include "hostabi/probe-child.h"
#include "hostabi/process.h"
#include "hostabi/ring-engines.h"
#include "hostabi/text-file.h"
#include "hostabi/userfaultfd.h"

namespace umbra::hostabi {

namespace {

constexpr u64 kHwcap2Fsgsbase = 2; // asm/hwcap2.h
constexpr u64 kEnoughFiles = 4096;
constexpr u64 kEnoughMappings = 65530; // Linux's default
constexpr u64 kEnoughProcesses = 1024;

struct Entry {
    Feature feature;
    std::string_view name;
    std::string_view cost;
};

constexpr Entry kEntries[] = {
    { Feature::kernel, "linux", "This host is older than Linux 5.11, on which Umbra was never tried." },
    { Feature::io_uring, "io_uring",
        "Umbra waits with epoll and does file I/O on helper threads, so traps and I/O take longer." },
    { Feature::io_uring_deferred, "io_uring-deferred",
        "The host interrupts a vCPU to deliver completions, so each trap takes a little longer." },
    { Feature::seccomp_notify, "seccomp-notify",
        "The seccomp backend cannot run; the ptrace backend takes several times as long for each trap." },
    { Feature::seccomp_killable, "seccomp-killable",
        "A signal may restart a guest's call that is already being served, so Umbra recognises it and takes "
        "it up again." },
    { Feature::seccomp_synchronous, "seccomp-sync-wake",
        "Umbra has to pin guest threads to their vCPU's CPU, so they move between CPUs more slowly." },
    { Feature::seccomp_all_threads, "seccomp-tsync",
        "A filter has to be installed before a stub has threads." },
    { Feature::userfaultfd, "userfaultfd",
        "Each block of pages is mapped by its stub on a signal, which takes more than twice as long." },
    { Feature::userfaultfd_minor, "userfaultfd-minor",
        "Each block of pages is mapped by its stub on a signal, which takes more than twice as long." },
    { Feature::userfaultfd_write_protect, "userfaultfd-wp",
        "Writes to shared frames are found by mprotect instead of by userfaultfd." },
    { Feature::memfd, "memfd", "Guest memory cannot be made: Umbra does not run on this host." },
    { Feature::memfd_execute, "memfd-exec",
        "The stub's image cannot be executed from memory (vm.memfd_noexec is 2)." },
    { Feature::fsgsbase, "fsgsbase", "Changing a guest's TLS base takes a host call." },
    { Feature::cpus, "cpus", "With one CPU the guest's vCPUs take turns." },
    { Feature::open_files, "open-files",
        "Each guest process takes a few descriptors, so there can be few of them (raise ulimit -n)." },
    { Feature::ptrace_emulation, "ptrace-sysemu", "The ptrace backend cannot run." },
    { Feature::ptrace_scope, "ptrace-scope",
        "Only descendants can be traced, or none: gdb cannot attach to a running instance." },
    { Feature::kvm, "kvm", "The kvm backend cannot run." },
    { Feature::processes, "processes",
        "Each guest process is a host process, so there can be few of them (raise ulimit -u)." },
    { Feature::mappings, "mappings",
        "Programs with very many mappings fail with ENOMEM (raise vm.max_map_count)." },
    { Feature::huge_pages, "shmem-huge-pages",
        "Guest memory is made of small pages, so programs with much memory run a little slower." },
    { Feature::memory_limit, "memory-limit",
        "Beyond the control group's limit the host kills processes: give a smaller --memory." },
};
static_assert(std::size(kEntries) == kFeatureCount);

/// "EPERM: Operation not permitted"
std::string describe(i32 error)
{
    char const* const name = strerrorname_np(error);
    return std::string(name ? name : "?") + ": " + strerrordesc_np(error);
}

std::string limit_text(u64 limit) { return limit == UINT64_MAX ? "unlimited" : std::to_string(limit); }

/// The smallest memory.max between the process's control group and the root of the hierarchy (cgroups(7),
/// version 2).
u64 control_group_memory_limit()
{
    std::string group = read_line("/proc/self/cgroup");
    if (group.substr(0, 3) != "0::") return UINT64_MAX;
    group.erase(0, 3);
    u64 limit = UINT64_MAX;
    while (group.size() > 1) {
        limit = std::min(
            limit, to_number(read_line(("/sys/fs/cgroup" + group + "/memory.max").c_str()), UINT64_MAX));
        group.resize(group.rfind('/'));
    }
    // In a container the group looks like the root but has limits.
    return std::min(limit, to_number(read_line("/sys/fs/cgroup/memory.max"), UINT64_MAX));
}

} // namespace

HostFeatures::HostFeatures()
{
    for (std::size_t i = 0; i < kFeatureCount; i++) {
        UMBRA_ASSERT(kEntries[i].feature == static_cast<Feature>(i));
        reports_[i].feature = kEntries[i].feature;
        reports_[i].name = kEntries[i].name;
        reports_[i].cost = kEntries[i].cost;
    }
}

HostFeatures HostFeatures::probe_quick()
{
    HostFeatures features;
    features.probe_kernel();
    features.probe_ring();
    features.probe_seccomp();
    features.probe_userfaultfd();
    features.probe_memfd();
    features.probe_processor();
    features.probe_limits();
    if (!features.has(Feature::seccomp_notify)) features.probe_ptrace();
    return features;
}

HostFeatures HostFeatures::probe_full()
{
    HostFeatures features = probe_quick();
    features.probe_ptrace();
    features.probe_kvm();
    features.probe_settings();
    return features;
}

void HostFeatures::set(Feature feature, bool present, std::string detail)
{
    FeatureReport& report = reports_[static_cast<std::size_t>(feature)];
    report.state = present ? FeatureState::present : FeatureState::missing;
    report.detail = std::move(detail);
}

void HostFeatures::probe_kernel()
{
    utsname name {};
    host_call(SYS_uname, &name);
    char const* const end = name.release + std::strlen(name.release);
    unsigned major = 0, minor = 0;
    auto const dot = std::from_chars(name.release, end, major);
    if (dot.ptr < end) std::from_chars(dot.ptr + 1, end, minor);
    set(Feature::kernel, major > 5 || (major == 5 && minor >= 11), name.release);
}

void HostFeatures::probe_ring()
{
    UringSupport const support = probe_uring();
    std::string detail = support.error ? describe(support.error) : "";
    if (support.error == ENOSYS) detail = "this host has no io_uring, or one older than Linux 5.19";
    if (support.error == EPERM) {
        u64 const disabled = to_number(read_line("/proc/sys/kernel/io_uring_disabled"), 0);
        detail += disabled ? " (kernel.io_uring_disabled is " + std::to_string(disabled) + ")"
                           : " (a seccomp filter refuses it, as in most containers)";
    }
    set(Feature::io_uring, support.error == 0, std::move(detail));
    char const* const newer = support.error ? "there is no io_uring" : "needs Linux 6.1";
    set(Feature::io_uring_deferred, support.deferred, support.deferred ? "" : newer);
}

void HostFeatures::probe_seccomp()
{
    SeccompSupport const support = probe_seccomp_listener();
    std::string detail = support.error ? describe(support.error) : "";
    if (support.error == EBUSY) detail += " (this process is supervised by another program already)";
    set(Feature::seccomp_notify, support.error == 0, std::move(detail));
    auto const newer = [&](bool present, char const* version) -> std::string {
        if (present) return "";
        return support.error ? "a part of seccomp-notify" : std::string("needs Linux ") + version;
    };
    set(Feature::seccomp_killable, support.killable, newer(support.killable, "5.19"));
    set(Feature::seccomp_synchronous, support.synchronous, newer(support.synchronous, "6.6"));
    // Asked without a program: EFAULT when the flag is known, EINVAL when it is not.
    i64 const answer = host_call(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, nullptr);
    set(Feature::seccomp_all_threads, answer == -EFAULT, "");
    // What the whole costs is said where the whole is missing; its parts add nothing.
    if (support.error)
        for (auto part :
            { Feature::seccomp_killable, Feature::seccomp_synchronous, Feature::seccomp_all_threads })
            reports_[std::size_t(part)].cost = {};
}

void HostFeatures::probe_userfaultfd()
{
    auto fd = OwnedFd::userfaultfd(UFFD_USER_MODE_ONLY);
    auto const offered
        = fd.ok() ? userfault::offered_features(fd.value().get()) : HostResult<u64>(fd.error());
    u64 const features = offered.value_or(0);
    set(Feature::userfaultfd, offered.ok(), offered.ok() ? "" : describe(offered.error().value));
    set(Feature::userfaultfd_minor, features & UFFD_FEATURE_MINOR_SHMEM, "");
    set(Feature::userfaultfd_write_protect, features & UFFD_FEATURE_WP_HUGETLBFS_SHMEM, "");
}

void HostFeatures::probe_memfd()
{
    auto usable = [](MemfdExec exec) -> HostResult<void> {
        OwnedFd fd = TRY(OwnedFd::memfd("umbra-probe", exec));
        TRY(host_status(host_call(SYS_ftruncate, fd.get(), kPageSize)));
        (void)TRY(OwnedMapping::shared(fd.get(), 0, kPageSize, PROT_READ | PROT_EXEC));
        return {};
    };
    auto const plain = usable(MemfdExec::refused);
    set(Feature::memfd, plain.ok(), plain.ok() ? "" : describe(plain.error().value));
    auto const executable = usable(MemfdExec::allowed);
    set(Feature::memfd_execute, executable.ok(), executable.ok() ? "" : describe(executable.error().value));
}

void HostFeatures::probe_processor()
{
    set(Feature::fsgsbase, getauxval(AT_HWCAP2) & kHwcap2Fsgsbase, "");
    if (auto const cpus = process::affinity(0); cpus.ok())
        cpu_count_ = static_cast<unsigned>(CPU_COUNT(&cpus.value()));
    set(Feature::cpus, cpu_count_ > 1, std::to_string(cpu_count_));
}

void HostFeatures::probe_limits()
{
    auto const files = process::limit(RLIMIT_NOFILE);
    u64 const hard = files.ok() ? files.value().hard : 0; // the soft one is raised to it
    set(Feature::open_files, hard >= kEnoughFiles, limit_text(hard));
}

void HostFeatures::probe_ptrace()
{
    if ((*this)[Feature::ptrace_emulation].state != FeatureState::not_probed) return;
    i32 const error = probe_ptrace_emulation();
    set(Feature::ptrace_emulation, error == 0, error ? describe(error) : "");
}

void HostFeatures::probe_kvm()
{
    auto const device = OwnedFd::open("/dev/kvm", O_RDWR);
    i64 const version = device.ok() ? host_call(SYS_ioctl, device.value().get(), KVM_GET_API_VERSION, 0) : -1;
    std::string detail = device.ok() ? "" : "/dev/kvm: " + describe(device.error().value);
    set(Feature::kvm, version == KVM_API_VERSION, std::move(detail));
}

void HostFeatures::probe_settings()
{
    std::string scope = read_line("/proc/sys/kernel/yama/ptrace_scope");
    if (scope.empty()) scope = "0"; // no Yama
    set(Feature::ptrace_scope, scope == "0", scope);

    auto const processes = process::limit(RLIMIT_NPROC);
    u64 const process_limit = processes.ok() ? processes.value().soft : 0;
    set(Feature::processes, process_limit >= kEnoughProcesses, limit_text(process_limit));

    std::string const mappings = read_line("/proc/sys/vm/max_map_count");
    set(Feature::mappings, to_number(mappings, 0) >= kEnoughMappings, mappings);

    // "always within_size [advise] never deny force"
    std::string const huge = read_line("/sys/kernel/mm/transparent_hugepage/shmem_enabled");
    std::size_t const open = huge.find('['), close = huge.find(']');
    std::string const chosen
        = open < close && close != huge.npos ? huge.substr(open + 1, close - open - 1) : "none";
    set(Feature::huge_pages, chosen != "never" && chosen != "deny" && chosen != "none", chosen);

    memory_limit_ = control_group_memory_limit();
    set(Feature::memory_limit, memory_limit_ == UINT64_MAX, limit_text(memory_limit_));
}

} // namespace umbra::hostabi
