// SPDX-License-Identifier: GPL-2.0-or-later
// What an operation costs where there is much of something: one line "NAME NANOSECONDS" for each operation.
//   scale --list                     each kind with its full number
//   scale KIND NUMBER                ns per operation with that many of them
//   scale --parallel KIND PROCESSES  ns of the clock per operation, that many processes at once
// Static, so that scale.py runs the same file on the host and in a guest.
#include <cerrno>
#include <climits>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <string>
#include <vector>

#include <dirent.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <pthread.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

namespace {

[[noreturn]] void fail(char const* what)
{
    perror(what);
    exit(1);
}

long check(long result, char const* what)
{
    if (result < 0) fail(what);
    return result;
}

double now() ///< ns
{
    timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return double(t.tv_sec) * 1e9 + double(t.tv_nsec);
}

/// Times `count` calls of `work` and prints what one of them took.
template <typename Work> void measure(char const* name, long count, Work const& work)
{
    double const start = now();
    for (long i = 0; i < count; ++i)
        work(i);
    printf("%s %.1f\n", name, (now() - start) / double(count));
    fflush(stdout);
}

char* map_anonymous(size_t size, int flags)
{
    void* p = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_ANONYMOUS | flags, -1, 0);
    if (p == MAP_FAILED) fail("mmap");
    return static_cast<char*>(p);
}

/// Processes that sleep, all of them children of this one.
void processes(long count)
{
    std::vector<pid_t> children(static_cast<size_t>(count));
    measure("fork", count, [&](long i) {
        pid_t const child = pid_t(check(fork(), "fork"));
        if (child == 0)
            for (;;)
                pause();
        children[size_t(i)] = child;
    });
    measure("signal-none", count, [&](long i) { check(kill(children[size_t(i)], 0), "kill"); });
    DIR* const proc = opendir("/proc");
    if (!proc) fail("/proc");
    constexpr int kLists = 10;
    long entries = 0;
    double const start = now();
    for (int i = 0; i < kLists; ++i) {
        rewinddir(proc);
        while (readdir(proc))
            ++entries;
    }
    printf("readdir-proc %.1f\n", (now() - start) / double(entries)); // for each entry
    closedir(proc);
    constexpr long kBeside = 20;
    measure("fork-exit-wait", kBeside, [](long) {
        pid_t const child = pid_t(check(fork(), "fork"));
        if (child == 0) _exit(0);
        check(waitpid(child, nullptr, 0), "waitpid");
    });
    measure("kill-wait", count, [&](long i) {
        check(kill(children[size_t(i)], SIGKILL), "kill");
        check(waitpid(children[size_t(i)], nullptr, 0), "waitpid");
    });
}

/// A thread's own word, and how many have come to wait.
struct Sleeper {
    int word = 0;
    pthread_t thread;
};

void wait_on(int* word)
{
    while (__atomic_load_n(word, __ATOMIC_ACQUIRE) == 0)
        syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, 0, nullptr, nullptr, 0);
}

void wake(int* word)
{
    __atomic_store_n(word, 1, __ATOMIC_RELEASE);
    check(syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, 1, nullptr, nullptr, 0), "futex");
}

/// Threads that sleep, each on a futex of its own. Their stacks are one mapping: what is measured is the threads.
void threads(long count)
{
    constexpr size_t kStack = 16384;
    std::vector<Sleeper> sleepers(static_cast<size_t>(count));
    char* const stacks = map_anonymous(kStack * size_t(count), MAP_PRIVATE);
    measure("thread-create", count, [&](long i) {
        Sleeper& sleeper = sleepers[size_t(i)];
        pthread_attr_t attributes;
        pthread_attr_init(&attributes);
        pthread_attr_setstack(&attributes, stacks + kStack * size_t(i), kStack);
        auto const body = [](void* argument) -> void* {
            wait_on(&static_cast<Sleeper*>(argument)->word);
            return nullptr;
        };
        errno = pthread_create(&sleeper.thread, &attributes, body, &sleeper);
        if (errno != 0) fail("pthread_create");
    });
    int nobody = 0;
    measure("futex-wake-none", 2000, [&](long) {
        check(syscall(SYS_futex, &nobody, FUTEX_WAKE_PRIVATE, 1, nullptr, nullptr, 0), "futex");
    });
    measure("futex-wake-join", count, [&](long i) {
        wake(&sleepers[size_t(i)].word);
        errno = pthread_join(sleepers[size_t(i)].thread, nullptr);
        if (errno != 0) fail("pthread_join");
    });
}

/// Open files: of one path, duplicates of them, and eventfds that an epoll watches.
void files(long count)
{
    rlimit limit = { rlim_t(count) + 100, rlim_t(count) + 100 };
    if (setrlimit(RLIMIT_NOFILE, &limit) < 0) fail("more open files");
    std::vector<int> fds(static_cast<size_t>(count));
    measure("open", count, [&](long i) { fds[size_t(i)] = int(check(open("/dev/null", O_RDONLY), "open")); });
    measure("close", count, [&](long i) { close(fds[size_t(i)]); });
    measure("dup", count, [&](long i) { fds[size_t(i)] = int(check(dup(0), "dup")); });
    for (int fd : fds)
        close(fd);
    for (int& fd : fds)
        fd = int(check(eventfd(0, EFD_NONBLOCK), "eventfd"));
    int const epoll = int(check(epoll_create1(0), "epoll_create1"));
    measure("epoll-add", count, [&](long i) {
        epoll_event event = { EPOLLIN, { .fd = fds[size_t(i)] } };
        check(epoll_ctl(epoll, EPOLL_CTL_ADD, fds[size_t(i)], &event), "epoll_ctl");
    });
    measure("write-epoll-read", 2000, [&](long i) {
        int const fd = fds[size_t(i * 7919 % count)];
        uint64_t value = 1;
        epoll_event event;
        check(write(fd, &value, sizeof value), "write");
        if (epoll_wait(epoll, &event, 1, -1) != 1 || event.data.fd != fd) fail("epoll_wait");
        check(read(fd, &value, sizeof value), "read");
    });
    measure("close-watched", count, [&](long i) { close(fds[size_t(i)]); });
}

