// SPDX-License-Identifier: GPL-2.0-or-later
// Makes the mounts behind files without a name.
#include "core/vfs/internal-mounts.h"

#include "core/fs/tmpfs/tmpfs.h"

namespace umbra::vfs {

InternalMounts make_internal_mounts(Kernel& kernel, Ref<FileSystem> anonymous)
{
    auto mount = [](Ref<FileSystem> fs, std::string source) {
        return make_ref<Mount>(std::move(fs), 0, std::move(source));
    };
    return { mount(std::move(anonymous), "anon_inodefs"), mount(fs::make_tmpfs(kernel, {}), "tmpfs") };
}

} // namespace umbra::vfs
