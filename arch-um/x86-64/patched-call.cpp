// SPDX-License-Identifier: GPL-2.0-or-later
// See patched-call.h. A jump through memory takes seven bytes, two of them the `syscall`'s; the rest are the instruction
// behind it, which the gate executes instead: the comparison that C libraries and Go make there, or a return with
// nothing but padding behind. So the one address inside a jump that anybody can have come to know is that behind the
// call.
#include "arch-um/x86-64/patched-call.h"

#include <algorithm>
#include <cstring>

#include "arch-um/stub/layout.h"

namespace umbra::x86_64 {

using platform::CallSite;
using platform::kGateCall;
using platform::kGateReturn;
using platform::kGateSize;

namespace {

constexpr u64 kJumpLength = 7;
constexpr u64 kCallLength = platform::kSyscallInstructionLength;
/// Where in a gate its address stands, for the jump to read.
constexpr u64 kGateAddress = kGateSize - 8;
/// What follows the displaced instruction in a gate: the way back, and the fast path.
constexpr u64 kMaxTail = platform::kMostDisplaced - kCallLength;
constexpr u64 kWayBack = kGateReturn + kMaxTail, kFastPath = kWayBack + 6;
/// Addresses for other jumps to read.
constexpr u64 kBackAddress = kGateAddress - 8, kHandOverAddress = kGateAddress - 16;

constexpr u8 kReturn = 0xc3, kNoOperation = 0x90;

bool starts_with(std::span<u8 const> code, std::initializer_list<u8> bytes)
{
    return code.size() >= bytes.size() && std::equal(bytes.begin(), bytes.end(), code.begin());
}

/// The length of one of the instructions that compilers fill gaps with, or 0.
u64 padding_length(std::span<u8 const> code)
{
    u64 prefixes = 0;
    while (prefixes < code.size() && (code[prefixes] == 0x66 || code[prefixes] == 0x2e))
        ++prefixes;
    auto const rest = code.subspan(prefixes);
    if (starts_with(rest, { 0x90 }) || starts_with(rest, { 0xcc })) return prefixes + 1;
    if (starts_with(rest, { 0x0f, 0x1f, 0x00 })) return prefixes + 3;
    if (starts_with(rest, { 0x0f, 0x1f, 0x40, 0x00 })) return prefixes + 4;
    if (starts_with(rest, { 0x0f, 0x1f, 0x44, 0x00, 0x00 })) return prefixes + 5;
    if (starts_with(rest, { 0x0f, 0x1f, 0x80, 0, 0, 0, 0 })) return prefixes + 7;
    if (starts_with(rest, { 0x0f, 0x1f, 0x84, 0, 0, 0, 0, 0 })) return prefixes + 8;
    return 0;
}

/// Bytes behind the call that the gate is to stand for; 0: they cannot be moved.
u64 tail_length(std::span<u8 const> tail)
{
    if (starts_with(tail, { 0x48, 0x3d })) return 6; // cmp $imm32, %rax
    if (starts_with(tail, { 0x3d })) return 5; // cmp $imm32, %eax
    if (!starts_with(tail, { kReturn })) return 0;
    u64 length = 1;
    while (kCallLength + length < kJumpLength) {
        u64 const padding = padding_length(tail.subspan(std::min<u64>(length, tail.size())));
        if (!padding) return 0;
        length += padding;
    }
    return kJumpLength - kCallLength;
}

/// Whether anything in the code that may be a jump leads to (first, last), exclusive.
bool is_jumped_into(std::span<u8 const> code, u64 first, u64 last)
{
    auto leads_there = [&](u64 end, i64 distance) {
        i64 const target = i64(end) + distance;
        return target > i64(first) && target < i64(last);
    };
    for (u64 i = 0; i + 2 <= code.size(); ++i) {
        u8 const op = code[i];
        bool const is_short = op == 0xeb || (op & 0xf0) == 0x70 || (op & 0xfc) == 0xe0;
        if (is_short && leads_there(i + 2, i8(code[i + 1]))) return true;
        bool const is_near_condition = (op & 0xf0) == 0x80 && i > 0 && code[i - 1] == 0x0f;
        bool const is_near = op == 0xe8 || op == 0xe9 || is_near_condition;
        if (!is_near || i + 5 > code.size()) continue;
        i32 distance;
        std::memcpy(&distance, &code[i + 1], sizeof distance);
        if (leads_there(i + 5, distance)) return true;
    }
    return false;
}

/// Writes code one piece after the other.
struct Writer {
    std::span<u8> out;
    u64 at = 0;

