// SPDX-License-Identifier: GPL-2.0-or-later
// Backends and the host features that each cannot do without; what only costs speed is not asked for here.
#include "arch-um/boot/backend-choice.h"

namespace umbra::boot {

using hostabi::Feature;
using hostabi::FeatureState;

namespace {
std::string described(hostabi::FeatureReport const& report)
{
    std::string name(report.name);
    return report.detail.empty() ? name : name + " (" + report.detail + ")";
}
} // namespace

std::string why_unusable(hostabi::HostFeatures const& host, BackendChoice backend)
{
    Feature trap = backend == BackendChoice::ptrace ? Feature::ptrace_emulation : Feature::seccomp_notify;
    for (Feature needed : { Feature::memfd, trap }) {
        auto const& report = host[needed];
        if (report.state != FeatureState::missing) continue;
        return "the host lacks " + described(report);
    }
    return {};
}

FaultPathDecision decide_fault_path(
    hostabi::HostFeatures const& host, BackendChoice backend, FaultPathChoice wanted)
{
    if (wanted == FaultPathChoice::signal) return { wanted, {} };
    std::string why;
    if (backend == BackendChoice::ptrace) why = "the ptrace backend serves faults by signals";
    for (Feature needed : { Feature::userfaultfd, Feature::userfaultfd_minor })
        if (why.empty() && host[needed].state == FeatureState::missing)
            why = "the host lacks " + described(host[needed]);
    if (why.empty()) return { FaultPathChoice::userfaultfd, {} };
    if (wanted == FaultPathChoice::automatic) return { FaultPathChoice::signal, {} };
    return { FaultPathChoice::automatic, "--fault-path userfaultfd cannot be had: " + why };
}

BackendDecision decide_backend(hostabi::HostFeatures const& host, BackendChoice wanted)
{
    if (wanted != BackendChoice::automatic) {
        std::string why = why_unusable(host, wanted);
        if (why.empty()) return { wanted, {} };
        return { BackendChoice::automatic, std::string(backend_name(wanted)) + " cannot run: " + why };
    }
    BackendDecision decision { BackendChoice::automatic, {} };
    for (auto candidate : { BackendChoice::seccomp, BackendChoice::ptrace }) {
        std::string why = why_unusable(host, candidate);
        if (why.empty()) return { candidate, {} };
        decision.refusal += (decision.refusal.empty() ? "" : "; ") + std::string(backend_name(candidate))
            + " cannot run: " + why;
    }
    return decision;
}

} // namespace umbra::boot
