// SPDX-License-Identifier: GPL-2.0-or-later
// Programs and libraries. The parts of an image (text, constants, data, zeroes) are used together, by a program that is
// just being started: the first fault in one of them shows them all in one batch. Its data is copied at once, for a
// relocation or the program itself writes to it; each page by itself would cost two faults, worth twenty copies each.
#include <algorithm>
#include <cstring>

#include "core/kernel.h"
#include "core/mm/address-space.h"
#include "core/mm/show-plan.h"
#include "core/trace/trace.h"

namespace umbra::mm {

using platform::Protection;

namespace {
/// Areas of one image at most: five are usual.
constexpr size_t kMostAreas = 12;
/// A writable area with more pages is left to single faults, as is a larger area without a host file.
constexpr u64 kImagePages = 32;

bool is_part(Vma const& vma, MemoryObject const* object)
{
    return vma.object.get() == object && !vma.shared && !vma.attachment;
}

/// The zeroes behind the data.
bool is_bss(Vma const& vma)
{
    return !vma.object && (vma.prot & 7) == 3 && vma.label.empty() && !vma.grows_down;
}

bool is_copied(Vma const& vma) { return (vma.prot & 2) && vma.pages() <= kImagePages; }
} // namespace

/// The areas that show parts of the same file next to each other, and the bss behind them; none unless there is text.
std::vector<Vma*> AddressSpace::image_around(Vma& vma) const
{
    std::vector<Vma*> image;
    auto const& memory = kernel_.memory();
    if (!kernel_.options().image_faults || kernel_.options().fault_around <= kPageSize) return {};
    if (!is_part(vma, vma.object.get()) || memory.free() < memory.limit() / 16) return {};
    auto it = areas_.find(vma.start);
    while (it != areas_.begin() && std::prev(it)->second->end == it->first
        && is_part(*std::prev(it)->second, vma.object.get()))
        --it;
    bool has_text = false;
    u64 end = it->first;
    for (; it != areas_.end() && it->first == end && image.size() < kMostAreas; ++it) {
        Vma& area = *it->second;
        bool const part = is_part(area, vma.object.get());
        if (!part && !is_bss(area)) break;
        image.push_back(&area);
        has_text |= part && (area.prot & 4);
        end = area.end;
        if (!part) break;
    }
    if (!has_text) image.clear();
    return image;
}

/// Gives the writable areas pages of their own, in frames that follow each other where the pages do. May wait. ENOMEM.
Result<void> AddressSpace::copy_image_pages(std::vector<Vma*> const& image)
{
    auto& memory = kernel_.memory();
    auto& counters = kernel_.trace().counters;
    std::vector<std::pair<Vma*, u64>> missing;
    for (Vma* vma : image) {
        if (!is_copied(*vma)) continue;
        u64 const size = vma->object ? page_up(vma->object->size()) >> kPageShift : ~u64 { 0 };
        for (u64 page = vma->start >> kPageShift; page < vma->end >> kPageShift; ++page) {
            Pte const* e = pages_.find(page);
            if ((!e || !e->bits) && (!vma->object || vma->object_index(page) < size))
                missing.push_back({ vma, page });
        }
    }
    for (size_t at = 0; at < missing.size();) {
        size_t end = at + 1;
        while (end < missing.size() && missing[end].second == missing[end - 1].second + 1
            && end - at < kImagePages)
            ++end;
        Frame const block = TRY(allocate_run(end - at, FrameContent::zeroed));
        for (size_t i = at; i < end; ++i) {
            auto [vma, page] = missing[i];
            Frame const frame = block + (i - at);
            if (vma->object) {
                auto source = vma->object->page(vma->object_index(page), PageUse::read);
                if (source.is_error()) {
                    memory.unref(frame); // who touches it hears of it
                    continue;
                }
                std::memcpy(memory.data(frame), memory.data(source.value()), kPageSize);
            }
            set_entry(page, Pte::make(frame, Pte::kWritable));
            ++(vma->object ? counters.pages_copied : counters.pages_filled);
        }
        at = end;
    }
    return {};
}

void AddressSpace::plan_image_area(Vma& vma, ShowPlan& plan)
{
    auto& memory = kernel_.memory();
    u64 const first = vma.start >> kPageShift, last = vma.end >> kPageShift;
    bool const copied = is_copied(vma) || !vma.object;
    auto const handle = copied ? platform::kNoHandle : vma.object->host_handle();
    u64 const size = copied ? 0 : page_up(vma.object->size()) >> kPageShift;
    bool const is_small = last - first <= kImagePages;
    for (u64 page = first; page < last; ++page) {
        Pte* e = pages_.find(page);
        bool const missing = !e || !e->bits;
        if (missing && handle != platform::kNoHandle && vma.object_index(page) < size) {
            plan.add_map({ GuestAddr(page << kPageShift), kPageSize, vma.shown_protection(false), handle,
                vma.object_index(page) << kPageShift, false });
            pages_.get(page).bits |= Pte::kShown | Pte::kHostFile;
            continue;
        }
        if (missing && !copied && is_small && vma.object_index(page) < size) {
            Frame const frame = vma.object->resident_page(vma.object_index(page));
            if (frame.is_null()) continue;
            memory.ref(frame);
            set_entry(page, Pte::make(frame, 0));
            e = pages_.find(page);
        }
        if (!e || !e->present() || e->shown()) continue;
        bool const writable = e->writable() && (vma.prot & 2);
        plan.add_map({ GuestAddr(page << kPageShift), kPageSize, vma.shown_protection(writable),
            memory.handle(e->frame()), memory.offset(e->frame()), true });
        e->bits |= Pte::kShown | (writable ? u64(Pte::kShownWritable) : 0);
    }
}

/// The kernel writes into an image's data, as exec does to clear the end of the last page: all of it is copied.
void AddressSpace::copy_image(Vma& vma)
{
    if (is_copied(vma)) (void)copy_image_pages(image_around(vma)).ok(); // what is left out comes by faults
}

/// Whether that was all the fault needed.
bool AddressSpace::show_image(Vma& vma, u64 page, Protection access)
{
    bool const is_left_out
        = !is_copied(vma) && vma.pages() > kImagePages && vma.object->host_handle() == platform::kNoHandle;
    auto image = is_left_out ? std::vector<Vma*>() : image_around(vma);
    if (image.empty()) return false;
    u64 const first = image.front()->start >> kPageShift, last = image.back()->end >> kPageShift;
    if (is_watched(first, last) || copy_image_pages(image).is_error()) return false;
    ++kernel_.trace().counters.faults.image;
    ShowPlan plan;
    for (Vma* area : image)
        if (area->prot & 7) plan_image_area(*area, plan);
    if (Vma* area = find(vdso.value); area && area->object && !is_watched(vdso.value >> kPageShift))
        plan_image_area(*area, plan); // who starts asks it for the time, or looks for what it has
    if (plan.carry_out(*stub_, in_place_).is_error()) {
        hide(0, kernel_.platform().machine().task_size >> kPageShift); // the stub is only a cache
        return false;
    }
    Pte const* e = pages_.find(page);
    return e && e->shown() && (access != Protection::write || e->shown_writable());
}

} // namespace umbra::mm