    void bytes(std::initializer_list<u8> all)
    {
        for (u8 const byte : all)
            out[at++] = byte;
    }
    template <typename T> void value(T v)
    {
        std::memcpy(&out[at], &v, sizeof v);
        at += sizeof v;
    }
    /// jmp *address(%rip)
    void jump_by(u64 address)
    {
        bytes({ 0xff, 0x25 });
        value(i32(address - (at + sizeof(i32))));
    }
};

} // namespace

u64 displaced_length(std::span<u8 const> code, u64 at)
{
    if (at + kCallLength > code.size() || !starts_with(code.subspan(at), { 0x0f, 0x05 })) return 0;
    u64 const tail = tail_length(code.subspan(at + kCallLength));
    u64 const length = kCallLength + tail;
    if (!tail || at + length > code.size()) return 0;
    // Nobody jumps into a comparison, but to it. What the bytes before a return's padding mean is not known so well.
    bool const is_comparison = code[at + kCallLength] != kReturn;
    if (is_jumped_into(code, at, at + (is_comparison ? kCallLength + 1 : length))) return 0;
    return length;
}

void make_gate(std::span<u8, kGateSize> out, u64 gate, CallSite const& site)
{
    std::fill(out.begin(), out.end(), kNoOperation);
    Writer code { out };
    code.bytes({ 0xeb, kFastPath - 2 }); // jmp: it comes back here where nobody watches
    code.at = kGateCall;
    code.bytes({ 0x0f, 0x05 });
    std::copy(site.original + kCallLength, site.original + site.length, out.begin() + kGateReturn);
    code.at = kWayBack;
    code.jump_by(kBackAddress);
    code.bytes({ 0x49, 0xbb }); // movabs $slot, %r11: no other register is free, but rcx
    code.value(u64 { STUB_CALL_SLOT });
    code.bytes({ 0x41, 0x83, 0x7b, STUB_CALL_WATCHED, 0x00 }); // cmpl $0, watched(%r11)
    code.bytes({ 0x74, u8(kGateCall - (code.at + 2)) }); // je: the call
    code.bytes({ 0x48, 0x8d, 0x0d }); // lea kGateReturn(%rip), %rcx
    code.value(i32(kGateReturn - (code.at + 4)));
    code.jump_by(kHandOverAddress);
    code.at = kHandOverAddress;
    code.value(stub::kPatchedCall);
    code.value(site.call + site.length);
    code.value(gate);
}

std::vector<u8> make_jump(u64 gate)
{
    std::vector<u8> jump(kJumpLength);
    Writer code { jump };
    code.bytes({ 0xff, 0x24, 0x25 }); // jmp *absolute
    code.value(u32(gate + kGateAddress));
    return jump;
}

std::optional<u64> leave_gate(platform::CallSites const& sites, u64 rip)
{
    CallSite const* site = sites.site_of_gate(rip);
    if (!site) return {};
    u64 const offset = (rip - sites.gates) % kGateSize;
    if (offset < kGateReturn) return site->call;
    if (offset == kGateReturn) return site->call + kCallLength;
    if (offset <= kWayBack) return site->call + site->length;
    return site->call; // not handed over yet
}

u64 enter_gate(platform::CallSites const& sites, u64 rip)
{
    for (u64 i = 0; i < sites.sites.size(); ++i) {
        CallSite const& site = sites.sites[i];
        if (site.is_patched && rip == site.call + kCallLength) return sites.gate(i) + kGateReturn;
    }
    return rip;
}

} // namespace umbra::x86_64
