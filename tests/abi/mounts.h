// SPDX-License-Identifier: GPL-2.0-or-later
// What the tests about mounts share: a namespace of one's own, and what mountinfo says.
#pragma once

#include <string>
#include <vector>

#include "abi-test.h"

namespace abi_test {

/// One line of /proc/self/mountinfo (proc_pid_mountinfo(5)).
struct MountLine {
    int id = 0, parent = 0;
    std::string root, point, options;
    std::string fields; ///< the optional ones: "shared:1 master:2"
    std::string type, source, super_options;
    /// The number of an optional field ("shared"), 0 if it is not there.
    int field(std::string const& name) const;
};
std::vector<MountLine> mountinfo(std::string const& process = "self");
/// The topmost mount on a path; an empty one with id 0 if there is none.
MountLine mount_on(std::string const& point, std::string const& process = "self");
/// The types of all mounts on a path.
int count_mounts_on(std::string const& point, std::string const& process = "self");

bool may_have_mounts();
/// For tests that need what only root of the machine may; in a container root may not.
#define NEEDS_MOUNTS()                                                                                       \
    NEEDS_ROOT();                                                                                            \
    if (!may_have_mounts()) SKIP_AS_HOST_LACKS("mounts for this root")

/// In a namespace of mounts of its own, in a tmpfs of its own, whose top is the working directory.
class InOwnMounts : public ::testing::Test {
protected:
    void SetUp() override;
    /// The absolute path of something in the tmpfs.
    std::string at(std::string const& name) const { return top_ + "/" + name; }
    /// Makes a directory, and a tmpfs on it.
    void make_tmpfs(std::string const& name, unsigned long flags = 0);
    void make_directory(std::string const& name);
    void bind(std::string const& from, std::string const& to, unsigned long flags = 0);
    void propagate(std::string const& name, unsigned long flags);

    std::string top_;
};

} // namespace abi_test
