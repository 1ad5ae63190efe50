// SPDX-License-Identifier: GPL-2.0-or-later
// The guest's vDSO, ready to be mapped.
#pragma once

#include <span>
#include <vector>

#include "core/base/types.h"

namespace umbra::stub {
class HostVdso;
}

namespace umbra::x86_64 {

/// As it was linked.
std::span<u8 const> vdso_bytes();
/// Whole pages, with the host's functions filled in.
std::vector<u8> vdso_image(stub::HostVdso const& host);

} // namespace umbra::x86_64
