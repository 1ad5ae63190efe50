// SPDX-License-Identifier: GPL-2.0-or-later
// Pending signals: a set, and the queued siginfo of each. Standard signals queue once, realtime ones in order.
#pragma once

#include <algorithm>
#include <list>
#include <vector>

#include "core/abi/signal.h"
#include "core/base/list.h"
#include "core/base/types.h"

namespace umbra {

constexpr u64 kStopSignals = abi::sigbit(abi::sigstop) | abi::sigbit(abi::sigtstp) | abi::sigbit(abi::sigttin)
    | abi::sigbit(abi::sigttou);

class SignalQueue {
public:
    u64 set() const { return set_; }
    /// Adds a signal; a standard one that is pending already is dropped (returns false).
    bool add(abi::SigInfo const& info);
    /// Takes the lowest-numbered signal of `wanted` (synchronous fault signals first, as Linux); false if none.
    bool take(u64 wanted, abi::SigInfo& out);
    void remove(u64 signals);
    template <typename Predicate> bool contains(Predicate matches) const
    {
        return std::any_of(infos_.begin(), infos_.end(), matches);
    }
    std::vector<abi::SigInfo> all() const { return { infos_.begin(), infos_.end() }; }
    u32 count() const { return u32(infos_.size()); }

private:
    u64 set_ = 0;
    std::list<abi::SigInfo> infos_;
};

/// A fork that is under way. What is sent to several processes meanwhile, its parent among them, is for the child too, which
/// is to join them and cannot be found yet (Linux: struct multiprocess_signals).
struct ForkUnderWay : ListNode {
    u64 signals = 0;
    void note(int signal);
    /// To the child's: from nobody, as Linux has it.
    void give_to(SignalQueue& pending) const;
};

} // namespace umbra
