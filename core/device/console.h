// SPDX-License-Identifier: GPL-2.0-or-later
// The console as a device: a screen and a keyboard outside the kernel. core/tty makes the terminal
// /dev/console of it; drivers-virtual/console implements it with the host's terminal. All calls are made
// under the kernel lock, none waits.
#pragma once

#include <span>

#include "core/abi/termios.h"
#include "core/base/types.h"

namespace umbra::device {

/// The kernel's side: told by the device what happens.
class ConsoleUser {
public:
    /// How many bytes console_input() takes now.
    virtual u64 console_input_room() const = 0;
    virtual void console_input(std::span<u8 const> bytes) = 0;
    /// Console::room() has grown, pending() has shrunk.
    virtual void console_output_ready() = 0;
    virtual void console_resized(abi::WindowSize size) = 0;
    /// Nobody is there any more: no input will come, output is lost.
    virtual void console_lost() = 0;

protected:
    ~ConsoleUser() = default;
};

class Console {
public:
    virtual ~Console() = default;
    /// Once, before anything else.
    virtual void attach(ConsoleUser& user) = 0;
    virtual abi::WindowSize size() const = 0;
    /// What the terminal starts with: the user's control characters and character set.
    virtual abi::Termios initial_termios() const = 0;

    virtual u64 room() const = 0;
    virtual void write(std::span<u8 const> bytes) = 0; ///< at most room()
    virtual u64 pending() const = 0; ///< written, not yet shown
    virtual void discard() = 0; ///< drops what is pending
    /// Input is wanted from now on, or there is room for more of it. On a vCPU.
    virtual void want_input() = 0;
};

} // namespace umbra::device
