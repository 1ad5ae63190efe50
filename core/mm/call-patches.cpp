// SPDX-License-Identifier: GPL-2.0-or-later
// Patched system calls, the kernel's half: counting, putting jumps into a program's text and taking them out again.
// A page of text that is patched becomes the process's own, as by a debugger's breakpoint. It is patched while all
// threads of the address space are here: nobody executes the bytes, and who was about to go on within them goes on in
// the gate (platform/patched-calls.h). They are taken out again before anybody else can rely on them: before they can be
// written, move, are traced or dumped.
#include "core/mm/call-patches.h"

#include <algorithm>
#include <cstring>

#include "core/abi/mman.h"
#include "core/kernel.h"
#include "core/mm/address-space.h"
#include "core/task/process-table.h"
#include "core/task/scheduler.h"
#include "core/task/task.h"
#include "core/time/timekeeper.h"
#include "core/trace/trace.h"

namespace umbra::mm {

using platform::CallSite;
using platform::CallSites;
using platform::Protection;

namespace {
/// How much of the code around a call is searched for jumps to what its patch would take the place of.
constexpr u64 kSearched = 2048;
} // namespace

CallPatches::Counter& CallPatches::counter_of(u64 instruction)
{
    Row& row = counters[(instruction ^ instruction >> 7) % kRows];
    for (Counter& counter : row)
        if (counter.instruction == instruction) return counter;
    auto const by_use = [](Counter const& a, Counter const& b) {
        return std::pair(a.is_settled, a.calls) < std::pair(b.is_settled, b.calls);
    };
    Counter& least = *std::min_element(row.begin(), row.end(), by_use);
    return least = { .instruction = instruction, .since = Timekeeper::cycles() };
}

bool CallPatches::count(u64 instruction)
{
    Counter& counter = counter_of(instruction);
    if (counter.is_settled || ++counter.calls < kOften) return false;
    u64 const now = Timekeeper::cycles();
    counter.is_settled = now - counter.since < kSoon;
    counter.calls = 0;
    counter.since = now;
    return counter.is_settled;
}

/// Counts the plain call that ended before `instruction`, and patches it when its turn has come.
void AddressSpace::note_call(u64 instruction)
{
    if (!call_patches_) call_patches_ = std::make_unique<CallPatches>();
    if (!call_patches_->count(instruction)) return;
    u64 const call = instruction - platform::kSyscallInstructionLength;
    SpaceGuard guard(lock);
    auto const length = patchable_length(call);
    if (!length || is_traced()) return;
    // Without memory for it, it stays as it is.
    auto const done = patch_call(call, length);
    if (done.is_error() && done.error() == err::again) call_patches_->count_anew(instruction);
}

/// Whether a tracer looks at one of those who run here.
bool AddressSpace::is_traced() const
{
    auto const& tasks = kernel_.processes().tasks();
    return std::any_of(tasks.begin(), tasks.end(), [this](auto const& entry) {
        Task& task = *entry.second;
        return task.tracee && task.has_mm() && &task.mm() == this;
    });
}

/// Bytes that the call's gate would have to stand for; 0: it stays as it is. Under the lock.
u64 AddressSpace::patchable_length(u64 call)
{
    Vma const* vma = find(call);
    bool const is_text = vma && !vma->shared && vma->prot == (abi::prot_read | abi::prot_exec)
        && vma->start != vdso.value && vma->label.empty();
    if (!is_text || (call & kPageMask) + platform::kMostDisplaced > kPageSize) return 0;
    if (is_watched(call >> kPageShift)) return 0;
    u64 const first = std::max(vma->start, call - std::min(call, kSearched));
    u64 const last = std::min(vma->end, call + kSearched);
    std::vector<u8> code(last - first);
    for (u64 at = first; at < last;) {
        auto view = make_kernel_view(GuestAddr(at), Protection::read, false);
        if (view.is_error() || view.value().empty()) return 0;
        u64 const count = std::min<u64>(last - at, view.value().size());
        std::memcpy(&code[at - first], view.value().data(), count);
        at += count;
    }
    return kernel_.patched_calls()->displaced_length(code, call - first);
}

/// err::again: the code is being executed; err::nospc: no gate is left. May wait.
Result<void> AddressSpace::patch_call(u64 call, u64 length)
{
    CallSites all = call_patches_->copy();
    if (all.sites.size() == CallPatches::kMostSites) return err::nospc;
    if (all.sites.empty()) {
        MapRequest gates { .address = CallPatches::kGates,
            .length = CallPatches::kGatesLength,
            .prot = abi::prot_read | abi::prot_exec,
            .fixed = true,
            .no_replace = true,
            .label = "[gates]" };
        TRY(map_locked(gates));
        find(CallPatches::kGates)->sealed = true;
    }
    CallSite site { .call = call, .length = length, .is_patched = true };
    u64 const gate = all.gate(all.sites.size());
    TRY(own_code(gate));
    u8* const text = TRY(own_code(call));
    u8* const gate_code = TRY(own_code(gate)); // is there: nothing waits from here on
    if (kernel_.scheduler().others_run_in(*this)) return err::again;
    std::memcpy(site.original, text, length);
    std::array<u8, platform::kGateSize> code;
    kernel_.patched_calls()->make_gate(code, gate, site);
    std::memcpy(gate_code, code.data(), code.size());
    auto const jump = kernel_.patched_calls()->make_jump(gate);
    all.sites.push_back(site);
    publish(std::move(all));
    std::memcpy(text, jump.data(), jump.size());
    ++kernel_.trace().counters.calls_patched;
    return {};
}

/// The bytes at an address of code, in a page that is nobody else's: shown to the guest if it was. Until the next wait.
Result<u8*> AddressSpace::own_code(u64 address)
{
    Pte const* entry = pages_.find(address >> kPageShift);
    if (!entry || !entry->present() || !entry->writable()) {
        auto const result = fault_locked(GuestAddr(address), Protection::write, false, true);
        if (result.out_of_memory) return err::nomem;
        if (result.signal) return err::fault;
        entry = pages_.find(address >> kPageShift);
    }
    return kernel_.memory().data(entry->frame()) + (address & kPageMask);
}

void AddressSpace::publish(CallSites sites)
{
    call_patches_->sites = std::make_shared<CallSites const>(std::move(sites));
    stub_->set_call_sites(call_patches_->sites);
}

/// Puts the code of [start, end) back as it was. Gates stay: threads may be in them. Under the lock. May wait.
void AddressSpace::restore_calls(u64 start, u64 end)
{
    if (!has_patches(start, end)) return;
    CallSites all = call_patches_->copy();
    for (CallSite& site : all.sites)
        if (site.is_patched && site.call >= start && site.call < end)
            site.is_patched = restore_call(site).is_error();
    publish(std::move(all));
}

Result<void> AddressSpace::restore_call(CallSite const& site)
{
    u64 const page = site.call >> kPageShift, within = site.call & kPageMask;
    Pte const* entry = pages_.find(page);
    if (!entry || !entry->present()) return {};
    auto& memory = kernel_.memory();
    bool const is_own = users <= 1 && current().has_mm() && &current().mm() == this;
    if (is_own && entry->writable()) {
        std::memcpy(memory.data(entry->frame()) + within, site.original, site.length);
        return {};
    }
    // Other threads may execute it: they see the one page or the other.
    Frame const frame = TRY(memory.allocate(0, FrameContent::any));
    std::memcpy(memory.data(frame), memory.data(entry->frame()), kPageSize);
    std::memcpy(memory.data(frame) + within, site.original, site.length);
    bool const was_shown = entry->shown();
    set_entry(page, Pte::make(frame, Pte::kWritable));
    return was_shown ? show(*find(site.call), { page, page + 1 }, page, false) : Result<void> {};
}

bool AddressSpace::has_patches(u64 start, u64 end) const
{
    if (!call_patches_ || !call_patches_->sites) return false;
    auto const& sites = call_patches_->sites->sites;
    return std::any_of(sites.begin(), sites.end(),
        [&](auto const& site) { return site.is_patched && site.call >= start && site.call < end; });
}

/// The pages of [start, end) go, and what was patched in them.
void AddressSpace::forget_calls(u64 start, u64 end)
{
    if (!has_patches(start, end)) return;
    CallSites all = call_patches_->copy();
    for (CallSite& site : all.sites)
        if (site.call >= start && site.call < end) site.is_patched = false;
    publish(std::move(all));
}

void AddressSpace::unpatch_calls()
{
    SpaceGuard guard(lock);
    restore_calls(0, kernel_.platform().machine().task_size);
}

} // namespace umbra::mm
