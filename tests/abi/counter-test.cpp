// SPDX-License-Identifier: GPL-2.0-or-later
// PR_SET_TSC of prctl(2): a program that may not read the CPU's time stamp counter.
#include "abi-test.h"
#include "machine.h"

#include <sys/prctl.h>
#include <thread>
#include <x86intrin.h>

namespace abi_test {
namespace {

int mode()
{
    int value = -1;
    EXPECT_EQ(::prctl(PR_GET_TSC, &value), 0);
    return value;
}

void forbid() { ASSERT_EQ(::prctl(PR_SET_TSC, PR_TSC_SIGSEGV), 0); }
void read_counter() { (void)__rdtsc(); }

siginfo_t seen;
volatile sig_atomic_t faults;

/// Allows it again, so that the instruction that faulted is carried out.
void allow_on_fault()
{
    struct sigaction action { };
    action.sa_flags = SA_SIGINFO;
    action.sa_sigaction = [](int, siginfo_t* info, void*) {
        seen = *info;
        faults = faults + 1;
        (void)::prctl(PR_SET_TSC, PR_TSC_ENABLE);
    };
    ASSERT_EQ(::sigaction(SIGSEGV, &action, nullptr), 0);
}

TEST(TimeStampCounter, is_readable_at_first_and_again)
{
    EXPECT_EQ(mode(), PR_TSC_ENABLE);
    in_child([] {
        forbid();
        EXPECT_EQ(mode(), PR_TSC_SIGSEGV);
        ASSERT_EQ(::prctl(PR_SET_TSC, PR_TSC_ENABLE), 0);
        EXPECT_EQ(mode(), PR_TSC_ENABLE);
        read_counter();
    });
}

TEST(TimeStampCounter, modes_are_two)
{
    EXPECT_ERROR(::prctl(PR_SET_TSC, 0), EINVAL);
    EXPECT_ERROR(::prctl(PR_SET_TSC, 3), EINVAL);
    EXPECT_ERROR(::prctl(PR_GET_TSC, 8), EFAULT);
}

TEST(TimeStampCounter, reading_what_is_forbidden_is_a_fault)
{
    NEEDS_MACHINE(kCounterFaults);
    EXPECT_EQ(wait_for(start([] {
        forbid();
        read_counter();
    })),
        killed_by(SIGSEGV));
    EXPECT_EQ(wait_for(start([] {
        forbid();
        unsigned cpu;
        (void)__rdtscp(&cpu);
    })),
        killed_by(SIGSEGV));
}

TEST(TimeStampCounter, the_fault_can_be_handled)
{
    NEEDS_MACHINE(kCounterFaults);
    in_child([] {
        allow_on_fault();
        for (int i = 1; i <= 3; ++i) {
            forbid();
            unsigned long long const first = __rdtsc();
            unsigned long long const second = __rdtsc();
            EXPECT_LT(first, second);
            EXPECT_EQ(faults, i);
            EXPECT_EQ(seen.si_code, SI_KERNEL);
            EXPECT_EQ(seen.si_addr, nullptr);
        }
    });
}

TEST(TimeStampCounter, is_each_threads_own)
{
    in_child([] {
        std::thread([] { forbid(); }).join();
        EXPECT_EQ(mode(), PR_TSC_ENABLE);
        read_counter();
        std::thread([] { read_counter(); }).join(); // even where it follows the first one
    });
}

TEST(TimeStampCounter, children_and_threads_inherit_it)
{
    NEEDS_MACHINE(kCounterFaults);
    in_child([] {
        forbid();
        pid_t const child = start([] {
            EXPECT_EQ(mode(), PR_TSC_SIGSEGV);
            read_counter();
        });
        EXPECT_EQ(wait_for(child), killed_by(SIGSEGV));
        allow_on_fault();
        std::thread([] {
            EXPECT_EQ(mode(), PR_TSC_SIGSEGV);
            read_counter();
            EXPECT_EQ(faults, 1);
            EXPECT_EQ(mode(), PR_TSC_ENABLE);
        }).join();
        EXPECT_EQ(mode(), PR_TSC_SIGSEGV);
    });
}

TEST(TimeStampCounter, other_registers_stay)
{
    in_child([] {
        double fraction = 1.5, fraction_after = 0;
        long result = 0, whole_after = 0;
        asm volatile("movsd %[fraction], %%xmm7\n"
                     "mov $0x12345678, %%r12\n"
                     "syscall\n"
                     "movsd %%xmm7, %[fraction_after]\n"
                     "mov %%r12, %[whole_after]"
                     : "=a"(result), [fraction_after] "=m"(fraction_after), [whole_after] "=r"(whole_after)
                     : "a"(SYS_prctl), "D"(PR_SET_TSC), "S"(PR_TSC_SIGSEGV), "d"(0L), [fraction] "m"(fraction)
                     : "rcx", "r11", "r12", "xmm7", "memory");
        EXPECT_EQ(result, 0);
        EXPECT_EQ(fraction_after, 1.5);
        EXPECT_EQ(whole_after, 0x12345678);
    });
}

TEST(TimeStampCounter, a_program_keeps_its_setting_over_exec)
{
    in_child([] {
        pid_t const child = start([] {
            forbid();
            char const* arguments[] = { "abi-tests", "--helper", "counter-mode", nullptr };
            ::execv("/proc/self/exe", const_cast<char**>(arguments));
        });
        EXPECT_EQ(wait_for(child), exited(PR_TSC_SIGSEGV));
    });
}

TEST(TimeStampCounter, strict_seccomp_forbids_it)
{
    NEEDS_MACHINE(kCounterFaults);
    EXPECT_EQ(wait_for(start([] {
        if (::prctl(PR_SET_SECCOMP, 1) != 0) ::_exit(1);
        read_counter();
        raw(SYS_exit, 0);
    })),
        killed_by(SIGSEGV));
}

} // namespace
} // namespace abi_test
