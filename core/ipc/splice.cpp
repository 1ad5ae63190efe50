// SPDX-License-Identifier: GPL-2.0-or-later
// splice and tee.
#include "core/ipc/splice.h"

#include <algorithm>

#include "core/task/task.h"
#include "core/vfs/notify.h"
#include "core/vfs/operations.h"

namespace umbra::ipc {

namespace {

template <typename Ready> Result<void> wait_for(WaitQueue& queue, Ready ready, Blocking blocking)
{
    if (ready()) return {};
    if (blocking == Blocking::no) return err::again;
    return queue.wait_until(ready);
}

bool would_block(Result<u64> const& result) { return result.is_error() && result.error() == err::again; }

/// Holds the mutexes of two pipes, taken in the order of their addresses so that two calls cannot block each
/// other.
class TwoPipes {
public:
    TwoPipes(Pipe& a, Pipe& b)
        : first_(std::min(&a, &b)->mutex())
        , second_(std::max(&a, &b)->mutex())
    {
    }

private:
    MutexLock first_, second_;
};

} // namespace

Result<void> wait_for_data(PipeFile& in, Blocking blocking)
{
    Pipe& pipe = in.pipe();
    return wait_for(
        *in.wait_queue(), [&] { return !pipe.is_empty() || pipe.writers == 0; }, blocking);
}

Result<void> wait_for_room(PipeFile& out, Blocking blocking)
{
    Pipe& pipe = out.pipe();
    TRY(wait_for(
        *out.wait_queue(), [&] { return !pipe.is_full() || pipe.readers == 0; }, blocking));
    if (pipe.readers > 0) return {};
    out.signal_broken_pipe();
    return err::pipe;
}

namespace {

/// Fills free slots from a file. err::again when it has nothing now, or when the pipe filled up meanwhile.
Result<u64> fill_pipe(vfs::File& in, u64& offset, Pipe& pipe, u64 length)
{
    MutexLock lock(pipe.mutex());
    bool was_empty = pipe.is_empty();
    u64 moved = 0;
    Result<u64> result = err::again;
    while (moved < length && !pipe.is_full()) {
        mm::Frame frame = TRY(pipe.take_frame());
        auto buffer = IoBuffer::kernel({ pipe.data(frame), std::min(length - moved, kPageSize) });
        u64 wanted = buffer.remaining();
        result = vfs::read_file(in, buffer, offset);
        if (result.is_error() || result.value() == 0) {
            pipe.give_frame(frame);
            break;
        }
        u64 count = result.value();
        pipe.push({ .frame = frame, .length = u32(count) });
        offset += count;
        moved += count;
        if (count < wanted) break;
    }
    if (moved > 0) pipe.bytes_arrived(was_empty);
    return moved > 0 ? Result<u64>(moved) : result;
}

} // namespace

Result<u64> splice_to_pipe(Task&, vfs::File& in, u64& offset, PipeFile& out, u64 length, Blocking blocking)
{
    TRY(vfs::ask_to_read(in));
    for (;;) {
        TRY(wait_for_room(out, blocking));
        auto moved = fill_pipe(in, offset, out.pipe(), length);
        if (!would_block(moved)) return moved;
        WaitQueue* queue = in.wait_queue();
        if (!queue && out.pipe().is_full())
            continue; // a file that is always ready: only the pipe was in the way
        if (!queue) return err::again;
        auto ready = [&] { return (in.readiness() & (abi::pollin | abi::pollhup | abi::pollerr)) != 0; };
        TRY(wait_for(*queue, ready, in.is_nonblocking() ? Blocking::no : blocking));
    }
}

namespace {

/// Writes bytes of the first slot to a file. err::again when the file takes none now, or the pipe ran empty
/// meanwhile.
Result<u64> drain_slot(Task& task, Pipe& pipe, vfs::File& out, u64& offset, u64 length)
{
    MutexLock lock(pipe.mutex());
    if (pipe.is_empty()) return err::again;
    bool was_full = pipe.is_full();
    PipeSlot& slot = pipe.front();
    auto buffer = IoBuffer::kernel_source(
        { pipe.data(slot.frame) + slot.offset, std::min<u64>(length, slot.length) });
    auto result = vfs::write_file(task, out, buffer, offset);
    // /dev/null takes bytes without looking at them; a stream may have taken a part before it would block.
    u64 moved = std::max(buffer.transferred(), result.ok() ? result.value() : 0);
    if (moved == 0) return result.ok() ? err::again : result;
    offset += moved;
    pipe.consume(u32(moved));
    pipe.bytes_taken(was_full);
    return moved;
}

} // namespace

Result<u64> splice_from_pipe(
    Task& task, PipeFile& in, vfs::File& out, u64& offset, u64 length, Blocking blocking)
{
    u64 total = 0;
    while (total < length) {
        if (in.pipe().is_empty()) {
            if (total > 0) break;
            TRY(wait_for_data(in, blocking));
            if (in.pipe().is_empty()) break; // no writers left
        }
        auto moved = drain_slot(task, in.pipe(), out, offset, length - total);
        if (moved.ok()) {
            total += moved.value();
            continue;
        }
        if (total > 0) break;
        if (!would_block(moved)) return moved;
        WaitQueue* queue = out.wait_queue();
        if (!queue && in.pipe().is_empty()) continue; // another task was faster
        if (!queue) return err::again;
        auto ready = [&] { return (out.readiness() & (abi::pollout | abi::pollhup | abi::pollerr)) != 0; };
        TRY(wait_for(*queue, ready, out.is_nonblocking() ? Blocking::no : blocking));
    }
    return total;
}

namespace {

u64 move_slots(Pipe& in, Pipe& out, u64 length)
{
    TwoPipes lock(in, out);
    bool in_was_full = in.is_full(), out_was_empty = out.is_empty();
    u64 moved = 0;
    while (moved < length && !in.is_empty() && !out.is_full()) {
        u32 count = u32(std::min<u64>(in.front().length, length - moved));
        if (count == in.front().length) {
            out.push(in.detach_front());
        } else {
            out.push(in.share(0, count));
            in.consume(count);
        }
        moved += count;
    }
    if (moved == 0) return 0;
    in.bytes_taken(in_was_full);
    out.bytes_arrived(out_was_empty);
    return moved;
}

u64 share_slots(Pipe& in, Pipe& out, u64 length)
{
    TwoPipes lock(in, out);
    bool was_empty = out.is_empty();
    u64 shared = 0;
    for (u32 i = 0; i < in.used() && shared < length && !out.is_full(); i++) {
        u32 count = u32(std::min<u64>(in.slot(i).length, length - shared));
        out.push(in.share(i, count));
        shared += count;
    }
    if (shared > 0) out.bytes_arrived(was_empty);
    return shared;
}

/// Waits for data and room, both of which another task can take away again before `transfer` gets the
/// mutexes.
template <typename Transfer>
Result<u64> between_pipes(PipeFile& in, PipeFile& out, u64 length, Blocking blocking, Transfer transfer)
{
    if (&in.pipe() == &out.pipe()) return err::inval;
    if (in.is_nonblocking() || out.is_nonblocking()) blocking = Blocking::no;
    for (;;) {
        TRY(wait_for_data(in, blocking));
        if (in.pipe().is_empty()) return 0;
        TRY(wait_for_room(out, blocking));
        if (u64 moved = transfer(in.pipe(), out.pipe(), length)) return moved;
    }
}

} // namespace

Result<u64> splice_pipes(PipeFile& in, PipeFile& out, u64 length, Blocking blocking)
{
    return between_pipes(in, out, length, blocking, move_slots);
}

Result<u64> tee(PipeFile& in, PipeFile& out, u64 length, Blocking blocking)
{
    return between_pipes(in, out, length, blocking, share_slots);
}

} // namespace umbra::ipc
