// SPDX-License-Identifier: GPL-2.0-or-later
// A virtual memory area: a range of a guest address space with one protection and one source of pages.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "core/base/list.h"
#include "core/base/ref.h"
#include "core/mm/memory-object.h"
#include "core/mm/memory-policy.h"
#include "core/vfs/path.h"

namespace umbra::mm {

class AddressSpace;

/// Told of every area that refers to it: System V shared memory counts those. `by`: the process, 0 for none.
class Attachment : public RefCounted {
public:
    /// An area of an address space shows it: made, split off or copied by fork. Does not wait.
    virtual void opened(Pid by) = 0;
    /// Such an area has gone. Does not wait.
    virtual void closed(Pid by) = 0;
    /// Whether a further area may show it: not once it is destroyed.
    virtual bool may_open() const { return true; }
};

class Vma : public TaggedNode<MemoryObject> {
public:
    u64 start = 0, end = 0; ///< bytes, page-aligned
    u32 prot = 0; ///< abi::prot_read|write|exec
    bool shared = false;
    bool shared_anonymous = false; ///< MAP_SHARED | MAP_ANONYMOUS: a file that nobody can open
    bool grows_down = false;
    bool locked = false;
    bool sealed = false; ///< mseal(2)
    bool dont_fork = false, wipe_on_fork = false, dont_dump = false;
    bool may_write = true; ///< shared mapping of a file opened for writing: mprotect may add PROT_WRITE
    RefPtr<MemoryObject> object; ///< null: private anonymous memory
    u64 object_page = 0; ///< page of the object shown at `start`
    std::optional<vfs::Path> path; ///< for /proc/pid/maps
    std::string label; ///< "[heap]", "[stack]", "[vdso]"
    std::string anonymous_name; ///< PR_SET_VMA_ANON_NAME
    MemoryPolicy policy; ///< mbind(2)
    RefPtr<Attachment> attachment; ///< an area that has one is merged with no other
    AddressSpace* space = nullptr;

    // Adaptive fault-around: the end of the last block faulted in, and its size in pages.
    u64 last_fault_end = 0;
    u32 fault_pages = 0;
    u32 file_faults = 0; ///< how many have brought in pages of the object
    // How writes to a large private area of a file's are spread (copy-on-write.cpp): the blocks in which a first page was
    // written to, and those of them in which a second was.
    u32 blocks_written = 0, blocks_written_again = 0;
    bool copies_blocks = false;

    /// The same area, belonging to no address space, without the history of its faults.
    std::unique_ptr<Vma> copy() const;
    u64 pages() const { return (end - start) >> kPageShift; }
    /// The object's page behind guest page number `page`.
    u64 object_index(u64 page) const { return object_page + (page - (start >> kPageShift)); }
    /// Whether the frame, shown at a page (address >> 12) of the area, is its own: anonymous, or a private copy.
    bool owns(u64 page, Frame frame) const
    {
        return !object || (!shared && object->resident_page(object_index(page)) != frame);
    }
    /// What the stub shows of a page that may (not yet) be written.
    platform::Protection shown_protection(bool writable) const
    {
        using platform::Protection;
        auto p = Protection::none;
        // x86 pages are readable when writable or executable.
        if (prot & 7) p = p | Protection::read;
        if ((prot & 2) && writable) p = p | Protection::write;
        if (prot & 4) p = p | Protection::execute;
        return p;
    }
    bool allows(platform::Protection access) const
    {
        return (access == platform::Protection::read && (prot & 5))
            || (access == platform::Protection::write && (prot & 2))
            || (access == platform::Protection::execute && (prot & 4));
    }
};

/// Whether mseal(2) forbids the advice: to discard pages that the guest could not write itself.
bool is_sealed_against(Vma const& vma, i32 advice);

} // namespace umbra::mm
