// SPDX-License-Identifier: GPL-2.0-or-later
// Attacks on what holds the guest: the stub's code, its pages that the guest can write, its addresses as arguments, and the
// entries into the host that are no system call of x86-64 Linux. The paths that a host call would create are looked for
// by the driver: HOSTILE_PATH names one that exists in the host only.
#include "tests/hostile/guest.h"

#include <cerrno>
#include <csetjmp>
#include <cstring>
#include <thread>

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "arch-um/stub/layout.h"

extern "C" {
/// Calls `target` with the registers of a system call; whatever it does to them, what the caller needs is restored.
long hostile_jump(unsigned long target, long number, long a, long b, long c, long d);
extern unsigned long hostile_saved_stack;
}
asm(R"(
    .bss
    .globl hostile_saved_stack
    .balign 8
hostile_saved_stack: .skip 8
    .text
    .globl hostile_jump
hostile_jump:
    push %rbx; push %rbp; push %r12; push %r13; push %r14; push %r15
    mov %rsp, hostile_saved_stack(%rip)
    mov %rdi, %r11
    mov %rsi, %rax
    mov %rdx, %rdi
    mov %rcx, %rsi
    mov %r8, %rdx
    mov %r9, %r10
    lea 1f(%rip), %rbx
    mov %rbx, %rcx
    call *%r11
1:  mov hostile_saved_stack(%rip), %rsp
    cld
    pop %r15; pop %r14; pop %r13; pop %r12; pop %rbp; pop %rbx
    ret
)");

