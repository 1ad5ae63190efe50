// SPDX-License-Identifier: GPL-2.0-or-later
// Raw mode and the ways back. What a signal handler must know can only be reached through a process-wide
// variable: the saved mode below is the one, written before the handlers are installed and constant while
// they are.
#include "hostabi/terminal.h"

#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstdlib>

#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <termios.h>

#include "hostabi/host-call.h"
#include "hostabi/signals.h"

namespace umbra::hostabi {

namespace {

// The signals that end a process and that a broken or killed kernel process dies of.
constexpr int kFatalSignals[] = { SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGABRT, SIGSYS, SIGTERM, SIGHUP,
    SIGINT, SIGQUIT, SIGXCPU };

/// The host kernel's `struct termios`, shorter than libc's: the raw ioctl can be called from anywhere.
using KernelTermios = TerminalMode;
static_assert(sizeof(KernelTermios) == 36);

struct SavedTerminal {
    std::atomic<bool> taken = false; ///< a RawTerminal exists
    std::atomic<int> raw_fd = -1; ///< the terminal that is in raw mode now
    int fd = -1;
    KernelTermios mode;
};
SavedTerminal saved;

i64 set_mode(int fd, KernelTermios const& mode)
{
    // Whoever does this from a background process group would be stopped by SIGTTOU, unless he blocks it.
    SignalMask const before = block_signals({ SIGTTOU });
    i64 const result = host_call(SYS_ioctl, fd, TCSETS, &mode); // at once: waiting for output might never end
    set_signal_mask(before);
    return result;
}

i64 set_raw()
{
    KernelTermios raw = saved.mode; // as cfmakeraw(3)
    raw.input &= ~static_cast<u32>(IGNBRK | BRKINT | PARMRK | ISTRIP | INLCR | IGNCR | ICRNL | IXON);
    raw.output &= ~static_cast<u32>(OPOST);
    raw.local &= ~static_cast<u32>(ECHO | ECHONL | ICANON | ISIG | IEXTEN);
    raw.control = (raw.control & ~static_cast<u32>(CSIZE | PARENB)) | CS8;
    raw.characters[VMIN] = 1;
    raw.characters[VTIME] = 0;
    saved.raw_fd = saved.fd; // first: a signal in between restores once too often rather than never
    return set_mode(saved.fd, raw);
}

void on_fatal_signal(int signal)
{
    restore_terminal();
    // SA_RESETHAND has put the default action back. A fault happens again when the handler returns; any other
    // signal is sent again and arrives then.
    host_call(SYS_tgkill, host_call(SYS_getpid), host_call(SYS_gettid), signal);
}

void install_handlers()
{
    for (int const signal : kFatalSignals) {
        struct sigaction present { };
        sigaction(signal, nullptr, &present);
        bool const is_default = !(present.sa_flags & SA_SIGINFO) && present.sa_handler == SIG_DFL;
        if (!is_default) continue; // its owner calls restore_terminal(), or the signal is not fatal
        struct sigaction action { };
        action.sa_handler = on_fatal_signal;
        action.sa_flags = static_cast<int>(SA_RESETHAND) | SA_ONSTACK;
        sigaction(signal, &action, nullptr);
    }
}

void remove_handlers()
{
    for (int const signal : kFatalSignals) {
        struct sigaction present { };
        sigaction(signal, nullptr, &present);
        if (present.sa_handler == on_fatal_signal) set_signal_action(signal, SignalAction::standard);
    }
}

} // namespace

bool is_terminal(int fd)
{
    KernelTermios mode;
    return host_call(SYS_ioctl, fd, TCGETS, &mode) == 0;
}

HostResult<WindowSize> window_size(int fd)
{
    winsize size {};
    TRY(host_status(host_call(SYS_ioctl, fd, TIOCGWINSZ, &size)));
    return WindowSize { size.ws_row, size.ws_col, size.ws_xpixel, size.ws_ypixel };
}

HostResult<void> set_window_size(int fd, WindowSize size)
{
    winsize const wanted { size.rows, size.columns, size.x_pixels, size.y_pixels };
    return host_status(host_call(SYS_ioctl, fd, TIOCSWINSZ, &wanted));
}

bool is_foreground(int fd)
{
    i32 foreground = 0;
    if (host_call(SYS_ioctl, fd, TIOCGPGRP, &foreground) < 0) return false;
    return foreground == host_call(SYS_getpgid, 0);
}

bool is_background(int fd)
{
    i32 foreground = 0;
    if (host_call(SYS_ioctl, fd, TIOCGPGRP, &foreground) < 0) return false;
    return foreground != host_call(SYS_getpgid, 0);
}

void stop_process(int signal)
{
    // The signal is blocked in every thread; unblocked in this one, it acts before tgkill returns.
    SignalMask const before = block_signals({});
    set_signal_mask(SignalMask(before.bits & ~SignalMask::bit(signal)));
    host_call(SYS_tgkill, host_call(SYS_getpid), host_call(SYS_gettid), signal);
    set_signal_mask(before);
}

HostResult<TerminalMode> terminal_mode(int fd)
{
    TerminalMode mode {};
    TRY(host_status(host_call(SYS_ioctl, fd, TCGETS, &mode)));
    return mode;
}

HostResult<RawTerminal> RawTerminal::enter(int fd)
{
    if (saved.taken.exchange(true)) return HostErrno { EBUSY };
    saved.fd = fd;
    i64 result = host_call(SYS_ioctl, fd, TCGETS, &saved.mode);
    if (result == 0) {
        // Once is enough, and a second registration is harmless: it finds nothing to restore.
        std::atexit(restore_terminal);
        install_handlers();
        result = set_raw();
        if (result == 0) return RawTerminal();
        restore_terminal();
        remove_handlers();
    }
    saved.taken = false;
    return HostErrno { static_cast<i32>(-result) };
}

RawTerminal::~RawTerminal()
{
    if (!active_) return;
    restore_terminal();
    remove_handlers();
    saved.taken = false;
}

void RawTerminal::suspend() { restore_terminal(); }

void RawTerminal::resume()
{
    TerminalMode now;
    if (host_call(SYS_ioctl, saved.fd, TCGETS, &now) < 0) return;
    bool const still_raw = saved.raw_fd >= 0 && !(now.local & static_cast<u32>(ICANON | ECHO | ISIG));
    if (still_raw) return;
    // Whoever had the terminal meanwhile may have changed it: what the user gets back in the end is that.
    saved.mode = now;
    set_raw();
}

void restore_terminal()
{
    int const fd = saved.raw_fd.exchange(-1);
    if (fd >= 0) set_mode(fd, saved.mode);
}

} // namespace umbra::hostabi
