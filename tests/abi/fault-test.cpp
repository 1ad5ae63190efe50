// SPDX-License-Identifier: GPL-2.0-or-later
// Signals that the program's own instructions cause, and the frame that a handler sees: si_code and si_addr,
// registers that a handler changes, the alternate stack, floating-point and vector state.
#include "abi-test.h"

#include <csetjmp>
#include <immintrin.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <ucontext.h>

namespace abi_test {
namespace {

sigjmp_buf back;
siginfo_t fault;
ucontext_t frame;

void escape(int, siginfo_t* info, void* context)
{
    fault = *info;
    frame = *static_cast<ucontext_t*>(context);
    siglongjmp(back, 1);
}

/// Runs the body; true if the signal came, whose siginfo is in `fault` then.
template <typename Body> bool raises(int signal, Body&& body)
{
    fault = {};
    set_handler(signal, escape);
    if (sigsetjmp(back, 1) != 0) return true;
    body();
    return false;
}

void touch(void const* address) { (void)*static_cast<char const volatile*>(address); }
void store(void* address) { *static_cast<char volatile*>(address) = 1; }

constexpr long kTrapNumber = 14; // page fault
constexpr long kWriteAccess = 2; // bit of the error code

TEST(Fault, null_pointer_is_maperr_at_zero)
{
    ASSERT_TRUE(raises(SIGSEGV, [] { touch(nullptr); }));
    EXPECT_EQ(fault.si_signo, SIGSEGV);
    EXPECT_EQ(fault.si_code, SEGV_MAPERR);
    EXPECT_EQ(fault.si_addr, nullptr);
    EXPECT_EQ(frame.uc_mcontext.gregs[REG_TRAPNO], kTrapNumber);
    EXPECT_EQ(frame.uc_mcontext.gregs[REG_CR2], 0);
}

TEST(Fault, unmapped_address_is_exact)
{
    Mapping page(kPage);
    ASSERT_EQ(::munmap(page.data(), kPage), 0);
    ASSERT_TRUE(raises(SIGSEGV, [&] { store(&page[123]); }));
    EXPECT_EQ(fault.si_code, SEGV_MAPERR);
    EXPECT_EQ(fault.si_addr, &page[123]);
    EXPECT_TRUE(frame.uc_mcontext.gregs[REG_ERR] & kWriteAccess);
}

TEST(Fault, write_to_read_only_is_accerr)
{
    Mapping page(kPage, PROT_READ);
    touch(page.data());
    ASSERT_TRUE(raises(SIGSEGV, [&] { store(&page[5]); }));
    EXPECT_EQ(fault.si_code, SEGV_ACCERR);
    EXPECT_EQ(fault.si_addr, &page[5]);
}

TEST(Fault, any_access_to_prot_none_is_accerr)
{
    Mapping page(kPage, PROT_NONE);
    ASSERT_TRUE(raises(SIGSEGV, [&] { touch(page.data()); }));
    EXPECT_EQ(fault.si_code, SEGV_ACCERR);
    EXPECT_FALSE(frame.uc_mcontext.gregs[REG_ERR] & kWriteAccess);
}

TEST(Fault, execution_needs_permission)
{
    Mapping page(kPage);
    page[0] = char(0xc3); // ret
    auto function = reinterpret_cast<void (*)()>(page.data());
    ASSERT_TRUE(raises(SIGSEGV, [&] { function(); }));
    EXPECT_EQ(fault.si_code, SEGV_ACCERR);
    EXPECT_EQ(fault.si_addr, page.data());
    ASSERT_EQ(::mprotect(page.data(), kPage, PROT_READ | PROT_EXEC), 0);
    EXPECT_FALSE(raises(SIGSEGV, [&] { function(); }));
}

TEST(Fault, jump_to_nowhere)
{
    auto function = reinterpret_cast<void (*)()>(uintptr_t(0x1000));
    ASSERT_TRUE(raises(SIGSEGV, [&] { function(); }));
    EXPECT_EQ(fault.si_code, SEGV_MAPERR);
    EXPECT_EQ(fault.si_addr, reinterpret_cast<void*>(uintptr_t(0x1000)));
    EXPECT_EQ(frame.uc_mcontext.gregs[REG_RIP], 0x1000);
}

TEST(Fault, non_canonical_address_is_a_kernel_code_without_address)
{
    ASSERT_TRUE(raises(SIGSEGV, [] { touch(reinterpret_cast<void*>(uintptr_t(0x8000'0000'0000'0000))); }));
    EXPECT_EQ(fault.si_code, SI_KERNEL);
    EXPECT_EQ(fault.si_addr, nullptr);
}

TEST(Fault, kernel_half_addresses_fault)
{
    ASSERT_TRUE(raises(SIGSEGV, [] { touch(reinterpret_cast<void*>(uintptr_t(0xffff'8000'0000'0000))); }));
    ASSERT_TRUE(raises(SIGSEGV, [] { touch(reinterpret_cast<void*>(uintptr_t(0x7fff'ffff'f000))); }));
}

TEST(Fault, file_mapping_beyond_the_end_is_a_bus_error)
{
    ScratchDirectory scratch;
    Fd fd = new_file("f");
    ASSERT_EQ(::ftruncate(fd, 100), 0);
    Mapping pages(2 * kPage, PROT_READ | PROT_WRITE, MAP_SHARED, fd);
    // The rest of the last page reads as zero.
    EXPECT_EQ(pages[kPage - 1], 0);
    ASSERT_TRUE(raises(SIGBUS, [&] { touch(&pages[kPage]); }));
    EXPECT_EQ(fault.si_code, BUS_ADRERR);
    EXPECT_EQ(fault.si_addr, &pages[kPage]);
    ASSERT_EQ(::ftruncate(fd, 2 * kPage), 0);
    EXPECT_FALSE(raises(SIGBUS, [&] { touch(&pages[kPage]); }));
    ASSERT_EQ(::ftruncate(fd, 0), 0);
    EXPECT_TRUE(raises(SIGBUS, [&] { touch(pages.data()); }));
}

TEST(Fault, integer_division_by_zero)
{
    ASSERT_TRUE(raises(SIGFPE, [] {
        int zero = 0, one = 1;
        asm volatile("cltd\n\tidivl %1" : "+a"(one) : "r"(zero) : "edx");
    }));
    EXPECT_EQ(fault.si_code, FPE_INTDIV);
    EXPECT_EQ(fault.si_addr, reinterpret_cast<void*>(frame.uc_mcontext.gregs[REG_RIP]));
}

TEST(Fault, floating_point_division_by_zero_when_unmasked)
{
    ASSERT_TRUE(raises(SIGFPE, [] {
        _mm_setcsr(_mm_getcsr() & ~unsigned(_MM_MASK_DIV_ZERO));
        double volatile zero = 0;
        double volatile result = 1.0 / zero;
        (void)result;
    }));
    EXPECT_EQ(fault.si_code, FPE_FLTDIV);
}

TEST(Fault, illegal_instruction)
{
    ASSERT_TRUE(raises(SIGILL, [] { asm volatile("ud2"); }));
    EXPECT_EQ(fault.si_code, ILL_ILLOPN);
    EXPECT_EQ(fault.si_addr, reinterpret_cast<void*>(frame.uc_mcontext.gregs[REG_RIP]));
}

TEST(Fault, privileged_instruction_is_a_general_protection_fault)
{
    ASSERT_TRUE(raises(SIGSEGV, [] { asm volatile("hlt"); }));
    EXPECT_EQ(fault.si_code, SI_KERNEL);
}

TEST(Fault, breakpoint_reports_the_next_instruction)
{
    static uintptr_t after;
    ASSERT_TRUE(raises(SIGTRAP, [] {
        asm volatile("leaq 1f(%%rip), %%rax\n\tmovq %%rax, %0\n\tint3\n1:" : "=m"(after) : : "rax");
    }));
    EXPECT_EQ(fault.si_code, SI_KERNEL);
    EXPECT_EQ(uintptr_t(frame.uc_mcontext.gregs[REG_RIP]), after);
}

TEST(Fault, single_step_flag_traps)
{
    ASSERT_TRUE(raises(SIGTRAP, [] {
        asm volatile("pushfq\n\torl $0x100, (%%rsp)\n\tpopfq\n\tnop\n\tnop" ::: "cc", "memory");
    }));
    EXPECT_EQ(fault.si_code, TRAP_TRACE);
}

TEST(Fault, blocked_fault_signal_kills)
{
    pid_t child = start([] {
        set_handler(SIGSEGV, escape);
        block_signals({ SIGSEGV });
        touch(nullptr);
    });
    EXPECT_EQ(wait_for(child), killed_by(SIGSEGV));
}

TEST(Fault, ignored_fault_signal_kills)
{
    pid_t child = start([] {
        set_handler(SIGSEGV, SIG_IGN);
        touch(nullptr);
    });
    EXPECT_EQ(wait_for(child), killed_by(SIGSEGV));
}

TEST(Fault, fault_in_the_handler_of_the_same_signal_kills)
{
    pid_t child = start([] {
        set_handler(SIGSEGV, [](int) { touch(nullptr); });
        touch(nullptr);
    });
    EXPECT_EQ(wait_for(child), killed_by(SIGSEGV));
}

TEST(Fault, handler_can_map_the_page_and_retry)
{
    static char* page;
    Mapping mapping(kPage, PROT_NONE);
    page = mapping.data();
    set_handler(SIGSEGV, [](int, siginfo_t* info, void*) {
        if (info->si_addr != page + 7 || ::mprotect(page, kPage, PROT_READ | PROT_WRITE) != 0) ::_exit(1);
    });
    page[7] = 42;
    EXPECT_EQ(page[7], 42);
}

TEST(Fault, handler_can_change_registers)
{
    set_handler(SIGILL, [](int, siginfo_t*, void* context) {
        auto& registers = static_cast<ucontext_t*>(context)->uc_mcontext.gregs;
        registers[REG_RIP] += 2; // over the ud2
        registers[REG_RBX] = 0x1234;
        registers[REG_R15] = 0x5678;
    });
    uint64_t rbx = 0, r15 = 0;
    asm volatile("ud2\n\tmovq %%rbx, %0\n\tmovq %%r15, %1" : "=a"(rbx), "=d"(r15) : : "rbx", "r15");
    EXPECT_EQ(rbx, 0x1234u);
    EXPECT_EQ(r15, 0x5678u);
}

TEST(Fault, all_registers_survive_a_handler)
{
    set_handler(SIGILL, [](int, siginfo_t*, void* context) {
        auto& registers = static_cast<ucontext_t*>(context)->uc_mcontext.gregs;
        registers[REG_RIP] += 2;
        asm volatile(
            "xor %%eax, %%eax; mov %%rax, %%rcx; mov %%rax, %%rdx; mov %%rax, %%rsi; mov %%rax, %%rdi;"
            "mov %%rax, %%r8; mov %%rax, %%r9; mov %%rax, %%r10; mov %%rax, %%r11" ::
                : "rax", "rcx", "rdx", "rsi", "rdi", "r8", "r9", "r10", "r11", "cc");
    });
    uint64_t out[8] = {};
    asm volatile("mov $1, %%ecx; mov $2, %%edx; mov $3, %%esi; mov $4, %%r8d; mov $5, %%r9d; mov $6, %%r10d; "
                 "mov $7, %%r11d;"
                 "stc; ud2; mov $0, %%eax; setc %%al;"
                 "mov %%rcx, (%0); mov %%rdx, 8(%0); mov %%rsi, 16(%0); mov %%r8, 24(%0); mov %%r9, 32(%0);"
                 "mov %%r10, 40(%0); mov %%r11, 48(%0); mov %%rax, 56(%0)"
                 :
                 : "D"(out)
                 : "rax", "rcx", "rdx", "rsi", "r8", "r9", "r10", "r11", "memory", "cc");
    for (uint64_t i = 0; i < 7; i++)
        EXPECT_EQ(out[i], i + 1);
    EXPECT_EQ(out[7], 1u) << "the carry flag";
}

TEST(Fault, direction_flag_is_clear_in_a_handler)
{
    static uint64_t volatile flags;
    set_handler(SIGILL, [](int, siginfo_t*, void* context) {
        uint64_t now;
        asm volatile("pushfq\n\tpopq %0" : "=r"(now));
        flags = now;
        static_cast<ucontext_t*>(context)->uc_mcontext.gregs[REG_RIP] += 2;
    });
    asm volatile("std\n\tud2\n\tcld" ::: "cc", "memory");
    EXPECT_FALSE(flags & 0x400);
}

TEST(Fault, sse_state_survives_a_handler)
{
    set_handler(SIGUSR1, [](int) {
        __m128d junk = _mm_set1_pd(-1);
        asm volatile("movapd %0, %%xmm6\n\tmovapd %0, %%xmm7" : : "x"(junk) : "xmm6", "xmm7");
    });
    double six[2], seven[2];
    __m128d a = _mm_set_pd(1.5, 2.5), b = _mm_set_pd(3.5, 4.5);
    long result = SYS_tgkill;
    asm volatile("movapd %[a], %%xmm6\n\tmovapd %[b], %%xmm7\n\tsyscall\n\tmovupd %%xmm6, %[six]\n\tmovupd "
                 "%%xmm7, %[seven]"
                 : "+a"(result), [six] "=m"(six), [seven] "=m"(seven)
                 : [a] "x"(a), [b] "x"(b), "D"(::getpid()), "S"(::gettid()), "d"(SIGUSR1)
                 : "rcx", "r11", "xmm6", "xmm7", "memory");
    EXPECT_EQ(result, 0);
    EXPECT_EQ(six[0], 2.5);
    EXPECT_EQ(seven[1], 3.5);
}

__attribute__((target("avx"))) void avx_survives()
{
    set_handler(SIGUSR1, [](int) { asm volatile("vzeroall" ::: "xmm0", "xmm8", "xmm15"); });
    float in[8] = { 1, 2, 3, 4, 5, 6, 7, 8 }, out[8] = {};
    long result = SYS_tgkill;
    asm volatile("vmovups %[in], %%ymm9\n\tsyscall\n\tvmovups %%ymm9, %[out]"
                 : "+a"(result), [out] "=m"(out)
                 : [in] "m"(in), "D"(::getpid()), "S"(::gettid()), "d"(SIGUSR1)
                 : "rcx", "r11", "xmm9", "memory");
    EXPECT_EQ(result, 0);
    for (int i = 0; i < 8; i++)
        EXPECT_EQ(out[i], float(i + 1));
}

TEST(Fault, avx_state_survives_a_handler)
{
    if (!__builtin_cpu_supports("avx")) GTEST_SKIP() << "no AVX here";
    avx_survives();
}

TEST(Fault, fp_state_is_in_the_frame_and_can_be_changed)
{
    set_handler(SIGILL, [](int, siginfo_t*, void* context) {
        auto* machine = &static_cast<ucontext_t*>(context)->uc_mcontext;
        machine->gregs[REG_RIP] += 2;
        if (!machine->fpregs || machine->fpregs->_xmm[5].element[0] != 0x11223344) ::_exit(1);
        machine->fpregs->_xmm[5].element[0] = 0x55667788;
    });
    uint32_t value = 0x11223344;
    asm volatile("movd %0, %%xmm5\n\tud2\n\tmovd %%xmm5, %0" : "+r"(value) : : "xmm5");
    EXPECT_EQ(value, 0x55667788u);
}

TEST(Fault, rounding_mode_survives_a_handler)
{
    set_handler(SIGUSR1, [](int) { _mm_setcsr(0x1f80); });
    unsigned original = _mm_getcsr();
    _mm_setcsr(original | _MM_ROUND_TOWARD_ZERO);
    ::raise(SIGUSR1);
    EXPECT_EQ(_mm_getcsr() & _MM_ROUND_MASK, unsigned(_MM_ROUND_TOWARD_ZERO));
    _mm_setcsr(original);
}

uintptr_t volatile handler_stack;
stack_t stack_in_handler;
void note_stack(int)
{
    char here;
    handler_stack = reinterpret_cast<uintptr_t>(&here);
    ::sigaltstack(nullptr, &stack_in_handler);
}

bool inside(uintptr_t address, Mapping const& area)
{
    auto start = reinterpret_cast<uintptr_t>(area.data());
    return address >= start && address < start + area.size();
}

TEST(AltStack, handlers_with_onstack_run_there)
{
    Mapping area(65536);
    stack_t stack { area.data(), 0, area.size() }, old {};
    ASSERT_EQ(::sigaltstack(&stack, &old), 0);
    EXPECT_TRUE(old.ss_flags & SS_DISABLE);
    set_handler(SIGUSR1, note_stack, SA_ONSTACK);
    ::raise(SIGUSR1);
    EXPECT_TRUE(inside(handler_stack, area));
    EXPECT_EQ(stack_in_handler.ss_flags, SS_ONSTACK);
    set_handler(SIGUSR1, note_stack);
    ::raise(SIGUSR1);
    EXPECT_FALSE(inside(handler_stack, area));
    EXPECT_EQ(stack_in_handler.ss_flags, 0);
}

TEST(AltStack, nested_handlers_share_it)
{
    Mapping area(65536);
    stack_t stack { area.data(), 0, area.size() };
    ASSERT_EQ(::sigaltstack(&stack, nullptr), 0);
    static uintptr_t volatile outer;
    set_handler(
        SIGUSR1,
        [](int) {
            char here;
            outer = reinterpret_cast<uintptr_t>(&here);
            ::raise(SIGUSR2);
        },
        SA_ONSTACK);
    set_handler(SIGUSR2, note_stack, SA_ONSTACK);
    ::raise(SIGUSR1);
    EXPECT_TRUE(inside(handler_stack, area));
    EXPECT_LT(handler_stack, outer);
}

TEST(AltStack, cannot_change_while_running_on_it)
{
    Mapping area(65536);
    stack_t stack { area.data(), 0, area.size() };
    ASSERT_EQ(::sigaltstack(&stack, nullptr), 0);
    static int volatile error;
    set_handler(
        SIGUSR1,
        [](int) {
            stack_t off { nullptr, SS_DISABLE, 0 };
            error = error_of(::sigaltstack(&off, nullptr));
        },
        SA_ONSTACK);
    ::raise(SIGUSR1);
    EXPECT_EQ(error, EPERM);
}

TEST(AltStack, errors)
{
    char area[65536];
    stack_t small { area, 0, 1024 }, odd { area, 77, sizeof area };
    EXPECT_ERROR(::sigaltstack(&small, nullptr), ENOMEM);
    EXPECT_ERROR(::sigaltstack(&odd, nullptr), EINVAL);
    EXPECT_EQ(raw(SYS_sigaltstack, 8, 0), -EFAULT);
}

TEST(AltStack, stack_overflow_can_be_handled)
{
    Mapping area(65536);
    stack_t stack { area.data(), 0, area.size() };
    ASSERT_EQ(::sigaltstack(&stack, nullptr), 0);
    set_handler(SIGSEGV, escape, SA_ONSTACK);
    if (sigsetjmp(back, 1) == 0) {
        // Walks down page by page, past the limit of the stack.
        char volatile* here = static_cast<char volatile*>(__builtin_frame_address(0));
        for (;;) {
            here -= kPage;
            asm volatile("xchg %%rsp, %0\n\tpushq $0\n\taddq $8, %%rsp\n\txchg %%rsp, %0"
                         : "+r"(here)
                         :
                         : "memory");
        }
    }
    EXPECT_EQ(fault.si_signo, SIGSEGV);
}

TEST(AltStack, no_room_for_a_frame_kills)
{
    pid_t child = start([] {
        set_handler(SIGUSR1, note_stack);
        long result = SYS_tgkill;
        asm volatile("movq %%rsp, %%rbx\n\tmovq $4096, %%rsp\n\tsyscall\n\tmovq %%rbx, %%rsp"
                     : "+a"(result)
                     : "D"(::getpid()), "S"(::gettid()), "d"(SIGUSR1)
                     : "rbx", "rcx", "r11", "memory");
    });
    EXPECT_EQ(wait_for(child), killed_by(SIGSEGV));
}

TEST(AltStack, fork_keeps_it)
{
    Mapping area(65536);
    stack_t stack { area.data(), 0, area.size() };
    ASSERT_EQ(::sigaltstack(&stack, nullptr), 0);
    in_child([&] {
        stack_t now {};
        ASSERT_EQ(::sigaltstack(nullptr, &now), 0);
        EXPECT_EQ(now.ss_sp, area.data());
    });
}

} // namespace
} // namespace abi_test
