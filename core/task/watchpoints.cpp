// SPDX-License-Identifier: GPL-2.0-or-later
#include "core/task/watchpoints.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "core/abi/signal.h"
#include "core/kernel.h"
#include "core/mm/address-space.h"
#include "core/task/lifecycle.h"
#include "core/task/ptrace.h"
#include "core/task/scheduler.h"
#include "core/task/task.h"

namespace umbra {

using platform::Protection;

namespace {
constexpr u64 page_of(u64 address) { return address >> kPageShift; }
/// DR7 holds two enable bits a register from bit 0, and four bits of kind and length from bit 16.
constexpr u64 kEnableBits = 2, kEnableMask = 3, kKindShift = 16, kKindBits = 4;
constexpr std::array<u64, 4> kLengths = { 1, 2, 8, 4 };
/// Reserved bits of DR7, which read as they were written but for these (Linux masks them).
constexpr u64 kControlReserved = 0xffff'ffff'0000'fc00;
constexpr u64 kStatusOfStep = 0x4000; // DR6.BS
} // namespace

Watchpoints::Watchpoints(mm::AddressSpace& space)
    : space_(space)
{
}

Watchpoints::~Watchpoints() = default;

u64 Watchpoints::get(u64 index) const
{
    if (index < kSlots) return addresses_[index];
    if (index == kStatus) return status_;
    return index == kControl ? control_ : 0;
}

Result<std::array<Watchpoints::Slot, Watchpoints::kSlots>> Watchpoints::decode(
    std::array<u64, kSlots> const& addresses, u64 control, u64 limit)
{
    std::array<Slot, kSlots> slots;
    for (u64 i = 0; i < kSlots; ++i) {
        if (!(control >> (kEnableBits * i) & kEnableMask)) continue;
        u64 const bits = control >> (kKindShift + kKindBits * i);
        Slot& slot = slots[i];
        slot.address = addresses[i];
        slot.kind = Kind(bits & 3);
        slot.length = kLengths[bits >> 2 & 3];
        if (slot.kind == Kind::port || (slot.kind == Kind::execute && slot.length != 1)) return err::inval;
        if (slot.address % slot.length || slot.address >= limit) return err::inval;
    }
    return slots;
}

Result<void> Watchpoints::set(u64 index, u64 value)
{
    if (index == kStatus) {
        status_ = value;
        return {};
    }
    u64 const limit = space_->kernel().platform().machine().task_size;
    auto addresses = addresses_;
    u64 control = control_;
    if (index < kSlots) {
        if (value >= limit) return err::inval;
        addresses[index] = value;
    } else if (index == kControl) {
        control = value & ~kControlReserved;
    } else {
        return err::io;
    }
    watch(TRY(decode(addresses, control, limit)));
    addresses_ = addresses;
    control_ = control;
    if (released_) watch({}); // the thread ended meanwhile
    return {};
}

void Watchpoints::watch(std::array<Slot, kSlots> const& slots)
{
    // The new ones first: a page that stays watched is never shown in between.
    for (Slot const& slot : slots)
        if (slot.length) space_->watch(page_of(slot.address));
    auto old = std::exchange(slots_, slots);
    for (Slot const& slot : old)
        if (slot.length) space_->unwatch(page_of(slot.address));
}

void Watchpoints::release()
{
    released_ = true;
    lent_.clear();
    watch({});
}

u64 Watchpoints::read(Slot const& slot) const
{
    u64 value = 0;
    auto view = space_->kernel_view(GuestAddr(slot.address), Protection::read, true);
    if (view.ok()) std::memcpy(&value, view.value().data(), slot.length); // aligned: within its page
    return value;
}

bool Watchpoints::faulted(Task& task, platform::Trap const& trap)
{
    u64 const page = page_of(trap.address.value);
    auto const* regs = task.guest().registers(*task.vcpu);
    u64 const instruction = regs ? regs->rip : 0;
    if (trap.address.value == instruction && passed_breakpoint_ != instruction) {
        u64 hits = 0;
        for (u64 i = 0; i < kSlots; ++i)
            if (slots_[i].kind == Kind::execute && slots_[i].covers(instruction)) hits |= u64 { 1 } << i;
        if (hits) {
            space_->cover(page);
            passed_breakpoint_ = instruction;
            send_trap(task, hits);
            return true;
        }
    }
    if (std::find(lent_.begin(), lent_.end(), page) == lent_.end()) lent_.push_back(page);
    for (Slot& slot : slots_) {
        if (!slot.length || slot.kind == Kind::execute || page_of(slot.address) != page) continue;
        bool const counts = slot.kind == Kind::access || trap.access == Protection::write;
        slot.touched |= counts && slot.covers(trap.address.value);
        slot.before = read(slot);
    }
    tracing::choose_stepping(task);
    return false;
}

bool Watchpoints::stepped(Task& task)
{
    auto const pages = std::exchange(lent_, {});
    u64 hits = 0;
    for (u64 i = 0; i < kSlots; ++i) {
        Slot& slot = slots_[i];
        bool const lent
            = slot.length && std::find(pages.begin(), pages.end(), page_of(slot.address)) != pages.end();
        if (lent && slot.kind != Kind::execute && (slot.touched || read(slot) != slot.before))
            hits |= u64 { 1 } << i;
    }
    end_step(task, pages);
    passed_breakpoint_ = 0;
    if (hits) send_trap(task, hits);
    return hits != 0;
}

void Watchpoints::abandon_step(Task& task) { end_step(task, std::exchange(lent_, {})); }

void Watchpoints::end_step(Task& task, std::vector<u64> const& pages)
{
    for (Slot& slot : slots_)
        slot.touched = false;
    for (u64 page : pages)
        space_->cover(page);
    tracing::choose_stepping(task);
}

void Watchpoints::send_trap(Task& task, u64 hits)
{
    bool const stepping = task.tracee && task.tracee->single_step;
    status_ |= hits | (stepping ? kStatusOfStep : 0);
    auto const* regs = task.guest().registers(*task.vcpu);
    force_fault_signal(
        task, abi::sigtrap, stepping ? abi::trap_trace : abi::trap_hwbkpt, GuestAddr(regs ? regs->rip : 0));
}

namespace tracing {

void choose_stepping(Task& task)
{
    bool const for_tracer = task.tracee && task.tracee->tracer && task.tracee->single_step;
    task.guest().set_single_step(for_tracer || (task.watchpoints && task.watchpoints->is_stepping()));
}

void drop_watchpoints(Task& task)
{
    if (!task.watchpoints) return;
    Ref<Watchpoints> keep(*task.watchpoints);
    task.watchpoints = nullptr;
    keep->release();
}

} // namespace tracing
} // namespace umbra
