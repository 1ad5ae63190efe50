// SPDX-License-Identifier: GPL-2.0-or-later
// See cpu.h. Intel SDM volume 1, chapter 13; Linux's arch/x86/kernel/fpu/xstate.c.
#include "arch-um/x86-64/cpu.h"

#include <algorithm>

#include <cpuid.h>
#include <sys/auxv.h>

#ifndef AT_MINSIGSTKSZ
#define AT_MINSIGSTKSZ 51
#endif

namespace umbra::x86_64 {

namespace {
constexpr u32 kXstateLeaf = 0xd;
constexpr u32 kLegacyAndHeaderSize = 576;
constexpr u64 kOnRequestOnly = u64 { 1 } << 18; // AMX tile data: arch_prctl(ARCH_REQ_XCOMP_PERM)

u64 enabled_features()
{
    u32 a, b, c, d;
    if (!__get_cpuid(1, &a, &b, &c, &d) || !(c & bit_OSXSAVE)) return 3;
    u32 low, high;
    // xgetbv(0): XCR0, what the host's kernel enabled. Legal in user mode once OSXSAVE is set.
    asm volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    return u64 { high } << 32 | low;
}
} // namespace

u64 xsave_features() { return enabled_features() & ~kOnRequestOnly; }

u32 xsave_image_size()
{
    u32 size = kLegacyAndHeaderSize;
    u64 const features = xsave_features();
    for (u32 i = 2; i < 63; ++i) {
        if (!(features >> i & 1)) continue;
        u32 length, offset, c, d;
        __cpuid_count(kXstateLeaf, i, length, offset, c, d);
        size = std::max(size, offset + length);
    }
    return size;
}

u64 largest_signal_frame() { return getauxval(AT_MINSIGSTKSZ); }

} // namespace umbra::x86_64
