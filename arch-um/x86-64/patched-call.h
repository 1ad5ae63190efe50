// SPDX-License-Identifier: GPL-2.0-or-later
// The code of core/platform/patched-calls.h: which `syscall` instructions can be patched, and what takes their place.
// What runs where a gate hands a call over is in stub/entry.S.
#pragma once

#include <span>
#include <vector>

#include "core/platform/patched-calls.h"
#include "core/platform/registers.h"

namespace umbra::x86_64 {

/// See platform::PatchedCalls.
u64 displaced_length(std::span<u8 const> code, u64 at);
void make_gate(std::span<u8, platform::kGateSize> out, u64 gate, platform::CallSite const& site);
std::vector<u8> make_jump(u64 gate);

/// Where the guest would be without gates, of an address in a gate: nothing where it is in none.
std::optional<u64> leave_gate(platform::CallSites const& sites, u64 rip);
/// The opposite for who goes on behind a patched call, in the middle of a jump: in the gate. Others stay where they are.
u64 enter_gate(platform::CallSites const& sites, u64 rip);

} // namespace umbra::x86_64
