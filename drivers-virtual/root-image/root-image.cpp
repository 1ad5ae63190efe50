// SPDX-License-Identifier: GPL-2.0-or-later
// Where the linker put the root image.
#include "drivers-virtual/root-image/root-image.h"

extern "C" {
// Labels around the image; their addresses are all there is to them.
[[gnu::visibility("hidden")]] extern umbra::u8 const umbra_root_image[];
[[gnu::visibility("hidden")]] extern umbra::u8 const umbra_root_image_end[];
}

namespace umbra::drivers {

std::span<u8 const> root_image() { return { umbra_root_image, umbra_root_image_end }; }

} // namespace umbra::drivers
