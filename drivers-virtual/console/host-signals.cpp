// SPDX-License-Identifier: GPL-2.0-or-later
// The signal queue in the ring.
#include "drivers-virtual/console/host-signals.h"

#include <cerrno>

#include <poll.h>
#include <sys/signalfd.h>

namespace umbra::drivers {

HostSignals::HostSignals(hostabi::SignalMask signals)
{
    hostabi::block_signals(signals);
    auto queue = hostabi::open_signal_queue(signals);
    // Without a queue (no descriptors left) they stay blocked: Umbra runs, and cannot be told anything.
    if (queue.ok()) queue_ = std::move(queue).value();
}

void HostSignals::start(HostIo& io, Handler handler)
{
    io_ = &io;
    handler_ = std::move(handler);
    if (queue_) watch();
}

void HostSignals::watch() { io_->ring().poll(queue_.get(), POLLIN, *this); }

void HostSignals::complete(i32 result)
{
    if (result < 0) return;
    signalfd_siginfo info;
    while (hostabi::read_signal(queue_.get(), info).ok())
        handler_(int(info.ssi_signo));
    watch();
}

} // namespace umbra::drivers
