// SPDX-License-Identifier: GPL-2.0-or-later
// /proc as ps, top, bash, glibc and python read it: proc(5). And the fixed parts of /sys and /etc-less
// systems.
#include "abi-test.h"

#include <algorithm>
#include <climits>
#include <dirent.h>
#include <set>
#include <sstream>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/sysinfo.h>
#include <sys/utsname.h>
#include <thread>
#include <vector>

namespace abi_test {
namespace {

std::string link_target(std::string const& path)
{
    char target[PATH_MAX] = {};
    EXPECT_GT(::readlink(path.c_str(), target, sizeof target - 1), 0) << path << ": " << std::strerror(errno);
    return target;
}

std::set<std::string> names_in(std::string const& path)
{
    std::set<std::string> names;
    DIR* directory = ::opendir(path.c_str());
    EXPECT_NE(directory, nullptr) << path;
    if (!directory) return names;
    while (dirent* entry = ::readdir(directory))
        names.insert(entry->d_name);
    ::closedir(directory);
    return names;
}

std::vector<std::string> words(std::string const& text)
{
    std::istringstream stream(text);
    std::vector<std::string> result;
    for (std::string word; stream >> word;)
        result.push_back(word);
    return result;
}

/// The value after "Name:" in a status-like file.
std::string field(std::string const& text, std::string const& name)
{
    size_t at = ("\n" + text).find("\n" + name + ":");
    if (at == std::string::npos) return "";
    size_t begin = at + name.size() + 1, end = text.find('\n', begin);
    begin = text.find_first_not_of(" \t", begin);
    return text.substr(begin, end - begin);
}

std::string self(std::string const& name) { return read_file("/proc/self/" + name); }

TEST(Proc, self_names_the_reader)
{
    EXPECT_EQ(link_target("/proc/self"), std::to_string(::getpid()));
    in_child([] { EXPECT_EQ(link_target("/proc/self"), std::to_string(::getpid())); });
    EXPECT_EQ(
        link_target("/proc/thread-self"), std::to_string(::getpid()) + "/task/" + std::to_string(::gettid()));
}

TEST(Proc, processes_are_listed_while_they_live)
{
    Gate end;
    pid_t child = start([&] { end.wait(); });
    EXPECT_TRUE(names_in("/proc").contains(std::to_string(child)));
    end.open();
    EXPECT_EQ(wait_for(child), exited(0));
    EXPECT_FALSE(names_in("/proc").contains(std::to_string(child)));
    EXPECT_FALSE(exists("/proc/" + std::to_string(child)));
}

TEST(Proc, status)
{
    ::prctl(PR_SET_NAME, "my name");
    std::string text = self("status");
    EXPECT_EQ(field(text, "Name"), "my name");
    EXPECT_EQ(field(text, "State"), "R (running)");
    EXPECT_EQ(field(text, "Pid"), std::to_string(::getpid()));
    EXPECT_EQ(field(text, "Tgid"), std::to_string(::getpid()));
    EXPECT_EQ(field(text, "PPid"), std::to_string(::getppid()));
    EXPECT_EQ(field(text, "Threads"), "1");
    EXPECT_EQ(words(field(text, "Uid"))[1], std::to_string(::geteuid()));
    EXPECT_EQ(words(field(text, "Gid"))[0], std::to_string(::getgid()));
    EXPECT_EQ(field(text, "Umask").size(), 4u);
    EXPECT_GT(std::stol(field(text, "VmSize")), 100);
    EXPECT_GT(std::stol(field(text, "VmRSS")), 10);
    for (char const* name :
        { "SigQ", "SigPnd", "ShdPnd", "SigBlk", "SigIgn", "SigCgt", "CapInh", "CapPrm", "CapEff", "CapBnd",
            "CapAmb", "NoNewPrivs", "Cpus_allowed", "voluntary_ctxt_switches", "VmPeak", "VmData", "VmStk" })
        EXPECT_NE(field(text, name), "") << name;
}

TEST(Proc, status_shows_signals)
{
    block_signals({ SIGUSR1 });
    set_handler(SIGUSR2, SIG_IGN);
    set_handler(SIGHUP, [](int) {});
    ::raise(SIGUSR1);
    std::string text = self("status");
    auto bit = [](int signal) { return 1ull << (signal - 1); };
    EXPECT_EQ(std::stoull(field(text, "SigBlk"), nullptr, 16) & bit(SIGUSR1), bit(SIGUSR1));
    EXPECT_EQ(std::stoull(field(text, "SigIgn"), nullptr, 16) & bit(SIGUSR2), bit(SIGUSR2));
    EXPECT_EQ(std::stoull(field(text, "SigCgt"), nullptr, 16) & bit(SIGHUP), bit(SIGHUP));
    EXPECT_EQ(std::stoull(field(text, "SigPnd"), nullptr, 16) & bit(SIGUSR1), bit(SIGUSR1));
}

TEST(Proc, stat_has_fifty_two_fields)
{
    ::prctl(PR_SET_NAME, "a) b (c");
    std::string text = self("stat");
    size_t open = text.find('('), close = text.rfind(')');
    EXPECT_EQ(text.substr(0, open), std::to_string(::getpid()) + " ");
    EXPECT_EQ(text.substr(open, close - open + 1), "(a) b (c)");
    auto rest = words(text.substr(close + 2));
    ASSERT_EQ(rest.size(), 50u);
    EXPECT_EQ(rest[0], "R");
    EXPECT_EQ(rest[1], std::to_string(::getppid()));
    EXPECT_EQ(rest[2], std::to_string(::getpgrp()));
    EXPECT_EQ(rest[3], std::to_string(::getsid(0)));
    EXPECT_EQ(rest[4], "0") << "no terminal";
    EXPECT_EQ(rest[17], "1") << "threads";
    EXPECT_GT(std::stoul(rest[20]), 100'000u) << "virtual size";
}

TEST(Proc, statm_counts_pages)
{
    long before = std::stol(words(self("statm"))[0]);
    Mapping area(100 * kPage);
    auto after = words(self("statm"));
    ASSERT_EQ(after.size(), 7u);
    EXPECT_GE(std::stol(after[0]), before + 100);
    EXPECT_GT(std::stol(after[1]), 0);
}

TEST(Proc, command_line_and_environment)
{
    // Read from the image that exec made.
    Pipe input, output;
    pid_t child = start([&] {
        ::dup2(input.read_end, 0);
        ::dup2(output.write_end, 1);
        input.write_end.reset();
        char const* arguments[] = { "some name", "--helper", "wait-for-input", "", "x y", nullptr };
        char const* environment[] = { "A=1", "B=two words", nullptr };
        ::execve("/proc/self/exe", const_cast<char**>(arguments), const_cast<char**>(environment));
    });
    std::string directory = "/proc/" + std::to_string(child) + "/";
    std::string expected("some name\0--helper\0wait-for-input\0\0x y\0", 39);
    while (read_file(directory + "cmdline") != expected)
        ::usleep(1000);
    EXPECT_EQ(read_file(directory + "environ"), std::string("A=1\0B=two words\0", 16));
    input.write_end.reset();
    EXPECT_EQ(wait_for(child), exited(0));
}

TEST(Proc, zombies_have_no_command_line)
{
    pid_t child = start([] {});
    siginfo_t info;
    ASSERT_EQ(::waitid(P_PID, id_t(child), &info, WEXITED | WNOWAIT), 0);
    std::string directory = "/proc/" + std::to_string(child) + "/";
    EXPECT_EQ(read_file(directory + "cmdline"), "");
    EXPECT_EQ(field(read_file(directory + "status"), "State"), "Z (zombie)");
    wait_for(child);
}

TEST(Proc, directory_links)
{
    ScratchDirectory scratch;
    EXPECT_EQ(link_target("/proc/self/cwd"), scratch.path());
    EXPECT_EQ(link_target("/proc/self/root"), "/");
    write_file("program", read_file("/proc/self/exe"), 0755);
    in_child([] { EXPECT_EQ(exists("/proc/self/cwd/program"), true); });
    struct stat by_link {
    }, by_name {};
    ASSERT_EQ(::stat("/proc/self/cwd", &by_link), 0);
    ASSERT_EQ(::stat(scratch.path().c_str(), &by_name), 0);
    EXPECT_EQ(by_link.st_ino, by_name.st_ino);
}

TEST(Proc, descriptors)
{
    ScratchDirectory scratch;
    Fd file = new_file("some-file");
    Pipe pipe;
    std::string number = std::to_string(int(file));
    EXPECT_TRUE(names_in("/proc/self/fd").contains(number));
    EXPECT_EQ(link_target("/proc/self/fd/" + number), scratch.path() + "/some-file");
    ASSERT_EQ(::unlink("some-file"), 0);
    EXPECT_EQ(link_target("/proc/self/fd/" + number), scratch.path() + "/some-file (deleted)");
    // Opening the link opens the file, name or no name.
    ASSERT_EQ(::write(file, "still", 5), 5);
    EXPECT_EQ(read_file("/proc/self/fd/" + number), "still");
    EXPECT_FALSE(exists("/proc/self/fd/999"));
    EXPECT_EQ(status_of("/proc/self/fd/" + number).st_mode & 0777u, 0700u);
}

TEST(Proc, descriptor_information)
{
    ScratchDirectory scratch;
    write_file("f", "abcdef");
    Fd fd = ::open("f", O_RDONLY | O_CLOEXEC);
    ASSERT_EQ(::lseek(fd, 4, SEEK_SET), 4);
    std::string text = read_file("/proc/self/fdinfo/" + std::to_string(int(fd)));
    EXPECT_EQ(field(text, "pos"), "4");
    EXPECT_EQ(std::stol(field(text, "flags"), nullptr, 8) & (O_ACCMODE | O_CLOEXEC), O_RDONLY | O_CLOEXEC);
    EXPECT_NE(field(text, "mnt_id"), "");
}

TEST(Proc, maps_cover_what_is_mapped)
{
    std::string maps = self("maps");
    EXPECT_NE(maps.find("[stack]"), std::string::npos);
    EXPECT_NE(maps.find("[vdso]"), std::string::npos);
    EXPECT_NE(maps.find(" r-xp "), std::string::npos);
    EXPECT_NE(maps.find(link_target("/proc/self/exe")), std::string::npos);
    uintptr_t last = 0;
    std::istringstream lines(maps);
    for (std::string line; std::getline(lines, line);) {
        char* end;
        uintptr_t from = std::strtoul(line.c_str(), &end, 16), to = std::strtoul(end + 1, nullptr, 16);
        EXPECT_GE(from, last);
        EXPECT_LT(from, to);
        last = to;
    }
}

TEST(Proc, smaps_counts_resident_pages)
{
    Mapping area(64 * kPage);
    std::memset(area.data(), 1, 16 * kPage);
    std::string smaps = self("smaps");
    char start[32];
    std::snprintf(start, sizeof start, "%lx-", reinterpret_cast<uintptr_t>(area.data()));
    size_t at = smaps.find(start);
    if (at == std::string::npos) // merged with a neighbour
        at = 0;
    EXPECT_GE(std::stol(field(smaps.substr(at), "Rss")), 4);
    EXPECT_NE(field(smaps, "Pss"), "");
    EXPECT_NE(field(self("smaps_rollup"), "Rss"), "");
}

TEST(Proc, memory_file_reads_ones_own_memory)
{
    char secret[] = "in memory";
    Fd fd = ::open("/proc/self/mem", O_RDWR);
    ASSERT_OK(fd);
    char got[sizeof secret] = {};
    ASSERT_EQ(::pread(fd, got, sizeof got, off_t(reinterpret_cast<uintptr_t>(secret))), ssize_t(sizeof got));
    EXPECT_STREQ(got, secret);
    ASSERT_EQ(::pwrite(fd, "IN", 2, off_t(reinterpret_cast<uintptr_t>(secret))), 2);
    EXPECT_STREQ(secret, "IN memory");
    EXPECT_ERROR(::pread(fd, got, 1, 0), EIO);
    EXPECT_ERROR(::pwrite(fd, got, 1, 0), EIO);
}

TEST(Proc, threads_are_tasks)
{
    std::atomic<pid_t> id = 0;
    std::atomic<bool> stop = false;
    std::thread thread([&] {
        id = ::gettid();
        while (!stop)
            ::usleep(1000);
    });
    while (id == 0)
        std::this_thread::yield();
    auto tasks = names_in("/proc/self/task");
    EXPECT_TRUE(tasks.contains(std::to_string(id)));
    EXPECT_TRUE(tasks.contains(std::to_string(::getpid())));
    EXPECT_EQ(tasks.size(), 4u) << "two, and the dots";
    EXPECT_EQ(field(self("status"), "Threads"), "2");
    std::string directory = "/proc/self/task/" + std::to_string(id) + "/";
    EXPECT_EQ(field(read_file(directory + "status"), "Pid"), std::to_string(id));
    // Reachable though not listed.
    EXPECT_TRUE(exists("/proc/" + std::to_string(id) + "/status"));
    EXPECT_FALSE(names_in("/proc").contains(std::to_string(id)));
    stop = true;
    thread.join();
}

TEST(Proc, children_file)
{
    pid_t child = start([] { ::pause(); });
    std::string path = "/proc/self/task/" + std::to_string(::getpid()) + "/children";
    if (!exists(path)) GTEST_SKIP() << "a kernel option";
    EXPECT_EQ(words(read_file(path)), std::vector<std::string> { std::to_string(child) });
    ::kill(child, SIGKILL);
    wait_for(child);
}

TEST(Proc, children_are_those_of_the_thread_that_made_them)
{
    std::thread([] {
        pid_t child = start([] { ::pause(); });
        std::string task = "/proc/self/task/";
        std::string mine = task + std::to_string(::gettid()) + "/children";
        if (!exists(mine)) SKIP_AS_HOST_LACKS("children files");
        EXPECT_EQ(words(read_file(mine)), std::vector<std::string> { std::to_string(child) });
        EXPECT_EQ(
            words(read_file(task + std::to_string(::getpid()) + "/children")), std::vector<std::string> {});
        ::kill(child, SIGKILL);
        wait_for(child);
    }).join();
    EXPECT_FALSE(exists("/proc/self/children"));
}

TEST(Proc, comm_can_be_written)
{
    write_file("/proc/self/comm", "renamed");
    char name[16] = {};
    ASSERT_EQ(::prctl(PR_GET_NAME, name), 0);
    EXPECT_STREQ(name, "renamed");
}

TEST(Proc, limits_file)
{
    std::string text = self("limits");
    EXPECT_EQ(text.find("Limit                     Soft Limit           Hard Limit           Units"), 0u);
    EXPECT_NE(text.find("Max open files"), std::string::npos);
}

TEST(Proc, mounts)
{
    EXPECT_EQ(link_target("/proc/mounts"), "self/mounts");
    std::string text = self("mounts");
    EXPECT_NE(text.find(" / "), std::string::npos);
    EXPECT_NE(text.find(" /proc proc "), std::string::npos);
    for (std::istringstream lines(text); std::getline(lines, text);)
        EXPECT_EQ(words(text).size(), 6u) << text;
    EXPECT_NE(self("mountinfo").find(" - proc "), std::string::npos);
}

TEST(Proc, memory_information)
{
    std::string text = read_file("/proc/meminfo");
    long total = std::stol(field(text, "MemTotal")), available = std::stol(field(text, "MemFree"));
    EXPECT_GT(total, available);
    struct sysinfo info { };
    ASSERT_EQ(::sysinfo(&info), 0);
    EXPECT_NEAR(double(total), double(info.totalram) * info.mem_unit / 1024, 1024.0);
    for (char const* name :
        { "MemAvailable", "Buffers", "Cached", "SwapTotal", "SwapFree", "Shmem", "Slab", "SReclaimable" })
        EXPECT_NE(field(text, name), "") << name;
}

TEST(Proc, processors)
{
    std::string text = read_file("/proc/cpuinfo");
    long count = 0;
    std::istringstream lines(text);
    for (std::string line; std::getline(lines, line);)
        count += line.starts_with("processor\t:");
    EXPECT_EQ(count, ::sysconf(_SC_NPROCESSORS_ONLN));
    EXPECT_NE(text.find("flags\t"), std::string::npos);
    EXPECT_NE(text.find("model name"), std::string::npos);
}

TEST(Proc, system_statistics)
{
    std::string text = read_file("/proc/stat");
    auto first = words(text.substr(0, text.find('\n')));
    EXPECT_EQ(first[0], "cpu");
    EXPECT_GE(first.size(), 8u);
    EXPECT_NE(text.find("\ncpu0 "), std::string::npos);
    for (char const* name : { "\nctxt ", "\nbtime ", "\nprocesses ", "\nprocs_running " })
        EXPECT_NE(text.find(name), std::string::npos) << name;
}

TEST(Proc, uptime_and_load)
{
    auto up = words(read_file("/proc/uptime"));
    ASSERT_EQ(up.size(), 2u);
    EXPECT_GE(std::stod(up[0]), 0);
    auto load = words(read_file("/proc/loadavg"));
    ASSERT_EQ(load.size(), 5u);
    EXPECT_NE(load[3].find('/'), std::string::npos);
}

TEST(Proc, version_and_names)
{
    utsname name {};
    ASSERT_EQ(::uname(&name), 0);
    EXPECT_EQ(read_file("/proc/version").find(std::string("Linux version ") + name.release), 0u);
    EXPECT_EQ(read_file("/proc/sys/kernel/osrelease"), std::string(name.release) + "\n");
    EXPECT_EQ(read_file("/proc/sys/kernel/hostname"), std::string(name.nodename) + "\n");
    EXPECT_EQ(read_file("/proc/sys/kernel/ostype"), "Linux\n");
    EXPECT_GT(std::stol(read_file("/proc/sys/kernel/pid_max")), 300);
    EXPECT_GE(std::stol(read_file("/proc/sys/vm/overcommit_memory")), 0);
    EXPECT_GT(std::stol(read_file("/proc/sys/fs/file-max")), 100);
    EXPECT_EQ(read_file("/proc/sys/kernel/random/uuid").size(), 37u);
    EXPECT_NE(read_file("/proc/sys/kernel/random/uuid"), read_file("/proc/sys/kernel/random/uuid"));
}

TEST(Proc, file_systems)
{
    std::string text = read_file("/proc/filesystems");
    EXPECT_NE(text.find("nodev\tproc\n"), std::string::npos);
    EXPECT_NE(text.find("nodev\ttmpfs\n"), std::string::npos);
}

TEST(Proc, cannot_be_changed)
{
    EXPECT_NE(error_of(::mkdir("/proc/new", 0700)), 0);
    EXPECT_NE(error_of(::open("/proc/new", O_CREAT | O_RDWR, 0600)), 0);
    EXPECT_NE(error_of(::unlink("/proc/version")), 0);
    EXPECT_NE(error_of(::rename("/proc/version", "/proc/other")), 0);
}

TEST(Proc, files_of_others_are_closed)
{
    NEEDS_ROOT();
    pid_t child = start([] { ::pause(); });
    std::string directory = "/proc/" + std::to_string(child) + "/";
    as_ordinary_user([&] {
        EXPECT_ERROR(::open((directory + "environ").c_str(), O_RDONLY), EACCES);
        EXPECT_ERROR(::open((directory + "mem").c_str(), O_RDONLY), EACCES);
        EXPECT_EQ(::opendir((directory + "fd").c_str()), nullptr);
        char target[64];
        EXPECT_ERROR(::readlink((directory + "exe").c_str(), target, sizeof target), EACCES);
        EXPECT_NE(read_file(directory + "status"), "");
        EXPECT_NE(read_file(directory + "cmdline"), "");
    });
    ::kill(child, SIGKILL);
    wait_for(child);
}

TEST(Proc, descriptor_outlives_the_process)
{
    pid_t child = start([] { ::pause(); });
    Fd fd = ::open(("/proc/" + std::to_string(child) + "/stat").c_str(), O_RDONLY);
    ASSERT_OK(fd);
    ::kill(child, SIGKILL);
    wait_for(child);
    char buffer[16];
    EXPECT_ERROR(::read(fd, buffer, sizeof buffer), ESRCH);
}

TEST(Proc, small_reads_give_the_same_text)
{
    std::string whole = self("status"), pieces;
    Fd fd = ::open("/proc/self/limits", O_RDONLY);
    char c;
    while (::read(fd, &c, 1) == 1)
        pieces += c;
    EXPECT_EQ(pieces, self("limits"));
    ASSERT_EQ(::lseek(fd, 5, SEEK_SET), 5);
    EXPECT_EQ(read_all(fd), pieces.substr(5));
}

TEST(Proc, pagemap_says_what_is_in_memory)
{
    constexpr uint64_t present = uint64_t { 1 } << 63, of_file = uint64_t { 1 } << 61;
    Fd fd = ::open("/proc/self/pagemap", O_RDONLY);
    if (fd < 0) SKIP_AS_HOST_LACKS("pagemap");
    // A fault may bring neighbours in, but not ones so far away.
    constexpr size_t kFar = 1024 * kPage;
    Mapping own(kFar + kPage), shared(kPage, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS);
    own[kFar] = 'x', shared[0] = 'x';
    auto entry_of = [&](void const* address) {
        uint64_t entry = 0;
        auto const at = off_t(uintptr_t(address) / kPage * sizeof entry);
        EXPECT_EQ(::pread(fd, &entry, sizeof entry, at), ssize_t(sizeof entry));
        return entry;
    };
    EXPECT_FALSE(entry_of(&own[0]) & present);
    EXPECT_TRUE(entry_of(&own[kFar]) & present);
    EXPECT_FALSE(entry_of(&own[kFar]) & of_file);
    EXPECT_TRUE(entry_of(&shared[0]) & present);
    EXPECT_TRUE(entry_of(&shared[0]) & of_file);
    uint64_t entries[1024];
    EXPECT_EQ(::pread(fd, entries, sizeof entries, 0), ssize_t(sizeof entries));
    EXPECT_ERROR(::pread(fd, entries, 8, 4), EINVAL);
    EXPECT_ERROR(::pread(fd, entries, 4, 0), EINVAL);
    EXPECT_EQ(::pread(fd, entries, 8, off_t(1) << 40), 0);
}

} // namespace
} // namespace abi_test
