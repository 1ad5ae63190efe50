// SPDX-License-Identifier: GPL-2.0-or-later
// Files of block devices: bounds, and the ioctls that every one of them answers (linux/fs.h).
#include "core/device/block-device.h"

#include <algorithm>

#include "core/vfs/file.h"

namespace umbra::device {

namespace {

constexpr u32 kGetReadOnly = 0x125e, kGetSectors = 0x1260, kFlush = 0x1261, kGetSectorSize = 0x1268;
constexpr u32 kGetPhysicalSize = 0x127b, kGetBytes = 0x80081272;

class BlockDeviceFile final : public vfs::File {
public:
    BlockDeviceFile(vfs::Path const& path, u32 flags, Ref<BlockDevice> device)
        : File(path, flags)
        , device_(std::move(device))
    {
    }
    bool is_seekable() const override { return true; }
    u64 end_offset() override { return device_->size(); }
    Result<void> fsync(bool) override { return device_->flush(); }

    Result<u64> read(IoBuffer& buffer, u64 offset) override
    {
        u64 size = device_->size();
        if (offset >= size) return u64 { 0 };
        buffer.truncate(std::min(buffer.remaining(), size - offset));
        return device_->read(buffer, offset);
    }
    Result<u64> write(IoBuffer& buffer, u64 offset) override
    {
        u64 size = device_->size();
        if (offset >= size) return buffer.remaining() == 0 ? Result<u64>(u64 { 0 }) : err::nospc;
        buffer.truncate(std::min(buffer.remaining(), size - offset));
        return device_->write(buffer, offset);
    }
    Result<i64> ioctl(Task& task, u32 command, u64 argument) override
    {
        auto give = [&](auto value) -> Result<i64> {
            TRY(UserOut<decltype(value)> { GuestAddr(argument) }.copy_out(task, value));
            return 0;
        };
        switch (command) {
        case kGetReadOnly:
            return give(i32(device_->is_read_only()));
        case kGetSectors:
            return give(device_->size() / 512);
        case kGetSectorSize:
        case kGetPhysicalSize:
            return give(device_->sector_size());
        case kGetBytes:
            return give(device_->size());
        case kFlush:
            TRY(device_->flush());
            return 0;
        default:
            return err::notty;
        }
    }

private:
    Ref<BlockDevice> device_;
};

} // namespace

DeviceOpener block_device_opener(Ref<BlockDevice> device)
{
    return [device](vfs::Path const& path, u32 flags) -> Result<Ref<vfs::File>> {
        bool writes = (flags & abi::o_accmode) != abi::o_rdonly;
        if (writes && device->is_read_only()) return err::acces;
        return Ref<vfs::File>(make_ref<BlockDeviceFile>(path, flags, device));
    };
}

} // namespace umbra::device
