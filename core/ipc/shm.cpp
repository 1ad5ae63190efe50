// SPDX-License-Identifier: GPL-2.0-or-later
// System V shared memory: segments, their areas and their end.
#include "core/ipc/shm.h"

#include <algorithm>
#include <vector>

#include "core/abi/mman.h"
#include "core/fs/pseudo/text.h"
#include "core/fs/tmpfs/tmpfs.h"
#include "core/ipc/ipc-namespace.h"
#include "core/kernel.h"
#include "core/mm/address-space.h"
#include "core/task/pid-namespace.h"
#include "core/task/task.h"
#include "core/time/timekeeper.h"

namespace umbra::ipc {

using namespace abi;
using ull = unsigned long long;

namespace {

i64 now(Kernel const& kernel) { return kernel.time().realtime_timespec().sec; }

/// An area's share in a segment: every area has one of its own, copies of it too.
class ShmAttachment final : public mm::Attachment {
public:
    explicit ShmAttachment(Ref<ShmSegment> segment)
        : segment_(std::move(segment))
    {
    }
    void opened(Pid by) override { segment_->attached(by); }
    bool may_open() const override { return !segment_->removed; }
    void closed(Pid by) override { segment_->detached(by); }

private:
    Ref<ShmSegment> segment_;
};

Result<i32> create_segment(Task& task, IpcNamespace& ns, i32 key, u64 size, u32 flags)
{
    u64 const pages = page_up(size) >> kPageShift;
    if (size < 1 || size > ns.shm.max_bytes) return err::inval;
    if (pages << kPageShift < size) return err::nospc;
    if (ns.shm.used_pages + pages < ns.shm.used_pages || ns.shm.used_pages + pages > ns.shm.max_pages)
        return err::nospc;
    if (flags & shm_hugetlb) return err::nomem; // no huge pages are reserved, as for mmap(2)
    auto name = fs::format_text("/SYSV%08x", u32(key));
    auto file = TRY(fs::make_shared_memory_file(ns.kernel, std::move(name), size));
    auto memory = TRY(file->mmap_object(0, page_up(size), true));
    auto segment = make_ref<ShmSegment>(ns, file, memory, size);
    TRY(ns.segments.add(task, segment, key, flags, i32(ns.shm.max_segments)));
    segment->creator = task.pid();
    segment->creating_task = &task;
    return segment->id;
}

/// Where shmat(2) shall map: 0 for anywhere. EINVAL.
Result<u64> attach_address(u64 address, u32 flags)
{
    if (!address) return flags & shm_remap ? Result<u64>(err::inval) : Result<u64>(0);
    if (!(address & kPageMask)) return address;
    if (!(flags & shm_rnd)) return err::inval;
    address = page_down(address);
    if (!address && (flags & shm_remap)) return err::inval;
    return address;
}

} // namespace

ShmSegment::ShmSegment(IpcNamespace& owner, Ref<vfs::File> file, Ref<mm::MemoryObject> memory, u64 size)
    : owner(&owner)
    , kernel(owner.kernel)
    , file(std::move(file))
    , memory(std::move(memory))
    , size(size)
{
    owner.shm.used_pages += pages();
}

ShmSegment::~ShmSegment()
{
    if (!removed && owner) owner->shm.used_pages -= pages();
}

void ShmSegment::attached(Pid by)
{
    ++attachments;
    attach_time = now(kernel);
    if (by.value) last = by;
}

void ShmSegment::detached(Pid by)
{
    --attachments;
    detach_time = now(kernel);
    if (by.value) last = by;
    destroy_if_unused();
}

void ShmSegment::destroy_if_unused()
{
    if (removed || attachments || !owner) return;
    if (!(mode & shm_dest) && !owner->shm.remove_unattached) return;
    Ref<ShmSegment> keep(*this);
    owner->shm.used_pages -= pages();
    owner->segments.remove(*this);
}

void ShmSegment::orphan()
{
    owner = nullptr;
    mode |= shm_dest;
    key = ipc_private;
}

u64 ShmSegment::resident_pages() const
{
    auto* cache = dynamic_cast<mm::PageCache*>(memory.get());
    return cache ? cache->resident_pages() : 0;
}

ShmStatus ShmSegment::status() const
{
    return { .permission = permission(),
        .size = size,
        .attach_time = attach_time,
        .detach_time = detach_time,
        .change_time = change_time,
        .creator = pid_out(current(), creator),
        .last = pid_out(current(), last),
        .attached = attachments };
}

Result<i32> shm_get(Task& task, i32 key, u64 size, u32 flags)
{
    auto& ns = ipc_namespace(task);
    return get_or_create(
        task, ns.segments, key, flags,
        [size](ShmSegment const& segment) {
            return size > segment.size ? Result<void>(err::inval) : Result<void>();
        },
        [&] { return create_segment(task, ns, key, size, flags); });
}

Result<GuestAddr> shm_attach(Task& task, i32 id, u64 address, u32 flags)
{
    if (id < 0) return err::inval;
    bool const placed = address != 0;
    address = TRY(attach_address(address, flags));
    auto segment = TRY(ipc_namespace(task).segments.get(id));
    u32 wanted = flags & shm_rdonly ? 0444 : 0666;
    if (flags & shm_exec) wanted |= 0111;
    TRY(check_ipc_access(task, *segment, wanted));
    if (placed && !(flags & shm_remap) && address + segment->size < address) return err::inval;
    mm::MapRequest request { .address = address, .length = segment->size };
    request.prot = prot_read | (flags & shm_rdonly ? 0 : prot_write) | (flags & shm_exec ? prot_exec : 0);
    request.shared = true;
    request.fixed = placed;
    request.no_replace = placed && !(flags & shm_remap);
    request.may_write = !(flags & shm_rdonly);
    request.object = segment->memory;
    request.path = segment->file->path();
    request.attachment = make_ref<ShmAttachment>(segment);
    // Counted while this waits, so that nobody destroys it in between.
    ++segment->attachments;
    auto mapped = task.mm().map(std::move(request));
    --segment->attachments;
    segment->destroy_if_unused();
    if (mapped.is_error() && mapped.error() == err::exist) return err::inval;
    return mapped;
}

Result<void> shm_detach(Task& task, u64 address)
{
    if (address & kPageMask) return err::inval;
    return task.mm().detach(address);
}

Result<void> shm_remove(Task& task, i32 id)
{
    auto segment = TRY(ipc_namespace(task).segments.get(id));
    TRY(check_ipc_owner(task, *segment));
    segment->mode |= shm_dest;
    segment->key = ipc_private; // nobody finds it by its key any more
    segment->destroy_if_unused();
    return {};
}

Result<void> shm_set(Task& task, i32 id, IpcPermission const& permission)
{
    auto segment = TRY(ipc_namespace(task).segments.get(id));
    TRY(check_ipc_owner(task, *segment));
    TRY(set_ipc_permission(task, *segment, permission));
    segment->change_time = ipc_time(task);
    return {};
}

Result<void> shm_set_locked(Task& task, i32 id, bool locked)
{
    auto& ns = ipc_namespace(task);
    auto segment = TRY(ns.segments.get(id));
    auto const& who = task.credentials();
    u64 const limit = task.limit(Resource::memlock);
    bool const privileged = rules_ipc(task, Capability::ipc_lock);
    if (!privileged) {
        if (who.euid != segment->uid && who.euid != segment->cuid) return err::perm;
        if (locked && limit == 0) return err::perm;
    }
    if (!locked) {
        segment->mode &= ~shm_locked;
        return {};
    }
    if (segment->mode & shm_locked) return {};
    u64 pages = segment->pages();
    ns.segments.for_each([&](ShmSegment const& other) {
        if ((other.mode & shm_locked) && other.locked_by == who.uid) pages += other.pages();
    });
    if (!privileged && limit != kRlimInfinity && pages > limit >> kPageShift) return err::nomem;
    // Guest memory is never swapped out: to be locked is to be counted.
    segment->mode |= shm_locked;
    segment->locked_by = who.uid;
    return {};
}

ShmLimits shm_limits(IpcNamespace const& ns)
{
    u64 const segments = u64(ns.shm.max_segments);
    return { .max = ns.shm.max_bytes,
        .min = 1,
        .identifiers = segments,
        .per_process = segments,
        .all = ns.shm.max_pages };
}

ShmUsage shm_usage(IpcNamespace const& ns)
{
    ShmUsage usage { .identifiers = ns.segments.size(),
        .total = ns.shm.used_pages,
        .resident = 0,
        .swapped = 0,
        .swap_attempts = 0,
        .swap_successes = 0 };
    ns.segments.for_each([&](ShmSegment const& segment) { usage.resident += segment.resident_pages(); });
    return usage;
}

void shm_remove_orphans(IpcNamespace& ns)
{
    std::vector<Ref<ShmSegment>> orphans;
    ns.segments.for_each([&](ShmSegment& segment) {
        if (!segment.creating_task) orphans.push_back(Ref<ShmSegment>(segment));
    });
    for (auto& segment : orphans)
        segment->destroy_if_unused();
}

void exit_shm(Task& task)
{
    auto& ns = ipc_namespace(task);
    std::vector<Ref<ShmSegment>> own;
    ns.segments.for_each([&](ShmSegment& segment) {
        if (segment.creating_task == &task) own.push_back(Ref<ShmSegment>(segment));
    });
    for (auto& segment : own) {
        segment->creating_task = nullptr;
        segment->destroy_if_unused();
    }
}

std::string shm_listing(IpcNamespace const& ns)
{
    std::string out
        = "       key      shmid perms                  size  cpid  lpid nattch   uid   gid  cuid  cgid"
          "      atime      dtime      ctime                   rss                  swap\n";
    ns.segments.for_each([&](ShmSegment const& s) {
        auto owner = s.permission();
        translate_permission(current(), owner);
        fs::append_format(out, "%10d %10d  %4o %21llu %5d %5d  %5llu %5u %5u %5u %5u", s.key, s.id, s.mode,
            ull(s.size), pid_out(current(), s.creator), pid_out(current(), s.last), ull(s.attachments),
            owner.uid, owner.gid, owner.cuid, owner.cgid);
        fs::append_format(out, " %10lld %10lld %10lld %21llu %21u\n", (long long)s.attach_time,
            (long long)s.detach_time, (long long)s.change_time, ull(s.resident_pages() << kPageShift), 0u);
    });
    return out;
}

} // namespace umbra::ipc
