// SPDX-License-Identifier: GPL-2.0-or-later
// SECCOMP_RET_TRACE and what ptrace(2) shows and does of a tracee's filters.
#include "ptrace.h"
#include "seccomp.h"

#include <linux/ptrace.h>

namespace abi_test {
namespace {

constexpr long kCall = SYS_getppid;
constexpr int kSeccompStop = event_stop(PTRACE_EVENT_SECCOMP);

/// A traced child that goes on to its first stop with the options.
template <typename Body> pid_t start_filtered(long options, Body&& body)
{
    pid_t child = start_traced(std::forward<Body>(body));
    EXPECT_EQ(trace(PTRACE_SETOPTIONS, child, 0, options), 0);
    EXPECT_EQ(trace(PTRACE_CONT, child), 0);
    return child;
}

void change_registers(pid_t child, void (*change)(user_regs_struct&))
{
    auto regs = registers_of(child);
    change(regs);
    EXPECT_EQ(trace(PTRACE_SETREGS, child, 0, &regs), 0);
}

TEST(SeccompTrace, the_tracer_sees_the_call_and_lets_it_pass)
{
    pid_t child = start_filtered(PTRACE_O_TRACESECCOMP, [] {
        install(filter_for(kCall, SECCOMP_RET_TRACE | 0x4321));
        EXPECT_GT(raw(kCall), 0);
    });
    EXPECT_EQ(next_stop(child), kSeccompStop);
    long message = 0;
    EXPECT_EQ(trace(PTRACE_GETEVENTMSG, child, 0, &message), 0);
    EXPECT_EQ(message, 0x4321);
    EXPECT_EQ(registers_of(child).orig_rax, static_cast<unsigned long>(kCall));
    __ptrace_syscall_info info {};
    constexpr long size = offsetof(__ptrace_syscall_info, seccomp.ret_data) + 4;
    EXPECT_EQ(trace(__ptrace_request(0x420e), child, sizeof info, &info), size);
    EXPECT_EQ(info.op, PTRACE_SYSCALL_INFO_SECCOMP);
    EXPECT_EQ(info.seccomp.nr, static_cast<unsigned long>(kCall));
    EXPECT_EQ(info.seccomp.ret_data, 0x4321u);
    EXPECT_EQ(trace(PTRACE_CONT, child), 0);
    EXPECT_EQ(next_stop(child), exited(0));
}

TEST(SeccompTrace, the_tracer_changes_the_call)
{
    pid_t child = start_filtered(PTRACE_O_TRACESECCOMP, [] {
        install(filter_for(kCall, SECCOMP_RET_TRACE));
        EXPECT_EQ(raw(kCall), ::getpid());
        EXPECT_EQ(raw(kCall), -EBADF);
        EXPECT_EQ(raw(kCall), 77);
        EXPECT_EQ(raw(kCall), -ENOSYS);
    });
    EXPECT_EQ(next_stop(child), kSeccompStop);
    change_registers(child, [](auto& regs) { regs.orig_rax = SYS_getpid; });
    EXPECT_EQ(trace(PTRACE_CONT, child), 0);
    EXPECT_EQ(next_stop(child), kSeccompStop);
    change_registers(child, [](auto& regs) { regs.orig_rax = SYS_close, regs.rdi = 12345; });
    EXPECT_EQ(trace(PTRACE_CONT, child), 0);
    EXPECT_EQ(next_stop(child), kSeccompStop);
    change_registers(child, [](auto& regs) { regs.orig_rax = ~0ul, regs.rax = 77; });
    EXPECT_EQ(trace(PTRACE_CONT, child), 0);
    EXPECT_EQ(next_stop(child), kSeccompStop);
    change_registers(child, [](auto& regs) { regs.orig_rax = ~0ul; });
    EXPECT_EQ(trace(PTRACE_CONT, child), 0);
    EXPECT_EQ(next_stop(child), exited(0));
}

TEST(SeccompTrace, a_changed_call_is_filtered_again)
{
    pid_t child = start_filtered(PTRACE_O_TRACESECCOMP, [] {
        install(filter_for(kCall, SECCOMP_RET_TRACE));
        install(filter_for(SYS_getpgid, SECCOMP_RET_ERRNO | 33));
        EXPECT_EQ(raw(kCall), -33);
    });
    EXPECT_EQ(next_stop(child), kSeccompStop);
    change_registers(child, [](auto& regs) { regs.orig_rax = SYS_getpgid; });
    EXPECT_EQ(trace(PTRACE_CONT, child), 0);
    EXPECT_EQ(next_stop(child), exited(0));
}

TEST(SeccompTrace, without_the_option_it_is_enosys)
{
    pid_t child = start_filtered(0, [] {
        install(filter_for(kCall, SECCOMP_RET_TRACE));
        EXPECT_EQ(raw(kCall), -ENOSYS);
    });
    EXPECT_EQ(next_stop(child), exited(0));
}

TEST(SeccompTrace, the_entry_stop_comes_before_the_filters)
{
    pid_t child = start_traced([] {
        install(filter_for(kCall, SECCOMP_RET_ERRNO | 44));
        ::raise(SIGUSR1);
        EXPECT_EQ(raw(kCall), -44);
    });
    EXPECT_EQ(trace(PTRACE_SETOPTIONS, child, 0, long(PTRACE_O_TRACESYSGOOD)), 0);
    EXPECT_EQ(trace(PTRACE_CONT, child), 0);
    EXPECT_EQ(next_stop(child), stopped_by(SIGUSR1));
    bool seen = false;
    while (!seen) {
        EXPECT_EQ(trace(PTRACE_SYSCALL, child), 0);
        ASSERT_EQ(next_stop(child), kSyscallStop);
        seen = registers_of(child).orig_rax == static_cast<unsigned long>(kCall);
    }
    EXPECT_EQ(trace(PTRACE_SYSCALL, child), 0);
    EXPECT_EQ(next_stop(child), kSyscallStop);
    EXPECT_EQ(long(registers_of(child).rax), -44);
    EXPECT_EQ(trace(PTRACE_CONT, child), 0);
    EXPECT_EQ(next_stop(child), exited(0));
}

TEST(SeccompTrace, the_tracer_sees_the_sigsys_of_a_trap)
{
    pid_t child = start_filtered(0, [] {
        install(filter_for(kCall, SECCOMP_RET_TRAP | 3));
        raw(kCall);
    });
    EXPECT_EQ(next_stop(child), stopped_by(SIGSYS));
    siginfo_t info {};
    EXPECT_EQ(trace(PTRACE_GETSIGINFO, child, 0, &info), 0);
    EXPECT_EQ(info.si_syscall, kCall);
    EXPECT_EQ(info.si_errno, 3);
    EXPECT_EQ(registers_of(child).rax, static_cast<unsigned long>(kCall));
    EXPECT_EQ(trace(PTRACE_CONT, child), 0);
    EXPECT_EQ(next_stop(child), exited(0));
}

/// Whether this process may ask for what only a privileged and unfiltered tracer may.
bool may_look()
{
    return ::geteuid() == 0 && ::prctl(PR_GET_SECCOMP) == 0
        && ::prctl(PR_CAPBSET_READ, 21 /* CAP_SYS_ADMIN */) == 1;
}

constexpr int kGetFilter = 0x420c, kGetMetadata = 0x420d;
struct Metadata {
    uint64_t offset, flags;
};

TEST(SeccompTrace, filters_can_be_read)
{
    if (!may_look()) GTEST_SKIP() << "needs an unfiltered root";
    Filter const first = filter_for(kCall, SECCOMP_RET_TRACE), second { give(SECCOMP_RET_ALLOW) };
    pid_t child = start_traced([&] {
        install(first);
        install(second, SECCOMP_FILTER_FLAG_LOG);
        ::raise(SIGUSR1);
    });
    EXPECT_EQ(trace(kGetFilter, child, 0), -EINVAL);
    EXPECT_EQ(trace(PTRACE_CONT, child), 0);
    EXPECT_EQ(next_stop(child), stopped_by(SIGUSR1));
    Filter got(first.size());
    EXPECT_EQ(trace(kGetFilter, child, 0), long(first.size()));
    EXPECT_EQ(trace(kGetFilter, child, 0, got.data()), long(first.size()));
    EXPECT_EQ(std::memcmp(got.data(), first.data(), first.size() * sizeof first[0]), 0);
    EXPECT_EQ(trace(kGetFilter, child, 1), 1);
    EXPECT_EQ(trace(kGetFilter, child, 2), -ENOENT);
    EXPECT_EQ(trace(kGetFilter, child, 0, 8L), -EFAULT);
    Metadata data { 1, 9 };
    EXPECT_EQ(trace(kGetMetadata, child, sizeof data, &data), long(sizeof data));
    EXPECT_EQ(data.flags, SECCOMP_FILTER_FLAG_LOG);
    EXPECT_EQ(trace(kGetMetadata, child, 4, &data), -EINVAL);
    data.offset = 2;
    EXPECT_EQ(trace(kGetMetadata, child, sizeof data, &data), -ENOENT);
    EXPECT_EQ(trace(PTRACE_CONT, child), 0);
    EXPECT_EQ(next_stop(child), exited(0));
}

TEST(SeccompTrace, filters_can_be_suspended)
{
    if (!may_look()) GTEST_SKIP() << "needs an unfiltered root";
    pid_t child = start_traced([] {
        install(filter_for(kCall, SECCOMP_RET_ERRNO | 55));
        EXPECT_EQ(raw(kCall), -55);
        ::raise(SIGSTOP);
        EXPECT_GT(raw(kCall), 0);
        ::raise(SIGSTOP);
        EXPECT_EQ(raw(kCall), -55);
    });
    EXPECT_EQ(trace(PTRACE_CONT, child), 0);
    EXPECT_EQ(next_stop(child), stopped_by(SIGSTOP));
    EXPECT_EQ(trace(PTRACE_SETOPTIONS, child, 0, long(PTRACE_O_SUSPEND_SECCOMP)), 0);
    EXPECT_EQ(trace(PTRACE_CONT, child), 0);
    EXPECT_EQ(next_stop(child), stopped_by(SIGSTOP));
    EXPECT_EQ(trace(PTRACE_SETOPTIONS, child, 0, 0L), 0);
    EXPECT_EQ(trace(PTRACE_CONT, child), 0);
    EXPECT_EQ(next_stop(child), exited(0));
}

TEST(SeccompTrace, looking_is_for_privileged_tracers)
{
    as_ordinary_user([] {
        pid_t child = start_traced([] {});
        EXPECT_EQ(trace(kGetFilter, child, 0), -EACCES);
        Metadata data {};
        EXPECT_EQ(trace(kGetMetadata, child, sizeof data, &data), -EACCES);
        EXPECT_EQ(trace(PTRACE_SETOPTIONS, child, 0, long(PTRACE_O_SUSPEND_SECCOMP)), -EPERM);
        EXPECT_EQ(trace(PTRACE_CONT, child), 0);
        EXPECT_EQ(next_stop(child), exited(0));
    });
}

} // namespace
} // namespace abi_test
