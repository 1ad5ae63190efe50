// SPDX-License-Identifier: GPL-2.0-or-later
// The line discipline against a terminal that records what it is told.
#include "core/tty/line-discipline.h"

#include <string>
#include <string_view>

#include <gtest/gtest.h>

#include "core/abi/signal.h"

namespace umbra::tty {
namespace {

using namespace abi;

class Terminal final : public LineHost {
public:
    u64 output_room() const override { return stopped ? 0 : room; }
    void output(std::span<u8 const> bytes) override
    {
        ASSERT_LE(bytes.size(), room);
        screen.append(bytes.begin(), bytes.end());
        room -= bytes.size();
    }
    void signal_foreground(int signal) override { signals.push_back(signal); }
    void discard_output() override { ++discards; }
    void set_output_stopped(bool s) override { stopped = s; }
    bool is_output_stopped() const override { return stopped; }
    void input_available() override { ++wakes; }

    std::string take_screen() { return std::exchange(screen, {}); }

    std::string screen;
    std::vector<int> signals;
    u64 room = 1 << 20;
    bool stopped = false;
    int discards = 0, wakes = 0;
};

struct LineDisciplineTest : testing::Test {
    u64 type(std::string_view text)
    {
        return line.receive({ reinterpret_cast<u8 const*>(text.data()), text.size() }); // chars are bytes
    }
    std::string read(u64 size = 256)
    {
        std::string out(size, '?');
        out.resize(line.read({ reinterpret_cast<u8*>(out.data()), size })); // chars are bytes
        return out;
    }
    u64 write(std::string_view text)
    {
        return line.write({ reinterpret_cast<u8 const*>(text.data()), text.size() }); // chars are bytes
    }
    void change(u32 set_local, u32 clear_local, u32 set_input = 0, u32 clear_input = 0)
    {
        Termios t = line.termios();
        t.lflag = (t.lflag | set_local) & ~clear_local;
        t.iflag = (t.iflag | set_input) & ~clear_input;
        line.set_termios(t);
    }

