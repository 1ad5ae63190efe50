// SPDX-License-Identifier: GPL-2.0-or-later
// Calls that the C library no longer makes, because a newer one does as much: programs that were linked long ago, and
// those that come without a C library, still make them.
#include "abi-test.h"

#include <dirent.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/select.h>
#include <sys/sem.h>
#include <sys/signalfd.h>
#include <sys/sysmacros.h>
#include <sys/time.h>
#include <sys/timex.h>
#include <sys/xattr.h>
#include <utime.h>

namespace abi_test {
namespace {

// Newer than the headers of Debian 12.
constexpr long kFchmodat2 = 452, kFutexWake = 454, kFutexWait = 455;

void* const kBadPointer = reinterpret_cast<void*>(8);

class OlderFileCalls : public InScratchDirectory { };

// --- files ---

TEST_F(OlderFileCalls, status)
{
    write_file("file", "four");
    ASSERT_EQ(::symlink("file", "link"), 0);
    struct stat status { };
    Fd const fd = ::open("file", O_RDONLY);
    EXPECT_EQ(raw(SYS_fstat, int(fd), &status), 0);
    EXPECT_EQ(status.st_size, 4);
    EXPECT_EQ(raw(SYS_lstat, "link", &status), 0);
    EXPECT_TRUE(S_ISLNK(status.st_mode));
    EXPECT_EQ(raw(SYS_stat, "link", &status), 0);
    EXPECT_TRUE(S_ISREG(status.st_mode));
    EXPECT_EQ(raw(SYS_fstat, -1, &status), -EBADF);
    EXPECT_EQ(raw(SYS_fstat, int(fd), kBadPointer), -EFAULT);
    EXPECT_EQ(raw(SYS_lstat, "none", &status), -ENOENT);
}

TEST_F(OlderFileCalls, creation)
{
    Fd const fd = int(raw(SYS_creat, "file", 0640));
    ASSERT_GE(int(fd), 0);
    EXPECT_EQ(mode_of("file") & 0777, 0640u);
    EXPECT_EQ(::write(fd, "x", 1), 1);
    char byte;
    EXPECT_ERROR(::read(fd, &byte, 1), EBADF) << "for writing only";
    EXPECT_EQ(raw(SYS_creat, ".", 0640), -EISDIR);
    EXPECT_EQ(raw(SYS_mknod, "fifo", S_IFIFO | 0600, 0), 0);
    EXPECT_TRUE(S_ISFIFO(status_of("fifo").st_mode));
    EXPECT_EQ(raw(SYS_mknod, "fifo", S_IFIFO | 0600, 0), -EEXIST);
    EXPECT_EQ(raw(SYS_mknod, "directory", S_IFDIR | 0700, 0), -EPERM);
}

TEST_F(OlderFileCalls, names_below_a_directory)
{
    Fd const here = ::open(".", O_RDONLY | O_DIRECTORY);
    EXPECT_EQ(raw(SYS_mkdirat, int(here), "directory", 0700), 0);
    EXPECT_EQ(raw(SYS_mkdirat, int(here), "directory", 0700), -EEXIST);
    EXPECT_EQ(raw(SYS_symlinkat, "directory", int(here), "link"), 0);
    EXPECT_EQ(raw(SYS_symlinkat, "", int(here), "other"), -ENOENT);
    EXPECT_EQ(raw(SYS_renameat, int(here), "link", int(here), "moved"), 0);
    EXPECT_FALSE(exists("link"));
    EXPECT_EQ(raw(SYS_renameat, int(here), "link", int(here), "moved"), -ENOENT);
    EXPECT_EQ(raw(SYS_faccessat, int(here), "directory", R_OK), 0);
    EXPECT_EQ(raw(SYS_faccessat, int(here), "none", R_OK), -ENOENT);
    EXPECT_EQ(raw(SYS_faccessat, int(here), "directory", 8), -EINVAL);
    EXPECT_EQ(raw(kFchmodat2, int(here), "directory", 0500, 0), 0);
    EXPECT_EQ(mode_of("directory") & 0777, 0500u);
    EXPECT_EQ(raw(kFchmodat2, int(here), "moved", 0500, AT_SYMLINK_NOFOLLOW), -EOPNOTSUPP);
    EXPECT_EQ(raw(kFchmodat2, int(here), "directory", 0500, 1), -EINVAL);
}

TEST_F(OlderFileCalls, entries_of_a_directory)
{
    /// struct linux_dirent: the kind is the record's last byte.
    struct Entry {
        unsigned long inode;
        unsigned long offset;
        unsigned short length;
        char name[];
    };
    write_file("file", "");
    Fd const here = ::open(".", O_RDONLY | O_DIRECTORY);
    alignas(Entry) char buffer[1024];
    long const size = raw(SYS_getdents, int(here), buffer, sizeof buffer);
    ASSERT_GT(size, 0);
    int files = 0, directories = 0;
    for (long at = 0; at < size;) {
        auto const* entry = reinterpret_cast<Entry const*>(buffer + at);
        char const kind = buffer[at + entry->length - 1];
        files += kind == DT_REG && std::string_view(entry->name) == "file";
        directories += kind == DT_DIR && entry->name[0] == '.';
        at += entry->length;
    }
    EXPECT_EQ(files, 1);
    EXPECT_EQ(directories, 2);
    EXPECT_EQ(raw(SYS_getdents, int(here), buffer, sizeof buffer), 0) << "that was all";
    EXPECT_EQ(::lseek(here, 0, SEEK_SET), 0);
    EXPECT_EQ(raw(SYS_getdents, int(here), buffer, 8), -EINVAL) << "no room for one";
    EXPECT_EQ(raw(SYS_getdents, int(here), kBadPointer, sizeof buffer), -EFAULT);
    Fd const file = ::open("file", O_RDONLY);
    EXPECT_EQ(raw(SYS_getdents, int(file), buffer, sizeof buffer), -ENOTDIR);
}

TEST_F(OlderFileCalls, file_times)
{
    write_file("file", "");
    utimbuf const seconds { 1000, 2000 };
    EXPECT_EQ(raw(SYS_utime, "file", &seconds), 0);
    EXPECT_EQ(status_of("file").st_atim.tv_sec, 1000);
    EXPECT_EQ(status_of("file").st_mtim.tv_sec, 2000);
    EXPECT_EQ(raw(SYS_utime, "none", nullptr), -ENOENT);
    EXPECT_EQ(raw(SYS_utime, "file", kBadPointer), -EFAULT);
    timeval const times[] = { { 3000, 5 }, { 4000, 6 } };
    EXPECT_EQ(raw(SYS_utimes, "file", times), 0);
    EXPECT_EQ(status_of("file").st_atim.tv_nsec, 5000);
    EXPECT_EQ(status_of("file").st_mtim.tv_sec, 4000);
    timeval const wrong[] = { { 0, 1'000'000 }, { 0, 0 } };
    EXPECT_EQ(raw(SYS_utimes, "file", wrong), -EINVAL);
    EXPECT_EQ(raw(SYS_futimesat, AT_FDCWD, "file", nullptr), 0);
    EXPECT_GT(status_of("file").st_mtim.tv_sec, 4000) << "now";
    EXPECT_EQ(raw(SYS_futimesat, -1, "file", nullptr), -EBADF);
}

TEST_F(OlderFileCalls, attributes_of_descriptors_and_links)
{
    Fd const fd = new_file("file");
    if (raw(SYS_fsetxattr, int(fd), "user.one", "1", 1, 0) == -EOPNOTSUPP)
        SKIP_AS_HOST_LACKS("user attributes here");
    EXPECT_EQ(raw(SYS_lsetxattr, "file", "user.two", "22", 2, XATTR_CREATE), 0);
    EXPECT_EQ(raw(SYS_lsetxattr, "file", "user.two", "22", 2, XATTR_CREATE), -EEXIST);
    char list[64];
    EXPECT_EQ(raw(SYS_flistxattr, int(fd), nullptr, 0), 18);
    EXPECT_EQ(raw(SYS_llistxattr, "file", list, sizeof list), 18);
    EXPECT_EQ(raw(SYS_llistxattr, "file", list, 4), -ERANGE);
    EXPECT_EQ(raw(SYS_lremovexattr, "file", "user.two"), 0);
    EXPECT_EQ(raw(SYS_lremovexattr, "file", "user.two"), -ENODATA);
    EXPECT_EQ(raw(SYS_fremovexattr, int(fd), "user.one"), 0);
    EXPECT_EQ(raw(SYS_fremovexattr, int(fd), "user.one"), -ENODATA);
    EXPECT_EQ(raw(SYS_flistxattr, int(fd), list, sizeof list), 0);
}

// --- waiting ---

TEST(OlderCalls, pipes_and_select)
{
    int ends[2];
    ASSERT_EQ(raw(SYS_pipe, ends), 0);
    Fd const reader = ends[0], writer = ends[1];
    EXPECT_EQ(raw(SYS_pipe, kBadPointer), -EFAULT);
    fd_set set;
    auto const look = [&](timeval* limit) {
        FD_ZERO(&set);
        FD_SET(int(reader), &set);
        return raw(SYS_select, reader + 1, &set, nullptr, nullptr, limit);
    };
    timeval limit { 0, 1000 };
    EXPECT_EQ(look(&limit), 0);
    EXPECT_EQ(limit.tv_sec + limit.tv_usec, 0) << "what is left of it";
    EXPECT_FALSE(FD_ISSET(int(reader), &set));
    EXPECT_EQ(::write(writer, "x", 1), 1);
    EXPECT_EQ(look(nullptr), 1);
    EXPECT_TRUE(FD_ISSET(int(reader), &set));
    timeval wrong { -1, 0 };
    EXPECT_EQ(look(&wrong), -EINVAL);
    EXPECT_EQ(raw(SYS_select, -1, nullptr, nullptr, nullptr, nullptr), -EINVAL);
}

TEST(OlderCalls, epoll_with_a_mask)
{
    Fd const epoll = ::epoll_create1(0);
    Pipe pipe;
    epoll_event event { EPOLLIN, { .u64 = 7 } };
    ASSERT_EQ(::epoll_ctl(epoll, EPOLL_CTL_ADD, pipe.read_end, &event), 0);
    ASSERT_EQ(::write(pipe.write_end, "x", 1), 1);
    epoll_event got {};
    sigset_t const mask = signals({ SIGUSR1 });
    EXPECT_EQ(raw(SYS_epoll_pwait, int(epoll), &got, 1, -1, &mask, 8), 1);
    EXPECT_EQ(got.data.u64, 7u);
    EXPECT_EQ(raw(SYS_epoll_pwait, int(epoll), &got, 0, -1, nullptr, 8), -EINVAL);
    EXPECT_EQ(raw(SYS_epoll_pwait, int(epoll), &got, 1, 0, &mask, 7), -EINVAL) << "the size of a mask";
}

TEST(OlderCalls, sleep_until_a_signal)
{
    in_child([] {
        RepeatingAlarm const alarm(0);
        EXPECT_EQ(raw(SYS_pause), -EINTR);
        sigset_t const none = signals({});
        EXPECT_EQ(raw(SYS_rt_sigsuspend, &none, 8), -EINTR);
    });
    EXPECT_EQ(raw(SYS_rt_sigsuspend, nullptr, 7), -EINVAL);
    EXPECT_EQ(raw(SYS_rt_sigsuspend, kBadPointer, 8), -EFAULT);
}

TEST(OlderCalls, sleep)
{
    timespec const short_one { 0, 1000 }, wrong { 0, 1'000'000'000 };
    EXPECT_EQ(raw(SYS_nanosleep, &short_one, nullptr), 0);
    EXPECT_EQ(raw(SYS_nanosleep, &wrong, nullptr), -EINVAL);
    EXPECT_EQ(raw(SYS_nanosleep, kBadPointer, nullptr), -EFAULT);
}

TEST(OlderCalls, signal_descriptor)
{
    in_child([] {
        block_signals({ SIGUSR1 });
        sigset_t const mask = signals({ SIGUSR1 });
        Fd const fd = int(raw(SYS_signalfd, -1, &mask, 8));
        ASSERT_GE(int(fd), 0);
        EXPECT_EQ(::fcntl(fd, F_GETFD), 0) << "survives exec";
        ASSERT_EQ(::raise(SIGUSR1), 0);
        signalfd_siginfo info {};
        EXPECT_EQ(::read(fd, &info, sizeof info), ssize_t(sizeof info));
        EXPECT_EQ(info.ssi_signo, unsigned(SIGUSR1));
        EXPECT_EQ(raw(SYS_signalfd, -1, &mask, 4), -EINVAL);
    });
}

TEST(OlderCalls, semaphores)
{
    int const id = ::semget(IPC_PRIVATE, 1, 0600);
    ASSERT_GE(id, 0);
    sembuf up { 0, 2, 0 }, down { 0, -3, IPC_NOWAIT };
    EXPECT_EQ(raw(SYS_semop, id, &up, 1), 0);
    EXPECT_EQ(::semctl(id, 0, GETVAL), 2);
    EXPECT_EQ(raw(SYS_semop, id, &down, 1), -EAGAIN);
    EXPECT_EQ(raw(SYS_semop, id, &down, 0), -EINVAL);
    EXPECT_EQ(::semctl(id, 0, IPC_RMID), 0);
}

// --- time and limits ---

TEST(OlderCalls, time_of_day)
{
    timeval first {};
    struct timezone zone { };
    EXPECT_EQ(raw(SYS_gettimeofday, &first, &zone), 0);
    long const second = raw(SYS_time, nullptr);
    EXPECT_GE(second, first.tv_sec);
    long stored = 0;
    EXPECT_EQ(raw(SYS_time, &stored), stored);
    EXPECT_EQ(raw(SYS_time, kBadPointer), -EFAULT);
    EXPECT_EQ(raw(SYS_gettimeofday, kBadPointer, nullptr), -EFAULT);
    timex t {};
    EXPECT_GE(raw(SYS_adjtimex, &t), 0) << "only looks";
    EXPECT_EQ(raw(SYS_adjtimex, kBadPointer), -EFAULT);
    as_ordinary_user([&] {
        timex change {};
        change.modes = ADJ_OFFSET;
        EXPECT_EQ(raw(SYS_adjtimex, &change), -EPERM);
        EXPECT_EQ(raw(SYS_settimeofday, &first, nullptr), -EPERM);
        timespec const same { first.tv_sec, 0 };
        EXPECT_EQ(raw(SYS_clock_settime, CLOCK_REALTIME, &same), -EPERM);
    });
    timeval const wrong { 0, 1'000'000 };
    EXPECT_EQ(raw(SYS_settimeofday, &wrong, nullptr), -EINVAL);
}

TEST(OlderCalls, limits)
{
    in_child([] {
        rlimit limit {};
        EXPECT_EQ(raw(SYS_getrlimit, RLIMIT_NOFILE, &limit), 0);
        limit.rlim_cur = 20;
        EXPECT_EQ(raw(SYS_setrlimit, RLIMIT_NOFILE, &limit), 0);
        EXPECT_EQ(::sysconf(_SC_OPEN_MAX), 20);
        EXPECT_EQ(raw(SYS_getrlimit, 100, &limit), -EINVAL);
        limit.rlim_cur = limit.rlim_max + 1;
        EXPECT_EQ(raw(SYS_setrlimit, RLIMIT_NOFILE, &limit), -EINVAL);
        EXPECT_EQ(raw(SYS_setrlimit, RLIMIT_NOFILE, kBadPointer), -EFAULT);
    });
}

TEST(OlderCalls, round_robin_interval)
{
    timespec interval {};
    EXPECT_EQ(raw(SYS_sched_rr_get_interval, 0, &interval), 0);
    EXPECT_EQ(interval.tv_sec, 0);
    EXPECT_EQ(raw(SYS_sched_rr_get_interval, -1, &interval), -EINVAL);
    EXPECT_EQ(raw(SYS_sched_rr_get_interval, 0x3fffffff, &interval), -ESRCH);
}

// --- memory ---

TEST(OlderCalls, memory_is_locked_and_let_go)
{
    EXPECT_EQ(raw(SYS_mlockall, 0), -EINVAL);
    EXPECT_EQ(raw(SYS_mlockall, 8), -EINVAL);
    NEEDS_ROOT(); // beyond RLIMIT_MEMLOCK
    in_child([] {
        ASSERT_EQ(raw(SYS_mlockall, MCL_CURRENT), 0);
        EXPECT_EQ(read_file("/proc/self/status").find("VmLck:\t       0 kB"), std::string::npos);
        EXPECT_EQ(raw(SYS_munlockall), 0);
        EXPECT_NE(read_file("/proc/self/status").find("VmLck:\t       0 kB"), std::string::npos);
    });
}

TEST(OlderCalls, protection_without_a_key)
{
    Mapping memory(kPage);
    EXPECT_EQ(raw(SYS_pkey_mprotect, memory.data(), kPage, PROT_READ, -1), 0);
    EXPECT_FALSE(can_write(memory.data()));
    EXPECT_EQ(raw(SYS_pkey_mprotect, memory.data() + 1, kPage, PROT_READ, -1), -EINVAL);
}

TEST(OlderCalls, memory_of_a_killed_process_is_taken)
{
    Gate gate;
    pid_t const child = start([&] { gate.wait(); });
    Fd const pidfd = int(raw(SYS_pidfd_open, child, 0));
    ASSERT_GE(int(pidfd), 0);
    EXPECT_EQ(raw(SYS_process_mrelease, int(pidfd), 0), -EINVAL) << "it lives";
    EXPECT_EQ(raw(SYS_process_mrelease, int(pidfd), 1), -EINVAL);
    EXPECT_EQ(raw(SYS_process_mrelease, -1, 0), -EBADF);
    ASSERT_EQ(::kill(child, SIGKILL), 0);
    long const taken = raw(SYS_process_mrelease, int(pidfd), 0);
    EXPECT_TRUE(taken == 0 || taken == -ESRCH) << taken; // the end may have been faster
    EXPECT_EQ(wait_for(child), killed_by(SIGKILL));
    EXPECT_EQ(raw(SYS_process_mrelease, int(pidfd), 0), -ESRCH);
}

TEST(OlderCalls, futexes_of_the_newer_kind)
{
    constexpr unsigned size_u32 = 2, is_private = 128;
    uint32_t word = 1;
    timespec const past { 0, 0 };
    long const result
        = raw(kFutexWait, &word, 1L, 0xffffffffL, size_u32 | is_private, &past, CLOCK_MONOTONIC);
    if (result == -ENOSYS) SKIP_AS_HOST_LACKS("futex_wait");
    EXPECT_EQ(result, -ETIMEDOUT);
    EXPECT_EQ(raw(kFutexWait, &word, 2L, 0xffffffffL, size_u32 | is_private, nullptr, 0), -EAGAIN);
    EXPECT_EQ(raw(kFutexWait, &word, 1L, 0L, size_u32, nullptr, 0), -EINVAL) << "no bit to be woken by";
    EXPECT_EQ(raw(kFutexWait, &word, 1L, 0xffffffffL, size_u32, &past, 99), -EINVAL);
    Mapping shared(kPage, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS);
    auto* const gate = shared.as<uint32_t>();
    pid_t const child
        = start([&] { EXPECT_EQ(raw(kFutexWait, gate, 0L, 0xffffffffL, size_u32, nullptr, 0), 0); });
    wait_until_sleeping(child);
    EXPECT_EQ(raw(kFutexWake, gate, 0xffffffffL, 1, size_u32), 1);
    EXPECT_EQ(wait_for(child), exited(0));
}

// --- the machine ---

TEST(OlderCalls, what_only_root_may)
{
    as_ordinary_user([] {
        EXPECT_EQ(raw(SYS_vhangup), -EPERM);
        EXPECT_EQ(raw(SYS_acct, nullptr), -EPERM);
        EXPECT_EQ(raw(SYS_setdomainname, "none", 4), -EPERM);
        EXPECT_EQ(raw(SYS_syslog, 5, nullptr, 0), -EPERM) << "clears the log";
    });
}

TEST(OlderCalls, as_root)
{
    NEEDS_ROOT();
    in_child([] {
        ::setsid();
        EXPECT_EQ(raw(SYS_vhangup), 0) << "no terminal: nothing to do";
    });
    EXPECT_GT(raw(SYS_syslog, 10, nullptr, 0), 0) << "the log's size";
    EXPECT_EQ(raw(SYS_syslog, 100, nullptr, 0), -EINVAL);
    EXPECT_EQ(raw(SYS_syslog, 2, nullptr, 5), -EINVAL);
}

TEST(OlderCalls, domain_name)
{
    NEEDS_ROOT();
    in_child([] {
        if (raw(SYS_unshare, CLONE_NEWUTS) != 0) SKIP_AS_HOST_LACKS("a namespace for names");
        EXPECT_EQ(raw(SYS_setdomainname, "umbra.test", 10), 0);
        EXPECT_EQ(read_file("/proc/sys/kernel/domainname"), "umbra.test\n");
        EXPECT_EQ(raw(SYS_setdomainname, "x", -1), -EINVAL);
        EXPECT_EQ(raw(SYS_setdomainname, kBadPointer, 4), -EFAULT);
    });
}

TEST(OlderCalls, files_reach_the_disk)
{
    EXPECT_EQ(raw(SYS_sync), 0);
    Fd const here = ::open(".", O_RDONLY);
    EXPECT_EQ(raw(SYS_syncfs, int(here)), 0);
    EXPECT_EQ(raw(SYS_syncfs, -1), -EBADF);
}

TEST(OlderCalls, descriptors_run_out)
{
    in_child([] {
        Fd const last = ::open("/dev/null", O_RDONLY);
        rlimit const limit { unsigned(last) + 1, unsigned(last) + 1 };
        ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &limit), 0);
        EXPECT_EQ(raw(SYS_inotify_init), -EMFILE);
        EXPECT_EQ(raw(SYS_eventfd, 0), -EMFILE);
        int ends[2];
        EXPECT_EQ(raw(SYS_pipe, ends), -EMFILE);
    });
}

TEST(OlderCalls, calls_that_never_fail)
{
    in_child([] {
        EXPECT_EQ(raw(SYS_alarm, 100), 0);
        EXPECT_GE(raw(SYS_alarm, 0), 99);
        ::umask(022);
        EXPECT_EQ(raw(SYS_umask, 077), 022) << "what it was";
        EXPECT_EQ(raw(SYS_getpgrp), ::getpgid(0));
        EXPECT_EQ(raw(SYS_brk, 0), raw(SYS_brk, 8)) << "what cannot be is not done";
        EXPECT_EQ(raw(SYS_setfsuid, -1), ::geteuid());
        EXPECT_EQ(raw(SYS_setfsgid, -1), ::getegid());
    });
}

} // namespace
} // namespace abi_test
