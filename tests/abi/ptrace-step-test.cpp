// SPDX-License-Identifier: GPL-2.0-or-later
// ptrace(2): PTRACE_SINGLESTEP over plain instructions, system calls, repeated instructions, into handlers.
#include "ptrace.h"

namespace abi_test {
namespace {

siginfo_t step(pid_t pid)
{
    siginfo_t info {};
    EXPECT_EQ(trace(PTRACE_SINGLESTEP, pid), 0);
    EXPECT_EQ(next_stop(pid), stopped_by(SIGTRAP));
    EXPECT_EQ(trace(PTRACE_GETSIGINFO, pid, 0, &info), 0);
    return info;
}

/// Runs the child into its int3.
void run_to_breakpoint(pid_t pid)
{
    EXPECT_EQ(trace(PTRACE_CONT, pid), 0);
    EXPECT_EQ(next_stop(pid), stopped_by(SIGTRAP));
}

TEST(PtraceStep, one_instruction_a_step)
{
    pid_t child = start_traced([] {
        asm volatile("int3\n\tnop\n\tnop\n\tmov $5, %%r12d\n\tnop" ::: "r12");
        ::_exit(0);
    });
    run_to_breakpoint(child);
    auto const start = registers_of(child).rip;
    for (unsigned long offset : { 1ul, 2ul, 8ul, 9ul }) {
        siginfo_t const info = step(child);
        EXPECT_EQ(info.si_code, TRAP_TRACE);
        auto const regs = registers_of(child);
        EXPECT_EQ(regs.rip, start + offset);
        EXPECT_EQ(reinterpret_cast<unsigned long>(info.si_addr), regs.rip);
        EXPECT_EQ(regs.eflags & 0x100, 0u); // the trap flag is the kernel's
    }
    EXPECT_EQ(registers_of(child).r12, 5u);
    EXPECT_EQ(trace(PTRACE_CONT, child), 0);
    EXPECT_EQ(next_stop(child), exited(0));
}

TEST(PtraceStep, a_system_call_is_one_step)
{
    pid_t child = start_traced([] {
        asm volatile("int3\n\tmov $39, %%eax\n\tsyscall\n\tnop\n\tnop" ::: "rax", "rcx", "r11", "memory");
        ::_exit(0);
    });
    run_to_breakpoint(child);
    auto const start = registers_of(child).rip;
    step(child);
    siginfo_t const info = step(child);
    auto const regs = registers_of(child);
    EXPECT_EQ(regs.rip, start + 7);
    EXPECT_EQ(regs.rax, static_cast<unsigned long>(child));
    EXPECT_EQ(info.si_code, TRAP_BRKPT);
    step(child);
    EXPECT_EQ(registers_of(child).rip, start + 8);
    EXPECT_EQ(trace(PTRACE_CONT, child), 0);
    EXPECT_EQ(next_stop(child), exited(0));
}

TEST(PtraceStep, a_repeated_instruction_stops_at_each_turn)
{
    pid_t child = start_traced([] {
        char from[4] = "abc", to[4] = "";
        char const* source = from;
        char* target = to;
        long count = 3;
        asm volatile("int3\n\trep movsb" : "+S"(source), "+D"(target), "+c"(count)::"memory");
        EXPECT_STREQ(to, "abc");
    });
    run_to_breakpoint(child);
    auto const start = registers_of(child).rip;
    for (unsigned long left : { 2ul, 1ul }) {
        step(child);
        auto const regs = registers_of(child);
        EXPECT_EQ(regs.rcx, left);
        EXPECT_EQ(regs.rip, start);
    }
    step(child);
    EXPECT_EQ(registers_of(child).rip, start + 2);
    EXPECT_EQ(trace(PTRACE_CONT, child), 0);
    EXPECT_EQ(next_stop(child), exited(0));
}

void on_usr1(int) { }

TEST(PtraceStep, a_step_with_a_signal_ends_at_the_handler)
{
    pid_t child = start_traced([] {
        set_handler(SIGUSR1, on_usr1);
        asm volatile("int3\n\tnop\n\tnop");
    });
    run_to_breakpoint(child);
    EXPECT_EQ(trace(PTRACE_SINGLESTEP, child, 0, long(SIGUSR1)), 0);
    EXPECT_EQ(next_stop(child), stopped_by(SIGTRAP));
    EXPECT_EQ(registers_of(child).rip, reinterpret_cast<unsigned long>(&on_usr1));
    EXPECT_EQ(trace(PTRACE_CONT, child), 0);
    EXPECT_EQ(next_stop(child), exited(0));
}

TEST(PtraceStep, a_step_over_a_first_touch)
{
    pid_t child = start_traced([] {
        Mapping fresh(kPage);
        asm volatile("int3\n\tmovb $1, (%0)\n\tnop" ::"r"(fresh.data()) : "memory");
        EXPECT_EQ(fresh[0], 1);
    });
    run_to_breakpoint(child);
    auto const start = registers_of(child).rip;
    EXPECT_EQ(step(child).si_code, TRAP_TRACE);
    EXPECT_GT(registers_of(child).rip, start);
    EXPECT_LE(registers_of(child).rip, start + 4);
    EXPECT_EQ(trace(PTRACE_CONT, child), 0);
    EXPECT_EQ(next_stop(child), exited(0));
}

TEST(PtraceStep, after_the_steps_it_runs_freely)
{
    pid_t child = start_traced([] {
        asm volatile("int3\n\tnop");
        for (int i = 0; i < 100; ++i)
            ::syscall(SYS_getppid);
    });
    run_to_breakpoint(child);
    for (int i = 0; i < 200; ++i)
        step(child);
    EXPECT_EQ(trace(PTRACE_DETACH, child), 0);
    EXPECT_EQ(wait_for(child), exited(0));
}

TEST(PtraceStep, a_jump_to_nowhere_is_a_fault)
{
    for (unsigned long target : { 0x8000000000000000ul, 0xffffffff80000000ul, 0x10ul }) {
        pid_t child = start_traced([] { asm volatile("int3"); });
        run_to_breakpoint(child);
        auto regs = registers_of(child);
        regs.rip = target;
        EXPECT_EQ(trace(PTRACE_SETREGS, child, 0, &regs), 0);
        EXPECT_EQ(trace(PTRACE_CONT, child), 0);
        EXPECT_EQ(next_stop(child), stopped_by(SIGSEGV));
        EXPECT_EQ(registers_of(child).rip, target);
        end_tracee(child);
    }
}

} // namespace
} // namespace abi_test
