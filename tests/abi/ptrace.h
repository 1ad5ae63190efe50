// SPDX-License-Identifier: GPL-2.0-or-later
// What the tests about ptrace(2) share: children that stop at once, and the registers and stops of tracees.
#pragma once

#include "abi-test.h"

#include <sys/ptrace.h>
#include <sys/uio.h>
#include <sys/user.h>

namespace abi_test {

/// The raw call: 0 or more, or -errno. The C library's hides the results of the PEEK requests.
template <typename Data = long> long trace(int request, pid_t pid, unsigned long address = 0, Data data = {})
{
    return raw(SYS_ptrace, long(request), long(pid), address, data);
}

constexpr int event_stop(int event, int signal = SIGTRAP) { return (event << 16) | (signal << 8) | 0x7f; }
constexpr int kSyscallStop = stopped_by(SIGTRAP | 0x80);

/// The status of the next thing that wait has to tell about the thread.
inline int next_stop(pid_t pid)
{
    int status = -1;
    EXPECT_EQ(::waitpid(pid, &status, __WALL), pid) << std::strerror(errno);
    return status;
}

/// A child that this process traces; it is in the signal-delivery stop of a SIGSTOP.
template <typename Body> pid_t start_traced(Body&& body)
{
    pid_t pid = start([&] {
        ASSERT_EQ(trace(PTRACE_TRACEME, 0), 0);
        ::raise(SIGSTOP);
        body();
    });
    EXPECT_EQ(next_stop(pid), stopped_by(SIGSTOP));
    return pid;
}

inline user_regs_struct registers_of(pid_t pid)
{
    user_regs_struct regs {};
    EXPECT_EQ(trace(PTRACE_GETREGS, pid, 0, &regs), 0);
    return regs;
}

inline long peek(pid_t pid, void const* address)
{
    long word = 0;
    EXPECT_EQ(trace(PTRACE_PEEKDATA, pid, reinterpret_cast<unsigned long>(address), &word), 0);
    return word;
}

/// Ends a tracee, wherever it is.
inline void end_tracee(pid_t pid)
{
    EXPECT_EQ(::kill(pid, SIGKILL), 0);
    int status = 0;
    do
        status = next_stop(pid);
    while (WIFSTOPPED(status));
    EXPECT_EQ(status, killed_by(SIGKILL));
}

} // namespace abi_test
