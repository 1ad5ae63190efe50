// SPDX-License-Identifier: GPL-2.0-or-later
// Guests that take all there is of something: processes, threads, memory, files, descriptors, depth, buffers. What counts
// is that the taking ends in an error, and that after it the instance works as before.
#include "tests/hostile/guest.h"

#include <cerrno>
#include <cstring>
#include <vector>

#include <dirent.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <unistd.h>

namespace hostile {
namespace {

struct Count {
    std::atomic<unsigned> made = 0, refused = 0;
    std::atomic<int> error = 0;
};

/// After an attack: processes, memory and files are there as before.
void expect_normal_life()
{
    int const status = in_child([] {
        void* const memory
            = mmap(nullptr, 1 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (memory == MAP_FAILED) fail_errno("mmap afterwards");
        std::memset(memory, 1, 1 << 20);
        int const fd = open("/tmp/afterwards", O_RDWR | O_CREAT, 0600);
        if (fd < 0 || write(fd, memory, 65536) != 65536) fail_errno("a file afterwards");
        unlink("/tmp/afterwards");
        _exit(7);
    });
    if (status != 7 << 8) fail("afterwards a child ended with %#x", unsigned(status));
}

/// Each child goes on forking; in a process group of their own, so that one kill ends them all.
[[noreturn]] void fork_without_end(Count& count)
{
    for (;;) {
        pid_t const child = fork();
        if (child > 0) ++count.made;
        if (child >= 0) continue;
        count.error = errno;
        ++count.refused;
        usleep(50000);
    }
}

void reap_group(pid_t group)
{
    // A fork under way may add one after the signal was sent to all.
    while (kill(-group, SIGKILL) == 0)
        while (waitpid(-1, nullptr, WNOHANG) > 0)
            ;
    while (waitpid(-1, nullptr, 0) > 0)
        ;
}

} // namespace

void fork_bomb()
{
    auto& count = shared<Count>();
    under_way();
    for (int round = 0; round < 2; ++round) {
        count.refused = 0;
        pid_t const bomb = fork();
        if (bomb == 0) {
            setpgid(0, 0);
            fork_without_end(count);
        }
        setpgid(bomb, bomb);
        while (count.refused < 50)
            usleep(1000);
        if (count.error != EAGAIN && count.error != ENOMEM)
            fail("fork was refused with %d", count.error.load());
        reap_group(bomb);
        std::printf("%u processes\n", count.made.load());
        expect_normal_life();
    }
}

void thread_bomb()
{
    under_way();
    for (int round = 0; round < 2; ++round) {
        auto& count = shared<Count>();
        int const status = in_child([&] {
            // Raw clones on one shared stack page each: a thread costs the guest next to nothing.
            for (;;) {
                void* const stack
                    = mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
                if (stack == MAP_FAILED) break;
                int const flags
                    = CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM;
                auto sleeper = [](void*) -> int {
                    for (;;)
                        raw_call(SYS_pause);
                };
                if (clone(sleeper, static_cast<char*>(stack) + 4096, flags, nullptr) < 0) {
                    count.error = errno;
                    break;
                }
                ++count.made;
            }
            _exit(3);
        });
        if (status != 3 << 8) fail("the thread bomb ended with %#x", unsigned(status));
        if (count.error != EAGAIN && count.error != ENOMEM)
            fail("clone was refused with %d", count.error.load());
        std::printf("%u threads\n", count.made.load());
        expect_normal_life();
    }
}

namespace {

void touch_without_end()
{
    constexpr size_t kPiece = 8 << 20;
    for (;;) {
        void* const memory
            = mmap(nullptr, kPiece, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (memory == MAP_FAILED) _exit(4);
        std::memset(memory, 1, kPiece);
    }
}

void share_without_end()
{
    constexpr size_t kPiece = 1 << 20;
    for (;;) {
        auto* const memory = static_cast<char*>(
            mmap(nullptr, kPiece, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
        if (memory == MAP_FAILED) _exit(4);
        for (size_t i = 0; i < kPiece; i += 4096)
            memory[i] = 1;
    }
}

void copy_without_end()
{
    constexpr size_t kPiece = 16 << 20;
    auto* const memory = static_cast<char*>(
        mmap(nullptr, kPiece, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    if (memory == MAP_FAILED) _exit(4);
    std::memset(memory, 1, kPiece);
    for (;;) {
        pid_t const child = fork();
        if (child < 0) _exit(4);
        if (child > 0) {
            int const status = wait_for(child);
            _exit(WIFSIGNALED(status) ? 4 : WEXITSTATUS(status));
        }
        std::memset(memory, 2, kPiece); // the parents keep theirs
    }
}

} // namespace

void memory_bomb()
{
    under_way();
    for (int round = 0; round < 3; ++round) {
        for (auto bomb : { touch_without_end, share_without_end, copy_without_end }) {
            pid_t const leader = fork();
            if (leader < 0) fail_errno("fork");
            if (leader == 0) {
                setpgid(0, 0);
                bomb();
                _exit(0);
            }
            setpgid(leader, leader);
            int const status = wait_for(leader);
            // Somebody in the middle may have been killed: his children go on without him.
            reap_group(leader);
            bool const killed
                = WIFSIGNALED(status) && (WTERMSIG(status) == SIGKILL || WTERMSIG(status) == SIGBUS);
            if (!killed && status != 4 << 8) fail("a memory bomb ended with %#x", unsigned(status));
            expect_normal_life();
        }
    }
}

void many_files()
{
    constexpr unsigned kWanted = 1000000;
    under_way();
    int const status = in_child([] {
        if (mkdir("/tmp/many", 0755) != 0 || chdir("/tmp/many") != 0) fail_errno("mkdir");
        unsigned made = 0;
        char name[32];
        for (; made < kWanted; ++made) {
            std::snprintf(name, sizeof name, "file-%u", made);
            int const fd = open(name, O_WRONLY | O_CREAT | O_EXCL, 0644);
            if (fd < 0) break;
            close(fd);
        }
        if (made < kWanted && errno != ENOSPC && errno != ENOMEM) fail_errno("a file");
        std::printf("%u files\n", made);
        std::fflush(stdout);
        while (made--) {
            std::snprintf(name, sizeof name, "file-%u", made);
            if (unlink(name) != 0) fail_errno("unlink");
        }
        if (chdir("/") != 0 || rmdir("/tmp/many") != 0) fail_errno("rmdir");
    });
    // Memory may end before the file system's own limit does.
    if (status != 0 && !(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL))
        fail("many files ended with %#x", unsigned(status));
    expect_normal_life();
}

namespace {

/// Opens until it is refused; the error. What was opened stays open.
int open_without_end(std::function<int()> const& one, unsigned& made)
{
    for (made = 0;; ++made)
        if (one() < 0) return errno;
}

/// The directory of the host's with many files, if the driver gave one.
int open_next_host_file(DIR* directory)
{
    while (dirent* entry = readdir(directory)) {
        if (entry->d_type != DT_REG) continue;
        return openat(dirfd(directory), entry->d_name, O_RDONLY);
    }
    errno = ENOENT;
    return -1;
}

} // namespace

void many_descriptors()
{
    rlimit limit;
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
    under_way();
    auto attack = [](char const* what, std::function<int()> const& one, std::initializer_list<int> allowed) {
        int const status = in_child([&] {
            unsigned made;
            int const error = open_without_end(one, made);
            std::printf("%u %s: %s\n", made, what, std::strerror(error));
            std::fflush(stdout);
            for (int good : allowed)
                if (error == good) _exit(0);
            _exit(1);
        });
        if (status != 0) fail("%s ended with %#x", what, unsigned(status));
        expect_normal_life();
    };
    auto limits = { EMFILE, ENFILE, ENOMEM, ENOSPC };
    attack(
        "null devices", [] { return open("/dev/null", O_RDONLY); }, limits);
    attack(
        "event files", [] { return int(syscall(SYS_eventfd2, 0, 0)); }, limits);
    attack(
        "memory files", [] { return int(syscall(SYS_memfd_create, "m", 0)); }, limits);
    attack(
        "epoll sets", [] { return int(syscall(SYS_epoll_create1, 0)); }, limits);
    attack(
        "pipes",
        [] {
            int ends[2];
            return pipe(ends);
        },
        limits);
    attack(
        "sockets",
        [] {
            int ends[2];
            return socketpair(AF_UNIX, SOCK_STREAM, 0, ends);
        },
        limits);
    if (DIR* const directory = opendir("/host-files")) {
        // Each is a descriptor of the kernel's own, too.
        attack("host files", [&] { return open_next_host_file(directory); }, { EMFILE, ENFILE, ENOENT });
        closedir(directory);
    }
}

void deep_directories()
{
    constexpr unsigned kWanted = 30000;
    under_way();
    int const status = in_child([] {
        if (chdir("/tmp") != 0) fail_errno("chdir");
        unsigned depth = 0;
        while (depth < kWanted && mkdir("d", 0755) == 0 && chdir("d") == 0)
            ++depth;
        if (depth < kWanted && errno != ENOSPC && errno != ENOMEM) fail_errno("mkdir");
        std::printf("%u deep\n", depth);
        std::fflush(stdout);
        char path[8192];
        if (getcwd(path, sizeof path)) fail("a path as long as that");
        if (rename("/tmp/d", "/tmp/moved") != 0) fail_errno("rename");
        for (; depth > 100; --depth)
            if (chdir("..") != 0 || rmdir("d") != 0) fail_errno("rmdir");
    });
    if (status != 0) fail("deep directories ended with %#x", unsigned(status));
    // Once more, and left to be taken apart with the tree.
    in_child([] {
        if (chdir("/tmp") != 0) return;
        for (unsigned i = 0; i < kWanted / 5 && mkdir("e", 0755) == 0 && chdir("e") == 0; ++i) { }
        rename("/tmp/e", "/tmp/f");
        if (mkdir("/tmp/tree", 0755) == 0) rename("/tmp/f", "/tmp/tree/f");
    });
    expect_normal_life();
}

namespace {

void fill_pipes()
{
    for (;;) {
        int ends[2];
        if (pipe2(ends, O_NONBLOCK) != 0) return;
        fcntl(ends[1], F_SETPIPE_SZ, 1 << 20);
        static char block[65536];
        while (write(ends[1], block, sizeof block) > 0) { }
    }
}

void fill_sockets()
{
    for (int kind : { SOCK_STREAM, SOCK_DGRAM, SOCK_SEQPACKET }) {
        for (;;) {
            int ends[2];
            if (socketpair(AF_UNIX, kind | SOCK_NONBLOCK, 0, ends) != 0) break;
            int const size = 16 << 20;
            setsockopt(ends[0], SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
            setsockopt(ends[1], SOL_SOCKET, SO_RCVBUF, &size, sizeof size);
            static char block[32768];
            while (write(ends[0], block, sizeof block) > 0) { }
        }
        for (int fd = 3; fd < 65536; fd += 7)
            close(fd);
    }
}

/// Descriptors in flight, each message holding the socket before it.
void chain_descriptors()
{
    int before = open("/dev/null", O_RDONLY);
    for (unsigned i = 0; i < 2000; ++i) {
        int ends[2];
        if (socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0, ends) != 0) return;
        char byte = 0, control[CMSG_SPACE(sizeof(int))] = {};
        iovec part { &byte, 1 };
        msghdr message {};
        message.msg_iov = &part;
        message.msg_iovlen = 1;
        message.msg_control = control;
        message.msg_controllen = sizeof control;
        auto* const header = CMSG_FIRSTHDR(&message);
        header->cmsg_level = SOL_SOCKET;
        header->cmsg_type = SCM_RIGHTS;
        header->cmsg_len = CMSG_LEN(sizeof(int));
        std::memcpy(CMSG_DATA(header), &before, sizeof before);
        if (sendmsg(ends[0], &message, 0) < 0) return;
        close(before);
        close(ends[0]);
        before = ends[1];
    }
}

void fill_memory_files()
{
    static char block[65536];
    int const fd = int(syscall(SYS_memfd_create, "m", 0));
    while (fd >= 0 && write(fd, block, sizeof block) > 0) { }
    int const file = open("/tmp/hoard", O_WRONLY | O_CREAT, 0600);
    while (file >= 0 && write(file, block, sizeof block) > 0) { }
    unlink("/tmp/hoard");
}

} // namespace

void hoard_buffers()
{
    under_way();
    for (auto hoard : { fill_pipes, fill_sockets, chain_descriptors, fill_memory_files }) {
        // Several at once, so that no one's descriptors are the limit.
        std::vector<pid_t> children;
        for (int i = 0; i < 4; ++i) {
            pid_t const child = fork();
            if (child == 0) {
                rlimit const files { 1 << 20, 1 << 20 };
                setrlimit(RLIMIT_NOFILE, &files);
                hoard();
                _exit(0);
            }
            if (child > 0) children.push_back(child);
        }
        for (pid_t child : children) {
            int const status = wait_for(child);
            if (WIFSIGNALED(status) && WTERMSIG(status) != SIGKILL)
                fail("a hoarder ended with %#x", unsigned(status));
        }
        expect_normal_life();
        std::printf("hoarded\n");
        std::fflush(stdout);
    }
}

} // namespace hostile
