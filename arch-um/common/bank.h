// SPDX-License-Identifier: GPL-2.0-or-later
// Guest-physical memory: a sparse memfd that the kernel maps once (law 5) and stubs map piece by piece.
#pragma once

#include <memory>

#include "core/platform/platform.h"
#include "hostabi/memory.h"

namespace umbra::um {

class UmBank final : public platform::Bank {
public:
    explicit UmBank(hostabi::MemoryBank memory)
        : memory_(std::move(memory))
    {
    }

    u8* data() override { return memory_.data(); }
    u64 size() const override { return memory_.size(); }
    platform::HostHandle handle() const override { return platform::HostHandle(memory_.fd()); }
    void discard(u64 offset, u64 length) override { memory_.discard(offset, length); }
    Result<void> populate(u64 offset, u64 length) override
    {
        // Whatever the host's reason is: there is no memory.
        return memory_.populate(offset, length).ok() ? Result<void> {} : err::nomem;
    }

private:
    hostabi::MemoryBank memory_;
};

} // namespace umbra::um
