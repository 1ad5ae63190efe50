// SPDX-License-Identifier: GPL-2.0-or-later
// Pending signals.
#include "core/task/signal-queue.h"

namespace umbra {

using namespace abi;

namespace {
/// Signals that the instruction itself caused go first (Linux's SYNCHRONOUS_MASK).
constexpr u64 kSynchronous
    = sigbit(sigsegv) | sigbit(sigbus) | sigbit(sigill) | sigbit(sigtrap) | sigbit(sigfpe) | sigbit(sigsys);
} // namespace

bool SignalQueue::add(SigInfo const& info)
{
    if (info.signo < sigrtmin && (set_ & sigbit(info.signo))) return false;
    set_ |= sigbit(info.signo);
    // A timer has one signal under way; that of an earlier setting would be dropped.
    if (info.origin == SigInfo::kTimer) {
        auto const earlier = std::find_if(infos_.begin(), infos_.end(), [&](SigInfo const& i) {
            return i.origin == SigInfo::kTimer && i.signo == info.signo
                && i.timer.timer_id == info.timer.timer_id;
        });
        if (earlier != infos_.end()) {
            *earlier = info;
            return true;
        }
    }
    infos_.push_back(info);
    return true;
}

bool SignalQueue::take(u64 wanted, SigInfo& out)
{
    u64 candidates = set_ & wanted;
    if (!candidates) return false;
    if (candidates & kSynchronous) candidates &= kSynchronous;
    int signal = __builtin_ctzll(candidates) + 1;
    bool found = false, more = false;
    for (auto it = infos_.begin(); it != infos_.end();) {
        if (it->signo != signal) {
            ++it;
        } else if (!found) {
            out = *it;
            found = true;
            it = infos_.erase(it);
        } else {
            more = true;
            break;
        }
    }
    if (!more) set_ &= ~sigbit(signal);
    return found;
}

void ForkUnderWay::note(int signal)
{
    // As in a queue, a stop and a continue cancel each other.
    if (signal == sigcont) signals &= ~kStopSignals;
    if (sigbit(signal) & kStopSignals) signals &= ~sigbit(sigcont);
    signals |= sigbit(signal);
}

void ForkUnderWay::give_to(SignalQueue& pending) const
{
    for (int signal = 1; signal <= signal_count; ++signal) {
        if (!(signals & sigbit(signal))) continue;
        SigInfo info;
        info.signo = signal;
        info.code = si_user;
        pending.add(info);
    }
}

void SignalQueue::remove(u64 signals)
{
    set_ &= ~signals;
    infos_.remove_if([&](SigInfo const& i) { return signals & sigbit(i.signo); });
}

} // namespace umbra
