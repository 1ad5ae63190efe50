// SPDX-License-Identifier: GPL-2.0-or-later
// See task-room.h; proc(5), getrlimit(2), cgroups(7).
#include "hostabi/task-room.h"

#include <algorithm>
#include <string>

#include <dirent.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "hostabi/process.h"
#include "hostabi/text-file.h"

namespace umbra::hostabi {

namespace {

/// A limit so far beyond what Umbra gives its guests that it need not be known how much of it is used.
constexpr u64 kFarAway = 65536;

u64 left_of(u64 limit, u64 used) { return limit == UINT64_MAX ? limit : limit - std::min(limit, used); }

u64 left_on_host()
{
    // The fourth field of loadavg: runnable and existing tasks, "2/345".
    std::string const load = read_line("/proc/loadavg");
    std::size_t const slash = load.find('/');
    u64 const used = slash == load.npos ? 0 : to_number(load.substr(slash + 1), 0);
    u64 const most = std::min(to_number(read_line("/proc/sys/kernel/threads-max"), UINT64_MAX),
        to_number(read_line("/proc/sys/kernel/pid_max"), UINT64_MAX));
    return left_of(most, used);
}

/// The tasks of one process: its task directory has a link for each, and two of its own; 0 unless it is the user's.
u64 tasks_of(std::string const& process, uid_t user)
{
    struct stat status { };
    if (stat(("/proc/" + process + "/task").c_str(), &status) != 0 || status.st_uid != user) return 0;
    return std::max<u64>(status.st_nlink, 2) - 2;
}

/// Root of the host itself, not of a user namespace: that one is somebody else outside, who has limits.
bool is_root_of_host()
{
    std::string const ids = read_line("/proc/self/uid_map");
    return getuid() == 0 && ids.find("4294967295") != ids.npos;
}

u64 left_to_user()
{
    uid_t const user = getuid();
    auto const limit = process::limit(RLIMIT_NPROC);
    // The host asks root nothing.
    if (is_root_of_host() || limit.is_error()) return UINT64_MAX;
    if (limit.value().soft >= kFarAway) return limit.value().soft;
    u64 used = 0;
    DIR* const processes = opendir("/proc");
    while (dirent const* entry = processes ? readdir(processes) : nullptr)
        if (entry->d_name[0] >= '1' && entry->d_name[0] <= '9') used += tasks_of(entry->d_name, user);
    if (processes) closedir(processes);
    return left_of(limit.value().soft, used);
}

u64 left_in_group(std::string const& directory)
{
    u64 const limit = to_number(read_line((directory + "/pids.max").c_str()), UINT64_MAX);
    return left_of(limit, to_number(read_line((directory + "/pids.current").c_str()), 0));
}

/// Every group from the process's own up to the root. In a container the root is the container's group and has limits.
u64 left_in_groups(std::string const& mount, std::string group)
{
    u64 left = left_in_group(mount);
    for (; group.size() > 1; group.resize(group.rfind('/')))
        left = std::min(left, left_in_group(mount + group));
    return left;
}

u64 left_to_control_groups()
{
    std::string const groups = "\n" + read_text("/proc/self/cgroup");
    auto const path_behind = [&](std::string const& controller) {
        std::size_t const at = groups.find(controller);
        if (at == groups.npos) return std::string();
        std::size_t const start = at + controller.size();
        return groups.substr(start, groups.find('\n', start) - start);
    };
    return std::min(left_in_groups("/sys/fs/cgroup", path_behind("\n0::")),
        left_in_groups("/sys/fs/cgroup/pids", path_behind(":pids:")));
}

} // namespace

u64 room_for_tasks() { return std::min({ left_on_host(), left_to_user(), left_to_control_groups() }); }

} // namespace umbra::hostabi
