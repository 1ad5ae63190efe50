// SPDX-License-Identifier: GPL-2.0-or-later
// sysfs(5): the CPUs, and the places where programs look for devices that are not there.
#pragma once

#include "core/base/ref.h"

namespace umbra {
class Kernel;
namespace vfs {
class FileSystem;
}
} // namespace umbra

namespace umbra::fs {

/// The one instance of a kernel. The directories and files stand still, but other parts may add theirs.
Ref<vfs::FileSystem> make_sysfs(Kernel& kernel);

} // namespace umbra::fs