namespace hostile {
namespace {

using namespace umbra;

char const* host_path()
{
    char const* path = getenv("HOSTILE_PATH");
    return path ? path : "/nonexistent/hostile";
}

sigjmp_buf back;

/// Every signal that an attack on itself may raise leads back to the attack.
void catch_everything()
{
    static char stack[65536];
    stack_t alternate {};
    alternate.ss_sp = stack;
    alternate.ss_size = sizeof stack;
    sigaltstack(&alternate, nullptr);
    struct sigaction action { };
    action.sa_handler = [](int) { siglongjmp(back, 1); };
    action.sa_flags = SA_ONSTACK | SA_NODEFER;
    for (int signal : { SIGSEGV, SIGBUS, SIGILL, SIGTRAP, SIGFPE, SIGSYS, SIGALRM })
        sigaction(signal, &action, nullptr);
}

/// Endless loops are interrupted.
void set_alarm(long microseconds)
{
    itimerval const value { { 0, microseconds }, { 0, microseconds } };
    setitimer(ITIMER_REAL, &value, nullptr);
}

struct Range {
    uint64_t start, size, step;
};

/// Where a stub has, or could have, something mapped.
constexpr Range kRanges[] = {
    { stub::kImage, 2 * 4096, 1 },
    { stub::kService, 4096, 16 },
    { stub::kAreas, 2 * stub::kAreaSize, 64 },
    { stub::kHostVdso - 4 * 4096, 4 * 4096, 256 },
    { stub::kHostVdso, 4 * 4096, 1 },
    { stub::kHostVdso + 4 * 4096, 8 * 4096, 3 },
    { stub::kControl, 4096, 512 },
    { stub::kZygoteStack, 8192, 512 },
    { stub::kStaging, 8192, 512 },
};

void jump_once(uint64_t target)
{
    if (sigsetjmp(back, 1)) return;
    set_alarm(3000);
    hostile_jump(target, SYS_creat, long(host_path()), 0644, 0, 0);
}

// --- Addresses of the stub as arguments.

void expect(bool good, char const* what, uint64_t address)
{
    if (!good) fail("%s at %#lx was not refused: %s", what, address, std::strerror(errno));
}

void map_over(uint64_t address)
{
    auto* there = reinterpret_cast<void*>(address);
    int const anonymous = MAP_PRIVATE | MAP_ANONYMOUS;
    expect(mmap(there, 4096, PROT_READ, anonymous | MAP_FIXED, -1, 0) == MAP_FAILED, "mmap", address);
    expect(mmap(there, 4096, PROT_READ, anonymous | MAP_FIXED_NOREPLACE, -1, 0) == MAP_FAILED,
        "mmap without replacing", address);
    void* const hinted = mmap(there, 4096, PROT_READ, anonymous, -1, 0);
    expect(hinted != MAP_FAILED && uint64_t(hinted) + 4096 <= stub::kZone, "a hint", address);
    expect(
        mremap(hinted, 4096, 4096, MREMAP_MAYMOVE | MREMAP_FIXED, there) == MAP_FAILED, "mremap to", address);
    expect(mremap(there, 4096, 8192, MREMAP_MAYMOVE) == MAP_FAILED, "mremap of", address);
    munmap(hinted, 4096);
    munmap(there, 4096); // EINVAL, or nothing to do; what counts is that the next call still works
    expect(mprotect(there, 4096, PROT_READ | PROT_WRITE | PROT_EXEC) != 0, "mprotect", address);
    expect(madvise(there, 4096, MADV_DONTNEED) != 0, "madvise", address);
    expect(raw_call(SYS_msync, long(there), 4096, MS_SYNC) < 0, "msync", address);
    expect(raw_call(SYS_mlock, long(there), 4096) < 0, "mlock", address);
    expect(raw_call(SYS_brk, long(there)) < long(stub::kZone), "brk", address);
}

void hand_over(uint64_t address)
{
    auto* there = reinterpret_cast<void*>(address);
    int ends[2];
    if (pipe(ends) != 0 || write(ends[1], "x", 1) != 1) fail_errno("pipe");
    expect(raw_call(SYS_read, ends[0], long(there), 1) == -EFAULT, "read", address);
    expect(raw_call(SYS_write, ends[1], long(there), 1) == -EFAULT, "write", address);
    expect(raw_call(SYS_open, long(there), O_RDONLY) == -EFAULT, "open", address);
    expect(raw_call(SYS_uname, long(there)) == -EFAULT, "uname", address);
    expect(raw_call(SYS_futex, long(there), 0 /* FUTEX_WAIT */, 0, 0) == -EFAULT, "futex", address);
    expect(raw_call(SYS_execve, long(there), 0, 0) == -EFAULT, "execve", address);
    close(ends[0]);
    close(ends[1]);
}

void write_through_files(uint64_t address)
{
    int const memory = open("/proc/self/mem", O_RDWR);
    if (memory < 0) fail_errno("/proc/self/mem");
    char word[8] = "AAAAAAA";
    expect(pwrite(memory, word, sizeof word, off_t(address)) < 0, "a write through /proc/self/mem", address);
    expect(pread(memory, word, sizeof word, off_t(address)) < 0, "a read through /proc/self/mem", address);
    close(memory);
    iovec const here { word, sizeof word }, there { reinterpret_cast<void*>(address), sizeof word };
    expect(process_vm_writev(getpid(), &here, 1, &there, 1, 0) < 0, "process_vm_writev", address);
    expect(process_vm_readv(getpid(), &here, 1, &there, 1, 0) < 0, "process_vm_readv", address);
    char line[512];
    FILE* const maps = fopen("/proc/self/maps", "r");
    while (maps && fgets(line, sizeof line, maps)) {
        unsigned long start = 0;
        if (std::sscanf(line, "%lx-", &start) == 1 && start >= stub::kZone && !std::strstr(line, "vsyscall"))
            fail("/proc/self/maps shows the stub: %s", line);
    }
    if (maps) fclose(maps);
}

/// A signal stack in the stub's pages: the kernel must not write there on the guest's behalf.
void stand_on(uint64_t address)
{
    int const status = in_child([address] {
        stack_t stack {};
        stack.ss_sp = reinterpret_cast<void*>(address);
        stack.ss_size = 16384;
        struct sigaction action { };
        action.sa_handler = [](int) { _exit(3); };
        action.sa_flags = SA_ONSTACK;
        sigaction(SIGUSR1, &action, nullptr);
        if (sigaltstack(&stack, nullptr) == 0) raise(SIGUSR1);
    });
    expect(!WIFEXITED(status) || WEXITSTATUS(status) != 3, "a signal frame", address);
}

// --- Scribbling.

/// What a scribbler puts into the stub's pages.
void fill(volatile uint64_t* words, unsigned count, unsigned pattern)
{
    for (unsigned i = 0; i < count; ++i) {
        switch (pattern % 5) {
        case 0:
            words[i] = 0;
            break;
        case 1:
            words[i] = ~uint64_t { 0 };
            break;
        case 2: // the words of an operation that nobody ordered
            words[i] = i % 7 == 0 ? SYS_creat : i % 7 == 1 ? uint64_t(host_path()) : 0644;
            break;
        case 3:
            words[i] = stub::kImage + i % 128;
            break;
        default:
            words[i] = words[i] ^ (uint64_t { 1 } << (i % 64));
        }
    }
}

/// Another thread has the kernel at work on this address space, as it is being scribbled over.
void keep_the_kernel_busy(std::atomic<bool> const& stop)
{
    while (!stop) {
        void* const memory = mmap(nullptr, 65536, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (memory == MAP_FAILED) continue;
        *static_cast<volatile char*>(memory) = 1;
        mprotect(memory, 4096, PROT_READ);
        munmap(memory, 65536);
        pid_t const child = fork();
        if (child == 0) _exit(0);
        if (child > 0) waitpid(child, nullptr, 0);
    }
}

void scribble(unsigned round)
{
    std::atomic<bool> stop = false;
    std::thread busy([&] { keep_the_kernel_busy(stop); });
    uint64_t const targets[] = { stub::kService, stub::kAreas, stub::kAreas + stub::kAreaSize,
        stub::kAreas + stub::kAreaSize - 4096, stub::kAreas + 2 * stub::kAreaSize - 4096 };
    uint64_t const target = targets[round % 5];
    for (unsigned i = 0; i < 2000; ++i)
        fill(reinterpret_cast<volatile uint64_t*>(target), 512, round / 5);
    stop = true;
    busy.join();
}

/// The number of operations that the leader is to execute is the page's first word: with none, it takes nothing away.
/// Which call it is that the other thread makes shows what must have been taken away.
void leave_out(unsigned round)
{
    std::atomic<bool> stop = false;
    std::thread scribbler([&] {
        while (!stop)
            *reinterpret_cast<volatile uint32_t*>(stub::kService) = 0;
    });
    catch_everything();
    for (unsigned i = 0; i < 200; ++i) {
        auto* const memory = static_cast<volatile char*>(
            mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
        if (memory == MAP_FAILED || sigsetjmp(back, 1)) continue;
        memory[0] = 1;
        bool const gone = (round + i) % 2;
        auto* const page = const_cast<char*>(memory);
        if ((gone ? munmap(page, 4096) : mprotect(page, 4096, PROT_READ)) != 0) continue;
        if (sigsetjmp(back, 1)) continue; // as it should be
        memory[1] = 2;
        fail("a page can be written after %s", gone ? "munmap" : "mprotect");
    }
    stop = true;
    scribbler.join();
}

// --- Other ways in.

constexpr unsigned char kInt80[]
    = { 0xb8, 8, 0, 0, 0, 0xcd, 0x80, 0xc3 }; // mov eax, 8 (creat); int 0x80; ret
constexpr unsigned char kSysenter[] = { 0xb8, 8, 0, 0, 0, 0x0f, 0x34, 0xc3 };

void run_code(unsigned char const* code, size_t size)
{
    void* const page
        = mmap(nullptr, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (page == MAP_FAILED) fail_errno("mmap of code");
    std::memcpy(page, code, size);
    if (!sigsetjmp(back, 1)) hostile_jump(uint64_t(page), SYS_creat, long(host_path()), 0644, 0, 0);
    munmap(page, 4096);
}

} // namespace

void jump_into_the_stub()
{
    under_way();
    for (Range const& range : kRanges)
        in_children(unsigned(range.size / range.step), [&](unsigned i) {
            catch_everything();
            jump_once(range.start + i * range.step);
        });
}

void scribble_over_the_stub()
{
    under_way();
    in_children(50, scribble);
}

void leave_out_operations()
{
    under_way();
    auto& failed = shared<std::atomic<bool>>();
    in_children(20, [&](unsigned round) {
        pid_t const child = fork();
        if (child == 0) leave_out(round), _exit(0);
        int const status = wait_for(child);
        if (WIFEXITED(status) && WEXITSTATUS(status) != 0) failed = true;
    });
    if (failed) fail("operations were left out");
}

void reach_for_the_stub()
{
    under_way();
    for (Range const& range : kRanges) {
        if (range.start < stub::kZone) continue;
        for (uint64_t address : { range.start, range.start + range.size - 4096 }) {
            map_over(address);
            hand_over(address + 8);
            write_through_files(address + 16);
            stand_on(address);
        }
    }
    // From the guest's last page into the stub's first.
    auto* const edge = reinterpret_cast<void*>(stub::kZone - 4096);
    expect(mmap(edge, 8192, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == MAP_FAILED,
        "mmap across", stub::kZone);
    expect(munmap(edge, 8192) != 0, "munmap across", stub::kZone);
    expect(mprotect(edge, 8192, PROT_READ) != 0, "mprotect across", stub::kZone);
    expect(munmap(nullptr, ~size_t { 4095 }) != 0, "munmap of everything", 0);
}

void host_numbers()
{
    under_way();
    catch_everything();
    for (long number = 0; number < 512; ++number) {
        // x32; a number with high bits, which Linux cuts off or refuses; negative ones.
        long const attempts[]
            = { 0x40000000 | number, 0x80000000 | number, -1 - number, 1000 + number, 0x70005000 + number };
        for (long attempt : attempts) {
            long const result = raw_call(attempt, long(host_path()), 0644);
            if (result != -ENOSYS) fail("call %#lx gave %ld", attempt, result);
        }
    }
    // The number that the stub's own report has.
    for (long word = 0; word < 64; ++word)
        if (long const result
            = raw_call(stub::kReportNumber, word, word, word, word, word, long(stub::kAreas));
            result != -ENOSYS)
            fail("the number of reports gave %ld", result);
    for (int i = 0; i < 20; ++i) {
        run_code(kInt80, sizeof kInt80);
        run_code(kSysenter, sizeof kSysenter);
    }
    for (uint64_t entry = 0xffffffffff600000; entry < 0xffffffffff601000; entry += 0x400)
        if (!sigsetjmp(back, 1)) hostile_jump(entry, SYS_creat, long(host_path()), 0644, 0, 0);
}

} // namespace hostile
