// SPDX-License-Identifier: GPL-2.0-or-later
// Bytes go through one piece of kernel memory: a try without waiting, then the copy. Only where the host
// cannot try (regular files of many file systems, odd devices) does the task sleep in the ring.
#include "drivers-virtual/stdio/stdio-stream.h"

#include <algorithm>
#include <cerrno>

#include "core/abi/file.h"
#include "core/task/task.h"

namespace umbra::drivers {

namespace {

/// Two full host pipes, and enough for a disk to be busy with.
constexpr u64 kPieceSize = 128 << 10;
/// POLLOUT on a pipe promises room for this much.
constexpr u64 kSafePipeWrite = 4096;
constexpr i64 kOwnHostPosition = -1;

Result<u64> from_host(i32 result)
{
    if (result < 0) return Errno(-result);
    return u64(result);
}

} // namespace

/// A one-shot poll in a ring. Owned by the ring until it completes; the stream knows it until then.
class StdioStream::Watch final : public hostabi::Completion {
public:
    Watch(StdioStream& stream, u32 events)
        : stream_(stream)
        , ring_(stream.io_.ring())
        , events_(events)
    {
        ring_.poll(stream.host_.fd(), events, *this);
    }
    u32 events() const { return events_; }
    void cancel() { stream_->io_.cancel(ring_, *this); }
    void complete(i32 result) override
    {
        std::erase(stream_->watches_, this);
        if (result < 0 && result != -ECANCELED) stream_->cannot_watch_ = true;
        stream_->queue_.wake_all(result > 0 ? u32(result) : 0);
        delete this;
    }

private:
    Ref<StdioStream> stream_;
    hostabi::Ring& ring_;
    u32 events_;
};

u8* StdioStream::Lane::data()
{
    if (!bytes) bytes = std::make_unique_for_overwrite<u8[]>(kPieceSize);
    return bytes.get();
}

StdioStream::StdioStream(HostIo& io, hostabi::HostStream host)
    : io_(io)
    , host_(std::move(host))
    , has_position_(host_.seek(0, SEEK_CUR).ok())
{
}

StdioStream::~StdioStream() = default;

void StdioStream::closed()
{
    if (--files_ > 0) return;
    for (Watch* watch : watches_)
        watch->cancel();
}

void StdioStream::watch(u32 events)
{
    if (cannot_watch_) return;
    u32 covered = 0;
    for (Watch const* watch : watches_)
        covered |= watch->events();
    // Every poll reports POLLERR and POLLHUP: one for nothing else is needed only when there is none at all.
    if ((events & ~covered) == 0 && !watches_.empty()) return;
    watches_.push_back(new Watch(*this, events & ~covered));
}

u32 StdioStream::readiness(u32 wanted)
{
    constexpr u32 normal = abi::pollin | abi::pollrdnorm | abi::pollout | abi::pollwrnorm;
    if (is_regular() || cannot_watch_) return normal;
    u32 ready = host_.poll_now(normal | abi::pollpri | abi::pollrdhup);
    if (pending_begin_ < pending_end_) ready |= abi::pollin | abi::pollrdnorm;
    if (!(ready & (abi::pollerr | abi::pollhup))) watch(wanted & ~ready);
    return ready;
}

Errno StdioStream::not_now(u32 event)
{
    watch(event);
    return err::again;
}

/// Regular files are never "not ready": what cannot be had at once is worth a sleep.
bool StdioStream::must_use_ring(hostabi::HostErrno tried) const
{
    return tried.value == EOPNOTSUPP || (tried.value == EAGAIN && is_regular());
}

Result<u64> StdioStream::read_piece(std::span<u8> out, i64 offset)
{
    if (offset == kOwnHostPosition) {
        auto tried = host_.read_now(out);
        if (tried.ok()) return tried.value();
        if (!must_use_ring(tried.error())) {
            if (tried.error().value == EAGAIN) return not_now(abi::pollin);
            return hostabi::to_guest_errno(tried.error());
        }
        if (!is_regular() && !cannot_watch_ && !host_.poll_now(abi::pollin)) return not_now(abi::pollin);
    }
    i32 const result = await_request(io_,
        [&](hostabi::Ring& ring, hostabi::Completion& done) { ring.read(host_.fd(), out, offset, done); });
    // The description is non-blocking after all, and somebody else was faster.
    if (result == -EAGAIN) return not_now(abi::pollin);
    return from_host(result);
}

Result<u64> StdioStream::write_piece(std::span<u8 const> in, i64 offset)
{
    if (offset == kOwnHostPosition) {
        auto tried = host_.write_now(in);
        if (tried.ok()) return tried.value();
        if (!must_use_ring(tried.error())) {
            if (tried.error().value == EAGAIN) return not_now(abi::pollout);
            return hostabi::to_guest_errno(tried.error());
        }
        if (!is_regular() && !cannot_watch_) {
            if (!host_.poll_now(abi::pollout)) return not_now(abi::pollout);
            in = in.first(std::min<u64>(in.size(), kSafePipeWrite));
        }
    }
    i32 const result = await_request(io_,
        [&](hostabi::Ring& ring, hostabi::Completion& done) { ring.write(host_.fd(), in, offset, done); });
    if (result == -EAGAIN) return not_now(abi::pollout);
    return from_host(result);
}

Result<u64> StdioStream::give_pending(IoBuffer& buffer)
{
    auto given = buffer.put(in_.data() + pending_begin_, pending_end_ - pending_begin_);
    if (given.ok()) pending_begin_ += given.value();
    u64 const left = pending_end_ - pending_begin_;
    if (left > 0 && has_position_) { // what was not delivered was not read
        // The position was just moved past these bytes, so going back cannot fail.
        (void)host_.seek(-i64(left), SEEK_CUR);
        pending_begin_ = pending_end_;
    }
    return given;
}

Result<u64> StdioStream::read(IoBuffer& buffer)
{
    MutexLock lock(in_.mutex);
    u64 const before = buffer.transferred();
    auto moved_or = [&](Result<u64> const& result) {
        u64 const moved = buffer.transferred() - before;
        return moved > 0 ? Result<u64>(moved) : result;
    };
    bool more = true; // false: the host had less than was asked for, so it has nothing now or is at its end
    while (buffer.remaining() > 0 && more) {
        if (pending_begin_ == pending_end_) {
            u64 const wanted = std::min(buffer.remaining(), kPieceSize);
            auto got = read_piece({ in_.data(), wanted }, kOwnHostPosition);
            if (got.is_error() || got.value() == 0) return moved_or(got);
            pending_begin_ = 0;
            pending_end_ = got.value();
            more = got.value() == wanted;
        }
        u64 const held = pending_end_ - pending_begin_;
        auto given = give_pending(buffer);
        if (given.is_error() || given.value() < held) return moved_or(given);
    }
    return moved_or(u64 { 0 });
}

Result<u64> StdioStream::read_at(IoBuffer& buffer, u64 offset)
{
    MutexLock lock(in_.mutex);
    u64 moved = 0;
    while (buffer.remaining() > 0) {
        std::span<u8> out(in_.data(), std::min(buffer.remaining(), kPieceSize));
        auto got = read_piece(out, i64(offset + moved));
        if (got.is_error() || got.value() == 0) return moved > 0 ? Result<u64>(moved) : got;
        auto given = buffer.put(out.data(), got.value());
        if (given.is_error()) return moved > 0 ? Result<u64>(moved) : given;
        moved += given.value();
        if (given.value() < out.size()) break;
    }
    return moved;
}

Result<u64> StdioStream::write_from(IoBuffer& buffer, i64 offset)
{
    MutexLock lock(out_.mutex);
    u64 const before = buffer.transferred();
    while (buffer.remaining() > 0) {
        u64 const taken = TRY(buffer.take(out_.data(), std::min(buffer.remaining(), kPieceSize)));
        auto written = write_piece({ out_.data(), taken }, offset);
        u64 const gone = written.is_error() ? 0 : written.value();
        if (gone < taken) buffer.rewind(taken - gone);
        if (written.is_error()) {
            // A stream's caller goes on after err::again with the same buffer; see vfs::File::read.
            u64 moved = buffer.transferred() - before;
            return moved > 0 && written.error() != err::again ? Result<u64>(moved) : written;
        }
        if (offset != kOwnHostPosition) offset += i64(gone);
    }
    return buffer.transferred() - before;
}

Result<u64> StdioStream::write(IoBuffer& buffer) { return write_from(buffer, kOwnHostPosition); }
Result<u64> StdioStream::write_at(IoBuffer& buffer, u64 offset) { return write_from(buffer, i64(offset)); }

} // namespace umbra::drivers
