// SPDX-License-Identifier: GPL-2.0-or-later
// A guest process's address space (Linux: mm_struct): its areas, its page table, and the stub that shows it.
// Who changes it holds `lock` (a sleeping lock: filling a page may wait). Lock order: AddressSpace::lock, then nothing
// that sleeps on another address space's lock except MemoryObject::unmap_everywhere, which holds none itself.
// size: one class, most of it what system calls ask for
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>

#include "core/base/error.h"
#include "core/base/ref.h"
#include "core/mm/page-table.h"
#include "core/mm/reservation.h"
#include "core/mm/vma.h"
#include "core/platform/in-place-paging.h"
#include "core/platform/platform.h"
#include "core/sync/mutex.h"

namespace umbra {
class Kernel;
class Task;
} // namespace umbra
namespace umbra::platform {
struct CallSite;
struct CallSites;
} // namespace umbra::platform

namespace umbra::mm {

struct MapRequest {
    u64 address = 0; ///< hint, or the place with `fixed`
    u64 length = 0;
    u32 prot = 0;
    bool shared = false;
    bool fixed = false, no_replace = false, grows_down = false, populate = false, locked = false,
         low_32bit = false;
    bool may_write = true;
    bool shared_anonymous = false; ///< see Vma
    RefPtr<MemoryObject> object;
    u64 object_offset = 0; ///< bytes, page-aligned
    std::optional<vfs::Path> path;
    std::string label;
    RefPtr<Attachment> attachment;
};

/// The sleeping lock of an address space, which knows its owner: truncating a file reaches back into the space that the
/// truncating task may hold already (madvise MADV_REMOVE).
class SpaceLock {
public:
    void lock()
    {
        mutex_.lock();
        owner_ = &current();
    }
    void unlock()
    {
        owner_ = nullptr;
        mutex_.unlock();
    }
    bool is_held_by_current() const { return owner_ && owner_ == &current(); }

private:
    Mutex mutex_;
    Task* owner_ = nullptr;
};

class SpaceGuard {
public:
    explicit SpaceGuard(SpaceLock& lock)
        : lock_(lock)
    {
        lock_.lock();
    }
    ~SpaceGuard() { lock_.unlock(); }
    SpaceGuard(SpaceGuard const&) = delete;

private:
    SpaceLock& lock_;
};

/// Sizes that /proc and rlimits look at, in pages.
struct MemoryUsage {
    u64 total = 0, locked = 0, data = 0, stack = 0, text = 0, resident_anonymous = 0, resident_file = 0;
};

/// mlock2(2): whether pages come into memory with the lock, or stay from when they are first touched.
enum class LockedPages : u8 { at_once, when_touched };

struct CallPatches;
struct ShowPlan;

class AddressSpace : public RefCounted {
public:
    /// A fresh one with a stub. May wait. ENOMEM, EAGAIN.
    static Result<Ref<AddressSpace>> create(Kernel& kernel);
    ~AddressSpace() override;

    // --- system calls (mapping.cpp). All take the lock themselves. May wait. ---
    Result<GuestAddr> map(MapRequest request);
    Result<void> unmap(u64 address, u64 length);
    /// shmdt(2): unmaps what is left of an attachment that began at `address`. EINVAL (attachment.cpp).
    Result<void> detach(u64 address);
    Result<void> protect(u64 address, u64 length, u32 prot);
    Result<GuestAddr> remap(u64 address, u64 old_length, u64 new_length, u32 flags, u64 new_address);
    Result<u64> set_break(u64 address);
    Result<void> advise(u64 address, u64 length, i32 advice);
    /// mseal(2): EINVAL; ENOMEM where there is a hole.
    Result<void> seal(u64 address, u64 length);
    Result<void> sync_range(u64 address, u64 length, u32 flags);
    /// PR_SET_VMA_ANON_NAME: names anonymous memory for /proc/PID/maps. EBADF for files, ENOMEM over a hole.
    Result<void> name_range(u64 address, u64 length, std::string const& name);
    /// mbind(2), for what is mapped between two page boundaries. ENOMEM.
    Result<void> set_policy(u64 start, u64 end, MemoryPolicy const& policy);
    Result<void> resident(u64 address, u64 length, std::span<u8> out);
    Result<void> lock_range(u64 address, u64 length, bool lock, LockedPages pages = LockedPages::at_once);
    Result<void> populate(u64 address, u64 length, bool write);
    /// fork(2): everything the child sees (fork.cpp). May wait. ENOMEM, EAGAIN.
    Result<Ref<AddressSpace>> fork();

