// SPDX-License-Identifier: GPL-2.0-or-later
// Finding who serves a device number.
#include "core/device/device-table.h"

#include "core/vfs/file.h"

namespace umbra::device {

void DeviceTable::add(DeviceRegion region)
{
    regions_.push_back(std::move(region));
    if (observer_) observer_(regions_.back());
}

Result<Ref<vfs::File>> DeviceTable::open(DeviceKind kind, vfs::Path const& path, u32 flags) const
{
    u64 number = path.inode().attributes().rdev;
    u32 major = abi::dev_major(number), minor = abi::dev_minor(number);
    for (auto const& region : regions_) {
        bool serves = region.kind == kind && region.major == major && minor >= region.first_minor
            && minor - region.first_minor < region.minors;
        if (serves) return region.open(path, flags);
    }
    return err::nxio;
}

} // namespace umbra::device
