// SPDX-License-Identifier: GPL-2.0-or-later
// See image.h.
#include "arch-um/x86-64/vdso/image.h"

#include <algorithm>
#include <cstring>

#include "arch-um/stub/host-vdso.h"
#include "arch-um/x86-64/vdso/host-functions.h"
#include "core/base/panic.h"

namespace umbra::x86_64 {

std::vector<u8> vdso_image(stub::HostVdso const& host)
{
    auto const linked = vdso_bytes();
    std::vector<u8> image(linked.begin(), linked.end());
    image.resize(page_up(image.size()));
    HostFunctions functions {
        .magic = { kVdsoMagic[0], kVdsoMagic[1] },
        .clock_gettime = host.function_in_stub("__vdso_clock_gettime"),
        .clock_getres = host.function_in_stub("__vdso_clock_getres"),
        .gettimeofday = host.function_in_stub("__vdso_gettimeofday"),
        .time = host.function_in_stub("__vdso_time"),
    };
    auto const* magic = reinterpret_cast<u8 const*>(functions.magic);
    auto const place = std::search(image.begin(), image.end(), magic, magic + sizeof functions.magic);
    UMBRA_ASSERT(image.end() - place >= static_cast<std::ptrdiff_t>(sizeof functions)); // it was linked in
    std::memcpy(&*place, &functions, sizeof functions);
    return image;
}

} // namespace umbra::x86_64
