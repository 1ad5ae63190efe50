// SPDX-License-Identifier: GPL-2.0-or-later
// fork(2) of an address space. Frames are shared and copied on the first write, as everywhere; but a trap costs as
// much as copying twenty pages. So the few pages of small areas (a stack's end, a program's data), which both sides
// write to at once, are copied here, and the child's stub is shown in one batch what the parent's shows.
#include <algorithm>
#include <bit>
#include <cstring>

#include "core/abi/prctl.h"
#include "core/kernel.h"
#include "core/mm/address-space.h"
#include "core/mm/call-patches.h"
#include "core/task/scheduler.h"
#include "core/task/task.h"
#include "core/trace/trace.h"

namespace umbra::mm {

namespace {
/// Pages copied at most: of an area (one with more is shared whole), and of all.
struct CopyBudget {
    u64 area_pages, pages;
};
/// A process that only forks and waits needs few of its pages: where memory is short, many such fit in.
CopyBudget budget_for(PhysicalMemory const& memory)
{
    if (memory.is_short()) return { 0, 0 };
    return memory.free() < memory.limit() / 2 ? CopyBudget { 16, 48 } : CopyBudget { 48, 128 };
}
/// Mappings that the child's stub starts with at most: each costs the host a call, needed or not.
constexpr u64 kShownMappings = 32;
/// A larger file mapping is left to faults: each of its pages would need an entry.
constexpr u64 kShownFilePages = 4096;
} // namespace

std::unique_ptr<Vma> Vma::copy() const
{
    auto v = std::make_unique<Vma>();
    v->start = start, v->end = end, v->prot = prot, v->shared = shared;
    v->shared_anonymous = shared_anonymous;
    v->grows_down = grows_down, v->locked = locked, v->sealed = sealed, v->dont_fork = dont_fork;
    v->wipe_on_fork = wipe_on_fork, v->dont_dump = dont_dump, v->may_write = may_write;
    v->object = object, v->object_page = object_page, v->path = path, v->label = label;
    v->attachment = attachment, v->anonymous_name = anonymous_name, v->policy = policy;
    return v;
}

/// What has to be done to the two stubs, collected area by area.
class ForkPlan {
public:
    ForkPlan(AddressSpace& parent, AddressSpace& child)
        : parent_(parent)
        , child_(child)
        , memory_(parent.kernel_.memory())
        , guards_(parent.in_place_ && parent.in_place_->can_guard())
        , budget_(budget_for(memory_))
    {
    }

    void add(Vma& area)
    {
        bool const copied = !area.shared && copy_pages(area);
        u64 const first = area.start >> kPageShift, last = area.end >> kPageShift;
        parent_.pages_.for_each(first, last, [&](u64 page, Pte& e) {
            if (e.present())
                add_page(area, page, e, copied && e.writable());
            else if (e.host_file() && !area.shared && area.pages() <= kShownFilePages)
                show(area, page, area.object->host_handle(), area.object_index(page) << kPageShift,
                    Pte::kHostFile);
        });
    }

    /// The stubs are caches: what cannot be done there comes by faults.
    void carry_out()
    {
        auto& vcpu = *current().vcpu;
        auto& counters = parent_.kernel_.trace().counters;
        (guards_ ? counters.in_place : counters.stub_protects) += protects_.size();
        counters.stub_maps += shows_.size();
        u64 const end = parent_.kernel_.platform().machine().task_size >> kPageShift;
        if (take_write_permission().is_error()) parent_.hide(0, end);
        if (!shows_.empty() && child_.stub_->map(vcpu, shows_).is_error()) child_.hide(0, end);
    }

private:
    /// Gives the child copies of an area's written pages if they are few. Contiguous pages get contiguous frames.
    bool copy_pages(Vma& area)
    {
        std::vector<u64> pages;
        parent_.pages_.for_each(area.start >> kPageShift, area.end >> kPageShift, [&](u64 page, Pte& e) {
            if (e.present() && e.writable() && pages.size() <= budget_.area_pages) pages.push_back(page);
        });
        if (pages.empty() || pages.size() > std::min(budget_.area_pages, budget_.pages)) return false;
        for (size_t at = 0; at < pages.size();) {
            size_t run = 1;
            while (at + run < pages.size() && pages[at + run] == pages[at] + run)
                ++run;
            if (!copy_run(pages[at], run)) {
                // The child has some already: they are taken back, and all are shared.
                for (size_t i = 0; i < at; ++i)
                    child_.drop_entry(child_.pages_.get(pages[i]));
                return false;
            }
            at += run;
        }
        budget_.pages -= pages.size();
        parent_.kernel_.trace().counters.pages_copied += pages.size();
        return true;
    }

