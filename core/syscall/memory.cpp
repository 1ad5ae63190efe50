// SPDX-License-Identifier: GPL-2.0-or-later
// Memory: mmap, munmap, mprotect, mremap, brk, madvise, msync, mincore, the mlock family.
#include "core/abi/mman.h"

#include "core/fs/tmpfs/tmpfs.h"
#include "core/mm/address-space.h"
#include "core/syscall/syscall.h"

namespace umbra {

using namespace abi;

namespace {

/// What a file mapping shows, after the checks of mmap(2).
Result<void> attach_file(Task& task, mm::MapRequest& request, GuestFd fd, u64 offset)
{
    auto file = TRY(task.files().get(fd));
    if (!file->is_readable()) return err::acces;
    if (request.shared && (request.prot & prot_write) && !file->is_writable()) return err::acces;
    if (request.shared && file->is_writable() && file->path() && file->inode().is_append_only())
        return err::acces;
    if (file->path() && (file->path()->mount->flags() & vfs::kMountNoExec) && (request.prot & prot_exec))
        return err::perm;
    bool sealed = request.shared && fs::is_write_sealed(*file);
    if (sealed && (request.prot & prot_write)) return err::perm;
    request.may_write = file->is_writable() && !sealed;
    request.object = TRY(file->mmap_object(offset, page_up(request.length), request.shared));
    request.object_offset = offset;
    request.path = file->path();
    return {};
}

} // namespace

namespace {

/// personality(2) READ_IMPLIES_EXEC.
bool reads_execute(Task const& task, u32 prot)
{
    return (task.personality & personality_read_executes) && (prot & prot_read);
}

} // namespace

SyscallResult sys_mmap(Task& task, u64 address, u64 length, u32 prot, u32 flags, GuestFd fd, u64 offset)
{
    if (offset & kPageMask) return err::inval;
    if (!(flags & map_anonymous)) TRY(task.files().get(fd)); // Linux looks at nothing else before
    if (length == 0) return err::inval;
    if (page_up(length) < length) return err::nomem;
    if (offset + page_up(length) < offset) return err::overflow;
    mm::MapRequest request;
    request.address = address, request.length = length, request.prot = prot & 7;
    u32 type = flags & map_type;
    constexpr u32 kValidated = map_type | map_fixed | map_anonymous | map_32bit | map_growsdown
        | map_denywrite | map_executable | map_locked | map_noreserve | map_populate | map_nonblock
        | map_stack | map_hugetlb | map_fixed_noreplace;
    if (type == map_shared_validate && (flags & ~kValidated)) return err::opnotsupp;
    if (type != map_shared && type != map_private && type != map_shared_validate) return err::inval;
    request.shared = type != map_private;
    request.fixed = flags & (map_fixed | map_fixed_noreplace);
    request.no_replace = flags & map_fixed_noreplace;
    request.populate = (flags & map_populate) && !(flags & map_nonblock);
    request.low_32bit = flags & map_32bit;
    request.locked = flags & map_locked;
    if (flags & map_hugetlb) return err::nomem; // no huge pages are reserved, as on a host without any
    if (flags & map_anonymous) {
        request.grows_down = (flags & map_growsdown) && !request.shared;
        if (request.shared) {
            // Shared anonymous memory is an unnamed tmpfs file, as in Linux.
            auto file = TRY(fs::make_shared_memory_file(task.kernel(), "/dev/zero", page_up(length)));
            request.object = TRY(file->mmap_object(0, page_up(length), true));
            request.path = file->path();
            request.shared_anonymous = true;
        }
    } else {
        TRY(attach_file(task, request, fd, offset));
    }
    // A mount without exec keeps its files from it: attach_file() would have refused PROT_EXEC.
    bool const no_exec = request.path && (request.path->mount->flags() & vfs::kMountNoExec);
    if (reads_execute(task, request.prot) && !no_exec) request.prot |= prot_exec;
    return i64(TRY(task.mm().map(std::move(request))).value);
}

SyscallResult sys_munmap(Task& task, u64 address, u64 length)
{
    TRY(task.mm().unmap(address, length));
    return 0;
}

SyscallResult sys_mprotect(Task& task, u64 address, u64 length, u32 prot)
{
    TRY(task.mm().protect(address, length, reads_execute(task, prot) ? prot | prot_exec : prot));
    return 0;
}

SyscallResult sys_pkey_mprotect(Task& task, u64 address, u64 length, u32 prot, i32 key)
{
    if (key != -1) return err::inval; // no protection keys are ever handed out
    return sys_mprotect(task, address, length, prot);
}

SyscallResult sys_mseal(Task& task, u64 address, u64 length, u64 flags)
{
    if (flags) return err::inval;
    TRY(task.mm().seal(address, length));
    return 0;
}

SyscallResult sys_mremap(Task& task, u64 address, u64 old_length, u64 new_length, u32 flags, u64 new_address)
{
    return i64(TRY(task.mm().remap(address, old_length, new_length, flags, new_address)).value);
}

SyscallResult sys_brk(Task& task, u64 address) { return i64(TRY(task.mm().set_break(address))); }

SyscallResult sys_madvise(Task& task, u64 address, u64 length, i32 advice)
{
    TRY(task.mm().advise(address, length, advice));
    return 0;
}

SyscallResult sys_msync(Task& task, u64 address, u64 length, u32 flags)
{
    TRY(task.mm().sync_range(address, length, flags));
    return 0;
}

namespace {
constexpr u64 kMaxMincorePages = u64 { 1 } << 24; // the vector is copied whole
}

SyscallResult sys_mincore(Task& task, u64 address, u64 length, GuestAddr out)
{
    if (address & kPageMask) return err::inval;
    u64 pages = page_up(length) >> kPageShift;
    if (pages > kMaxMincorePages) return err::nomem;
    std::vector<u8> vector(pages);
    TRY(task.mm().resident(address, length, vector));
    TRY(copy_to_user(task, out, vector.data(), vector.size()));
    return 0;
}

namespace {

Result<void> check_lock_limit(Task& task, u64 pages)
{
    u64 limit = task.limit(Resource::memlock);
    if (limit == kRlimInfinity || task.credentials().has(Capability::ipc_lock)) return {};
    if (limit == 0) return err::perm;
    if ((task.mm().usage().locked + pages) << kPageShift > limit) return err::nomem;
    return {};
}

} // namespace

SyscallResult sys_mlock(Task& task, u64 address, u64 length)
{
    TRY(check_lock_limit(task, page_up(length + (address & kPageMask)) >> kPageShift));
    TRY(task.mm().lock_range(address, length, true));
    return 0;
}

SyscallResult sys_mlock2(Task& task, u64 address, u64 length, u32 flags)
{
    if (flags & ~mlock_onfault) return err::inval;
    TRY(check_lock_limit(task, page_up(length + (address & kPageMask)) >> kPageShift));
    auto const pages = flags & mlock_onfault ? mm::LockedPages::when_touched : mm::LockedPages::at_once;
    TRY(task.mm().lock_range(address, length, true, pages));
    return 0;
}

SyscallResult sys_munlock(Task& task, u64 address, u64 length)
{
    TRY(task.mm().lock_range(address, length, false));
    return 0;
}

SyscallResult sys_mlockall(Task& task, u32 flags)
{
    if (!flags || (flags & ~(mcl_current | mcl_future | mcl_onfault)) || flags == mcl_onfault)
        return err::inval;
    TRY(check_lock_limit(task, flags & mcl_current ? task.mm().total_pages() : 0));
    task.mm().lock_future = flags & mcl_future;
    if (!(flags & mcl_current)) return 0;
    std::vector<std::pair<u64, u64>> ranges;
    for (auto const& [start, vma] : task.mm().areas())
        ranges.push_back({ start, vma->end - start });
    for (auto [start, length] : ranges)
        (void)task.mm().lock_range(start, length, true).ok(); // Linux ignores areas that cannot be populated
    return 0;
}

SyscallResult sys_munlockall(Task& task)
{
    task.mm().lock_future = 0;
    std::vector<std::pair<u64, u64>> ranges;
    for (auto const& [start, vma] : task.mm().areas())
        ranges.push_back({ start, vma->end - start });
    for (auto [start, length] : ranges)
        TRY(task.mm().lock_range(start, length, false));
    return 0;
}

namespace {

/// The areas from `start` on show one object with the same rights up to `end`: the first, or null.
mm::Vma const* shared_area(mm::AddressSpace const& space, u64 start, u64 end)
{
    mm::Vma const* const first = space.find(start);
    if (!first || !first->shared || !first->object) return nullptr;
    for (mm::Vma const* area = first; area->end < end;) {
        mm::Vma const* next = space.find(area->end);
        if (!next || next->object != first->object || next->prot != first->prot) return nullptr;
        area = next;
    }
    return first;
}

} // namespace

SyscallResult sys_remap_file_pages(Task& task, u64 start, u64 size, u32 prot, u64 page, u32 flags)
{
    if (prot) return err::inval;
    start = page_down(start), size = page_down(size);
    if (start + size <= start || page + (size >> kPageShift) < page) return err::inval;
    mm::Vma const* area = shared_area(task.mm(), start, start + size);
    if (!area) return err::inval;
    mm::MapRequest request { .address = start, .length = size, .prot = area->prot };
    request.shared = true, request.fixed = true, request.locked = area->locked;
    request.populate = !(flags & map_nonblock);
    request.may_write = area->may_write, request.shared_anonymous = area->shared_anonymous;
    request.object = area->object, request.object_offset = page << kPageShift;
    request.path = area->path, request.label = area->label, request.attachment = area->attachment;
    if (auto const attachment = request.attachment) {
        // The old area goes first, and a segment that is marked to be destroyed may go with it.
        TRY(task.mm().unmap(start, size));
        if (!attachment->may_open()) return err::inval;
    }
    TRY(task.mm().map(std::move(request)));
    return 0;
}

} // namespace umbra
