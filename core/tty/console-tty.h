// SPDX-License-Identifier: GPL-2.0-or-later
// The terminal behind /dev/console: a Tty whose device is a device::Console.
#pragma once

#include "core/device/console.h"
#include "core/tty/tty.h"

namespace umbra::tty {

class ConsoleTty final : public Tty, public device::ConsoleUser {
public:
    /// `console` outlives the kernel's tasks. The composition also gives the result to
    /// TtyRegistry::set_console().
    ConsoleTty(Kernel& kernel, device::Console& console);

    // Tty
    u64 device_room() const override { return console_.room(); }
    void device_write(std::span<u8 const> bytes) override { console_.write(bytes); }
    u64 device_pending() const override { return console_.pending(); }
    void device_discard() override { console_.discard(); }
    bool is_other_end_closed() const override { return lost_; }
    void input_drained() override { console_.want_input(); }
    void input_wanted() override { console_.want_input(); }
    // As Linux's /dev/console: it becomes a controlling terminal by TIOCSCTTY only, and a session's end does
    // not take it from those who have it open.
    bool offers_control() const override { return false; }
    bool survives_hang_up() const override { return true; }

    // device::ConsoleUser
    u64 console_input_room() const override { return input_room(); }
    void console_input(std::span<u8 const> bytes) override { (void)receive(bytes); }
    void console_output_ready() override { output_ready(); }
    void console_resized(abi::WindowSize size) override { set_window_size(size); }
    void console_lost() override;

private:
    device::Console& console_;
    bool lost_ = false;
};

} // namespace umbra::tty
