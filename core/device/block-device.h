// SPDX-License-Identifier: GPL-2.0-or-later
// What a block driver implements, and the file that a guest gets when it opens the device's node.
#pragma once

#include "core/device/device-table.h"
#include "core/mm/user.h"

namespace umbra::device {

class BlockDevice : public RefCounted {
public:
    virtual u64 size() const = 0; ///< bytes, a multiple of sector_size()
    virtual u32 sector_size() const { return 512; }
    virtual bool is_read_only() const { return false; }
    /// Any offset and length within size(). May wait. EIO.
    virtual Result<u64> read(IoBuffer& buffer, u64 offset) = 0;
    virtual Result<u64> write(IoBuffer& buffer, u64 offset) = 0;
    /// What was written has reached the store when this returns. May wait.
    virtual Result<void> flush() { return {}; }
};

/// For DeviceRegion::open. EACCES for opening a read-only device for writing, as Linux's block layer.
DeviceOpener block_device_opener(Ref<BlockDevice> device);

} // namespace umbra::device
