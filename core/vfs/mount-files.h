// SPDX-License-Identifier: GPL-2.0-or-later
// Descriptors that stand for mounts and for file systems on their way to be mounted.
#pragma once

#include "core/vfs/file-system-config.h"
#include "core/vfs/file.h"

namespace umbra::vfs {

/// An O_PATH file at the top of a tree that nobody sees but by it (open_tree(2), fsmount(2)); unless it is mounted
/// somewhere the tree ends with the file. `of`: the namespace of who asks for it.
Ref<File> make_mount_tree_file(MountNamespace const& of, MountTree tree);
/// fsopen(2), fspick(2). read(2) gives a message of the log; ENODATA: none, EMSGSIZE.
Ref<File> make_config_file(Kernel& kernel, FileSystemConfig config);
/// The configuration that a file stands for; null if it is another file.
FileSystemConfig* config_of_file(File& file);

} // namespace umbra::vfs
