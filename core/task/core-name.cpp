// SPDX-License-Identifier: GPL-2.0-or-later
// The name of a core file: core(5), "Naming of core dump files".
#include <algorithm>
#include <string>

#include "core/kernel.h"
#include "core/mm/address-space.h"
#include "core/task/core-dump.h"
#include "core/task/namespaces.h"
#include "core/task/pid-namespace.h"
#include "core/task/scheduler.h"
#include "core/task/task.h"
#include "core/time/timekeeper.h"

namespace umbra {

namespace {

/// A name that stays one component.
std::string flattened(std::string text)
{
    std::ranges::replace(text, '/', '!');
    return text;
}

/// The program's path; its command's name where it has none.
std::string program_of(Task& task)
{
    auto const& program = task.mm().executable();
    return program ? vfs::path_to_string(*program, task.fs().root) : task.name();
}

std::string expand(Task& task, char specifier, int signal)
{
    auto const& who = task.credentials();
    switch (specifier) {
    case '%':
        return "%";
    case 'p':
        return std::to_string(pid_out(task, task.pid()));
    case 'P':
        return std::to_string(task.pid().value);
    case 'i':
        return std::to_string(pid_out(task, task.tid()));
    case 'I':
        return std::to_string(task.tid().value);
    case 'u':
        return std::to_string(who.uid);
    case 'g':
        return std::to_string(who.gid);
    case 'd':
        return std::to_string(int(task.process().dumpable));
    case 's':
        return std::to_string(signal);
    case 't':
        return std::to_string(task.kernel().time().realtime_timespec().sec);
    case 'h':
        return flattened(task.namespaces().uts->hostname);
    case 'e':
        return flattened(task.name());
    case 'f': {
        auto path = program_of(task);
        return path.substr(path.rfind('/') + 1);
    }
    case 'E':
        return flattened(program_of(task));
    case 'c':
        return std::to_string(task.limit(Resource::core));
    case 'C':
        return std::to_string(task.vcpu->index());
    default:
        return {}; // as Linux: an unknown one is dropped
    }
}

} // namespace

std::string core_file_name(Task& task, int signal)
{
    std::string const& pattern = task.kernel().core_pattern;
    std::string name;
    bool has_pid = false;
    for (size_t i = 0; i < pattern.size(); ++i) {
        if (pattern[i] != '%') {
            name += pattern[i];
        } else if (++i < pattern.size()) {
            has_pid = has_pid || pattern[i] == 'p';
            name += expand(task, pattern[i], signal);
        }
    }
    if (!has_pid && task.kernel().core_uses_pid) name += "." + std::to_string(pid_out(task, task.pid()));
    return name;
}

} // namespace umbra
