// SPDX-License-Identifier: GPL-2.0-or-later
// Character and block devices by number: what opening a device node gives, and which nodes devtmpfs shows.
// Drivers register at composition; a device that comes later shows up in devtmpfs at once.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/error.h"
#include "core/base/ref.h"
#include "core/vfs/path.h"

namespace umbra::vfs {
class File;
}

namespace umbra::device {

enum class DeviceKind : u8 { character, block };

/// Opens the device node at `path`; the number is path.inode().attributes().rdev. `flags`: O_* of open(2).
/// May wait.
using DeviceOpener = std::function<Result<Ref<vfs::File>>(vfs::Path const& path, u32 flags)>;

/// A name in /dev.
struct DeviceNode {
    std::string path; ///< below /dev: "null", "input/mice"; directories are made as needed
    u32 minor;
    u32 mode = 0600; ///< permission bits
    u32 uid = 0, gid = 0;
};

/// A range of numbers and who serves it.
struct DeviceRegion {
    DeviceKind kind = DeviceKind::character;
    u32 major = 0;
    u32 first_minor = 0, minors = 1;
    std::string name; ///< of the driver, in /proc/devices: "mem", "tty"
    DeviceOpener open;
    std::vector<DeviceNode> nodes;
};

class DeviceTable {
public:
    void add(DeviceRegion region);
    /// ENXIO where nobody serves the number.
    Result<Ref<vfs::File>> open(DeviceKind kind, vfs::Path const& path, u32 flags) const;
    std::vector<DeviceRegion> const& regions() const { return regions_; }
    /// Told of every region added from now on (devtmpfs).
    void set_observer(std::function<void(DeviceRegion const&)> observer) { observer_ = std::move(observer); }

private:
    std::vector<DeviceRegion> regions_;
    std::function<void(DeviceRegion const&)> observer_;
};

/// Registers null, zero, full, random and urandom (major 1).
void add_memory_devices(DeviceTable& table);

} // namespace umbra::device
