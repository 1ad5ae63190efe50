// SPDX-License-Identifier: GPL-2.0-or-later
// What is said when the kernel itself is broken (law 7): message, task, registers, backtrace; the user's
// terminal is put back; then the process aborts. Also for faults of the kernel's own code, with the CPU's
// registers.
#pragma once

#include <array>

namespace umbra {
class Kernel;
}

namespace umbra::boot {

class HostText;

/// Sets the hook of core/base/panic.h and handlers for the signals of faults in the kernel, on an alternate
/// stack, since the fault may be a fiber's stack that overflowed. Call once, first of all.
void install_panic_handlers();
/// The alternate stack belongs to a thread: each further host thread calls this.
void install_panic_stack();
/// The kernel whose running task is named; null: none (any more).
void set_panic_kernel(Kernel const* kernel);
/// What was said and has not gone out yet goes out before the panic's own text. Null: nothing.
using PanicTexts = std::array<HostText const*, 3>;
void set_panic_texts(PanicTexts const& texts);

} // namespace umbra::boot
