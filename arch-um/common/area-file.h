// SPDX-License-Identifier: GPL-2.0-or-later
// Memory that the kernel shares with stubs, in equal slots: one for each stub's service page, one for each
// guest thread's area. The kernel maps the whole file once; a stub maps only its own slots.
#pragma once

#include <memory>
#include <vector>

#include "arch-um/stub/layout.h"
#include "hostabi/memory.h"

namespace umbra::um {

class AreaFile {
public:
    static hostabi::HostResult<std::unique_ptr<AreaFile>> create();

    static constexpr u32 kNoSlot = ~u32 { 0 };
    /// A slot full of zeroes, or kNoSlot.
    u32 allocate();
    /// Nothing may use the slot any more: the stub that mapped it is gone.
    void free(u32 slot);

    u8* data(u32 slot) const { return memory_.data() + offset(slot); }
    static u64 offset(u32 slot) { return u64 { slot } * stub::kAreaSize; }
    static u32 slot_at(u64 offset) { return static_cast<u32>(offset / stub::kAreaSize); }
    int fd() const { return memory_.fd(); }

private:
    explicit AreaFile(hostabi::MemoryBank memory)
        : memory_(std::move(memory))
    {
    }

    hostabi::MemoryBank memory_;
    std::vector<u32> free_;
    u32 unused_ = 0; ///< slots from here on were never given out
};

} // namespace umbra::um
