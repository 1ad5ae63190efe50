// SPDX-License-Identifier: GPL-2.0-or-later
// The root tree in the binary, a plain tar made by make-image.py at build time.
#pragma once

#include "core/fs/tar/tar.h"

namespace umbra::drivers {

/// What has been read of it goes out of the kernel's memory again: guests have it in pages of files.
Ref<fs::TarSource> open_root_image();

} // namespace umbra::drivers
