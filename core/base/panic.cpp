// SPDX-License-Identifier: GPL-2.0-or-later
// The end of the line for broken invariants. The hook is the one deliberate process-wide variable: a panic
// may come from a place that has no Kernel at hand, and it is written once, before any vCPU starts.
#include "core/base/panic.h"

#include <cstdarg>
#include <cstdio>
#include <cstdlib>

namespace umbra {

namespace {
PanicHook panic_hook = nullptr;
}

void set_panic_hook(PanicHook hook) { panic_hook = hook; }

void panic(char const* format, ...)
{
    char message[512];
    va_list args;
    va_start(args, format);
    std::vsnprintf(message, sizeof message, format, args);
    va_end(args);
    if (panic_hook) panic_hook(message);
    std::fprintf(stderr, "umbra: panic: %s\n", message);
    std::abort();
}

} // namespace umbra