    Terminal terminal;
    LineDiscipline line { terminal };
};

TEST_F(LineDisciplineTest, a_line_is_readable_once_it_ends)
{
    type("hello");
    EXPECT_FALSE(line.is_readable());
    EXPECT_EQ(terminal.wakes, 0);
    type("\r");
    EXPECT_TRUE(line.is_readable());
    EXPECT_EQ(terminal.wakes, 1);
    EXPECT_EQ(line.readable_bytes(), 6u);
    EXPECT_EQ(read(), "hello\n");
    EXPECT_FALSE(line.is_readable());
    EXPECT_EQ(terminal.screen, "hello\r\n");
}

TEST_F(LineDisciplineTest, a_read_gives_one_line_and_short_reads_leave_the_rest)
{
    type("one\ntwo\n");
    EXPECT_EQ(read(2), "on");
    EXPECT_EQ(read(), "e\n");
    EXPECT_EQ(read(4), "two\n");
    EXPECT_FALSE(line.is_readable());
}

TEST_F(LineDisciplineTest, end_of_file_mark)
{
    type("\4");
    EXPECT_TRUE(line.is_readable());
    EXPECT_EQ(line.readable_bytes(), 0u);
    EXPECT_EQ(read(), "");
    EXPECT_FALSE(line.is_readable());

    type("abc\4def\n");
    EXPECT_EQ(line.readable_bytes(), 7u);
    EXPECT_EQ(read(), "abc");
    EXPECT_EQ(read(), "def\n");
    EXPECT_EQ(terminal.screen, "abcdef\r\n");
}

TEST_F(LineDisciplineTest, end_of_file_mark_behind_a_full_read_is_used_up)
{
    type("abc\4");
    EXPECT_EQ(read(3), "abc");
    EXPECT_FALSE(line.is_readable());
}

TEST_F(LineDisciplineTest, erase_shows_and_removes)
{
    type("ab\x7f");
    EXPECT_EQ(terminal.take_screen(), "ab\b \b");
    type("\x7f\x7f\x7f");
    EXPECT_EQ(terminal.take_screen(), "\b \b");
    type("\x01\x7f");
    EXPECT_EQ(terminal.take_screen(), "^A\b \b\b \b");
    type("x\n");
    EXPECT_EQ(read(), "x\n");
}

TEST_F(LineDisciplineTest, erase_stops_at_a_finished_line)
{
    type("a\4\x7f\n");
    EXPECT_EQ(read(), "a");
    EXPECT_EQ(read(), "\n");
}

TEST_F(LineDisciplineTest, erase_of_utf8_takes_whole_characters)
{
    change(0, 0, iutf8);
    type("a\xe2\x82\xac\x7f\n");
    EXPECT_EQ(terminal.screen, "a\xe2\x82\xac\b \b\r\n");
    EXPECT_EQ(read(), "a\n");
    change(0, 0, 0, iutf8);
    type("\xc3\xa4\x7f\n");
    EXPECT_EQ(read(), "\xc3\n");
}

TEST_F(LineDisciplineTest, erase_without_echoe_shows_the_character)
{
    change(0, echoe);
    type("a\x7f");
    EXPECT_EQ(terminal.screen, "a^?");
}

TEST_F(LineDisciplineTest, word_erase)
{
    type("foo bar  \x17");
    EXPECT_EQ(terminal.take_screen(), "foo bar  \b \b\b \b\b \b\b \b\b \b");
    type("\n");
    EXPECT_EQ(read(), "foo \n");
}

TEST_F(LineDisciplineTest, kill)
{
    type("abc\x15");
    EXPECT_EQ(terminal.take_screen(), "abc\b \b\b \b\b \b");
    change(0, echoke);
    type("abc\x15");
    EXPECT_EQ(terminal.take_screen(), "abc^U\r\n");
    change(0, echok);
    type("abc\x15");
    EXPECT_EQ(terminal.take_screen(), "abc^U");
    type("\n");
    EXPECT_EQ(read(), "\n");
}

TEST_F(LineDisciplineTest, erase_of_a_tab_knows_the_columns)
{
    write("$ ");
    terminal.take_screen();
    type("ab\t\x7f");
    EXPECT_EQ(terminal.take_screen(), "ab\t\b\b\b\b");
    type("\t\t\x7f");
    EXPECT_EQ(terminal.take_screen(), "\t\t\b\b\b\b\b\b\b\b");
}

TEST_F(LineDisciplineTest, print_erase)
{
    change(echoprt, 0);
    type("abc\x7f\x7fx");
    EXPECT_EQ(terminal.screen, "abc\\cb/x");
}

TEST_F(LineDisciplineTest, literal_next)
{
    type("\x16\x03\x16\n\n");
    EXPECT_TRUE(terminal.signals.empty());
    EXPECT_EQ(terminal.screen, "^\b^C^\b^J\r\n");
    EXPECT_EQ(read(), "\x03\n\n");
}

TEST_F(LineDisciplineTest, reprint)
{
    type("a\x01z\x12");
    EXPECT_EQ(terminal.screen, "a^Az^R\r\na^Az");
}

TEST_F(LineDisciplineTest, other_line_ends)
{
    Termios t = line.termios();
    t.cc[veol] = ';';
    t.cc[veol2] = ':';
    line.set_termios(t);
    type("a;b:");
    EXPECT_EQ(read(), "a;");
    EXPECT_EQ(read(), "b:");
}

TEST_F(LineDisciplineTest, signals_flush_unless_told_not_to)
{
    type("typed\x03");
    EXPECT_EQ(terminal.signals, std::vector<int> { sigint });
    EXPECT_EQ(terminal.discards, 1);
    EXPECT_EQ(terminal.screen, "^C"); // echo that is still on its way goes too, as on Linux
    type("\n");
    EXPECT_EQ(read(), "\n");

    change(noflsh, 0);
    type("kept\x1a\x1c\n");
    EXPECT_EQ(terminal.signals, (std::vector<int> { sigint, sigtstp, sigquit }));
    EXPECT_EQ(read(), "kept\n");
    change(0, isig);
    type("\x03\n");
    EXPECT_EQ(read(), "\x03\n");
}

TEST_F(LineDisciplineTest, disabled_characters_are_plain)
{
    Termios t = line.termios();
    t.cc[vintr] = disabled_char;
    line.set_termios(t);
    type(std::string_view("\0\3\n", 3));
    EXPECT_TRUE(terminal.signals.empty());
    EXPECT_EQ(read(), std::string("\0\3\n", 3));
}

TEST_F(LineDisciplineTest, carriage_return_and_newline)
{
    change(0, echo, igncr);
    type("a\rb\n");
    EXPECT_EQ(read(), "ab\n");
    change(0, 0, inlcr, igncr | icrnl);
    type("a\nb");
    EXPECT_FALSE(line.is_readable());
    type("\4");
    EXPECT_EQ(read(), "a\rb");
}

TEST_F(LineDisciplineTest, strip_and_lower_case)
{
    change(0, 0, istrip | iuclc);
    type("\xc1\xc2z\n");
    EXPECT_EQ(read(), "abz\n");
}

TEST_F(LineDisciplineTest, echo_newline_only)
{
    change(echonl, echo);
    type("secret\n");
    EXPECT_EQ(terminal.screen, "\r\n");
}

TEST_F(LineDisciplineTest, flow_control_holds_output_and_echo)
{
    type("\x13");
    EXPECT_TRUE(terminal.stopped);
    EXPECT_EQ(write("out"), 0u);
    type("typed");
    EXPECT_EQ(terminal.screen, "");
    type("\x11");
    EXPECT_FALSE(terminal.stopped);
    EXPECT_EQ(terminal.take_screen(), "typed");
    EXPECT_EQ(write("out"), 3u);

    change(0, 0, ixany);
    type("\x13x");
    EXPECT_FALSE(terminal.stopped);
    type("\x13");
    change(0, 0, 0, ixon);
    EXPECT_FALSE(terminal.stopped);
}

TEST_F(LineDisciplineTest, signal_restarts_output)
{
    type("\x13\x03");
    EXPECT_FALSE(terminal.stopped);
    EXPECT_EQ(terminal.screen, "^C");
}

TEST_F(LineDisciplineTest, raw_bytes_pass)
{
    change(0, icanon | isig | echo | iexten, 0, icrnl | ixon);
    EXPECT_EQ(type("\r\x03\x7f"), 3u);
    EXPECT_TRUE(line.is_readable(3));
    EXPECT_FALSE(line.is_readable(4));
    EXPECT_EQ(read(), "\r\x03\x7f");
    EXPECT_TRUE(terminal.signals.empty());
}

TEST_F(LineDisciplineTest, leaving_and_entering_canonical_mode_keeps_what_was_typed)
{
    type("abc");
    change(0, icanon);
    EXPECT_TRUE(line.is_readable());
    change(icanon, 0);
    EXPECT_TRUE(line.is_readable());
    EXPECT_EQ(read(), "abc");
}

TEST_F(LineDisciplineTest, overlong_line_keeps_room_for_its_end)
{
    std::string const line_of_a(5000, 'a');
    EXPECT_EQ(type(line_of_a), 5000u);
    EXPECT_FALSE(line.is_readable());
    EXPECT_EQ(type("\n"), 1u);
    EXPECT_EQ(line.readable_bytes(), 4096u);
    auto const got = read(8192);
    EXPECT_EQ(got.size(), 4096u);
    EXPECT_EQ(got.substr(4094), "a\n");
}

TEST_F(LineDisciplineTest, finished_lines_fill_the_buffer)
{
    type("first\n");
    std::string const more(5000, 'b');
    u64 const taken = type(more);
    EXPECT_EQ(taken, LineDiscipline::kBufferSize - 1 - 6);
    EXPECT_FALSE(line.has_room());
    EXPECT_EQ(type("x"), 0u);
    read();
    EXPECT_TRUE(line.has_room());
}

TEST_F(LineDisciplineTest, raw_mode_fills_the_buffer)
{
    change(0, icanon | isig | echo, 0, icrnl | ixon);
    EXPECT_EQ(type(std::string(5000, 'r')), LineDiscipline::kBufferSize - 1);
    EXPECT_EQ(read(4096).size(), LineDiscipline::kBufferSize - 1);
}

TEST_F(LineDisciplineTest, output_processing)
{
    EXPECT_EQ(write("a\nb\tc\r"), 6u);
    EXPECT_EQ(terminal.take_screen(), "a\r\nb\tc\r");
    Termios t = line.termios();
    t.oflag = opost | xtabs | ocrnl | olcuc;
    line.set_termios(t);
    write("ab\tc\rd");
    EXPECT_EQ(terminal.take_screen(), "AB      C\nD");
    t.oflag = opost | onocr | onlret;
    line.set_termios(t);
    write("\n\rx\r");
    EXPECT_EQ(terminal.take_screen(), "\nx\r");
    t.oflag = 0;
    line.set_termios(t);
    write("\n\t");
    EXPECT_EQ(terminal.take_screen(), "\n\t");
}

TEST_F(LineDisciplineTest, output_stops_where_the_room_ends)
{
    terminal.room = 4;
    EXPECT_EQ(write("ab\n\n"), 3u);
    EXPECT_EQ(terminal.screen, "ab\r\n");
    terminal.room = 1;
    EXPECT_EQ(write("\n"), 0u);
    terminal.room = 3000;
    EXPECT_EQ(write(std::string(5000, 'x')), 3000u);
}

TEST_F(LineDisciplineTest, echo_waits_for_room_and_goes_first)
{
    terminal.room = 2;
    type("abcd");
    EXPECT_EQ(terminal.screen, "ab");
    EXPECT_EQ(write("out"), 0u);
    terminal.room = 100;
    EXPECT_EQ(write("out"), 3u);
    EXPECT_EQ(terminal.screen, "abcdout");
}

TEST_F(LineDisciplineTest, flush_drops_input)
{
    type("line\npart");
    line.flush_input();
    EXPECT_FALSE(line.is_readable());
    type("x\n");
    EXPECT_EQ(read(), "x\n");
}

} // namespace
} // namespace umbra::tty
