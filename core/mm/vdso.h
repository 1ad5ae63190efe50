// SPDX-License-Identifier: GPL-2.0-or-later
// The vDSO as the kernel maps it: the platform's image, kept once in frames and shown to every program. A time namespace with offsets has
// a copy of its own, whose functions ask the kernel for the clocks that differ.
#pragma once

#include "core/base/error.h"

namespace umbra {
class Kernel;
class TimeNamespace;
namespace mm {
class AddressSpace;
/// Maps the vDSO of a time namespace into a new program and notes its address; nothing where the platform has none. May
/// wait. ENOMEM.
Result<void> map_vdso(Kernel& kernel, AddressSpace& space, TimeNamespace& time);
/// Shows that of another time namespace wherever the program has the vDSO now. May wait. ENOMEM.
Result<void> change_vdso(Kernel& kernel, AddressSpace& space, TimeNamespace& time);
} // namespace mm
} // namespace umbra
