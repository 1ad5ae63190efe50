// SPDX-License-Identifier: GPL-2.0-or-later
// Pid namespaces: pid_namespaces(7). An ordinary user gets one together with a user namespace.
#include "own-namespace.h"

#include <linux/nsfs.h>
#include <linux/sched.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <time.h>

namespace abi_test {
namespace {

#define NEEDS_PID_NAMESPACES() NEEDS_NAMESPACES(CLONE_NEWPID)

/// Forks a child that is process 1 of a new namespace.
template <typename Body> pid_t start_init(Body&& body)
{
    long pid = raw(SYS_clone, with_rights(CLONE_NEWPID) | SIGCHLD, 0, 0, 0, 0);
    if (pid == 0) {
        body();
        finish_child();
    }
    EXPECT_GT(pid, 0);
    return pid_t(pid);
}

template <typename Body> void as_init(Body&& body)
{
    EXPECT_EQ(wait_for(start_init(std::forward<Body>(body))), exited(0));
}

std::string status_line(std::string const& process, std::string const& name)
{
    std::string const text = "\n" + read_file("/proc/" + process + "/status");
    size_t const at = text.find("\n" + name + ":");
    if (at == std::string::npos) return "";
    size_t const from = at + name.size() + 2;
    return text.substr(from, text.find('\n', from) - from);
}

TEST(PidNamespace, its_first_process_is_1)
{
    NEEDS_PID_NAMESPACES();
    as_init([] {
        EXPECT_EQ(::getpid(), 1);
        EXPECT_EQ(raw(SYS_gettid), 1);
        EXPECT_EQ(::getppid(), 0) << "outside";
        EXPECT_EQ(::getpgrp(), 0) << "outside";
        EXPECT_EQ(::getsid(0), 0);
        EXPECT_OK(::setsid());
        EXPECT_EQ(::getsid(0), 1);
        EXPECT_EQ(::getpgrp(), 1);
        pid_t child = start([] {
            EXPECT_EQ(::getpid(), 2);
            EXPECT_EQ(::getppid(), 1);
        });
        EXPECT_EQ(child, 2);
        int status;
        EXPECT_EQ(::waitpid(2, &status, 0), 2);
        EXPECT_EQ(status, exited(0));
        EXPECT_ERROR(::kill(2, 0), ESRCH);
    });
}

TEST(PidNamespace, unshare_is_for_the_children)
{
    NEEDS_PID_NAMESPACES();
    in_child([] {
        pid_t const self = ::getpid();
        ASSERT_OK(::unshare(with_rights(CLONE_NEWPID)));
        EXPECT_EQ(::getpid(), self);
        Gate done;
        pid_t child = start([&] {
            EXPECT_EQ(::getpid(), 1);
            done.wait();
        });
        EXPECT_GT(child, 2);
        pid_t second = start([] { EXPECT_EQ(::getpid(), 2); });
        EXPECT_EQ(wait_for(second), exited(0));
        // A thread would be in another namespace than its process.
        EXPECT_EQ(raw(SYS_clone, CLONE_VM | CLONE_SIGHAND | CLONE_THREAD, 0, 0, 0, 0), -EINVAL);
        EXPECT_ERROR(::unshare(CLONE_NEWPID), EINVAL) << "before it is in it";
        done.open();
        EXPECT_EQ(wait_for(child), exited(0));
        EXPECT_EQ(raw(SYS_clone, SIGCHLD, 0, 0, 0, 0), -ENOMEM) << "its init is gone";
    });
}

TEST(PidNamespace, numbers_in_both)
{
    NEEDS_PID_NAMESPACES();
    Gate ready, done;
    pid_t child = start_init([&] {
        ready.open();
        done.wait();
    });
    ready.wait();
    EXPECT_EQ(status_line(std::to_string(child), "NSpid"), "\t" + std::to_string(child) + "\t1");
    EXPECT_EQ(status_line(std::to_string(child), "NStgid"), "\t" + std::to_string(child) + "\t1");
    EXPECT_EQ(status_line(std::to_string(child), "Pid"), "\t" + std::to_string(child));
    EXPECT_EQ(::getpgid(child), ::getpgrp());
    done.open();
    EXPECT_EQ(wait_for(child), exited(0));
}

TEST(PidNamespace, init_is_immune_within)
{
    NEEDS_PID_NAMESPACES();
    as_init([] {
        in_child([] {
            EXPECT_OK(::kill(1, SIGKILL));
            EXPECT_OK(::kill(1, SIGTERM));
            EXPECT_OK(::kill(1, SIGSTOP));
        });
        EXPECT_OK(::kill(1, SIGKILL)) << "and from itself";
        set_handler(SIGUSR1, [](int) {});
        in_child([] { EXPECT_OK(::kill(1, SIGUSR1)); });
    });
}

TEST(PidNamespace, init_is_killed_from_outside)
{
    NEEDS_PID_NAMESPACES();
    Gate ready;
    Pipe held;
    pid_t child = start_init([&] {
        start([&] { ::pause(); });
        ready.open();
        for (;;)
            ::pause();
    });
    ready.wait();
    EXPECT_OK(::kill(child, SIGTERM)) << "no handler: nothing happens";
    EXPECT_OK(::kill(child, SIGKILL));
    EXPECT_EQ(wait_for(child), killed_by(SIGKILL));
    held.write_end.reset();
    char byte;
    EXPECT_EQ(::read(held.read_end, &byte, 1), 0) << "nobody is left in it";
}

TEST(PidNamespace, init_is_immune_to_its_own_timers)
{
    NEEDS_PID_NAMESPACES();
    for (int signal : { SIGKILL, SIGSTOP })
        as_init([signal] {
            sigevent event {};
            event.sigev_notify = SIGEV_SIGNAL;
            event.sigev_signo = signal;
            timer_t timer;
            ASSERT_OK(::timer_create(CLOCK_MONOTONIC, &event, &timer));
            itimerspec value { {}, { 0, 1'000'000 } };
            ASSERT_OK(::timer_settime(timer, 0, &value, nullptr));
            do {
                ::usleep(1000);
                ASSERT_OK(::timer_gettime(timer, &value));
            } while (value.it_value.tv_sec || value.it_value.tv_nsec);
        });
}

TEST(PidNamespace, init_dies_of_its_own_faults)
{
    NEEDS_PID_NAMESPACES();
    EXPECT_EQ(wait_for(start_init([] { asm volatile("hlt"); })), killed_by(SIGSEGV));
    EXPECT_EQ(wait_for(start_init([] { asm volatile("int3"); })), killed_by(SIGTRAP));
}

TEST(PidNamespace, ends_whatever_its_children_would_tell)
{
    NEEDS_PID_NAMESPACES();
    for (int exit_signal : { 0, SIGUSR1 })
        as_init([exit_signal] {
            long const child = raw(SYS_clone, exit_signal, 0, 0, 0, 0);
            if (child == 0)
                for (;;)
                    ::pause();
            ASSERT_GT(child, 0);
        });
}

TEST(PidNamespace, ends_with_its_init)
{
    NEEDS_PID_NAMESPACES();
    Pipe held;
    as_init([&] {
        held.read_end.reset();
        Gate ready;
        pid_t child = start([&] {
            start([&] {
                ready.open();
                ::pause();
            });
            ::pause();
        });
        (void)child;
        ready.wait();
        held.write_end.reset();
    });
    // The others' ends are closed by the time that the end of init is told.
    held.write_end.reset();
    char byte;
    EXPECT_EQ(::read(held.read_end, &byte, 1), 0);
}

TEST(PidNamespace, init_gets_the_orphans)
{
    NEEDS_PID_NAMESPACES();
    as_init([] {
        Gate orphaned;
        Pipe numbers;
        pid_t child = start([&] {
            start([&] {
                orphaned.wait();
                pid_t parent = ::getppid();
                ASSERT_EQ(::write(numbers.write_end, &parent, sizeof parent), ssize_t(sizeof parent));
            });
        });
        EXPECT_EQ(wait_for(child), exited(0));
        orphaned.open();
        pid_t parent = 0;
        ASSERT_EQ(::read(numbers.read_end, &parent, sizeof parent), ssize_t(sizeof parent));
        EXPECT_EQ(parent, 1);
        EXPECT_EQ(::wait(nullptr), 3);
    });
}

TEST(PidNamespace, a_signal_tells_the_sender_as_the_receiver_knows_him)
{
    NEEDS_PID_NAMESPACES();
    block_signals({ SIGUSR1, SIGCHLD });
    Gate ready;
    pid_t child = start_init([&] {
        ready.open();
        sigset_t set = signals({ SIGUSR1 });
        siginfo_t info;
        ASSERT_OK(::sigwaitinfo(&set, &info));
        EXPECT_EQ(info.si_pid, 0) << "from outside";
        pid_t inner = start([] { EXPECT_OK(::kill(1, SIGUSR1)); });
        ASSERT_OK(::sigwaitinfo(&set, &info));
        EXPECT_EQ(info.si_pid, inner);
        EXPECT_EQ(wait_for(inner), exited(0));
    });
    ready.wait();
    ASSERT_OK(::kill(child, SIGUSR1));
    sigset_t set = signals({ SIGCHLD });
    siginfo_t info;
    ASSERT_OK(::sigwaitinfo(&set, &info));
    EXPECT_EQ(info.si_pid, child);
    siginfo_t waited {};
    ASSERT_OK(::waitid(P_PID, id_t(child), &waited, WEXITED));
    EXPECT_EQ(waited.si_pid, child);
    EXPECT_EQ(waited.si_status, 0);
}

TEST(PidNamespace, others_are_not_there)
{
    NEEDS_PID_NAMESPACES();
    pid_t const outside = ::getpid();
    as_init([&] {
        if (outside > 2) {
            EXPECT_ERROR(::kill(outside, 0), ESRCH);
            EXPECT_ERROR(::getpgid(outside), ESRCH);
            EXPECT_EQ(raw(SYS_pidfd_open, outside, 0), -ESRCH);
            EXPECT_ERROR(::setpgid(0, outside), EPERM);
            EXPECT_EQ(raw(SYS_sched_getscheduler, outside), -ESRCH);
        }
        EXPECT_ERROR(::kill(-1, 0), ESRCH) << "nobody but init";
    });
}

TEST(PidNamespace, sockets_tell_the_peer)
{
    NEEDS_PID_NAMESPACES();
    int ends[2];
    ASSERT_OK(::socketpair(AF_UNIX, SOCK_STREAM, 0, ends));
    int on = 1;
    ASSERT_OK(::setsockopt(ends[0], SOL_SOCKET, SO_PASSCRED, &on, sizeof on));
    pid_t child = start_init([&] {
        ucred peer {};
        socklen_t size = sizeof peer;
        ASSERT_OK(::getsockopt(ends[1], SOL_SOCKET, SO_PEERCRED, &peer, &size));
        EXPECT_EQ(peer.pid, 0) << "outside";
        EXPECT_EQ(::write(ends[1], "x", 1), 1);
    });
    char byte, control[256];
    iovec data { &byte, 1 };
    msghdr message {};
    message.msg_iov = &data, message.msg_iovlen = 1;
    message.msg_control = control, message.msg_controllen = sizeof control;
    ASSERT_EQ(::recvmsg(ends[0], &message, 0), 1);
    cmsghdr* header = CMSG_FIRSTHDR(&message);
    ASSERT_NE(header, nullptr);
    ucred sender;
    std::memcpy(&sender, CMSG_DATA(header), sizeof sender);
    EXPECT_EQ(sender.pid, child);
    EXPECT_EQ(wait_for(child), exited(0));
}

TEST(PidNamespace, proc_shows_that_of_the_mounter)
{
    NEEDS_PID_NAMESPACES();
    long child = raw(SYS_clone, with_rights(CLONE_NEWPID) | CLONE_NEWNS | SIGCHLD, 0, 0, 0, 0);
    if (child == 0) {
        char self[64] {};
        ASSERT_OK(::readlink("/proc/self", self, sizeof self - 1));
        EXPECT_STRNE(self, "1") << "the number outside, where that was mounted";
        ASSERT_OK(::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr));
        ASSERT_OK(::mount("proc", "/proc", "proc", 0, nullptr));
        std::memset(self, 0, sizeof self);
        ASSERT_OK(::readlink("/proc/self", self, sizeof self - 1));
        EXPECT_STREQ(self, "1");
        EXPECT_TRUE(exists("/proc/1/status"));
        EXPECT_EQ(status_line("1", "Pid"), "\t1");
        EXPECT_EQ(status_line("1", "PPid"), "\t0");
        EXPECT_EQ(status_line("1", "NSpid"), "\t1");
        EXPECT_FALSE(exists("/proc/2"));
        in_child([] {
            EXPECT_EQ(status_line("self", "Pid"), "\t2");
            EXPECT_EQ(status_line("self", "PPid"), "\t1");
        });
        finish_child();
    }
    ASSERT_GT(child, 0);
    EXPECT_EQ(wait_for(pid_t(child)), exited(0));
}

TEST(PidNamespace, nests)
{
    NEEDS_PID_NAMESPACES();
    as_init([] {
        pid_t inner = pid_t(raw(SYS_clone, CLONE_NEWPID | SIGCHLD, 0, 0, 0, 0));
        if (inner == 0) {
            EXPECT_EQ(::getpid(), 1);
            EXPECT_EQ(::getppid(), 0);
            finish_child();
        }
        EXPECT_EQ(inner, 2);
        EXPECT_EQ(wait_for(inner), exited(0));
    });
}

TEST(PidNamespace, is_entered_downwards)
{
    NEEDS_ROOT();
    NEEDS_PID_NAMESPACES();
    Gate ready, done;
    pid_t child = start_init([&] {
        ready.open();
        done.wait();
    });
    ready.wait();
    Fd inner = ::open(("/proc/" + std::to_string(child) + "/ns/pid").c_str(), O_RDONLY);
    Fd outer = ::open("/proc/self/ns/pid", O_RDONLY);
    Fd parent = ::ioctl(inner, NS_GET_PARENT);
    ASSERT_OK(parent);
    struct stat mine, theirs;
    ASSERT_OK(::fstat(outer, &mine));
    ASSERT_OK(::fstat(parent, &theirs));
    EXPECT_EQ(mine.st_ino, theirs.st_ino);
    in_child([&] {
        ASSERT_OK(::setns(inner, CLONE_NEWPID));
        pid_t const self = ::getpid();
        pid_t entered = start([&] {
            EXPECT_EQ(::getpid(), 2);
            EXPECT_EQ(::getppid(), 0);
            EXPECT_ERROR(::setns(outer, CLONE_NEWPID), EINVAL) << "only downwards";
        });
        EXPECT_GT(entered, 2);
        EXPECT_EQ(wait_for(entered), exited(0));
        EXPECT_EQ(::getpid(), self);
        EXPECT_OK(::setns(outer, CLONE_NEWPID));
    });
    done.open();
    EXPECT_EQ(wait_for(child), exited(0));
}

long clone_with_numbers(std::initializer_list<pid_t> numbers, uint64_t flags = 0)
{
    clone_args arguments {};
    arguments.flags = flags;
    arguments.exit_signal = SIGCHLD;
    arguments.set_tid = reinterpret_cast<uint64_t>(numbers.begin());
    arguments.set_tid_size = numbers.size();
    return raw(SYS_clone3, &arguments, sizeof arguments);
}

TEST(PidNamespace, numbers_may_be_asked_for)
{
    NEEDS_ROOT();
    NEEDS_PID_NAMESPACES();
    as_init([] {
        long child = clone_with_numbers({ 77 });
        if (child == 0) {
            EXPECT_EQ(::getpid(), 77);
            finish_child();
        }
        EXPECT_EQ(child, 77);
        EXPECT_EQ(clone_with_numbers({ 77 }), -EEXIST) << "a zombie has it still";
        EXPECT_EQ(wait_for(77), exited(0));
        EXPECT_EQ(clone_with_numbers({ 0 }), -EINVAL);
        EXPECT_EQ(clone_with_numbers({ -5 }), -EINVAL);
        EXPECT_EQ(clone_with_numbers({ 5 }, CLONE_NEWPID), -EINVAL) << "the first is 1";
    });
    as_ordinary_user([] { EXPECT_EQ(clone_with_numbers({ 77 }), -EPERM); });
}

TEST(PidNamespace, reboot_ends_its_init)
{
    NEEDS_ROOT();
    NEEDS_PID_NAMESPACES();
    pid_t child = start_init([] {
        start([] { raw(SYS_reboot, 0xfee1dead, 672274793, 0x4321fedc, 0); });
        for (;;)
            ::pause();
    });
    EXPECT_EQ(wait_for(child), killed_by(SIGINT)) << "power off";
    child = start_init([] {
        EXPECT_EQ(raw(SYS_reboot, 0xfee1dead, 672274793, 0x12345678, 0), -EINVAL);
        raw(SYS_reboot, 0xfee1dead, 672274793, 0x01234567, 0);
    });
    EXPECT_EQ(wait_for(child), killed_by(SIGHUP)) << "restart";
}

} // namespace
} // namespace abi_test
