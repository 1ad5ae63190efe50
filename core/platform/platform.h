// SPDX-License-Identifier: GPL-2.0-or-later
// What the ground beneath the kernel provides: guest address spaces, guest threads, memory banks, vCPU threads
// with one place to wait, clocks, fibers' stacks. In the manner of Linux's paravirt-ops: core calls these
// interfaces, arch-um (or core/platform/fake) implements them, and core never knows which.
//
// Pull model: core calls GuestThread::enter() and gets back a Trap. Nothing calls up into the kernel except the
// completions that VcpuPort::dispatch() runs with the kernel lock held.
#pragma once

#include <functional>
#include <memory>
#include <span>
#include <string>

#include "core/base/error.h"
#include "core/base/types.h"
#include "core/platform/registers.h"

namespace umbra::platform {

/// Something of the host's that can be mapped into a guest: a number on which the platform and the drivers agree
/// (a descriptor for backends that are host processes). Core only passes it on.
struct HostHandle : Strong<struct HostHandleTag, i32> {
    using Strong::Strong;
};
constexpr HostHandle kNoHandle { -1 };

enum class Protection : u8 { none = 0, read = 1, write = 2, execute = 4 };
constexpr Protection operator|(Protection a, Protection b) { return Protection(u8(a) | u8(b)); }
constexpr Protection operator&(Protection a, Protection b) { return Protection(u8(a) & u8(b)); }
constexpr bool has(Protection set, Protection bit) { return (u8(set) & u8(bit)) == u8(bit); }

/// Makes [start, start+length) of the guest show [offset, offset+length) of `source`, shared. Page-aligned.
/// Replaces whatever the range showed before.
struct Mapping {
    GuestAddr start;
    u64 length;
    Protection protection;
    HostHandle source;
    u64 offset;
    bool populate = false; ///< fill the host's page tables at once; the pages exist already
};
struct Range {
    GuestAddr start;
    u64 length;
};
struct ProtectRange {
    GuestAddr start;
    u64 length;
    Protection protection;
};

/// The kernel side of a vCPU: passed to every platform call that may wait for the guest.
/// Implemented by core's scheduler (and by tests).
class VcpuContext {
public:
    virtual ~VcpuContext() = default;
    /// Drops the kernel lock, sleeps in the vCPU's port until an event or `deadline` (CLOCK_MONOTONIC, ns, kNever for
    /// none), retakes the lock and dispatches what arrived. The caller checks its own condition and loops.
    virtual void wait(Nanoseconds deadline) = 0;
    /// True once core wants the vCPU back: enter() then stops the guest thread and returns `interrupted`.
    virtual bool attention() const = 0;
    /// The instant at which core wants the vCPU back without an event (end of a time slice), or kNever.
    virtual Nanoseconds attention_deadline() const = 0;
    virtual class VcpuPort& port() = 0;
};

/// The host side of a vCPU thread: the one place where it sleeps (law 2).
class VcpuPort {
public:
    virtual ~VcpuPort() = default;
    /// Sleeps until at least one event is there or `deadline` has passed. Called without the kernel lock. May return
    /// early. Returns at once if wake() was called since the last return.
    virtual void wait(Nanoseconds deadline) = 0;
    /// Sleeps until wake() is called, whatever events are there and wait for dispatch(). May return early, but each
    /// event lets it return early at most once. Called without the kernel lock, by who waits for that.
    virtual void wait_for_wake() = 0;
    /// Whether those whom the running task wakes had better wait until it sleeps than run on another vCPU: its calls cost
    /// little as long as a CPU is left for that. With the kernel lock, from its own thread.
    virtual bool wants_company() const { return false; }
    /// Runs the completions that have arrived, with the kernel lock held. Does not wait.
    virtual void dispatch() = 0;
    /// Makes a wait in progress (of both kinds), or the next one, return. From any thread, with or without the lock.
    virtual void wake() = 0;
};

enum class TrapKind : u8 {
    syscall, ///< the guest executed `syscall` (or int 0x80: `compat`)
    fault, ///< an access that what is mapped does not allow
    exception, ///< another CPU exception: divide error, breakpoint, single step, invalid opcode, ...
    interrupted, ///< attention: nothing happened in the guest
    died, ///< the host's thread or process is gone (killed from outside, or it broke a rule of the stub)
};

struct Trap {
    TrapKind kind = TrapKind::interrupted;
    // syscall
    bool compat = false; ///< came by a 32-bit entry: there is no 32-bit ABI, dispatch answers ENOSYS
    i64 number = 0;
    u64 args[6] = {};
    u64 instruction = 0; ///< address after the syscall instruction
    // fault, exception
    GuestAddr address; ///< fault: the address accessed; exception: the instruction
    Protection access = Protection::none; ///< fault: read, write or execute
    u8 vector = 0; ///< x86 exception vector (14 for fault)
    u32 error_code = 0; ///< x86 error code as the CPU pushed it
    /// exception: the si_code that Linux gives this exception (FPE_INTDIV, TRAP_BRKPT, ...). fault: 0, or BUS_ADRERR
    /// where something is mapped but the host has nothing behind it (a file that became shorter).
    i32 host_code = 0;
};

/// A guest thread: something that runs guest instructions in an address space. Owned by a task.
/// Every call is made with the kernel lock held, by the vCPU that runs the owning task.
class GuestThread {
public:
    virtual ~GuestThread() = default;

