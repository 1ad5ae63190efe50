// SPDX-License-Identifier: GPL-2.0-or-later
// The log as files: /dev/kmsg (1:11) and /proc/kmsg.
#pragma once

#include "core/base/ref.h"
#include "core/vfs/file.h"

namespace umbra {

namespace device {
class DeviceTable;
}

/// Registers /dev/kmsg. Each open file reads on its own, one record a read; a write makes a record.
void add_kmsg_device(device::DeviceTable& table);
/// /proc/kmsg: readers share one position. EPERM without CAP_SYSLOG.
Result<Ref<vfs::File>> open_proc_kmsg(vfs::Path const& path, u32 flags);

} // namespace umbra
