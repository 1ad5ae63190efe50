// SPDX-License-Identifier: GPL-2.0-or-later
// Page faults: map much, trap rarely. A fault makes a block of pages present (16 to begin with, up to 512 under
// sequential use), in contiguous frames where it can, and shows it to the guest with as few host mappings as the
// frames allow. Called for guest faults and, with show only where pages were shown before, for the kernel's own access.
#include <algorithm>
#include <bit>
#include <cstring>

#include "core/abi/signal.h"
#include "core/kernel.h"
#include "core/mm/address-space.h"
#include "core/mm/show-plan.h"
#include "core/task/oom.h"
#include "core/task/scheduler.h"
#include "core/task/task.h"
#include "core/trace/trace.h"

namespace umbra::mm {

using platform::Protection;

namespace {
constexpr u64 kMaxWindow = u64 { 1 } << kMaxOrder;
/// How often the kernel's own access waits for memory, some 10 ms each.
constexpr unsigned kMaxReliefs = 100;

/// Readable and writable: what the homes of a reservation are mapped as.
bool is_plain(Vma const& vma) { return (vma.prot & 7) == 3; }
} // namespace

void AddressSpace::account(i64 pages)
{
    resident_ += pages;
    peak_resident_ = std::max(peak_resident_, resident_);
}

void AddressSpace::drop_entry(Pte& entry)
{
    if (entry.present()) {
        kernel_.memory().unref(entry.frame());
        account(-1);
    }
    entry.bits = 0;
}

void AddressSpace::set_entry(u64 page, Pte entry)
{
    Pte& slot = pages_.get(page);
    bool shown = slot.shown();
    if (slot.present())
        kernel_.memory().unref(slot.frame());
    else
        account(1);
    slot = entry;
    // What the stub shows is stale until show() replaces it; remember that it shows something.
    if (shown) slot.bits |= Pte::kShown;
}

AddressSpace::Window AddressSpace::plan_window(Vma& vma, u64 page, bool sequential) const
{
    u64 base = std::max<u64>(1, kernel_.options().fault_around >> kPageShift);
    u64 size = base;
    if (sequential && vma.fault_pages) {
        size = vma.fault_pages;
        if (page == vma.last_fault_end && base > 1)
            size = std::min(kMaxWindow, size * 2);
        else if (page != vma.last_fault_end)
            size = base;
        size = std::max(size, base);
    }
    if (vma.pages() <= size) return { vma.start >> kPageShift, vma.end >> kPageShift };
    // The aligned block of that size, as far as it lies in the area.
    u64 const first = page & ~(size - 1);
    return { std::max(first, vma.start >> kPageShift), std::min(first + size, vma.end >> kPageShift) };
}

/// Frames that follow each other, without the rest of the block that they come from. ENOMEM.
Result<Frame> AddressSpace::allocate_run(u64 count, FrameContent content)
{
    auto& memory = kernel_.memory();
    Frame const block = TRY(memory.allocate(unsigned(std::bit_width(count - 1)), content));
    for (u64 i = count; i < std::bit_ceil(count); ++i)
        memory.unref(block + i);
    return block;
}

/// Whether the page of a private area shows what the file has.
bool AddressSpace::is_clean(Vma const& vma, u64 page, Pte const& entry)
{
    u64 const address = page << kPageShift;
    if (!vma.object || address < vma.start || address >= vma.end) return false;
    return entry.present() ? !entry.writable() && !vma.owns(page, entry.frame()) : entry.host_file();
}

/// The reservation from which the page can be claimed; makes one if the block around the page is untouched and larger
/// than the `wanted` pages, which are mapped as cheaply by themselves. Pages that are the file's own do not count, and come back by
/// faults. Null: there is none. May wait.
Reservation* AddressSpace::home_for(Vma const& vma, u64 page, u64 wanted)
{
    if (!in_place_ || !is_plain(vma)) return nullptr;
    if (Reservation* r = reservations_.find(page)) return r->can_claim(page, page + 1) ? r : nullptr;
    auto const& machine = kernel_.platform().machine();
    for (u64 size = kMaxWindow; size > wanted && size > u64 { 1 } << kBatchOrder; size /= 2) {
        u64 first = page & ~(size - 1);
        if (first << kPageShift < machine.min_address || (first + size) << kPageShift > machine.task_size)
            continue;
        // The block may reach beyond the area: what has no entry is not shown, and faults there as anywhere else.
        bool untouched = !reservations_.overlaps(first, first + size);
        pages_.for_each(first, first + size, [&](u64 p, Pte& e) { untouched &= is_clean(vma, p, e); });
        if (!untouched) continue;
        auto& memory = kernel_.memory();
        auto [base, order] = memory.reserve(unsigned(__builtin_ctzll(size)));
        if (base.is_null()) return nullptr;
        size = u64 { 1 } << order; // it may be less
        first = page & ~(size - 1);
        platform::Mapping block { GuestAddr(first << kPageShift), size << kPageShift,
            vma.shown_protection(true), memory.handle(base), memory.offset(base) };
        ++kernel_.trace().counters.stub_maps;
        if (in_place_->prepare(*current().vcpu, block).ok()) {
            pages_.for_each(first, first + size, [&](u64, Pte& e) { drop_entry(e); });
            return &reservations_.add(first, size, base);
        }
        memory.unreserve(base, size);
        return nullptr;
    }
    return nullptr;
}

Result<void> AddressSpace::fill_anonymous(Vma& vma, u64 page, Window& window)
{
    auto& memory = kernel_.memory();
    window = plan_window(vma, page, true);
    Reservation* home = home_for(vma, page, window.last - window.first);
    window = run_around(page, window, [&](u64 p) {
        Pte const* e = pages_.find(p);
        return (!e || !e->bits) && (!home || home->can_claim(p, p + 1));
    });
    Frame block;
    for (;;) {
        u64 const count = window.last - window.first;
        Result<Frame> got = err::nomem;
        if (!home)
            got = allocate_run(count, FrameContent::zeroed);
        else if (auto claimed = memory.claim(home->home(window.first), count); claimed.is_error())
            got = claimed.error();
        else
            got = home->home(window.first);
        if (got.ok()) {
            block = got.value();
            break;
        }
        if (count == 1) return got.error();
        window = { page, page + 1 }; // memory is short: exactly what is needed
    }
    u64 const size = window.last - window.first;
    auto& counters = kernel_.trace().counters;
    ++counters.faults.anonymous, counters.pages_filled += size;
    for (u64 i = 0; i < size; ++i) {
        set_entry(window.first + i, Pte::make(block + i, Pte::kWritable));
        if (home) home->unclaimed.reset(window.first + i - home->first);
    }
    vma.last_fault_end = window.last;
    vma.fault_pages = u32(std::bit_ceil(size));
    return {};
}

Result<void> AddressSpace::fill_from_object(Vma& vma, u64 page, bool write, Window& window)
{
    auto& memory = kernel_.memory();
    ++kernel_.trace().counters.faults.file;
    bool const is_copied = TRY(copy_home(vma, page, window));
    if (is_copied) return {};
    Frame frame
        = TRY(vma.object->page(vma.object_index(page), vma.shared && write ? PageUse::write : PageUse::read));
    window = { page, page + 1 };
    if (!vma.shared && write) return copy_pages(vma, page, frame, window);
    memory.ref(frame);
    set_entry(page, Pte::make(frame, vma.shared && write ? u64(Pte::kWritable) : 0));
    window = add_neighbours(vma, page);
    return {};
}

/// Adds pages around one that the object holds already. They cost nothing but an entry, and those farther away, up to the more the
/// more faults the area has had, not even a mapping: their frames follow each other.
AddressSpace::Window AddressSpace::add_neighbours(Vma& vma, u64 page)
{
    auto add = [&](u64 p, auto is_right) {
        Pte const* have = pages_.find(p);
        if (have && have->bits) return false;
        Frame const frame = vma.object->resident_page(vma.object_index(p));
        if (frame.is_null() || !is_right(frame)) return false;
        kernel_.memory().ref(frame);
        set_entry(p, Pte::make(frame, 0));
        return true;
    };
    Window around = plan_window(vma, page, false);
    for (u64 p = around.first; p < around.last; ++p)
        if (p != page) add(p, [](Frame) { return true; });
    u64 const most = std::bit_floor(std::min<u64>(++vma.file_faults, kMaxWindow)), block = page & ~(most - 1);
    Window const limits { std::max(block, vma.start >> kPageShift),
        std::min(block + most, vma.end >> kPageShift) };
    auto frame_at = [&](u64 p) {
        Pte const* e = pages_.find(p);
        return e && e->present() ? e->frame() : Frame();
    };
    while (around.last < limits.last) {
        Frame const last = frame_at(around.last - 1);
        if (last.is_null() || !add(around.last, [&](Frame f) { return f == last + 1; })) break;
        ++around.last;
    }
    while (around.first > limits.first) {
        Frame const first = frame_at(around.first);
        if (first.is_null() || !add(around.first - 1, [&](Frame f) { return f + 1 == first; })) break;
        --around.first;
    }
    return around;
}

Result<void> AddressSpace::make_present(Vma& vma, u64 page, Protection access, Window& window)
{
    bool write = access == Protection::write;
    Pte* entry = pages_.find(page);
    if (!entry || !entry->present()) {
        if (!vma.object) return fill_anonymous(vma, page, window);
        return fill_from_object(vma, page, write, window);
    }
    if (write && !entry->writable()) {
        if (!vma.shared) return copy_on_write(vma, page, window);
        // The object may have made a page of its own out of one that it shared (an overlay's lower file).
        Frame frame = TRY(vma.object->page(vma.object_index(page), PageUse::write));
        kernel_.memory().ref(frame);
        set_entry(page, Pte::make(frame, Pte::kWritable));
        window = { page, page + 1 };
        return {};
    }
    ++kernel_.trace().counters.faults.shown;
    window = plan_window(vma, page, false);
    return {};
}

AddressSpace::Showing AddressSpace::how_to_show(Vma const& vma, u64 page, Pte const& entry, bool faulted)
{
    bool writable = entry.writable() && (vma.prot & 2);
    // Pages that the stub shows as they should be are left alone, except the one that faulted.
    bool right = entry.shown() && !entry.host_file() && entry.shown_writable() == writable;
    if (right && !faulted) return Showing::none;
    if (entry.guarded() && writable) return Showing::unguard;
    if (entry.shown() || !writable || !is_plain(vma)) return Showing::map;
    Reservation* r = reservations_.find(page);
    return r && r->is_mapped(page) && r->home(page) == entry.frame() ? Showing::fill : Showing::map;
}

/// Of watched pages only the one that a guest's access faulted on is shown.
Result<void> AddressSpace::show(Vma& vma, Window window, u64 page, bool to_guest)
{
    auto& memory = kernel_.memory();
    ShowPlan plan;
    auto add = [&](u64 p, Pte& e, Showing how) {
        bool writable = e.writable() && (vma.prot & 2);
        if (how == Showing::fill) plan.add_range(plan.fills, p, e.frame());
        if (how == Showing::unguard) plan.add_range(plan.unguards, p, e.frame());
        if (how == Showing::map)
            plan.add_map({ GuestAddr(p << kPageShift), kPageSize, vma.shown_protection(writable),
                memory.handle(e.frame()), memory.offset(e.frame()), true });
        e.clear_shown();
        e.bits |= Pte::kShown | (writable ? u64(Pte::kShownWritable) : 0);
    };
    for (u64 p = window.first; p < window.last; ++p) {
        Pte* e = pages_.find(p);
        if (!e || !e->present()) continue;
        if (is_watched(p) && !(to_guest && p == page)) continue;
        if (auto how = how_to_show(vma, p, *e, p == page); how != Showing::none) add(p, *e, how);
    }
    if (plan.carry_out(*stub_, in_place_).ok()) return {};
    // The host's limit of mappings: the stub is only a cache, so empty it and show the one page that is needed.
    hide(0, kernel_.platform().machine().task_size >> kPageShift);
    plan = {};
    if (is_watched(page) && !to_guest) return {};
    add(page, pages_.get(page), Showing::map);
    return plan.carry_out(*stub_, in_place_);
}

/// Shows the file behind a private or read-only area straight from the host: one mapping for all of the area's pages
/// that have no entry of their own.
bool AddressSpace::show_host_file(Vma& vma, u64 page)
{
    auto handle = vma.object->host_handle();
    if (handle == platform::kNoHandle) return false;
    u64 first = vma.start >> kPageShift, last = vma.end >> kPageShift;
    u64 object_pages = page_up(vma.object->size()) >> kPageShift;
    if (vma.object_index(page) >= object_pages || is_watched(first, last)) return false;
    last = std::min(last, first + (object_pages - std::min(object_pages, vma.object_page)));
    std::vector<platform::Mapping> batch;
    u64 at = first;
    auto add = [&](u64 from, u64 to) {
        if (from >= to) return;
        batch.push_back({ GuestAddr(from << kPageShift), (to - from) << kPageShift,
            vma.shown_protection(false), handle, vma.object_index(from) << kPageShift, false });
        for (u64 p = from; p < to; ++p)
            pages_.get(p).bits |= Pte::kShown | Pte::kHostFile;
    };
    pages_.for_each(first, last, [&](u64 p, Pte& e) {
        if (!e.present()) return;
        add(at, p);
        at = p + 1;
    });
    add(at, last);
    kernel_.trace().counters.stub_maps += batch.size();
    ++kernel_.trace().counters.faults.host_file;
    return stub_->map(*current().vcpu, batch).ok();
}

AddressSpace::FaultResult AddressSpace::fault_locked(
    GuestAddr address, Protection access, bool show_it, bool force)
{
    using namespace abi;
    Vma* vma = find(address.value);
    if (!vma) {
        vma = find_from(address.value);
        if (!vma || !vma->grows_down || expand_stack(*vma, address.value).is_error())
            return { sigsegv, segv_maperr };
    }
    bool allowed = vma->allows(access) || (force && (!vma->shared || access == Protection::read));
    if (!allowed) return { sigsegv, segv_accerr };
    u64 page = address.value >> kPageShift;
    Pte* entry = pages_.find(page);
    bool resident = entry && entry->present();
    if (!resident && vma->object) {
        bool const untouched = !entry || !entry->bits;
        if (untouched && show_it && show_image(*vma, page, access)) return {};
        if (untouched && !show_it && access == Protection::write) copy_image(*vma);
        if (show_it && access != Protection::write && show_host_file(*vma, page)) return {};
    }
    Window window { page, page + 1 };
    if (auto r = make_present(*vma, page, access, window); r.is_error()) {
        if (r.error() == err::nomem) return { sigkill, 0, true };
        return { sigbus, bus_adrerr };
    }
    // A guest fault shows the whole block. A kernel access has to as well if the guest sees any page of it: copying on
    // write may have put another frame in its place.
    bool in_sight = show_it;
    for (u64 p = window.first; p < window.last && !in_sight; ++p)
        if (Pte* e = pages_.find(p)) in_sight = e->shown();
    if (!in_sight) return {};
    // A stub that has died (EIO) is not short of memory: its process ends, and no other is killed for it.
    if (auto r = show(*vma, window, page, show_it); r.is_error())
        return { sigkill, 0, r.error() == err::nomem };
    return { 0, 0, false, show_it && is_watched(page) };
}

AddressSpace::FaultResult AddressSpace::fault(GuestAddr address, Protection access)
{
    SpaceGuard guard(lock);
    auto const result = fault_locked(address, access, true, false);
    kernel_.trace().counters.faults.refused += result.signal != 0;
    return result;
}

std::span<u8> AddressSpace::try_kernel_view(GuestAddr address, Protection access)
{
    Pte* entry = pages_.find(address.value >> kPageShift);
    if (!entry || !entry->present()) return {};
    if (access == Protection::write && !entry->writable()) return {};
    u64 within = address.value & kPageMask;
    // The area's protection rules, not the entry's: a writable page may lie in a read-only area.
    Vma* vma = find(address.value);
    if (!vma || !vma->allows(access)) return {};
    return { kernel_.memory().data(entry->frame()) + within, kPageSize - within };
}

std::span<u8> AddressSpace::try_kernel_run(GuestAddr address, Protection access, u64 most)
{
    if (address.value >= kernel_.platform().machine().task_size) return {};
    auto const first = try_kernel_view(address, access);
    if (first.empty() || first.size() >= most) return first;
    u64 const end = std::min(find(address.value)->end - address.value, most);
    u64 page = address.value >> kPageShift, length = first.size();
    for (Frame frame = pages_.find(page)->frame(); length < end; length += kPageSize) {
        Pte const* next = pages_.find(++page);
        if (!next || !next->present() || (access == Protection::write && !next->writable())) break;
        if (next->frame() != (frame = frame + 1)) break;
    }
    return { first.data(), length };
}

/// One try of kernel_view(), under the lock.
Result<std::span<u8>> AddressSpace::make_kernel_view(GuestAddr address, Protection access, bool force)
{
    Vma* vma = find(address.value);
    u64 const page = address.value >> kPageShift, within = address.value & kPageMask;
    auto in_page = [&](Frame frame) {
        return std::span<u8>(kernel_.memory().data(frame) + within, kPageSize - within);
    };
    if (vma && vma->object && access != Protection::write && (vma->allows(access) || force)) {
        // Read what the object holds without making the page ours.
        Pte* entry = pages_.find(page);
        if (!entry || !entry->present()) {
            auto frame = vma->object->page(vma->object_index(page), PageUse::read);
            if (frame.is_error()) return frame.error() == err::nomem ? err::nomem : err::fault;
            return in_page(frame.value());
        }
    }
    if (force && access == Protection::write) restore_calls(page << kPageShift, (page + 1) << kPageShift);
    auto const result = fault_locked(address, access, false, force);
    if (result.out_of_memory) return err::nomem;
    if (result.signal) return err::fault;
    Pte* entry = pages_.find(page);
    if (!force) return try_kernel_view(address, access);
    if (!entry || !entry->present()) return err::fault;
    return in_page(entry->frame());
}

Result<std::span<u8>> AddressSpace::kernel_view(GuestAddr address, Protection access, bool force)
{
    if (address.value >= kernel_.platform().machine().task_size) return err::fault;
    // As for a fault of the guest's own, memory that is short is made free; but whoever is to die for it may need what
    // the caller holds, so not for ever.
    for (unsigned tries = 0;;) {
        if (auto view = try_kernel_view(address, access); !view.empty()) return view;
        auto view = [&] {
            SpaceGuard guard(lock);
            return make_kernel_view(address, access, force);
        }();
        bool const is_short = view.is_error() && view.error() == err::nomem;
        if (is_short && tries++ < kMaxReliefs && relieve_memory(current())) continue;
        if (view.is_error() || !view.value().empty()) return view;
    }
}

} // namespace umbra::mm
