// SPDX-License-Identifier: GPL-2.0-or-later
// What one can do to others by their pidfds: threads (PIDFD_THREAD), the scope of signals, process_madvise(2),
// process_mrelease(2).
#include "abi-test.h"

#include <poll.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <thread>

namespace abi_test {
namespace {

constexpr unsigned kThread = O_EXCL; // PIDFD_THREAD
constexpr unsigned kToThread = 1, kToThreadGroup = 2, kToProcessGroup = 4; // PIDFD_SIGNAL_*

int pidfd_open(pid_t pid, unsigned flags = 0) { return int(::syscall(SYS_pidfd_open, pid, flags)); }
int send(int fd, int signal, unsigned flags = 0, siginfo_t* info = nullptr)
{
    return int(::syscall(SYS_pidfd_send_signal, fd, signal, info, flags));
}
short readiness(int fd, int timeout = 0)
{
    pollfd poll { fd, POLLIN, 0 };
    return ::poll(&poll, 1, timeout) < 0 ? short(-1) : poll.revents;
}

/// A thread that waits until it is told to end.
class WaitingThread {
public:
    WaitingThread()
        : thread_([this] {
            tid_ = ::gettid();
            ready_.open();
            end_.wait();
        })
    {
        ready_.wait();
    }
    ~WaitingThread() { end(); }
    void end()
    {
        if (!thread_.joinable()) return;
        end_.open();
        thread_.join();
    }
    pid_t tid() const { return tid_; }

private:
    pid_t tid_ = 0;
    Gate ready_, end_;
    std::thread thread_;
};

TEST(Pidfd, of_a_thread)
{
    WaitingThread thread;
    if (Fd fd = pidfd_open(thread.tid(), kThread); fd < 0) SKIP_AS_HOST_LACKS("PIDFD_THREAD");
    Fd fd = pidfd_open(thread.tid(), kThread);
    EXPECT_LT(pidfd_open(thread.tid()), 0) << "a thread is no process";
    EXPECT_TRUE(::fcntl(fd, F_GETFL) & O_EXCL);
    EXPECT_EQ(readiness(fd), 0);
    EXPECT_NE(read_file("/proc/self/fdinfo/" + std::to_string(int(fd)))
                  .find("Pid:\t" + std::to_string(thread.tid())),
        std::string::npos);
    EXPECT_OK(send(fd, 0));
    thread.end();
    EXPECT_TRUE(readiness(fd, -1) & POLLIN);
    while (send(fd, 0) == 0) // it has ended, and is gone a moment later
        ::sched_yield();
    EXPECT_ERROR(send(fd, 0), ESRCH);
    Fd own = pidfd_open(::getpid(), kThread);
    EXPECT_EQ(readiness(own), 0);
}

TEST(Pidfd, of_a_process_outlives_its_leader)
{
    Gate go;
    pid_t child = start([&] {
        std::thread([&] {
            go.wait();
            ::_exit(3);
        }).detach();
        ::syscall(SYS_exit, 0); // the leader alone
    });
    Fd process = pidfd_open(child);
    while (process_state(child) != 'Z')
        ::sched_yield();
    EXPECT_EQ(readiness(process), 0) << "the other thread goes on";
    go.open();
    EXPECT_EQ(wait_for(child), exited(3));
    EXPECT_TRUE(readiness(process) & POLLIN);
}

TEST(Pidfd, signals_reach_whom_they_are_for)
{
    block_signals({ SIGUSR1, SIGUSR2, SIGRTMIN });
    Fd own = pidfd_open(::getpid());
    if (send(own, 0, kToThread) < 0) SKIP_AS_HOST_LACKS("PIDFD_SIGNAL_THREAD");
    sigset_t set = signals({ SIGUSR1, SIGUSR2, SIGRTMIN });
    siginfo_t info;
    ASSERT_OK(send(own, SIGUSR1));
    EXPECT_EQ(::sigwaitinfo(&set, &info), SIGUSR1);
    EXPECT_EQ(info.si_code, SI_USER);
    ASSERT_OK(send(own, SIGUSR1, kToThread));
    EXPECT_EQ(::sigwaitinfo(&set, &info), SIGUSR1);
    EXPECT_EQ(info.si_code, SI_USER);
    EXPECT_EQ(info.si_pid, ::getpid());

    WaitingThread thread;
    Fd theirs = pidfd_open(thread.tid(), kThread);
    ASSERT_OK(send(theirs, SIGUSR2));
    timespec const now {};
    EXPECT_ERROR(::sigtimedwait(&set, &info, &now), EAGAIN) << "it is the other thread's";
    ASSERT_OK(send(theirs, SIGUSR2, kToThreadGroup));
    EXPECT_EQ(::sigtimedwait(&set, &info, &now), SIGUSR2);
    EXPECT_ERROR(send(own, 0, kToThread | kToThreadGroup), EINVAL);
    EXPECT_ERROR(send(own, 0, 8), EINVAL);
}

TEST(Pidfd, signals_reach_a_group)
{
    set_handler(SIGUSR1, [](int) {});
    Gate ready;
    pid_t child = start([&] {
        block_signals({ SIGUSR1 });
        ::setpgid(0, 0);
        sigset_t set = signals({ SIGUSR1 });
        ready.open();
        EXPECT_EQ(::sigwaitinfo(&set, nullptr), SIGUSR1);
    });
    ready.wait();
    Fd fd = pidfd_open(child);
    if (send(fd, 0, kToProcessGroup) < 0) {
        ::kill(child, SIGKILL);
        wait_for(child);
        SKIP_AS_HOST_LACKS("PIDFD_SIGNAL_PROCESS_GROUP");
    }
    EXPECT_OK(send(fd, SIGUSR1, kToProcessGroup));
    EXPECT_EQ(wait_for(child), exited(0));
}

TEST(Pidfd, a_group_is_signalled_as_by_kill)
{
    if (Fd own = pidfd_open(::getpid()); send(own, 0, kToProcessGroup) < 0 && errno == EINVAL)
        SKIP_AS_HOST_LACKS("PIDFD_SIGNAL_PROCESS_GROUP");
    pid_t follower = start([] { ::pause(); });
    Fd fd = pidfd_open(follower);
    EXPECT_ERROR(send(fd, 0, kToProcessGroup), ESRCH) << "it leads no group";
    EXPECT_ERROR(send(fd, SIGUSR1, kToProcessGroup), ESRCH);
    ::kill(follower, SIGKILL);
    wait_for(follower);
    if (::geteuid() != 0) return;
    // An ordinary user's process in a group with one of root's: only the first hears of the user's signal.
    in_child([] {
        ASSERT_OK(::setpgid(0, 0));
        Gate ready;
        set_handler(SIGUSR1, [](int) { ::_exit(7); });
        pid_t roots = start([&] {
            ready.open();
            ::pause();
        });
        ready.wait();
        as_ordinary_user([&] {
            ASSERT_OK(::setpgid(0, ::getppid()));
            set_handler(SIGUSR1, [](int) {});
            Fd leader = pidfd_open(::getppid());
            EXPECT_ERROR(send(leader, SIGUSR1), EPERM);
            EXPECT_OK(send(leader, SIGUSR1, kToProcessGroup)) << "it reaches the sender itself";
            ASSERT_OK(::setpgid(0, 0));
            EXPECT_ERROR(send(leader, SIGUSR1, kToProcessGroup), EPERM);
        });
        EXPECT_EQ(::waitpid(roots, nullptr, WNOHANG), 0);
        ASSERT_EQ(::kill(roots, SIGKILL), 0);
        EXPECT_EQ(wait_for(roots), killed_by(SIGKILL));
    });
}

TEST(Pidfd, a_process_that_has_ended_is_not_for_others)
{
    NEEDS_ROOT();
    pid_t const child = start([] {});
    siginfo_t info;
    ASSERT_OK(::waitid(P_PID, id_t(child), &info, WEXITED | WNOWAIT));
    Fd fd = pidfd_open(child);
    as_ordinary_user([&] {
        EXPECT_ERROR(send(fd, 0), EPERM);
        EXPECT_ERROR(::kill(child, 0), EPERM);
    });
    EXPECT_OK(send(fd, 0));
    EXPECT_EQ(wait_for(child), exited(0));
}

TEST(Pidfd, clone_gives_that_of_a_thread)
{
    static char stack[65536];
    static int pidfd = -1;
    static int done = 0;
    pidfd = -1, done = 0;
    unsigned long const flags
        = CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | CLONE_PIDFD;
    int const tid = ::clone(
        [](void*) {
            while (!__atomic_load_n(&done, __ATOMIC_ACQUIRE))
                ::syscall(SYS_sched_yield);
            ::syscall(SYS_exit, 0);
            return 0;
        },
        stack + sizeof stack, int(flags), nullptr, &pidfd);
    if (tid < 0) SKIP_AS_HOST_LACKS("CLONE_PIDFD with CLONE_THREAD");
    Fd fd = pidfd;
    EXPECT_TRUE(::fcntl(fd, F_GETFL) & O_EXCL);
    EXPECT_EQ(readiness(fd), 0);
    __atomic_store_n(&done, 1, __ATOMIC_RELEASE);
    EXPECT_TRUE(readiness(fd, -1) & POLLIN);
}

TEST(ProcessMadvise, takes_hints_only)
{
    Mapping memory(2 * kPage);
    memory[0] = 'a';
    iovec ranges[] = { { memory.data(), kPage }, { &memory[kPage], kPage } };
    Fd own = pidfd_open(::getpid());
    auto advise = [&](int fd, size_t count, int advice, unsigned flags = 0) {
        return raw(SYS_process_madvise, fd, ranges, count, advice, flags);
    };
    EXPECT_EQ(advise(own, 2, MADV_COLD), long(2 * kPage));
    EXPECT_EQ(advise(own, 2, MADV_PAGEOUT), long(2 * kPage));
    EXPECT_EQ(advise(own, 1, MADV_WILLNEED), long(kPage));
    EXPECT_EQ(memory[0], 'a');
    EXPECT_EQ(advise(own, 0, MADV_COLD), 0);
    EXPECT_EQ(advise(own, 2, MADV_COLD, 1), -EINVAL);
    EXPECT_EQ(advise(own, 1025, MADV_COLD), -EINVAL);
    EXPECT_EQ(advise(-1, 2, MADV_COLD), -EBADF);
    EXPECT_EQ(advise(0, 2, MADV_COLD), -EBADF);
    EXPECT_EQ(raw(SYS_process_madvise, int(own), nullptr, 1, MADV_COLD, 0), -EFAULT);
    ::munmap(ranges[1].iov_base, kPage);
    EXPECT_EQ(advise(own, 2, MADV_COLD), long(kPage));
    std::swap(ranges[0], ranges[1]);
    EXPECT_EQ(advise(own, 2, MADV_COLD), -ENOMEM);
}

TEST(ProcessMadvise, of_others)
{
    Mapping memory(kPage);
    memory[0] = 'a';
    iovec range { memory.data(), kPage };
    Gate end;
    pid_t child = start([&] { end.wait(); });
    Fd fd = pidfd_open(child);
    long const result = raw(SYS_process_madvise, int(fd), &range, 1, MADV_COLD, 0);
    EXPECT_EQ(result, ::geteuid() == 0 ? long(kPage) : -EPERM);
    EXPECT_EQ(raw(SYS_process_madvise, int(fd), &range, 1, MADV_DONTFORK, 0), -EINVAL);
    end.open();
    EXPECT_EQ(wait_for(child), exited(0));
    EXPECT_EQ(raw(SYS_process_madvise, int(fd), &range, 1, MADV_COLD, 0), -ESRCH);
}

TEST(ProcessMrelease, is_for_the_dying)
{
    Gate end;
    pid_t child = start([&] { end.wait(); });
    Fd fd = pidfd_open(child);
    EXPECT_EQ(raw(SYS_process_mrelease, int(fd), 1), -EINVAL);
    EXPECT_EQ(raw(SYS_process_mrelease, -1, 0), -EBADF);
    EXPECT_EQ(raw(SYS_process_mrelease, 0, 0), -EBADF);
    EXPECT_EQ(raw(SYS_process_mrelease, int(fd), 0), -EINVAL);
    ::kill(child, SIGKILL);
    long const released = raw(SYS_process_mrelease, int(fd), 0);
    EXPECT_TRUE(released == 0 || released == -ESRCH) << released;
    EXPECT_EQ(wait_for(child), killed_by(SIGKILL));
    EXPECT_EQ(raw(SYS_process_mrelease, int(fd), 0), -ESRCH);
}

TEST(RemapFilePages, shows_others_of_a_file)
{
    ScratchDirectory scratch;
    Fd file = new_file("file");
    for (char c : { 'a', 'b', 'c' }) {
        std::string page(kPage, c);
        ASSERT_EQ(::write(file, page.data(), kPage), ssize_t(kPage));
    }
    Mapping shared(3 * kPage, PROT_READ | PROT_WRITE, MAP_SHARED, file);
    auto remap = [&](size_t page, size_t pages, int prot, size_t shown) {
        return raw(SYS_remap_file_pages, &shared[page * kPage], pages * kPage, prot, shown, 0);
    };
    EXPECT_EQ(remap(0, 1, 0, 2), 0);
    EXPECT_EQ(shared[0], 'c');
    EXPECT_EQ(shared[kPage], 'b');
    shared[0] = 'd';
    EXPECT_EQ(shared[2 * kPage], 'd');
    EXPECT_EQ(remap(1, 2, 0, 0), 0);
    EXPECT_EQ(shared[kPage], 'a');
    EXPECT_EQ(shared[2 * kPage], 'b');
    EXPECT_EQ(remap(0, 1, PROT_READ, 0), -EINVAL);
    EXPECT_EQ(remap(0, 0, 0, 0), -EINVAL);
    EXPECT_EQ(remap(0, 1, 0, ~size_t { 0 }), -EINVAL);
    Mapping own(kPage);
    EXPECT_EQ(raw(SYS_remap_file_pages, own.data(), kPage, 0, 0, 0), -EINVAL);
    EXPECT_EQ(raw(SYS_remap_file_pages, 0, kPage, 0, 0, 0), -EINVAL);
}

} // namespace
} // namespace abi_test
