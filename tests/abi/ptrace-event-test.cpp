// SPDX-License-Identifier: GPL-2.0-or-later
// ptrace(2): PTRACE_EVENT stops, PTRACE_SEIZE with PTRACE_INTERRUPT and PTRACE_LISTEN, tracing of threads.
#include "ptrace.h"

#include <pthread.h>
#include <sched.h>

namespace abi_test {
namespace {

long event_message(pid_t pid)
{
    long message = -1;
    EXPECT_EQ(trace(PTRACE_GETEVENTMSG, pid, 0, &message), 0);
    return message;
}

void set_options(pid_t pid, long options) { EXPECT_EQ(trace(PTRACE_SETOPTIONS, pid, 0, options), 0); }

TEST(PtraceEvent, fork_tells_the_child_and_traces_it)
{
    pid_t child = start_traced([] { EXPECT_EQ(wait_for(start([] { ::_exit(4); })), exited(4)); });
    set_options(child, PTRACE_O_TRACEFORK);
    EXPECT_EQ(trace(PTRACE_CONT, child), 0);
    EXPECT_EQ(next_stop(child), event_stop(PTRACE_EVENT_FORK));
    auto const grandchild = pid_t(event_message(child));
    EXPECT_EQ(next_stop(grandchild), stopped_by(SIGSTOP));
    EXPECT_EQ(trace(PTRACE_CONT, child), 0);
    EXPECT_EQ(trace(PTRACE_CONT, grandchild), 0);
    EXPECT_EQ(next_stop(grandchild), exited(4)); // the tracer first, the parent after it
    EXPECT_EQ(next_stop(child), stopped_by(SIGCHLD));
    EXPECT_EQ(trace(PTRACE_CONT, child, 0, long(SIGCHLD)), 0);
    EXPECT_EQ(next_stop(child), exited(0));
}

TEST(PtraceEvent, vfork_and_its_end)
{
    pid_t child = start_traced([] {
        pid_t inner = pid_t(::syscall(SYS_clone, CLONE_VFORK | SIGCHLD, 0, 0, 0, 0));
        if (inner == 0) ::_exit(0);
        EXPECT_EQ(wait_for(inner), exited(0));
    });
    set_options(child, PTRACE_O_TRACEVFORK | PTRACE_O_TRACEVFORKDONE);
    EXPECT_EQ(trace(PTRACE_CONT, child), 0);
    EXPECT_EQ(next_stop(child), event_stop(PTRACE_EVENT_VFORK));
    auto const inner = pid_t(event_message(child));
    EXPECT_EQ(next_stop(inner), stopped_by(SIGSTOP));
    EXPECT_EQ(trace(PTRACE_DETACH, inner), 0);
    EXPECT_EQ(trace(PTRACE_CONT, child), 0);
    EXPECT_EQ(next_stop(child), event_stop(PTRACE_EVENT_VFORK_DONE));
    EXPECT_EQ(event_message(child), inner);
    EXPECT_EQ(trace(PTRACE_DETACH, child), 0);
    EXPECT_EQ(wait_for(child), exited(0));
}

TEST(PtraceEvent, exec_with_and_without_the_option)
{
    for (long options : { 0L, long(PTRACE_O_TRACEEXEC) }) {
        pid_t child = start_traced([] {
            ::execl("/proc/self/exe", "abi-tests", "--helper", "exit", "7", nullptr);
            ::_exit(99);
        });
        set_options(child, options);
        EXPECT_EQ(trace(PTRACE_CONT, child), 0);
        EXPECT_EQ(next_stop(child), options ? event_stop(PTRACE_EVENT_EXEC) : stopped_by(SIGTRAP));
        if (options) {
            EXPECT_EQ(event_message(child), child);
        }
        EXPECT_EQ(registers_of(child).orig_rax, static_cast<unsigned long>(SYS_execve));
        end_tracee(child);
    }
}

TEST(PtraceEvent, exit_stops_before_the_end)
{
    pid_t child = start_traced([] { ::_exit(9); });
    set_options(child, PTRACE_O_TRACEEXIT);
    EXPECT_EQ(trace(PTRACE_CONT, child), 0);
    EXPECT_EQ(next_stop(child), event_stop(PTRACE_EVENT_EXIT));
    EXPECT_EQ(event_message(child), exited(9));
    EXPECT_NE(registers_of(child).rip, 0u); // it is all there still
    EXPECT_EQ(trace(PTRACE_CONT, child), 0);
    EXPECT_EQ(next_stop(child), exited(9));
}

TEST(PtraceEvent, sigkill_does_not_end_the_exit_stop)
{
    pid_t child = start_traced([] { ::_exit(9); });
    set_options(child, PTRACE_O_TRACEEXIT);
    EXPECT_EQ(trace(PTRACE_CONT, child), 0);
    EXPECT_EQ(next_stop(child), event_stop(PTRACE_EVENT_EXIT));
    EXPECT_EQ(::kill(child, SIGKILL), 0);
    EXPECT_EQ(trace(PTRACE_CONT, child), 0);
    EXPECT_EQ(next_stop(child), exited(9));
}

void* idle(void*) { return nullptr; }

TEST(PtraceEvent, threads_are_traced_and_their_ends_told)
{
    pid_t child = start_traced([] {
        pthread_t thread;
        ASSERT_EQ(::pthread_create(&thread, nullptr, idle, nullptr), 0);
        ASSERT_EQ(::pthread_join(thread, nullptr), 0);
    });
    set_options(child, PTRACE_O_TRACECLONE);
    EXPECT_EQ(trace(PTRACE_CONT, child), 0);
    EXPECT_EQ(next_stop(child), event_stop(PTRACE_EVENT_CLONE));
    auto const thread = pid_t(event_message(child));
    EXPECT_NE(thread, child);
    EXPECT_EQ(next_stop(thread), stopped_by(SIGSTOP));
    EXPECT_NE(registers_of(thread).rip, 0u);
    EXPECT_EQ(trace(PTRACE_CONT, thread), 0);
    EXPECT_EQ(trace(PTRACE_CONT, child), 0);
    EXPECT_EQ(next_stop(thread), exited(0));
    EXPECT_EQ(next_stop(child), exited(0));
}

TEST(PtraceEvent, seize_checks_its_arguments)
{
    pid_t child = start([] {
        for (;;)
            ::pause();
    });
    EXPECT_EQ(trace(PTRACE_SEIZE, child, 1), -EIO);
    EXPECT_EQ(trace(PTRACE_SEIZE, child, 0, 0x4000L), -EIO);
    EXPECT_EQ(trace(PTRACE_SEIZE, child, 0, long(PTRACE_O_TRACESYSGOOD)), 0);
    EXPECT_EQ(::waitpid(child, nullptr, WNOHANG | __WALL), 0); // it was not stopped
    end_tracee(child);
}

TEST(PtraceEvent, interrupt_stops_a_seized_thread)
{
    pid_t child = start([] {
        for (;;)
            ::pause();
    });
    ASSERT_EQ(trace(PTRACE_SEIZE, child), 0);
    wait_until_sleeping(child);
    EXPECT_EQ(trace(PTRACE_INTERRUPT, child), 0);
    EXPECT_EQ(next_stop(child), event_stop(PTRACE_EVENT_STOP));
    siginfo_t info {};
    EXPECT_EQ(trace(PTRACE_GETSIGINFO, child, 0, &info), 0);
    EXPECT_EQ(info.si_code, SIGTRAP | PTRACE_EVENT_STOP << 8);
    EXPECT_EQ(registers_of(child).orig_rax, static_cast<unsigned long>(SYS_pause));
    EXPECT_EQ(trace(PTRACE_CONT, child), 0);
    wait_until_sleeping(child); // in the call again
    EXPECT_EQ(::waitpid(child, nullptr, WNOHANG | __WALL), 0);
    end_tracee(child);
}

TEST(PtraceEvent, interrupt_stops_a_spinning_thread)
{
    pid_t child = start([] {
        for (;;)
            asm volatile("");
    });
    ASSERT_EQ(trace(PTRACE_SEIZE, child), 0);
    for (int i = 0; i < 5; ++i) {
        EXPECT_EQ(trace(PTRACE_INTERRUPT, child), 0);
        EXPECT_EQ(next_stop(child), event_stop(PTRACE_EVENT_STOP));
        EXPECT_EQ(trace(PTRACE_CONT, child), 0);
    }
    end_tracee(child);
}

TEST(PtraceEvent, listen_keeps_a_group_stop_until_sigcont)
{
    pid_t child = start([] {
        for (;;)
            ::pause();
    });
    ASSERT_EQ(trace(PTRACE_SEIZE, child), 0);
    EXPECT_EQ(::kill(child, SIGTSTP), 0);
    EXPECT_EQ(next_stop(child), stopped_by(SIGTSTP));
    EXPECT_EQ(trace(PTRACE_LISTEN, child), -EIO); // not a group stop yet
    EXPECT_EQ(trace(PTRACE_CONT, child, 0, long(SIGSTOP)), 0);
    EXPECT_EQ(next_stop(child), event_stop(PTRACE_EVENT_STOP, SIGSTOP));
    EXPECT_EQ(trace(PTRACE_LISTEN, child), 0);
    EXPECT_EQ(trace(PTRACE_CONT, child), -ESRCH);
    EXPECT_EQ(::waitpid(child, nullptr, WNOHANG | __WALL), 0);
    EXPECT_EQ(::kill(child, SIGCONT), 0);
    EXPECT_EQ(next_stop(child), event_stop(PTRACE_EVENT_STOP));
    EXPECT_EQ(trace(PTRACE_CONT, child), 0);
    EXPECT_EQ(next_stop(child), stopped_by(SIGCONT));
    EXPECT_EQ(trace(PTRACE_CONT, child), 0);
    end_tracee(child);
}

TEST(PtraceEvent, children_of_a_seized_thread_are_seized)
{
    pid_t child = start_traced([] {});
    EXPECT_EQ(trace(PTRACE_DETACH, child), 0);
    EXPECT_EQ(wait_for(child), exited(0));
    Gate gate;
    child = start([&] {
        gate.wait();
        if (::fork() == 0) ::_exit(0);
        for (;;)
            ::pause();
    });
    ASSERT_EQ(trace(PTRACE_SEIZE, child, 0, long(PTRACE_O_TRACEFORK)), 0);
    gate.open();
    EXPECT_EQ(next_stop(child), event_stop(PTRACE_EVENT_FORK));
    auto const grandchild = pid_t(event_message(child));
    EXPECT_EQ(next_stop(grandchild), event_stop(PTRACE_EVENT_STOP));
    EXPECT_EQ(trace(PTRACE_CONT, grandchild), 0);
    EXPECT_EQ(next_stop(grandchild), exited(0));
    end_tracee(child);
}

} // namespace
} // namespace abi_test
