// SPDX-License-Identifier: GPL-2.0-or-later
// What fuzz targets promise with.
#pragma once

#include <cstdlib>
#include <span>

#include "core/base/types.h"

namespace umbra {

inline void require(bool promise)
{
    if (!promise) std::abort();
}

inline bool lies_within(std::span<u8 const> part, std::span<u8 const> whole)
{
    return part.empty()
        || (part.data() >= whole.data() && part.data() + part.size() <= whole.data() + whole.size());
}

} // namespace umbra
