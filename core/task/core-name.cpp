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

/// `has_pid`: whether %p is among the specifiers.
std::string expand_all(Task& task, std::string_view pattern, int signal, bool& has_pid)
{
    std::string text;
    for (size_t i = 0; i < pattern.size(); ++i) {
        if (pattern[i] != '%') {
            text += pattern[i];
        } else if (++i < pattern.size()) {
            has_pid = has_pid || pattern[i] == 'p';
            text += expand(task, pattern[i], signal);
        }
    }
    return text;
}

} // namespace

std::vector<std::string> core_helper_command(Task& task, int signal)
{
    constexpr std::string_view blanks = " \t\n";
    std::string_view rest = task.kernel().core_pattern;
    rest.remove_prefix(1);
    std::vector<std::string> words;
    bool has_pid = false;
    // Apart first, so that what a specifier stands for is never more than one word.
    for (size_t at; (at = rest.find_first_not_of(blanks)) != rest.npos;) {
        rest.remove_prefix(at);
        auto const word = rest.substr(0, rest.find_first_of(blanks));
        words.push_back(expand_all(task, word, signal, has_pid));
        rest.remove_prefix(word.size());
    }
    return words;
}

std::string core_file_name(Task& task, int signal)
{
    bool has_pid = false;
    std::string name = expand_all(task, task.kernel().core_pattern, signal, has_pid);
    if (!has_pid && task.kernel().core_uses_pid) name += "." + std::to_string(pid_out(task, task.pid()));
    return name;
}

} // namespace umbra
