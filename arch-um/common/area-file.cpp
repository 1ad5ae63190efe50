// SPDX-License-Identifier: GPL-2.0-or-later
// See area-file.h.
#include "arch-um/common/area-file.h"

namespace umbra::um {

namespace {
constexpr u32 kSlots = 1 << 16; // 1 GiB of address space; memory only where it is touched
}

hostabi::HostResult<std::unique_ptr<AreaFile>> AreaFile::create()
{
    auto memory = TRY(hostabi::MemoryBank::create("umbra-areas", kSlots * stub::kAreaSize));
    return std::unique_ptr<AreaFile>(new AreaFile(std::move(memory)));
}

u32 AreaFile::allocate()
{
    if (free_.empty()) return unused_ < kSlots ? unused_++ : kNoSlot;
    u32 const slot = free_.back();
    free_.pop_back();
    return slot;
}

void AreaFile::free(u32 slot)
{
    memory_.discard(offset(slot), stub::kAreaSize);
    free_.push_back(slot);
}

} // namespace umbra::um
