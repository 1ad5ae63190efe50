// SPDX-License-Identifier: GPL-2.0-or-later
// ptrace(2): who may trace whom, stops by signals and at system calls, memory and registers of a tracee.
#include "ptrace.h"

#include <linux/elf.h>
#include <sys/mman.h>
#include <sys/prctl.h>

namespace abi_test {
namespace {

/// The kernel's struct user ends with two words that the C library's lacks.
constexpr unsigned long kUserArea = sizeof(struct user) + 16;
volatile long g_word = 0x1122334455667788;

pid_t start_pausing()
{
    return start([] {
        for (;;)
            ::pause();
    });
}

TEST(Ptrace, requests_need_a_tracee)
{
    EXPECT_EQ(trace(PTRACE_CONT, ::getpid()), -ESRCH);
    EXPECT_EQ(trace(PTRACE_ATTACH, 0x7ffffff), -ESRCH);
    EXPECT_EQ(trace(PTRACE_ATTACH, ::getpid()), -EPERM);
    pid_t child = start_pausing();
    EXPECT_EQ(trace(PTRACE_GETREGS, child), -ESRCH);
    EXPECT_EQ(trace(PTRACE_KILL, child), -ESRCH);
    EXPECT_EQ(::kill(child, SIGKILL), 0);
    EXPECT_EQ(wait_for(child), killed_by(SIGKILL));
}

TEST(Ptrace, traceme_twice_is_refused)
{
    pid_t child = start_traced([] { EXPECT_EQ(trace(PTRACE_TRACEME, 0), -EPERM); });
    EXPECT_EQ(trace(PTRACE_CONT, child), 0);
    EXPECT_EQ(next_stop(child), exited(0));
}

TEST(Ptrace, a_running_tracee_answers_nothing)
{
    pid_t child = start_traced([] {
        for (;;)
            ::pause();
    });
    EXPECT_EQ(trace(PTRACE_CONT, child), 0);
    EXPECT_EQ(trace(PTRACE_GETREGS, child), -ESRCH);
    EXPECT_EQ(trace(PTRACE_CONT, child), -ESRCH);
    end_tracee(child);
}

TEST(Ptrace, unknown_requests_and_signals_are_eio)
{
    pid_t child = start_traced([] {});
    EXPECT_EQ(trace(0x7777, child), -EIO);
    EXPECT_EQ(trace(PTRACE_CONT, child, 0, 65L), -EIO);
    EXPECT_EQ(trace(PTRACE_DETACH, child, 0, -1L), -EIO);
    EXPECT_EQ(trace(PTRACE_SETOPTIONS, child, 0, 0x400L), -EINVAL);
    EXPECT_EQ(trace(PTRACE_LISTEN, child), -EIO);
    EXPECT_EQ(trace(PTRACE_INTERRUPT, child), -EIO);
    EXPECT_EQ(trace(PTRACE_CONT, child), 0);
    EXPECT_EQ(next_stop(child), exited(0));
}

TEST(Ptrace, signals_stop_before_they_are_delivered)
{
    pid_t child = start_traced([] {
        static volatile sig_atomic_t seen;
        set_handler(SIGUSR2, [](int) { seen = 1; });
        ::raise(SIGUSR1); // would kill
        EXPECT_FALSE(seen);
        ::raise(SIGUSR1);
        EXPECT_TRUE(seen);
        ::raise(SIGTERM);
    });
    EXPECT_EQ(trace(PTRACE_CONT, child), 0);
    EXPECT_EQ(next_stop(child), stopped_by(SIGUSR1));
    siginfo_t info {};
    EXPECT_EQ(trace(PTRACE_GETSIGINFO, child, 0, &info), 0);
    EXPECT_EQ(info.si_signo, SIGUSR1);
    EXPECT_EQ(info.si_code, SI_TKILL);
    EXPECT_EQ(info.si_pid, child);
    EXPECT_EQ(trace(PTRACE_CONT, child), 0); // taken away
    EXPECT_EQ(next_stop(child), stopped_by(SIGUSR1));
    EXPECT_EQ(trace(PTRACE_CONT, child, 0, long(SIGUSR2)), 0); // another in its place
    EXPECT_EQ(next_stop(child), stopped_by(SIGTERM));
    EXPECT_EQ(trace(PTRACE_CONT, child, 0, long(SIGTERM)), 0);
    EXPECT_EQ(next_stop(child), killed_by(SIGTERM));
}

TEST(Ptrace, even_an_ignored_signal_stops)
{
    pid_t child = start_traced([] {
        ::signal(SIGUSR1, SIG_IGN);
        ::raise(SIGUSR1);
        ::raise(SIGCHLD);
    });
    EXPECT_EQ(trace(PTRACE_CONT, child), 0);
    for (int signal : { SIGUSR1, SIGCHLD }) {
        EXPECT_EQ(next_stop(child), stopped_by(signal));
        EXPECT_EQ(trace(PTRACE_CONT, child, 0, long(signal)), 0);
    }
    EXPECT_EQ(next_stop(child), exited(0));
}

TEST(Ptrace, a_stop_is_reported_once_and_to_waitid_as_trapped)
{
    pid_t child = start_traced([] { ::raise(SIGUSR1); });
    EXPECT_EQ(::waitpid(child, nullptr, WNOHANG | __WALL), 0);
    EXPECT_EQ(trace(PTRACE_CONT, child), 0);
    siginfo_t info {};
    ASSERT_EQ(::waitid(P_PID, id_t(child), &info, WEXITED | WNOWAIT), 0);
    EXPECT_EQ(info.si_code, CLD_TRAPPED);
    EXPECT_EQ(info.si_status, SIGUSR1);
    EXPECT_EQ(next_stop(child), stopped_by(SIGUSR1));
    EXPECT_EQ(trace(PTRACE_CONT, child), 0);
    EXPECT_EQ(next_stop(child), exited(0));
}

TEST(Ptrace, memory_can_be_read_and_written)
{
    pid_t child = start_traced([] { EXPECT_EQ(g_word, 42); });
    EXPECT_EQ(peek(child, const_cast<long*>(&g_word)), 0x1122334455667788);
    auto const address = reinterpret_cast<unsigned long>(&g_word);
    EXPECT_EQ(trace(PTRACE_POKEDATA, child, address, 42L), 0);
    EXPECT_EQ(peek(child, const_cast<long*>(&g_word)), 42);
    EXPECT_EQ(g_word, 0x1122334455667788);
    long word;
    EXPECT_EQ(trace(PTRACE_PEEKDATA, child, 8, &word), -EIO);
    EXPECT_EQ(trace(PTRACE_POKEDATA, child, 8, 1L), -EIO);
    EXPECT_EQ(trace(PTRACE_PEEKDATA, child, address, 0L), -EFAULT);
    EXPECT_EQ(trace(PTRACE_CONT, child), 0);
    EXPECT_EQ(next_stop(child), exited(0));
}

[[gnu::noinline]] int answer()
{
    asm volatile("");
    return 1;
}

TEST(Ptrace, a_breakpoint_in_read_only_text)
{
    pid_t child = start_traced([] { ::_exit(answer()); });
    auto const address = reinterpret_cast<unsigned long>(&answer);
    long const code = peek(child, reinterpret_cast<void*>(address));
    EXPECT_EQ(trace(PTRACE_POKETEXT, child, address, (code & ~0xffL) | 0xcc), 0);
    EXPECT_EQ(trace(PTRACE_CONT, child), 0);
    EXPECT_EQ(next_stop(child), stopped_by(SIGTRAP));
    siginfo_t info {};
    EXPECT_EQ(trace(PTRACE_GETSIGINFO, child, 0, &info), 0);
    EXPECT_EQ(info.si_code, SI_KERNEL);
    auto regs = registers_of(child);
    EXPECT_EQ(regs.rip, address + 1);
    EXPECT_EQ(trace(PTRACE_POKETEXT, child, address, code), 0);
    regs.rip = address;
    EXPECT_EQ(trace(PTRACE_SETREGS, child, 0, &regs), 0);
    EXPECT_EQ(trace(PTRACE_CONT, child), 0);
    EXPECT_EQ(next_stop(child), exited(1));
    EXPECT_EQ(answer(), 1); // ours is another page
}

TEST(Ptrace, registers_by_every_way)
{
    pid_t child = start_traced([] {
        long result = 1;
        asm volatile("mov $77, %%r12d\n\tint3\n\tmov %%r12, %0" : "=r"(result)::"r12", "memory");
        EXPECT_EQ(result, 78);
    });
    EXPECT_EQ(trace(PTRACE_CONT, child), 0);
    EXPECT_EQ(next_stop(child), stopped_by(SIGTRAP));
    auto regs = registers_of(child);
    EXPECT_EQ(regs.r12, 77u);
    EXPECT_EQ(long(regs.orig_rax), -1);
    EXPECT_EQ(regs.cs, 0x33u);
    user_regs_struct again {};
    iovec vector { &again, sizeof again + 64 };
    EXPECT_EQ(trace(PTRACE_GETREGSET, child, NT_PRSTATUS, &vector), 0);
    EXPECT_EQ(vector.iov_len, sizeof again);
    EXPECT_EQ(std::memcmp(&regs, &again, sizeof regs), 0);
    vector.iov_len = 13;
    EXPECT_EQ(trace(PTRACE_GETREGSET, child, NT_PRSTATUS, &vector), -EINVAL);
    EXPECT_EQ(trace(PTRACE_GETREGSET, child, 0x7777, &vector), -EINVAL);
    long word = 0;
    EXPECT_EQ(trace(PTRACE_PEEKUSER, child, offsetof(user_regs_struct, r12), &word), 0);
    EXPECT_EQ(word, 77);
    EXPECT_EQ(trace(PTRACE_PEEKUSER, child, 3, &word), -EIO);
    EXPECT_EQ(trace(PTRACE_PEEKUSER, child, kUserArea, &word), -EIO);
    EXPECT_EQ(trace(PTRACE_POKEUSER, child, offsetof(user_regs_struct, cs), 0L), -EIO);
    EXPECT_EQ(trace(PTRACE_POKEUSER, child, offsetof(user_regs_struct, fs_base), -1L), -EIO);
    EXPECT_EQ(trace(PTRACE_POKEUSER, child, offsetof(user_regs_struct, r12), 78L), 0);
    EXPECT_EQ(registers_of(child).r12, 78u);
    EXPECT_EQ(trace(PTRACE_CONT, child), 0);
    EXPECT_EQ(next_stop(child), exited(0));
}

TEST(Ptrace, floating_point_state)
{
    pid_t child = start_traced([] {
        double in = 2.5, out = 0;
        asm volatile("movsd %1, %%xmm3\n\tint3\n\tmovsd %%xmm3, %0" : "=m"(out) : "m"(in) : "xmm3", "memory");
        EXPECT_EQ(out, 7.25);
    });
    EXPECT_EQ(trace(PTRACE_CONT, child), 0);
    EXPECT_EQ(next_stop(child), stopped_by(SIGTRAP));
    user_fpregs_struct fp {};
    EXPECT_EQ(trace(PTRACE_GETFPREGS, child, 0, &fp), 0);
    double xmm3 = 0;
    std::memcpy(&xmm3, &fp.xmm_space[12], sizeof xmm3);
    EXPECT_EQ(xmm3, 2.5);
    xmm3 = 7.25;
    std::memcpy(&fp.xmm_space[12], &xmm3, sizeof xmm3);
    EXPECT_EQ(trace(PTRACE_SETFPREGS, child, 0, &fp), 0);
    alignas(64) static char image[16384];
    iovec vector { image, sizeof image };
    EXPECT_EQ(trace(PTRACE_GETREGSET, child, NT_X86_XSTATE, &vector), 0);
    EXPECT_GT(vector.iov_len, 576u);
    std::memcpy(&xmm3, image + offsetof(user_fpregs_struct, xmm_space) + 48, sizeof xmm3);
    EXPECT_EQ(xmm3, 7.25);
    EXPECT_EQ(trace(PTRACE_SETREGSET, child, NT_X86_XSTATE, &vector), 0);
    vector.iov_len = 512;
    EXPECT_EQ(trace(PTRACE_SETREGSET, child, NT_X86_XSTATE, &vector), -EFAULT);
    EXPECT_EQ(trace(PTRACE_CONT, child), 0);
    EXPECT_EQ(next_stop(child), exited(0));
}

TEST(Ptrace, stops_at_system_calls)
{
    pid_t child = start_traced([] {
        EXPECT_EQ(::syscall(SYS_getppid), 4711);
        EXPECT_EQ(raw(SYS_getuid), -EXDEV); // skipped
        ::syscall(SYS_exit_group, 3);
    });
    EXPECT_EQ(trace(PTRACE_SETOPTIONS, child, 0, long(PTRACE_O_TRACESYSGOOD)), 0);
    auto to = [&](long number) {
        for (;;) {
            EXPECT_EQ(trace(PTRACE_SYSCALL, child), 0);
            EXPECT_EQ(next_stop(child), kSyscallStop);
            auto regs = registers_of(child);
            if (HasFailure() || long(regs.orig_rax) == number) return regs;
        }
    };
    auto regs = to(SYS_getppid);
    EXPECT_EQ(long(regs.rax), -ENOSYS);
    regs = to(SYS_getppid);
    EXPECT_EQ(long(regs.rax), ::getpid());
    regs.rax = 4711;
    EXPECT_EQ(trace(PTRACE_SETREGS, child, 0, &regs), 0);
    regs = to(SYS_getuid);
    regs.orig_rax = -1ul;
    EXPECT_EQ(trace(PTRACE_SETREGS, child, 0, &regs), 0);
    EXPECT_EQ(trace(PTRACE_SYSCALL, child), 0);
    EXPECT_EQ(next_stop(child), kSyscallStop);
    regs = registers_of(child);
    EXPECT_EQ(long(regs.rax), -ENOSYS);
    regs.rax = static_cast<unsigned long>(-EXDEV);
    EXPECT_EQ(trace(PTRACE_SETREGS, child, 0, &regs), 0);
    regs = to(SYS_exit_group);
    EXPECT_EQ(regs.rdi, 3u);
    regs.rdi = 5;
    EXPECT_EQ(trace(PTRACE_SETREGS, child, 0, &regs), 0);
    EXPECT_EQ(trace(PTRACE_CONT, child), 0);
    EXPECT_EQ(next_stop(child), exited(5));
}

TEST(Ptrace, emulated_calls_are_not_made)
{
    pid_t child = start_traced([] {
        EXPECT_EQ(::syscall(SYS_getppid, 9L), 1234);
        ::_exit(2);
    });
    user_regs_struct regs {};
    do {
        EXPECT_EQ(trace(PTRACE_SYSEMU, child), 0);
        EXPECT_EQ(next_stop(child), stopped_by(SIGTRAP));
        regs = registers_of(child);
    } while (!HasFailure() && regs.orig_rax != SYS_getppid);
    regs.rax = 1234;
    EXPECT_EQ(trace(PTRACE_SETREGS, child, 0, &regs), 0);
    EXPECT_EQ(trace(PTRACE_CONT, child), 0);
    EXPECT_EQ(next_stop(child), exited(2));
}

TEST(Ptrace, syscall_info_tells_entry_from_exit)
{
    pid_t child = start_traced([] { ::syscall(SYS_close, -1L); });
    struct {
        std::uint8_t op, pad[3];
        std::uint32_t arch;
        std::uint64_t ip, sp, words[8];
    } info {};
    static_assert(sizeof info == 88);
    EXPECT_EQ(trace(0x420e, child, sizeof info, &info), 24);
    EXPECT_EQ(info.op, 0);
    EXPECT_EQ(trace(PTRACE_SETOPTIONS, child, 0, long(PTRACE_O_TRACESYSGOOD)), 0);
    do {
        EXPECT_EQ(trace(PTRACE_SYSCALL, child), 0);
        EXPECT_EQ(next_stop(child), kSyscallStop);
        trace(0x420e, child, sizeof info, &info);
    } while (!HasFailure() && !(info.op == 1 && info.words[0] == SYS_close));
    EXPECT_EQ(info.words[1] & 0xffffffff, 0xffffffff);
    EXPECT_EQ(trace(0x420e, child, sizeof info, &info), 80);
    EXPECT_EQ(trace(PTRACE_SYSCALL, child), 0);
    EXPECT_EQ(next_stop(child), kSyscallStop);
    EXPECT_EQ(trace(0x420e, child, sizeof info, &info), 33);
    EXPECT_EQ(info.op, 2);
    EXPECT_EQ(long(info.words[0]), -EBADF);
    EXPECT_EQ(info.words[1] & 0xff, 1u);
    EXPECT_EQ(info.arch, 0xc000003eu);
    end_tracee(child);
}

TEST(Ptrace, an_interrupted_call_goes_on_after_the_stop)
{
    Pipe pipe, ready;
    pid_t child = start_traced([&] {
        char byte = 0;
        EXPECT_EQ(::write(ready.write_end, "!", 1), 1);
        EXPECT_EQ(::read(pipe.read_end, &byte, 1), 1);
        EXPECT_EQ(byte, 'x');
    });
    EXPECT_EQ(trace(PTRACE_CONT, child), 0);
    char byte;
    EXPECT_EQ(::read(ready.read_end, &byte, 1), 1);
    wait_until_sleeping(child);
    EXPECT_EQ(::kill(child, SIGUSR1), 0);
    EXPECT_EQ(next_stop(child), stopped_by(SIGUSR1));
    auto regs = registers_of(child);
    EXPECT_EQ(long(regs.rax), -512); // ERESTARTSYS
    EXPECT_EQ(regs.orig_rax, static_cast<unsigned long>(SYS_read));
    EXPECT_EQ(process_state(child), 't');
    EXPECT_EQ(trace(PTRACE_CONT, child), 0);
    EXPECT_EQ(::write(pipe.write_end, "x", 1), 1);
    EXPECT_EQ(next_stop(child), exited(0));
}

TEST(Ptrace, attach_stops_and_detach_lets_go)
{
    pid_t child = start_pausing();
    ASSERT_EQ(trace(PTRACE_ATTACH, child), 0);
    EXPECT_EQ(next_stop(child), stopped_by(SIGSTOP));
    EXPECT_EQ(trace(PTRACE_ATTACH, child), -EPERM);
    std::string const status = read_file("/proc/" + std::to_string(child) + "/status");
    EXPECT_NE(status.find("TracerPid:\t" + std::to_string(::getpid()) + "\n"), std::string::npos);
    EXPECT_EQ(trace(PTRACE_DETACH, child), 0);
    EXPECT_EQ(trace(PTRACE_CONT, child), -ESRCH);
    EXPECT_EQ(::waitpid(child, nullptr, WNOHANG), 0);
    ASSERT_EQ(trace(PTRACE_ATTACH, child), 0);
    EXPECT_EQ(next_stop(child), stopped_by(SIGSTOP));
    EXPECT_EQ(trace(PTRACE_DETACH, child, 0, long(SIGTERM)), 0);
    EXPECT_EQ(wait_for(child), killed_by(SIGTERM));
}

TEST(Ptrace, attach_to_a_stopped_process)
{
    pid_t child = start_pausing();
    EXPECT_EQ(::kill(child, SIGSTOP), 0);
    EXPECT_EQ(wait_for(child, WUNTRACED), stopped_by(SIGSTOP));
    ASSERT_EQ(trace(PTRACE_ATTACH, child), 0);
    EXPECT_EQ(next_stop(child), stopped_by(SIGSTOP));
    EXPECT_EQ(registers_of(child).cs, 0x33u);
    EXPECT_EQ(trace(PTRACE_DETACH, child), 0);
    end_tracee(child);
}

TEST(Ptrace, group_stop_of_a_tracee)
{
    pid_t child = start_traced([] { ::raise(SIGUSR1); });
    EXPECT_EQ(trace(PTRACE_CONT, child, 0, long(SIGSTOP)), 0); // delivered: the process stops
    EXPECT_EQ(next_stop(child), stopped_by(SIGSTOP));
    siginfo_t info {};
    EXPECT_EQ(trace(PTRACE_GETSIGINFO, child, 0, &info), -EINVAL);
    EXPECT_EQ(trace(PTRACE_CONT, child), 0);
    EXPECT_EQ(next_stop(child), stopped_by(SIGUSR1));
    EXPECT_EQ(trace(PTRACE_CONT, child), 0);
    EXPECT_EQ(next_stop(child), exited(0));
}

TEST(Ptrace, kill_ends_a_stopped_tracee)
{
    pid_t child = start_traced([] {});
    EXPECT_EQ(trace(PTRACE_KILL, child), 0);
    EXPECT_EQ(next_stop(child), killed_by(SIGKILL));
}

TEST(Ptrace, a_tracer_need_not_be_the_parent)
{
    pid_t child = start_pausing();
    ::prctl(PR_SET_PTRACER, PR_SET_PTRACER_ANY); // where the host restricts it
    pid_t tracer = start([&] {
        ASSERT_EQ(trace(PTRACE_SEIZE, child), 0);
        EXPECT_EQ(::kill(child, SIGUSR1), 0);
        EXPECT_EQ(next_stop(child), stopped_by(SIGUSR1));
        EXPECT_EQ(trace(PTRACE_CONT, child, 0, long(SIGTERM)), 0);
        EXPECT_EQ(next_stop(child), killed_by(SIGTERM)); // hears of the end first
        EXPECT_ERROR(::waitpid(child, nullptr, __WALL), ECHILD);
    });
    EXPECT_EQ(wait_for(tracer), exited(0));
    EXPECT_EQ(wait_for(child), killed_by(SIGTERM));
}

TEST(Ptrace, a_tracers_end_sets_its_tracees_free)
{
    pid_t child = start_pausing();
    pid_t tracer = start([&] {
        ASSERT_EQ(trace(PTRACE_ATTACH, child), 0);
        EXPECT_EQ(next_stop(child), stopped_by(SIGSTOP));
    });
    EXPECT_EQ(wait_for(tracer), exited(0));
    EXPECT_EQ(::waitpid(child, nullptr, WNOHANG), 0);
    EXPECT_EQ(::kill(child, SIGTERM), 0);
    EXPECT_EQ(wait_for(child), killed_by(SIGTERM));
}

TEST(Ptrace, exitkill_takes_the_tracees_along)
{
    pid_t child = start_pausing();
    pid_t tracer = start([&] { ASSERT_EQ(trace(PTRACE_SEIZE, child, 0, long(PTRACE_O_EXITKILL)), 0); });
    EXPECT_EQ(wait_for(tracer), exited(0));
    EXPECT_EQ(wait_for(child), killed_by(SIGKILL));
}

TEST(Ptrace, another_users_process_is_eperm)
{
    NEEDS_ROOT();
    pid_t child = start_pausing();
    as_ordinary_user([&] {
        EXPECT_EQ(trace(PTRACE_ATTACH, child), -EPERM);
        EXPECT_EQ(trace(PTRACE_SEIZE, child), -EPERM);
    });
    EXPECT_EQ(::kill(child, SIGKILL), 0);
    EXPECT_EQ(wait_for(child), killed_by(SIGKILL));
}

TEST(Ptrace, signal_mask_and_queue)
{
    pid_t child = start_traced([] {
        block_signals({ SIGUSR1, SIGRTMIN });
        ::raise(SIGUSR1);
        ::raise(SIGRTMIN);
        ::raise(SIGTRAP);
        ::_exit(0);
    });
    EXPECT_EQ(trace(PTRACE_CONT, child), 0);
    EXPECT_EQ(next_stop(child), stopped_by(SIGTRAP));
    std::uint64_t mask = 0;
    EXPECT_EQ(trace(PTRACE_GETSIGMASK, child, 4, &mask), -EINVAL);
    EXPECT_EQ(trace(PTRACE_GETSIGMASK, child, 8, &mask), 0);
    EXPECT_EQ(mask, 1ull << (SIGUSR1 - 1) | 1ull << (SIGRTMIN - 1));
    siginfo_t infos[3] {};
    __ptrace_peeksiginfo_args args { 0, 0, 3 };
    EXPECT_EQ(trace(PTRACE_PEEKSIGINFO, child, reinterpret_cast<unsigned long>(&args), infos), 2);
    EXPECT_EQ(infos[0].si_signo, SIGUSR1);
    EXPECT_EQ(infos[1].si_signo, SIGRTMIN);
    args = { 1, 0, 3 };
    EXPECT_EQ(trace(PTRACE_PEEKSIGINFO, child, reinterpret_cast<unsigned long>(&args), infos), 1);
    args = { 0, 0, -1 };
    EXPECT_EQ(trace(PTRACE_PEEKSIGINFO, child, reinterpret_cast<unsigned long>(&args), infos), -EINVAL);
    mask = 1ull << (SIGRTMIN - 1);
    EXPECT_EQ(trace(PTRACE_SETSIGMASK, child, 8, &mask), 0);
    EXPECT_EQ(trace(PTRACE_CONT, child), 0);
    EXPECT_EQ(next_stop(child), stopped_by(SIGUSR1)); // no longer blocked
    EXPECT_EQ(trace(PTRACE_CONT, child), 0);
    EXPECT_EQ(next_stop(child), exited(0));
}

} // namespace
} // namespace abi_test
