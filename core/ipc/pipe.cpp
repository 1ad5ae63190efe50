// SPDX-License-Identifier: GPL-2.0-or-later
// The pipe's buffer: slots, copies, and who is woken when. One copy in, one copy out; the frames of a busy
// pipe go round through `spare_`. A wake-up happens only when the state that the other side sleeps on ends
// (empty, full).
#include "core/ipc/pipe.h"

#include <algorithm>

namespace umbra::ipc {

namespace {

constexpr u32 kReadEvents = abi::pollin | abi::pollrdnorm;
constexpr u32 kWriteEvents = abi::pollout | abi::pollwrnorm;

} // namespace

Pipe::Pipe(mm::PhysicalMemory& memory, u32 slots)
    : memory_(memory)
    , ring_(slots)
{
    spare_.reserve(slots);
}

Pipe::~Pipe()
{
    while (used_ > 0)
        pop();
    for (mm::Frame frame : spare_)
        memory_.unref(frame);
}

u64 Pipe::bytes() const
{
    u64 total = 0;
    for (u32 i = 0; i < used_; i++)
        total += ring_[(head_ + i) & (capacity() - 1)].length;
    return total;
}

Result<mm::Frame> Pipe::take_frame()
{
    if (spare_.empty()) return memory_.allocate(0, mm::FrameContent::zeroed, mm::FrameUse::kernel);
    mm::Frame frame = spare_.back();
    spare_.pop_back();
    return frame;
}

void Pipe::give_frame(mm::Frame frame)
{
    // A frame that tee(2) shares stays the other pipe's; one of ours is worth keeping up to what the ring can
    // hold.
    if (memory_.ref_count(frame) == 1 && spare_.size() + used_ < capacity())
        spare_.push_back(frame);
    else
        memory_.unref(frame);
}

void Pipe::push(PipeSlot const& added)
{
    UMBRA_ASSERT(!is_full());
    slot(used_) = added;
    used_++;
}

void Pipe::pop() { give_frame(detach_front().frame); }

PipeSlot Pipe::detach_front()
{
    PipeSlot slot = front();
    front().frame = {};
    head_ = (head_ + 1) & (capacity() - 1);
    used_--;
    return slot;
}

PipeSlot Pipe::share(u32 index, u32 count)
{
    PipeSlot shared = slot(index);
    memory_.ref(shared.frame);
    shared.length = count;
    shared.mergeable = false;
    return shared;
}

void Pipe::consume(u32 count)
{
    PipeSlot& first = front();
    first.offset += count;
    first.length -= count;
    if (first.length == 0) pop();
}

Result<u64> Pipe::read(IoBuffer& buffer)
{
    if (buffer.remaining() == 0) return 0;
    MutexLock lock(mutex_);
    bool was_full = is_full();
    u64 moved = 0;
    while (used_ > 0 && buffer.remaining() > 0) {
        PipeSlot& first = front();
        u32 wanted = u32(std::min<u64>(first.length, buffer.remaining()));
        auto copied = buffer.put(data(first.frame) + first.offset, wanted);
        if (copied.is_error()) {
            if (moved == 0) return copied.error();
            break;
        }
        moved += copied.value();
        bool ends_here = first.packet || copied.value() < wanted;
        // What a read leaves of a packet is dropped (pipe(2), O_DIRECT).
        consume(first.packet && copied.value() == wanted ? first.length : u32(copied.value()));
        if (ends_here) break;
    }
    if (moved == 0) return writers == 0 ? Result<u64>(0) : err::again;
    bytes_taken(was_full);
    return moved;
}

/// The part of a write that exceeds whole pages goes behind the last bytes if all of it fits there, so that
/// small writes share a page. Returns what was moved.
Result<u64> Pipe::merge_into_last(IoBuffer& buffer)
{
    u32 rest = u32(buffer.remaining() & kPageMask);
    if (used_ == 0 || rest == 0) return 0;
    PipeSlot& last = slot(used_ - 1);
    u32 end = last.offset + last.length;
    if (!last.mergeable || end + rest > kPageSize) return 0;
    TRY(buffer.take_all(data(last.frame) + end, rest));
    last.length += rest;
    return rest;
}

Result<void> Pipe::append_page(IoBuffer& buffer, bool packet)
{
    mm::Frame frame = TRY(take_frame());
    u32 wanted = u32(std::min<u64>(kPageSize, buffer.remaining()));
    // All of a page or nothing: a write of up to PIPE_BUF bytes is never seen in part.
    if (auto copied = buffer.take_all(data(frame), wanted); copied.is_error()) {
        give_frame(frame);
        return copied;
    }
    push({ .frame = frame, .length = wanted, .packet = packet, .mergeable = !packet });
    return {};
}

Result<u64> Pipe::write(IoBuffer& buffer, bool packets)
{
    if (buffer.remaining() == 0) return 0;
    MutexLock lock(mutex_);
    if (readers == 0) return err::pipe;
    bool was_empty = is_empty();
    u64 moved = 0;
    Result<u64> result = packets ? Result<u64>(0) : merge_into_last(buffer);
    if (result.ok()) moved = result.value();
    while (result.ok() && buffer.remaining() > 0) {
        u64 before = buffer.remaining();
        if (readers == 0)
            result = err::pipe; // they left while a copy waited
        else if (is_full())
            result = err::again;
        else if (auto appended = append_page(buffer, packets); appended.is_error())
            result = appended.error();
        moved += before - buffer.remaining();
    }
    if (moved > 0) bytes_arrived(was_empty);
    if (moved > 0 && (result.ok() || result.error() == err::fault || result.error() == err::nomem))
        return moved;
    return result;
}

Result<void> Pipe::resize(u32 slots)
{
    MutexLock lock(mutex_);
    if (slots < used_) return err::busy;
    std::vector<PipeSlot> ring(slots);
    for (u32 i = 0; i < used_; i++)
        ring[i] = slot(i);
    bool was_full = is_full();
    ring_ = std::move(ring);
    head_ = 0;
    spare_.reserve(slots);
    while (spare_.size() + used_ > slots) {
        memory_.unref(spare_.back());
        spare_.pop_back();
    }
    if (was_full && !is_full()) wake_everyone();
    return {};
}

// A wake-up goes to one sleeper when the state that all of them wait for ends; that one hands on what it
// leaves.

void Pipe::bytes_arrived(bool was_empty)
{
    if (was_empty || polled) wake_readers();
    if (!is_full()) writable.pass_on(kWriteEvents);
}

void Pipe::bytes_taken(bool was_full)
{
    if (was_full && !is_full()) wake_writers();
    if (!is_empty()) readable.pass_on(kReadEvents);
}

void Pipe::wake_readers()
{
    if (readable.has_waiters()) readable.wake_one(kReadEvents);
    if (either.has_waiters()) either.wake_all(kReadEvents);
}

void Pipe::wake_writers()
{
    if (writable.has_waiters()) writable.wake_one(kWriteEvents);
    if (either.has_waiters()) either.wake_all(kWriteEvents);
}

void Pipe::wake_everyone()
{
    readable.wake_all();
    writable.wake_all();
    either.wake_all();
}

} // namespace umbra::ipc
