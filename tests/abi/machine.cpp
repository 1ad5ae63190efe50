// SPDX-License-Identifier: GPL-2.0-or-later
#include "machine.h"

#include <csignal>
#include <cstddef>
#include <cstdlib>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>
#include <x86intrin.h>

namespace abi_test {

namespace {

volatile long watched;

bool has_counter_faults()
{
    pid_t const child = ::fork();
    if (child == 0) {
        ::prctl(PR_SET_TSC, PR_TSC_SIGSEGV);
        (void)__rdtsc();
        ::_exit(0);
    }
    int status = 0;
    ::waitpid(child, &status, 0);
    return WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV;
}

bool has_watchpoints()
{
    pid_t const child = ::fork();
    if (child == 0) {
        ::ptrace(PTRACE_TRACEME, 0, nullptr, nullptr);
        ::raise(SIGSTOP);
        watched = 1;
        ::_exit(0);
    }
    int status = 0;
    ::waitpid(child, &status, 0);
    auto set = [&](unsigned index, long value) {
        ::ptrace(PTRACE_POKEUSER, child, offsetof(struct user, u_debugreg) + index * sizeof(long), value);
    };
    constexpr long eight_bytes_written = 0xd0001; // of the first register
    set(0, reinterpret_cast<long>(&watched));
    set(7, eight_bytes_written);
    ::ptrace(PTRACE_CONT, child, nullptr, nullptr);
    ::waitpid(child, &status, 0);
    bool const stopped = WIFSTOPPED(status) && WSTOPSIG(status) == SIGTRAP;
    ::kill(child, SIGKILL);
    ::waitpid(child, &status, 0);
    return stopped;
}

} // namespace

bool machine_has(std::string_view what)
{
    if (std::getenv("UMBRA_ABI_STRICT")) { // in a guest
        if (what == kWatchpoints) return true; // the debug registers there are Umbra's own
        char const* const told = std::getenv("UMBRA_ABI_HOST_LACKS");
        return std::string_view(told ? told : "").find(what) == std::string_view::npos;
    }
    return what == kCounterFaults ? has_counter_faults() : has_watchpoints();
}

std::string lacking()
{
    std::string list;
    for (auto const what : { kCounterFaults, kWatchpoints })
        if (!machine_has(what)) list += (list.empty() ? "" : ",") + std::string(what);
    return list;
}

} // namespace abi_test
