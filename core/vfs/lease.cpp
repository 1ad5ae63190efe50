// SPDX-License-Identifier: GPL-2.0-or-later
// Leases: who may have one, breaking, waiting for the holder.
#include "core/vfs/lease.h"

#include <algorithm>

#include "core/abi/lock.h"
#include "core/kernel.h"
#include "core/task/task.h"
#include "core/time/timekeeper.h"
#include "core/vfs/file-system.h"
#include "core/vfs/locks.h"

namespace umbra::vfs {

namespace {

/// check_conflicting_open(): a read lease needs that nobody can write, a write lease that nobody else has it open.
bool is_open_otherwise(File const& file, Leases::Mode mode)
{
    Inode const& inode = file.inode();
    if (mode == Leases::Mode::read) return inode.write_count > 0;
    i32 own_writes = file.is_writable(), own_reads = !own_writes && file.is_readable();
    return inode.write_count != own_writes || inode.read_count != own_reads;
}

} // namespace

Leases::Lease* Leases::find(File const& file)
{
    auto found = std::ranges::find_if(leases_, [&](Lease const& lease) { return lease.file == &file; });
    return found == leases_.end() ? nullptr : &*found;
}

Result<void> Leases::set(Task& task, File& file, GuestFd fd, Mode mode)
{
    expire(task.kernel());
    if (is_open_otherwise(file, mode)) return err::again;
    for (Lease const& lease : leases_)
        if (lease.file != &file && (mode == Mode::write || lease.unlocks)) return err::again;
    Lease* own = find(file);
    if (!own && !task.kernel().leases_enabled) return err::inval;
    if (!own) own = &leases_.emplace_back(Lease { .file = &file, .mode = mode, .fd = fd.value });
    own->mode = mode;
    own->fd = fd.value;
    if (mode == Mode::read) {
        own->downgrades = false;
        own->downgrade_by = kNever;
    }
    breakers_.wake_all();
    if (!file.async_owner.id) set_async_owner(file, task, AsyncOwner::process, task.pid().value);
    return {};
}

Result<void> Leases::remove(File& file)
{
    Lease* lease = find(file);
    if (!lease) return err::again;
    leases_.erase(leases_.begin() + (lease - leases_.data()));
    file.async_owner = {};
    breakers_.wake_all();
    return {};
}

i64 Leases::kind_of(Kernel& kernel, File const& file)
{
    expire(kernel);
    Lease const* lease = find(file);
    if (!lease || lease->unlocks) return abi::f_unlck;
    return lease->target() == Mode::write ? abi::f_wrlck : abi::f_rdlck;
}

bool Leases::conflicts(Mode breaker) const
{
    return std::ranges::any_of(
        leases_, [&](Lease const& lease) { return breaker == Mode::write || lease.mode == Mode::write; });
}

void Leases::expire(Kernel& kernel)
{
    Nanoseconds now = kernel.time().monotonic();
    std::vector<File*> ended;
    bool changed = false;
    for (Lease& lease : leases_) {
        if (lease.downgrades && lease.downgrade_by <= now) {
            lease.mode = Mode::read;
            lease.downgrades = false;
            changed = true;
        }
        if (lease.unlocks && lease.unlock_by <= now) ended.push_back(lease.file);
    }
    for (File* file : ended)
        (void)remove(*file).ok(); // it is there
    if (changed) breakers_.wake_all();
}

/// Marks what conflicts and tells each holder, once for each way in which its lease breaks.
void Leases::announce(Kernel& kernel, Mode breaker)
{
    Nanoseconds allowed = kernel.lease_break_time * kNanosecondsPerSecond;
    Nanoseconds by = allowed > 0 ? Timekeeper::add(kernel.time().monotonic(), allowed) : kNever;
    for (Lease& lease : leases_) {
        if (breaker == Mode::read && (lease.mode == Mode::read || lease.unlocks || lease.downgrades))
            continue;
        if (breaker == Mode::write && lease.unlocks) continue;
        if (breaker == Mode::write) {
            lease.unlocks = true;
            lease.unlock_by = by;
        } else {
            lease.downgrades = true;
            lease.downgrade_by = by;
        }
        send_async_event(kernel, lease.file->async_owner, lease.fd, AsyncEvent::message);
    }
}

Nanoseconds Leases::next_expiry() const
{
    Nanoseconds first = kNever;
    for (Lease const& lease : leases_) {
        if (lease.unlocks) first = std::min(first, lease.unlock_by);
        if (lease.downgrades) first = std::min(first, lease.downgrade_by);
    }
    return first;
}

Result<void> Leases::break_for(Kernel& kernel, Mode breaker, bool nonblocking)
{
    expire(kernel);
    if (!conflicts(breaker)) return {};
    announce(kernel, breaker);
    if (nonblocking) return err::again;
    while (conflicts(breaker)) {
        announce(kernel, breaker); // those that came while this one waited
        auto waited = breakers_.wait_until([&] { return !conflicts(breaker); }, next_expiry());
        if (waited.is_error() && waited.error() != err::timedout) return waited;
        expire(kernel);
    }
    return {};
}

Result<void> set_lease(Task& task, File& file, GuestFd fd, u64 kind)
{
    // Linux knows the kind before it looks at the file only for F_UNLCK and for what is none.
    if (kind > u64(abi::f_unlck)) return err::inval;
    Inode& inode = file.inode();
    auto const& who = task.credentials();
    if (who.fsuid != inode.attributes().uid && !who.has(Capability::lease)) return err::acces;
    if (!inode.is_regular()) return err::inval;
    auto& leases = inode.locks().leases;
    if (kind == u64(abi::f_unlck)) return leases.remove(file);
    return leases.set(task, file, fd, kind == u64(abi::f_wrlck) ? Leases::Mode::write : Leases::Mode::read);
}

i64 get_lease(File& file)
{
    Inode& inode = file.inode();
    if (!inode.has_locks()) return abi::f_unlck;
    return inode.locks().leases.kind_of(inode.file_system().kernel(), file);
}

Result<void> break_leases(Task& task, Inode& inode, u32 open_flags)
{
    if (!inode.has_locks()) return {};
    bool writes = (open_flags & abi::o_accmode) != abi::o_rdonly;
    return inode.locks().leases.break_for(
        task.kernel(), writes ? Leases::Mode::write : Leases::Mode::read, open_flags & abi::o_nonblock);
}

void end_lease(File& file)
{
    if (file.inode().has_locks()) (void)file.inode().locks().leases.remove(file).ok(); // few have one
}

} // namespace umbra::vfs
