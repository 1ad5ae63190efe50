// SPDX-License-Identifier: GPL-2.0-or-later
// Backends and the host features that each cannot do without; what only costs speed is not asked for here.
#include "arch-um/boot/backend-choice.h"

namespace umbra::boot {

using hostabi::Feature;
using hostabi::FeatureState;

std::string why_unusable(hostabi::HostFeatures const& host, BackendChoice backend)
{
    Feature trap = backend == BackendChoice::ptrace ? Feature::ptrace_emulation : Feature::seccomp_notify;
    for (Feature needed : { Feature::memfd, trap }) {
        auto const& report = host[needed];
        if (report.state != FeatureState::missing) continue;
        std::string why = "the host lacks " + std::string(report.name);
        return report.detail.empty() ? why : why + " (" + report.detail + ")";
    }
    return {};
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
