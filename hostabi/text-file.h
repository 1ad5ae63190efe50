// SPDX-License-Identifier: GPL-2.0-or-later
// Small text files of proc, sysfs and cgroupfs, as the probes read them at start.
#pragma once

#include <string>
#include <string_view>

#include "core/base/types.h"

namespace umbra::hostabi {

/// The beginning of a file, up to 4 KiB; empty when it cannot be read.
std::string read_text(char const* path);
/// Its first line.
std::string read_line(char const* path);
/// The number at the text's start, or `fallback`.
u64 to_number(std::string_view text, u64 fallback);

} // namespace umbra::hostabi
