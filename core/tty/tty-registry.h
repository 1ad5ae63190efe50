// SPDX-License-Identifier: GPL-2.0-or-later
// The terminals that are not ptys: the console, if there is one; and the device numbers of all of them.
#pragma once

#include "core/base/ref.h"

namespace umbra {
class Kernel;
}

namespace umbra::tty {

class Tty;

class TtyRegistry {
public:
    TtyRegistry();
    ~TtyRegistry();

    /// What /dev/console opens; null where Umbra runs without a terminal (ENODEV then, as on Linux).
    Tty* console() const;
    void set_console(Ref<Tty> console);

private:
    RefPtr<Tty> console_;
};

/// Registers tty (5:0), console (5:1), ptmx (5:2) and the slave side of ptys (136). Called once, when
/// the kernel is made.
void add_tty_devices(Kernel& kernel);

} // namespace umbra::tty
