// SPDX-License-Identifier: GPL-2.0-or-later
// The signal frame that the host pushes and rt_sigreturn takes (Linux's struct rt_sigframe and
// sigcontext_64), and its copying from and to the registers that core sees. The frame lies in memory that
// guest code can write while we read it: every value is only a register value, every pointer in it is
// checked, nothing is read twice.
#pragma once

#include <span>

#include "core/base/types.h"
#include "core/platform/registers.h"

namespace umbra::x86_64 {

struct HostSigcontext {
    u64 r8, r9, r10, r11, r12, r13, r14, r15;
    u64 rdi, rsi, rbp, rbx, rdx, rax, rcx, rsp, rip, eflags;
    u16 cs, gs, fs, ss;
    u64 error_code, trap_number, old_mask, cr2;
    u64 fp_state; ///< address of the XSAVE image, or 0: the initial state
    u64 reserved[8];
};
static_assert(sizeof(HostSigcontext) == 256);

struct HostSiginfo {
    i32 number, error, code, padding;
    union {
        u64 address; ///< of a fault
        struct {
            u64 call_address;
            i32 number;
            u32 arch;
        } syscall; ///< SIGSYS
        u8 bytes[112];
    };
};
static_assert(sizeof(HostSiginfo) == 128);

struct HostFrame {
    u64 return_address;
    u64 flags;
    u64 link;
    u64 stack_pointer;
    i32 stack_flags, stack_padding;
    u64 stack_size;
    HostSigcontext context;
    u64 mask;
    HostSiginfo info;
};
static_assert(sizeof(HostFrame) == 440);
static_assert(offsetof(HostFrame, context) == 48 && offsetof(HostFrame, mask) == 304
    && offsetof(HostFrame, info) == 312);

constexpr u32 kFpMagic1 = 0x46505853;
constexpr u32 kFpMagic2 = 0x46505845;
constexpr u64 kFpSoftwareBytes = 464; ///< where the legacy area keeps what the host adds
constexpr u64 kFpAlignment = 64;

/// The software-reserved bytes of the legacy area (struct _fpx_sw_bytes).
struct FpSoftwareBytes {
    u32 magic1;
    u32 extended_size; ///< image and magic2
    u64 features;
    u32 image_size;
    u32 padding[7];
};
static_assert(sizeof(FpSoftwareBytes) == 48);

/// Size of the image that core sees: the XSAVE image of `xsave_size` bytes and magic2 behind it.
constexpr u64 fp_image_size(u32 xsave_size) { return xsave_size + sizeof(u32); }

/// Copies the general registers. The segment bases are not in a frame, orig_rax neither: they keep their
/// values.
void load_registers(HostFrame const& frame, platform::Registers& out);
void store_registers(platform::Registers const& in, HostFrame& frame);

/// Makes `image` (fp_image_size bytes) the state that a new program starts with.
void initial_fp_image(std::span<u8> image, u64 features);
/// Puts magic numbers, sizes and features in order and clears what XRSTOR would refuse, so that an image that
/// guest code or a debugger made up neither faults in the host nor shows core a wrong size.
void sanitize_fp_image(std::span<u8> image, u64 features);

} // namespace umbra::x86_64
