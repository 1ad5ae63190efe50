// SPDX-License-Identifier: GPL-2.0-or-later
// Who a process is beyond its credentials: audit ids that nobody set, and the one user namespace, which maps
// every id to itself.
#include "core/fs/proc/pid-directory.h"
#include "core/fs/pseudo/text.h"

namespace umbra::fs {

namespace {
constexpr char const* kUnset = "4294967295"; // (uid_t)-1, without a newline, as Linux writes it
}

Result<std::string> pid_login_uid(Subject const&) { return std::string(kUnset); }
Result<std::string> pid_session_id(Subject const&) { return std::string(kUnset); }
Result<std::string> pid_id_map(Subject const&) { return format_text("%10u %10u %10s\n", 0, 0, kUnset); }
Result<std::string> pid_setgroups(Subject const&) { return std::string("allow\n"); }

} // namespace umbra::fs
