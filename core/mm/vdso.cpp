// SPDX-License-Identifier: GPL-2.0-or-later
// Mapping of the vDSO.
#include "core/mm/vdso.h"

#include <algorithm>
#include <cstring>
#include <vector>

#include "core/abi/mman.h"
#include "core/base/panic.h"
#include "core/kernel.h"
#include "core/mm/address-space.h"
#include "core/platform/vdso.h"
#include "core/time/time-namespace.h"

namespace umbra::mm {

namespace {

constexpr char kLabel[] = "[vdso]";

Result<Ref<MemoryObject>> copy_image(Kernel& kernel, std::span<u8 const> image)
{
    auto cache = make_ref<PageCache>(kernel.memory());
    cache->resize(page_up(image.size()));
    for (u64 at = 0; at < image.size(); at += kPageSize) {
        Frame frame = TRY(cache->page(at >> kPageShift, PageUse::write));
        std::memcpy(
            kernel.memory().data(frame), image.data() + at, std::min<u64>(kPageSize, image.size() - at));
    }
    return Ref<MemoryObject>(*cache);
}

/// The image as it is when `clocks` are the kernel's to read.
std::vector<u8> image_with(std::span<u8 const> image, u64 clocks)
{
    std::vector<u8> copy(image.begin(), image.end());
    constexpr auto& kMagic = platform::kVdsoClocksMagic;
    auto const* magic = reinterpret_cast<u8 const*>(kMagic); // as bytes
    auto const place = std::search(copy.begin(), copy.end(), magic, magic + sizeof kMagic);
    UMBRA_ASSERT(
        copy.end() - place >= std::ptrdiff_t(sizeof(platform::VdsoClocks))); // every platform's has it
    std::memcpy(&*place + sizeof kMagic, &clocks, sizeof clocks);
    return copy;
}

/// The image in a memory object: of all namespaces without offsets together, or the namespace's own.
Result<Ref<MemoryObject>> vdso_object(Kernel& kernel, TimeNamespace& time)
{
    u64 const clocks = time.own_clocks();
    auto& object = clocks ? time.vdso : kernel.vdso_object;
    auto image = kernel.platform().vdso_image();
    if (!object && clocks) object = TRY(copy_image(kernel, image_with(image, clocks)));
    if (!object) object = TRY(copy_image(kernel, image));
    return Ref<MemoryObject>(*object);
}

} // namespace

Result<void> map_vdso(Kernel& kernel, AddressSpace& space, TimeNamespace& time)
{
    u64 size = kernel.platform().vdso_image().size();
    if (size == 0) return {};
    auto object = TRY(vdso_object(kernel, time));
    space.vdso = TRY(space.map({ .length = page_up(size),
        .prot = abi::prot_read | abi::prot_exec,
        .object = std::move(object),
        .label = kLabel }));
    return {};
}

Result<void> change_vdso(Kernel& kernel, AddressSpace& space, TimeNamespace& time)
{
    if (kernel.platform().vdso_image().empty()) return {};
    auto object = TRY(vdso_object(kernel, time));
    std::vector<MapRequest> shown;
    for (auto const& [start, area] : space.areas())
        if (area->label == kLabel && area->object && area->object.get() != object.get())
            shown.push_back({ .address = start,
                .length = area->end - start,
                .prot = area->prot,
                .fixed = true,
                .object = object,
                .object_offset = area->object_page << kPageShift,
                .label = kLabel });
    for (auto& request : shown)
        TRY(space.map(std::move(request)));
    return {};
}

} // namespace umbra::mm
