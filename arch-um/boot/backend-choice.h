// SPDX-License-Identifier: GPL-2.0-or-later
// Which backend an instance takes (law 12): for the composition, and for `umbra doctor`, so that both agree.
#pragma once

#include <string>

#include "arch-um/boot/options.h"
#include "hostabi/probe.h"

namespace umbra::boot {

/// One sentence that names what the backend misses here; empty if it can run. What was not probed counts as
/// there.
std::string why_unusable(hostabi::HostFeatures const& host, BackendChoice backend);

struct BackendDecision {
    BackendChoice backend; ///< seccomp or ptrace; automatic: none can run
    std::string refusal; ///< why the wanted one, or each, cannot run
};
BackendDecision decide_backend(hostabi::HostFeatures const& host, BackendChoice wanted);

struct FaultPathDecision {
    FaultPathChoice path; ///< userfaultfd or signal; automatic: the wanted one cannot be had
    std::string refusal;
};
/// `backend`: as decided.
FaultPathDecision decide_fault_path(
    hostabi::HostFeatures const& host, BackendChoice backend, FaultPathChoice wanted);

} // namespace umbra::boot
