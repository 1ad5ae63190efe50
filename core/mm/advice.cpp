// SPDX-License-Identifier: GPL-2.0-or-later
// madvise, msync, mincore, mlock, population, and what /proc says of an address space.
#include <algorithm>
#include <cstring>

#include "core/abi/mman.h"
#include "core/kernel.h"
#include "core/mm/address-space.h"
#include "core/task/scheduler.h"
#include "core/task/task.h"

namespace umbra::mm {

using namespace abi;

namespace {

bool is_known(i32 advice)
{
    // As without CONFIG_KSM: there is nothing that would look for equal pages.
    if (advice == madv_mergeable || advice == madv_unmergeable) return false;
    return (advice >= madv_normal && advice <= madv_dontneed)
        || (advice >= madv_free && advice <= madv_collapse);
}

/// The advice that is nothing but a flag of the area.
void set_flag(Vma& vma, i32 advice)
{
    if (advice == madv_dontfork || advice == madv_dofork) vma.dont_fork = advice == madv_dontfork;
    if (advice == madv_wipeonfork || advice == madv_keeponfork) vma.wipe_on_fork = advice == madv_wipeonfork;
    if (advice == madv_dontdump || advice == madv_dodump) vma.dont_dump = advice == madv_dontdump;
}

/// Whether set_flag() would change the area.
bool flag_differs(Vma const& vma, i32 advice)
{
    switch (advice) {
    case madv_dontfork:
    case madv_dofork:
        return vma.dont_fork != (advice == madv_dontfork);
    case madv_wipeonfork:
    case madv_keeponfork:
        return vma.wipe_on_fork != (advice == madv_wipeonfork);
    default:
        return vma.dont_dump != (advice == madv_dontdump);
    }
}

} // namespace

Result<void> AddressSpace::advise(u64 address, u64 length, i32 advice)
{
    if (address & kPageMask) return err::inval;
    u64 end = address + page_up(length);
    if (end < address) return err::inval;
    if (!is_known(advice)) return err::inval;
    if (end == address) return {};
    if (advice == madv_populate_read || advice == madv_populate_write)
        return populate(address, end - address, advice == madv_populate_write);
    SpaceGuard guard(lock);
    bool hole = false;
    for (u64 a = address; a < end;) {
        Vma* vma = find_from(a);
        if (!vma || vma->start >= end) {
            hole = true;
            break;
        }
        if (vma->start > a) hole = true, a = vma->start;
        u64 to = std::min(end, vma->end);
        if (is_sealed_against(*vma, advice)) return err::perm;
        switch (advice) {
        case madv_dontneed:
        case madv_dontneed_locked:
            if (vma->locked && advice == madv_dontneed) return err::inval;
            drop_pages(a >> kPageShift, to >> kPageShift);
            break;
        case madv_free:
            if (vma->object || vma->shared) return err::inval;
            drop_pages(a >> kPageShift, to >> kPageShift);
            break;
        case madv_remove:
            if (!vma->shared || !vma->object || !(vma->prot & prot_write) || vma->locked) return err::inval;
            if (auto* cache = dynamic_cast<PageCache*>(vma->object.get())) {
                Ref<MemoryObject> keep(*vma->object.get());
                u64 offset = vma->object_index(a >> kPageShift) << kPageShift;
                drop_pages(a >> kPageShift, to >> kPageShift);
                cache->punch(offset, to - a);
            } else {
                return err::inval;
            }
            break;
        case madv_dontfork:
        case madv_dofork:
        case madv_wipeonfork:
        case madv_keeponfork:
        case madv_dontdump:
        case madv_dodump:
            if (advice == madv_wipeonfork && (vma->object || vma->shared)) return err::inval;
            // The areas of a process are a resource of the kernel's: madvise(2) says EAGAIN.
            if (split_ends(a, to, [advice](Vma const& v) { return flag_differs(v, advice); }).is_error())
                return err::again;
            set_flag(*find(a), advice);
            break;
        default:
            break; // hints that need no action: normal, random, sequential, willneed, hugepage, cold, ...
        }
        a = to;
    }
    if (hole) return err::nomem;
    return {};
}

Result<void> AddressSpace::name_range(u64 address, u64 length, std::string const& name)
{
    if (address & kPageMask) return err::inval;
    u64 const end = address + page_up(length);
    if ((length && !page_up(length)) || end < address) return err::inval;
    if (end == address) return {};
    SpaceGuard guard(lock);
    bool hole = false;
    for (u64 a = address; a < end;) {
        Vma* vma = find_from(a);
        if (!vma || vma->start >= end) return err::nomem;
        if (vma->start > a) hole = true, a = vma->start;
        // Shared anonymous memory is a file without a name; others have one already.
        if (vma->object && !vma->shared_anonymous) return err::badf;
        u64 const to = std::min(end, vma->end);
        if (split_ends(a, to, [&name](Vma const& v) { return v.anonymous_name != name; }).is_error())
            return err::again;
        find(a)->anonymous_name = name;
        try_merge(a);
        a = to;
    }
    try_merge(end);
    return hole ? Result<void>(err::nomem) : Result<void>();
}

Result<void> AddressSpace::set_policy(u64 start, u64 end, MemoryPolicy const& policy)
{
    SpaceGuard guard(lock);
    for (u64 a = start; a < end;) {
        Vma* vma = find_from(a);
        if (!vma || vma->start >= end) break;
        a = std::max(a, vma->start);
        u64 const to = std::min(end, vma->end);
        TRY(split_ends(a, to, [&policy](Vma const& v) { return v.policy != policy; }));
        find(a)->policy = policy;
        try_merge(a);
        a = to;
    }
    try_merge(end);
    return {};
}

Result<void> AddressSpace::populate(u64 address, u64 length, bool write)
{
    SpaceGuard guard(lock);
    auto access = write ? platform::Protection::write : platform::Protection::read;
    for (u64 a = address; a < address + length; a += kPageSize) {
        Vma* vma = find(a);
        if (!vma) return err::nomem;
        if (!vma->allows(access)) return err::inval;
        Pte* e = pages_.find(a >> kPageShift);
        if (e && e->shown() && (!write || e->shown_writable())) continue;
        auto r = fault_locked(GuestAddr(a), access, true, false);
        if (r.out_of_memory) return err::nomem;
        if (r.signal) return err::fault;
    }
    return {};
}

Result<void> AddressSpace::sync_range(u64 address, u64 length, u32 flags)
{
    if (address & kPageMask || (flags & ~(ms_async | ms_invalidate | ms_sync))) return err::inval;
    if ((flags & ms_async) && (flags & ms_sync)) return err::inval;
    u64 end = address + page_up(length);
    if (end < address) return err::nomem;
    std::vector<Ref<MemoryObject>> objects;
    bool hole = false;
    {
        SpaceGuard guard(lock);
        for (u64 a = address; a < end;) {
            Vma* vma = find_from(a);
            if (!vma || vma->start >= end) {
                hole = true;
                break;
            }
            if (vma->start > a) hole = true;
            if ((flags & ms_invalidate) && vma->locked) return err::busy;
            if (vma->shared && vma->object && (flags & ms_sync))
                objects.push_back(Ref<MemoryObject>(*vma->object.get()));
            a = vma->end;
        }
    }
    for (auto& object : objects)
        TRY(object->write_back());
    if (hole) return err::nomem;
    return {};
}

Result<void> AddressSpace::resident(u64 address, u64 length, std::span<u8> out)
{
    if (address & kPageMask) return err::inval;
    u64 count = page_up(length) >> kPageShift;
    for (u64 i = 0; i < count && i < out.size(); ++i) {
        u64 a = address + (i << kPageShift);
        Vma* vma = find(a);
        if (!vma) return err::nomem;
        Pte* e = pages_.find(a >> kPageShift);
        bool in = e && (e->present() || e->host_file());
        if (!in && vma->object)
            in = !vma->object->resident_page(vma->object_index(a >> kPageShift)).is_null();
        out[i] = in;
    }
    return {};
}

Result<void> AddressSpace::lock_range(u64 address, u64 length, bool lock_it, LockedPages pages)
{
    u64 start = page_down(address), end = page_up(address + length);
    if (end < start) return err::inval;
    if (end == start) return {};
    {
        SpaceGuard guard(lock);
        for (u64 a = start; a < end;) {
            Vma* vma = find(a);
            if (!vma) return err::nomem;
            a = vma->end;
        }
        TRY(split_ends(start, end, [lock_it](Vma const& vma) { return vma.locked != lock_it; }));
        for (auto it = areas_.lower_bound(start); it != areas_.end() && it->second->start < end; ++it)
            it->second->locked = lock_it;
    }
    if (!lock_it || pages == LockedPages::when_touched) return {};
    for (u64 a = start; a < end; a += kPageSize) {
        SpaceGuard guard(lock);
        Vma* vma = find(a);
        if (!vma) return err::nomem;
        if (!(vma->prot & 7)) return err::nomem;
        Pte* e = pages_.find(a >> kPageShift);
        if (e && e->shown()) continue;
        // Shared pages need not be dirtied, but what may only be written can be touched in no other way.
        bool write = (vma->prot & prot_write) && (!vma->shared || !(vma->prot & prot_read));
        auto r = fault_locked(
            GuestAddr(a), write ? platform::Protection::write : platform::Protection::read, true, false);
        if (r.signal == abi::sigkill)
            return err::nomem; // or its stub has died: there is no point in going on
    }
    return {};
}

MemoryUsage AddressSpace::usage() const
{
    MemoryUsage u;
    for (auto const& [start, vma] : areas_) {
        u64 n = vma->pages();
        u.total += n;
        if (vma->locked) u.locked += n;
        if (vma->grows_down || vma->label == "[stack]")
            u.stack += n;
        else if (!vma->shared && (vma->prot & prot_write))
            u.data += n;
        else if ((vma->prot & prot_exec) && vma->object)
            u.text += n;
    }
    const_cast<PageTable&>(pages_).for_each(
        0, kernel_.platform().machine().task_size >> kPageShift, [&](u64, Pte& e) {
            if (e.host_file() && !e.present())
                ++u.resident_file;
            else if (e.present())
                ++u.resident_anonymous;
        });
    return u;
}

} // namespace umbra::mm
