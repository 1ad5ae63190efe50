// SPDX-License-Identifier: GPL-2.0-or-later
// ioctl(2) on terminals, ioctl_tty(2): settings, sizes, queues, session. What only a pty's master has is in
// pty-master.
#include <algorithm>
#include <cstring>
#include <optional>

#include "core/abi/ioctl.h"
#include "core/kernel.h"
#include "core/task/pid-namespace.h"
#include "core/task/process-table.h"
#include "core/task/task.h"
#include "core/tty/session.h"
#include "core/tty/tty-file.h"

namespace umbra::tty {

namespace {

template <typename T> Result<i64> give(Task& task, u64 argument, T const& value)
{
    TRY(UserOut<T> { GuestAddr(argument) }.copy_out(task, value));
    return i64 { 0 };
}

template <typename T> Result<T> take(Task& task, u64 argument)
{
    return UserIn<T> { GuestAddr(argument) }.copy_in(task);
}

// Speeds are B38400 for ever: no line has one.
constexpr u32 kSpeed = 38400;

abi::Termios2 to_termios2(abi::Termios const& t)
{
    abi::Termios2 out { t.iflag, t.oflag, t.cflag, t.lflag, t.line, {}, kSpeed, kSpeed };
    std::memcpy(out.cc, t.cc, sizeof out.cc);
    return out;
}

abi::Termios from_termios2(abi::Termios2 const& t)
{
    abi::Termios out { t.iflag, t.oflag, t.cflag, t.lflag, t.line, {} };
    std::memcpy(out.cc, t.cc, sizeof out.cc);
    return out;
}

abi::Termio to_termio(abi::Termios const& t)
{
    abi::Termio out { u16(t.iflag), u16(t.oflag), u16(t.cflag), u16(t.lflag), t.line, {} };
    std::memcpy(out.cc, t.cc, sizeof out.cc);
    return out;
}

/// What System V's structure does not have stays as it is.
abi::Termios merge_termio(abi::Termios t, abi::Termio const& in)
{
    auto low = [](u32 old, u16 now) { return (old & ~0xffffu) | now; };
    t.iflag = low(t.iflag, in.iflag), t.oflag = low(t.oflag, in.oflag);
    t.cflag = low(t.cflag, in.cflag), t.lflag = low(t.lflag, in.lflag);
    t.line = in.line;
    std::memcpy(t.cc, in.cc, sizeof in.cc);
    return t;
}

/// Waits until the device has shown everything (tcdrain(3)).
Result<void> drain(Tty& tty)
{
    return tty.queue().wait_until([&] { return tty.device_pending() == 0 || tty.is_other_end_closed(); });
}

/// TIOCSLCKTRMIOS: what is locked stays.
abi::Termios keep_locked(abi::Termios wanted, abi::Termios const& now, abi::Termios const& locked)
{
    auto keep = [](u32 next, u32 old, u32 mask) { return (next & ~mask) | (old & mask); };
    wanted.iflag = keep(wanted.iflag, now.iflag, locked.iflag);
    wanted.oflag = keep(wanted.oflag, now.oflag, locked.oflag);
    wanted.cflag = keep(wanted.cflag, now.cflag, locked.cflag);
    wanted.lflag = keep(wanted.lflag, now.lflag, locked.lflag);
    for (unsigned i = 0; i < std::size(wanted.cc); ++i)
        if (locked.cc[i]) wanted.cc[i] = now.cc[i];
    return wanted;
}

enum class When : u8 { now, drained, flushed };

Result<i64> change_termios(Task& task, Tty& tty, abi::Termios wanted, When when)
{
    TRY(check_foreground(task, tty, abi::sigttou));
    if (when != When::now) TRY(drain(tty));
    if (when == When::flushed) tty.flush_input();
    wanted.line = 0; // N_TTY is the only discipline there is
    tty.set_termios(keep_locked(wanted, tty.termios(), tty.locked));
    tty.input_wanted();
    return i64 { 0 };
}

std::optional<Result<i64>> termios_ioctl(Task& task, Tty& tty, u32 command, u64 argument)
{
    auto when = [](u32 offset) {
        return offset == 0 ? When::now : offset == 1 ? When::drained : When::flushed;
    };
    auto change = [&](auto const& read, When moment) -> Result<i64> {
        return read.is_error() ? Result<i64>(read.error()) : change_termios(task, tty, read.value(), moment);
    };
    switch (command) {
    case abi::tcgets:
        return give(task, argument, tty.termios());
    case abi::tcgets2:
        return give(task, argument, to_termios2(tty.termios()));
    case abi::tcgeta:
        return give(task, argument, to_termio(tty.termios()));
    case abi::tcsets:
    case abi::tcsetsw:
    case abi::tcsetsf:
        return change(take<abi::Termios>(task, argument), when(command - abi::tcsets));
    case abi::tcsets2:
    case abi::tcsetsw2:
    case abi::tcsetsf2: {
        auto in = take<abi::Termios2>(task, argument);
        if (in.is_error()) return Result<i64>(in.error());
        return change_termios(task, tty, from_termios2(in.value()), when(command - abi::tcsets2));
    }
    case abi::tcseta:
    case abi::tcsetaw:
    case abi::tcsetaf: {
        auto in = take<abi::Termio>(task, argument);
        if (in.is_error()) return Result<i64>(in.error());
        return change_termios(
            task, tty, merge_termio(tty.termios(), in.value()), when(command - abi::tcseta));
    }
    case abi::tiocglcktrmios:
        return give(task, argument, tty.locked);
    case abi::tiocslcktrmios: {
        if (!task.credentials().has(Capability::sys_admin)) return Result<i64>(err::perm);
        auto in = take<abi::Termios>(task, argument);
        if (in.is_error()) return Result<i64>(in.error());
        tty.locked = in.value();
        return Result<i64>(0);
    }
    case abi::tiocgsoftcar:
        return give(task, argument, i32((tty.termios().cflag & abi::clocal) != 0));
    case abi::tiocssoftcar: {
        auto on = take<i32>(task, argument);
        if (on.is_error()) return Result<i64>(on.error());
        auto t = tty.termios();
        t.cflag = on.value() ? t.cflag | abi::clocal : t.cflag & ~abi::clocal;
        tty.set_termios(t);
        return Result<i64>(0);
    }
    default:
        return std::nullopt;
    }
}

Result<i64> flush(Task& task, Tty& tty, u64 what)
{
    TRY(check_foreground(task, tty, abi::sigttou));
    if (what > abi::tcioflush) return err::inval;
    if (what != abi::tcoflush) tty.flush_input();
    if (what != abi::tciflush) tty.flush_output();
    return i64 { 0 };
}

Result<i64> control_flow(Task& task, Tty& tty, u64 action)
{
    TRY(check_foreground(task, tty, abi::sigttou));
    auto send = [&](u32 index) {
        u8 const c = tty.termios().cc[index];
        if (c != abi::disabled_char && tty.device_room() > 0) tty.device_write({ &c, 1 });
    };
    switch (action) {
    case abi::tcooff:
        tty.suspend_output(true);
        break;
    case abi::tcoon:
        tty.suspend_output(false);
        break;
    case abi::tcioff:
        send(abi::vstop);
        break;
    case abi::tcion:
        send(abi::vstart);
        break;
    default:
        return err::inval;
    }
    return i64 { 0 };
}

/// Breaks go nowhere: there is no line. What is left of TCSBRK is tcdrain(3).
Result<i64> send_break(Task& task, Tty& tty)
{
    TRY(check_foreground(task, tty, abi::sigttou));
    TRY(drain(tty));
    return i64 { 0 };
}

std::optional<Result<i64>> queue_ioctl(Task& task, Tty& tty, u32 command, u64 argument)
{
    switch (command) {
    case abi::tcflsh:
        return flush(task, tty, argument);
    case abi::tcxonc:
        return control_flow(task, tty, argument);
    case abi::tcsbrk:
    case abi::tcsbrkp:
    case abi::tiocsbrk:
    case abi::tioccbrk:
        return send_break(task, tty);
    case abi::tiocinq:
        return give(task, argument, i32(tty.line().readable_bytes()));
    case abi::tiocoutq:
        return give(task, argument, i32(tty.device_pending()));
    case abi::tiocgetd:
        return give(task, argument, i32 { 0 });
    case abi::tiocsetd: {
        auto number = take<i32>(task, argument);
        if (number.is_error()) return Result<i64>(number.error());
        return number.value() == 0 ? Result<i64>(0) : Result<i64>(err::inval);
    }
    case abi::tiocsti:
        return Result<i64>(err::io); // Linux with dev.tty.legacy_tiocsti = 0
    default:
        return std::nullopt;
    }
}

Result<i64> acquire(Task& task, Tty& tty, vfs::File const& file, u64 steal)
{
    Process& process = task.process();
    Session& session = process.session();
    bool const leads = session.id == process.id;
    bool const privileged = task.credentials().has(Capability::sys_admin);
    if (leads && tty.session() == &session) return i64 { 0 };
    if (!leads || session.terminal) return err::perm;
    if (tty.session() && !(steal == 1 && privileged)) return err::perm;
    if (!file.is_readable() && !privileged) return err::perm;
    tty.drop_session();
    tty.take_session(process);
    return i64 { 0 };
}

Result<i64> release(Task& task, Tty& tty)
{
    if (controlling_terminal(task) != &tty) return err::notty;
    give_up_terminal(task.process());
    return i64 { 0 };
}

Result<i64> set_foreground(Task& task, Tty& tty, u64 argument)
{
    auto allowed = check_foreground(task, tty, abi::sigttou);
    if (allowed.is_error()) return allowed.error() == err::io ? err::notty : allowed.error();
    Session& session = task.process().session();
    if (controlling_terminal(task) != &tty || tty.session() != &session) return err::notty;
    i32 const number = TRY(take<i32>(task, argument));
    if (number < 0) return err::inval;
    ProcessGroup* group = task.kernel().processes().find_group(pid_in(task, number));
    if (!group) return err::srch;
    if (group->session != &session) return err::perm;
    tty.set_foreground(RefPtr<ProcessGroup>(group));
    return i64 { 0 };
}

std::optional<Result<i64>> session_ioctl(
    Task& task, Tty& tty, vfs::File& file, u32 command, u64 argument, bool on_master)
{
    bool const may_ask = on_master || controlling_terminal(task) == &tty;
    switch (command) {
    case abi::tiocsctty:
        return acquire(task, tty, file, argument);
    case abi::tiocnotty:
        return release(task, tty);
    case abi::tiocgpgrp:
        if (!may_ask) return Result<i64>(err::notty);
        return give(task, argument, tty.foreground() ? pid_out(task, tty.foreground()->id) : 0);
    case abi::tiocspgrp:
        return set_foreground(task, tty, argument);
    case abi::tiocgsid:
        if (!may_ask || !tty.session()) return Result<i64>(err::notty);
        return give(task, argument, pid_out(task, tty.session()->id));
    case abi::tiocexcl:
    case abi::tiocnxcl:
        tty.exclusive = command == abi::tiocexcl;
        return Result<i64>(0);
    case abi::tiocgexcl:
        return give(task, argument, i32(tty.exclusive));
    case abi::tiocvhangup:
        if (!task.credentials().has(Capability::sys_admin)) return Result<i64>(err::perm);
        tty.hang_up();
        return Result<i64>(0);
    default:
        return std::nullopt;
    }
}

} // namespace

Result<i64> tty_ioctl(Task& task, Tty& tty, vfs::File& file, u32 command, u64 argument, bool on_master)
{
    if (auto done = termios_ioctl(task, tty, command, argument)) return *done;
    if (auto done = queue_ioctl(task, tty, command, argument)) return *done;
    if (auto done = session_ioctl(task, tty, file, command, argument, on_master)) return *done;
    switch (command) {
    case abi::tiocgwinsz:
        return give(task, argument, tty.window_size());
    case abi::tiocswinsz:
        tty.set_window_size(TRY(take<abi::WindowSize>(task, argument)));
        return i64 { 0 };
    case abi::tiocgdev:
        return give(task, argument, u32(tty.device()));
    default:
        return err::notty;
    }
}

} // namespace umbra::tty