/// Files in one directory of a tmpfs.
void tmpfs(long count)
{
    std::string const directory = "/dev/shm/scale-" + std::to_string(getpid());
    check(mkdir(directory.c_str(), 0700), "mkdir");
    check(chdir(directory.c_str()), "chdir");
    auto const name = [](long i) { return std::to_string(i); };
    measure("create", count, [&](long i) { close(int(check(creat(name(i).c_str(), 0600), "creat"))); });
    measure("stat", count, [&](long i) {
        struct stat s;
        check(stat(name(i * 7919 % count).c_str(), &s), "stat");
    });
    DIR* const list = opendir(".");
    if (!list) fail("opendir");
    measure("readdir", count, [&](long) {
        if (!readdir(list)) fail("readdir");
    });
    closedir(list);
    measure("unlink", count, [&](long i) { check(unlink(name(i).c_str()), "unlink"); });
    check(chdir("/"), "chdir");
    check(rmdir(directory.c_str()), "rmdir");
}

/// Mappings of 64 MiB, kept apart by a flag, with one page of each in use.
void mappings(long count)
{
    constexpr size_t kSize = 64 << 20;
    std::vector<char*> areas(static_cast<size_t>(count));
    measure("mmap", count, [&](long i) {
        areas[size_t(i)] = map_anonymous(kSize, MAP_PRIVATE | (i % 2 ? MAP_NORESERVE : 0));
        madvise(areas[size_t(i)], kSize, MADV_NOHUGEPAGE); // the guest has none of the host's huge pages
    });
    measure("touch", count, [&](long i) { *static_cast<char volatile*>(areas[size_t(i)] + kSize / 2) = 1; });
    measure("fork-exit-wait", 10, [](long) {
        pid_t const child = pid_t(check(fork(), "fork"));
        if (child == 0) _exit(0);
        check(waitpid(child, nullptr, 0), "waitpid");
    });
    measure("munmap", count, [&](long i) { check(munmap(areas[size_t(i)], kSize), "munmap"); });
}

struct Kind {
    char const* name;
    long full;
    void (*run)(long count);
};
constexpr Kind kKinds[] = {
    { "processes", 1'000, processes },
    { "threads", 10'000, threads },
    { "files", 100'000, files },
    { "tmpfs", 1'000'000, tmpfs },
    { "mappings", 1'600, mappings },
};

void do_syscall() { syscall(SYS_getppid); }

void do_faults()
{
    constexpr size_t kPages = 64, kPage = 4096;
    char* const p = map_anonymous(kPages * kPage, MAP_PRIVATE);
    for (size_t i = 0; i < kPages; ++i)
        *static_cast<char volatile*>(p + i * kPage) = 1;
    munmap(p, kPages * kPage);
}

void do_fork()
{
    pid_t const child = pid_t(check(fork(), "fork"));
    if (child == 0) _exit(0);
    check(waitpid(child, nullptr, 0), "waitpid");
}

struct Parallel {
    char const* name;
    void (*run)();
};
constexpr Parallel kParallel[]
    = { { "syscalls", do_syscall }, { "faults", do_faults }, { "forks", do_fork } };

/// For one second, each of the processes does as many as it can.
void in_parallel(Parallel const& kind, int count)
{
    constexpr double kTime = 1e9;
    struct Shared {
        int go;
        long done[64];
    };
    auto* const shared = reinterpret_cast<Shared*>(map_anonymous(sizeof(Shared), MAP_SHARED));
    for (int i = 0; i < count; ++i) {
        if (check(fork(), "fork") != 0) continue;
        while (!__atomic_load_n(&shared->go, __ATOMIC_ACQUIRE))
            syscall(SYS_futex, &shared->go, FUTEX_WAIT, 0, nullptr, nullptr, 0);
        long done = 0;
        for (double const end = now() + kTime; now() < end; ++done)
            kind.run();
        shared->done[i] = done;
        _exit(0);
    }
    __atomic_store_n(&shared->go, 1, __ATOMIC_RELEASE);
    syscall(SYS_futex, &shared->go, FUTEX_WAKE, INT_MAX, nullptr, nullptr, 0);
    while (wait(nullptr) > 0) { }
    long sum = 0;
    for (long done : shared->done)
        sum += done;
    if (sum == 0) fail("nothing was done");
    printf("%s %.1f\n", kind.name, kTime / double(sum));
}

} // namespace

int main(int argc, char** argv)
{
    std::string const first = argc > 1 ? argv[1] : "";
    if (first == "--list") {
        for (Kind const& kind : kKinds)
            printf("%s %ld\n", kind.name, kind.full);
        return 0;
    }
    if (argc == 3) {
        long const count = atol(argv[2]);
        for (Kind const& kind : kKinds)
            if (first == kind.name && count > 0) return kind.run(count), 0;
    }
    if (argc == 4 && first == "--parallel") {
        int const count = atoi(argv[3]);
        for (Parallel const& kind : kParallel)
            if (argv[2] == std::string(kind.name) && count > 0 && count <= 64)
                return in_parallel(kind, count), 0;
    }
    fprintf(stderr,
        "usage: scale --list | scale KIND NUMBER | scale --parallel syscalls|faults|forks PROCESSES\n");
    return 2;
}
