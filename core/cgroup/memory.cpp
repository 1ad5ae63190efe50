// SPDX-License-Identifier: GPL-2.0-or-later
// Charging frames, limits, and getting clean pages back.
#include "core/cgroup/memory.h"

#include <algorithm>

#include "core/kernel.h"
#include "core/mm/address-space.h"
#include "core/mm/backed-pages.h"
#include "core/task/process-table.h"
#include "core/task/scheduler.h"
#include "core/task/task.h"

namespace umbra::cgroup {

namespace {

/// How far calls may go beyond a limit before they fail: 1 MiB.
constexpr u64 kMostOwed = 256;

/// An account is the group's number above, the use of the frame below.
constexpr u32 kUseBits = 2, kUseMask = (1 << kUseBits) - 1;

/// Whose memory the task's is: the nearest group with the controller, null for the root's.
Cgroup* paying(Task const& task)
{
    Cgroup* group = task.membership.group ? &task.membership.group->domain() : nullptr;
    while (group && !group->has(Controller::memory))
        group = group->parent.get();
    return group;
}

void add(Cgroup& group, u64 pages, mm::FrameUse use)
{
    group.memory.own_pages += pages;
    for (Cgroup* at = &group; at; at = at->parent.get()) {
        MemoryState& memory = at->memory;
        memory.current += pages;
        memory.by_use[size_t(use)] += pages;
        memory.peak = std::max(memory.peak, memory.current);
    }
}

/// The group whose memory.max leaves no room for so many, or null.
Cgroup* without_room(Cgroup& group, u64 pages)
{
    for (Cgroup* at = &group; at; at = at->parent.get())
        if (at->memory.current + pages > at->memory.limit) return at;
    return nullptr;
}

/// Above memory.high, what can be had back is. Looking for it goes over all caches: once in a while.
void keep_below_high(Cgroup& group, u64 pages)
{
    constexpr u64 kBetween = 64;
    for (Cgroup* at = &group; at; at = at->parent.get()) {
        MemoryState const& memory = at->memory;
        if (memory.current <= memory.high || (memory.current - memory.high) % kBetween > pages) continue;
        note(*at, MemoryEvent::high);
        reclaim(*at, memory.current - memory.high);
    }
}

} // namespace

Result<u32> MemoryAccounts::charge(u64 pages, mm::FrameUse use)
{
    // No task runs while a vCPU waits for work: what the kernel itself takes then is nobody's.
    Task* task = kernel_.scheduler().active().running();
    Cgroup* group = task ? paying(*task) : nullptr;
    if (!group) return u32 { 0 };
    if (Cgroup* full = without_room(*group, pages)) {
        // Who wants many takes fewer before others have to give; who dies needs what he needs.
        if (pages > 1) return err::nomem;
        note(*full, MemoryEvent::max);
        bool const has_room = reclaim(*full, 1) > 0 && !without_room(*group, pages);
        if (!has_room && !task->is_dying()) {
            task->membership.exhausted = RefPtr<Cgroup>(full);
            // A call may have taken something already that it would lose without the page: it gets that, and the task
            // has to make room before it runs on.
            bool const may_owe = task->in_syscall && full->memory.current < full->memory.limit + kMostOwed;
            if (!may_owe) return err::nomem;
        }
    }
    add(*group, pages, use);
    keep_below_high(*group, pages);
    return account_of(*group) << kUseBits | u32(use);
}

void MemoryAccounts::uncharge(u32 account, u64 pages)
{
    Cgroup& group = *group_of(account);
    group.memory.own_pages -= pages;
    for (Cgroup* at = &group; at; at = at->parent.get()) {
        at->memory.current -= pages;
        at->memory.by_use[account & kUseMask] -= pages;
    }
    if (group.dead) release(group);
}

Cgroup* MemoryAccounts::group_of(u32 account) const
{
    u32 const number = account >> kUseBits;
    return number ? groups_[number - 1].get() : nullptr;
}

u32 MemoryAccounts::account_of(Cgroup& group)
{
    u32& number = group.memory.account;
    if (number) return number;
    auto const unused = std::find(groups_.begin(), groups_.end(), nullptr);
    number = u32(unused - groups_.begin()) + 1;
    if (unused == groups_.end())
        groups_.push_back(RefPtr<Cgroup>(&group));
    else
        *unused = RefPtr<Cgroup>(&group);
    return number;
}

void MemoryAccounts::release(Cgroup& group)
{
    if (!group.memory.account || group.memory.own_pages > 0) return;
    RefPtr<Cgroup> const last = std::move(groups_[group.memory.account - 1]);
    groups_[last->memory.account - 1] = nullptr;
    last->memory.account = 0;
}

void start_counting_memory(Hierarchy& hierarchy)
{
    if (hierarchy.memory_accounts) return;
    auto accounts = make_ref<MemoryAccounts>(hierarchy.kernel());
    hierarchy.memory_accounts = accounts;
    hierarchy.kernel().memory().set_accounts(accounts.get());
}

namespace {

MemoryAccounts* accounts_of(Hierarchy const& hierarchy)
{
    return static_cast<MemoryAccounts*>(hierarchy.memory_accounts.get()); // nobody else sets it
}

} // namespace

void release_account(Cgroup& group)
{
    if (auto* accounts = accounts_of(group.hierarchy)) accounts->release(group);
}

void reset_memory(Cgroup& group)
{
    MemoryState& memory = group.memory;
    memory.limit = memory.high = kNoLimit;
    memory.minimum = memory.low = 0;
    memory.kill_as_group = false;
    memory.peak = memory.current;
    std::fill(std::begin(memory.events), std::end(memory.events), 0);
    std::fill(std::begin(memory.local_events), std::end(memory.local_events), 0);
}

namespace {

bool has_file_pages(Cgroup const& group) { return group.memory.by_use[size_t(mm::FrameUse::file)] > 0; }

/// Whether an account is the group's, or of one below it.
std::function<bool(u32)> accounts_below(Cgroup const& group)
{
    return [&group, accounts = accounts_of(group.hierarchy)](u32 account) {
        Cgroup* charged = accounts ? accounts->group_of(account) : nullptr;
        return charged && charged->is_within(group);
    };
}

} // namespace

u64 reclaim(Cgroup& group, u64 pages)
{
    if (!has_file_pages(group)) return 0;
    // A little more at once, since each search goes over all caches.
    constexpr u64 kBatch = 64;
    u64 const wanted = std::max(pages, kBatch);
    auto const is_below = accounts_below(group);
    u64 dropped = 0;
    for (auto& cache : group.hierarchy.kernel().memory().backed_caches) {
        if (dropped >= wanted) break;
        dropped += cache.drop_clean(wanted - dropped, is_below);
    }
    return dropped;
}

namespace {

/// A mapping of a file, by where it begins: it may be gone after a wait.
struct FileMapping {
    RefPtr<mm::AddressSpace> space;
    u64 start = 0, pages = 0; ///< how many of its pages are charged to the group
};

u64 count_file_pages(mm::AddressSpace& space, mm::Vma const& area, std::function<bool(u32)> const& is_wanted)
{
    auto& memory = space.kernel().memory();
    u64 count = 0;
    space.pages().for_each(area.start >> kPageShift, area.end >> kPageShift, [&](u64, mm::Pte const& entry) {
        if (!entry.present()) return;
        u32 const account = memory.account(entry.frame());
        bool const is_file = (account & kUseMask) == u32(mm::FrameUse::file);
        count += account && is_file && is_wanted(account) ? 1 : 0;
    });
    return count;
}

FileMapping largest_mapping(Cgroup const& group)
{
    auto const is_wanted = accounts_below(group);
    FileMapping largest;
    for (auto const& [id, process] : group.hierarchy.kernel().processes().processes()) {
        Task* task = counts_for(*process, group) ? process->any_thread() : nullptr;
        if (!task || !task->has_mm()) continue;
        for (auto const& [start, area] : task->mm().areas()) {
            u64 const pages = area->object ? count_file_pages(task->mm(), *area, is_wanted) : 0;
            if (pages > largest.pages) largest = { &task->mm(), start, pages };
        }
    }
    return largest;
}

void take_away(FileMapping const& mapping)
{
    mm::SpaceGuard guard(mapping.space->lock);
    mm::Vma* area = mapping.space->find(mapping.start);
    if (area && area->object)
        mapping.space->forget_object_pages(*area, area->object_page, area->pages(), false);
}

} // namespace

u64 reclaim_mapped(Cgroup& group)
{
    // Pages may be mapped several times, and come back while this waits.
    constexpr int kTries = 32;
    for (int i = 0; i < kTries && has_file_pages(group); ++i) {
        FileMapping const mapping = largest_mapping(group);
        if (!mapping.space) return 0;
        take_away(mapping);
        if (u64 const dropped = reclaim(group, mapping.pages)) return dropped;
    }
    return 0;
}

void note(Cgroup& group, MemoryEvent event)
{
    ++group.memory.local_events[size_t(event)];
    give_notice(group, Notice::memory_events_local);
    bool const local = group.hierarchy.local_memory_events;
    for (Cgroup* at = &group; at && !at->is_root(); at = local ? nullptr : at->parent.get()) {
        ++at->memory.events[size_t(event)];
        give_notice(*at, Notice::memory_events);
    }
}

RefPtr<Cgroup> take_exhausted(Task& task)
{
    RefPtr<Cgroup> group = std::move(task.membership.exhausted);
    task.membership.exhausted = nullptr;
    if (group && group->memory.current < group->memory.limit) return nullptr;
    return group;
}

bool counts_for(Process const& process, Cgroup const& group)
{
    return cgroup::group_of(process).domain().is_within(group);
}

Cgroup* killed_with(Process const& victim, Cgroup const& limit)
{
    Cgroup* topmost = nullptr;
    for (Cgroup* at = &cgroup::group_of(victim).domain(); at && at->is_within(limit); at = at->parent.get())
        if (at->memory.kill_as_group) topmost = at;
    return topmost;
}

} // namespace umbra::cgroup
