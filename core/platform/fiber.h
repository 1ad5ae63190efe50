// SPDX-License-Identifier: GPL-2.0-or-later
// Switching kernel stacks. Implemented once, on Boost.Context, in arch-um/fiber; used by the scheduler only.
#pragma once

#include "core/base/types.h"

namespace umbra::platform {

/// A suspended flow of control. A default one stands for the thread that first switches away from it.
struct Fiber {
    void* context = nullptr;
    void* stack_base = nullptr; ///< as given to fiber_prepare(); null for a thread's own stack
    u64 stack_size = 0;
    void* sanitizer_state = nullptr; ///< AddressSanitizer's shadow of a suspended stack
};

/// Prepares `fiber` to run entry(argument) on the stack [base, base+size). entry must never return.
void fiber_prepare(Fiber& fiber, void* base, u64 size, void (*entry)(void*), void* argument);
/// Saves the running flow in `from` and continues `to`, which must be suspended. Returns when something switches back.
void fiber_switch(Fiber& from, Fiber& to);

} // namespace umbra::platform