    // --- faults and kernel access (fault.cpp) ---
    /// What a fault came to: solved, or the signal that Linux sends.
    struct FaultResult {
        int signal = 0; ///< 0: solved
        i32 code = 0;
        bool out_of_memory = false;
        bool watched = false; ///< solved for the next instruction only: cover() follows it
    };
    /// Solves a guest fault and shows the pages to the guest. May wait.
    FaultResult fault(GuestAddr address, platform::Protection access);
    /// The kernel's pointer to a guest byte, valid until the next wait, with the bytes up to the page's end behind it.
    /// Faults the page in. EFAULT; ENOMEM where nobody could be made to give any. May wait. `force`: as ptrace's POKE, ignores missing write permission of private maps.
    Result<std::span<u8>> kernel_view(GuestAddr address, platform::Protection access, bool force = false);
    /// As kernel_view, but never waits: nothing if that would be needed (futex words, under no lock).
    std::span<u8> try_kernel_view(GuestAddr address, platform::Protection access);
    /// The same, but beyond the page, until about `most` bytes, where frames follow each other.
    std::span<u8> try_kernel_run(GuestAddr address, platform::Protection access, u64 most);

    // --- watched pages (watch.cpp), by page number; all take the lock and may wait ---
    /// From now on a guest's access to the page faults each time. Watched twice, it has to be unwatched twice.
    void watch(u64 page);
    void unwatch(u64 page);
    /// Takes a watched page out of the guest's sight again.
    void cover(u64 page);

    // --- system calls without a trap (call-patches.cpp); both may wait ---
    /// The running task, whose space this is, made a plain call: the `syscall` ends at `instruction`.
    void note_call(u64 instruction);
    /// Puts all code back as the program has it.
    void unpatch_calls();

    // --- exec ---
    platform::AddressSpace& stub() const { return *stub_; }
    void set_break_start(u64 address) { set_break_range(address, address); }
    void set_break_range(u64 start, u64 end) { break_start_ = start, break_end_ = end; } ///< PR_SET_MM_BRK
    u64 break_start() const { return break_start_; }
    u64 break_end() const { return break_end_; }
    GuestAddr vdso {};
    GuestAddr arguments_start {}, arguments_end {}, environment_start {}, environment_end {}, stack_start {};
    GuestAddr code_start {}, code_end {}, data_start {}, data_end {};
    std::vector<u64> auxv;
    /// The program's file: while it runs, nobody may open it for writing (ETXTBSY).
    void set_executable(vfs::Path path);
    std::optional<vfs::Path> const& executable() const { return executable_; }
    u64 limit_address_space = ~u64 { 0 }, limit_data = ~u64 { 0 }, limit_stack = 8 << 20,
        limit_memlock = 8 << 20;

    // --- inspection ---
    Vma* find(u64 address) const; ///< the area that holds the address, or null
    Vma* find_from(u64 address) const; ///< the first area that ends above the address, or null
    std::map<u64, std::unique_ptr<Vma>> const& areas() const { return areas_; }
    MemoryUsage usage() const;
    u64 resident_pages() const { return resident_; }
    u64 peak_resident_pages() const { return peak_resident_; }
    u64 total_pages() const { return total_pages_; }
    PageTable& pages() { return pages_; }
    Kernel& kernel() const { return kernel_; }
    mutable SpaceLock lock;
    u32 users = 0; ///< tasks that run in it
    u64 lock_future = 0;
    u32 write_or_execute = 0; ///< PR_MDWE_*: memory that was written cannot become executable
    u64 concurrency_ids = 0; ///< rseq(2)'s mm_cid: a bit for each that a task which may run has
    RefPtr<RefCounted> aio_contexts; ///< ipc::AioContexts; made on first use, gone with the last user
    u32 dump_filter = 0x33; ///< /proc/PID/coredump_filter, see core(5)

    /// For MemoryObject::unmap_everywhere: takes pages of one area away. May wait.
    void forget_object_pages(Vma& vma, u64 first, u64 count, bool even_private);
    /// Takes every page and area away (exit). May wait.
    void clear();

private:
    friend class ForkPlan; ///< fork.cpp
    AddressSpace(Kernel& kernel, std::unique_ptr<platform::AddressSpace> stub);

