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
