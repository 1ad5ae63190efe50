// SPDX-License-Identifier: GPL-2.0-or-later
// The vDSO as the kernel maps it: the platform's image, kept once in frames and shown to every program.
#pragma once

#include "core/base/error.h"

namespace umbra {
class Kernel;
namespace mm {
class AddressSpace;
/// Maps the vDSO into a new program and notes its address; nothing where the platform has none. May wait.
Result<void> map_vdso(Kernel& kernel, AddressSpace& space);
} // namespace mm
} // namespace umbra
