// SPDX-License-Identifier: GPL-2.0-or-later
// The N_TTY line discipline: what happens to bytes between a terminal and the programs that use it. Input:
// special characters, line editing, echo, flow control; output: OPOST. Pure logic over a small interface, so
// that it is tested without a kernel. Behaviour follows Linux's drivers/tty/n_tty.c, quirks included.
#pragma once

#include <array>
#include <bitset>
#include <initializer_list>
#include <span>
#include <vector>

#include "core/abi/termios.h"
#include "core/base/types.h"

namespace umbra::tty {

// Linux judges and folds terminal characters as Latin-1, whatever IUTF8 says.
constexpr bool is_control(u8 c) { return c < 0x20 || c == 0x7f; }
constexpr bool is_upper(u8 c) { return (c >= 'A' && c <= 'Z') || (c >= 0xc0 && c <= 0xde && c != 0xd7); }
constexpr bool is_lower(u8 c) { return (c >= 'a' && c <= 'z') || (c >= 0xdf && c != 0xf7); }
constexpr bool is_word(u8 c) { return is_upper(c) || is_lower(c) || (c >= '0' && c <= '9') || c == '_'; }

/// What the discipline needs of its terminal. Calls never wait.
class LineHost {
public:
    /// How many bytes the device takes now; 0 while output is stopped.
    virtual u64 output_room() const = 0;
    /// At most output_room() bytes for the device.
    virtual void output(std::span<u8 const> bytes) = 0;
    /// A signal for the foreground group (ISIG).
    virtual void signal_foreground(int signal) = 0;
    /// INTR, QUIT or SUSP without NOFLSH: bytes on the way to the device are dropped.
    virtual void discard_output() = 0;
    /// IXON: the user stopped or restarted output.
    virtual void set_output_stopped(bool stopped) = 0;
    virtual bool is_output_stopped() const = 0;
    /// A line (or a byte, in raw mode) has become readable.
    virtual void input_available() = 0;

protected:
    ~LineHost() = default;
};

class LineDiscipline {
public:
    static constexpr u64 kBufferSize
        = 4096; ///< N_TTY_BUF_SIZE: the longest line is one byte less, newline included

    explicit LineDiscipline(LineHost& host)
        : host_(host)
    {
        build_special_map();
    }

    abi::Termios const& termios() const { return termios_; }
    void set_termios(abi::Termios const& termios);
    bool is_canonical() const { return local(abi::icanon); }

    /// Bytes from the device. Returns how many were taken: fewer when the buffer is full and no editing could
    /// help.
    u64 receive(std::span<u8 const> bytes);
    /// Whether receive() would take something.
    bool has_room() const;

    /// Bytes that a read can have now: a line at most in canonical mode, where an end-of-file mark counts as
    /// readable with no bytes. `out` may be short: the rest of the line stays.
    u64 read(std::span<u8> out);
    /// A read would not wait: a line or an end-of-file mark, or `minimum` bytes in raw mode.
    bool is_readable(u64 minimum = 1) const;
    /// FIONREAD: in canonical mode, bytes of complete lines without end-of-file marks.
    u64 readable_bytes() const;
    void flush_input();

    /// A program's output, as far as the device takes it: returns how many of `bytes` are done with. 0: no
    /// room.
    u64 write(std::span<u8 const> bytes);
    /// Gives echoed characters that still wait to the device; call when it has room again.
    void flush_echoes();

private:
    bool input(u32 flag) const { return termios_.iflag & flag; }
    bool output(u32 flag) const { return termios_.oflag & flag; }
    bool local(u32 flag) const { return termios_.lflag & flag; }
    bool is_char(u8 c, u32 index) const { return c == termios_.cc[index] && c != abi::disabled_char; }
    bool is_continuation(u8 c) const { return input(abi::iutf8) && (c & 0xc0) == 0x80; }

    // Input (line-discipline.cpp)
    void build_special_map();
    void receive_one(u8 c);
    void receive_plain(u8 c);
    void receive_special(u8 c);
    bool receive_flow_control(u8 c);
    bool receive_signal(u8 c);
    bool receive_editing(u8 c);
    bool receive_line_end(u8 c);
    void restart_output();
    void put(u8 c);
    void end_line(u8 c);
    u8& at(u64 position) { return buffer_[position % kBufferSize]; }
    u8 at(u64 position) const { return buffer_[position % kBufferSize]; }

    // Line editing (line-editing.cpp)
    enum class Erase : u8 { character, word, line };
    void erase(u8 c);
    void erase_line_without_echo();
    void erase_back(Erase kind);
    bool erase_one(Erase kind, bool& seen_word);
    void echo_erased(Erase kind, u8 c, u64 first, u64 count);
    void echo_erased_tab();
    void reprint(u8 c);
    void finish_erasing();

    // Echo and output (line-output.cpp)
    void echo(u8 c); ///< as the user sees it: ^X for control characters with ECHOCTL
    void echo_raw(u8 c); ///< subject to OPOST only
    void echo_typed(u8 c); ///< a character of the line, noting where the line began
    void discard_echoes();
    void echo_bytes(std::initializer_list<u8> bytes);
    /// Appends what the device gets for `c`, and moves the column.
    template <typename Sink> void process_output(u8 c, Sink&& emit);
    /// How many device bytes `c` becomes at most.
    u64 output_width(u8 c) const;

    LineHost& host_;
    abi::Termios termios_ = abi::standard_termios;
    std::bitset<256> special_; ///< characters that receive_special() must see
    bool raw_ = false; ///< input goes into the buffer as it is

    // A ring: [tail_, head_) is there, up to canon_head_ in complete lines. Positions only grow.
    std::array<u8, kBufferSize> buffer_;
    std::bitset<kBufferSize>
        line_end_; ///< this byte ends a line; if it is disabled_char, it is an end-of-file mark
    u64 head_ = 0, canon_head_ = 0, tail_ = 0;
    bool literal_next_ = false; ///< after VLNEXT
    bool erasing_ = false; ///< ECHOPRT: between \ and /

    std::vector<u8> echoes_; ///< processed echo that the device had no room for
    u64 column_before_echoes_ = 0; ///< if they never go out
    u64 column_ = 0; ///< of the cursor, for tabs and ONOCR
    u64 canon_column_ = 0; ///< where the line being typed begins
};

} // namespace umbra::tty
