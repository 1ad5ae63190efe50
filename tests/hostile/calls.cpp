// SPDX-License-Identifier: GPL-2.0-or-later
// Attacks on calls that are handed over without a trap (core/platform/patched-calls.h): the page through which that goes,
// and the gates, belong to the attacker as all of its memory does.
#include "tests/hostile/guest.h"

#include <cerrno>
#include <cstring>
#include <thread>

#include <signal.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include "arch-um/stub/layout.h"
#include "core/platform/patched-calls.h"

extern "C" {
long hostile_hot_call(long number, long a, long b, long c);
/// Goes to an address with the registers of a system call, and comes back where a gate would.
long hostile_gate_call(long number, long a, long b, unsigned long address);
}
asm(R"(
    .text
    .balign 64
hostile_hot_call:
    mov %rdi, %rax
    mov %rsi, %rdi
    mov %rdx, %rsi
    mov %rcx, %rdx
    syscall
    cmp $-4096, %rax
    ret
    .balign 64
hostile_gate_call:
    mov %rdi, %rax
    mov %rsi, %rdi
    mov %rdx, %rsi
    mov %rcx, %rdx
    movabs $0x7ffe00100f00, %r11
    jmp *%rdx
)");

namespace hostile {
namespace {

using namespace umbra;

/// Where the kernel puts gates (core/mm/call-patches.h), with some room around.
constexpr unsigned long kGates = 0x200000, kGatesLength = 0x2000;

auto& slot_word(unsigned i) { return reinterpret_cast<std::atomic<uint64_t>*>(STUB_CALL_SLOT)[i]; }

uint64_t forged_value(Random& random)
{
    switch (random.below(6)) {
    case 0:
        return random.next();
    case 1:
        return kGates + random.below(kGatesLength);
    case 2: // a gate's return address, which is one that the kernel takes
        return kGates + random.below(4) * platform::kGateSize + platform::kGateReturn;
    case 3:
        return STUB_PATCHED_CALL + STUB_IMAGE + random.below(STUB_PATCHED_CALL_END - STUB_PATCHED_CALL);
    case 4:
        return random.below(512); // a call's number
    default:
        return random.below(8) | (random.below(3) << 32); // a state, and whether it is watched
    }
}

void scribble(Random& random)
{
    unsigned const word = unsigned(random.below(10));
    slot_word(word) = word == 0 ? random.below(8) | (random.below(2) << 32) : forged_value(random);
}

Random g_random(1);

/// Ends in whatever way: only what the kernel does about it counts.
void forge(unsigned step, bool by_thread)
{
    g_random = Random(step + 7);
    for (int signal : { SIGSEGV, SIGBUS, SIGILL, SIGTRAP, SIGFPE, SIGSYS })
        ::signal(signal, [](int) { _exit(1); });
    for (int i = 0; i < 2000; ++i)
        hostile_hot_call(SYS_getppid, 0, 0, 0);
    std::thread helper;
    if (by_thread) {
        helper = std::thread([random = Random(step + 99)]() mutable {
            for (;;)
                scribble(random);
        });
        helper.detach();
    } else {
        struct sigaction action { };
        action.sa_handler = [](int) { scribble(g_random); };
        sigaction(SIGALRM, &action, nullptr);
        itimerval const often { { 0, 150 }, { 0, 150 } };
        setitimer(ITIMER_REAL, &often, nullptr);
    }
    Random random(step + 3);
    for (int i = 0; i < 3000; ++i) {
        if (i % 3 == 0) scribble(random);
        hostile_hot_call(SYS_getppid, 0, 0, 0);
    }
    if (step % 3 == 0) {
        // Into the gates and what they lead to, at any byte; the kernel's own number among others.
        long const number = random.below(2) ? STUB_PARK : SYS_getppid;
        hostile_gate_call(
            number, 0, 0, random.below(2) ? kGates + random.below(kGatesLength) : forged_value(random));
    }
    _exit(0);
}

} // namespace

void forge_calls()
{
    under_way();
    for (unsigned step = 0; step < 60; ++step) {
        pid_t const child = fork();
        if (child < 0) fail_errno("fork");
        if (child == 0) forge(step, step % 4 == 3);
        // It may hang, for its call has been lost by its own doing.
        for (int looks = 0;; ++looks) {
            int status;
            pid_t const ended = waitpid(child, &status, WNOHANG);
            if (ended == child) break;
            if (ended < 0) fail_errno("waitpid");
            if (looks == 60) kill(child, SIGKILL);
            usleep(5000);
        }
        // This process did nothing wrong, and its own calls are as hot.
        long const parent = getppid();
        for (int i = 0; i < 3000; ++i)
            if (hostile_hot_call(SYS_getppid, 0, 0, 0) != parent) fail("getppid gave something else");
    }
}

} // namespace hostile
