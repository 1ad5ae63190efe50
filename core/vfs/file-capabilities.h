// SPDX-License-Identifier: GPL-2.0-or-later
// Capabilities of program files (capabilities(7), "File capabilities"): the extended attribute security.capability in its
// three versions. Version 3 names the root of a user namespace; only there and below does it count.
#pragma once

#include <optional>
#include <string>

#include "core/task/credentials.h"
#include "core/vfs/inode.h"

namespace umbra::vfs {

struct FileCapabilities {
    u64 permitted = 0, inheritable = 0;
    bool effective = false; ///< of a program that knows nothing of capabilities
};

/// What the file gives to whoever runs it in `space`; nothing for one without, or of another namespace's. EINVAL for an
/// attribute that is none. May wait.
Result<std::optional<FileCapabilities>> file_capabilities(Inode& inode, UserNamespace const& space);

/// What is stored when `who` sets the attribute: as version 2 by the file system's own, else as version 3 for the root of
/// the caller's user namespace. EINVAL for another form or an unknown root.
Result<std::string> stored_capabilities(Credentials const& who, Inode const& inode, std::string_view given);
/// What `who` reads of a stored attribute. EOVERFLOW for one of a namespace's root that the caller cannot name.
Result<std::string> shown_capabilities(Credentials const& who, std::string stored);

} // namespace umbra::vfs
