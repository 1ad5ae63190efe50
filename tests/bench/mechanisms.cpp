// SPDX-License-Identifier: GPL-2.0-or-later
// What the host charges for the mechanisms that Umbra is built on, bare: the floor beneath the guest's
// figures. One line "NAME NANOSECONDS" each, like bench.cpp; run by compare.py on the host.
#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <vector>

#include <fcntl.h>
#include <liburing.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#ifndef SECCOMP_IOCTL_NOTIF_SET_FLAGS // Linux 6.6
#define SECCOMP_IOCTL_NOTIF_SET_FLAGS SECCOMP_IOW(4, __u64)
#define SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP (1UL << 0)
#endif

namespace {

constexpr size_t kPage = 4096;
constexpr int kRounds = 25;
constexpr int kCalls = 500; ///< of a trapped thread, in a round

long check(long result, char const* what)
{
    if (result < 0) {
        perror(what);
        exit(1);
    }
    return result;
}

double now()
{
    timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return double(t.tv_sec) * 1e9 + double(t.tv_nsec);
}

/// Nanoseconds for one of the `parts` that a call of `work` consists of: the median of a few rounds.
double median_of(double parts, std::function<void()> const& work)
{
    std::vector<double> rounds;
    for (int round = 0; round < kRounds; ++round) {
        double const start = now();
        work();
        rounds.push_back((now() - start) / parts);
    }
    std::sort(rounds.begin(), rounds.end());
    return rounds[rounds.size() / 2];
}

void report(char const* name, double nanoseconds)
{
    printf("%s %.1f\n", name, nanoseconds);
    fflush(stdout);
}

// --- A trapped call: what a guest's getppid cannot be cheaper than.

struct Shared {
    int listener;
};

/// Calls getppid until it is killed; the call is trapped.
[[noreturn]] void trapped_child(Shared& shared)
{
    sock_filter filter[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_getppid, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    sock_fprog program { sizeof filter / sizeof filter[0], filter };
    check(prctl(PR_SET_PDEATHSIG, SIGKILL), "PR_SET_PDEATHSIG");
    check(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "PR_SET_NO_NEW_PRIVS");
    long const listener
        = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER, &program);
    __atomic_store_n(&shared.listener, listener < 0 ? -errno : int(listener), __ATOMIC_RELEASE);
    for (;;)
        syscall(SYS_getppid);
}

/// A child whose getppid is trapped, with its listener here: they share the descriptor table.
class TrappedChild {
public:
    TrappedChild()
    {
        shared_ = static_cast<Shared*>(
            mmap(nullptr, kPage, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
        pid_ = pid_t(check(syscall(SYS_clone, CLONE_FILES | SIGCHLD, 0, 0, 0, 0), "clone"));
        if (pid_ == 0) trapped_child(*shared_);
        while ((listener_ = __atomic_load_n(&shared_->listener, __ATOMIC_ACQUIRE)) == 0)
            sched_yield();
    }
    ~TrappedChild()
    {
        kill(pid_, SIGKILL);
        waitpid(pid_, nullptr, 0);
        if (listener_ > 0) close(listener_);
        munmap(shared_, kPage);
    }
    TrappedChild(TrappedChild const&) = delete;
    bool works() const { return listener_ > 0; }
    int listener() const { return listener_; }
    bool wake_synchronously()
    {
        return ioctl(listener_, SECCOMP_IOCTL_NOTIF_SET_FLAGS, SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP) == 0;
    }
    void answer_one() const
    {
        seccomp_notif call {};
        check(ioctl(listener_, SECCOMP_IOCTL_NOTIF_RECV, &call), "SECCOMP_IOCTL_NOTIF_RECV");
        seccomp_notif_resp answer { .id = call.id, .val = 1, .error = 0, .flags = 0 };
        check(ioctl(listener_, SECCOMP_IOCTL_NOTIF_SEND, &answer), "SECCOMP_IOCTL_NOTIF_SEND");
    }

private:
    Shared* shared_;
    pid_t pid_;
    int listener_ = 0;
};

void notify_in_ring(char const* name, bool synchronous)
{
    TrappedChild child;
    if (!child.works() || (synchronous && !child.wake_synchronously())) return;
    io_uring ring;
    if (io_uring_queue_init(64, &ring, IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN) < 0) return;
    report(name, median_of(kCalls, [&] {
        for (int i = 0; i < kCalls; ++i) {
            io_uring_prep_poll_add(io_uring_get_sqe(&ring), child.listener(), POLLIN);
            io_uring_submit_and_wait(&ring, 1);
            io_uring_cqe* completion;
            check(io_uring_wait_cqe(&ring, &completion), "io_uring_wait_cqe");
            io_uring_cqe_seen(&ring, completion);
            child.answer_one();
        }
    }));
    io_uring_queue_exit(&ring);
}

void notify_by_ioctl()
{
    TrappedChild child;
    if (!child.works() || !child.wake_synchronously()) return;
    report("notify-ioctl", median_of(kCalls, [&] {
        for (int i = 0; i < kCalls; ++i)
            child.answer_one();
    }));
}

void ptrace_emulation()
{
    pid_t const child = pid_t(check(fork(), "fork"));
    if (child == 0) {
        check(ptrace(PTRACE_TRACEME, 0, 0, 0), "PTRACE_TRACEME");
        raise(SIGSTOP);
        for (;;)
            syscall(SYS_getppid);
    }
    waitpid(child, nullptr, 0);
    report("ptrace-sysemu", median_of(kCalls, [&] {
        for (int i = 0; i < kCalls; ++i) {
            user_regs_struct registers;
            check(ptrace(PTRACE_SYSEMU, child, 0, 0), "PTRACE_SYSEMU");
            waitpid(child, nullptr, 0);
            check(ptrace(PTRACE_GETREGS, child, 0, &registers), "PTRACE_GETREGS");
            registers.rax = 1;
            check(ptrace(PTRACE_SETREGS, child, 0, &registers), "PTRACE_SETREGS");
        }
    }));
    kill(child, SIGKILL);
    waitpid(child, nullptr, 0);
}

// --- Memory: what a page of the guest's costs before anybody uses it.

constexpr size_t kPageCount = 4096, kSize = kPageCount * kPage;
constexpr double kPages = double(kPageCount);

class Memory {
public:
    Memory()
    {
        fd_ = int(check(memfd_create("bench", MFD_CLOEXEC), "memfd_create"));
        check(ftruncate(fd_, kSize), "ftruncate");
    }
    ~Memory() { close(fd_); }
    Memory(Memory const&) = delete;
    void allocate() const { check(fallocate(fd_, 0, 0, kSize), "fallocate"); }
    void give_back() const
    {
        check(fallocate(fd_, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, kSize), "punch");
    }
    char* map(int flags) const
    {
        void* p = mmap(nullptr, kSize, PROT_READ | PROT_WRITE, MAP_SHARED | flags, fd_, 0);
        if (p == MAP_FAILED) check(-1, "mmap");
        return static_cast<char*>(p);
    }

private:
    int fd_;
};

void touch(char* start)
{
    for (size_t at = 0; at < kSize; at += kPage)
        *static_cast<char volatile*>(start + at) = 1;
}

double median(std::vector<double> values)
{
    std::sort(values.begin(), values.end());
    return values[values.size() / 2] / kPages;
}

/// One step after the other of a bank's life, each timed for itself.
void memory_steps()
{
    std::vector<double> first_touch, minor, allocate, populate, unmap;
    for (int round = 0; round < 5; ++round) {
        Memory memory;
        auto const timed = [](std::vector<double>& into, auto&& step) {
            double const start = now();
            step();
            into.push_back(now() - start);
        };
        char* p = memory.map(0);
        timed(first_touch, [&] { touch(p); });
        munmap(p, kSize);
        p = memory.map(0);
        timed(minor, [&] { touch(p); });
        munmap(p, kSize);
        memory.give_back();
        timed(allocate, [&] { memory.allocate(); });
        timed(populate, [&] { p = memory.map(MAP_POPULATE); });
        timed(unmap, [&] { munmap(p, kSize); });
    }
    report("memfd-first-touch", median(first_touch));
    report("memfd-minor-fault", median(minor));
    report("memfd-fallocate", median(allocate));
    report("memfd-map-populate", median(populate));
    report("memfd-unmap", median(unmap));
}

void native_call()
{
    constexpr int kCount = 5'000;
    report("getppid", median_of(kCount, [] {
        for (int i = 0; i < kCount; ++i)
            syscall(SYS_getppid);
    }));
}

} // namespace

int main()
{
    native_call();
    notify_by_ioctl();
    notify_in_ring("notify-ring", false);
    notify_in_ring("notify-ring-sync", true);
    ptrace_emulation();
    memory_steps();
    return 0;
}
