// SPDX-License-Identifier: GPL-2.0-or-later
// The signals of the kernel process itself. They are blocked in every thread and read from a signalfd in the
// ring (law 2); only those that a fault raises, and the helpers' interruption, have handlers.
#pragma once

#include <initializer_list>

#include "core/base/types.h"
#include "hostabi/fd.h"
#include "hostabi/host-result.h"

struct signalfd_siginfo;

namespace umbra::hostabi {

/// A set of signals as the host's kernel has it: bit n-1 is signal n.
struct SignalMask {
    u64 bits = 0;

    constexpr SignalMask() = default;
    constexpr explicit SignalMask(u64 b)
        : bits(b)
    {
    }
    constexpr SignalMask(std::initializer_list<int> signals)
    {
        for (int const signal : signals)
            bits |= bit(signal);
    }
    constexpr bool contains(int signal) const { return bits & bit(signal); }
    constexpr bool operator==(SignalMask const&) const = default;
    static constexpr u64 bit(int signal) { return u64 { 1 } << (signal - 1); }
    static constexpr SignalMask all() { return SignalMask(~u64 { 0 }); }
};

/// Change the calling thread's mask and return the one before. Threads that it creates inherit it: block
/// before the first one is created, and the signals are blocked in all of them.
SignalMask block_signals(SignalMask signals);
SignalMask set_signal_mask(SignalMask mask);
SignalMask current_signal_mask();

/// A non-blocking signalfd.
HostResult<OwnedFd> open_signal_queue(SignalMask signals);
/// The next queued signal. EAGAIN: none.
HostResult<void> read_signal(int queue, signalfd_siginfo& out);

enum class SignalAction : u8 { ignore, standard };
void set_signal_action(int signal, SignalAction action);
/// Whether the signal is ignored, as nohup(1) and a shell's background jobs have it.
bool is_signal_ignored(int signal);

} // namespace umbra::hostabi
