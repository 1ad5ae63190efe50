// SPDX-License-Identifier: GPL-2.0-or-later
// Hardware breakpoints and watchpoints of a traced thread, as a debugger sets them in the debug registers (ptrace(2),
// POKEUSER of u_debugreg; the processor's manual gives their layout).
//
// The host's debug registers are not to be had on every backend, so a watched page is kept from the guest instead. An
// access faults; the page is shown for one single step, the instruction is made, and the page is hidden again. What the
// step touched then says whether a register is hit. An access that begins before the watched bytes is noticed if it
// changes them; another thread's access during the step is not.
#pragma once

#include <array>
#include <vector>

#include "core/base/error.h"
#include "core/base/ref.h"
#include "core/platform/platform.h"

namespace umbra {

class Task;

namespace mm {
class AddressSpace;
}

class Watchpoints : public RefCounted {
public:
    static constexpr u64 kSlots = 4, kStatus = 6, kControl = 7;

    explicit Watchpoints(mm::AddressSpace& space);
    ~Watchpoints() override;
    Watchpoints(Watchpoints const&) = delete;

    /// The debug register `index`, 0 to 7; 4 and 5 are always 0.
    u64 get(u64 index) const;
    /// PTRACE_POKEUSER. EINVAL for an address that is not aligned to its length or not the guest's, for a kind that only
    /// ports have; EIO for the registers 4 and 5. May wait.
    Result<void> set(u64 index, u64 value);
    /// For good: the pages of the enabled registers are shown to the guest again. May wait.
    void release();

    /// A fault has made a watched page visible for the next instruction. True if the instruction is not to be made: a
    /// breakpoint is hit, and SIGTRAP pending. May wait.
    bool faulted(Task& task, platform::Trap const& trap);
    /// Whether the next instruction is a step for this class's sake.
    bool is_stepping() const { return !lent_.empty(); }
    /// The instruction will not be made now: a signal's handler comes first. May wait.
    void abandon_step(Task& task);
    /// The step is over, by whatever trap: hides the pages again, and sends SIGTRAP if a register is hit. True if so. May
    /// wait.
    bool stepped(Task& task);

private:
    enum class Kind : u8 { execute, write, port, access };
    struct Slot {
        u64 address = 0;
        Kind kind = Kind::execute;
        u64 length = 0; ///< bytes; 0: not enabled
        u64 before = 0; ///< what it held when the step began
        bool touched = false; ///< by the fault's own address
        bool covers(u64 at) const { return length && at >= address && at < address + length; }
    };

    static Result<std::array<Slot, kSlots>> decode(
        std::array<u64, kSlots> const& addresses, u64 control, u64 limit);
    void watch(std::array<Slot, kSlots> const& slots);
    u64 read(Slot const& slot) const;
    void end_step(Task& task, std::vector<u64> const& pages);
    void send_trap(Task& task, u64 hits);

    Ref<mm::AddressSpace> space_;
    std::array<u64, kSlots> addresses_ {};
    u64 status_ = 0, control_ = 0;
    std::array<Slot, kSlots> slots_ {};
    std::vector<u64> lent_; ///< page numbers shown for the step
    bool released_ = false;
    u64 passed_breakpoint_ = 0; ///< the instruction whose breakpoint was told of: it is made now
};

namespace tracing {
/// Sets whether the guest's next entry is a single step: for the tracer, or for a watchpoint.
void choose_stepping(Task& task);
/// The watchpoints go with the memory they watch (exec, exit). May wait.
void drop_watchpoints(Task& task);
} // namespace tracing

} // namespace umbra
