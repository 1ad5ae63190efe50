// SPDX-License-Identifier: GPL-2.0-or-later
// The stub image's bytes, made from entry.S and zygote.cpp at build time.
#pragma once

#include <span>

#include "core/base/types.h"

namespace umbra::stub {

std::span<u8 const> image_bytes();

} // namespace umbra::stub
