// SPDX-License-Identifier: GPL-2.0-or-later
// Guest-physical memory: frames of 4 KiB in banks (sparse memfds), handed out in contiguous blocks by a buddy allocator.
// Every frame has a reference count; the last unref frees it. Guarded by the kernel lock.
#pragma once

#include <memory>
#include <vector>

#include "core/base/error.h"
#include "core/base/list.h"
#include "core/base/types.h"
#include "core/platform/platform.h"

namespace umbra::mm {

/// A frame's number: the bank above, the page within it below. Null is "no frame".
struct Frame : Strong<struct FrameTag, u64> {
    using Strong::Strong;
    static constexpr u64 kNull = ~u64 { 0 };
    static constexpr unsigned kBankShift = 32;
    constexpr Frame()
        : Strong(kNull)
    {
    }
    constexpr bool is_null() const { return value == kNull; }
    constexpr u64 bank() const { return value >> kBankShift; }
    constexpr u64 index() const { return value & ((u64 { 1 } << kBankShift) - 1); }
    constexpr Frame operator+(u64 n) const { return Frame(value + n); }
};

/// The largest block: 2^9 frames, 2 MiB.
constexpr unsigned kMaxOrder = 9;
/// The least that the host is asked for at once: 16 frames.
constexpr unsigned kBatchOrder = 4;

/// 2^order frames; a null base stands for "there are none to spare".
struct ReservedBlock {
    Frame base;
    unsigned order = 0;
};

/// Whoever overwrites whole frames at once need not have them cleared first.
enum class FrameContent : u8 { zeroed, any };

class BackedPages;

/// What a frame is used for, as memory.stat of a control group tells it.
enum class FrameUse : u8 { anonymous, file, shared_memory, kernel };

/// Who pays for frames (core/cgroup/memory.cpp). There is one as soon as a control group counts memory.
class FrameAccounts {
public:
    virtual ~FrameAccounts() = default;
    /// Charges whoever allocates now, and returns what uncharge() is to be given; 0: nobody. ENOMEM at a limit.
    virtual Result<u32> charge(u64 pages, FrameUse use) = 0;
    virtual void uncharge(u32 account, u64 pages) = 0;
};

class PhysicalMemory {
public:
    /// At most `limit` bytes are ever in use; banks are made on demand.
    PhysicalMemory(platform::Platform& platform, u64 limit);
    ~PhysicalMemory();

    /// 2^order contiguous frames with one reference each, aligned to their size. ENOMEM at the limit.
    Result<Frame> allocate(
        unsigned order, FrameContent content = FrameContent::zeroed, FrameUse use = FrameUse::anonymous);
    /// One zeroed frame.
    Result<Frame> allocate() { return allocate(0); }
    /// Contiguous frames set aside, aligned to their size: addresses of memory to come, which take no part of the limit
    /// until they are claimed. Free memory that the host has given already is used first, as far as there is a good
    /// piece. `most`: above kBatchOrder.
    ReservedBlock reserve(unsigned most);
    /// Frames of a reserved block become as if allocate() had given them. ENOMEM at the limit.
    Result<void> claim(Frame first, u64 count);
    /// The end of a reservation for frames that were not claimed.
    void unreserve(Frame first, u64 count);
    void ref(Frame frame);
    void unref(Frame frame);
    u32 ref_count(Frame frame) const;
    u32 account(Frame frame) const; ///< what it was charged to; 0: nobody
    /// The kernel's own view of the frame: 4096 bytes in the direct map; contiguous over a block.
    u8* data(Frame frame) const;
    platform::HostHandle handle(Frame frame) const;
    /// The frame's offset in its bank's handle.
    static u64 offset(Frame frame) { return frame.index() << kPageShift; }

    /// From now on, frames that are allocated or claimed are charged; null: no longer, and nobody is told of their end.
    void set_accounts(FrameAccounts* accounts) { accounts_ = accounts; }

    List<BackedPages, TaggedNode<PhysicalMemory>> backed_caches; ///< whose clean pages can be had back

    u64 limit() const { return limit_pages_; } ///< pages
    u64 used() const { return used_pages_; } ///< pages referenced
    u64 free() const { return limit_pages_ - used_pages_; }
    /// So little is free that only what is needed at once is given.
    bool is_short() const { return free() < limit() / 4; }
    /// Gives free, still populated pages back to the host until at most `keep` are left; returns how many it gave.
    u64 trim(u64 keep);

private:
    struct Bank;
    Result<Frame> allocate_uncharged(unsigned order, FrameContent content, u32 account);
    Result<void> claim_uncharged(Frame first, u64 count, u32 account);
    void add_bank();
    void put_block(Bank& bank, u32 index, unsigned order, u8 state);
    bool carve_block(Bank& bank, unsigned order, u32& index, u8& state);
    ReservedBlock reserve_present(u64 bank_number, unsigned most);
    ReservedBlock reserve_absent(u64 bank_number, unsigned order);
    ReservedBlock note_reserved(u64 bank_number, u32 index, unsigned order, u8 state);

    platform::Platform& platform_;
    FrameAccounts* accounts_ = nullptr;
    u64 limit_pages_;
    u64 used_pages_ = 0;
    u64 reserved_pages_ = 0; ///< set aside and not claimed
    u64 reserved_present_pages_ = 0; ///< of these, what the host holds memory for
    u64 present_free_pages_ = 0; ///< free pages that the host still holds memory for
    std::vector<std::unique_ptr<Bank>> banks_;
};

} // namespace umbra::mm
