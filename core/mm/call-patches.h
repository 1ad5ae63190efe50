// SPDX-License-Identifier: GPL-2.0-or-later
// Which `syscall` instructions of an address space have a gate (platform/patched-calls.h), and how often those that have
// none are executed.
#pragma once

#include <array>
#include <memory>

#include "core/platform/patched-calls.h"

namespace umbra::mm {

struct CallPatches {
    /// The gates of an address space: one private area, which shows in /proc/PID/maps and cannot be unmapped, below where
    /// programs are linked to.
    static constexpr u64 kGates = 0x200000, kGatesLength = 2 * kPageSize;
    static constexpr u64 kMostSites = kGatesLength / platform::kGateSize;
    /// An instruction that is executed that often, within so many cycles, is worth a gate.
    static constexpr u32 kOften = 256;
    static constexpr u64 kSoon = u64 { 1 } << 27;

    /// Of one instruction.
    struct Counter {
        u64 instruction = 0;
        u32 calls = 0;
        bool is_settled = false; ///< patched, or not to be
        u64 since = 0; ///< cycles
    };

    /// True once in a while for an instruction that is executed often.
    bool count(u64 instruction);
    /// For one that count() was true of: it could not be patched now.
    void count_anew(u64 instruction) { counter_of(instruction).is_settled = false; }
    /// A newcomer takes the place of the one in its row that was called least, of those not settled before the others.
    Counter& counter_of(u64 instruction);
    /// The sites to be changed: nobody else has seen them yet.
    platform::CallSites copy() const { return sites ? *sites : platform::CallSites { kGates, {} }; }

    static constexpr u64 kRows = 16;
    using Row = std::array<Counter, 4>;
    std::array<Row, kRows> counters {};
    std::shared_ptr<platform::CallSites const> sites; ///< as the platform knows them; null: none yet
};

} // namespace umbra::mm
