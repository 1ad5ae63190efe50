// SPDX-License-Identifier: GPL-2.0-or-later
// The console's terminal.
#include "core/tty/console-tty.h"

#include "core/abi/file.h"

namespace umbra::tty {

ConsoleTty::ConsoleTty(Kernel& kernel, device::Console& console)
    : Tty(kernel, abi::make_dev(abi::tty_auxiliary_major, 1), "console")
    , console_(console)
{
    console_.attach(*this);
    set_termios(console_.initial_termios());
    set_window_size(console_.size());
}

void ConsoleTty::console_lost()
{
    if (lost_) return;
    lost_ = true;
    hang_up();
}

} // namespace umbra::tty
