// SPDX-License-Identifier: GPL-2.0-or-later
// The user's terminal: raw mode while the guest's own tty layer does the line editing, and the certainty that
// the user gets a sane terminal back however the kernel process ends (only SIGKILL leaves no chance).
#pragma once

#include <utility>

#include "core/base/types.h"
#include "hostabi/host-result.h"

namespace umbra::hostabi {

struct WindowSize {
    u16 rows = 0, columns = 0, x_pixels = 0, y_pixels = 0;
    bool operator==(WindowSize const&) const = default;
};

bool is_terminal(int fd);
/// ENOTTY: not a terminal.
HostResult<WindowSize> window_size(int fd);
HostResult<void> set_window_size(int fd, WindowSize size);
/// Whether the calling process may read from the terminal, and change it, without being stopped.
bool is_foreground(int fd);

/// It is the terminal of this process's session, and another process group has it now. Not so for a terminal
/// that is no controlling one: that can be used by anybody.
bool is_background(int fd);
/// Stops the calling process by SIGTSTP, SIGTTIN or SIGTTOU as if it had the default action, and returns when
/// it is continued; at once where nobody could continue it (an orphaned process group).
void stop_process(int signal);

/// The terminal's settings, as the host's kernel has them: for the guest's own terminal to start with.
struct TerminalMode {
    u32 input, output, control, local;
    u8 line;
    u8 characters[19];
};
/// ENOTTY: not a terminal.
HostResult<TerminalMode> terminal_mode(int fd);

/// Raw mode for as long as it lives. One at a time in a process. `fd` must stay open.
class [[nodiscard]] RawTerminal {
public:
    /// Also sees to the exits that run no destructor: exit(3), and fatal signals that nobody else handles.
    /// ENOTTY: not a terminal. EBUSY: there is a RawTerminal already.
    static HostResult<RawTerminal> enter(int fd);
    RawTerminal(RawTerminal&& o) noexcept
        : active_(std::exchange(o.active_, false))
    {
    }
    RawTerminal& operator=(RawTerminal&&) = delete;
    ~RawTerminal();

    /// Gives the terminal back for a while (the kernel process is about to be stopped), and takes it again.
    /// resume() also serves after a SIGSTOP, which nobody sees coming; it does nothing to a terminal that is
    /// still raw.
    void suspend();
    void resume();

private:
    RawTerminal() = default;
    bool active_ = true;
};

/// Puts the terminal back if a RawTerminal has changed it. Async-signal-safe: for handlers of fatal signals
/// and the panic hook. May be called any number of times.
void restore_terminal();

} // namespace umbra::hostabi
