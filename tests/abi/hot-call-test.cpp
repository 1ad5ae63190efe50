// SPDX-License-Identifier: GPL-2.0-or-later
// System calls that are made over and over from the same place. A kernel may do something special about those (Umbra
// does: core/platform/patched-calls.h); nobody may notice.
#include "ptrace.h"

#include <atomic>
#include <csetjmp>
#include <ctime>
#include <thread>

#include <sys/mman.h>
#include <sys/time.h>
#include <ucontext.h>

namespace abi_test {
namespace {

/// More than any kernel needs to call a place hot.
constexpr int kMany = 20000;

/// A call, as compilers make it: the arguments are in their registers, a comparison follows. `code` is where it begins.
extern "C" {
long hot_call(long number, long a, long b, long c);
extern unsigned char const hot_call_instruction[], hot_call_behind[];
long hot_return(long number, long a, long b, long c);
extern unsigned char const hot_return_instruction[];
}
asm(R"(
    .text
    .balign 64
hot_call:
    mov %rdi, %rax
    mov %rsi, %rdi
    mov %rdx, %rsi
    mov %rcx, %rdx
hot_call_instruction:
    syscall
hot_call_behind:
    cmp $-4096, %rax
    ja 1f
1:  ret
    .balign 64
hot_return:
    mov %rdi, %rax
    mov %rsi, %rdi
    mov %rdx, %rsi
    mov %rcx, %rdx
hot_return_instruction:
    syscall
    ret
    .balign 64
)");

long hot_getppid() { return hot_call(SYS_getppid, 0, 0, 0); }

void warm_up()
{
    for (int i = 0; i < kMany; ++i) {
        ASSERT_EQ(hot_getppid(), ::getppid());
        ASSERT_EQ(hot_return(SYS_getppid, 0, 0, 0), ::getppid());
    }
}

TEST(HotCall, results_and_errors_are_right)
{
    Pipe pipe;
    for (int i = 0; i < kMany; ++i) {
        char out = char(i), in = 0;
        ASSERT_EQ(hot_call(SYS_write, pipe.write_end, long(&out), 1), 1);
        ASSERT_EQ(hot_call(SYS_read, pipe.read_end, long(&in), 1), 1);
        ASSERT_EQ(in, out);
        ASSERT_EQ(hot_return(SYS_read, -1, long(&in), 1), -EBADF);
        ASSERT_EQ(hot_return(SYS_write, pipe.write_end, 1, 1), -EFAULT);
        ASSERT_EQ(hot_return(99999, 0, 0, 0), -ENOSYS);
        // Of the number, the lower half counts.
        ASSERT_EQ(hot_return(SYS_getppid | 1L << 40, 0, 0, 0), ::getppid());
    }
}

TEST(HotCall, other_registers_keep_their_values)
{
    for (int i = 0; i < kMany; ++i) {
        long const mark = 0x1234567 + i;
        long rbx, r8, r9, r10, r12, r15, red;
        long result;
        asm volatile(R"(
            mov %[mark], %%rbx
            lea 1(%%rbx), %%r8
            lea 2(%%rbx), %%r9
            lea 3(%%rbx), %%r10
            lea 4(%%rbx), %%r12
            lea 5(%%rbx), %%r15
            mov %%rbx, -64(%%rsp)
            mov $110, %%eax
            syscall
            cmp $-4096, %%rax
            mov %%rax, %[result]
            mov -64(%%rsp), %%rax
            mov %%rax, %[red]
            mov %%rbx, %[rbx]
            mov %%r8, %[r8]
            mov %%r9, %[r9]
            mov %%r10, %[r10]
            mov %%r12, %[r12]
            mov %%r15, %[r15]
        )"
                     : [result] "=&m"(result), [red] "=&m"(red), [rbx] "=&m"(rbx), [r8] "=&m"(r8),
                     [r9] "=&m"(r9), [r10] "=&m"(r10), [r12] "=&m"(r12), [r15] "=&m"(r15)
                     : [mark] "r"(mark)
                     : "rax", "rbx", "rcx", "r8", "r9", "r10", "r11", "r12", "r15", "memory", "cc");
        ASSERT_EQ(result, ::getppid());
        ASSERT_EQ(rbx, mark);
        ASSERT_EQ(r8, mark + 1);
        ASSERT_EQ(r9, mark + 2);
        ASSERT_EQ(r10, mark + 3);
        ASSERT_EQ(r12, mark + 4);
        ASSERT_EQ(r15, mark + 5);
        ASSERT_EQ(red, mark) << "below the stack pointer";
    }
}

std::atomic<int> g_signals, g_strange;
/// Where a handler may find the program that does nothing but call hot_call().
bool is_in_the_program(uintptr_t ip) { return ip < uintptr_t(1) << 46 && ip >= 0x400000; }

void count_signal(int, siginfo_t*, void* context)
{
    auto const& registers = static_cast<ucontext_t*>(context)->uc_mcontext.gregs;
    auto const ip = uintptr_t(registers[REG_RIP]);
    auto const call = uintptr_t(hot_call_instruction);
    // Within the call there are two places only, and behind it rax has its result.
    if (ip > call && ip < uintptr_t(hot_call_behind)) ++g_strange;
    if (ip == uintptr_t(hot_call_behind) && registers[REG_RAX] != ::getppid()) ++g_strange;
    if (!is_in_the_program(ip)) ++g_strange;
    ++g_signals;
}

void start_alarms(void (*handler)(int, siginfo_t*, void*), int flags, int microseconds)
{
    struct sigaction action { };
    action.sa_sigaction = handler;
    action.sa_flags = SA_SIGINFO | flags;
    ASSERT_OK(::sigaction(SIGALRM, &action, nullptr));
    itimerval const often { { 0, microseconds }, { 0, microseconds } };
    ASSERT_OK(::setitimer(ITIMER_REAL, &often, nullptr));
}

void stop_alarms()
{
    itimerval const never {};
    ASSERT_OK(::setitimer(ITIMER_REAL, &never, nullptr));
}

TEST(HotCall, signals_find_the_program_where_it_is)
{
    long const parent = ::getppid();
    g_signals = g_strange = 0;
    start_alarms(count_signal, SA_RESTART, 300);
    for (int i = 0; i < 50 * kMany && g_signals < 500; ++i)
        ASSERT_EQ(hot_getppid(), parent);
    while (g_signals < 500)
        hot_getppid();
    stop_alarms();
    EXPECT_EQ(g_strange, 0);
}

sigjmp_buf g_jump;
void jump_out(int, siginfo_t*, void*)
{
    ++g_signals;
    ::siglongjmp(g_jump, 1);
}

TEST(HotCall, handlers_may_leave_for_good)
{
    long const parent = ::getppid();
    g_signals = 0;
    start_alarms(jump_out, 0, 500);
    (void)sigsetjmp(g_jump, 1);
    while (g_signals < 200)
        ASSERT_EQ(hot_getppid(), parent);
    stop_alarms();
}

TEST(HotCall, blocking_is_interrupted)
{
    Pipe pipe;
    warm_up();
    g_signals = 0;
    start_alarms(count_signal, 0, 2000);
    char byte;
    for (int i = 0; i < 50; ++i) {
        ASSERT_EQ(hot_call(SYS_read, pipe.read_end, long(&byte), 1), -EINTR);
        for (int k = 0; k < 300; ++k)
            hot_getppid();
    }
    stop_alarms();
}

TEST(HotCall, blocking_is_restarted)
{
    Pipe there, back;
    // The child answers late: the signals come first.
    pid_t const child = start([&] {
        char byte;
        for (int i = 0; i < 30; ++i) {
            ASSERT_EQ(::read(there.read_end, &byte, 1), 1);
            ::usleep(3000);
            ASSERT_EQ(::write(back.write_end, &byte, 1), 1);
        }
    });
    warm_up();
    g_signals = 0;
    start_alarms(count_signal, SA_RESTART, 1000);
    for (int i = 0; i < 30; ++i) {
        char out = char(i), in = 0;
        ASSERT_EQ(hot_call(SYS_write, there.write_end, long(&out), 1), 1);
        ASSERT_EQ(hot_call(SYS_read, back.read_end, long(&in), 1), 1);
        ASSERT_EQ(in, out);
        for (int k = 0; k < 300; ++k)
            hot_getppid();
    }
    stop_alarms();
    EXPECT_GT(g_signals, 0);
    EXPECT_EQ(wait_for(child), exited(0));
}

TEST(HotCall, two_processes_talk)
{
    Pipe there, back;
    pid_t const child = start([&] {
        char byte;
        while (hot_call(SYS_read, there.read_end, long(&byte), 1) == 1 && byte)
            ASSERT_EQ(hot_call(SYS_write, back.write_end, long(&byte), 1), 1);
    });
    for (int i = 0; i < kMany; ++i) {
        char out = char(i % 127 + 1), in = 0;
        ASSERT_EQ(hot_call(SYS_write, there.write_end, long(&out), 1), 1);
        ASSERT_EQ(hot_call(SYS_read, back.read_end, long(&in), 1), 1);
        ASSERT_EQ(in, out);
    }
    char const end = 0;
    ASSERT_EQ(::write(there.write_end, &end, 1), 1);
    EXPECT_EQ(wait_for(child), exited(0));
}

TEST(HotCall, children_and_threads_go_on)
{
    warm_up();
    for (int round = 0; round < 8; ++round) {
        in_child([] {
            warm_up();
            long const parent = ::getppid();
            in_child([] { ASSERT_EQ(hot_getppid(), ::getppid()); });
            auto ask = [&] {
                for (int i = 0; i < 1000; ++i)
                    ASSERT_EQ(hot_getppid(), parent);
            };
            std::thread one(ask), other(ask);
            ask();
            one.join();
            other.join();
            ask();
        });
        for (int i = 0; i < 1000; ++i)
            ASSERT_EQ(hot_getppid(), ::getppid());
        // By the hot place itself; the child shares nothing that it changes.
        long const child = hot_call(round % 2 ? SYS_fork : SYS_fork | 1L << 40, 0, 0, 0);
        if (child == 0) hot_call(SYS_exit_group, hot_getppid() > 0 ? 7 : 8, 0, 0);
        ASSERT_EQ(wait_for(pid_t(child)), exited(7));
    }
}

TEST(HotCall, ends_by_a_signal)
{
    for (int round = 0; round < 30; ++round) {
        pid_t const child = start([] {
            for (;;)
                hot_getppid();
        });
        ASSERT_GT(child, 0);
        ::usleep(useconds_t(1000 * (round % 10)));
        ASSERT_OK(::kill(child, round % 2 ? SIGKILL : SIGTERM));
        ASSERT_EQ(wait_for(child), killed_by(round % 2 ? SIGKILL : SIGTERM));
    }
}

TEST(HotCall, stops_and_goes_on)
{
    pid_t const child = start([] {
        long const parent = ::getppid();
        for (;;)
            ASSERT_EQ(hot_getppid(), parent);
    });
    ASSERT_GT(child, 0);
    for (int round = 0; round < 20; ++round) {
        ::usleep(2000);
        ASSERT_OK(::kill(child, SIGSTOP));
        ASSERT_EQ(wait_for(child, WUNTRACED), stopped_by(SIGSTOP));
        ASSERT_OK(::kill(child, SIGCONT));
    }
    ASSERT_OK(::kill(child, SIGKILL));
    ASSERT_EQ(wait_for(child), killed_by(SIGKILL));
}

TEST(HotCall, a_tracer_sees_the_program_as_it_is)
{
    pid_t const child = start([] {
        for (;;)
            hot_getppid();
    });
    ASSERT_GT(child, 0);
    ::usleep(50000);
    auto const call = uintptr_t(hot_call_instruction);
    for (int round = 0; round < 20; ++round) {
        ASSERT_EQ(trace(PTRACE_ATTACH, child), 0);
        ASSERT_EQ(next_stop(child), stopped_by(SIGSTOP));
        auto const before = peek(child, hot_call_instruction);
        ASSERT_EQ(before & 0xffffffff, 0x3d48050f); // syscall; cmp $..., %rax
        auto const registers = registers_of(child);
        EXPECT_TRUE(registers.rip <= call || registers.rip >= uintptr_t(hot_call_behind));
        EXPECT_TRUE(is_in_the_program(registers.rip));
        ASSERT_EQ(trace(PTRACE_SYSCALL, child), 0);
        ASSERT_EQ(next_stop(child), stopped_by(SIGTRAP));
        EXPECT_EQ(registers_of(child).rip, uintptr_t(hot_call_behind));
        ASSERT_EQ(trace(PTRACE_DETACH, child), 0);
        ::usleep(3000);
    }
    ASSERT_OK(::kill(child, SIGKILL));
    ASSERT_EQ(wait_for(child), killed_by(SIGKILL));
}

/// Code that is made and changed while the program runs: a call of `number` with no arguments.
class MadeCode {
public:
    MadeCode()
        : memory_(static_cast<unsigned char*>(
            ::mmap(nullptr, kPage, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)))
    {
        EXPECT_NE(memory_, MAP_FAILED);
    }
    ~MadeCode() { ::munmap(memory_, kPage); }

