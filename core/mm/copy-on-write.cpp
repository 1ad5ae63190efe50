// SPDX-License-Identifier: GPL-2.0-or-later
// The first write to a page that others have as well: a private page of a file's, or one shared with a child since fork(2).
#include <array>
#include <bit>
#include <cstring>

#include "core/kernel.h"
#include "core/mm/address-space.h"
#include "core/mm/reservation.h"
#include "core/trace/trace.h"

namespace umbra::mm {

namespace {
constexpr u64 kMostCopied = 64; ///< pages of a large file area at once
constexpr u32 kEnoughBlocks = 16; ///< to tell how an area is written to
} // namespace

/// Which pages to copy when one of a large private file area is written to. That one alone, while writes are far apart; the block of
/// --fault-around where another page of it has been written to before. And where a quarter of the area's blocks came to that (a
/// compiler's precompiled header, in which second writes come late), a larger block. So a fault copies little that is not
/// needed, and dense writes cost few faults.
AddressSpace::Window AddressSpace::plan_copy(Vma& vma, u64 page)
{
    Window const alone { page, page + 1 };
    u64 const small = kernel_.options().fault_around >> kPageShift;
    if (small <= 1 || kernel_.memory().is_short()) return alone;
    auto block_of = [&](u64 size) {
        u64 const first = page & ~(size - 1);
        return Window { std::max(first, vma.start >> kPageShift),
            std::min(first + size, vma.end >> kPageShift) };
    };
    if (vma.copies_blocks) return block_of(kMostCopied);
    Window const block = block_of(std::min(small, kMostCopied));
    u64 written = 0;
    pages_.for_each(block.first, block.last, [&](u64, Pte& e) { written += e.present() && e.writable(); });
    if (written == 0) ++vma.blocks_written;
    if (written == 1) ++vma.blocks_written_again;
    vma.copies_blocks
        = vma.blocks_written >= kEnoughBlocks && vma.blocks_written_again * 4 > vma.blocks_written;
    return written ? block : alone;
}

/// Copies pages of [first, first + count) to the frames that `allocate` gives for them, and makes them the area's own: all of
/// them, or where memory is short `page` alone. Returns which. ENOMEM.
template <typename Source, typename Allocate>
Result<AddressSpace::Window> AddressSpace::copy_run(
    u64 page, Window const& run, Source source_of, Allocate allocate)
{
    auto& memory = kernel_.memory();
    std::array<Frame, kMostCopied> sources;
    // Making room for the copies may drop pages of files that nobody holds.
    for (u64 p = run.first; p < run.last; ++p) {
        sources[p - run.first] = source_of(p);
        memory.ref(sources[p - run.first]);
    }
    Window copied = run;
    Result<Frame> copies = allocate(copied);
    if (copies.is_error() && run.last - run.first > 1) copies = allocate(copied = { page, page + 1 });
    for (u64 p = copied.first; p < copied.last && copies.ok(); ++p) {
        Frame const copy = copies.value() + (p - copied.first);
        std::memcpy(memory.data(copy), memory.data(sources[p - run.first]), kPageSize);
        set_entry(p, Pte::make(copy, Pte::kWritable));
    }
    for (u64 p = run.first; p < run.last; ++p)
        memory.unref(sources[p - run.first]);
    TRY(std::move(copies));
    kernel_.trace().counters.pages_copied += copied.last - copied.first;
    return copied;
}

/// Copies the page, which shows `frame`, and those of its plan that are there and not the area's own. ENOMEM.
Result<void> AddressSpace::copy_pages(Vma& vma, u64 page, Frame frame, Window& window)
{
    auto& memory = kernel_.memory();
    auto source_of = [&](u64 p) {
        if (p == page) return frame;
        Pte const* e = pages_.find(p);
        if (!e || !e->present()) return vma.object->resident_page(vma.object_index(p));
        return e->writable() || memory.ref_count(e->frame()) == 1 ? Frame() : e->frame();
    };
    auto const run = run_around(page, plan_copy(vma, page), [&](u64 p) { return !source_of(p).is_null(); });
    window = TRY(copy_run(page, run, source_of,
        [&](Window const& of) { return allocate_run(of.last - of.first, FrameContent::any); }));
    return {};
}

/// In an area that is written to everywhere: copies the pages around one to where the stub has room for them already, so that
/// nothing has to be mapped, and a write that follows a read does not fault. Returns whether it did; where it may not or memory
/// is short, the page is left as it was. An error of the file's. May wait.
Result<bool> AddressSpace::copy_home(Vma& vma, u64 page, Window& window)
{
    if (!vma.copies_blocks || kernel_.memory().is_short() || !vma.allows(platform::Protection::write))
        return false;
    Reservation* const home = home_for(vma, page, kMostCopied);
    if (!home) return false;
    TRY(vma.object->page(vma.object_index(page), PageUse::read)); // from now on nothing waits
    auto source_of = [&](u64 p) { return vma.object->resident_page(vma.object_index(p)); };
    auto can_be_copied = [&](u64 p) {
        Pte const* e = pages_.find(p);
        return (!e || !e->bits) && home->can_claim(p, p + 1) && !source_of(p).is_null();
    };
    if (!can_be_copied(page)) return false;
    auto const run = run_around(page, plan_copy(vma, page), can_be_copied);
    auto const copied = copy_run(page, run, source_of, [&](Window const& of) -> Result<Frame> {
        TRY(kernel_.memory().claim(home->home(of.first), of.last - of.first));
        for (u64 p = of.first; p < of.last; ++p)
            home->unclaimed.reset(p - home->first);
        return home->home(of.first);
    });
    if (copied.is_error()) return false; // a read needs no frame of its own
    window = copied.value();
    return true;
}

Result<void> AddressSpace::copy_on_write(Vma& vma, u64 page, Window& window)
{
    auto& memory = kernel_.memory();
    // The reference is the entry's own: what an object has, it holds one on.
    auto is_lone = [&](Pte const& e) { return memory.ref_count(e.frame()) == 1; };
    Pte& entry = pages_.get(page);
    bool lone = is_lone(entry);
    auto same_kind = [&](u64 p) {
        Pte* e = pages_.find(p);
        return e && e->present() && !e->writable() && is_lone(*e) == lone;
    };
    bool const is_large_file = vma.object && vma.pages() << kPageShift > kernel_.options().fault_around;
    if (!lone && is_large_file) {
        ++kernel_.trace().counters.faults.copied;
        if (vma.owns(page, entry.frame())) return copy_pages(vma, page, entry.frame(), window);
        bool const is_copied = TRY(copy_home(vma, page, window));
        if (is_copied) return {};
        return copy_pages(vma, page, TRY(vma.object->page(vma.object_index(page), PageUse::read)), window);
    }
    bool const alone = is_large_file || (!lone && memory.is_short());
    Window plan = alone ? Window { page, page + 1 } : plan_window(vma, page, true);
    plan = run_around(page, plan, same_kind);
    auto& counters = kernel_.trace().counters;
    ++(lone ? counters.faults.regained : counters.faults.copied);
    if (lone) {
        for (u64 p = plan.first; p < plan.last; ++p)
            pages_.get(p).bits |= Pte::kWritable;
    } else {
        auto got = allocate_run(plan.last - plan.first, FrameContent::any);
        if (got.is_error() && plan.last - plan.first > 1) {
            plan = { page, page + 1 };
            got = memory.allocate(0, FrameContent::any);
        }
        Frame block = TRY(std::move(got));
        counters.pages_copied += plan.last - plan.first;
        for (u64 i = 0; i < plan.last - plan.first; ++i) {
            Pte& old = pages_.get(plan.first + i);
            std::memcpy(memory.data(block + i), memory.data(old.frame()), kPageSize);
            set_entry(plan.first + i, Pte::make(block + i, Pte::kWritable));
        }
    }
    vma.last_fault_end = plan.last;
    vma.fault_pages = u32(std::bit_ceil(plan.last - plan.first));
    window = plan;
    return {};
}

} // namespace umbra::mm
