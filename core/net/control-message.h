// SPDX-License-Identifier: GPL-2.0-or-later
// Control messages of sendmsg(2) and recvmsg(2): between the guest's buffer and an Ancillary (cmsg(3),
// unix(7)).
#pragma once

#include "core/net/socket.h"

namespace umbra::net {

/// Reads SCM_RIGHTS and SCM_CREDENTIALS, whose ids become the kernel's, and keeps those of the internet's levels as they are.
/// Other levels are ignored.
/// EINVAL, EBADF, EFAULT; ESRCH for a process that is not in the sender's namespace.
Result<Ancillary> import_control(Task& task, GuestAddr address, u64 length);

/// Makes of the kernel's ids those that `reader` is to see.
void to_guest(Task const& reader, abi::Ucred& identity);

struct ExportedControl {
    u64 length = 0; ///< bytes written
    u32 flags = 0; ///< MSG_CTRUNC where something did not fit
};
/// Writes what was received; descriptors are installed in the table of `task`. Those that do not fit are
/// closed.
Result<ExportedControl> export_control(
    Task& task, Ancillary& ancillary, bool with_credentials, GuestAddr address, u64 length, u32 flags);

} // namespace umbra::net
