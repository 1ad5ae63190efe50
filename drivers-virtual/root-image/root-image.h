// SPDX-License-Identifier: GPL-2.0-or-later
// The root tree in the binary, a plain tar made by make-image.py at build time.
#pragma once

#include <span>

#include "core/base/types.h"

namespace umbra::drivers {

std::span<u8 const> root_image();

} // namespace umbra::drivers
