// SPDX-License-Identifier: GPL-2.0-or-later
// The areas of an address space: mmap, munmap, mprotect, brk, madvise and friends, as their man pages say.
// size: all of them rest on the same few helpers that split, move and merge areas
#include "core/mm/address-space.h"

#include <algorithm>
#include <cstring>

#include "core/abi/mman.h"
#include "core/kernel.h"
#include "core/mm/call-patches.h"
#include "core/task/scheduler.h"
#include "core/task/task.h"
#include "core/trace/trace.h"
#include "core/vfs/file.h"

namespace umbra::mm {

using namespace abi;

namespace {
constexpr u64 kStackGuardGap = 256 * kPageSize;
constexpr u64 kStackReserve = u64 { 1 } << 30; ///< room kept below the stack for its growth
constexpr u64 kLargeSpacePages = u64 { 1 } << 17; ///< 512 MiB: its end takes milliseconds anyway
} // namespace

AddressSpace::AddressSpace(Kernel& kernel, std::unique_ptr<platform::AddressSpace> stub)
    : kernel_(kernel)
    , stub_(std::move(stub))
    , in_place_(dynamic_cast<platform::InPlacePaging*>(stub_.get()))
    , mmap_base_(kernel.platform().machine().task_size - kStackReserve - (u64 { 1 } << 32))
{
}

Result<Ref<AddressSpace>> AddressSpace::create(Kernel& kernel)
{
    auto stub = TRY(kernel.platform().create_address_space(*current().vcpu));
    return Ref<AddressSpace>(*new AddressSpace(kernel, std::move(stub)), AdoptTag::adopt);
}

AddressSpace::~AddressSpace()
{
    if (executable_) vfs::allow_write(executable_->inode());
    // The stub is thrown away whole: nothing needs to be unmapped from it.
    stub_.reset();
    reservations_.clear(kernel_.memory());
    pages_.for_each(
        0, kernel_.platform().machine().task_size >> kPageShift, [&](u64, Pte& e) { drop_entry(e); });
    for (auto& [start, vma] : areas_) {
        static_cast<TaggedNode<MemoryObject>&>(*vma).unlink();
        if (vma->attachment) vma->attachment->closed(Pid(0)); // perhaps outside any task
    }
}

void AddressSpace::set_executable(vfs::Path path)
{
    // Whoever runs a file has checked that nobody writes to it; nothing waits in between.
    if (vfs::deny_write(path.inode()).is_error()) return;
    if (executable_) vfs::allow_write(executable_->inode());
    executable_ = std::move(path);
}

Vma* AddressSpace::find(u64 address) const
{
    auto it = areas_.upper_bound(address);
    if (it == areas_.begin()) return nullptr;
    --it;
    return address < it->second->end ? it->second.get() : nullptr;
}

Vma* AddressSpace::find_from(u64 address) const
{
    if (Vma* vma = find(address)) return vma;
    auto it = areas_.upper_bound(address);
    return it == areas_.end() ? nullptr : it->second.get();
}

bool AddressSpace::is_free(u64 start, u64 end) const
{
    Vma* next = find_from(start);
    return !next || next->start >= end;
}

Vma& AddressSpace::insert(std::unique_ptr<Vma> vma)
{
    Vma& v = *vma;
    v.space = this;
    if (v.object) v.object->mappings.push_back(v);
    if (v.attachment) v.attachment->opened(current().pid());
    total_pages_ += v.pages();
    areas_[v.start] = std::move(vma);
    return v;
}

std::unique_ptr<Vma> AddressSpace::remove(std::map<u64, std::unique_ptr<Vma>>::iterator it)
{
    auto vma = std::move(it->second);
    areas_.erase(it);
    static_cast<TaggedNode<MemoryObject>&>(*vma).unlink();
    total_pages_ -= vma->pages();
    if (vma->attachment) vma->attachment->closed(current().pid());
    return vma;
}

void AddressSpace::split(u64 address)
{
    Vma* vma = find(address);
    if (!vma || vma->start == address) return;
    auto upper = vma->copy();
    upper->start = address;
    upper->object_page = vma->object_page + ((address - vma->start) >> kPageShift);
    upper->grows_down = false;
    total_pages_ -= upper->pages();
    vma->end = address;
    insert(std::move(upper));
}

Result<void> AddressSpace::split_ends(u64 start, u64 end, std::function<bool(Vma const&)> const& changes)
{
    auto is_cut = [&](u64 at) {
        Vma const* vma = find(at);
        return vma && vma->start != at && changes(*vma);
    };
    bool const first = is_cut(start), last = is_cut(end);
    if ((first || last) && i64(areas_.size()) + first + last > kernel_.max_map_count) return err::nomem;
    if (first) split(start);
    if (last) split(end);
    return {};
}

void AddressSpace::try_merge(u64 address)
{
    auto it = areas_.find(address);
    if (it == areas_.end() || it == areas_.begin()) return;
    Vma& b = *it->second;
    Vma& a = *std::prev(it)->second;
    bool same = a.end == b.start && a.prot == b.prot && a.shared == b.shared && a.object == b.object
        && a.locked == b.locked && a.sealed == b.sealed && a.dont_fork == b.dont_fork
        && a.wipe_on_fork == b.wipe_on_fork && a.dont_dump == b.dont_dump && a.label == b.label
        && a.anonymous_name == b.anonymous_name && a.policy == b.policy && a.may_write == b.may_write
        && !b.grows_down && a.path.has_value() == b.path.has_value() && !a.attachment && !b.attachment;
    if (!same || (a.object && a.object_page + a.pages() != b.object_page)) return;
    u64 end = b.end;
    u64 grown = b.pages();
    remove(it);
    a.end = end;
    total_pages_ += grown;
}

Result<u64> AddressSpace::choose_address(MapRequest const& request) const
{
    u64 length = page_up(request.length);
    u64 low = std::max(kernel_.platform().machine().min_address, u64 { 0x10000 });
    u64 task_size = kernel_.platform().machine().task_size;
    if (length > task_size) return err::nomem;
    u64 hint = page_up(request.address);
    if (hint >= low && hint <= task_size - length && is_free(hint, hint + length)) return hint;
    // Top down from below the stack, as x86-64 Linux does; MAP_32BIT from 1 to 2 GiB.
    u64 top = request.low_32bit ? u64 { 1 } << 31 : mmap_base_;
    u64 bottom = request.low_32bit ? u64 { 1 } << 30 : low;
    u64 end = top;
    auto it = areas_.lower_bound(top);
    while (it != areas_.begin()) {
        auto before = std::prev(it);
        u64 gap_start = std::max(before->second->end, bottom);
        if (end >= gap_start + length) return end - length;
        u64 guard = before->second->grows_down ? kStackGuardGap : 0;
        end = std::min(end, before->second->start - std::min(before->second->start, guard));
        it = before;
        if (end <= bottom) break;
    }
    if (end >= bottom + length) return end - length;
    return err::nomem;
}

Result<void> AddressSpace::check_limits(u64 new_pages, u32 prot, bool shared, bool stack) const
{
    if (limit_address_space != ~u64 { 0 } && (total_pages_ + new_pages) << kPageShift > limit_address_space)
        return err::nomem;
    if (limit_data != ~u64 { 0 } && !shared && !stack && (prot & prot_write)
        && (usage().data + new_pages) << kPageShift > limit_data)
        return err::nomem;
    if (i64(areas_.size()) > kernel_.max_map_count) return err::nomem;
    return {};
}

Result<GuestAddr> AddressSpace::map(MapRequest request)
{
    SpaceGuard guard(lock);
    auto at = TRY(map_locked(request));
    if (request.populate) {
        for (u64 a = at.value; a < at.value + request.length; a += kPageSize) {
            auto access
                = request.prot & prot_write ? platform::Protection::write : platform::Protection::read;
            Pte* e = pages_.find(a >> kPageShift);
            if (e && e->shown()) continue;
            if (fault_locked(GuestAddr(a), access, true, false).signal) break;
        }
    }
    return at;
}

Result<GuestAddr> AddressSpace::map_locked(MapRequest& request)
{
    if (request.length == 0) return err::inval;
    u64 length = page_up(request.length);
    if (length == 0) return err::nomem;
    if (write_or_execute && (request.prot & prot_write) && (request.prot & prot_exec)) return err::acces;
    auto const& machine = kernel_.platform().machine();
    u64 start = request.address;
    if (request.fixed) {
        if (start & kPageMask) return err::inval;
        if (length > machine.task_size || start > machine.task_size - length) return err::nomem;
        if (start < machine.min_address) return err::perm;
        if (request.no_replace && !is_free(start, start + length)) return err::exist;
        TRY(check_limits(length >> kPageShift, request.prot, request.shared, false));
        TRY(unmap_locked(start, start + length));
    } else {
        start = TRY(choose_address(request));
        TRY(check_limits(length >> kPageShift, request.prot, request.shared, false));
    }
    auto vma = std::make_unique<Vma>();
    vma->start = start, vma->end = start + length, vma->prot = request.prot, vma->shared = request.shared;
    vma->grows_down = request.grows_down, vma->may_write = request.may_write;
    vma->locked = request.locked || lock_future;
    vma->object = request.object, vma->object_page = request.object_offset >> kPageShift;
    vma->path = std::move(request.path), vma->label = std::move(request.label);
    vma->attachment = request.attachment, vma->shared_anonymous = request.shared_anonymous;
    request.length = length;
    insert(std::move(vma));
    try_merge(start + length);
    try_merge(start);
    return GuestAddr(start);
}

void AddressSpace::hide(u64 first, u64 last)
{
    std::vector<platform::Range> batch;
    pages_.for_each(first, last, [&](u64 page, Pte& e) {
        if (!e.shown()) return;
        e.clear_shown();
        if (!batch.empty() && batch.back().start.value + batch.back().length == page << kPageShift)
            batch.back().length += kPageSize;
        else
            batch.push_back({ GuestAddr(page << kPageShift), kPageSize });
    });
    bool homes = reservations_.retire(kernel_.memory(), first, last);
    if (batch.empty() && !homes) return;
    // One unmap over everything is cheaper than many small ones; holes do not matter.
    platform::Range all { GuestAddr(first << kPageShift), (last - first) << kPageShift };
    bool exact = !homes && (batch.size() <= 4 || last - first > 1 << 20);
    if (!exact && !homes)
        all = { batch.front().start, batch.back().start + batch.back().length - batch.front().start };
    kernel_.trace().counters.stub_unmaps += exact ? batch.size() : 1;
    auto const r
        = exact ? stub_->unmap(*current().vcpu, batch) : stub_->unmap(*current().vcpu, std::span(&all, 1));
    (void)r.ok(); // a stub that cannot unmap has died: its tasks find out at their next entry
}

void AddressSpace::narrow(u64 first, u64 last)
{
    // Each range costs the host a call; hidden pages cost a fault if they are used again.
    constexpr size_t kMostRanges = 8;
    std::vector<platform::ProtectRange> batch;
    auto it = areas_.upper_bound(first << kPageShift);
    if (it != areas_.begin()) --it;
    for (; it != areas_.end() && it->first < last << kPageShift; ++it) {
        Vma const& vma = *it->second;
        u64 const from = std::max(first, vma.start >> kPageShift), to = std::min(last, vma.end >> kPageShift);
        pages_.for_each(from, to, [&](u64 page, Pte& e) {
            if (!e.shown()) return;
            bool const writable = e.shown_writable() && (vma.prot & 2);
            if (!writable) e.bits &= ~u64(Pte::kShownWritable | Pte::kGuarded);
            auto const protection = vma.shown_protection(writable);
            auto* before = batch.empty() ? nullptr : &batch.back();
            if (before && before->protection == protection
                && before->start.value + before->length == page << kPageShift)
                before->length += kPageSize;
            else
                batch.push_back({ GuestAddr(page << kPageShift), kPageSize, protection });
        });
    }
    if (batch.empty()) return;
    kernel_.trace().counters.stub_protects += batch.size();
    if (batch.size() > kMostRanges || stub_->protect(*current().vcpu, batch).is_error()) hide(first, last);
}

void AddressSpace::drop_pages(u64 first, u64 last)
{
    forget_calls(first << kPageShift, last << kPageShift);
    hide(first, last);
    pages_.for_each(first, last, [&](u64, Pte& e) { drop_entry(e); });
    pages_.prune(first, last);
}

Result<void> AddressSpace::unmap_locked(u64 start, u64 end)
{
    if (is_free(start, end)) return {};
    TRY(check_unsealed(start, end));
    Vma* first = find_from(start);
    if (first->start < start && first->end > end && i64(areas_.size()) >= kernel_.max_map_count)
        return err::nomem;
    split(start);
    split(end);
    for (auto it = areas_.lower_bound(start); it != areas_.end() && it->second->start < end;) {
        auto next = std::next(it);
        remove(it);
        it = next;
    }
    drop_pages(start >> kPageShift, end >> kPageShift);
    return {};
}

Result<void> AddressSpace::unmap(u64 address, u64 length)
{
    if (address & kPageMask) return err::inval;
    u64 task_size = kernel_.platform().machine().task_size;
    if (length == 0 || length > task_size || address > task_size - length) return err::inval;
    SpaceGuard guard(lock);
    return unmap_locked(address, address + page_up(length));
}

Result<void> AddressSpace::protect(u64 address, u64 length, u32 prot)
{
    if (address & kPageMask) return err::inval;
    bool grows_down = prot & prot_growsdown;
    if (grows_down && (prot & prot_growsup)) return err::inval;
    prot &= ~(prot_growsdown | prot_growsup);
    if (prot & ~7u) return err::inval;
    if (length == 0) return {};
    u64 end = address + page_up(length);
    if (end <= address || end > kernel_.platform().machine().task_size) return err::nomem;
    SpaceGuard guard(lock);
    Vma* at = find_from(address);
    if (grows_down && at && at->grows_down && at->start < end) address = at->start;
    // Linux changes what comes before a hole (ENOMEM) or a sealed area (EPERM), and then says so.
    Result<void> outcome;
    for (u64 a = address; a < end;) {
        Vma* vma = find(a);
        if (!vma || vma->sealed) {
            outcome = vma ? err::perm : err::nomem;
            if (a == address) return outcome;
            end = a;
            break;
        }
        if (write_or_execute && (prot & prot_exec) && ((prot & prot_write) || !(vma->prot & prot_exec)))
            return err::acces;
        if (vma->shared && (prot & prot_write) && !vma->may_write) return err::acces;
        a = vma->end;
    }
    TRY(split_ends(address, end, [prot](Vma const& vma) { return vma.prot != prot; }));
    if (prot & prot_write) restore_calls(address, end);
    bool loses = false;
    for (auto it = areas_.lower_bound(address); it != areas_.end() && it->second->start < end; ++it) {
        if ((it->second->prot & ~prot) || (it->second->prot & prot_exec) != (prot & prot_exec)) loses = true;
        it->second->prot = prot;
    }
    // Gained rights appear by faults; lost ones must go now.
    if (loses) narrow(address >> kPageShift, end >> kPageShift);
    for (u64 a = end;;) {
        auto it = areas_.upper_bound(a);
        if (it == areas_.begin()) break;
        if (a == end && areas_.count(end)) try_merge(end);
        it = areas_.upper_bound(end - 1);
        if (it == areas_.begin()) break;
        --it;
        u64 start = it->second->start;
        if (start < address) break;
        size_t before = areas_.size();
        try_merge(start);
        if (areas_.size() == before || start == address) break;
    }
    return outcome;
}

Result<void> AddressSpace::expand_stack(Vma& vma, u64 address)
{
    u64 start = page_down(address);
    u64 grow = (vma.start - start) >> kPageShift;
    if (vma.end - start > limit_stack) return err::nomem;
    auto it = areas_.find(vma.start);
    if (it != areas_.begin()) {
        Vma& below = *std::prev(it)->second;
        if (below.end + kStackGuardGap > start && below.prot != prot_none) return err::nomem;
        if (below.end > start) return err::nomem;
    }
    TRY(check_limits(grow, vma.prot, false, true));
    auto node = areas_.extract(it);
    node.key() = start;
    node.mapped()->start = start;
    if (node.mapped()->object) node.mapped()->object_page -= grow;
    areas_.insert(std::move(node));
    total_pages_ += grow;
    return {};
}

Result<u64> AddressSpace::set_break(u64 address)
{
    SpaceGuard guard(lock);
    if (address < break_start_ || address > kernel_.platform().machine().task_size) return break_end_;
    u64 old_end = page_up(break_end_), new_end = page_up(address);
    if (limit_data != ~u64 { 0 } && address - break_start_ > limit_data) return break_end_;
    if (new_end < old_end) {
        if (unmap_locked(new_end, old_end).is_error()) return break_end_;
    } else if (new_end > old_end) {
        if (new_end > mmap_base_ || !is_free(old_end, new_end + kPageSize)) return break_end_;
        if (check_limits((new_end - old_end) >> kPageShift, prot_read | prot_write, false, false).is_error())
            return break_end_;
        auto vma = std::make_unique<Vma>();
        vma->start = old_end, vma->end = new_end, vma->prot = prot_read | prot_write, vma->label = "[heap]";
        vma->locked = lock_future;
        insert(std::move(vma));
        try_merge(old_end);
    }
    break_end_ = address;
    return break_end_;
}

void AddressSpace::clear()
{
    aio_contexts = nullptr;
    SpaceGuard guard(lock);
    reservations_.clear(kernel_.memory());
    // All entries lie in areas, and a walk through the whole space would mostly look at what is empty.
    for (auto& [start, vma] : areas_)
        pages_.for_each(start >> kPageShift, vma->end >> kPageShift, [&](u64, Pte& e) { drop_entry(e); });
    UMBRA_ASSERT(resident_ == 0);
    pages_.prune(0, kernel_.platform().machine().task_size >> kPageShift);
    while (!areas_.empty())
        remove(areas_.begin());
    // Its page tables were MiBs of the heap, which keeps what it has unless it is asked: little work beside the frames'.
    if (peak_resident_ >= kLargeSpacePages) kernel_.platform().trim_heap();
}

void AddressSpace::forget_object_pages(Vma& vma, u64 first, u64 count, bool even_private)
{
    u64 low = std::max(first, vma.object_page), high = std::min(first + count, vma.object_page + vma.pages());
    if (low >= high) return;
    u64 from = (vma.start >> kPageShift) + (low - vma.object_page), to = from + (high - low);
    if (vma.shared || even_private) {
        drop_pages(from, to);
        return;
    }
    // Private copies stay; what still shows the object goes.
    hide(from, to);
    pages_.for_each(from, to, [&](u64 page, Pte& e) {
        if (e.present() && vma.object->resident_page(vma.object_index(page)) == e.frame()) drop_entry(e);
    });
}

} // namespace umbra::mm
