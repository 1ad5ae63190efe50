// SPDX-License-Identifier: GPL-2.0-or-later
// Where things are in a stub's address space, and what the stub and the kernel say to each other.
// Read by the stub's assembly, by the freestanding zygote and by the backends, hence the macros.
//
// The guest owns everything below STUB_ZONE. Above it, in every stub:
//   image    read-execute, the same bytes in all stubs: signal entry, service loop, boot code
//   service  one page shared with the kernel: the batch that the leader executes next
//   vdso     the host's vDSO and its data, moved here: our vDSO calls into it
//   areas    one per guest thread, shared with the kernel: signal stack, and the segment bases to load
// Guest code can read and write service and areas. Nothing that it writes there is believed: see
// seccomp/stub-process.h for what the kernel checks.
#pragma once

#define STUB_ZONE 0x7ffe00000000
#define STUB_ZONE_END 0x7ffffffff000
#define STUB_IMAGE 0x7ffe00000000
#define STUB_SERVICE 0x7ffe00100000
#define STUB_CONTROL 0x7ffe00200000 /* zygote only: its orders */
#define STUB_ZYGOTE_STACK 0x7ffe00300000 /* zygote, and a stub until its filter is installed */
#define STUB_HOST_VDSO 0x7ffe01000000
#define STUB_AREAS 0x7ffe10000000

#define STUB_AREA_SIZE 0x4000 /* a power of two: the signal entry masks its stack pointer with it */
#define STUB_AREA_BASES 64 /* the last bytes of an area: fs base, gs base */

/* Offsets in the image of the addresses that the filter and the kernel know. */
#define STUB_OP_CALL 0x40 /* the system call that executes verified operations */
#define STUB_REPORT_CALL 0x48 /* the one that reports a frame */
#define STUB_SIGRETURN_CALL 0x50 /* the one native call: rt_sigreturn */
#define STUB_BREAKPOINT 0x58 /* traced stubs: where a thread stops after an operation */
#define STUB_PATCHED_CALL 0x80 /* where gates jump to hand a call over */
#define STUB_PATCHED_CALL_MADE 0xc0 /* there, the instruction that does it */
#define STUB_PATCHED_CALL_END 0x180

/* A number that no host has: its call only carries registers to the kernel. */
#define STUB_REPORT 0x70005ab1

/* The same of a gate's call: the thread waits for the answer to the call that it handed over. */
#define STUB_PARK 0x70005ab2

/* A call that is handed over: at the end of the service page. */
#define STUB_CALL_SLOT (STUB_SERVICE + 0xf00)
#define STUB_CALL_STATE 0
#define STUB_CALL_WATCHED 4
#define STUB_CALL_RETURN 8
#define STUB_CALL_NUMBER 16
#define STUB_CALL_ARGUMENTS 24
#define STUB_CALL_RESULT 72
#define STUB_CALL_IDLE 0
#define STUB_CALL_REQUESTED 1
#define STUB_CALL_TAKEN 2
#define STUB_CALL_PARKED 3
#define STUB_CALL_DONE 4
#define STUB_CALL_REFUSED 5

/* What the kernel answers to a report. */
#define STUB_RESUME 0
#define STUB_RESUME_WITH_BASES 1 /* load fs and gs base from the area by wrfsbase */
#define STUB_RESUME_WITH_BASE_CALLS 2 /* the same where the host has no FSGSBASE: by arch_prctl */
#define STUB_SET_COUNTER 3 /* prctl(PR_SET_TSC) with the first word of the area's tail, and report again */

#ifndef __ASSEMBLER__

#include <cstddef>

#include "core/base/types.h"