    // mapping.cpp
    Result<u64> choose_address(MapRequest const& request) const;
    bool is_free(u64 start, u64 end) const;
    Vma& insert(std::unique_ptr<Vma> vma);
    std::unique_ptr<Vma> remove(std::map<u64, std::unique_ptr<Vma>>::iterator it);
    void split(u64 address);
    /// Makes areas begin at `start` and end at `end` where the area there `changes`; one that stays as it is stays whole.
    /// ENOMEM, with nothing done, if vm.max_map_count would be passed.
    Result<void> split_ends(u64 start, u64 end, std::function<bool(Vma const&)> const& changes);
    void try_merge(u64 address);
    /// EPERM if a part of the range is sealed.
    Result<void> check_unsealed(u64 start, u64 end) const;
    Result<void> unmap_locked(u64 start, u64 end);
    Result<GuestAddr> map_locked(MapRequest& request);
    void drop_pages(u64 first, u64 last); ///< page numbers: unmaps from the stub, frees frames
    void hide(u64 first, u64 last); ///< takes shown pages away from the stub, keeps the entries
    void narrow(
        u64 first, u64 last); ///< takes away from shown pages what their areas do not allow (any more)
    Result<void> expand_stack(Vma& vma, u64 address);
    Result<void> check_limits(u64 new_pages, u32 prot, bool shared, bool stack) const;
    Result<GuestAddr> move_pages(
        Vma& vma, u64 old_start, u64 old_length, u64 new_length, u64 new_start, u32 flags);

    // fault.cpp
    struct Window {
        u64 first, last;
    };
    FaultResult fault_locked(GuestAddr address, platform::Protection access, bool show, bool force);
    Result<void> make_present(Vma& vma, u64 page, platform::Protection access, Window& window);
    Result<void> fill_anonymous(Vma& vma, u64 page, Window& window);
    Result<void> fill_from_object(Vma& vma, u64 page, bool write, Window& window);
    // copy-on-write.cpp
    Window plan_copy(Vma& vma, u64 page);
    template <typename Source, typename Allocate>
    Result<Window> copy_run(u64 page, Window const& run, Source source_of, Allocate allocate);
    Result<void> copy_pages(Vma& vma, u64 page, Frame frame, Window& window);
    Result<bool> copy_home(Vma& vma, u64 page, Window& window);
    Result<void> copy_on_write(Vma& vma, u64 page, Window& window);
    // fault.cpp
    Window add_neighbours(Vma& vma, u64 page);
    static bool is_clean(Vma const& vma, u64 page, Pte const& entry);
    Reservation* home_for(Vma const& vma, u64 page, u64 wanted);
    Result<std::span<u8>> make_kernel_view(GuestAddr address, platform::Protection access, bool force);
    enum class Showing : u8 { none, map, fill, unguard };
    Showing how_to_show(Vma const& vma, u64 page, Pte const& entry, bool faulted);
    Result<void> show(Vma& vma, Window window, u64 page, bool to_guest);
    bool show_host_file(Vma& vma, u64 page);
    /// The pages around one, within a window, of which a condition holds without a gap.
    template <typename Condition> static Window run_around(u64 page, Window const& window, Condition holds)
    {
        Window run { page, page + 1 };
        while (run.first > window.first && holds(run.first - 1))
            --run.first;
        while (run.last < window.last && holds(run.last))
            ++run.last;
        return run;
    }
    Result<Frame> allocate_run(u64 count, FrameContent content);
    // call-patches.cpp
    bool is_traced() const;
    u64 patchable_length(u64 call);
    Result<void> patch_call(u64 call, u64 length);
    Result<u8*> own_code(u64 address);
    void publish(platform::CallSites sites);
    bool has_patches(u64 start, u64 end) const;
    void restore_calls(u64 start, u64 end);
    Result<void> restore_call(platform::CallSite const& site);
    void forget_calls(u64 start, u64 end);
    bool is_watched(u64 page) const; // watch.cpp
    bool is_watched(u64 first, u64 last) const;
    Window plan_window(Vma& vma, u64 page, bool sequential) const;
    // image.cpp
    bool show_image(Vma& vma, u64 page, platform::Protection access);
    void copy_image(Vma& vma);
    std::vector<Vma*> image_around(Vma& vma) const;
    Result<void> copy_image_pages(std::vector<Vma*> const& image);
    void plan_image_area(Vma& vma, ShowPlan& plan);
    void set_entry(u64 page, Pte entry);
    void drop_entry(Pte& entry);
    void account(i64 pages);

    Kernel& kernel_;
    std::unique_ptr<platform::AddressSpace> stub_;
    platform::InPlacePaging* in_place_; ///< of the stub, if it has that
    std::map<u64, std::unique_ptr<Vma>> areas_; ///< by start
    PageTable pages_;
    ReservationTable reservations_;
    u64 break_start_ = 0, break_end_ = 0;
    u64 resident_ = 0, peak_resident_ = 0, total_pages_ = 0;
    u64 mmap_base_ = 0;
    std::optional<vfs::Path> executable_;
    std::unique_ptr<CallPatches> call_patches_; ///< null: no call was counted
    std::vector<u64> watched_; ///< page numbers, each as often as it is watched
};

} // namespace umbra::mm
