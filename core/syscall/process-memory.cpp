// SPDX-License-Identifier: GPL-2.0-or-later
// The memory of other processes: process_vm_readv(2), process_vm_writev(2), process_madvise(2), process_mrelease(2).
#include "core/abi/mman.h"
#include "core/ipc/pidfd.h"
#include "core/mm/address-space.h"
#include "core/syscall/iovec.h"
#include "core/syscall/syscall.h"
#include "core/task/permissions.h"
#include "core/task/pid-namespace.h"
#include "core/task/process-table.h"

namespace umbra {

using platform::Protection;

namespace {

enum class Direction : u8 { read, write };

/// One piece that lies within a page of the other process.
Result<u64> copy_piece(
    mm::AddressSpace& space, GuestAddr address, u64 length, IoBuffer& local, Direction direction)
{
    // By way of a copy: moving to the caller's memory may wait, and a view lasts until the next wait only.
    u8 piece[kPageSize];
    if (direction == Direction::read) {
        auto view = TRY(space.kernel_view(address, Protection::read));
        std::copy_n(view.begin(), std::ptrdiff_t(length), piece);
        return local.put(piece, length);
    }
    TRY(space.kernel_view(address, Protection::write)); // nothing is taken for a place that cannot be written
    u64 count = TRY(local.take(piece, length));
    auto view = TRY(space.kernel_view(address, Protection::write));
    std::copy_n(piece, std::ptrdiff_t(count), view.begin());
    return count;
}

/// Moves what fits until something is not accessible: the bytes moved, EFAULT for none.
SyscallResult copy_pieces(
    mm::AddressSpace& space, std::vector<abi::Iovec> const& remote, IoBuffer& local, Direction direction)
{
    u64 total = 0;
    for (auto const& part : remote) {
        for (u64 done = 0; done < part.length && local.remaining();) {
            GuestAddr at(part.base + done);
            u64 length
                = std::min({ part.length - done, local.remaining(), kPageSize - (at.value & kPageMask) });
            auto moved = copy_piece(space, at, length, local, direction);
            if (moved.is_error()) return total ? SyscallResult(i64(total)) : SyscallResult(moved.error());
            done += moved.value(), total += moved.value();
            if (moved.value() < length) return i64(total);
        }
    }
    return i64(total);
}

SyscallResult copy_between(Task& task, i32 pid, UserIn<abi::Iovec> local_vector, u64 local_count,
    UserIn<abi::Iovec> remote_vector, u64 remote_count, u64 flags, Direction direction)
{
    if (flags) return err::inval;
    auto local = TRY(import_iovec(task, local_vector, local_count));
    if (!local.remaining()) return 0;
    if (remote_count > abi::iov_max) return err::inval;
    auto remote = TRY(remote_vector.copy_in_array(task, remote_count));
    u64 wanted = 0;
    for (auto const& part : remote) {
        if (i64(part.length) < 0) return err::inval;
        wanted |= part.length;
    }
    if (!wanted) return 0;
    Task* target = task.kernel().processes().find_task(pid_in(task, pid));
    if (!target || !target->has_mm()) return err::srch;
    TRY(check_may_inspect(task, *target));
    Ref<mm::AddressSpace> space(target->mm());
    return copy_pieces(*space, remote, local, direction);
}

} // namespace

SyscallResult sys_process_vm_readv(Task& task, i32 pid, UserIn<abi::Iovec> local, u64 local_count,
    UserIn<abi::Iovec> remote, u64 remote_count, u64 flags)
{
    return copy_between(task, pid, local, local_count, remote, remote_count, flags, Direction::read);
}

SyscallResult sys_process_vm_writev(Task& task, i32 pid, UserIn<abi::Iovec> local, u64 local_count,
    UserIn<abi::Iovec> remote, u64 remote_count, u64 flags)
{
    return copy_between(task, pid, local, local_count, remote, remote_count, flags, Direction::write);
}

namespace {

/// The leader of a pidfd's process, or its thread. EBADF, ESRCH.
Result<Ref<Task>> task_of_pidfd(Task& task, GuestFd fd)
{
    auto const target = TRY(ipc::target_of_pidfd(*TRY(task.files().get(fd))));
    if (target.thread) return Ref<Task>(*target.thread);
    Task* leader = target.process->leader();
    return leader ? Result<Ref<Task>>(Ref<Task>(*leader)) : err::srch;
}

/// What may be advised about another process's memory: nothing that changes what it holds.
bool is_harmless(i32 advice)
{
    return advice == abi::madv_cold || advice == abi::madv_pageout || advice == abi::madv_willneed
        || advice == abi::madv_collapse;
}

} // namespace

SyscallResult sys_process_madvise(
    Task& task, GuestFd fd, UserIn<abi::Iovec> vector, u64 count, i32 advice, u32 flags)
{
    if (flags) return err::inval;
    if (count > abi::iov_max) return err::inval;
    auto const ranges = TRY(vector.copy_in_array(task, count));
    for (auto const& range : ranges)
        if (i64(range.length) < 0) return err::inval;
    auto target = TRY(task_of_pidfd(task, fd));
    if (!is_harmless(advice)) return err::inval;
    if (!target->has_mm()) return err::srch;
    TRY(check_may_inspect(task, *target));
    Ref<mm::AddressSpace> space(target->mm());
    if (space.get() != &task.mm() && !task.credentials().has(Capability::sys_nice)) return err::perm;
    u64 done = 0;
    for (auto const& range : ranges) {
        auto advised = space->advise(range.base, range.length, advice);
        if (advised.is_error()) return done ? SyscallResult(i64(done)) : advised.error();
        done += range.length;
    }
    return i64(done);
}

SyscallResult sys_process_mrelease(Task& task, GuestFd fd, u32 flags)
{
    if (flags) return err::inval;
    auto target = TRY(task_of_pidfd(task, fd));
    Task* holder = nullptr;
    for (Task* thread : target->process().threads)
        if (thread->has_mm()) holder = thread;
    if (!holder) return err::srch;
    // Its pages are still to be read.
    if (target->process().core_dump) return err::inval;
    // Somebody else may still run in it.
    Ref<mm::AddressSpace> space(holder->mm());
    for (auto const& [tid, other] : task.kernel().processes().tasks())
        if (other->has_mm() && &other->mm() == space.get() && !other->is_dying()) return err::inval;
    std::vector<std::pair<u64, u64>> ranges; // releasing waits, and areas change meanwhile
    for (auto const& [start, area] : space->areas())
        if (!area->shared) ranges.emplace_back(start, area->end - start);
    for (auto const& [start, length] : ranges)
        (void)space->advise(start, length, abi::madv_dontneed_locked).ok(); // sealed ones go with the process
    return 0;
}

} // namespace umbra
