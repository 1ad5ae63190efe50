// SPDX-License-Identifier: GPL-2.0-or-later
// Signal masks, the signal queue, dispositions.
#include "hostabi/signals.h"

#include <cerrno>
#include <csignal>

#include <sys/signalfd.h>
#include <sys/syscall.h>

#include "core/base/panic.h"
#include "hostabi/host-call.h"

namespace umbra::hostabi {

namespace {

SignalMask change_mask(int how, SignalMask const* mask)
{
    SignalMask before;
    // Fails only for addresses and constants that are wrong.
    if (host_call(SYS_rt_sigprocmask, how, mask, &before, sizeof(u64)) < 0) panic("hostabi: signal mask");
    return before;
}

} // namespace

SignalMask block_signals(SignalMask signals) { return change_mask(SIG_BLOCK, &signals); }

SignalMask set_signal_mask(SignalMask mask) { return change_mask(SIG_SETMASK, &mask); }

SignalMask current_signal_mask() { return change_mask(SIG_BLOCK, nullptr); }

HostResult<OwnedFd> open_signal_queue(SignalMask signals)
{
    return OwnedFd::signalfd(signals.bits, SFD_NONBLOCK);
}

HostResult<void> read_signal(int queue, signalfd_siginfo& out)
{
    i64 const count = TRY(host_value(host_call(SYS_read, queue, &out, sizeof out)));
    if (count != sizeof out) return HostErrno { EIO };
    return {};
}

void set_signal_action(int signal, SignalAction action)
{
    // Through libc: it knows the return trampoline and refuses the signals that it uses itself.
    struct sigaction wanted { };
    wanted.sa_handler = action == SignalAction::ignore ? SIG_IGN : SIG_DFL;
    if (sigaction(signal, &wanted, nullptr) != 0) panic("hostabi: signal %d has no action", signal);
}

bool is_signal_ignored(int signal)
{
    struct sigaction now { };
    return sigaction(signal, nullptr, &now) == 0 && now.sa_handler == SIG_IGN;
}

} // namespace umbra::hostabi
