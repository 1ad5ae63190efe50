// SPDX-License-Identifier: GPL-2.0-or-later
// What is said when the kernel itself is broken (law 7): message, task, registers, backtrace; the user's
// terminal is put back; then the process aborts. Also for faults of the kernel's own code, with the CPU's
// registers.
#pragma once

namespace umbra {
class Task;
}

namespace umbra::boot {

/// Sets the hook of core/base/panic.h and handlers for the signals of faults in the kernel, on an alternate
/// stack, since the fault may be a fiber's stack that overflowed. Call once, first of all.
void install_panic_handlers();
/// The alternate stack belongs to a thread: each further host thread calls this.
void install_panic_stack();
/// Tells the task that a host thread is running, or null; must be callable at any moment on any thread.
void set_panic_task_source(Task* (*source)());

} // namespace umbra::boot
