// SPDX-License-Identifier: GPL-2.0-or-later
// The helpers of helper.h: each prints one thing about the program image that exec(2) made, or ends in a
// given way. They use no gtest, so that what they print is all there is.
#include "helper.h"

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <elf.h>
#include <fcntl.h>
#include <string_view>
#include <sys/auxv.h>
#include <sys/prctl.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

namespace abi_test {
namespace {

int print_arguments(int argc, char** argv)
{
    for (int i = 0; i < argc; i++)
        std::printf("%s\n", argv[i]);
    return 0;
}

/// The effective capabilities, as /proc/self/status has them.
int print_capabilities(int, char**)
{
    std::FILE* status = std::fopen("/proc/self/status", "r");
    char line[256];
    while (status && std::fgets(line, sizeof line, status))
        if (std::strncmp(line, "CapEff:", 7) == 0) std::printf("%s", line + 8);
    return 0;
}

int print_environment(int, char**)
{
    for (char** entry = environ; *entry; entry++)
        std::printf("%s\n", *entry);
    return 0;
}

int print_descriptors(int, char**)
{
    for (int fd = 0; fd < 64; fd++)
        if (::fcntl(fd, F_GETFD) >= 0) std::printf("%d\n", fd);
    return 0;
}

/// Ends with the mode of PR_SET_TSC.
int counter_mode(int, char**)
{
    int mode = 0;
    return ::prctl(PR_GET_TSC, &mode) == 0 ? mode : 99;
}

/// One letter a signal: d(efault), i(gnored), h(andled); then the mask; then what is pending.
int print_signals(int, char**)
{
    for (int signal = 1; signal <= 31; signal++) {
        struct sigaction action { };
        ::sigaction(signal, nullptr, &action);
        std::putchar(action.sa_handler == SIG_DFL ? 'd' : action.sa_handler == SIG_IGN ? 'i' : 'h');
    }
    sigset_t masked, pending;
    ::sigprocmask(SIG_BLOCK, nullptr, &masked);
    ::sigpending(&pending);
    stack_t stack {};
    ::sigaltstack(nullptr, &stack);
    std::printf("\n");
    for (int signal = 1; signal <= 31; signal++)
        std::putchar(sigismember(&masked, signal) ? '1' : '0');
    std::printf("\n");
    for (int signal = 1; signal <= 31; signal++)
        std::putchar(sigismember(&pending, signal) ? '1' : '0');
    std::printf("\n%s\n", stack.ss_flags & SS_DISABLE ? "no altstack" : "altstack");
    return 0;
}

int print_ids(int, char**)
{
    uid_t real, effective, saved;
    gid_t real_group, effective_group, saved_group;
    ::getresuid(&real, &effective, &saved);
    ::getresgid(&real_group, &effective_group, &saved_group);
    std::printf("%u %u %u %u %u %u\n", real, effective, saved, real_group, effective_group, saved_group);
    std::printf("%lu\n", ::getauxval(AT_SECURE));
    return 0;
}

int print_process(int, char**)
{
    char name[16];
    ::prctl(PR_GET_NAME, name);
    std::printf("%d %d %d %d %s\n", ::getpid(), ::getppid(), ::getpgrp(), ::getsid(0), name);
    return 0;
}

/// The permitted, effective and ambient sets, and whether the program was given more than its caller has.
int print_sets(int, char**)
{
    unsigned long long sets[3] = {};
    char const* const names[] = { "CapPrm:", "CapEff:", "CapAmb:" };
    std::FILE* status = std::fopen("/proc/self/status", "r");
    char line[256];
    while (status && std::fgets(line, sizeof line, status))
        for (int i = 0; i < 3; ++i)
            if (std::strncmp(line, names[i], 7) == 0) sets[i] = std::strtoull(line + 8, nullptr, 16);
    std::printf("%llx %llx %llx %lu\n", sets[0], sets[1], sets[2], ::getauxval(AT_SECURE));
    return 0;
}

/// The entries of the auxiliary vector that every program may rely on.
int print_auxv(int, char**)
{
    std::printf("pagesz=%lu clktck=%lu uid=%lu euid=%lu gid=%lu egid=%lu\n", ::getauxval(AT_PAGESZ),
        ::getauxval(AT_CLKTCK), ::getauxval(AT_UID), ::getauxval(AT_EUID), ::getauxval(AT_GID),
        ::getauxval(AT_EGID));
    std::printf("execfn=%s\n", reinterpret_cast<char const*>(::getauxval(AT_EXECFN)));
    std::printf("platform=%s\n", reinterpret_cast<char const*>(::getauxval(AT_PLATFORM)));
    auto* header = reinterpret_cast<Elf64_Phdr const*>(::getauxval(AT_PHDR));
    bool has_load = false;
    for (unsigned long i = 0; i < ::getauxval(AT_PHNUM); i++)
        has_load = has_load || header[i].p_type == PT_LOAD;
    std::printf("phdr=%s phent=%lu\n", has_load ? "good" : "bad", ::getauxval(AT_PHENT));
    std::printf("entry=%s random=%s hwcap=%s\n", ::getauxval(AT_ENTRY) ? "set" : "missing",
        ::getauxval(AT_RANDOM) ? "set" : "missing", ::getauxval(AT_HWCAP) ? "set" : "missing");
    auto* vdso = reinterpret_cast<Elf64_Ehdr const*>(::getauxval(AT_SYSINFO_EHDR));
    std::printf("vdso=%s\n", vdso && std::memcmp(vdso->e_ident, ELFMAG, SELFMAG) == 0 ? "elf" : "missing");
    return 0;
}

/// The sixteen random bytes, in hexadecimal.
int print_random(int, char**)
{
    auto* bytes = reinterpret_cast<unsigned char const*>(::getauxval(AT_RANDOM));
    for (int i = 0; i < 16; i++)
        std::printf("%02x", bytes[i]);
    std::printf("\n");
    return 0;
}

int print_timers(int, char**)
{
    itimerval interval {};
    ::getitimer(ITIMER_REAL, &interval);
    timer_t first {};
    itimerspec spec {};
    bool gone = ::timer_gettime(first, &spec) != 0;
    std::printf(
        "%s %s\n", interval.it_value.tv_sec > 0 ? "itimer" : "no itimer", gone ? "no timer" : "timer");
    return 0;
}

int print_dumpable(int, char**)
{
    std::printf("%d\n", ::prctl(PR_GET_DUMPABLE));
    return 0;
}

/// Where what a program starts with lies.
int print_layout(int, char**)
{
    int local = 0;
    std::printf("%p %p\n", static_cast<void*>(&local), ::sbrk(0));
    return 0;
}

int exit_with(int argc, char** argv) { return argc > 0 ? std::atoi(argv[0]) : 0; }

/// Until the end of standard input.
int wait_for_input(int, char**)
{
    char c;
    while (::read(STDIN_FILENO, &c, 1) > 0)
        ;
    return 0;
}

struct Helper {
    std::string_view name;
    int (*run)(int argc, char** argv);
};

constexpr Helper kHelpers[] = {
    { "arguments", print_arguments },
    { "capabilities", print_capabilities },
    { "environment", print_environment },
    { "counter-mode", counter_mode },
    { "descriptors", print_descriptors },
    { "signals", print_signals },
    { "ids", print_ids },
    { "sets", print_sets },
    { "process", print_process },
    { "auxv", print_auxv },
    { "random", print_random },
    { "timers", print_timers },
    { "layout", print_layout },
    { "dumpable", print_dumpable },
    { "exit", exit_with },
    { "wait-for-input", wait_for_input },
};

} // namespace

int run_helper(int argc, char** argv)
{
    for (auto const& helper : kHelpers)
        if (helper.name == argv[2]) return helper.run(argc - 3, argv + 3);
    std::fprintf(stderr, "abi-tests: no helper %s\n", argv[2]);
    return 2;
}

} // namespace abi_test
