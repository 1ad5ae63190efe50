// SPDX-License-Identifier: GPL-2.0-or-later
// What CPUID and the auxiliary vector say of the host's CPU.
#pragma once

#include "core/base/types.h"

namespace umbra::x86_64 {

/// Bytes of the XSAVE image (standard format) that the host puts into signal frames: all features that it
/// enabled but the ones it gives on request only (AMX tiles).
u32 xsave_image_size();
/// The features of that image, as bits of XCR0.
u64 xsave_features();
/// Largest signal frame that the host makes (AT_MINSIGSTKSZ), or 0 where it does not say.
u64 largest_signal_frame();

} // namespace umbra::x86_64
