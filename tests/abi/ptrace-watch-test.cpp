// SPDX-License-Identifier: GPL-2.0-or-later
// ptrace(2): the debug registers, by which debuggers break at an instruction and watch memory.
#include "machine.h"
#include "ptrace.h"

#include <thread>

namespace abi_test {
namespace {

enum Kind : unsigned long { execute = 0, write = 1, access = 3 };

long set_debug_register(pid_t pid, unsigned index, unsigned long value)
{
    return trace(PTRACE_POKEUSER, pid, offsetof(struct user, u_debugreg) + index * sizeof(long), value);
}

unsigned long debug_register(pid_t pid, unsigned index)
{
    unsigned long value = ~0ul;
    EXPECT_EQ(
        trace(PTRACE_PEEKUSER, pid, offsetof(struct user, u_debugreg) + index * sizeof(long), &value), 0);
    return value;
}

/// DR7 with one register enabled.
unsigned long control(unsigned index, Kind kind, unsigned length)
{
    unsigned long const code = length == 8 ? 2 : length - 1;
    return 1ul << (2 * index) | (kind | code << 2) << (16 + 4 * index);
}

void watch(pid_t pid, unsigned index, void const volatile* address, Kind kind, unsigned length)
{
    ASSERT_EQ(set_debug_register(pid, index, reinterpret_cast<unsigned long>(address)), 0);
    ASSERT_EQ(set_debug_register(pid, 7, debug_register(pid, 7) | control(index, kind, length)), 0);
}

/// Lets the child run into what is watched; the registers that were hit.
unsigned long hit(pid_t pid)
{
    siginfo_t info {};
    EXPECT_EQ(trace(PTRACE_CONT, pid), 0);
    EXPECT_EQ(next_stop(pid), stopped_by(SIGTRAP));
    EXPECT_EQ(trace(PTRACE_GETSIGINFO, pid, 0, &info), 0);
    EXPECT_EQ(info.si_code, TRAP_HWBKPT);
    EXPECT_EQ(reinterpret_cast<unsigned long>(info.si_addr), registers_of(pid).rip);
    unsigned long const status = debug_register(pid, 6);
    EXPECT_EQ(set_debug_register(pid, 6, 0), 0);
    return status & 15;
}

void run_to_end(pid_t pid)
{
    EXPECT_EQ(trace(PTRACE_CONT, pid), 0);
    EXPECT_EQ(next_stop(pid), exited(0));
}

struct alignas(64) Watched {
    volatile long first, second;
    volatile int narrow[2];
};
Watched watched;

TEST(PtraceWatch, a_write_stops_behind_the_instruction)
{
    NEEDS_MACHINE(kWatchpoints);
    pid_t child = start_traced([] {
        watched.second = 1; // beside it
        for (long i = 1; i <= 3; ++i)
            watched.first = i;
        watched.narrow[0] = 1;
    });
    watch(child, 0, &watched.first, Kind::write, 8);
    for (long i = 1; i <= 3; ++i) {
        EXPECT_EQ(hit(child), 1u);
        EXPECT_EQ(peek(child, const_cast<long const*>(&watched.first)), i);
    }
    run_to_end(child);
}

TEST(PtraceWatch, the_same_value_counts_as_written)
{
    NEEDS_MACHINE(kWatchpoints);
    pid_t child = start_traced([] {
        watched.first = 0;
        watched.first = 0;
    });
    watch(child, 1, &watched.first, Kind::write, 8);
    EXPECT_EQ(hit(child), 2u);
    EXPECT_EQ(hit(child), 2u);
    run_to_end(child);
}

TEST(PtraceWatch, reads_count_only_where_asked_for)
{
    NEEDS_MACHINE(kWatchpoints);
    pid_t child = start_traced([] {
        long sum = watched.first; // not watched for reads
        sum += watched.second;
        watched.second = sum;
    });
    watch(child, 0, &watched.first, Kind::write, 8);
    watch(child, 2, &watched.second, Kind::access, 8);
    EXPECT_EQ(hit(child), 4u);
    EXPECT_EQ(hit(child), 4u);
    run_to_end(child);
}

TEST(PtraceWatch, several_registers_on_a_page)
{
    NEEDS_MACHINE(kWatchpoints);
    pid_t child = start_traced([] {
        watched.narrow[1] = 5;
        watched.first = 6;
        watched.narrow[0] = 7;
    });
    watch(child, 0, &watched.narrow[0], Kind::write, 4);
    watch(child, 3, &watched.narrow[1], Kind::write, 2);
    EXPECT_EQ(hit(child), 8u);
    EXPECT_EQ(hit(child), 1u);
    run_to_end(child);
}

__attribute__((noinline, aligned(64))) void marked() { asm volatile("nop\n\tnop"); }

TEST(PtraceWatch, a_breakpoint_stops_before_the_instruction)
{
    NEEDS_MACHINE(kWatchpoints);
    pid_t child = start_traced([] {
        for (int i = 0; i < 3; ++i)
            marked();
    });
    auto const address = reinterpret_cast<unsigned long>(&marked);
    ASSERT_EQ(set_debug_register(child, 0, address), 0);
    ASSERT_EQ(set_debug_register(child, 7, control(0, Kind::execute, 1)), 0);
    for (int i = 0; i < 3; ++i) {
        EXPECT_EQ(hit(child), 1u);
        EXPECT_EQ(registers_of(child).rip, address);
    }
    run_to_end(child);
}

TEST(PtraceWatch, single_steps_pass_what_is_watched)
{
    NEEDS_MACHINE(kWatchpoints);
    pid_t child = start_traced([] {
        asm volatile("int3\n\tmovq $5, %0\n\tnop\n\tnop" : "=m"(watched.first)::"memory");
    });
    EXPECT_EQ(trace(PTRACE_CONT, child), 0);
    EXPECT_EQ(next_stop(child), stopped_by(SIGTRAP));
    watch(child, 0, &watched.first, Kind::write, 8);
    auto const start = registers_of(child).rip;
    EXPECT_EQ(trace(PTRACE_SINGLESTEP, child), 0);
    EXPECT_EQ(next_stop(child), stopped_by(SIGTRAP));
    EXPECT_GT(registers_of(child).rip, start);
    EXPECT_EQ(debug_register(child, 6) & 15, 1u);
    EXPECT_EQ(peek(child, const_cast<long const*>(&watched.first)), 5);
    run_to_end(child);
}

TEST(PtraceWatch, what_is_cleared_is_seen_no_more)
{
    NEEDS_MACHINE(kWatchpoints);
    pid_t child = start_traced([] {
        watched.first = 1;
        watched.first = 2;
    });
    watch(child, 0, &watched.first, Kind::write, 8);
    EXPECT_EQ(hit(child), 1u);
    EXPECT_EQ(set_debug_register(child, 7, 0), 0);
    EXPECT_EQ(debug_register(child, 0), reinterpret_cast<unsigned long>(&watched.first));
    run_to_end(child);
}

TEST(PtraceWatch, neither_a_child_nor_a_thread_inherits)
{
    NEEDS_MACHINE(kWatchpoints);
    pid_t child = start_traced([] {
        sigset_t ends; // of the grandchild: no stop of its own
        ::sigemptyset(&ends);
        ::sigaddset(&ends, SIGCHLD);
        ASSERT_EQ(::sigprocmask(SIG_BLOCK, &ends, nullptr), 0);
        pid_t grandchild = start([] {
            watched.first = 1;
            ::_exit(0);
        });
        EXPECT_EQ(next_stop(grandchild), exited(0));
        std::thread([] { watched.first = 2; }).join();
        watched.first = 3;
    });
    watch(child, 0, &watched.first, Kind::write, 8);
    EXPECT_EQ(hit(child), 1u);
    EXPECT_EQ(peek(child, const_cast<long const*>(&watched.first)), 3);
    run_to_end(child);
}

TEST(PtraceWatch, the_kernel_may_write_unseen)
{
    NEEDS_MACHINE(kWatchpoints);
    pid_t child = start_traced([] {
        int ends[2];
        ASSERT_EQ(::pipe(ends), 0);
        ASSERT_EQ(::write(ends[1], "12345678", 8), 8);
        ASSERT_EQ(::read(ends[0], const_cast<long*>(&watched.first), 8), 8);
        watched.first = watched.first + 1;
    });
    watch(child, 0, &watched.first, Kind::write, 8);
    EXPECT_EQ(hit(child), 1u);
    EXPECT_EQ(peek(child, const_cast<long const*>(&watched.first)) & 0xff, '2');
    run_to_end(child);
}

TEST(PtraceWatch, what_the_registers_refuse)
{
    pid_t child = start_traced([] {});
    EXPECT_EQ(set_debug_register(child, 0, 0xffff'8000'0000'0000), -EINVAL);
    EXPECT_EQ(set_debug_register(child, 4, 1), -EIO);
    EXPECT_EQ(set_debug_register(child, 5, 1), -EIO);
    ASSERT_EQ(set_debug_register(child, 0, reinterpret_cast<unsigned long>(&watched) + 1), 0);
    EXPECT_EQ(set_debug_register(child, 7, control(0, Kind::write, 8)), -EINVAL); // not aligned
    EXPECT_EQ(set_debug_register(child, 7, control(0, Kind::execute, 4)), -EINVAL);
    EXPECT_EQ(set_debug_register(child, 7, control(0, Kind(2), 1)), -EINVAL); // ports
    EXPECT_EQ(debug_register(child, 7), 0u);
    end_tracee(child);
}

} // namespace
} // namespace abi_test
