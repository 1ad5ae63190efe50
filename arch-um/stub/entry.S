// SPDX-License-Identifier: GPL-2.0-or-later
// The part of the stub image that runs beside guest code: the signal entry of guest threads and the service loop of
// the leader. Guest code can jump to any byte of it with any registers. That gains nothing: each `syscall` below is
// filtered like the guest's own (stub_filter in filter.cpp), except rt_sigreturn, which changes the caller only.
#include "arch-um/stub/layout.h"

#define SYS_EXIT 60
#define SYS_RT_SIGRETURN 15
#define SYS_PRCTL 157
#define PR_SET_TSC 26
#define SYS_ARCH_PRCTL 158
#define SYS_SECCOMP 317
#define SYS_KILL 62
#define SIGSTOP 19
#define SYS_MUNMAP 11
#define ARCH_SET_GS 0x1001
#define ARCH_SET_FS 0x1002
#define SERVICE_LISTENER (8 + 64 * 56)
#define OP_SIZE 56
/* Rounds that a handed-over call is waited for before the thread sleeps: some 20 to 50 microseconds. */
#define PATIENCE 1000

    .section .text.head, "ax", @progbits
    .globl image_start
image_start:
    jmp zygote_entry

// The system calls at addresses that the filter knows. rbx: where to go on.
    .org STUB_OP_CALL
op_call:
    syscall
    jmp *%rbx
    .org STUB_REPORT_CALL
report_call:
    syscall
    jmp report_answered
    .org STUB_SIGRETURN_CALL
sigreturn_call:
    syscall
    ud2
    .org STUB_BREAKPOINT
    int3
    ud2

// A call handed over through the slot, whose address is in r11; rcx: where the gate goes on, with its own `syscall` just
// before. The other registers are the guest's, and stay so but for rax. No stack is used: the guest's has a red zone.
// Interrupted before the xchg, nothing has happened; afterwards the slot's state tells how far the call has come.
    .org STUB_PATCHED_CALL
    mov %rcx, STUB_CALL_RETURN(%r11)
    mov %rax, STUB_CALL_NUMBER(%r11)
    mov %rdi, STUB_CALL_ARGUMENTS(%r11)
    mov %rsi, (STUB_CALL_ARGUMENTS + 8)(%r11)
    mov %rdx, (STUB_CALL_ARGUMENTS + 16)(%r11)
    mov %r10, (STUB_CALL_ARGUMENTS + 24)(%r11)
    mov %r8, (STUB_CALL_ARGUMENTS + 32)(%r11)
    mov %r9, (STUB_CALL_ARGUMENTS + 40)(%r11)
    mov $STUB_CALL_REQUESTED, %ecx
    jmp patched_call_made
    .org STUB_PATCHED_CALL_MADE
patched_call_made:
    xchg %ecx, STUB_CALL_STATE(%r11)
    // The kernel looks here once more after it has stopped watching: one of both sees it.
    cmpl $0, STUB_CALL_WATCHED(%r11)
    jne wait_again
    mov $STUB_CALL_REQUESTED, %eax
    jmp take_back
wait_again:
    mov $PATIENCE, %ecx
wait_for_answer:
    mov STUB_CALL_STATE(%r11), %eax
    cmp $STUB_CALL_DONE, %eax
    jae answered
    cmp $STUB_CALL_PARKED, %eax
    je sleep
    pause
    dec %ecx
    jnz wait_for_answer
    cmp $STUB_CALL_TAKEN, %eax
    jne not_taken
    // It takes long: the CPU is left to others. The kernel may say so before. The gate's own call waits for the answer.
    mov $STUB_CALL_PARKED, %ecx
    lock cmpxchg %ecx, STUB_CALL_STATE(%r11)
    jne wait_again
sleep:
    mov $STUB_PARK, %eax
    jmp call_by_gate
not_taken:
    cmp $STUB_CALL_REQUESTED, %eax
    jne wait_again
take_back:
    mov $STUB_CALL_IDLE, %ecx
    lock cmpxchg %ecx, STUB_CALL_STATE(%r11)
    jne wait_again
refused:
    mov STUB_CALL_NUMBER(%r11), %rax
call_by_gate:
    mov STUB_CALL_RETURN(%r11), %rcx
    sub $2, %rcx
    jmp *%rcx
answered:
    jne refused
    mov STUB_CALL_RESULT(%r11), %rax
    mov STUB_CALL_RETURN(%r11), %rcx
    jmp *%rcx
    .org STUB_PATCHED_CALL_END

// A signal on a guest thread: its own alternate stack, all signals masked, rdi = number, rsi = siginfo, rdx =
// ucontext. They travel in the report's argument registers, where no other thread can change them, with the bases.
    .globl signal_entry_fsgsbase
