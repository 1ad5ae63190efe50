// SPDX-License-Identifier: GPL-2.0-or-later
// Signals and timers as fast as they can be had.
#include "tests/hostile/guest.h"

#include <cerrno>
#include <cstring>
#include <ctime>
#include <vector>

#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <ucontext.h>
#include <unistd.h>

namespace hostile {
namespace {

std::atomic<unsigned> handled = 0;

void count_signals(std::initializer_list<int> signals)
{
    struct sigaction action { };
    action.sa_flags = SA_RESTART;
    action.sa_handler = [](int) { ++handled; };
    for (int signal : signals)
        sigaction(signal, &action, nullptr);
}

/// The same, until there were so many: from then on they wait, for where a signal costs more than the time to the next one
/// nothing else would get done.
constexpr unsigned kEnough = 10'000;
constexpr int kOfTimers[] = { SIGALRM, SIGVTALRM, SIGPROF, SIGUSR1 };
void count_enough_signals_of_timers()
{
    struct sigaction action { };
    action.sa_flags = SA_RESTART | SA_SIGINFO;
    action.sa_sigaction = [](int, siginfo_t*, void* context) {
        if (++handled < kEnough) return;
        for (int signal : kOfTimers)
            sigaddset(&static_cast<ucontext_t*>(context)->uc_sigmask, signal);
    };
    for (int signal : kOfTimers)
        sigaction(signal, &action, nullptr);
}

/// Sends to everyone in the group, itself among them, until enough has been sent.
void send_signals(unsigned count)
{
    union sigval value {
    };
    for (unsigned i = 0; i < count; ++i) {
        kill(0, SIGUSR1);
        kill(getpid(), SIGUSR2);
        sigqueue(getpid(), SIGRTMIN + int(i % 8), value);
        if (i % 16 == 0) kill(0, SIGSTOP + 1 /* SIGTSTP: handled */);
    }
}

/// Queued and blocked until the limit refuses more.
void queue_until_refused()
{
    rlimit const pending { 4000, 4000 };
    setrlimit(RLIMIT_SIGPENDING, &pending);
    sigset_t all;
    sigfillset(&all);
    sigprocmask(SIG_BLOCK, &all, nullptr);
    union sigval value {
    };
    unsigned queued = 0;
    while (sigqueue(getpid(), SIGRTMIN, value) == 0)
        ++queued;
    if (errno != EAGAIN) fail_errno("sigqueue");
    std::printf("%u signals queued\n", queued);
    std::fflush(stdout);
}

/// Stops and goes on, over and over, sent by somebody else.
void stop_and_continue(unsigned count)
{
    pid_t const victim = fork();
    if (victim == 0)
        for (;;)
            raw_call(SYS_getppid);
    for (unsigned i = 0; i < count; ++i) {
        kill(victim, SIGSTOP);
        kill(victim, SIGCONT);
    }
    kill(victim, SIGKILL);
    wait_for(victim);
}

} // namespace

void signal_storm()
{
    under_way();
    int const status = in_child([] {
        setpgid(0, 0);
        count_signals({ SIGUSR1, SIGUSR2, SIGTSTP });
        for (int i = 0; i < 8; ++i)
            count_signals({ SIGRTMIN + i });
        std::vector<pid_t> children;
        for (int i = 0; i < 8; ++i) {
            pid_t const child = fork();
            if (child == 0) {
                send_signals(60);
                _exit(handled ? 0 : 1);
            }
            if (child > 0) children.push_back(child);
        }
        for (pid_t child : children)
            if (wait_for(child) != 0) fail("a sender saw no signal");
    });
    if (status != 0) fail("the storm ended with %#x", unsigned(status));
    if (in_child(queue_until_refused) != 0) fail("queueing went wrong");
    stop_and_continue(300);
}

void timer_storm()
{
    under_way();
    int const status = in_child([] {
        count_enough_signals_of_timers();
        itimerval const fast { { 0, 200 }, { 0, 200 } };
        setitimer(ITIMER_REAL, &fast, nullptr);
        setitimer(ITIMER_VIRTUAL, &fast, nullptr);
        setitimer(ITIMER_PROF, &fast, nullptr);
        std::vector<timer_t> timers;
        itimerspec const fast_signal { { 0, 20000000 }, { 0, 20000000 } },
            microsecond { { 0, 1000 }, { 0, 1000 } };
        for (;;) {
            sigevent event {};
            event.sigev_notify = SIGEV_SIGNAL;
            event.sigev_signo = SIGUSR1;
            timer_t timer;
            if (timers.size() == 100 || timer_create(CLOCK_MONOTONIC, &event, &timer) != 0) break;
            timers.push_back(timer);
            timer_settime(timer, 0, &fast_signal, nullptr);
        }
        std::vector<pollfd> files;
        for (int i = 0; i < 200; ++i) {
            int const fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);
            timerfd_settime(fd, 0, &microsecond, nullptr);
            files.push_back({ fd, POLLIN, 0 });
        }
        for (int round = 0; round < 40; ++round) {
            (void)!poll(files.data(), files.size(), -1);
            for (auto& file : files) {
                uint64_t expirations;
                (void)!read(file.fd, &expirations, sizeof expirations);
            }
        }
        if (!handled) fail("no timer came");
        std::printf("%zu timers, %u signals\n", timers.size(), handled.load());
        std::fflush(stdout);
    });
    if (status != 0) fail("the storm ended with %#x", unsigned(status));
}

} // namespace hostile
