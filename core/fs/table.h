// SPDX-License-Identifier: GPL-2.0-or-later
// The table of the file systems that core brings along.
#pragma once

namespace umbra {
class Kernel;
}

namespace umbra::fs {

/// Enters them in Kernel::file_system_types(). After the devices: devtmpfs shows them.
void add_file_system_types(Kernel& kernel);

} // namespace umbra::fs
