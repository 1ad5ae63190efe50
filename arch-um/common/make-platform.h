// SPDX-License-Identifier: GPL-2.0-or-later
// Makes the platform that the composition asks for.
#pragma once

#include <memory>
#include <string>

#include "hostabi/ring.h"

namespace umbra::hostabi {
class HostFeatures;
}

namespace umbra::um {

class UmPlatform;

enum class Backend : u8 { seccomp, ptrace };

struct PlatformOptions {
    Backend backend = Backend::seccomp;
    unsigned vcpus = 1;
    hostabi::RingEngine ring = hostabi::RingEngine::io_uring;
    // What the host offers; each has a slower replacement. Tests turn them off one by one.
    bool fsgsbase = true; ///< user code reads and writes segment bases
    bool killable_notifications = true; ///< SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV
    bool synchronous_wake_up = true; ///< SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP
    bool userfault = true; ///< userfaultfd with minor faults of shared memory; seccomp backend only
    bool userfault_guard = true; ///< the same with write protection
    bool patched_calls
        = true; ///< vCPUs watch for calls that guests hand over, while a CPU is free; seccomp backend only

    static PlatformOptions for_host(hostabi::HostFeatures const& features);
};

/// Nothing on failure; `problem` then says why, as the end of a sentence. To be called early, while the
/// kernel process is small, on the thread that will call run_vcpus() and that outlives the platform: the host
/// ends all stubs when this thread ends. Blocks SIGCHLD in the calling thread and in those it starts.
std::unique_ptr<UmPlatform> make_platform(PlatformOptions const& options, std::string& problem);

} // namespace umbra::um
