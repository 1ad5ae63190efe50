// SPDX-License-Identifier: GPL-2.0-or-later
// The first write to a page that others have as well: a private page of a file's, or one shared with a child since fork(2).
#include <array>
#include <bit>
#include <cstring>

#include "core/kernel.h"
#include "core/mm/address-space.h"
#include "core/trace/trace.h"

namespace umbra::mm {

namespace {
constexpr u64 kMostCopied = 16; ///< pages of a large file area at once
}

/// Which pages to copy when one of a large private file area is written to. That one alone, while writes are far apart; the
/// block around it where another page of the block has been written to before, and where most blocks of the area came to that
/// (a compiler's precompiled header). So a fault copies little that is not needed, and dense writes cost few faults.
AddressSpace::Window AddressSpace::plan_copy(Vma& vma, u64 page)
{
    Window const alone { page, page + 1 };
    u64 const size = std::min(kMostCopied, kernel_.options().fault_around >> kPageShift);
    if (size <= 1 || kernel_.memory().is_short()) return alone;
    u64 const first = page & ~(size - 1);
    Window const block { std::max(first, vma.start >> kPageShift), std::min(first + size, vma.end >> kPageShift) };
    u64 written = 0;
    pages_.for_each(block.first, block.last, [&](u64, Pte& e) { written += e.present() && e.writable(); });
    if (written > 1 || vma.copies_blocks) return block;
    ++(written ? vma.blocks_written_again : vma.blocks_written);
    constexpr u32 enough = 16; // to tell
    vma.copies_blocks = vma.blocks_written >= enough && vma.blocks_written_again * 2 > vma.blocks_written;
    return written ? block : alone;
}

/// Copies the page, which shows `frame`, and those of its plan that are there and not the area's own. ENOMEM.
Result<void> AddressSpace::copy_pages(Vma& vma, u64 page, Frame frame, Window& window)
{
    auto& memory = kernel_.memory();
    std::array<Frame, kMostCopied> sources;
    auto source_of = [&](u64 p) {
        Pte const* e = pages_.find(p);
        if (!e || !e->present()) return vma.object->resident_page(vma.object_index(p));
        return e->writable() || memory.ref_count(e->frame()) == 1 ? Frame() : e->frame();
    };
    window = run_around(page, plan_copy(vma, page), [&](u64 p) { return !source_of(p).is_null(); });
    u64 const count = window.last - window.first;
    // Making room for the copies may drop pages of files that nobody holds.
    for (u64 i = 0; i < count; ++i) {
        sources[i] = window.first + i == page ? frame : source_of(window.first + i);
        memory.ref(sources[i]);
    }
    auto copies = allocate_run(count, FrameContent::any);
    u64 first = 0, last = count;
    if (copies.is_error() && count > 1) { // memory is short: exactly what is needed
        first = page - window.first, last = first + 1;
        copies = memory.allocate(0, FrameContent::any);
    }
    for (u64 i = first; i < last && copies.ok(); ++i) {
        Frame const copy = copies.value() + (i - first);
        std::memcpy(memory.data(copy), memory.data(sources[i]), kPageSize);
        set_entry(window.first + i, Pte::make(copy, Pte::kWritable));
    }
    for (u64 i = 0; i < count; ++i)
        memory.unref(sources[i]);
    TRY(std::move(copies));
    window = { window.first + first, window.first + last };
    kernel_.trace().counters.pages_copied += last - first;
    return {};
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
        return copy_pages(vma, page, entry.frame(), window);
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
