// SPDX-License-Identifier: GPL-2.0-or-later
// Which code can be patched, and where a thread is taken to be that is in a gate. That gates work is for tests/abi.
#include "arch-um/x86-64/patched-call.h"

#include <algorithm>
#include <array>
#include <cstring>

#include <gtest/gtest.h>

namespace umbra::x86_64 {
namespace {

using platform::CallSite;
using platform::CallSites;
using platform::kGateCall;
using platform::kGateReturn;
using platform::kGateSize;

/// 64 no-operations, the code at 32, and 64 more.
std::vector<u8> surrounded(std::vector<u8> const& code)
{
    std::vector<u8> all(128, 0x90);
    std::copy(code.begin(), code.end(), all.begin() + 32);
    return all;
}

u64 length_of(std::vector<u8> const& code) { return displaced_length(surrounded(code), 32); }

TEST(PatchedCall, a_comparison_or_a_return_may_follow)
{
    EXPECT_EQ(length_of({ 0x0f, 0x05, 0x48, 0x3d, 0x00, 0xf0, 0xff, 0xff, 0x77, 0x01 }), 8u); // cmp, %rax
    EXPECT_EQ(length_of({ 0x0f, 0x05, 0x3d, 0x00, 0xf0, 0xff, 0xff }), 7u); // cmp, %eax
    EXPECT_EQ(length_of({ 0x0f, 0x05, 0xc3 }), 7u); // ret, and padding
    EXPECT_EQ(length_of({ 0x0f, 0x05, 0xc3, 0x66, 0x2e, 0x0f, 0x1f, 0x84, 0, 0, 0, 0, 0 }), 7u);
    EXPECT_EQ(length_of({ 0x0f, 0x05, 0xc3, 0xcc, 0xcc, 0xcc, 0xcc }), 7u);
}

TEST(PatchedCall, other_code_stays)
{
    EXPECT_EQ(length_of({ 0x0f, 0x05, 0xc3, 0x55, 0x48, 0x89, 0xe5 }), 0u); // ret, and another function
    EXPECT_EQ(length_of({ 0x0f, 0x05, 0x48, 0x89, 0xc7 }), 0u); // mov %rax, %rdi
    EXPECT_EQ(length_of({ 0x0f, 0x05, 0xe8, 0, 0, 0, 0 }), 0u); // call
    EXPECT_EQ(length_of({ 0x0f, 0x34, 0x48, 0x3d, 0, 0, 0, 0 }), 0u); // sysenter
    std::vector<u8> const end { 0x90, 0x0f, 0x05, 0x48, 0x3d };
    EXPECT_EQ(displaced_length(end, 1), 0u);
    EXPECT_EQ(displaced_length(end, 4), 0u);
}

TEST(PatchedCall, nothing_may_jump_behind_the_call)
{
    auto code = surrounded({ 0x0f, 0x05, 0x48, 0x3d, 0x00, 0xf0, 0xff, 0xff });
    EXPECT_EQ(displaced_length(code, 32), 8u);
    auto with = [&](u64 at, std::vector<u8> const& jump) {
        auto changed = code;
        std::copy(jump.begin(), jump.end(), changed.begin() + std::ptrdiff_t(at));
        return displaced_length(changed, 32);
    };
    EXPECT_EQ(with(10, { 0xeb, 34 - 12 }), 0u); // jmp behind the call
    EXPECT_EQ(with(10, { 0x74, 34 - 12 }), 0u); // je
    EXPECT_EQ(with(60, { 0xe9, u8(34 - 65), 0xff, 0xff, 0xff }), 0u); // jmp back
    EXPECT_EQ(with(60, { 0x0f, 0x84, u8(34 - 66), 0xff, 0xff, 0xff }), 0u); // je back
    EXPECT_EQ(with(10, { 0xeb, 32 - 12 }), 8u); // to the call itself
    EXPECT_EQ(with(10, { 0xeb, 40 - 12 }), 8u); // behind what is moved
    EXPECT_EQ(with(10, { 0x74, 36 - 12 }), 8u); // into the comparison: no jump, but bytes that look like one
    EXPECT_EQ(with(60, { 0x90, 0x84, u8(34 - 66), 0xff, 0xff, 0xff }),
        8u); // a condition's second byte without the first
    code = surrounded({ 0x0f, 0x05, 0xc3 });
    EXPECT_EQ(with(10, { 0xeb, 36 - 12 }), 0u); // to padding, which may be more than that
}

TEST(PatchedCall, a_gate_stands_for_its_site)
{
    CallSites sites { 0x200000, {} };
    for (u64 i = 0; i < 3; ++i) {
        CallSite site { .call = 0x401000 + 0x100 * i, .length = 8, .original = {}, .is_patched = i != 2 };
        sites.sites.push_back(site);
    }
    u64 const gate = sites.gate(1);
    EXPECT_EQ(gate, 0x200000 + kGateSize);
    EXPECT_EQ(leave_gate(sites, gate), 0x401100u);
    EXPECT_EQ(leave_gate(sites, gate + kGateCall), 0x401100u);
    EXPECT_EQ(leave_gate(sites, gate + kGateReturn), 0x401102u);
    EXPECT_EQ(leave_gate(sites, gate + kGateReturn + 6), 0x401108u); // on the way back
    EXPECT_EQ(leave_gate(sites, gate + kGateReturn + 12), 0x401100u); // about to be handed over
    EXPECT_EQ(leave_gate(sites, 0x200000 - 1), std::nullopt);
    EXPECT_EQ(leave_gate(sites, sites.gate(3)), std::nullopt);

    EXPECT_EQ(enter_gate(sites, 0x401102), gate + kGateReturn);
    EXPECT_EQ(enter_gate(sites, 0x401100), 0x401100u); // executes the jump
    EXPECT_EQ(enter_gate(sites, 0x401108), 0x401108u);
    EXPECT_EQ(enter_gate(sites, 0x401202), 0x401202u); // is as it was
}

TEST(PatchedCall, a_gate_has_the_call_and_what_it_displaced)
{
    CallSite site { .call = 0x401000, .length = 8, .original = { 0x0f, 0x05, 0x48, 0x3d, 1, 2, 3, 4 } };
    std::array<u8, kGateSize> gate;
    make_gate(gate, 0x200080, site);
    EXPECT_EQ(gate[kGateCall], 0x0f);
    EXPECT_EQ(gate[kGateCall + 1], 0x05);
    EXPECT_TRUE(std::equal(site.original + 2, site.original + 8, &gate[kGateReturn]));
    auto const jump = make_jump(0x200080);
    ASSERT_LE(jump.size(), 7u);
    u32 pointer;
    std::memcpy(&pointer, &jump[3], sizeof pointer);
    ASSERT_GE(pointer, 0x200080u);
    ASSERT_LE(pointer, 0x200080u + kGateSize - 8);
    u64 target;
    std::memcpy(&target, &gate[pointer - 0x200080], sizeof target);
    EXPECT_EQ(target, 0x200080u);
}

} // namespace
} // namespace umbra::x86_64
