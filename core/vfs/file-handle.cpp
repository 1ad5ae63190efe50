// SPDX-License-Identifier: GPL-2.0-or-later
// Handles: what name_to_handle_at(2) and fanotify(7) call a file by.
#include "core/vfs/file-handle.h"

#include "core/vfs/file-system.h"

namespace umbra::vfs {

HandleSource const* handle_source(FileSystem const& file_system)
{
    return dynamic_cast<HandleSource const*>(&file_system);
}

abi::WholeHandle handle_of(Inode const& inode)
{
    u64 const number = inode.number();
    i32 const type = handle_source(inode.file_system()) ? abi::fileid_ino32_gen : abi::fileid_ino64_gen;
    return { { sizeof(abi::InodeHandle), type }, { kHandleGeneration, u32(number), u32(number >> 32) } };
}

} // namespace umbra::vfs
