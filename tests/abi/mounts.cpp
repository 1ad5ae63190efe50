// SPDX-License-Identifier: GPL-2.0-or-later
// Reading mountinfo, and the fixture of the tests about mounts.
#include "mounts.h"

#include <climits>
#include <sched.h>
#include <sstream>
#include <sys/mount.h>

namespace abi_test {

int MountLine::field(std::string const& name) const
{
    std::istringstream words(fields);
    for (std::string word; words >> word;)
        if (word.rfind(name + ":", 0) == 0) return std::atoi(word.c_str() + name.size() + 1);
    return 0;
}

std::vector<MountLine> mountinfo(std::string const& process)
{
    std::vector<MountLine> all;
    std::istringstream lines(read_file("/proc/" + process + "/mountinfo"));
    for (std::string line; std::getline(lines, line);) {
        std::istringstream words(line);
        MountLine m;
        std::string device, word;
        words >> m.id >> m.parent >> device >> m.root >> m.point >> m.options;
        while (words >> word && word != "-")
            m.fields += (m.fields.empty() ? "" : " ") + word;
        words >> m.type >> m.source >> m.super_options;
        all.push_back(m);
    }
    return all;
}

MountLine mount_on(std::string const& point, std::string const& process)
{
    MountLine found;
    // The topmost one is that whose parent is another on the same point, or the last.
    for (auto const& m : mountinfo(process))
        if (m.point == point && (found.id == 0 || m.parent == found.id)) found = m;
    return found;
}

int count_mounts_on(std::string const& point, std::string const& process)
{
    int count = 0;
    for (auto const& m : mountinfo(process))
        count += m.point == point;
    return count;
}

bool may_have_mounts()
{
    pid_t child = ::fork();
    if (child == 0)
        ::_exit(::unshare(CLONE_NEWNS) == 0
                    && ::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0
                    && ::mount("none", "/tmp", "tmpfs", 0, nullptr) == 0
                ? 0
                : 1);
    return wait_for(child) == exited(0);
}

void InOwnMounts::SetUp()
{
    NEEDS_MOUNTS();
    ASSERT_OK(::unshare(CLONE_NEWNS));
    ASSERT_OK(::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr));
    ASSERT_OK(::mount("top", "/tmp", "tmpfs", 0, "mode=755"));
    top_ = "/tmp";
    ASSERT_OK(::chdir("/tmp"));
}

void InOwnMounts::make_directory(std::string const& name) { ASSERT_OK(::mkdir(name.c_str(), 0755)) << name; }

void InOwnMounts::make_tmpfs(std::string const& name, unsigned long flags)
{
    if (!exists(name)) make_directory(name);
    ASSERT_OK(::mount(name.c_str(), name.c_str(), "tmpfs", flags, nullptr)) << name;
}

void InOwnMounts::bind(std::string const& from, std::string const& to, unsigned long flags)
{
    if (!exists(to)) make_directory(to);
    ASSERT_OK(::mount(from.c_str(), to.c_str(), nullptr, MS_BIND | flags, nullptr)) << from << " on " << to;
}

void InOwnMounts::propagate(std::string const& name, unsigned long flags)
{
    ASSERT_OK(::mount("none", name.c_str(), nullptr, flags, nullptr)) << name;
}

} // namespace abi_test
