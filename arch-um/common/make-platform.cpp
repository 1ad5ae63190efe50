// SPDX-License-Identifier: GPL-2.0-or-later
// See make-platform.h.
#include "arch-um/common/make-platform.h"

#include <cstring>

#include "arch-um/ptrace/ptrace-platform.h"
#include "arch-um/seccomp/seccomp-platform.h"
#include "hostabi/probe.h"

namespace umbra::um {

PlatformOptions PlatformOptions::for_host(hostabi::HostFeatures const& features)
{
    using hostabi::Feature;
    return {
        .backend = features.has(Feature::seccomp_notify) ? Backend::seccomp : Backend::ptrace,
        .ring = features.has(Feature::io_uring) ? hostabi::RingEngine::io_uring : hostabi::RingEngine::epoll,
        .fsgsbase = features.has(Feature::fsgsbase),
        .killable_notifications = features.has(Feature::seccomp_killable),
        .synchronous_wake_up = features.has(Feature::seccomp_synchronous),
        .userfault = features.has(Feature::userfaultfd_minor),
        .userfault_guard = features.has(Feature::userfaultfd_write_protect),
    };
}

std::unique_ptr<UmPlatform> make_platform(PlatformOptions const& options, std::string& problem)
{
    std::vector<std::unique_ptr<UmPort>> ports;
    for (unsigned i = 0; i < options.vcpus; ++i) {
        auto ring = hostabi::Ring::create(options.ring);
        if (ring.is_error()) {
            problem = std::string("the host refuses the I/O ring: ") + std::strerror(ring.error().value);
            return nullptr;
        }
        ports.push_back(std::make_unique<UmPort>(i, std::move(ring).release_value()));
    }
    if (options.backend == Backend::seccomp)
        return SeccompPlatform::create(options, std::move(ports), problem);
    return PtracePlatform::create(options, std::move(ports), problem);
}

} // namespace umbra::um
