// SPDX-License-Identifier: GPL-2.0-or-later
// The ptrace wrappers, on a child.
#include "hostabi/ptrace.h"

#include <cerrno>
#include <csignal>
#include <cstring>
#include <vector>

#include <gtest/gtest.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#include "hostabi/host-call.h"
#include "hostabi/process.h"

namespace umbra::hostabi {
namespace {

u64 volatile word_in_child = 0x1122334455667788;

/// A stopped child that, when resumed, makes system calls for ever.
class PtraceTest : public testing::Test {
protected:
    void SetUp() override
    {
        pid_ = ::fork();
        if (pid_ == 0) {
            if (ptrace::trace_me().is_error()) ::_exit(99);
            ::raise(SIGSTOP);
            for (;;)
                host_call(SYS_getppid, 77);
        }
        i32 const status = process::wait_for_child(pid_).value().status;
        if (WIFEXITED(status)) GTEST_SKIP() << "this host allows no ptrace";
        ASSERT_TRUE(WIFSTOPPED(status));
        ASSERT_TRUE(ptrace::set_options(pid_, PTRACE_O_EXITKILL | PTRACE_O_TRACESYSGOOD).ok());
    }
    void TearDown() override
    {
        (void)process::send_signal(pid_, SIGKILL);
        (void)process::wait_for_child(pid_);
    }
    int stop_signal() { return WSTOPSIG(process::wait_for_child(pid_).value().status); }

    i32 pid_ = -1;
};

TEST_F(PtraceTest, EmulatesSystemCalls)
{
    user_regs_struct registers {};
    ASSERT_TRUE(ptrace::resume_emulating(pid_).ok());
    for (int i = 0; i < 3; i++) {
        ASSERT_EQ(stop_signal(), SIGTRAP | 0x80);
        ASSERT_TRUE(ptrace::get_registers(pid_, registers).ok());
        if (registers.orig_rax == SYS_getppid) {
            EXPECT_EQ(registers.rdi, 77u);
            EXPECT_EQ(static_cast<i64>(registers.rax), -ENOSYS);
        }
        registers.rax = 1234;
        ASSERT_TRUE(ptrace::set_registers(pid_, registers).ok());
        ASSERT_TRUE(ptrace::resume_emulating(pid_).ok());
    }
    ASSERT_EQ(stop_signal(), SIGTRAP | 0x80);
    ASSERT_TRUE(ptrace::step_emulating(pid_).ok());
    EXPECT_EQ(stop_signal() & 0x7f, SIGTRAP);
}

TEST_F(PtraceTest, MemoryMaskAndSignalInfo)
{
    u64 const address = reinterpret_cast<u64>(&word_in_child);
    EXPECT_EQ(ptrace::peek(pid_, address).value(), 0x1122334455667788u);
    ASSERT_TRUE(ptrace::poke(pid_, address, 5).ok());
    EXPECT_EQ(ptrace::peek(pid_, address).value(), 5u);
    EXPECT_EQ(ptrace::peek(pid_, 0).error().value, EIO);
    ASSERT_TRUE(ptrace::set_signal_mask(pid_, 0x10).ok());
    EXPECT_EQ(ptrace::get_signal_mask(pid_).value(), 0x10u);
    siginfo_t info {};
    ASSERT_TRUE(ptrace::get_signal_info(pid_, &info).ok());
    EXPECT_EQ(info.si_signo, SIGSTOP);
    EXPECT_TRUE(ptrace::set_signal_info(pid_, &info).ok());
}

TEST_F(PtraceTest, ExtendedState)
{
    std::vector<u8> state(16384);
    u64 const size = ptrace::get_xstate(pid_, state).value();
    ASSERT_GE(size, 512u + 64u); // the legacy area and the XSAVE header
    state.resize(size);
    state[160] ^= 0xff; // xmm0
    ASSERT_TRUE(ptrace::set_xstate(pid_, state).ok());
    std::vector<u8> again(size);
    ASSERT_EQ(ptrace::get_xstate(pid_, again).value(), size);
    EXPECT_EQ(again[160], state[160]);
}

TEST_F(PtraceTest, ErrorsAreTheHosts)
{
    user_regs_struct registers {};
    EXPECT_EQ(ptrace::get_registers(1, registers).error().value, ESRCH);
    ASSERT_TRUE(ptrace::resume(pid_).ok());
    EXPECT_EQ(ptrace::get_registers(pid_, registers).error().value, ESRCH); // it runs
}

} // namespace
} // namespace umbra::hostabi
