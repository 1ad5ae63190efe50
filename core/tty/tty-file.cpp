// SPDX-License-Identifier: GPL-2.0-or-later
// Reading, writing and polling a terminal (Linux: n_tty_read, n_tty_write, n_tty_poll).
#include "core/tty/tty-file.h"

#include <algorithm>

#include "core/kernel.h"
#include "core/task/task.h"
#include "core/time/timekeeper.h"

namespace umbra::tty {

namespace {

constexpr u64 kWritePiece
    = 2048; ///< as Linux: other writers get their turn in between only where output blocks
constexpr u64 kPollOutLimit = 256; ///< WAKEUP_CHARS: with more than that unshown, poll says "not writable"
constexpr Nanoseconds kTenthOfSecond = kNanosecondsPerSecond / 10;

} // namespace

TtyFile::TtyFile(vfs::Path path, u32 flags, Ref<Tty> tty)
    : File(std::move(path), flags)
    , tty_(std::move(tty))
{
    tty_->attach(*this);
}

TtyFile::~TtyFile() { tty_->detach(*this); }

/// True: input or the end came; false: the time ran out first.
Result<bool> TtyFile::wait_for_change(Nanoseconds timeout)
{
    u64 const before = tty_->line().readable_bytes();
    auto changed = [&] { return is_ended() || tty_->line().readable_bytes() != before; };
    Nanoseconds const deadline = tty_->kernel().time().monotonic() + timeout;
    auto waited = tty_->queue().wait_until(changed, deadline);
    if (waited.ok()) return true;
    if (waited.error() == err::timedout) return false;
    return waited.error();
}

/// Raw mode's four cases (termios(3)): returns once a read may take what is there, which may be nothing when
/// VTIME has run out. err::again: the caller waits for the first byte.
Result<u64> TtyFile::wait_for_input(u64 wanted)
{
    auto& line = tty_->line();
    u64 const minimum = std::min<u64>(line.termios().cc[abi::vmin], wanted);
    Nanoseconds const time = line.termios().cc[abi::vtime] * kTenthOfSecond;
    if (line.is_readable(minimum)) return line.readable_bytes();
    if (minimum == 0) {
        if (time == 0) return u64 { 0 };
        if (is_nonblocking()) return err::again;
        TRY(wait_for_change(time));
        return line.readable_bytes();
    }
    u64 const here = line.readable_bytes();
    // Non-blocking reads and interrupted ones take what is there.
    if (here > 0 && (is_nonblocking() || is_ended() || current().has_pending_signal())) return here;
    if (here == 0 || time == 0) return err::again;
    while (!line.is_canonical() && !line.is_readable(minimum) && !is_ended()) {
        auto changed = wait_for_change(time); // VTIME counts from each byte anew
        if (changed.is_error() || !changed.value()) break;
    }
    return line.readable_bytes();
}

Result<u64> TtyFile::read(IoBuffer& buffer, u64)
{
    if (hung_up_) return u64 { 0 };
    TRY(check_foreground(current(), *tty_, abi::sigttin));
    if (buffer.remaining() == 0) return u64 { 0 };
    auto& line = tty_->line();
    if (!line.is_readable()) {
        tty_->input_wanted();
        if (tty_->is_other_end_closed()) return err::io;
    }
    if (!line.is_canonical()) {
        TRY(wait_for_input(buffer.remaining()));
        if (hung_up_) return u64 { 0 };
    } else if (!line.is_readable())
        return err::again;

    u8 piece[LineDiscipline::kBufferSize];
    u64 const count = line.read({ piece, std::min<u64>(buffer.remaining(), sizeof piece) });
    tty_->pump();
    if (count == 0) return u64 { 0 }; // an end-of-file mark, or VTIME has run out
    return buffer.put(piece, count);
}

Result<u64> TtyFile::write(IoBuffer& buffer, u64)
{
    if (hung_up_) return err::io;
    if (tty_->termios().lflag & abi::tostop) TRY(check_foreground(current(), *tty_, abi::sigttou));
    MutexLock lock(tty_->write_mutex());
    u64 const before = buffer.transferred();
    while (buffer.remaining() > 0) {
        if (is_ended()) return err::io;
        u8 piece[kWritePiece];
        u64 const count = TRY(buffer.take(piece, std::min<u64>(buffer.remaining(), sizeof piece)));
        u64 const done = tty_->write({ piece, count });
        if (done == count) continue;
        buffer.rewind(count - done);
        return err::again;
    }
    return buffer.transferred() - before;
}

u32 TtyFile::readiness()
{
    constexpr u32 in = abi::pollin | abi::pollrdnorm, out = abi::pollout | abi::pollwrnorm;
    if (hung_up_) return in | out | abi::pollerr | abi::pollhup;
    auto const& cc = tty_->termios().cc;
    u32 ready = 0;
    if (tty_->line().is_readable(cc[abi::vtime] == 0 ? cc[abi::vmin] : 1))
        ready |= in;
    else if (is_readable())
        tty_->input_wanted();
    if (tty_->is_other_end_closed()) ready |= abi::pollhup;
    if (tty_->output_room() > 0 && tty_->device_pending() < kPollOutLimit) ready |= out;
    return ready;
}

Result<i64> TtyFile::ioctl(Task& task, u32 command, u64 argument)
{
    if (hung_up_) return command == abi::tiocspgrp ? err::notty : err::io;
    return tty_ioctl(task, *tty_, *this, command, argument, false);
}

Tty* as_tty(vfs::File& file)
{
    auto* tty_file = dynamic_cast<TtyFile*>(&file);
    return tty_file ? &tty_file->tty() : nullptr;
}

} // namespace umbra::tty
