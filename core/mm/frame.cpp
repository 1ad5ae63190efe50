// SPDX-License-Identifier: GPL-2.0-or-later
// The buddy allocator over banks. A free block is absent (the host holds no memory for it and it reads as zero),
// zeroed (the host holds it) or dirty. Blocks below kBatchOrder are never absent: memory comes from the host in
// batches of 16 pages, since one fallocate for 16 pages costs less than two first touches.
#include "core/mm/frame.h"

#include <cstdlib>
#include <cstring>

#include "core/base/panic.h"

namespace umbra::mm {

namespace {

constexpr unsigned kBatchOrder = 4;
constexpr u32 kNone = ~u32 { 0 };
/// Free memory that is kept from the host for reuse before trim() runs: 32 MiB.
constexpr u64 kKeepFree = 8192;

enum State : u8 { kAbsent, kZeroed, kDirty };

struct PageInfo {
    u32 refs;
    u32 next, prev; ///< free list, for the first page of a free block
    u8 order; ///< of the free block that starts here
    u8 state;
    bool is_free_head;
};

} // namespace

struct PhysicalMemory::Bank {
    std::unique_ptr<platform::Bank> memory;
    std::unique_ptr<PageInfo[], void (*)(void*)> pages { nullptr, std::free };
    u32 page_count = 0;
    u32 virgin = 0; ///< pages from here on were never handed out: one big absent region
    u32 free_lists[kMaxOrder + 1];

