// SPDX-License-Identifier: GPL-2.0-or-later
// System calls without a trap. A `syscall` instruction that is executed often is overwritten by a jump to a *gate*, code
// in the guest's own memory, which hands the call over through shared memory while a vCPU watches for it, and traps
// where none does. Core chooses the instructions, owns the gates' memory and puts the code in place and away; the
// platform knows the code. An optional interface of a Platform: core asks for it by dynamic_cast.
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "core/base/types.h"

namespace umbra::platform {

constexpr u64 kGateSize = 128;
constexpr u64 kMostDisplaced = 8; ///< bytes of code that a jump takes the place of
/// In a gate: where its own `syscall` instruction is, and where the guest goes on behind it.
constexpr u64 kGateCall = 9, kGateReturn = kGateCall + 2;

/// A `syscall` instruction that has a gate.
struct CallSite {
    u64 call = 0; ///< the instruction's address
    u64 length = 0; ///< bytes from there that the gate stands for: the instruction and those behind it
    u8 original[kMostDisplaced] = {};
    bool is_patched = false; ///< the jump is in place
};

/// The gates of one address space, side by side from `gates` on.
struct CallSites {
    u64 gates = 0;
    std::vector<CallSite> sites;

    u64 gate(u64 index) const { return gates + index * kGateSize; }
    /// The site of the gate that `address` lies in, or null.
    CallSite const* site_of_gate(u64 address) const
    {
        if (address - gates >= sites.size() * kGateSize) return nullptr;
        return &sites[(address - gates) / kGateSize];
    }
};

class PatchedCalls {
public:
    virtual ~PatchedCalls() = default;
    /// False where no vCPU ever watches: a gate would be a detour.
    virtual bool are_useful() const = 0;
    /// How the code around the `syscall` at code[at] can be patched: bytes from there that the gate has to stand for; 0 if
    /// it cannot be done, because what follows cannot be moved, or something in `code` may jump into it.
    virtual u64 displaced_length(std::span<u8 const> code, u64 at) const = 0;
    /// The code of the gate at address `gate`.
    virtual void make_gate(std::span<u8, kGateSize> out, u64 gate, CallSite const& site) const = 0;
    /// What takes the place of the site's first bytes; not longer than site.length.
    virtual std::vector<u8> make_jump(u64 gate) const = 0;
};

} // namespace umbra::platform
