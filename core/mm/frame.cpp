// SPDX-License-Identifier: GPL-2.0-or-later
// The buddy allocator over banks. A free block is absent (the host holds no memory for it and it reads as zero),
// zeroed (the host holds it), dirty, or, above a batch, mixed of batches that differ. Blocks below kBatchOrder are never absent: memory comes from the host in
// batches of 16 pages, since one fallocate for 16 pages costs less than two first touches.
#include "core/mm/frame.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <utility>

#include "core/base/panic.h"
#include "core/platform/own-memory.h"

namespace umbra::mm {

namespace {

constexpr u32 kNone = ~u32 { 0 };
/// Free memory that is kept from the host for reuse before trim() runs: 32 MiB.
constexpr u64 kKeepFree = 8192;
/// Free memory that reservations may hold: 16 MiB, and in which pieces: 512 KiB and more.
constexpr u64 kKeepReserved = 4096;
constexpr unsigned kLeastReusedOrder = 7;
constexpr u32 kBatch = 1u << kBatchOrder;
/// Pages of the largest block.
constexpr u32 kBlock = 1u << kMaxOrder;
/// Absent blocks of the largest size whose part of the table stays, for reuse: 256 KiB of it.
constexpr u32 kKeepTables = 32;

enum State : u8 { kAbsent, kZeroed, kDirty, kMixed };

struct PageInfo {
    u32 refs;
    /// Free list, for the first page of a free block. Of a page in use, `next` is what it was charged to.
    u32 next, prev;
    u8 order; ///< of the free block that starts here
    u8 state;
    bool is_free_head;
    u8 batch_state; ///< for the first page of a batch in a mixed free block, or unclaimed in a reserved one
};

/// What the table has for a block of the largest size is whole pages of the kernel's memory.
constexpr u64 kBlockTable = u64 { kBlock } * sizeof(PageInfo);
static_assert(kBlockTable % kPageSize == 0);

} // namespace

struct PhysicalMemory::Bank {
    std::unique_ptr<platform::Bank> memory;
    platform::OwnMemory* own_memory; ///< null: the table stays
    std::unique_ptr<void, void (*)(void*)> table { nullptr, std::free };
    PageInfo* pages = nullptr; ///< in `table`, from a page's begin on; zero where nothing is known
    u32 page_count = 0;
    u32 virgin = 0; ///< pages from here on were never handed out: one big absent region
    /// Blocks of the largest size below `virgin` which are as if they were above: absent, in no list, their part of the table
    /// the host's.
    std::vector<u32> blank;
    u32 free_lists[kMaxOrder + 1]; ///< by order: of what the host holds memory for
    u32 absent_lists[kMaxOrder + 1];
    u32 absent_blocks = 0; ///< in the last of them

    u32& list(unsigned order, u8 state) { return state == kAbsent ? absent_lists[order] : free_lists[order]; }
    void link(u32 index, unsigned order, u8 state)
    {
        PageInfo& page = pages[index];
        u32& head = list(order, state);
        page.order = u8(order), page.state = state, page.is_free_head = true;
        page.prev = kNone, page.next = head;
        if (page.next != kNone) pages[page.next].prev = index;
        head = index;
        if (order == kMaxOrder && state == kAbsent) ++absent_blocks;
    }
    void unlink(u32 index)
    {
        PageInfo& page = pages[index];
        if (page.prev != kNone)
            pages[page.prev].next = page.next;
        else
            list(page.order, page.state) = page.next;
        if (page.next != kNone) pages[page.next].prev = page.prev;
        page.is_free_head = false;
        if (page.order == kMaxOrder && page.state == kAbsent) --absent_blocks;
    }
    /// An absent block of the largest size that is in no list; kNone: there is none.
    u32 take_blank()
    {
        if (!blank.empty()) {
            u32 const index = blank.back();
            blank.pop_back();
            return index;
        }
        if (virgin + kBlock > page_count) return kNone;
        return std::exchange(virgin, virgin + kBlock);
    }
    /// Gives the host back what the table has for all but `keep` absent blocks, those that became absent last.
    void give_tables(u32 keep)
    {
        if (!own_memory) return;
        u32 index = absent_lists[kMaxOrder];
        for (u32 i = 0; i < keep && index != kNone; ++i)
            index = pages[index].next;
        while (index != kNone) {
            u32 const next = pages[index].next;
            unlink(index);
            own_memory->discard_pages(&pages[index], kBlockTable);
            blank.push_back(index);
            index = next;
        }
    }

