// SPDX-License-Identifier: GPL-2.0-or-later
// Panic output. Everything is written with plain host calls into fixed buffers: the heap may be what is
// broken. The variables here are process-wide on purpose, as core/base/panic.cpp explains.
#include "arch-um/boot/panic.h"

#include <sys/mman.h>
#include <sys/syscall.h>
#include <ucontext.h>

#include <atomic>
#include <csignal>
#include <cstdarg>
#include <cstdio>
#include <cstdlib>

#include "arch-um/boot/host-text.h"
#include "arch-um/boot/symbols.h"
#include "core/base/panic.h"
#include "core/kernel.h"
#include "core/syscall/names.h"
#include "core/task/scheduler.h"
#include "core/task/task.h"
#include "hostabi/host-call.h"
#include "hostabi/process.h"
#include "hostabi/terminal.h"

namespace umbra::boot {

namespace {
constexpr int kFaultSignals[] = { SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT };
constexpr size_t kPanicStackSize = 64 << 10;
constexpr int kMaxFrames = 64;
constexpr int kErrorFd = 2;

Kernel const* panic_kernel = nullptr;
PanicTexts panic_texts {};
std::atomic<bool> panicking { false };

__attribute__((format(printf, 1, 2))) void say(char const* format, ...)
{
    char line[768];
    va_list arguments;
    va_start(arguments, format);
    int length = std::vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    if (length < 0) return;
    size_t kept = size_t(length) < sizeof line ? size_t(length) : sizeof line - 1;
    (void)hostabi::host_call(SYS_write, kErrorFd, line, kept);
}

/// Reads two words of this process's memory without trusting the address.
bool read_frame(u64 address, u64 words[2])
{
    struct Vector {
        void* base;
        size_t length;
    };
    Vector local { words, 16 };
    Vector remote { reinterpret_cast<void*>(address), 16 }; // a number that only the host follows
    return hostabi::host_call(SYS_process_vm_readv, hostabi::process::own_pid(), &local, 1, &remote, 1, 0)
        == 16;
}

void say_frame(int index, u64 address, Symbols const& symbols)
{
    char name[256];
    u64 offset = 0;
    if (symbols.find(address, name, sizeof name, offset))
        say("  #%-2d %#018lx %s+%#lx\n", index, address - symbols.base(), name, offset);
    else
        say("  #%-2d %#018lx\n", index, address);
}

/// Every object of the build keeps its frame pointer; the walk ends at the first frame that does not look
/// like one.
void say_backtrace(u64 instruction, u64 frame)
{
    Symbols symbols;
    say("backtrace (addresses as in the file, for addr2line):\n");
    say_frame(0, instruction, symbols);
    for (int i = 1; i < kMaxFrames && frame && frame % 8 == 0; ++i) {
        u64 words[2];
        if (!read_frame(frame, words) || words[1] < 4096) return;
        say_frame(i, words[1] - 1, symbols); // of the call, not of what follows it
        if (words[0] <= frame) return;
        frame = words[0];
    }
}

void say_task()
{
    // Of the vCPU that holds the kernel lock: nearly always this one.
    Task* task = panic_kernel ? panic_kernel->scheduler().active().running() : nullptr;
    if (!task) {
        say("task: none (host thread %d)\n", hostabi::process::own_tid());
        return;
    }
    say("task: %d \"%s\" of process %d (host thread %d)\n", task->tid().value, task->name().c_str(),
        task->pid().value, hostabi::process::own_tid());
    if (!task->in_syscall) return;
    SyscallText const* text = syscall_text(task->trap.number);
    u64 const* a = task->trap.args;
    say("in system call %ld %s(%#lx, %#lx, %#lx, %#lx, %#lx, %#lx) from %#lx\n", task->trap.number,
        text ? text->name.data() : "?", a[0], a[1], a[2], a[3], a[4], a[5], task->trap.instruction);
}

void say_registers(greg_t const* r)
{
    say("rip %016llx rsp %016llx rbp %016llx flags %08llx\n", r[REG_RIP], r[REG_RSP], r[REG_RBP], r[REG_EFL]);
    say("rax %016llx rbx %016llx rcx %016llx rdx %016llx\n", r[REG_RAX], r[REG_RBX], r[REG_RCX], r[REG_RDX]);
    say("rsi %016llx rdi %016llx r8  %016llx r9  %016llx\n", r[REG_RSI], r[REG_RDI], r[REG_R8], r[REG_R9]);
    say("r10 %016llx r11 %016llx r12 %016llx r13 %016llx\n", r[REG_R10], r[REG_R11], r[REG_R12], r[REG_R13]);
    say("r14 %016llx r15 %016llx err %016llx cr2 %016llx\n", r[REG_R14], r[REG_R15], r[REG_ERR], r[REG_CR2]);
}

/// Returns to the first that panics only: a second thread stays out of its way until the abort.
void begin_panic()
{
    if (!panicking.exchange(true)) {
        hostabi::restore_terminal();
        for (HostText const* text : panic_texts)
            if (text) text->write_rest_at_panic();
        return;
    }
    for (;;)
        (void)hostabi::host_call(SYS_pause);
}

[[noreturn]] void end_panic()
{
    std::signal(SIGABRT, SIG_DFL);
    std::abort();
}

void on_panic(char const* message)
{
    begin_panic();
    say("umbra: panic: %s\n", message);
    say_task();
    // One frame up: panic()'s own, whose return address is where things went wrong.
    say_backtrace(u64(__builtin_return_address(0)), *static_cast<u64*>(__builtin_frame_address(0)));
    end_panic();
}

void on_fault(int signal, siginfo_t* info, void* context)
{
    // A fault while the panic is being printed: what was said must do.
    if (panicking && signal != SIGABRT) end_panic();
    begin_panic();
    greg_t const* registers = static_cast<ucontext_t*>(context)->uc_mcontext.gregs;
    say("umbra: panic: the kernel got signal %d (code %d, address %p)\n", signal, info->si_code,
        info->si_addr);
    say_task();
    say_registers(registers);
    say_backtrace(u64(registers[REG_RIP]), u64(registers[REG_RBP]));
    end_panic();
}
} // namespace

void install_panic_stack()
{
    void* memory = ::mmap(
        nullptr, kPanicStackSize, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED) return; // the fault is then reported on the stack where it happened
    stack_t stack {};
    stack.ss_sp = memory;
    stack.ss_size = kPanicStackSize;
    (void)::sigaltstack(&stack, nullptr);
}

void install_panic_handlers()
{
    set_panic_hook(on_panic);
    install_panic_stack();
    struct sigaction action { };
    action.sa_sigaction = on_fault;
    action.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER;
    for (int signal : kFaultSignals)
        (void)::sigaction(signal, &action, nullptr);
}

void set_panic_kernel(Kernel const* kernel) { panic_kernel = kernel; }
void set_panic_texts(PanicTexts const& texts) { panic_texts = texts; }

} // namespace umbra::boot
