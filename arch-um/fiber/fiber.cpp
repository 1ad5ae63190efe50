// SPDX-License-Identifier: GPL-2.0-or-later
// Kernel stacks switched by Boost.Context's assembly: it saves the callee-saved registers, mxcsr and the x87
// control word, and costs a few nanoseconds. Under AddressSanitizer every switch is announced, or it would
// take another stack's frames for overflows.
#include "core/platform/fiber.h"

#include <boost/context/detail/fcontext.hpp>

#include "core/base/panic.h"

#if defined(__SANITIZE_ADDRESS__)
#define UMBRA_ASAN_FIBERS 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define UMBRA_ASAN_FIBERS 1
#endif
#endif
#ifdef UMBRA_ASAN_FIBERS
#include <sanitizer/common_interface_defs.h>
#endif

namespace umbra::platform {

namespace {
using boost::context::detail::fcontext_t;
using boost::context::detail::jump_fcontext;
using boost::context::detail::make_fcontext;
using boost::context::detail::transfer_t;

struct Start {
    void (*entry)(void*);
    void* argument;
    Fiber* starter;
};

void announce_switch([[maybe_unused]] Fiber& from, [[maybe_unused]] Fiber const& to)
{
#ifdef UMBRA_ASAN_FIBERS
    __sanitizer_start_switch_fiber(&from.sanitizer_state, to.stack_base, to.stack_size);
#endif
}

/// Runs as `self` after a switch: notes where the flow we came from is suspended.
void arrive([[maybe_unused]] Fiber* self, Fiber& previous, fcontext_t where)
{
    previous.context = where;
#ifdef UMBRA_ASAN_FIBERS
    void const* bottom = nullptr;
    size_t size = 0;
    __sanitizer_finish_switch_fiber(self ? self->sanitizer_state : nullptr, &bottom, &size);
    previous.stack_base = const_cast<void*>(bottom);
    previous.stack_size = size;
#endif
}

/// The bottom frame of every fiber. The first jump comes from fiber_prepare() and brings what to run; the
/// second, from fiber_switch(), starts it.
[[noreturn]] void trampoline(transfer_t came)
{
    Start const start = *static_cast<Start*>(came.data);
    Fiber* self = start.starter + 1;
    arrive(nullptr, *start.starter, came.fctx);
    announce_switch(*self, *start.starter);
    came = jump_fcontext(start.starter->context, self);
    // `self` was fiber_prepare()'s copy and is gone: the first real switch arrives as a new flow does.
    arrive(nullptr, *static_cast<Fiber*>(came.data), came.fctx);
    start.entry(start.argument);
    panic("a fiber's entry function returned");
}
} // namespace

void fiber_prepare(Fiber& fiber, void* base, u64 size, void (*entry)(void*), void* argument)
{
    // [0] is the flow that prepares, [1] the new one, until the trampoline waits to be switched to.
    Fiber pair[2];
    pair[1].stack_base = base;
    pair[1].stack_size = size;
    Start start { entry, argument, &pair[0] };
    announce_switch(pair[0], pair[1]);
    transfer_t const back
        = jump_fcontext(make_fcontext(static_cast<u8*>(base) + size, size, trampoline), &start);
    arrive(&pair[0], pair[1], back.fctx);
    fiber = pair[1];
    fiber.stack_base = base;
    fiber.stack_size = size;
    fiber.sanitizer_state = nullptr;
}

void fiber_switch(Fiber& from, Fiber& to)
{
    announce_switch(from, to);
    transfer_t const back = jump_fcontext(to.context, &from);
    arrive(&from, *static_cast<Fiber*>(back.data), back.fctx);
}

} // namespace umbra::platform
