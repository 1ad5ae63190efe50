// SPDX-License-Identifier: GPL-2.0-or-later
// Mapping of the vDSO.
#include "core/mm/vdso.h"

#include <cstring>

#include "core/abi/mman.h"
#include "core/kernel.h"
#include "core/mm/address-space.h"

namespace umbra::mm {

namespace {

/// The image in a memory object: read once, shared by all programs of the kernel.
Result<Ref<MemoryObject>> vdso_object(Kernel& kernel)
{
    if (kernel.vdso_object) return Ref<MemoryObject>(*kernel.vdso_object.get());
    auto image = kernel.platform().vdso_image();
    auto cache = make_ref<PageCache>(kernel.memory());
    cache->resize(page_up(image.size()));
    for (u64 at = 0; at < image.size(); at += kPageSize) {
        Frame frame = TRY(cache->page(at >> kPageShift, PageUse::write));
        std::memcpy(
            kernel.memory().data(frame), image.data() + at, std::min<u64>(kPageSize, image.size() - at));
    }
    kernel.vdso_object = cache;
    return Ref<MemoryObject>(*cache);
}

} // namespace

Result<void> map_vdso(Kernel& kernel, AddressSpace& space)
{
    u64 size = kernel.platform().vdso_image().size();
    if (size == 0) return {};
    auto object = TRY(vdso_object(kernel));
    space.vdso = TRY(space.map({ .length = page_up(size),
        .prot = abi::prot_read | abi::prot_exec,
        .object = std::move(object),
        .label = "[vdso]" }));
    return {};
}

} // namespace umbra::mm
