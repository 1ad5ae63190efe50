// SPDX-License-Identifier: GPL-2.0-or-later
// Signals of the host's to Umbra, as completions in the ring (law 2): blocked in every thread, read from a
// signalfd.
#pragma once

#include <functional>

#include "drivers-virtual/host-io.h"
#include "hostabi/fd.h"
#include "hostabi/signals.h"

namespace umbra::drivers {

class HostSignals final : hostabi::Completion {
public:
    /// Runs on a vCPU, under the kernel lock; must not wait.
    using Handler = std::function<void(int signal)>;

    /// Blocks the signals in the calling thread and those that it starts from now on. Must outlive the rings.
    explicit HostSignals(hostabi::SignalMask signals);
    /// Begins to deliver. On a vCPU.
    void start(HostIo& io, Handler handler);

private:
    void complete(i32 result) override;
    void watch();

    hostabi::OwnedFd queue_;
    HostIo* io_ = nullptr;
    Handler handler_;
};

} // namespace umbra::drivers