namespace umbra::stub {

constexpr u64 kZone = STUB_ZONE;
constexpr u64 kZoneEnd = STUB_ZONE_END;
constexpr u64 kImage = STUB_IMAGE;
constexpr u64 kService = STUB_SERVICE;
constexpr u64 kControl = STUB_CONTROL;
constexpr u64 kZygoteStack = STUB_ZYGOTE_STACK;
constexpr u64 kZygoteStackSize = 2 * kPageSize;
constexpr u64 kHostVdso = STUB_HOST_VDSO;
constexpr u64 kAreas = STUB_AREAS;
constexpr u64 kAreaSize = STUB_AREA_SIZE;
/// What a notification gives as instruction pointer: behind the two bytes of `syscall`.
constexpr u64 kOpIp = kImage + STUB_OP_CALL + 2;
constexpr u64 kReportIp = kImage + STUB_REPORT_CALL + 2;
constexpr u64 kSigreturnIp = kImage + STUB_SIGRETURN_CALL + 2;
constexpr u64 kBreakpoint = kImage + STUB_BREAKPOINT;
constexpr i32 kReportNumber = STUB_REPORT;
constexpr i32 kParkNumber = STUB_PARK;
constexpr u64 kPatchedCall = kImage + STUB_PATCHED_CALL;
constexpr u64 kPatchedCallMade = kImage + STUB_PATCHED_CALL_MADE;
constexpr u64 kPatchedCallEnd = kImage + STUB_PATCHED_CALL_END;
/// Where the zygote lives while it empties its address space; unused by any program loader.
constexpr u64 kStaging = 0x200000000000;
constexpr u64 kStagingVdso = kStaging + (1 << 20);
constexpr u64 kStagingSize = 8 << 20;

/// The host signal that asks a guest thread for its registers. The C library keeps the first real-time
/// signals.
constexpr int kKickSignal = 40;

enum class Resume : u32 {
    plain = STUB_RESUME,
    with_bases = STUB_RESUME_WITH_BASES,
    with_base_calls = STUB_RESUME_WITH_BASE_CALLS,
    set_counter = STUB_SET_COUNTER, ///< not yet: the thread reports once more
};

/// One host call that the leader executes after the kernel has compared every register with its own copy.
struct Op {
    u64 number;
    u64 args[6];
    bool operator==(Op const&) const = default;
};
static_assert(sizeof(Op) == 56);

/// In the place of a descriptor: none was asked for.
constexpr i32 kNoUserfault = INT32_MIN;

/// The page at kService. Written by the kernel before it answers the leader's report, or by the zygote's
/// child.
struct ServicePage {
    u32 op_count;
    u32 padding;
    Op ops[64];
    i32 listener; ///< by the new stub: its notification descriptor, or a negative errno
    i32 userfault; ///< by the new stub, before `listener`: the same of its userfaultfd; kNoUserfault
};
static_assert(sizeof(ServicePage) <= kPageSize);
constexpr u64 kMaxOps = sizeof(ServicePage::ops) / sizeof(Op);

/// How far a call has come that the guest hands over without a trap. Who is not named changes nothing.
enum class CallState : u32 {
    idle = STUB_CALL_IDLE,
    requested = STUB_CALL_REQUESTED, ///< by the guest; it takes it back to idle if nobody takes it
    taken = STUB_CALL_TAKEN, ///< by the kernel, which has read it
    parked
    = STUB_CALL_PARKED, ///< by the guest, as the answer took long, or by the kernel, from taken: the guest waits in a
    ///< notification, or is about to
    done = STUB_CALL_DONE, ///< by the kernel, from taken: the result is there
    refused = STUB_CALL_REFUSED, ///< by the kernel, from requested: this one needs a trap
};

/// At STUB_CALL_SLOT. All of it can be written by the guest at any time; the kernel reads each part once.
struct CallSlot {
    CallState state;
    u32 watched; ///< a vCPU watches: written by the kernel
    u64 gate_return;
    u64 number;
    u64 args[6];
    u64 result;
};
constexpr u64 kCallSlotOffset = STUB_CALL_SLOT - STUB_SERVICE;
static_assert(sizeof(ServicePage) <= kCallSlotOffset && kCallSlotOffset + sizeof(CallSlot) <= kPageSize);
static_assert(offsetof(CallSlot, watched) == STUB_CALL_WATCHED
    && offsetof(CallSlot, gate_return) == STUB_CALL_RETURN && offsetof(CallSlot, number) == STUB_CALL_NUMBER
    && offsetof(CallSlot, args) == STUB_CALL_ARGUMENTS && offsetof(CallSlot, result) == STUB_CALL_RESULT);

/// The last bytes of a thread's area.
struct AreaTail {
    u64 fs_base, gs_base; ///< the first is the mode, with Resume::set_counter
    u64 unused[6];
};
static_assert(sizeof(AreaTail) == STUB_AREA_BASES);

/// A part of the host's vDSO mapping: one line of /proc/self/maps.
struct VdsoPart {
    u64 start, end;
};
constexpr u32 kMaxVdsoParts = 6;

/// An order to the zygote: one new stub.
struct StubOrder {
    u64 service_offset; ///< of its service page in the area file
    i32 pid; ///< answer: the stub's process, or a negative errno
    i32 listener; ///< answer: its notification descriptor, shared with the kernel; negative errno; ptrace: 0
    i32 userfault; ///< answer: its userfaultfd, shared likewise; negative errno; kNoUserfault
};
constexpr u32 kMaxOrders = 32;

/// What a stub is at first, besides its memory.
enum class StubKind : u32 { filtered, traced };

/// The page at kControl: shared by kernel and zygote only.
struct Control {
    // The kernel writes these before the zygote starts.
    i32 image_fd, control_fd, area_fd;
    i32 order_event; ///< eventfd: the kernel wrote orders
    i32 done_event; ///< eventfd: the zygote filled in answers
    i32 kernel_pid;
    u64 image_size;
    StubKind kind;
    u32 filter_flags; ///< SECCOMP_FILTER_FLAG_*
    bool fsgsbase; ///< the host lets user code read and write segment bases
    bool userfault; ///< each stub makes a userfaultfd of its address space
    u32 vdso_part_count;
    VdsoPart vdso_parts[kMaxVdsoParts];
    u64 vdso_base; ///< start of the lowest part: it becomes kHostVdso
    // The zygote reports how its own start went.
    i32 boot_error; ///< a negative errno, with boot_step the step that failed
    i32 boot_step;
    u32 ready;
    // Orders: [answered, ordered) modulo kMaxOrders are open. Each side writes one counter.
    u32 ordered;
    u32 answered;
    u32 stop; ///< the kernel wants the zygote to end once it has answered everything
    StubOrder orders[kMaxOrders];
};
static_assert(sizeof(Control) <= kPageSize);

} // namespace umbra::stub

#endif