signal_entry_fsgsbase:
    rdfsbase %r10
    rdgsbase %r8
    jmp report
// The same where the host does not let us read the bases: the kernel keeps account of them.
    .globl signal_entry
signal_entry:
    xor %r10d, %r10d
    xor %r8d, %r8d
report:
    mov %rsp, %r9
    mov $STUB_REPORT, %eax
    jmp report_call

// rsp is the frame's lowest address, in the thread's area: the kernel may have rewritten all of it.
report_answered:
    cmp $STUB_RESUME, %eax
    je resume
    mov %rsp, %rcx
    or $(STUB_AREA_SIZE - 1), %rcx
    mov (1 - STUB_AREA_BASES)(%rcx), %rsi
    mov (9 - STUB_AREA_BASES)(%rcx), %r12
    cmp $STUB_SET_COUNTER, %eax
    je set_counter
    cmp $STUB_RESUME_WITH_BASES, %eax
    jne set_bases_by_calls
    wrfsbase %rsi
    wrgsbase %r12
resume:
    add $8, %rsp // the return address that a handler would pop
    mov $SYS_RT_SIGRETURN, %eax
    jmp sigreturn_call

set_bases_by_calls:
    mov $ARCH_SET_FS, %edi
    lea 1f(%rip), %rbx
    jmp base_call
1:  mov %r12, %rsi
    mov $ARCH_SET_GS, %edi
    lea resume(%rip), %rbx
base_call:
    mov $SYS_ARCH_PRCTL, %eax
two_argument_call:
    xor %edx, %edx
    xor %r10d, %r10d
    xor %r8d, %r8d
    xor %r9d, %r9d
    jmp op_call

// Whether the thread may read the time stamp counter. The result goes into the report, in place of the siginfo.
set_counter:
    mov $PR_SET_TSC, %edi
    mov $SYS_PRCTL, %eax
    lea 1f(%rip), %rbx
    jmp two_argument_call
1:  mov %rax, %rsi
    xor %edi, %edi
    jmp signal_entry

// The leader: r15 the service page, r14 operations done, r12 the next one, r13 how many. It has no stack (rsp 0): a
// guest thread that it clones has one, and is known by that. The kernel compares each call with its own copy of
// the batch, so it does not matter what guest code makes of the page.
    .globl service_start
service_start:
    xor %esp, %esp
    movabs $STUB_SERVICE, %r15
    xor %r14d, %r14d
    xor %eax, %eax
park:
    mov %rax, %rdx
    mov %r14, %rsi
    xor %edi, %edi
    xor %r10d, %r10d
    xor %r8d, %r8d
    xor %r9d, %r9d
    mov $STUB_REPORT, %eax
    lea batch(%rip), %rbx
    jmp op_call
batch:
    xor %r14d, %r14d
    xor %eax, %eax
    mov (%r15), %r13d
    lea 8(%r15), %r12
next_op:
    cmp %r13d, %r14d
    jae park
    mov (%r12), %rax
    mov 8(%r12), %rdi
    mov 16(%r12), %rsi
    mov 24(%r12), %rdx
    mov 32(%r12), %r10
    mov 40(%r12), %r8
    mov 48(%r12), %r9
    lea op_done(%rip), %rbx
    jmp op_call
op_done:
    test %rsp, %rsp
    jnz new_thread
    cmp $-4095, %rax
    jae park
    add $1, %r14d
    add $OP_SIZE, %r12
    jmp next_op

// A guest thread's first instruction: report, with no signal, and wait for the frame to resume from.
new_thread:
    xor %edi, %edi
    xor %esi, %esi
    xor %edx, %edx
    jmp signal_entry

// The last steps of a new stub, without a stack: it is unmapped here (rdi its address, rsi its size), then the filter
// goes up (r12 its flags, r13 the sock_fprog) and the stub is what it will always be. Jumps in from zygote.cpp.
// A traced stub has no filter: it (r14 its process id) stops for its tracer, and is never resumed without one.
    .globl become_stub
become_stub:
    xor %esp, %esp
    mov $SYS_MUNMAP, %eax
    syscall
    test %r13, %r13
    jz stop_for_tracer
    mov $SYS_SECCOMP, %eax
    mov $1, %edi // SECCOMP_SET_MODE_FILTER
    mov %r12, %rsi
    mov %r13, %rdx
    syscall
    movabs $(STUB_SERVICE + SERVICE_LISTENER), %rcx
    mov %eax, (%rcx)
    test %eax, %eax
    jns service_start
    mov $SYS_EXIT, %eax
    mov $1, %edi
    syscall
    ud2
stop_for_tracer:
    mov $SYS_KILL, %eax
    mov %r14, %rdi
    mov $SIGSTOP, %esi
    syscall
    ud2

    .section .note.GNU-stack, "", @progbits
