// SPDX-License-Identifier: GPL-2.0-or-later
// Parsing of option values.
#include "arch-um/boot/option-values.h"

#include <sys/stat.h>

#include <algorithm>
#include <cctype>
#include <cstring>

#include "arch-um/boot/option-text.h"
#include "core/syscall/names.h"

namespace umbra::boot {

namespace {
unsigned size_shift(char suffix)
{
    switch (suffix) {
    case 'k':
    case 'K':
        return 10;
    case 'm':
    case 'M':
        return 20;
    case 'g':
    case 'G':
        return 30;
    case 't':
    case 'T':
        return 40;
    }
    return 0;
}

std::string size_text(u64 bytes)
{
    char const* suffixes = "TGMK";
    for (unsigned shift = 40; shift; shift -= 10, ++suffixes)
        if (bytes >> shift && !(bytes & ((u64 { 1 } << shift) - 1)))
            return std::to_string(bytes >> shift) + *suffixes;
    return std::to_string(bytes);
}
} // namespace

u64 parse_size(std::string_view option, std::string_view text, u64 least, u64 most)
{
    std::string_view digits = text;
    unsigned shift = digits.empty() ? 0 : size_shift(digits.back());
    if (shift) digits.remove_suffix(1);
    u64 value = 0;
    if (!parse_decimal(digits, value))
        usage_error(std::string(option) + ": " + quoted(text)
            + " is not a size: give a number of bytes, or one with K, M or G, such as 512M");
    bool in_range = value <= (~u64 { 0 } >> shift);
    value <<= shift;
    if (!in_range || value < least || value > most)
        usage_error(std::string(option) + ": " + quoted(text) + " is out of range: give a size from "
            + size_text(least) + " to " + size_text(most));
    return value;
}

u32 parse_number(std::string_view option, std::string_view text, u32 least, u32 most)
{
    u32 value = 0;
    if (!parse_decimal(text, value) || value < least || value > most)
        usage_error(std::string(option) + ": " + quoted(text) + " is not right: give a number from "
            + std::to_string(least) + " to " + std::to_string(most));
    return value;
}

UserChoice parse_user(std::string_view text)
{
    auto colon = text.find(':');
    std::string_view user = text.substr(0, colon);
    std::string_view group = colon == text.npos ? user : text.substr(colon + 1);
    UserChoice choice {};
    // The highest value is Linux's "no change" (chown(2)), not an id.
    if (!parse_decimal(user, choice.uid) || !parse_decimal(group, choice.gid) || choice.uid == ~u32 { 0 }
        || choice.gid == ~u32 { 0 })
        usage_error("-u: " + quoted(text) + " is not UID[:GID]: give numbers, such as 1000 or 1000:100");
    return choice;
}

VolumeChoice parse_volume(std::string_view text, std::string const& directory)
{
    auto bad = [&](std::string const& why) {
        usage_error("-v: " + quoted(text) + ": " + why + ": give HOST:GUEST or HOST:GUEST:ro");
    };
    auto first = text.find(':');
    if (first == text.npos || first == 0) bad("there is no HOST:GUEST in it");
    std::string_view guest = text.substr(first + 1);
    std::string_view mode;
    if (auto second = guest.find(':'); second != guest.npos) {
        mode = guest.substr(second + 1);
        guest = guest.substr(0, second);
        if (mode != "ro" && mode != "rw") bad(quoted(mode) + " is neither ro nor rw");
    }
    if (!guest.starts_with('/')) bad("the guest's path is not absolute");
    VolumeChoice volume { absolute_path(text.substr(0, first), directory), std::string(guest), mode == "ro" };
    struct stat status;
    if (::stat(volume.host.c_str(), &status))
        usage_error("-v: " + volume.host + ": " + std::strerror(errno)
            + ": give a file or directory of the host that exists");
    return volume;
}

BackendChoice parse_backend(std::string_view text)
{
    for (auto choice : { BackendChoice::automatic, BackendChoice::seccomp, BackendChoice::ptrace })
        if (text == backend_name(choice)) return choice;
    usage_error("--backend: " + quoted(text) + " is not known: give auto, seccomp or ptrace");
}

FaultPathChoice parse_fault_path(std::string_view text)
{
    for (auto choice : { FaultPathChoice::automatic, FaultPathChoice::userfaultfd, FaultPathChoice::signal })
        if (text == fault_path_name(choice)) return choice;
    usage_error("--fault-path: " + quoted(text) + " is not known: give auto, userfaultfd or signal");
}

std::string parse_hostname(std::string_view text)
{
    // Linux takes 64 bytes of anything; what a shell prompt cannot show helps nobody.
    bool printable = true;
    for (char c : text)
        printable = printable && c > ' ' && c < 127 && c != '/';
    if (text.empty() || text.size() > 64 || !printable)
        usage_error(
            "--hostname: " + quoted(text) + " is not right: give 1 to 64 letters, digits, dots or dashes");
    return std::string(text);
}

StraceChoice parse_strace(std::string_view text)
{
    StraceChoice choice;
    choice.excluded = text.starts_with('!');
    if (choice.excluded) text.remove_prefix(1);
    if (text == "all" && !choice.excluded) return choice;
    while (!text.empty()) {
        auto comma = text.find(',');
        std::string_view name = text.substr(0, comma);
        if (syscall_number(name) < 0)
            usage_error("--strace: " + quoted(name) + " is not a system call: 'umbra syscalls' lists them");
        choice.calls.emplace_back(name);
        text.remove_prefix(comma == text.npos ? text.size() : comma + 1);
    }
    if (choice.calls.empty())
        usage_error("--strace: the list is empty: give names, such as --strace=openat,execve");
    return choice;
}

void set_environment(std::vector<std::string>& environment, std::string_view setting, Caller const& caller)
{
    auto equals = setting.find('=');
    std::string_view key = setting.substr(0, equals);
    if (key.empty()) usage_error("-e: " + quoted(setting) + " has no name: give NAME=VALUE");
    std::string entry(setting);
    if (equals == setting.npos) {
        entry.clear();
        for (std::string const& have : caller.environment)
            if (have.starts_with(std::string(key) + "=")) entry = have;
    }
    std::erase_if(
        environment, [&](std::string const& have) { return have.starts_with(std::string(key) + "="); });
    if (!entry.empty()) environment.push_back(std::move(entry));
}

std::string environment_value(std::vector<std::string> const& environment, std::string_view key)
{
    for (std::string const& entry : environment)
        if (entry.size() > key.size() && entry[key.size()] == '=' && entry.starts_with(key))
            return entry.substr(key.size() + 1);
    return {};
}

std::string absolute_path(std::string_view path, std::string const& directory)
{
    if (path.starts_with('/')) return std::string(path);
    return directory + (directory.ends_with('/') ? "" : "/") + std::string(path);
}

} // namespace umbra::boot
