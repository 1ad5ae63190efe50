// SPDX-License-Identifier: GPL-2.0-or-later
// Output: what the device gets for what programs write and for what is echoed (Linux: n_tty.c,
// do_output_char()). Echo is processed when the character comes; what the device has no room for waits, and
// goes out before anything that a program writes later.
#include <algorithm>

#include "core/tty/line-discipline.h"

namespace umbra::tty {

namespace {

/// Echo beyond this is lost: somebody types into a terminal that takes nothing.
constexpr u64 kMaxWaitingEcho = 4096;
/// What one character becomes at most: a tab of eight blanks.
constexpr u64 kMaxWidth = 8;

} // namespace

u64 LineDiscipline::output_width(u8 c) const
{
    if (c == '\n' && output(abi::onlcr)) return 2;
    if (c == '\t' && (termios_.oflag & abi::tabdly) == abi::xtabs) return 8 - column_ % 8;
    return 1;
}

template <typename Sink> void LineDiscipline::process_output(u8 c, Sink&& emit)
{
    switch (c) {
    case '\n':
        if (output(abi::onlret)) column_ = 0;
        if (output(abi::onlcr)) {
            column_ = 0;
            emit('\r');
        }
        canon_column_ = column_;
        break;
    case '\r':
        if (output(abi::onocr) && column_ == 0) return;
        if (output(abi::ocrnl)) {
            c = '\n';
            if (output(abi::onlret)) canon_column_ = column_ = 0;
            break;
        }
        canon_column_ = column_ = 0;
        break;
    case '\t': {
        u64 const blanks = 8 - column_ % 8;
        column_ += blanks;
        if ((termios_.oflag & abi::tabdly) != abi::xtabs) break;
        for (u64 i = 0; i < blanks; ++i)
            emit(' ');
        return;
    }
    case '\b':
        if (column_ > 0) --column_;
        break;
    default:
        if (is_control(c)) break;
        if (output(abi::olcuc) && is_lower(c)) c -= 'a' - 'A';
        if (!is_continuation(c)) ++column_;
    }
    emit(c);
}

u64 LineDiscipline::write(std::span<u8 const> bytes)
{
    flush_echoes();
    if (!echoes_.empty()) return 0;
    u64 room = host_.output_room();
    if (!output(abi::opost)) {
        u64 const count = std::min<u64>(room, bytes.size());
        if (count > 0) host_.output(bytes.first(count));
        return count;
    }
    std::array<u8, 1024> block;
    u64 done = 0, filled = 0;
    auto emit = [&](u8 c) { block[filled++] = c; };
    while (done < bytes.size() && output_width(bytes[done]) <= room - filled) {
        process_output(bytes[done++], emit);
        if (filled + kMaxWidth <= block.size()) continue;
        host_.output({ block.data(), filled });
        room = host_.output_room();
        filled = 0;
    }
    if (filled > 0) host_.output({ block.data(), filled });
    return done;
}

void LineDiscipline::flush_echoes()
{
    u64 const count = std::min<u64>(host_.output_room(), echoes_.size());
    if (count == 0) return;
    host_.output({ echoes_.data(), count });
    echoes_.erase(echoes_.begin(), echoes_.begin() + i64(count));
}

void LineDiscipline::discard_echoes()
{
    if (!echoes_.empty()) column_ = column_before_echoes_;
    echoes_.clear();
}

void LineDiscipline::echo_raw(u8 c)
{
    if (echoes_.size() + kMaxWidth > kMaxWaitingEcho) return;
    if (echoes_.empty()) column_before_echoes_ = column_;
    auto emit = [this](u8 b) { echoes_.push_back(b); };
    if (c == 0xff) { // Linux's echo queue has a code of its own for this one, which passes by OLCUC
        ++column_;
        emit(c);
    } else if (output(abi::opost))
        process_output(c, emit);
    else
        emit(c);
}

void LineDiscipline::echo(u8 c)
{
    if (!local(abi::echoctl) || !is_control(c) || c == '\t') return echo_raw(c);
    echo_raw('^');
    echo_raw(c ^ 0100);
}

void LineDiscipline::echo_typed(u8 c)
{
    if (canon_head_ == head_) canon_column_ = column_;
    echo(c);
}

void LineDiscipline::echo_bytes(std::initializer_list<u8> bytes)
{
    for (u8 c : bytes)
        echo_raw(c);
}

} // namespace umbra::tty
