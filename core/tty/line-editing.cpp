// SPDX-License-Identifier: GPL-2.0-or-later
// Erasing characters, words and lines of the line being typed, and showing it (Linux: n_tty.c, eraser()).
#include <utility>

#include "core/tty/line-discipline.h"

namespace umbra::tty {

void LineDiscipline::erase(u8 c)
{
    if (head_ == canon_head_) return;
    if (is_char(c, abi::verase)) return erase_back(Erase::character);
    if (is_char(c, abi::vwerase) && local(abi::iexten)) return erase_back(Erase::word);
    if (local(abi::echo) && local(abi::echok) && local(abi::echoke) && local(abi::echoe))
        return erase_back(Erase::line);
    erase_line_without_echo();
}

/// The line goes, but the user sees only the kill character.
void LineDiscipline::erase_line_without_echo()
{
    head_ = canon_head_;
    if (!local(abi::echo)) return;
    finish_erasing();
    echo(termios_.cc[abi::vkill]);
    if (local(abi::echok)) echo_raw('\n');
}

void LineDiscipline::erase_back(Erase kind)
{
    bool seen_word = false;
    while (head_ != canon_head_ && erase_one(kind, seen_word)) { }
    if (head_ == canon_head_ && local(abi::echo)) finish_erasing();
}

/// Erases one character, which with IUTF8 may be several bytes. False: that was the last one to go, or it
/// stays.
bool LineDiscipline::erase_one(Erase kind, bool& seen_word)
{
    u64 first = head_;
    do
        --first;
    while (is_continuation(at(first)) && first != canon_head_);
    u8 const c = at(first);
    if (is_continuation(c)) return false; // the line begins in the middle of a character
    if (kind == Erase::word) {
        if (is_word(c))
            seen_word = true;
        else if (seen_word)
            return false;
    }
    u64 const count = head_ - first;
    head_ = first;
    if (local(abi::echo)) echo_erased(kind, c, first, count);
    return kind != Erase::character;
}

void LineDiscipline::echo_erased(Erase kind, u8 c, u64 first, u64 count)
{
    if (local(abi::echoprt)) {
        if (!erasing_) echo_raw('\\');
        erasing_ = true;
        echo(c);
        for (u64 i = 1; i < count; ++i)
            echo_raw(at(first + i));
        return;
    }
    if (kind == Erase::character && !local(abi::echoe)) return echo(termios_.cc[abi::verase]);
    if (c == '\t') return echo_erased_tab();
    if (is_control(c) && local(abi::echoctl)) echo_bytes({ '\b', ' ', '\b' });
    if (!is_control(c) || local(abi::echoctl)) echo_bytes({ '\b', ' ', '\b' });
}

/// Goes back over the columns that the tab behind head_ took: as many as the characters before it left of
/// eight.
void LineDiscipline::echo_erased_tab()
{
    u64 columns = 0;
    bool after_tab = false;
    for (u64 i = head_; i != canon_head_ && !after_tab;) {
        u8 const c = at(--i);
        if (c == '\t')
            after_tab = true;
        else if (is_control(c))
            columns += local(abi::echoctl) ? 2 : 0;
        else if (!is_continuation(c))
            ++columns;
    }
    if (!after_tab) columns += canon_column_;
    for (u64 back = 8 - columns % 8; back > 0; --back)
        echo_raw('\b');
}

void LineDiscipline::reprint(u8 c)
{
    finish_erasing();
    echo(c);
    echo_raw('\n');
    for (u64 i = canon_head_; i != head_; ++i)
        echo(at(i));
}

void LineDiscipline::finish_erasing()
{
    if (!std::exchange(erasing_, false)) return;
    echo_raw('/');
}

} // namespace umbra::tty
