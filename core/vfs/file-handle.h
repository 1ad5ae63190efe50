// SPDX-License-Identifier: GPL-2.0-or-later
// File systems whose objects can be found again by their number, without a name: name_to_handle_at(2) gives
// handles of those, and open_by_handle_at(2) takes them.
#pragma once

#include <string>
#include <vector>

#include "core/abi/file-handle.h"
#include "core/base/error.h"
#include "core/base/types.h"

namespace umbra::vfs {

class FileSystem;
class Inode;

class HandleSource {
public:
    /// The names that lead from the root of the file system to the object, none for the root itself. Does not wait.
    /// ESTALE for what has no name (any more).
    virtual Result<std::vector<std::string>> names_of(u64 inode_number) const = 0;

protected:
    ~HandleSource() = default;
};

/// Numbers of inodes are never given twice, so there is one generation only.
constexpr u32 kHandleGeneration = 1;

/// Null where nothing of the file system can be opened by its handle.
HandleSource const* handle_source(FileSystem const& file_system);
/// What name_to_handle_at(2) gives; of a file system without a source an identity only (AT_HANDLE_FID).
abi::WholeHandle handle_of(Inode const& inode);

} // namespace umbra::vfs
