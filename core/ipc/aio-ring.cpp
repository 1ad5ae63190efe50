// SPDX-License-Identifier: GPL-2.0-or-later
// The ring of events of an asynchronous I/O context, in pages that the guest shares and may scribble over: nothing that
// is read from them is trusted.
#include <algorithm>

#include "core/ipc/aio.h"

namespace umbra::ipc {

namespace {

constexpr u64 kEventsPerPage = kPageSize / sizeof(abi::IoEvent);
/// The head takes the place of one event, so that none crosses a page.
static_assert(sizeof(abi::AioRingHead) == sizeof(abi::IoEvent));

} // namespace

Result<Ref<AioRing>> AioRing::create(mm::PhysicalMemory& memory, u64 events)
{
    u64 const pages = (events + 1 + kEventsPerPage - 1) / kEventsPerPage;
    auto ring = Ref<AioRing>(*new AioRing(memory, pages), AdoptTag::adopt);
    for (u64 i = 0; i < pages; i++)
        ring->frames_.push_back(TRY(memory.allocate()));
    ring->head() = { .id = 0,
        .capacity = ring->capacity_,
        .head = 0,
        .tail = 0,
        .magic = abi::aio_ring_magic,
        .compatible_features = 1,
        .incompatible_features = 0,
        .header_length = sizeof(abi::AioRingHead) };
    return ring;
}

AioRing::AioRing(mm::PhysicalMemory& memory, u64 pages)
    : memory_(memory)
    , capacity_(u32(pages * kEventsPerPage - 1))
{
    frames_.reserve(pages);
}

AioRing::~AioRing()
{
    for (mm::Frame frame : frames_)
        memory_.unref(frame);
}

abi::AioRingHead& AioRing::head() const
{
    return *reinterpret_cast<abi::AioRingHead*>(memory_.data(frames_[0]));
}

abi::IoEvent& AioRing::event(u32 index) const
{
    u64 const slot = u64(index) + 1;
    auto* page = reinterpret_cast<abi::IoEvent*>(memory_.data(frames_[slot / kEventsPerPage]));
    return page[slot % kEventsPerPage];
}

u32 AioRing::first() const
{
    // Acquire: the guest has read its events before it moved the head, and their slots may be filled again.
    return __atomic_load_n(&head().head, __ATOMIC_ACQUIRE) % capacity_;
}

u32 AioRing::unread() const { return (tail_ + capacity_ - first()) % capacity_; }

void AioRing::push(abi::IoEvent const& pushed)
{
    event(tail_) = pushed;
    tail_ = (tail_ + 1) % capacity_;
    // Release: a guest that sees the tail sees the event before it.
    __atomic_store_n(&head().tail, tail_, __ATOMIC_RELEASE);
}

std::vector<abi::IoEvent> AioRing::peek(u64 most) const
{
    std::vector<abi::IoEvent> events(std::min<u64>(most, unread()));
    u32 at = first();
    for (auto& taken : events) {
        taken = event(at);
        at = (at + 1) % capacity_;
    }
    return events;
}

void AioRing::take(u64 count)
{
    __atomic_store_n(&head().head, u32((first() + count) % capacity_), __ATOMIC_RELEASE);
}

} // namespace umbra::ipc