    void write(uint32_t number, unsigned padding)
    {
        ASSERT_OK(::mprotect(memory_, kPage, PROT_READ | PROT_WRITE));
        unsigned char* at = memory_;
        std::memset(at, 0x90, 64);
        at += padding;
        *at++ = 0xb8; // mov $number, %eax
        std::memcpy(at, &number, 4);
        at += 4;
        unsigned char const rest[]
            = { 0x0f, 0x05, 0x48, 0x3d, 0x00, 0xf0, 0xff, 0xff, 0xc3 }; // syscall; cmp; ret
        std::memcpy(at, rest, sizeof rest);
        ASSERT_OK(::mprotect(memory_, kPage, PROT_READ | PROT_EXEC));
    }
    long run() const { return reinterpret_cast<long (*)()>(memory_)(); }
    void move()
    {
        void* const to = ::mmap(nullptr, kPage, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        ASSERT_NE(to, MAP_FAILED);
        void* const moved = ::mremap(memory_, kPage, kPage, MREMAP_MAYMOVE | MREMAP_FIXED, to);
        ASSERT_EQ(moved, to);
        memory_ = static_cast<unsigned char*>(moved);
    }
    unsigned char* bytes() const { return memory_; }

private:
    unsigned char* memory_;
};

TEST(HotCall, code_changes)
{
    MadeCode code;
    for (unsigned round = 0; round < 12; ++round) {
        bool const pid = round % 2;
        code.write(pid ? SYS_getpid : SYS_getppid, round % 5);
        for (int i = 0; i < 3000; ++i)
            ASSERT_EQ(code.run(), pid ? ::getpid() : ::getppid());
        if (round % 3 == 2) code.move();
        for (int i = 0; i < 2000; ++i)
            ASSERT_EQ(code.run(), pid ? ::getpid() : ::getppid());
    }
    // What can be written again is as it was written.
    ASSERT_OK(::mprotect(code.bytes(), kPage, PROT_READ | PROT_WRITE));
    unsigned char const* const call = code.bytes() + 11 % 5 + 5;
    EXPECT_EQ(call[0], 0x0f);
    EXPECT_EQ(call[1], 0x05);
    EXPECT_EQ(call[2], 0x48);
    EXPECT_EQ(call[6], 0xff);
}

TEST(HotCall, code_goes_and_other_comes)
{
    for (unsigned round = 0; round < 10; ++round) {
        MadeCode code;
        code.write(SYS_getppid, round);
        for (int i = 0; i < 2000; ++i)
            ASSERT_EQ(code.run(), ::getppid());
        // A page of zeroes is what anonymous memory is after this.
        ASSERT_OK(::madvise(code.bytes(), kPage, MADV_DONTNEED));
        code.write(SYS_getpid, round);
        for (int i = 0; i < 2000; ++i)
            ASSERT_EQ(code.run(), ::getpid());
    }
}

TEST(HotCall, is_written_through_proc)
{
    MadeCode code;
    code.write(SYS_getppid, 0);
    for (int i = 0; i < 5000; ++i)
        ASSERT_EQ(code.run(), ::getppid());
    Fd const memory = ::open("/proc/self/mem", O_RDWR);
    ASSERT_OK(memory);
    uint32_t const number = SYS_getpid;
    ASSERT_EQ(::pwrite(memory, &number, sizeof number, off_t(uintptr_t(code.bytes()) + 1)), 4);
    for (int i = 0; i < 5000; ++i)
        ASSERT_EQ(code.run(), ::getpid());
}

TEST(HotCall, goes_on_after_exec_and_vfork)
{
    warm_up();
    for (int i = 0; i < 10; ++i) {
        pid_t const child = ::vfork();
        if (child == 0) {
            ::execl("/proc/self/exe", "abi-tests", "--helper", "arguments", nullptr);
            ::_exit(99);
        }
        ASSERT_EQ(wait_for(child), exited(0));
        ASSERT_EQ(hot_getppid(), ::getppid());
    }
}

} // namespace
} // namespace abi_test
