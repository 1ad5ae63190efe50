// SPDX-License-Identifier: GPL-2.0-or-later
// What the tests about control groups share: a group of one's own below the root of the tree, and its files.
#pragma once

#include <string>
#include <string_view>

#include "abi-test.h"

namespace abi_test {

/// Where cgroup2 is mounted, "" if nowhere.
std::string cgroup_mount();
/// The line of /proc/PID/cgroup for version 2, without "0::" and the newline.
std::string cgroup_of(std::string const& process = "self");

/// Each test has a group of its own, empty, which is killed and removed with all below it at the end.
class InOwnCgroup : public ::testing::Test {
protected:
    void SetUp() override;
    void TearDown() override;

    std::string path(std::string const& name) const { return top_ + "/" + name; }
    std::string get(std::string const& name) const { return read_file(path(name)); }
    /// What write(2) says: 0 or an errno.
    int put(std::string const& name, std::string_view text) const;
    /// The number behind a word in a file of lines such as "populated 1"; -1 if it is not there.
    long long value(std::string const& name, std::string const& word) const;
    /// Waits until it is what it should be: poll(2) says when it has changed.
    void wait_for_value(std::string const& name, std::string const& word, long long wanted) const;
    int make(std::string const& name) const { return error_of(::mkdir(path(name).c_str(), 0755)); }
    int remove(std::string const& name) const { return error_of(::rmdir(path(name).c_str())); }
    /// Whether the controller can be had in the test's group; then children of it have it as well.
    bool enable(std::string const& controller) const;
    /// A child that has moved to the group before it runs the body.
    template <typename Body> pid_t start_in(std::string const& group, Body&& body) const
    {
        return start([&] {
            ASSERT_EQ(put(group + "/cgroup.procs", "0"), 0);
            body();
        });
    }
    /// A child that sleeps there until it is killed.
    pid_t start_sleeper(std::string const& group) const;
    std::string const& root() const { return root_; } ///< where the tree is mounted
    std::string inside(std::string const& name = "") const; ///< as /proc/PID/cgroup calls it

private:
    std::string root_, top_;
    pid_t owner_ = 0;
};

#define NEEDS_CONTROLLER(name)                                                                               \
    if (!enable(name)) SKIP_AS_HOST_LACKS(std::string("controller of cgroup2: ") + (name))

} // namespace abi_test
