// SPDX-License-Identifier: GPL-2.0-or-later
// The guest's ABI for name_to_handle_at(2) and open_by_handle_at(2).
#pragma once

#include "core/base/types.h"

namespace umbra::abi {

constexpr u32 at_handle_fid = 0x200, at_handle_mnt_id_unique = 1;
constexpr u32 max_handle_size = 128;
/// Handle types: what a file system that can be asked for its objects gives, and an identity only (AT_HANDLE_FID).
constexpr i32 fileid_ino32_gen = 1, fileid_ino64_gen = 0x81;

/// struct file_handle; `bytes` of opaque data follow.
struct FileHandle {
    u32 bytes;
    i32 type;
    bool operator==(FileHandle const&) const = default;
};
static_assert(sizeof(FileHandle) == 8);

/// What our handles hold, in tmpfs's order of Linux.
struct InodeHandle {
    u32 generation, number_low, number_high;
    bool operator==(InodeHandle const&) const = default;
};
static_assert(sizeof(InodeHandle) == 12);

/// Such a handle as guest memory holds it.
struct WholeHandle {
    FileHandle header;
    InodeHandle inode;
    bool operator==(WholeHandle const&) const = default;
};
static_assert(sizeof(WholeHandle) == 20);

} // namespace umbra::abi