    void link(u32 index, unsigned order, u8 state)
    {
        PageInfo& page = pages[index];
        page.order = u8(order), page.state = state, page.is_free_head = true;
        page.prev = kNone, page.next = free_lists[order];
        if (page.next != kNone) pages[page.next].prev = index;
        free_lists[order] = index;
    }
    void unlink(u32 index)
    {
        PageInfo& page = pages[index];
        if (page.prev != kNone)
            pages[page.prev].next = page.next;
        else
            free_lists[page.order] = page.next;
        if (page.next != kNone) pages[page.next].prev = page.prev;
        page.is_free_head = false;
    }
};

PhysicalMemory::PhysicalMemory(platform::Platform& platform, u64 limit)
    : platform_(platform)
    , limit_pages_(limit >> kPageShift)
{
}

PhysicalMemory::~PhysicalMemory() = default;

void PhysicalMemory::add_bank()
{
    // One bank holds the whole limit plus slack for fragmentation: it is sparse, so its size costs nothing.
    u64 pages = (limit_pages_ + limit_pages_ / 8 + 512) & ~u64 { 511 };
    auto memory = platform_.create_bank(pages << kPageShift);
    if (memory.is_error()) return;
    auto bank = std::make_unique<Bank>();
    bank->memory = memory.release_value();
    bank->page_count = u32(pages);
    // calloc-like: value-initialised lazily by the host, since new T[]() of a zero pattern touches every page.
    bank->pages.reset(static_cast<PageInfo*>(std::calloc(pages, sizeof(PageInfo))));
    if (!bank->pages) return;
    for (u32& list : bank->free_lists)
        list = kNone;
    banks_.push_back(std::move(bank));
}

bool PhysicalMemory::carve_block(Bank& bank, unsigned order, u32& index, u8& state)
{
    unsigned from = order;
    while (from <= kMaxOrder && bank.free_lists[from] == kNone)
        ++from;
    if (from > kMaxOrder) {
        if (bank.virgin + (1u << kMaxOrder) > bank.page_count) return false;
        bank.link(bank.virgin, kMaxOrder, kAbsent);
        bank.virgin += 1u << kMaxOrder;
        from = kMaxOrder;
    }
    index = bank.free_lists[from];
    state = bank.pages[index].state;
    bank.unlink(index);
    if (state != kAbsent) present_free_pages_ -= u64 { 1 } << from;
    while (from > order) {
        --from;
        if (from == kBatchOrder - 1 && state == kAbsent) {
            if (bank.memory->populate(u64(index) << kPageShift, kPageSize << kBatchOrder).is_error()) {
                put_block(bank, index, kBatchOrder, kAbsent);
                return false;
            }
            state = kZeroed;
        }
        put_block(bank, index + (1u << from), from, state);
    }
    return true;
}

void PhysicalMemory::put_block(Bank& bank, u32 index, unsigned order, u8 state)
{
    if (state != kAbsent) present_free_pages_ += u64 { 1 } << order;
    while (order < kMaxOrder) {
        u32 buddy = index ^ (1u << order);
        if (buddy + (1u << order) > bank.virgin) break;
        PageInfo& other = bank.pages[buddy];
        if (!other.is_free_head || other.order != order) break;
        // Absent and present memory stay apart, or a small free would make 2 MiB look dirty; trim() reunites them.
        if ((other.state == kAbsent) != (state == kAbsent)) break;
        if (other.state != state) state = kDirty;
        bank.unlink(buddy);
        index &= ~(1u << order);
        ++order;
    }
    bank.link(index, order, state);
}

Result<Frame> PhysicalMemory::allocate(unsigned order, FrameContent content)
{
    u64 count = u64 { 1 } << order;
    if (used_pages_ + count > limit_pages_) return err::nomem;
    if (banks_.empty()) add_bank();
    for (u64 b = 0; b < banks_.size(); ++b) {
        Bank& bank = *banks_[b];
        u32 index;
        u8 state;
        if (!carve_block(bank, order, index, state)) continue;
        u64 offset = u64(index) << kPageShift;
        if (state == kAbsent && order > 0) {
            if (auto r = bank.memory->populate(offset, count << kPageShift); r.is_error()) {
                put_block(bank, index, order, kAbsent);
                return r.error();
            }
        } else if (state == kDirty && content == FrameContent::zeroed) {
            std::memset(bank.memory->data() + offset, 0, count << kPageShift);
        }
        for (u64 i = 0; i < count; ++i)
            bank.pages[index + i].refs = 1;
        used_pages_ += count;
        return Frame((b << Frame::kBankShift) | index);
    }
    return err::nomem;
}

void PhysicalMemory::ref(Frame frame) { ++banks_[frame.bank()]->pages[frame.index()].refs; }

u32 PhysicalMemory::ref_count(Frame frame) const { return banks_[frame.bank()]->pages[frame.index()].refs; }

void PhysicalMemory::unref(Frame frame)
{
    Bank& bank = *banks_[frame.bank()];
    PageInfo& page = bank.pages[frame.index()];
    UMBRA_ASSERT(page.refs > 0);
    if (--page.refs > 0) return;
    --used_pages_;
    put_block(bank, u32(frame.index()), 0, kDirty);
    if (present_free_pages_ > kKeepFree) trim(kKeepFree / 2);
}

u8* PhysicalMemory::data(Frame frame) const { return banks_[frame.bank()]->memory->data() + offset(frame); }

platform::HostHandle PhysicalMemory::handle(Frame frame) const { return banks_[frame.bank()]->memory->handle(); }

u64 PhysicalMemory::trim(u64 keep)
{
    u64 given = 0;
    for (auto& bank : banks_) {
        for (unsigned order = kMaxOrder + 1; order-- > kBatchOrder;) {
            for (u32 i = bank->free_lists[order]; i != kNone;) {
                if (present_free_pages_ <= keep) return given;
                if (bank->pages[i].state == kAbsent) {
                    i = bank->pages[i].next;
                    continue;
                }
                bank->memory->discard(u64(i) << kPageShift, kPageSize << order);
                bank->unlink(i);
                present_free_pages_ -= u64 { 1 } << order;
                given += u64 { 1 } << order;
                put_block(*bank, i, order, kAbsent);
                i = bank->free_lists[order]; // merging may have moved anything
            }
        }
    }
    return given;
}

} // namespace umbra::mm
