// SPDX-License-Identifier: GPL-2.0-or-later
// The part of opening an archive that needs no task. Used by archive.cpp and its test.
#pragma once

#include <span>
#include <string>

#include "core/base/types.h"

namespace umbra::drivers {

/// From the first bytes of a file: one of the compressions that unpack() knows.
bool is_compressed(std::span<u8 const> start);
/// Decompresses all of descriptor `from` into `to`. 0 or a negative errno with `problem` set. Blocks.
i32 unpack(int from, int to, u64& size, std::string& problem);

} // namespace umbra::drivers
