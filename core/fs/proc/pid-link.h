// SPDX-License-Identifier: GPL-2.0-or-later
// Magic links: they lead to an object, whatever its name is by now. Internal to core/fs/proc.
#pragma once

#include <optional>

#include "core/fs/proc/pid-directory.h"

namespace umbra::fs {

class PidLink : public PseudoInode {
public:
    PidLink(vfs::FileSystem& fs, PidReference const& reference, PseudoAttributes const& attributes)
        : PseudoInode(fs, abi::s_iflnk, attributes)
        , reference_(reference)
    {
    }
    bool is_magic_link() const override { return true; }
    /// EACCES for whoever may not look into the process.
    Result<vfs::Path> follow_magic_link() override;
    Result<std::string> read_link() override;

protected:
    /// Where it leads. ENOENT, ESRCH.
    virtual Result<vfs::Path> target(Subject const& subject) = 0;

private:
    PidReference reference_;
};

} // namespace umbra::fs
