// SPDX-License-Identifier: GPL-2.0-or-later
// The filter assembler, judged by what the host makes of its programs, and the supervisor's calls.
#include "hostabi/seccomp.h"

#include <cerrno>
#include <cstddef>

#include <gtest/gtest.h>
#include <linux/audit.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "hostabi/host-call.h"
#include "hostabi/process.h"

namespace umbra::hostabi {
namespace {

constexpr u32 fail_with(u32 error) { return SECCOMP_RET_ERRNO | error; }

/// Runs `body` in a child under the filter; its value is the child's exit status.
template <typename Body> int under_filter(std::span<sock_filter const> program, Body body)
{
    i32 const pid = ::fork();
    if (pid == 0) {
        if (install_seccomp_filter(program).is_error()) ::_exit(99);
        ::_exit(body());
    }
    int const status = process::wait_for_child(pid).value().status;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 100 + WTERMSIG(status);
}

TEST(SeccompAssembler, DecidesByNumberAndArguments)
{
    SeccompAssembler a;
    auto const lseek = a.new_label(), allow = a.new_label(), big = a.new_label(), bits = a.new_label();
    a.load_architecture();
    a.jump_if_not_equal(AUDIT_ARCH_X86_64, allow);
    a.load_number();
    a.return_action_if_equal(SYS_getppid, fail_with(EPERM));
    a.jump_if_equal(SYS_lseek, lseek);
    a.jump(allow);
    a.bind(lseek);
    a.load_argument_high(1);
    a.jump_if_at_least(1, big);
    a.load_argument_low(1);
    a.jump_if_above(1000, big);
    a.jump_if_any_bit(0x100, bits);
    a.and_with(0xf0);
    a.return_action_if_equal(0x30, fail_with(ENODATA));
    a.bind(allow);
    a.return_action(SECCOMP_RET_ALLOW);
    a.bind(big);
    a.return_action(fail_with(EFBIG));
    a.bind(bits);
    a.return_action(fail_with(EDOM));
    EXPECT_EQ(under_filter(a.finish(),
                  [] {
                      auto seek = [](u64 offset) { return -host_call(SYS_lseek, -1, offset, 0); };
                      if (host_call(SYS_getppid) != -EPERM) return 1;
                      if (host_call(SYS_getpid) <= 0) return 2;
                      if (seek(u64 { 1 } << 32) != EFBIG) return 3;
                      if (seek(1001) != EFBIG) return 4;
                      if (seek(1000) != EDOM || seek(0x100) != EDOM) return 5;
                      if (seek(0x3f) != ENODATA) return 6;
                      if (seek(0x40) != EBADF) return 7;
                      return 0;
                  }),
        0);
}

TEST(SeccompAssemblerDeathTest, RefusesWhatCannotBeReached)
{
    EXPECT_DEATH(
        {
            SeccompAssembler a;
            a.jump(a.new_label());
            a.return_action(SECCOMP_RET_ALLOW);
            a.finish();
        },
        "cannot reach");
    EXPECT_DEATH(
        {
            SeccompAssembler a;
            auto const far = a.new_label();
            a.jump_if_equal(1, far);
            for (int i = 0; i < 256; i++)
                a.load_number();
            a.bind(far);
            a.return_action(SECCOMP_RET_ALLOW);
            a.finish();
        },
        "cannot reach");
}

/// A child whose getppid is notified; it makes `calls` of them and exits with 0 when all results are
/// expected(i).
struct NotifyChild {
    OwnedFd listener;
    i32 pid = -1;
};

template <typename Expected> NotifyChild make_notify_child(int calls, Expected expected)
{
    FdPair pair = OwnedFd::socketpair(AF_UNIX, SOCK_STREAM).release_value();
    i32 const pid = ::fork();
    if (pid == 0) {
        SeccompAssembler a;
        a.load_number();
        a.return_action_if_equal(SYS_getppid, SECCOMP_RET_USER_NOTIF);
        a.return_action(SECCOMP_RET_ALLOW);
        auto listener = install_seccomp_filter_with_listener(a.finish());
        if (listener.is_error()) ::_exit(98);
        if (send_fd(pair.second.get(), listener.value().get()).is_error()) ::_exit(97);
        for (int i = 0; i < calls; i++)
            if (host_call(SYS_getppid, i) != expected(i)) ::_exit(i + 1);
        ::_exit(0);
    }
    pair.second.reset();
    auto listener = receive_fd(pair.first.get());
    if (listener.is_error()) return { {}, pid };
    return { listener.release_value(), pid };
}

TEST(SeccompNotify, AnswersInThreeWays)
{
    i32 const self = process::own_pid();
    NotifyChild child = make_notify_child(3, [&](int i) -> i64 {
        return i == 0 ? 4242 : i == 1 ? -EXDEV : self;
    });
    if (!child.listener) {
        process::wait_for_child(child.pid).value();
        GTEST_SKIP() << "this host gives no listener";
    }
    EXPECT_TRUE(seccomp_sizes_match());
    auto const sync = seccomp::set_synchronous_wake_up(child.listener.get());
    EXPECT_TRUE(sync.ok() || sync.error().value == EINVAL);
    seccomp_notif notification;
    for (int i = 0; i < 3; i++) {
        ASSERT_TRUE(seccomp::receive(child.listener.get(), notification).ok());
        EXPECT_EQ(notification.data.nr, SYS_getppid);
        EXPECT_EQ(notification.data.args[0], static_cast<u64>(i));
        EXPECT_EQ(notification.pid, static_cast<u32>(child.pid));
        EXPECT_TRUE(seccomp::is_valid(child.listener.get(), notification.id));
        EXPECT_FALSE(seccomp::is_valid(child.listener.get(), notification.id + 100));
        EXPECT_FALSE(seccomp::has_notification(child.listener.get())); // it was taken
        int const listener = child.listener.get();
        auto const sent = i == 0 ? seccomp::answer(listener, notification.id, 4242)
            : i == 1             ? seccomp::answer_error(listener, notification.id, EXDEV)
                                 : seccomp::answer_continue(listener, notification.id);
        EXPECT_TRUE(sent.ok());
    }
    EXPECT_EQ(process::wait_for_child(child.pid).value().status, 0);
}

TEST(SeccompNotify, AThreadMayDieBeforeTheAnswer)
{
    NotifyChild child = make_notify_child(1, [](int) -> i64 { return 0; });
    if (!child.listener) {
        process::wait_for_child(child.pid).value();
        GTEST_SKIP() << "this host gives no listener";
    }
    seccomp_notif notification;
    ASSERT_TRUE(seccomp::receive(child.listener.get(), notification).ok());
    ASSERT_TRUE(process::send_signal(child.pid, SIGKILL).ok());
    process::wait_for_child(child.pid).value();
    EXPECT_FALSE(seccomp::is_valid(child.listener.get(), notification.id));
    EXPECT_EQ(seccomp::answer(child.listener.get(), notification.id, 0).error().value, ENOENT);
}

} // namespace
} // namespace umbra::hostabi
