// SPDX-License-Identifier: GPL-2.0-or-later
// The one reading position that syslog(SYSLOG_ACTION_READ) and /proc/kmsg share: what one reader takes, no
// other gets.
#pragma once

#include "core/mm/user.h"
#include "core/printk/printk.h"

namespace umbra {

/// Takes as much formatted text as fits; err::again when everything was read.
Result<u64> read_shared_log(Printk& log, IoBuffer& out);
bool has_shared_log(Printk const& log);
/// Bytes that read_shared_log would give in all.
u64 unread_shared_log(Printk const& log);

} // namespace umbra
