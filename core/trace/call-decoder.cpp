// SPDX-License-Identifier: GPL-2.0-or-later
// Walks a call's row.
#include "core/trace/call-decoder.h"

#include <cinttypes>
#include <cstdio>

#include "core/trace/flag-names.h"

namespace umbra::trace {

namespace {
/// open's mode is an argument only where something can be created.
bool is_absent(CallRow const& row, Call const& call, unsigned index)
{
    constexpr u64 creating = 0100 | 020000000; // O_CREAT, O_TMPFILE
    return row.arguments[index] == Arg::file_mode && index && row.arguments[index - 1] == Arg::open_flags
        && !(call.args[index - 1] & creating);
}

bool is_last(CallRow const& row, unsigned index) { return index == 6 || row.arguments[index] == Arg::none; }

char const* restart_text(Errno error)
{
    switch (error) {
    case err::restart_sys:
        return "To be restarted if SA_RESTART is set";
    case err::restart_nointr:
        return "To be restarted";
    case err::restart_nohand:
        return "To be restarted if no handler";
    case err::restart_block:
        return "Interrupted by signal";
    default:
        return nullptr;
    }
}
} // namespace

unsigned append_arguments(std::string& out, Call const& call)
{
    CallRow const& row = call_row(call.number);
    for (unsigned i = 0; !is_last(row, i); ++i) {
        if (is_absent(row, call, i)) continue;
        // The comma stands before what is to come, as strace cuts its lines.
        if (i) out += ", ";
        if (is_known_after(row.arguments[i])) return i;
        append_argument(out, call, row, i, nullptr);
    }
    return 6;
}

void append_arguments_after(std::string& out, Call const& call, SyscallResult const& result, unsigned from)
{
    CallRow const& row = call_row(call.number);
    for (unsigned i = from; !is_last(row, i); ++i) {
        if (is_absent(row, call, i)) continue;
        if (i > from) out += ", ";
        append_argument(out, call, row, i, &result);
    }
}

void append_result(std::string& out, i64 number, SyscallResult const& result)
{
    if (result.is_error()) {
        if (char const* restart = restart_text(result.error())) {
            out += "? ";
            out += errno_name(result.error());
            out += std::string(" (") + restart + ")";
        } else {
            out += "-1 ";
            append_errno(out, i32(result.error()));
        }
        return;
    }
    char text[32];
    switch (call_row(number).returns) {
    case Returns::address:
        std::snprintf(text, sizeof text, "%#" PRIx64, u64(result.value()));
        break;
    case Returns::octal:
        std::snprintf(text, sizeof text, "%#" PRIo64, u64(result.value()));
        break;
    default:
        std::snprintf(text, sizeof text, "%" PRId64, result.value());
    }
    out += text;
}

} // namespace umbra::trace
