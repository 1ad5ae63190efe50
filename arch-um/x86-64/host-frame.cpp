// SPDX-License-Identifier: GPL-2.0-or-later
// See host-frame.h.
#include "arch-um/x86-64/host-frame.h"

#include <cstring>

namespace umbra::x86_64 {

namespace {
// Offsets in the XSAVE image, Intel SDM volume 1, 10.5.1 and 13.4.
constexpr u64 kControlWord = 0;
constexpr u64 kMxcsr = 24;
constexpr u64 kMxcsrMask = 28;
constexpr u64 kHeader = 512;
constexpr u64 kHeaderSize = 64;
constexpr u16 kInitialControlWord = 0x37f;
constexpr u32 kInitialMxcsr = 0x1f80;
constexpr u32 kMxcsrBits = 0xffff;

// uc_flags: there is an extended state, ss is valid and is to be restored exactly.
constexpr u64 kFrameFlags = 1 | 2 | 4;

template <typename T> void put(std::span<u8> image, u64 offset, T value)
{
    std::memcpy(image.data() + offset, &value, sizeof value);
}

template <typename T> T get(std::span<u8> image, u64 offset)
{
    T value;
    std::memcpy(&value, image.data() + offset, sizeof value);
    return value;
}
} // namespace

void load_registers(HostFrame const& frame, platform::Registers& out)
{
    HostSigcontext const& c = frame.context;
    out.r15 = c.r15, out.r14 = c.r14, out.r13 = c.r13, out.r12 = c.r12;
    out.rbp = c.rbp, out.rbx = c.rbx, out.r11 = c.r11, out.r10 = c.r10;
    out.r9 = c.r9, out.r8 = c.r8, out.rax = c.rax, out.rcx = c.rcx;
    out.rdx = c.rdx, out.rsi = c.rsi, out.rdi = c.rdi;
    out.rip = c.rip, out.eflags = c.eflags, out.rsp = c.rsp;
    out.cs = c.cs, out.ss = c.ss, out.fs = c.fs, out.gs = c.gs;
    out.ds = out.es = 0;
}

void store_registers(platform::Registers const& in, HostFrame& frame)
{
    HostSigcontext& c = frame.context;
    c.r15 = in.r15, c.r14 = in.r14, c.r13 = in.r13, c.r12 = in.r12;
    c.rbp = in.rbp, c.rbx = in.rbx, c.r11 = in.r11, c.r10 = in.r10;
    c.r9 = in.r9, c.r8 = in.r8, c.rax = in.rax, c.rcx = in.rcx;
    c.rdx = in.rdx, c.rsi = in.rsi, c.rdi = in.rdi;
    c.rip = in.rip, c.eflags = in.eflags, c.rsp = in.rsp;
    // Only the 64-bit user segments: with others the host would run the guest's bytes as 32-bit code.
    c.cs = platform::kUserCodeSegment, c.ss = platform::kUserDataSegment;
    c.fs = static_cast<u16>(in.fs), c.gs = static_cast<u16>(in.gs);
    frame.flags = kFrameFlags;
}

void initial_fp_image(std::span<u8> image, u64 features)
{
    std::memset(image.data(), 0, image.size());
    put(image, kControlWord, kInitialControlWord);
    put(image, kMxcsr, kInitialMxcsr);
    put(image, kMxcsrMask, kMxcsrBits);
    sanitize_fp_image(image, features);
}

void sanitize_fp_image(std::span<u8> image, u64 features)
{
    auto const image_size = static_cast<u32>(image.size() - sizeof kFpMagic2);
    FpSoftwareBytes const software { kFpMagic1, static_cast<u32>(image.size()), features, image_size, {} };
    put(image, kFpSoftwareBytes, software);
    put(image, image_size, kFpMagic2);
    put(image, kMxcsr, get<u32>(image, kMxcsr) & kMxcsrBits);
    put(image, kHeader, get<u64>(image, kHeader) & features);
    std::memset(image.data() + kHeader + sizeof(u64), 0, kHeaderSize - sizeof(u64));
}

} // namespace umbra::x86_64
