// SPDX-License-Identifier: GPL-2.0-or-later
// What the host offers (law 12), found by trying, once at start, and leaving nothing behind. The composition
// picks the backend from it, `umbra doctor` prints it.
#pragma once

#include <array>
#include <span>
#include <string>
#include <string_view>

#include "core/base/types.h"

namespace umbra::hostabi {

enum class Feature : u8 {
    // Probed at every start.
    kernel,
    io_uring,
    io_uring_deferred,
    seccomp_notify,
    seccomp_killable,
    seccomp_synchronous,
    seccomp_all_threads,
    userfaultfd,
    userfaultfd_minor,
    userfaultfd_write_protect,
    memfd,
    memfd_execute,
    fsgsbase,
    cpus,
    open_files,
    // Probed by HostFeatures::probe_full(), and ptrace_emulation also where seccomp_notify is missing.
    ptrace_emulation,
    ptrace_scope,
    kvm,
    processes,
    mappings,
    huge_pages,
    memory_limit,
};
constexpr std::size_t kFeatureCount = static_cast<std::size_t>(Feature::memory_limit) + 1;

enum class FeatureState : u8 { not_probed, present, missing };

struct FeatureReport {
    Feature feature {};
    std::string_view name; ///< for people and for --json: "io_uring"
    FeatureState state = FeatureState::not_probed;
    std::string detail; ///< what was found: a version, a number, the host's error
    std::string_view cost; ///< one sentence: what it means when it is missing
};

class HostFeatures {
public:
    /// What every start needs; well under 3 ms. Makes a throw-away child: call it before there are threads.
    static HostFeatures probe_quick();
    /// All of it, for `umbra doctor`.
    static HostFeatures probe_full();
    /// Whether the ptrace backend can run, unless that is known. Makes a throw-away child.
    void probe_ptrace();

    bool has(Feature feature) const { return (*this)[feature].state == FeatureState::present; }
    FeatureReport const& operator[](Feature f) const { return reports_[static_cast<std::size_t>(f)]; }
    std::span<FeatureReport const> all() const { return reports_; }

    unsigned cpu_count() const { return cpu_count_; } ///< CPUs that this process may use
    /// Bytes; UINT64_MAX: no limit. Known after probe_full().
    u64 memory_limit() const { return memory_limit_; }

private:
    HostFeatures();
    void set(Feature feature, bool present, std::string detail);
    void probe_kernel();
    void probe_ring();
    void probe_seccomp();
    void probe_userfaultfd();
    void probe_memfd();
    void probe_processor();
    void probe_limits();
    void probe_kvm();
    void probe_settings();

    std::array<FeatureReport, kFeatureCount> reports_;
    unsigned cpu_count_ = 1;
    u64 memory_limit_ = UINT64_MAX;
};

} // namespace umbra::hostabi
