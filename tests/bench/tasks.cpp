// SPDX-License-Identifier: GPL-2.0-or-later
// Processes, threads and signals.
#include "bench.h"

#include <pthread.h>
#include <signal.h>
#include <spawn.h>

namespace bench {
namespace {

double fork_exit()
{
    return each(20, [] {
        pid_t const child = fork();
        if (child == 0) _exit(0);
        wait_for(pid_t(check(child, "fork")));
    });
}

void run(char const* path, std::vector<char const*> arguments)
{
    arguments.push_back(nullptr);
    pid_t const child = fork();
    if (child == 0) {
        execv(path, const_cast<char* const*>(arguments.data()));
        _exit(127);
    }
    wait_for(pid_t(check(child, "fork")));
}

double fork_exec()
{
    return each(10, [] { run(own_path, { own_path, "--nothing" }); });
}

double bash_loop()
{
    return each(
        1,
        [] {
            run("/bin/bash", { "bash", "-c", "for ((i = 0; i < 200; i++)); do /bin/true; done" });
        },
        kLongRounds);
}

double spawn()
{
    return each(10, [] {
        char* const arguments[] = { const_cast<char*>(own_path), const_cast<char*>("--nothing"), nullptr };
        pid_t child;
        if (posix_spawn(&child, own_path, nullptr, nullptr, arguments, environ) != 0) fail("posix_spawn");
        wait_for(child);
    });
}

double thread_create_join()
{
    return each(50, [] {
        pthread_t thread;
        auto const nothing = [](void*) -> void* { return nullptr; };
        if (pthread_create(&thread, nullptr, nothing, nullptr) != 0) fail("pthread_create");
        pthread_join(thread, nullptr);
    });
}

/// Sent to oneself and handled.
double signal_handled()
{
    struct sigaction action = {}, before;
    action.sa_handler = [](int) {};
    sigaction(SIGUSR1, &action, &before);
    double const result = each(300, [] { raise(SIGUSR1); });
    sigaction(SIGUSR1, &before, nullptr);
    return result;
}

} // namespace

Benchmarks tasks()
{
    return {
        { "signal", signal_handled },
        { "thread", thread_create_join },
        { "fork-exit", fork_exit },
        { "fork-exec", fork_exec },
        { "posix-spawn", spawn },
        { "bash-200-true", bash_loop },
    };
}

} // namespace bench
