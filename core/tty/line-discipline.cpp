// SPDX-License-Identifier: GPL-2.0-or-later
// Input: from the device into the buffer, and out of it to the reader.
#include "core/tty/line-discipline.h"

#include <algorithm>
#include <utility>

#include "core/abi/signal.h"
#include "core/base/panic.h"

namespace umbra::tty {

void LineDiscipline::set_termios(abi::Termios const& termios)
{
    abi::Termios const old = std::exchange(termios_, termios);
    if ((old.lflag ^ termios.lflag) & abi::icanon) {
        // What was typed so far becomes a line (n_tty_set_termios); leaving canonical mode opens all to the
        // reader.
        line_end_.reset();
        canon_head_ = tail_;
        if (local(abi::icanon) && head_ != tail_) {
            line_end_.set((head_ - 1) % kBufferSize);
            canon_head_ = head_;
        }
        erasing_ = literal_next_ = false;
    }
    build_special_map();
    // Without IXON there is no character left that could restart stopped output.
    if (!input(abi::ixon) && (old.iflag & abi::ixon) && host_.is_output_stopped()) restart_output();
}

void LineDiscipline::build_special_map()
{
    special_.reset();
    raw_ = !input(abi::istrip | abi::iuclc | abi::igncr | abi::icrnl | abi::inlcr | abi::ixon | abi::parmrk)
        && !local(abi::icanon | abi::isig | abi::echo);
    auto mark = [this](std::initializer_list<u32> indices) {
        for (u32 index : indices)
            special_.set(termios_.cc[index]);
    };
    if (input(abi::igncr | abi::icrnl)) special_.set('\r');
    if (input(abi::inlcr) || local(abi::icanon)) special_.set('\n');
    if (local(abi::icanon)) {
        mark({ abi::verase, abi::vkill, abi::veof, abi::veol });
        if (local(abi::iexten)) mark({ abi::vwerase, abi::vlnext, abi::veol2, abi::vreprint });
    }
    if (input(abi::ixon)) mark({ abi::vstart, abi::vstop });
    if (local(abi::isig)) mark({ abi::vintr, abi::vquit, abi::vsusp });
    special_.reset(abi::disabled_char);
}

bool LineDiscipline::has_room() const
{
    if (head_ - tail_ + 1 < kBufferSize) return true;
    // An unfinished line fills the buffer: editing characters must get through, and others replace the last
    // one.
    return local(abi::icanon) && canon_head_ == tail_;
}

u64 LineDiscipline::receive(std::span<u8 const> bytes)
{
    u64 taken = 0;
    while (taken < bytes.size() && has_room()) {
        // The buffer's last place is for the newline that ends an overlong line.
        if (head_ - tail_ >= kBufferSize) --head_;
        receive_one(bytes[taken++]);
    }
    flush_echoes();
    if (!local(abi::icanon) && taken > 0) host_.input_available();
    return taken;
}

void LineDiscipline::receive_one(u8 c)
{
    if (raw_) return put(c);
    if (input(abi::istrip)) c &= 0x7f;
    if (input(abi::iuclc) && local(abi::iexten) && is_upper(c)) c += 'a' - 'A';
    bool const literal = std::exchange(literal_next_, false);
    if (special_[c] && !literal)
        receive_special(c);
    else
        receive_plain(c);
}

void LineDiscipline::receive_plain(u8 c)
{
    if (host_.is_output_stopped() && input(abi::ixon) && input(abi::ixany)) restart_output();
    if (local(abi::echo)) {
        finish_erasing();
        echo_typed(c);
    }
    put(c);
}

void LineDiscipline::receive_special(u8 c)
{
    if (input(abi::ixon) && receive_flow_control(c)) return;
    if (local(abi::isig) && receive_signal(c)) return;
    if (host_.is_output_stopped() && input(abi::ixon) && input(abi::ixany)) restart_output();
    if (c == '\r') {
        if (input(abi::igncr)) return;
        if (input(abi::icrnl)) c = '\n';
    } else if (c == '\n' && input(abi::inlcr))
        c = '\r';
    if (local(abi::icanon) && (receive_editing(c) || receive_line_end(c))) return;
    if (local(abi::echo)) {
        finish_erasing();
        if (c == '\n')
            echo_raw(c);
        else
            echo_typed(c);
    }
    put(c);
}

bool LineDiscipline::receive_flow_control(u8 c)
{
    if (is_char(c, abi::vstart)) {
        restart_output();
        return true;
    }
    if (!is_char(c, abi::vstop)) return false;
    host_.set_output_stopped(true);
    return true;
}

bool LineDiscipline::receive_signal(u8 c)
{
    int signal;
    if (is_char(c, abi::vintr))
        signal = abi::sigint;
    else if (is_char(c, abi::vquit))
        signal = abi::sigquit;
    else if (is_char(c, abi::vsusp))
        signal = abi::sigtstp;
    else
        return false;

    host_.signal_foreground(signal);
    if (!local(abi::noflsh)) {
        discard_echoes();
        host_.discard_output();
        flush_input();
    }
    if (input(abi::ixon)) restart_output();
    if (local(abi::echo)) echo(c);
    return true;
}

bool LineDiscipline::receive_editing(u8 c)
{
    bool const extended = local(abi::iexten);
    if (is_char(c, abi::verase) || is_char(c, abi::vkill) || (extended && is_char(c, abi::vwerase))) {
        erase(c);
        return true;
    }
    if (extended && is_char(c, abi::vlnext)) {
        literal_next_ = true;
        if (local(abi::echo)) {
            finish_erasing();
            if (local(abi::echoctl)) echo_bytes({ '^', '\b' });
        }
        return true;
    }
    if (extended && is_char(c, abi::vreprint) && local(abi::echo)) {
        reprint(c);
        return true;
    }
    return false;
}

bool LineDiscipline::receive_line_end(u8 c)
{
    if (c == '\n') {
        if (local(abi::echo | abi::echonl)) echo_raw('\n');
        end_line(c);
        return true;
    }
    if (is_char(c, abi::veof)) {
        end_line(abi::disabled_char);
        return true;
    }
    if (!is_char(c, abi::veol) && !(local(abi::iexten) && is_char(c, abi::veol2))) return false;
    if (local(abi::echo)) echo_typed(c);
    end_line(c);
    return true;
}

void LineDiscipline::restart_output()
{
    host_.set_output_stopped(false);
    flush_echoes();
}

void LineDiscipline::put(u8 c)
{
    // PARMRK: \377 is doubled, so that a reader can tell it from the mark of a parity error.
    if (c == 0xff && input(abi::parmrk) && head_ - tail_ + 1 < kBufferSize) at(head_++) = c;
    at(head_++) = c;
}

void LineDiscipline::end_line(u8 c)
{
    line_end_.set(head_ % kBufferSize);
    put(c);
    canon_head_ = head_;
    host_.input_available();
}

bool LineDiscipline::is_readable(u64 minimum) const
{
    if (local(abi::icanon)) return canon_head_ != tail_;
    return head_ - tail_ >= std::max<u64>(minimum, 1);
}

u64 LineDiscipline::readable_bytes() const
{
    if (!local(abi::icanon)) return head_ - tail_;
    u64 count = canon_head_ - tail_;
    for (u64 i = tail_; i != canon_head_; ++i)
        if (line_end_[i % kBufferSize] && at(i) == abi::disabled_char) --count;
    return count;
}

u64 LineDiscipline::read(std::span<u8> out)
{
    u64 count = 0;
    u64 const end = local(abi::icanon) ? canon_head_ : head_;
    bool line_done = false;
    auto take_end_mark = [&] {
        if (tail_ == end || !line_end_[tail_ % kBufferSize]) return false;
        line_done = true;
        bool const is_mark = at(tail_) == abi::disabled_char;
        line_end_.reset(tail_ % kBufferSize);
        if (is_mark) ++tail_;
        return is_mark;
    };
    while (count < out.size() && tail_ != end && !line_done) {
        if (take_end_mark()) return count;
        out[count++] = at(tail_++);
    }
    // An end-of-file mark right behind what was asked for belongs to this read (POSIX, 11.1.9): "abc^D" read
    // in three bytes must not give a zero afterwards.
    bool const is_full = count > 0 && count == out.size();
    if (is_full && !line_done && tail_ != end && at(tail_) == abi::disabled_char) take_end_mark();
    return count;
}

void LineDiscipline::flush_input()
{
    head_ = canon_head_ = tail_ = 0;
    line_end_.reset();
    erasing_ = literal_next_ = false;
}

} // namespace umbra::tty
