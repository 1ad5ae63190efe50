// SPDX-License-Identifier: GPL-2.0-or-later
// System calls as traps: arguments, results, registers around them.
#include "tests/platform/backends.h"
#include "tests/platform/harness.h"

#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

namespace umbra::test {
namespace {

class SyscallTrap : public PlatformTest { };

TEST_P(SyscallTrap, brings_number_and_arguments)
{
    Code code;
    code.mov_rdi(1).mov_rsi(2).mov_rdx(3).mov_r10(4).mov_r8(5).mov_r9(~u64 { 0 }).syscall(SYS_getpid);
    auto guest = make_guest(code);
    Trap const trap = enter(*guest);
    expect_syscall(trap, SYS_getpid);
    for (u64 i = 0; i < 5; ++i)
        EXPECT_EQ(trap.args[i], i + 1);
    EXPECT_EQ(trap.args[5], ~u64 { 0 });
    EXPECT_EQ(trap.instruction, kCodeAt + code.bytes.size());
}

TEST_P(SyscallTrap, result_reaches_the_guest)
{
    auto guest = make_guest(Code().syscall(SYS_getppid).store_rax_to(kDataAt).syscall(SYS_exit_group));
    expect_syscall(enter(*guest), SYS_getppid);
    guest->thread->set_syscall_result(0x123456789abcdef0);
    expect_syscall(enter(*guest), SYS_exit_group);
    EXPECT_EQ(word(guest->data_offset), 0x123456789abcdef0);
}

TEST_P(SyscallTrap, repeats_many_times)
{
    auto guest = make_guest(Code().syscall(SYS_getppid).jump_to(kCodeAt));
    for (u64 i = 0; i < 10000; ++i) {
        ASSERT_EQ(enter(*guest).kind, TrapKind::syscall);
        guest->thread->set_syscall_result(i);
    }
}

TEST_P(SyscallTrap, unanswered_call_returns_its_number)
{
    auto guest = make_guest(Code().syscall(SYS_getppid).store_rax_to(kDataAt).syscall(SYS_exit_group));
    expect_syscall(enter(*guest), SYS_getppid);
    expect_syscall(enter(*guest), SYS_exit_group);
    EXPECT_EQ(word(guest->data_offset), u64 { SYS_getppid });
}

TEST_P(SyscallTrap, registers_after_a_plain_call)
{
    Code code;
    code.mov_rdi(0x1111).mov_r8(0x2222).syscall(SYS_getuid);
    u64 const after = kCodeAt + code.bytes.size();
    code.store_rax_to(kDataAt).syscall(SYS_exit_group);
    auto guest = make_guest(code);
    expect_syscall(enter(*guest), SYS_getuid);
    guest->thread->set_syscall_result(77);
    auto& r = registers(*guest);
    EXPECT_EQ(r.rax, 77u);
    EXPECT_EQ(r.orig_rax, u64 { SYS_getuid });
    EXPECT_EQ(r.rip, after);
    EXPECT_EQ(r.rdi, 0x1111u);
    EXPECT_EQ(r.r8, 0x2222u);
    EXPECT_EQ(r.rsp, kStackTop);
    r.rax = 78;
    expect_syscall(enter(*guest), SYS_exit_group);
    EXPECT_EQ(word(guest->data_offset), 78u);
}

TEST_P(SyscallTrap, result_may_be_set_after_the_registers_were_read)
{
    auto guest = make_guest(Code().syscall(SYS_getuid).store_rax_to(kDataAt).syscall(SYS_exit_group));
    expect_syscall(enter(*guest), SYS_getuid);
    registers(*guest).rdi = 5;
    guest->thread->set_syscall_result(4242);
    expect_syscall(enter(*guest), SYS_exit_group);
    EXPECT_EQ(word(guest->data_offset), 4242u);
}

TEST_P(SyscallTrap, calls_that_need_the_frame)
{
    for (u64 number : { SYS_clone, SYS_fork, SYS_vfork, SYS_clone3, SYS_execve, SYS_execveat,
             SYS_rt_sigreturn, SYS_arch_prctl, SYS_exit }) {
        Code code;
        code.mov_rdi(1).mov_rsi(2).mov_rdx(3).mov_r10(4).mov_r8(5).mov_r9(6).syscall(number);
        u64 const after = kCodeAt + code.bytes.size();
        code.store_rax_to(kDataAt).syscall(SYS_exit_group);
        auto guest = make_guest(code);
        Trap const trap = enter(*guest);
        expect_syscall(trap, static_cast<i64>(number));
        for (u64 i = 0; i < 6; ++i)
            EXPECT_EQ(trap.args[i], i + 1);
        EXPECT_EQ(trap.instruction, after);
        EXPECT_EQ(registers(*guest).orig_rax, number);
        EXPECT_EQ(registers(*guest).rip, after);
        guest->thread->set_syscall_result(99);
        expect_syscall(enter(*guest), SYS_exit_group);
        EXPECT_EQ(word(guest->data_offset), 99u);
    }
}

TEST_P(SyscallTrap, registers_can_be_replaced_whole)
{
    Code code;
    code.syscall(SYS_getpid);
    u64 const second = kCodeAt + code.bytes.size();
    code.syscall(); // number and arguments come from the registers that are set below
    auto guest = make_guest(code);
    expect_syscall(enter(*guest), SYS_getpid);
    auto& r = registers(*guest);
    r = { .r15 = 15,
        .rbx = 3,
        .r10 = 10,
        .r9 = 9,
        .r8 = 8,
        .rax = 200,
        .rdx = 12,
        .rsi = 11,
        .rdi = 7,
        .rip = second,
        .cs = r.cs,
        .eflags = r.eflags,
        .rsp = kStackAt + 64,
        .ss = r.ss };
    Trap const trap = enter(*guest);
    expect_syscall(trap, 200);
    u64 const expected[] = { 7, 11, 12, 10, 8, 9 };
    for (int i = 0; i < 6; ++i)
        EXPECT_EQ(trap.args[i], expected[i]);
    auto& now = registers(*guest);
    EXPECT_EQ(now.r15, 15u);
    EXPECT_EQ(now.rbx, 3u);
    EXPECT_EQ(now.rsp, kStackAt + 64);
}

TEST_P(SyscallTrap, odd_numbers_are_traps_too)
{
    for (i64 number : { i64 { -1 }, i64 { 0x40000000 | SYS_getpid }, i64 { 0x70005ab1 }, i64 { 511 } }) {
        auto guest
            = make_guest(Code().syscall(static_cast<u64>(number)).store_rax_to(kDataAt).syscall(SYS_exit));
        Trap const trap = enter(*guest);
        EXPECT_EQ(trap.kind, TrapKind::syscall);
        EXPECT_EQ(static_cast<i32>(trap.number), static_cast<i32>(number));
        guest->thread->set_syscall_result(u64(-38));
        expect_syscall(enter(*guest), SYS_exit);
        EXPECT_EQ(word(guest->data_offset), u64(-38));
    }
}

/// Some virtual machines do not let it through: there it is a fault, of every program.
bool host_has_calls_of_32_bits()
{
    pid_t const child = ::fork();
    if (child == 0) {
        long result = 20; // getpid there
        asm volatile("int $0x80" : "+a"(result) : : "memory", "r8", "r9", "r10", "r11");
        ::_exit(0);
    }
    int status = 0;
    ::waitpid(child, &status, 0);
    return !WIFSIGNALED(status);
}

TEST_P(SyscallTrap, thirty_two_bit_entry)
{
    if (!host_has_calls_of_32_bits()) GTEST_SKIP() << "the host lacks int 0x80";
    // mov eax, 20 (getpid there); int 0x80
    auto guest
        = make_guest(Code().raw({ 0xb8, 20, 0, 0, 0, 0xcd, 0x80 }).store_rax_to(kDataAt).syscall(SYS_exit));
    Trap const trap = enter(*guest);
    EXPECT_EQ(trap.kind, TrapKind::syscall);
    EXPECT_TRUE(trap.compat);
    EXPECT_EQ(trap.number, 20);
    guest->thread->set_syscall_result(u64(-38));
    expect_syscall(enter(*guest), SYS_exit);
    EXPECT_EQ(word(guest->data_offset), u64(-38));
}

INSTANTIATE_TEST_SUITE_P(, SyscallTrap, kAllBackends, backend_name);

} // namespace
} // namespace umbra::test
