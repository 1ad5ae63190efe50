// SPDX-License-Identifier: GPL-2.0-or-later
// struct rt_sigframe of Linux's x86-64: return address (the restorer), ucontext with sigcontext, siginfo, and
// the XSAVE image above it, 64-byte aligned. Layouts are asserted; the source is Linux's uapi
// asm/sigcontext.h.
#include "arch-um/x86-64/signal-frame.h"

#include <cstddef>
#include <cstring>
#include <vector>

#include "core/kernel.h"
#include "core/mm/user.h"
#include "core/task/scheduler.h"

namespace umbra::x86 {

namespace {

using namespace abi;
using platform::Registers;

struct SigContext {
    u64 r8, r9, r10, r11, r12, r13, r14, r15, rdi, rsi, rbp, rbx, rdx, rax, rcx, rsp, rip, eflags;
    u16 cs, gs, fs, ss;
    u64 error, trapno, oldmask, cr2, fpstate;
    u64 reserved[8];
};
static_assert(sizeof(SigContext) == 256 && offsetof(SigContext, fpstate) == 184);

struct UContext {
    u64 flags, link;
    StackT stack;
    SigContext context;
    u64 mask;
};
static_assert(offsetof(UContext, context) == 40 && sizeof(UContext) == 304);

struct RtSigFrame {
    u64 restorer;
    UContext uc;
    SigInfo info;
};
static_assert(offsetof(RtSigFrame, uc) == 8 && offsetof(RtSigFrame, info) == 312);

constexpr u64 kUcFpXstate = 1, kUcSigcontextSs = 2, kUcStrictRestoreSs = 4;
constexpr u64 kRedZone = 128;
/// Flags that a handler may set for its return: CF PF AF ZF SF TF DF OF RF AC (Linux's FIX_EFLAGS).
constexpr u64 kUserFlags = 0x00050dd5;
constexpr u64 kTrapFlag = 0x100, kDirectionFlag = 0x400, kResumeFlag = 0x10000;

SigContext to_context(Registers const& r, Task const& task, u64 mask, u64 fpstate)
{
    SigContext c {};
    c.r8 = r.r8, c.r9 = r.r9, c.r10 = r.r10, c.r11 = r.r11, c.r12 = r.r12, c.r13 = r.r13, c.r14 = r.r14,
    c.r15 = r.r15;
    c.rdi = r.rdi, c.rsi = r.rsi, c.rbp = r.rbp, c.rbx = r.rbx, c.rdx = r.rdx, c.rax = r.rax, c.rcx = r.rcx;
    c.rsp = r.rsp, c.rip = r.rip, c.eflags = r.eflags;
    c.cs = platform::kUserCodeSegment, c.ss = platform::kUserDataSegment;
    if (task.last_fault.kind == platform::TrapKind::fault) {
        c.error = task.last_fault.error_code, c.trapno = 14, c.cr2 = task.last_fault.address.value;
    } else if (task.last_fault.kind == platform::TrapKind::exception) {
        c.error = task.last_fault.error_code, c.trapno = task.last_fault.vector;
    }
    c.oldmask = mask;
    c.fpstate = fpstate;
    return c;
}

void from_context(SigContext const& c, Registers& r)
{
    r.r8 = c.r8, r.r9 = c.r9, r.r10 = c.r10, r.r11 = c.r11, r.r12 = c.r12, r.r13 = c.r13, r.r14 = c.r14,
    r.r15 = c.r15;
    r.rdi = c.rdi, r.rsi = c.rsi, r.rbp = c.rbp, r.rbx = c.rbx, r.rdx = c.rdx, r.rax = c.rax, r.rcx = c.rcx;
    r.rsp = c.rsp, r.rip = c.rip;
    r.eflags = (r.eflags & ~kUserFlags) | (c.eflags & kUserFlags);
    // Only the flat 64-bit segments exist in a guest: whatever the frame says, they stay.
    r.cs = platform::kUserCodeSegment, r.ss = platform::kUserDataSegment;
    r.orig_rax = platform::kNoSyscall;
}

/// Takes over an XSAVE image from guest memory. The host's rt_sigreturn refuses a malformed one by killing
/// the stub thread, so what the CPU would fault on is corrected here: reserved MXCSR bits, unknown features,
/// header bytes.
void restore_fp_image(std::span<u8> to, std::span<u8 const> from)
{
    constexpr u64 kSoftwareBytes = 464, kHeader = 512, kHeaderSize = 64, kMxcsr = 24, kMagic2Size = 4;
    constexpr u32 kMxcsrMask = 0xffff;
    u64 known, wanted;
    std::memcpy(&known, to.data() + kSoftwareBytes + 8, sizeof known); // xfeatures of _fpx_sw_bytes
    std::vector<u8> software(to.begin() + kSoftwareBytes, to.begin() + kHeader);
    u64 body = to.size() - kMagic2Size;
    std::memcpy(to.data(), from.data(), kSoftwareBytes);
    bool extended = std::memcmp(from.data() + kSoftwareBytes, software.data(), 4) == 0;
    if (extended) {
        std::memcpy(to.data() + kHeader, from.data() + kHeader, body - kHeader);
        std::memcpy(&wanted, to.data() + kHeader, sizeof wanted);
    } else {
        wanted = 3; // x87 and SSE alone, as a frame of a program that built its own
    }
    wanted &= known;
    std::memset(to.data() + kHeader, 0, kHeaderSize);
    std::memcpy(to.data() + kHeader, &wanted, sizeof wanted);
    u32 mxcsr;
    std::memcpy(&mxcsr, to.data() + kMxcsr, sizeof mxcsr);
    mxcsr &= kMxcsrMask;
    std::memcpy(to.data() + kMxcsr, &mxcsr, sizeof mxcsr);
    std::memcpy(to.data() + kSoftwareBytes, software.data(), software.size());
}

/// The end of the host's user addresses. What lies between a guest's task size and it is the stub's own, but a guest
/// can jump there, and does: our vDSO calls the host's, and a signal may interrupt it there.
constexpr u64 kUserEnd = (u64 { 1 } << 47) - kPageSize;

class Frames final : public SignalFrames {
public:
    Result<void> push(Task& task, SigInfo const& info, KernelSigaction const& action, u64 mask) override;
    Result<void> restore(Task& task) override;
};

u64 choose_stack(Task& task, Registers const& regs, KernelSigaction const& action, bool& entered)
{
    StackT const& alt = task.alt_stack;
    bool on_it = regs.rsp > alt.sp && regs.rsp - alt.sp <= alt.size;
    bool usable = (action.flags & sa_onstack) && !(alt.flags & ss_disable);
    entered = usable && (!on_it || (u32(alt.flags) & ss_autodisarm));
    return entered ? alt.sp + alt.size : regs.rsp - kRedZone;
}

Result<void> Frames::push(Task& task, SigInfo const& info, KernelSigaction const& action, u64 mask)
{
    if (!(action.flags & sa_restorer)) return err::fault; // x86-64 has no other way back
    auto* regs = task.guest().registers(*task.vcpu);
    if (!regs) return err::fault;
    auto fp = task.guest().fp_state(*task.vcpu);
    bool entered = false;
    u64 sp = choose_stack(task, *regs, action, entered);
    u64 fp_at = (sp - fp.size()) & ~u64 { 63 };
    u64 frame_at = ((fp_at - sizeof(RtSigFrame)) & ~u64 { 15 }) - 8;
    bool on_alt = !(task.alt_stack.flags & ss_disable)
        && (entered
            || (regs->rsp > task.alt_stack.sp && regs->rsp - task.alt_stack.sp <= task.alt_stack.size));
    if (on_alt && frame_at < task.alt_stack.sp) return err::fault;
    RtSigFrame frame {};
    frame.restorer = action.restorer;
    frame.uc.flags = kUcFpXstate | kUcSigcontextSs | kUcStrictRestoreSs;
    frame.uc.stack = task.alt_stack;
    if (on_alt && !(u32(task.alt_stack.flags) & ss_autodisarm)) frame.uc.stack.flags |= ss_onstack;
    frame.uc.context = to_context(*regs, task, mask, fp_at);
    frame.uc.mask = mask;
    frame.info = info;
    TRY(copy_to_user(task, GuestAddr(fp_at), fp.data(), fp.size()));
    TRY(copy_to_user(task, GuestAddr(frame_at), &frame, sizeof frame));
    // The copies may have waited and the thread may have been asked for again: take the registers anew.
    regs = task.guest().registers(*task.vcpu);
    if (!regs) return err::fault;
    if (u32(task.alt_stack.flags) & ss_autodisarm) task.alt_stack = { 0, ss_disable, 0, 0 };
    regs->rdi = u64(info.signo);
    regs->rsi = frame_at + offsetof(RtSigFrame, info);
    regs->rdx = frame_at + offsetof(RtSigFrame, uc);
    regs->rax = 0;
    regs->rip = action.handler;
    regs->rsp = frame_at;
    regs->eflags &= ~(kTrapFlag | kDirectionFlag | kResumeFlag);
    regs->orig_rax = platform::kNoSyscall;
    return {};
}

Result<void> Frames::restore(Task& task)
{
    auto* regs = task.guest().registers(*task.vcpu);
    if (!regs) return err::fault;
    // The restorer's `ret` has popped the return address.
    UContext uc = TRY((UserIn<UContext> { GuestAddr(regs->rsp) }.copy_in(task)));
    auto fp = task.guest().fp_state(*task.vcpu);
    if (uc.context.fpstate) {
        if (uc.context.fpstate & 63) return err::fault;
        std::vector<u8> image(fp.size());
        TRY(copy_from_user(task, image.data(), GuestAddr(uc.context.fpstate), image.size()));
        fp = task.guest().fp_state(*task.vcpu);
        restore_fp_image(fp, image);
    } else {
        task.guest().reset_fp_state(*task.vcpu);
    }
    regs = task.guest().registers(*task.vcpu);
    if (!regs) return err::fault;
    if (uc.context.rip >= kUserEnd) {
        // Linux would fault on the way out; so does the guest, at an address that it cannot have.
        from_context(uc.context, *regs);
        return err::fault;
    }
    from_context(uc.context, *regs);
    task.blocked = uc.mask & ~(sigbit(sigkill) | sigbit(sigstop));
    StackT alt = uc.stack;
    alt.flags &= ~ss_onstack;
    // As in Linux, a bad stack in the frame is ignored.
    bool valid = (alt.flags & ss_disable) || alt.size >= minsigstksz;
    bool on_old = !(task.alt_stack.flags & ss_disable) && regs->rsp > task.alt_stack.sp
        && regs->rsp - task.alt_stack.sp <= task.alt_stack.size;
    if (valid && !on_old) task.alt_stack = alt.flags & ss_disable ? StackT { 0, ss_disable, 0, 0 } : alt;
    return {};
}

} // namespace

std::unique_ptr<SignalFrames> make_signal_frames() { return std::make_unique<Frames>(); }

} // namespace umbra::x86
