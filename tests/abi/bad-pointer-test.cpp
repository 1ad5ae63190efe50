// SPDX-License-Identifier: GPL-2.0-or-later
// Wild pointers: every pointer argument of every call in a table gives EFAULT, never a signal and never a
// change; and arguments that lie half in mapped memory.
#include "abi-test.h"

#include <climits>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <vector>

namespace abi_test {
namespace {

/// Addresses that no program has: the first page, the top of the user half, the kernel half, not canonical,
/// all ones.
std::vector<long> wild_addresses()
{
    return { 8, 0x7fff'ffff'f000, long(0xffff'8000'0000'0000), long(0x8000'0000'0000'0000), -1, -4096 };
}

/// A page followed by one that is not mapped.
class EdgeOfMemory {
public:
    EdgeOfMemory() { EXPECT_EQ(::munmap(pages_.data() + kPage, kPage), 0); }
    /// The last n bytes that are mapped.
    char* last(size_t n) const { return pages_.data() + kPage - n; }

private:
    Mapping pages_ { 2 * kPage };
};

class BadPointer : public InScratchDirectory {
protected:
    void expect_fault(char const* name, long result, long address)
    {
        EXPECT_EQ(result, -EFAULT) << name << " with " << std::hex << address;
    }
};

#define FAULTS(name, ...) expect_fault(#name, raw(SYS_##name, __VA_ARGS__), bad)

TEST_F(BadPointer, paths)
{
    for (long bad : wild_addresses()) {
        FAULTS(open, bad, O_RDONLY);
        FAULTS(openat, AT_FDCWD, bad, O_RDONLY);
        FAULTS(stat, bad, bad);
        FAULTS(lstat, bad, bad);
        FAULTS(access, bad, 0);
        FAULTS(chdir, bad);
        FAULTS(mkdir, bad, 0700);
        FAULTS(rmdir, bad);
        FAULTS(unlink, bad);
        FAULTS(rename, bad, "x");
        FAULTS(link, bad, "x");
        FAULTS(symlink, bad, "x");
        FAULTS(symlink, "x", bad);
        FAULTS(readlink, bad, bad, 16);
        FAULTS(chmod, bad, 0600);
        FAULTS(chown, bad, -1, -1);
        FAULTS(truncate, bad, 0);
        FAULTS(mknod, bad, S_IFREG, 0);
        FAULTS(statfs, bad, bad);
        FAULTS(getxattr, bad, "user.x", 0, 0);
        FAULTS(execve, bad, 0, 0);
    }
}

TEST_F(BadPointer, results_of_stat_and_kin)
{
    new_file("f");
    Fd fd = ::open("f", O_RDWR);
    ASSERT_EQ(::symlink("f", "s"), 0);
    for (long bad : wild_addresses()) {
        FAULTS(stat, "f", bad);
        FAULTS(fstat, int(fd), bad);
        FAULTS(newfstatat, AT_FDCWD, "f", bad, 0);
        FAULTS(statx, AT_FDCWD, "f", 0, 0x7ff, bad);
        FAULTS(statfs, "f", bad);
        FAULTS(fstatfs, int(fd), bad);
        FAULTS(readlink, "s", bad, 16);
        FAULTS(getcwd, bad, 4096);
        FAULTS(utimensat, AT_FDCWD, "f", bad, 0);
    }
}

TEST_F(BadPointer, buffers_of_files_and_pipes)
{
    write_file("f", "some content");
    Fd fd = ::open("f", O_RDWR);
    Pipe pipe;
    ASSERT_EQ(::write(pipe.write_end, "data", 4), 4);
    for (long bad : wild_addresses()) {
        iovec part { reinterpret_cast<void*>(bad), 4 };
        FAULTS(read, int(fd), bad, 4);
        FAULTS(write, int(fd), bad, 4);
        FAULTS(pread64, int(fd), bad, 4, 0);
        FAULTS(pwrite64, int(fd), bad, 4, 0);
        FAULTS(readv, int(fd), bad, 1);
        FAULTS(readv, int(fd), &part, 1);
        FAULTS(writev, int(fd), &part, 1);
        FAULTS(read, int(pipe.read_end), bad, 4);
        FAULTS(write, int(pipe.write_end), bad, 4);
    }
    // Nothing was lost.
    EXPECT_EQ(read_file("f"), "some content");
    char buffer[8] = {};
    EXPECT_EQ(::read(pipe.read_end, buffer, sizeof buffer), 4);
    EXPECT_STREQ(buffer, "data");
}

TEST_F(BadPointer, processes_and_signals)
{
    for (long bad : wild_addresses()) {
        FAULTS(rt_sigaction, SIGUSR1, bad, 0, 8);
        FAULTS(rt_sigaction, SIGUSR1, 0, bad, 8);
        FAULTS(rt_sigprocmask, SIG_BLOCK, bad, 0, 8);
        FAULTS(rt_sigprocmask, SIG_BLOCK, 0, bad, 8);
        FAULTS(rt_sigpending, bad, 8);
        FAULTS(rt_sigtimedwait, bad, 0, 0, 8);
        FAULTS(rt_sigsuspend, bad, 8);
        FAULTS(sigaltstack, bad, 0);
        FAULTS(sigaltstack, 0, bad);
        FAULTS(rt_sigqueueinfo, ::getpid(), SIGUSR1, bad);
    }
}

TEST_F(BadPointer, time)
{
    for (long bad : wild_addresses()) {
        FAULTS(clock_gettime, CLOCK_MONOTONIC, bad);
        FAULTS(clock_getres, CLOCK_MONOTONIC, bad);
        FAULTS(gettimeofday, bad, 0);
        FAULTS(time, bad);
        FAULTS(nanosleep, bad, 0);
        FAULTS(clock_nanosleep, CLOCK_MONOTONIC, 0, bad, 0);
        FAULTS(setitimer, 0, bad, 0);
        FAULTS(getitimer, 0, bad);
        FAULTS(timer_create, CLOCK_MONOTONIC, bad, bad);
        FAULTS(times, bad);
    }
}

TEST_F(BadPointer, descriptors_and_readiness)
{
    Fd epoll = ::epoll_create1(0), event = ::eventfd(1, 0);
    for (long bad : wild_addresses()) {
        FAULTS(pipe2, bad, 0);
        FAULTS(poll, bad, 1, 0);
        FAULTS(ppoll, bad, 1, 0, 0, 8);
        FAULTS(select, 8, bad, 0, 0, 0);
        FAULTS(epoll_ctl, int(epoll), EPOLL_CTL_ADD, int(event), bad);
        FAULTS(read, int(event), bad, 8);
        FAULTS(socketpair, AF_UNIX, SOCK_STREAM, 0, bad);
        FAULTS(fcntl, int(event), F_GETLK, bad);
        FAULTS(memfd_create, bad, 0);
        FAULTS(getrandom, bad, 16, 0);
    }
}

TEST_F(BadPointer, system_and_limits)
{
    for (long bad : wild_addresses()) {
        FAULTS(uname, bad);
        FAULTS(sysinfo, bad);
        FAULTS(getrlimit, 7, bad);
        FAULTS(setrlimit, 7, bad);
        FAULTS(prlimit64, 0, 7, bad, 0);
        FAULTS(prlimit64, 0, 7, 0, bad);
        FAULTS(getrusage, 0, bad);
        FAULTS(getresuid, bad, bad, bad);
        FAULTS(getresgid, bad, bad, bad);
        FAULTS(capget, bad, 0);
        FAULTS(sched_getaffinity, 0, 128, bad);
        FAULTS(sched_setaffinity, 0, 128, bad);
        FAULTS(sched_getparam, 0, bad);
        FAULTS(getcpu, bad, 0, 0);
        FAULTS(prctl, 15, bad, 0, 0, 0);
        FAULTS(prctl, 16, bad, 0, 0, 0);
    }
}

TEST_F(BadPointer, structures_over_the_edge)
{
    EdgeOfMemory edge;
    new_file("f");
    EXPECT_EQ(raw(SYS_stat, "f", edge.last(sizeof(struct stat))), 0);
    EXPECT_EQ(raw(SYS_stat, "f", edge.last(sizeof(struct stat) - 1)), -EFAULT);
    EXPECT_EQ(raw(SYS_uname, edge.last(100)), -EFAULT);
    EXPECT_EQ(raw(SYS_clock_gettime, CLOCK_MONOTONIC, edge.last(16)), -0);
    EXPECT_EQ(raw(SYS_clock_gettime, CLOCK_MONOTONIC, edge.last(12)), -EFAULT);
}

TEST_F(BadPointer, path_up_to_the_edge)
{
    EdgeOfMemory edge;
    new_file("f");
    std::strcpy(edge.last(2), "f");
    EXPECT_GE(raw(SYS_open, edge.last(2), O_RDONLY), 0);
    *edge.last(1) = 'g';
    EXPECT_EQ(raw(SYS_open, edge.last(2), O_RDONLY), -EFAULT);
}

TEST_F(BadPointer, transfers_up_to_the_edge_are_partial)
{
    EdgeOfMemory edge;
    std::memset(edge.last(kPage), 'x', kPage);
    Fd fd = new_file("f");
    // Part of it can be read from memory: Linux writes what it can.
    EXPECT_EQ(::write(fd, edge.last(10), 20), 10);
    EXPECT_EQ(status_of("f").st_size, 10);
    write_file("g", std::string(100, 'y'));
    Fd other = ::open("g", O_RDONLY);
    EXPECT_EQ(::read(other, edge.last(10), 20), 10);
    EXPECT_EQ(::lseek(other, 0, SEEK_CUR), 10);
}

TEST_F(BadPointer, vector_with_a_bad_second_part)
{
    char good[8] = "1234567";
    iovec parts[2] = { { good, 4 }, { reinterpret_cast<void*>(uintptr_t(8)), 4 } };
    Fd fd = new_file("f");
    EXPECT_EQ(::writev(fd, parts, 2), 4);
    ASSERT_EQ(::lseek(fd, 0, SEEK_SET), 0);
    EXPECT_EQ(read_file("f"), "1234");
}

TEST_F(BadPointer, read_only_memory_as_a_destination)
{
    Mapping page(kPage, PROT_READ);
    write_file("f", "data");
    Fd fd = ::open("f", O_RDONLY);
    EXPECT_ERROR(::read(fd, page.data(), 4), EFAULT);
    EXPECT_EQ(raw(SYS_uname, page.data()), -EFAULT);
    EXPECT_EQ(raw(SYS_pipe2, page.data(), 0), -EFAULT);
    // The pipe that could not be told is closed again.
    int lowest = ::dup(fd);
    EXPECT_EQ(lowest, fd + 1);
}

TEST_F(BadPointer, unreadable_memory_as_a_source)
{
    Mapping page(kPage, PROT_NONE);
    Fd fd = new_file("f");
    EXPECT_ERROR(::write(fd, page.data(), 4), EFAULT);
    EXPECT_EQ(raw(SYS_open, page.data(), O_RDONLY), -EFAULT);
}

TEST_F(BadPointer, memory_beyond_the_end_of_a_file)
{
    Fd fd = new_file("f");
    Mapping page(kPage, PROT_READ | PROT_WRITE, MAP_SHARED, fd);
    // A touch would be SIGBUS; the kernel's touch is EFAULT.
    EXPECT_EQ(raw(SYS_uname, page.data()), -EFAULT);
    EXPECT_EQ(raw(SYS_open, page.data(), O_RDONLY), -EFAULT);
}

TEST_F(BadPointer, length_that_wraps)
{
    char buffer[16];
    write_file("f", "data");
    Fd fd = ::open("f", O_RDWR);
    EXPECT_EQ(raw(SYS_read, int(fd), buffer, SIZE_MAX), -EFAULT);
    EXPECT_EQ(raw(SYS_write, int(fd), buffer, size_t(1) << 63), -EFAULT);
}

TEST_F(BadPointer, every_call_survives_junk)
{
    // Any answer will do but a dead kernel. Left out: what ends or stops the caller, or waits for ever.
    for (long number = 0; number < 460; number++) {
        switch (number) {
        case SYS_exit:
        case SYS_exit_group:
        case SYS_rt_sigreturn:
        case SYS_pause:
        case SYS_fork:
        case SYS_vfork:
        case SYS_clone:
        case SYS_clone3:
        case SYS_reboot:
        case SYS_vhangup:
        case SYS_munmap:
        case SYS_rt_sigsuspend:
        case SYS_kill:
        case SYS_tkill:
        case SYS_tgkill:
        case SYS_select:
        case SYS_ptrace:
        case SYS_seccomp:
        case SYS_sync:
        case SYS_syslog:
        case SYS_swapoff:
        case SYS_swapon:
        case SYS_umount2:
        case SYS_sethostname:
        case SYS_setdomainname:
        case SYS_settimeofday:
        case SYS_acct:
        case SYS_delete_module:
        case SYS_kexec_load:
            continue;
        // Only the kernel's own trampolines may call these two.
        case 335:
        case 336:
            continue;
        default:
            break;
        }
        pid_t child = start([=] {
            ::alarm(2);
            become_ordinary_user();
            for (long junk : { long(8), -1L, long(0x7fff'ffff'f000) })
                (void)::syscall(number, junk, junk, junk, junk, junk, junk);
        });
        int status = 0;
        EXPECT_EQ(::waitpid(child, &status, 0), child);
        bool fine = WIFEXITED(status) || (WIFSIGNALED(status) && WTERMSIG(status) == SIGALRM);
        EXPECT_TRUE(fine) << "system call " << number << " ended with " << std::hex << status;
    }
}

} // namespace
} // namespace abi_test