    /// Runs the guest from its registers until a trap, waiting in ctx. Drops the lock while the guest runs.
    /// Returns `interrupted` soon after ctx.attention() or ctx.attention_deadline().
    virtual Trap enter(VcpuContext& ctx) = 0;

    /// After a syscall trap: the value for rax. Cheap; must be called before enter() or registers() unless the
    /// registers themselves were changed. A syscall that is never answered stays with rax = its number.
    virtual void set_syscall_result(u64 value) = 0;

    /// The whole register file, readable and writable until the next enter(). May wait (the thread may have to be
    /// asked for it). After a syscall trap: rip is behind the instruction, orig_rax the number, rax the result set.
    /// Null when the thread has died. Once it has returned, further calls do not wait, and may come from another vCPU
    /// (a tracer's), until the next enter(); so may fp_state()'s.
    virtual Registers* registers(VcpuContext& ctx) = 0;

    /// The XSAVE image in Linux's signal-frame format (fpregset with xfeatures), readable and writable until the next
    /// enter(). May wait as registers() does. Empty when the thread has died.
    virtual std::span<u8> fp_state(VcpuContext& ctx) = 0;
    /// Sets the floating-point and vector state to what a new program starts with. May wait.
    virtual void reset_fp_state(VcpuContext& ctx) = 0;
    /// Copies registers and floating-point state of another thread (fork, clone). May wait on both.
    virtual Result<void> copy_state(VcpuContext& ctx, GuestThread& from) = 0;
    /// Single-steps the next enter() (for the guest's own ptrace). Default off.
    virtual void set_single_step(bool on) = 0;
    /// Whether the guest may read the CPU's time stamp counter: where it may not, `rdtsc` is a fault (vector 13).
    /// Default on. May wait as registers() does. err::srch when the thread has died; errors of the host, which may
    /// refuse it.
    virtual Result<void> set_time_stamp_counter(VcpuContext& ctx, bool readable) = 0;
    /// The host's id of the thread, for diagnostics and gdb.
    virtual i32 host_id() const = 0;
};

/// What a guest process can see. The kernel treats it as a cache of its page tables (a TLB): any part can be unmapped
/// at any time and comes back by a fault. Calls are synchronous and may wait; the kernel lock stays held.
class AddressSpace {
public:
    virtual ~AddressSpace() = default;
    /// All or nothing is not promised: on error (host limits) an unknown part of the batch is mapped.
    virtual Result<void> map(VcpuContext& ctx, std::span<Mapping const> batch) = 0;
    virtual Result<void> unmap(VcpuContext& ctx, std::span<Range const> batch) = 0;
    /// Changes what is mapped; every page of every range must be mapped.
    virtual Result<void> protect(VcpuContext& ctx, std::span<ProtectRange const> batch) = 0;
    /// A new thread in this space with all registers zero and initial floating-point state. May wait. ENOMEM, EAGAIN.
    /// The threads must be destroyed before the address space.
    virtual Result<std::unique_ptr<GuestThread>> create_thread(VcpuContext& ctx) = 0;
    /// The host's process id, for diagnostics and gdb; 0 where there is none.
    virtual i32 host_pid() const = 0;
    /// The gates in this space (patched-calls.h), each time that they change; null: there are none. The registers that
    /// core sees never show them: rip is at the call, or behind it.
    virtual void set_call_sites(std::shared_ptr<struct CallSites const> sites) { (void)sites; }
};

/// A bank of guest-physical memory: sparse, mapped once into the kernel at data().
class Bank {
public:
    virtual ~Bank() = default;
    virtual u8* data() = 0;
    virtual u64 size() const = 0;
    virtual HostHandle handle() const = 0;
    /// Gives the host's pages back; they read as zero afterwards. Never waits for the guest.
    virtual void discard(u64 offset, u64 length) = 0;
    /// Allocates zeroed pages in one batch. ENOMEM where the host has none.
    virtual Result<void> populate(u64 offset, u64 length) = 0;
};

/// Facts about the machine that core passes on to guests.
struct MachineInfo {
    u64 task_size; ///< first address that guests cannot use
    u64 hwcap, hwcap2; ///< AT_HWCAP, AT_HWCAP2
    u32 xsave_size; ///< bytes of fp_state(): the XSAVE image and the four of FP_XSTATE_MAGIC2 behind it
    u64 xsave_features; ///< the parts of that image, as bits of XCR0
    u64 min_address; ///< lowest mappable guest address (vm.mmap_min_addr of the host)
    std::string backend; ///< "seccomp", "ptrace", "fake"
    std::string cpuinfo_model;
    std::string host_cpuinfo; ///< text of the host's /proc/cpuinfo for one CPU, for the guest's
};

/// The coarse ones are of the host's last tick, as its vDSO shows them to guests: never ahead of, and less than a tick
/// behind, those that are exact.
enum class HostClock : u8 { realtime, monotonic, monotonic_raw, boottime, realtime_coarse, monotonic_coarse };

class Platform {
public:
    virtual ~Platform() = default;
    virtual MachineInfo const& machine() const = 0;
    virtual unsigned vcpu_count() const = 0;
    virtual VcpuPort& vcpu(unsigned index) = 0;
    /// Starts one host thread per vCPU, calls entry(i) on each (index 0 on the caller) and returns when all returned.
    virtual void run_vcpus(std::function<void(unsigned)> entry) = 0;

    virtual Result<std::unique_ptr<Bank>> create_bank(u64 size) = 0;
    /// A fresh, empty address space. May wait. ENOMEM, EAGAIN when the host refuses another process.
    virtual Result<std::unique_ptr<AddressSpace>> create_address_space(VcpuContext& ctx) = 0;

    /// Nanoseconds since the clock's epoch. Never waits.
    virtual Nanoseconds now(HostClock clock) = 0;
    virtual void random_bytes(std::span<u8> out) = 0;
    /// Gives the host back what the kernel's own heap does not use. Takes milliseconds.
    virtual void trim_heap() { }

    /// The vDSO: an ELF image, position independent, that core maps read-execute into every program, whole pages.
    virtual std::span<u8 const> vdso_image() = 0;

    /// A fiber's stack: `size` usable bytes aligned to `size` (a power of two), an unmapped guard page below. Returns
    /// the lowest usable address or nullptr. Never waits.
    virtual void* allocate_stack(u64 size) = 0;
    virtual void free_stack(void* base, u64 size) = 0;
};

} // namespace umbra::platform
