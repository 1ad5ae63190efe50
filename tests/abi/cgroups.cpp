// SPDX-License-Identifier: GPL-2.0-or-later
// A group for each test.
#include "cgroups.h"

#include <algorithm>
#include <dirent.h>
#include <poll.h>
#include <sstream>
#include <vector>

namespace abi_test {

std::string cgroup_mount()
{
    std::istringstream lines(read_file("/proc/self/mounts"));
    for (std::string line; std::getline(lines, line);) {
        std::istringstream words(line);
        std::string source, point, type;
        words >> source >> point >> type;
        if (type == "cgroup2") return point;
    }
    return "";
}

std::string cgroup_of(std::string const& process)
{
    std::istringstream lines(read_file("/proc/" + process + "/cgroup"));
    for (std::string line; std::getline(lines, line);)
        if (line.starts_with("0::")) return line.substr(3);
    return "";
}

void InOwnCgroup::SetUp()
{
    NEEDS_ROOT();
    root_ = cgroup_mount();
    owner_ = ::getpid();
    std::string const wanted = root_ + "/umbra-test-" + std::to_string(owner_);
    if (root_.empty() || ::mkdir(wanted.c_str(), 0755) != 0) SKIP_AS_HOST_LACKS("a cgroup2 to write to");
    top_ = wanted;
}

namespace {

void remove_groups(std::string const& top)
{
    std::vector<std::string> names;
    if (DIR* directory = ::opendir(top.c_str())) {
        while (dirent const* entry = ::readdir(directory))
            if (entry->d_type == DT_DIR && entry->d_name[0] != '.') names.push_back(entry->d_name);
        ::closedir(directory);
    }
    for (auto const& name : names)
        remove_groups(top + "/" + name);
    // What was killed may take a moment to go.
    for (int i = 0; i < 2000 && ::rmdir(top.c_str()) != 0 && errno == EBUSY; ++i)
        ::usleep(5000);
}

} // namespace

void InOwnCgroup::TearDown()
{
    if (top_.empty() || ::getpid() != owner_) return;
    Fd const procs = ::open((root_ + "/cgroup.procs").c_str(), O_WRONLY);
    EXPECT_EQ(::write(procs, "0", 1), 1);
    (void)put("cgroup.kill", "1");
    while (::waitpid(-1, nullptr, WNOHANG) > 0)
        ;
    remove_groups(top_);
}

int InOwnCgroup::put(std::string const& name, std::string_view text) const
{
    Fd const fd = ::open(path(name).c_str(), O_WRONLY);
    if (fd < 0) return errno;
    return error_of(::write(fd, text.data(), text.size()));
}

namespace {

long long value_in(std::string const& text, std::string const& word)
{
    std::istringstream lines(text);
    for (std::string line; std::getline(lines, line);)
        if (line.starts_with(word + " ")) return std::atoll(line.c_str() + word.size());
    return -1;
}

} // namespace

long long InOwnCgroup::value(std::string const& name, std::string const& word) const
{
    return value_in(get(name), word);
}

void InOwnCgroup::wait_for_value(std::string const& name, std::string const& word, long long wanted) const
{
    Fd const fd = ::open(path(name).c_str(), O_RDONLY);
    ASSERT_OK(fd);
    for (int i = 0; i < 3000; ++i) {
        char text[4096];
        ssize_t const count = ::pread(fd, text, sizeof text, 0);
        ASSERT_GE(count, 0);
        if (value_in(std::string(text, size_t(count)), word) == wanted) return;
        pollfd waiting { fd, POLLPRI, 0 };
        ::poll(&waiting, 1, 10);
    }
    FAIL() << name << " never said " << word << " " << wanted;
}

bool InOwnCgroup::enable(std::string const& controller) const
{
    auto const has = [&](std::string const& file) {
        std::istringstream words(read_file(file));
        for (std::string word; words >> word;)
            if (word == controller) return true;
        return false;
    };
    if (!has(root_ + "/cgroup.controllers")) return false;
    Fd const fd = ::open((root_ + "/cgroup.subtree_control").c_str(), O_WRONLY);
    std::string const text = "+" + controller;
    if (::write(fd, text.data(), text.size()) < 0) return false;
    return put("cgroup.subtree_control", text) == 0;
}

pid_t InOwnCgroup::start_sleeper(std::string const& group) const
{
    Gate ready;
    pid_t const child = start_in(group, [&] {
        ready.open();
        for (;;)
            ::pause();
    });
    ready.wait();
    return child;
}

std::string InOwnCgroup::inside(std::string const& name) const
{
    return top_.substr(root_.size()) + (name.empty() ? "" : "/" + name);
}

} // namespace abi_test
