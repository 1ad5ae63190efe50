// SPDX-License-Identifier: GPL-2.0-or-later
// Checked copies to and from guest memory through the direct map. The one file that turns guest
// addresses into pointers is core/mm/fault.cpp's kernel_view(); this one only walks it.
#include "core/mm/user.h"

#include <algorithm>
#include <cstring>

#include "core/kernel.h"
#include "core/mm/address-space.h"
#include "core/task/task.h"
#include "core/trace/trace.h"

namespace umbra {

using platform::Protection;

namespace {

/// Calls piece(pointer, place, length) for each part in memory that follows itself; stops at the first inaccessible one. Returns bytes done.
template <typename Piece>
Result<u64> walk_user(Task& task, GuestAddr address, u64 length, Protection access, Piece piece)
{
    u64 done = 0;
    while (done < length) {
        if (address.value + done < address.value) break;
        auto view = task.mm().try_kernel_run(address + done, access, length - done);
        if (view.empty()) {
            auto one = task.mm().kernel_view(address + done, access);
            if (one.is_error()) {
                if (done) break;
                return err::fault;
            }
            view = one.value();
        }
        u64 n = std::min<u64>(view.size(), length - done);
        piece(view.data(), done, n);
        done += n;
    }
    return done;
}

Result<void> all_or_fault(Result<u64> done, u64 length)
{
    if (TRY(std::move(done)) < length) return err::fault;
    return {};
}

} // namespace

Result<u64> copy_from_user_partial(Task& task, void* to, GuestAddr from, u64 length)
{
    return walk_user(task, from, length, Protection::read, [&](u8 const* p, u64 at, u64 n) {
        std::memcpy(static_cast<u8*>(to) + at, p, n);
        task.kernel().trace().counters.bytes_from_guest += n;
    });
}

Result<u64> copy_to_user_partial(Task& task, GuestAddr to, void const* from, u64 length)
{
    return walk_user(task, to, length, Protection::write, [&](u8* p, u64 at, u64 n) {
        std::memcpy(p, static_cast<u8 const*>(from) + at, n);
        task.kernel().trace().counters.bytes_to_guest += n;
    });
}

Result<void> copy_from_user(Task& task, void* to, GuestAddr from, u64 length)
{
    return all_or_fault(copy_from_user_partial(task, to, from, length), length);
}

Result<void> copy_to_user(Task& task, GuestAddr to, void const* from, u64 length)
{
    return all_or_fault(copy_to_user_partial(task, to, from, length), length);
}

Result<void> zero_user(Task& task, GuestAddr to, u64 length)
{
    return all_or_fault(
        walk_user(task, to, length, Protection::write, [&](u8* p, u64, u64 n) { std::memset(p, 0, n); }),
        length);
}

Result<std::string> copy_string_from_user(Task& task, GuestAddr from, u64 limit, Errno too_long)
{
    std::string text;
    while (text.size() < limit) {
        auto view = TRY(task.mm().kernel_view(from + text.size(), Protection::read));
        u64 n = std::min<u64>(view.size(), limit - text.size());
        if (auto* end = static_cast<u8 const*>(std::memchr(view.data(), 0, n))) {
            text.append(reinterpret_cast<char const*>(view.data()), u64(end - view.data()));
            return text;
        }
        text.append(reinterpret_cast<char const*>(view.data()), n);
    }
    return too_long;
}

IoBuffer IoBuffer::kernel(std::span<u8> memory)
{
    IoBuffer b;
    b.single_ = { reinterpret_cast<u64>(memory.data()), memory.size() };
    b.remaining_ = memory.size();
    return b;
}

IoBuffer IoBuffer::kernel_source(std::span<u8 const> memory)
{
    IoBuffer b;
    b.single_ = { reinterpret_cast<u64>(memory.data()), memory.size() };
    b.remaining_ = memory.size();
    return b;
}

IoBuffer IoBuffer::user(Task& task, GuestAddr address, u64 length)
{
    IoBuffer b;
    b.task_ = &task;
    b.single_ = { address.value, length };
    b.remaining_ = length;
    return b;
}

IoBuffer IoBuffer::user(Task& task, std::vector<Segment> segments)
{
    IoBuffer b;
    b.task_ = &task;
    b.many_ = std::move(segments);
    for (auto const& s : b.many_)
        b.remaining_ += s.length;
    if (b.many_.empty()) b.single_ = { 0, 0 };
    return b;
}

void IoBuffer::truncate(u64 count) { remaining_ = std::min(remaining_, count); }

template <typename Move> Result<u64> IoBuffer::move(u64 length, Move&& move_piece)
{
    length = std::min(length, remaining_);
    u64 done = 0;
    while (done < length) {
        Segment const& s = many_.empty() ? single_ : many_[index_];
        if (within_ == s.length && !many_.empty()) {
            ++index_;
            within_ = 0;
            continue;
        }
        u64 n = std::min(s.length - within_, length - done);
        auto moved = move_piece(s.address + within_, done, n);
        if (moved.is_error()) {
            if (done) break;
            return moved.error();
        }
        within_ += moved.value();
        done += moved.value();
        remaining_ -= moved.value();
        transferred_ += moved.value();
        if (moved.value() < n) break;
    }
    return done;
}

Result<u64> IoBuffer::put(void const* from, u64 length)
{
    return move(length, [&](u64 address, u64 at, u64 n) -> Result<u64> {
        auto* source = static_cast<u8 const*>(from) + at;
        if (task_) return copy_to_user_partial(*task_, GuestAddr(address), source, n);
        std::memcpy(reinterpret_cast<void*>(address), source, n);
        return n;
    });
}

Result<u64> IoBuffer::put_zeros(u64 length)
{
    return move(length, [&](u64 address, u64, u64 n) -> Result<u64> {
        if (!task_) {
            std::memset(reinterpret_cast<void*>(address), 0, n);
            return n;
        }
        return walk_user(*task_, GuestAddr(address), n, Protection::write,
            [&](u8* p, u64, u64 part) { std::memset(p, 0, part); });
    });
}

Result<u64> IoBuffer::take(void* to, u64 length)
{
    return move(length, [&](u64 address, u64 at, u64 n) -> Result<u64> {
        auto* target = static_cast<u8*>(to) + at;
        if (task_) return copy_from_user_partial(*task_, target, GuestAddr(address), n);
        std::memcpy(target, reinterpret_cast<void const*>(address), n);
        return n;
    });
}

u64 IoBuffer::offer_present(u64 length, std::function<u64(std::span<u8 const>)> const& accept)
{
    auto offer = [&](u64 address, u64, u64 n) -> Result<u64> {
        if (!task_) return accept({ reinterpret_cast<u8 const*>(address), n });
        u64 done = 0;
        while (done < n) {
            auto const view
                = task_->mm().try_kernel_run(GuestAddr(address + done), Protection::read, n - done);
            u64 const there = std::min<u64>(view.size(), n - done);
            u64 const taken = there ? accept(view.first(there)) : 0;
            done += taken;
            if (taken < there || !there) break;
        }
        return done;
    };
    return move(length, offer).value(); // says no error
}

void IoBuffer::rewind(u64 count)
{
    UMBRA_ASSERT(count <= transferred_);
    remaining_ += count;
    transferred_ -= count;
    while (count > within_) {
        count -= within_;
        UMBRA_ASSERT(index_ > 0);
        --index_;
        within_ = many_[index_].length;
    }
    within_ -= count;
}

} // namespace umbra
