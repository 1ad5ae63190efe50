// SPDX-License-Identifier: GPL-2.0-or-later
// A broken kernel invariant ends the instance (law 7). Nothing that a guest or the host can cause comes here.
#pragma once

namespace umbra {

/// Prints the message with the panic hook (task, registers, backtrace) and ends the process. Never returns.
[[noreturn]] void panic(char const* format, ...) __attribute__((format(printf, 1, 2)));

/// Called by panic() with the formatted message; must not return. Set once by the composition or by a test.
using PanicHook = void (*)(char const* message);
void set_panic_hook(PanicHook hook);

#define UMBRA_ASSERT(cond)                                                                                   \
    do {                                                                                                     \
        if (!(cond)) [[unlikely]]                                                                            \
            ::umbra::panic("assertion failed: %s at %s:%d", #cond, __FILE__, __LINE__);                      \
    } while (0)

} // namespace umbra
