// SPDX-License-Identifier: GPL-2.0-or-later
// The one word of the platform's vDSO image that is core's to set: which clocks are read by system call. It follows a
// magic, by which core finds it in a copy of the image (Platform::vdso_image). Included by the vDSO itself too.
#pragma once

namespace umbra::platform {

struct VdsoClocks {
    unsigned long magic[2];
    unsigned long
        by_kernel; ///< bit N: clock_gettime(2) of clock N makes the system call; 0 in the platform's image
};
constexpr unsigned long kVdsoClocksMagic[2] = { 0x6f6c632061726275, 0x6c656e72656b736b };

} // namespace umbra::platform