    bool copy_run(u64 page, u64 count)
    {
        auto block = memory_.allocate(unsigned(std::bit_width(count - 1)), FrameContent::any);
        if (block.is_error()) return false;
        for (u64 i = 0; i < count; ++i) {
            Frame const frame = block.value() + i;
            std::memcpy(memory_.data(frame), memory_.data(parent_.pages_.get(page + i).frame()), kPageSize);
            child_.set_entry(page + i, Pte::make(frame, Pte::kWritable));
        }
        for (u64 i = count; i < std::bit_ceil(count); ++i)
            memory_.unref(block.value() + i);
        return true;
    }

    void add_page(Vma& area, u64 page, Pte& e, bool copied)
    {
        // Shared file pages come back by a fault; anonymous and copied ones must not be lost.
        if (area.shared && area.object) return;
        bool const was_shown = e.shown() && !e.host_file();
        if (!copied) {
            if (!area.shared) write_protect(area, page, e);
            memory_.ref(e.frame());
            child_.set_entry(page, Pte::make(e.frame(), e.bits & Pte::kWritable));
        }
        if (!was_shown) return;
        Frame const frame = child_.pages_.get(page).frame();
        show(area, page, memory_.handle(frame), memory_.offset(frame), 0);
    }

    Result<void> take_write_permission() const
    {
        if (protects_.empty()) return {};
        if (!guards_) return parent_.stub_->protect(*current().vcpu, protects_);
        std::vector<platform::Range> ranges;
        for (auto const& r : protects_)
            ranges.push_back({ r.start, r.length });
        return parent_.in_place_->guard(ranges);
    }

    void write_protect(Vma& area, u64 page, Pte& e)
    {
        e.bits &= ~u64(Pte::kWritable);
        if (!e.shown_writable()) return;
        e.bits &= ~u64(Pte::kShownWritable);
        if (guards_) e.bits |= Pte::kGuarded;
        auto const protection = area.shown_protection(false);
        // One host mapping at a time, where frames follow each other: some hosts guard no more in one go.
        bool const goes_on = !protects_.empty() && protects_.back().protection == protection
            && (!guards_ || e.frame() == next_protected_)
            && protects_.back().start.value + protects_.back().length == page << kPageShift;
        if (goes_on)
            protects_.back().length += kPageSize;
        else
            protects_.push_back({ GuestAddr(page << kPageShift), kPageSize, protection });
        next_protected_ = e.frame() + 1;
    }

    void show(Vma& area, u64 page, platform::HostHandle source, u64 offset, u64 flags)
    {
        Pte& entry = child_.pages_.get(page);
        bool const writable = entry.present() && entry.writable() && (area.prot & 2);
        GuestAddr const address(page << kPageShift);
        auto const protection = area.shown_protection(writable);
        auto* last = shows_.empty() ? nullptr : &shows_.back();
        if (last && last->start + last->length == address && last->source == source
            && last->offset + last->length == offset && last->protection == protection)
            last->length += kPageSize;
        else if (shows_.size() < kShownMappings)
            shows_.push_back({ address, kPageSize, protection, source, offset });
        else
            return;
        entry.bits |= Pte::kShown | flags | (writable ? u64(Pte::kShownWritable) : 0);
    }

    AddressSpace& parent_;
    AddressSpace& child_;
    PhysicalMemory& memory_;
    bool const guards_; ///< the write permission is taken in place
    Frame next_protected_; ///< behind the page that was added to protects_ last
    CopyBudget budget_; ///< what is left of it
    std::vector<platform::ProtectRange> protects_;
    std::vector<platform::Mapping> shows_;
};

Result<Ref<AddressSpace>> AddressSpace::fork()
{
    auto child = TRY(create(kernel_));
    SpaceGuard guard(lock);
    ForkPlan plan(*this, *child);
    for (auto& [start, vma] : areas_) {
        if (vma->dont_fork) continue;
        auto copy = vma->copy();
        copy->locked = false;
        child->insert(std::move(copy));
        if (!vma->wipe_on_fork) plan.add(*vma);
    }
    plan.carry_out();
    if (executable_) child->set_executable(*executable_);
    child->write_or_execute = write_or_execute & abi::mdwe_no_inherit ? 0 : write_or_execute;
    child->break_start_ = break_start_, child->break_end_ = break_end_, child->mmap_base_ = mmap_base_;
    child->vdso = vdso, child->auxv = auxv;
    child->arguments_start = arguments_start, child->arguments_end = arguments_end;
    child->environment_start = environment_start, child->environment_end = environment_end;
    child->stack_start = stack_start, child->code_start = code_start, child->code_end = code_end;
    child->data_start = data_start, child->data_end = data_end;
    child->limit_address_space = limit_address_space, child->limit_data = limit_data;
    child->limit_stack = limit_stack, child->limit_memlock = limit_memlock;
    child->dump_filter = dump_filter;
    if (call_patches_ && call_patches_->sites) {
        child->call_patches_ = std::make_unique<CallPatches>();
        child->publish(call_patches_->copy());
    }
    return child;
}

} // namespace umbra::mm