    /// How many pages of an unused block the host holds memory for.
    u64 present_in(u32 index, unsigned order, u8 state) const
    {
        if (state != kMixed) return state == kAbsent ? 0 : u64 { 1 } << order;
        u64 present = 0;
        for (u32 i = 0; i < 1u << order; i += kBatch)
            if (pages[index + i].batch_state != kAbsent) present += kBatch;
        return present;
    }
    /// Writes the state of a block down with each of its batches.
    void spread(u32 index, unsigned order, u8 state)
    {
        if (state == kMixed) return; // it is there
        for (u32 i = 0; i < 1u << order; i += kBatch)
            pages[index + i].batch_state = state;
    }
    /// The state of a part, of `order`, of a block in `state`.
    u8 state_of_part(u32 index, unsigned order, u8 state) const
    {
        return state == kMixed && order == kBatchOrder ? pages[index].batch_state : state;
    }
    /// The state of two neighbours in one.
    u8 merged_state(u32 a, u8 a_state, u32 b, u8 b_state, unsigned order)
    {
        if (a_state == b_state) return a_state;
        bool all_present
            = (a_state == kZeroed || a_state == kDirty) && (b_state == kZeroed || b_state == kDirty);
        if (all_present) return kDirty;
        spread(a, order, a_state);
        spread(b, order, b_state);
        return kMixed;
    }
    Result<void> make_usable(u32 index, unsigned order, u8 state, FrameContent content);
};

/// Has the host give what is absent of a block, and clears what is dirty if that is wanted.
Result<void> PhysicalMemory::Bank::make_usable(u32 index, unsigned order, u8 state, FrameContent content)
{
    u64 offset = u64(index) << kPageShift, length = kPageSize << order;
    if (state == kAbsent) return memory->populate(offset, length);
    if (state == kDirty && content == FrameContent::zeroed) std::memset(memory->data() + offset, 0, length);
    if (state != kMixed) return {};
    for (u32 i = 0; i < 1u << order; i += kBatch) {
        u8& batch = pages[index + i].batch_state;
        TRY(make_usable(index + i, kBatchOrder, batch, content));
        if (batch == kAbsent) batch = kZeroed;
    }
    return {};
}

PhysicalMemory::PhysicalMemory(platform::Platform& platform, u64 limit)
    : platform_(platform)
    , limit_pages_(limit >> kPageShift)
{
}

PhysicalMemory::~PhysicalMemory() = default;

void PhysicalMemory::add_bank()
{
    // One bank holds the whole limit plus slack for fragmentation: it is sparse, so its size costs nothing.
    // As much again is room for reservations.
    u64 pages = (2 * limit_pages_ + limit_pages_ / 8 + 512) & ~u64 { 511 };
    auto memory = platform_.create_bank(pages << kPageShift);
    if (memory.is_error()) return;
    auto bank = std::make_unique<Bank>();
    bank->memory = memory.release_value();
    bank->own_memory = dynamic_cast<platform::OwnMemory*>(&platform_);
    bank->page_count = u32(pages);
    // calloc-like: value-initialised lazily by the host, since new T[]() of a zero pattern touches every page.
    u64 size = pages * sizeof(PageInfo) + kPageSize;
    bank->table.reset(std::calloc(size, 1));
    if (!bank->table) return;
    void* begin = bank->table.get();
    bank->pages = static_cast<PageInfo*>(std::align(kPageSize, size - kPageSize, begin, size));
    std::fill_n(bank->free_lists, kMaxOrder + 1, kNone);
    std::fill_n(bank->absent_lists, kMaxOrder + 1, kNone);
    banks_.push_back(std::move(bank));
}

bool PhysicalMemory::carve_block(Bank& bank, unsigned order, u32& index, u8& state)
{
    unsigned from = order;
    while (from <= kMaxOrder && bank.free_lists[from] == kNone && bank.absent_lists[from] == kNone)
        ++from;
    if (from > kMaxOrder) {
        index = bank.take_blank();
        if (index == kNone) return false;
        state = kAbsent, from = kMaxOrder;
    } else {
        index = bank.free_lists[from] != kNone ? bank.free_lists[from] : bank.absent_lists[from];
        state = bank.pages[index].state;
        bank.unlink(index);
        present_free_pages_ -= bank.present_in(index, from, state);
    }
    while (from > order) {
        --from;
        if (from == kBatchOrder - 1 && state == kAbsent) {
            if (bank.memory->populate(u64(index) << kPageShift, kPageSize << kBatchOrder).is_error()) {
                put_block(bank, index, kBatchOrder, kAbsent);
                return false;
            }
            state = kZeroed;
        }
        u32 upper = index + (1u << from);
        put_block(bank, upper, from, bank.state_of_part(upper, from, state));
        state = bank.state_of_part(index, from, state);
    }
    return true;
}

void PhysicalMemory::put_block(Bank& bank, u32 index, unsigned order, u8 state)
{
    present_free_pages_ += bank.present_in(index, order, state);
    while (order < kMaxOrder) {
        u32 buddy = index ^ (1u << order);
        if (buddy + (1u << order) > bank.virgin) break;
        PageInfo& other = bank.pages[buddy];
        if (!other.is_free_head || other.order != order) break;
        state = bank.merged_state(index, state, buddy, other.state, order);
        bank.unlink(buddy);
        index &= ~(1u << order);
        ++order;
    }
    bank.link(index, order, state);
    if (bank.absent_blocks > kKeepTables) bank.give_tables(kKeepTables / 2);
}

Result<Frame> PhysicalMemory::allocate(unsigned order, FrameContent content, FrameUse use)
{
    u64 count = u64 { 1 } << order;
    if (used_pages_ + count > limit_pages_) return err::nomem;
    u32 const account = accounts_ ? TRY(accounts_->charge(count, use)) : 0;
    auto got = allocate_uncharged(order, content, account);
    if (got.is_error() && account) accounts_->uncharge(account, count);
    return got;
}

Result<Frame> PhysicalMemory::allocate_uncharged(unsigned order, FrameContent content, u32 account)
{
    u64 count = u64 { 1 } << order;
    if (banks_.empty()) add_bank();
    for (u64 b = 0; b < banks_.size(); ++b) {
        Bank& bank = *banks_[b];
        u32 index;
        u8 state;
        if (!carve_block(bank, order, index, state)) continue;
        if (auto r = bank.make_usable(index, order, state, content); r.is_error()) {
            put_block(bank, index, order, state);
            return r.error();
        }
        for (u64 i = 0; i < count; ++i)
            bank.pages[index + i].refs = 1, bank.pages[index + i].next = account;
        used_pages_ += count;
        return Frame((b << Frame::kBankShift) | index);
    }
    return err::nomem;
}

// --- Frames set aside. Each batch of them remembers in its first page's `batch_state` what its unclaimed part is.

ReservedBlock PhysicalMemory::note_reserved(u64 bank_number, u32 index, unsigned order, u8 state)
{
    Bank& bank = *banks_[bank_number];
    bank.spread(index, order, state);
    reserved_pages_ += u64 { 1 } << order;
    reserved_present_pages_ += bank.present_in(index, order, state);
    return { Frame((bank_number << Frame::kBankShift) | index), order };
}

/// Free memory that is there, so that it is not left to the host while more is asked for.
ReservedBlock PhysicalMemory::reserve_present(u64 bank_number, unsigned most)
{
    Bank& bank = *banks_[bank_number];
    for (unsigned order = most; order >= kLeastReusedOrder; --order) {
        u32 index = bank.free_lists[order];
        if (index == kNone) continue;
        u8 state = bank.pages[index].state;
        u64 present = bank.present_in(index, order, state);
        if (reserved_present_pages_ + present > kKeepReserved) continue;
        bank.unlink(index);
        present_free_pages_ -= present;
        return note_reserved(bank_number, index, order, state);
    }
    return {};
}

ReservedBlock PhysicalMemory::reserve_absent(u64 bank_number, unsigned order)
{
    Bank& bank = *banks_[bank_number];
    unsigned from = order;
    while (from < kMaxOrder && bank.absent_lists[from] == kNone)
        ++from;
    u32 index = bank.absent_lists[from];
    if (index != kNone)
        bank.unlink(index);
    else if (index = bank.take_blank(); index == kNone)
        return {};
    while (from > order) {
        --from;
        put_block(bank, index + (1u << from), from, kAbsent);
    }
    return note_reserved(bank_number, index, order, kAbsent);
}

ReservedBlock PhysicalMemory::reserve(unsigned most)
{
    UMBRA_ASSERT(most > kBatchOrder && most <= kMaxOrder);
    if (reserved_pages_ + (u64 { 1 } << most) > limit_pages_) return {};
    if (banks_.empty()) add_bank();
    for (u64 b = 0; b < banks_.size(); ++b) {
        if (auto block = reserve_present(b, most); !block.base.is_null()) return block;
        if (auto block = reserve_absent(b, most); !block.base.is_null()) return block;
    }
    return {};
}

Result<void> PhysicalMemory::claim(Frame first, u64 count)
{
    if (used_pages_ + count > limit_pages_) return err::nomem;
    u32 const account = accounts_ ? TRY(accounts_->charge(count, FrameUse::anonymous)) : 0;
    auto claimed = claim_uncharged(first, count, account);
    if (claimed.is_error() && account) accounts_->uncharge(account, count);
    return claimed;
}

Result<void> PhysicalMemory::claim_uncharged(Frame first, u64 count, u32 account)
{
    Bank& bank = *banks_[first.bank()];
    auto const begin = u32(first.index()), end = begin + u32(count);
    // One host call for all that the host has to give, before anything is changed.
    u32 absent = begin;
    while (absent < end && bank.pages[absent & ~(kBatch - 1)].batch_state != kAbsent)
        ++absent;
    if (absent < end) TRY(bank.memory->populate(u64(absent) << kPageShift, u64(end - absent) << kPageShift));
    for (u32 page = begin; page < end; ++page) {
        u8 state = bank.pages[page & ~(kBatch - 1)].batch_state;
        if (state == kDirty) std::memset(bank.memory->data() + (u64(page) << kPageShift), 0, kPageSize);
        if (state != kAbsent) --reserved_present_pages_;
        UMBRA_ASSERT(bank.pages[page].refs == 0);
        bank.pages[page].refs = 1, bank.pages[page].next = account;
    }
    used_pages_ += count;
    reserved_pages_ -= count;
    return {};
}

void PhysicalMemory::unreserve(Frame first, u64 count)
{
    Bank& bank = *banks_[first.bank()];
    for (u32 at = u32(first.index()), end = at + u32(count); at < end;) {
        u8 state = bank.pages[at & ~(kBatch - 1)].batch_state;
        bool whole = at % kBatch == 0 && end - at >= kBatch;
        u32 pages = whole ? kBatch : 1;
        reserved_pages_ -= pages;
        if (state != kAbsent) reserved_present_pages_ -= pages;
        // What is less than a batch cannot be absent: dirty, it is overwritten before anybody sees it.
        put_block(bank, at, whole ? kBatchOrder : 0, !whole && state == kAbsent ? u8(kDirty) : state);
        at += pages;
    }
}

void PhysicalMemory::ref(Frame frame) { ++banks_[frame.bank()]->pages[frame.index()].refs; }

u32 PhysicalMemory::ref_count(Frame frame) const { return banks_[frame.bank()]->pages[frame.index()].refs; }

u32 PhysicalMemory::account(Frame frame) const { return banks_[frame.bank()]->pages[frame.index()].next; }

void PhysicalMemory::unref(Frame frame)
{
    Bank& bank = *banks_[frame.bank()];
    PageInfo& page = bank.pages[frame.index()];
    UMBRA_ASSERT(page.refs > 0);
    if (--page.refs > 0) return;
    if (page.next && accounts_) [[unlikely]]
        accounts_->uncharge(page.next, 1);
    --used_pages_;
    put_block(bank, u32(frame.index()), 0, kDirty);
    if (present_free_pages_ > kKeepFree) trim(kKeepFree / 2);
}

u8* PhysicalMemory::data(Frame frame) const { return banks_[frame.bank()]->memory->data() + offset(frame); }

platform::HostHandle PhysicalMemory::handle(Frame frame) const
{
    return banks_[frame.bank()]->memory->handle();
}

u64 PhysicalMemory::trim(u64 keep)
{
    u64 given = 0;
    for (auto& bank : banks_) {
        for (unsigned order = kMaxOrder + 1; order-- > kBatchOrder;) {
            for (u32 i = bank->free_lists[order]; i != kNone;) {
                if (present_free_pages_ <= keep) break;
                u64 present = bank->present_in(i, order, bank->pages[i].state);
                bank->memory->discard(u64(i) << kPageShift, kPageSize << order);
                bank->unlink(i);
                present_free_pages_ -= present;
                given += present;
                put_block(*bank, i, order, kAbsent);
                i = bank->free_lists[order]; // merging may have moved anything
            }
        }
        bank->give_tables(u32(keep >> kMaxOrder));
    }
    return given;
}

} // namespace umbra::mm
