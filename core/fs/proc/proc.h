// SPDX-License-Identifier: GPL-2.0-or-later
// proc(5): the kernel's state as files.
#pragma once

#include "core/base/ref.h"

namespace umbra {
class Kernel;
namespace vfs {
class FileSystem;
}
} // namespace umbra

namespace umbra::fs {

/// The one instance of a kernel: there are no pid namespaces.
Ref<vfs::FileSystem> make_procfs(Kernel& kernel);

} // namespace umbra::fs
