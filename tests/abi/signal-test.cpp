// SPDX-License-Identifier: GPL-2.0-or-later
// Dispositions, masks and delivery: sigaction(2), sigprocmask(2), kill(2), tgkill(2), sigsuspend(2), stop and
// continue.
#include "abi-test.h"

#include <sys/mman.h>
#include <vector>

namespace abi_test {
namespace {

int volatile last_signal;
int volatile handler_runs;
void note(int signal)
{
    last_signal = signal;
    handler_runs = handler_runs + 1;
}

TEST(Signal, default_action_of_each_signal)
{
    // What signal(7) lists as Term or Core ends the process; Ign does not.
    for (int signal = 1; signal <= SIGRTMAX; signal++) {
        if (signal == SIGSTOP || signal == SIGTSTP || signal == SIGTTIN || signal == SIGTTOU
            || signal == SIGCONT)
            continue;
        if (signal > SIGSYS && signal < SIGRTMIN) continue; // the C library keeps these to itself
        pid_t child = start([=] { ::kill(::getpid(), signal); });
        bool ignored = signal == SIGCHLD || signal == SIGURG || signal == SIGWINCH;
        EXPECT_EQ(wait_for(child), ignored ? exited(0) : killed_by(signal)) << signal;
    }
}

TEST(Signal, ignored_signals_do_nothing)
{
    for (int signal : { SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGRTMIN }) {
        set_handler(signal, SIG_IGN);
        EXPECT_EQ(::raise(signal), 0);
    }
}

TEST(Signal, handler_runs_before_kill_returns)
{
    set_handler(SIGUSR1, note);
    ASSERT_EQ(::kill(::getpid(), SIGUSR1), 0);
    EXPECT_EQ(handler_runs, 1);
    EXPECT_EQ(last_signal, SIGUSR1);
}

TEST(Signal, sigaction_returns_the_old_action)
{
    struct sigaction action {
    }, old {};
    action.sa_handler = note;
    action.sa_flags = SA_RESTART | SA_NODEFER;
    sigaddset(&action.sa_mask, SIGUSR2);
    ASSERT_EQ(::sigaction(SIGUSR1, &action, nullptr), 0);
    ASSERT_EQ(::sigaction(SIGUSR1, nullptr, &old), 0);
    EXPECT_EQ(old.sa_handler, note);
    EXPECT_EQ(old.sa_flags & (SA_RESTART | SA_NODEFER | SA_SIGINFO), SA_RESTART | SA_NODEFER);
    EXPECT_TRUE(sigismember(&old.sa_mask, SIGUSR2));
    EXPECT_FALSE(sigismember(&old.sa_mask, SIGUSR1));
}

TEST(Signal, kill_and_stop_cannot_be_caught)
{
    struct sigaction action { };
    action.sa_handler = SIG_IGN;
    EXPECT_ERROR(::sigaction(SIGKILL, &action, nullptr), EINVAL);
    EXPECT_ERROR(::sigaction(SIGSTOP, &action, nullptr), EINVAL);
    EXPECT_ERROR(::sigaction(0, &action, nullptr), EINVAL);
    EXPECT_ERROR(::sigaction(65, &action, nullptr), EINVAL);
    EXPECT_EQ(::sigaction(SIGKILL, nullptr, &action), 0);
    EXPECT_EQ(raw(SYS_rt_sigaction, SIGUSR1, 0, 0, 4), -EINVAL);
}

TEST(Signal, kill_and_stop_cannot_be_blocked)
{
    sigset_t all, now;
    sigfillset(&all);
    ASSERT_EQ(raw(SYS_rt_sigprocmask, SIG_SETMASK, &all, 0, 8), 0);
    ASSERT_EQ(::sigprocmask(SIG_SETMASK, nullptr, &now), 0);
    EXPECT_FALSE(sigismember(&now, SIGKILL));
    EXPECT_FALSE(sigismember(&now, SIGSTOP));
    EXPECT_TRUE(sigismember(&now, SIGTERM));
}

TEST(Signal, mask_operations)
{
    sigset_t one = signals({ SIGUSR1 }), two = signals({ SIGUSR2 }), now;
    ASSERT_EQ(::sigprocmask(SIG_SETMASK, &one, nullptr), 0);
    ASSERT_EQ(::sigprocmask(SIG_BLOCK, &two, nullptr), 0);
    ASSERT_EQ(::sigprocmask(SIG_UNBLOCK, &one, &now), 0);
    EXPECT_TRUE(sigismember(&now, SIGUSR1) && sigismember(&now, SIGUSR2));
    ASSERT_EQ(::sigprocmask(SIG_BLOCK, nullptr, &now), 0);
    EXPECT_FALSE(sigismember(&now, SIGUSR1));
    EXPECT_TRUE(sigismember(&now, SIGUSR2));
    EXPECT_EQ(raw(SYS_rt_sigprocmask, 99, &one, 0, 8), -EINVAL);
    EXPECT_EQ(raw(SYS_rt_sigprocmask, SIG_BLOCK, &one, 0, 16), -EINVAL);
    EXPECT_EQ(raw(SYS_rt_sigprocmask, SIG_BLOCK, 8, 0, 8), -EFAULT);
}

TEST(Signal, blocked_signal_waits_for_unblock)
{
    set_handler(SIGUSR1, note);
    block_signals({ SIGUSR1 });
    ASSERT_EQ(::raise(SIGUSR1), 0);
    ASSERT_EQ(::raise(SIGUSR1), 0);
    EXPECT_EQ(handler_runs, 0);
    sigset_t pending;
    ASSERT_EQ(::sigpending(&pending), 0);
    EXPECT_TRUE(sigismember(&pending, SIGUSR1));
    EXPECT_FALSE(sigismember(&pending, SIGUSR2));
    sigset_t none = signals({});
    ASSERT_EQ(::sigprocmask(SIG_SETMASK, &none, nullptr), 0);
    // Standard signals do not queue.
    EXPECT_EQ(handler_runs, 1);
    ASSERT_EQ(::sigpending(&pending), 0);
    EXPECT_FALSE(sigismember(&pending, SIGUSR1));
}

TEST(Signal, ignoring_discards_what_is_pending)
{
    set_handler(SIGUSR1, note);
    block_signals({ SIGUSR1 });
    ASSERT_EQ(::raise(SIGUSR1), 0);
    set_handler(SIGUSR1, SIG_IGN);
    sigset_t pending;
    ASSERT_EQ(::sigpending(&pending), 0);
    EXPECT_FALSE(sigismember(&pending, SIGUSR1));
}

sigset_t mask_in_handler;
void note_mask(int)
{
    ::sigprocmask(SIG_BLOCK, nullptr, &mask_in_handler);
    handler_runs = handler_runs + 1;
}

TEST(Signal, handler_runs_with_its_own_signal_and_sa_mask_blocked)
{
    struct sigaction action { };
    action.sa_handler = note_mask;
    sigaddset(&action.sa_mask, SIGUSR2);
    ASSERT_EQ(::sigaction(SIGUSR1, &action, nullptr), 0);
    ASSERT_EQ(::raise(SIGUSR1), 0);
    EXPECT_TRUE(sigismember(&mask_in_handler, SIGUSR1));
    EXPECT_TRUE(sigismember(&mask_in_handler, SIGUSR2));
    sigset_t after;
    ASSERT_EQ(::sigprocmask(SIG_BLOCK, nullptr, &after), 0);
    EXPECT_FALSE(sigismember(&after, SIGUSR1));
    EXPECT_FALSE(sigismember(&after, SIGUSR2));
}

TEST(Signal, nodefer_leaves_the_signal_unblocked)
{
    set_handler(SIGUSR1, note_mask, SA_NODEFER);
    ASSERT_EQ(::raise(SIGUSR1), 0);
    EXPECT_FALSE(sigismember(&mask_in_handler, SIGUSR1));
}

int volatile nesting;
int volatile deepest;
void nest(int signal)
{
    nesting = nesting + 1;
    if (nesting > deepest) deepest = nesting;
    handler_runs = handler_runs + 1;
    if (handler_runs < 5) ::raise(signal);
    nesting = nesting - 1;
}

TEST(Signal, nodefer_handlers_nest)
{
    set_handler(SIGUSR1, nest, SA_NODEFER);
    ASSERT_EQ(::raise(SIGUSR1), 0);
    EXPECT_EQ(deepest, 5);
    EXPECT_EQ(nesting, 0);
}

TEST(Signal, deferred_handlers_run_one_after_the_other)
{
    set_handler(SIGUSR1, nest);
    ASSERT_EQ(::raise(SIGUSR1), 0);
    EXPECT_EQ(deepest, 1);
    EXPECT_EQ(handler_runs, 5);
}

TEST(Signal, resethand_restores_the_default)
{
    set_handler(SIGUSR1, note, int(SA_RESETHAND));
    ASSERT_EQ(::raise(SIGUSR1), 0);
    struct sigaction now { };
    ASSERT_EQ(::sigaction(SIGUSR1, nullptr, &now), 0);
    EXPECT_EQ(now.sa_handler, SIG_DFL);
    EXPECT_EQ(wait_for(start([] { ::raise(SIGUSR1); })), killed_by(SIGUSR1));
}

std::vector<int>* order;
void note_order(int signal) { order->push_back(signal); }

TEST(Signal, lower_numbers_are_taken_first)
{
    std::vector<int> seen;
    order = &seen;
    struct sigaction action { };
    action.sa_handler = note_order;
    sigfillset(&action.sa_mask);
    for (int signal : { SIGRTMIN + 1, SIGUSR2, SIGHUP, SIGUSR1 })
        ASSERT_EQ(::sigaction(signal, &action, nullptr), 0);
    block_signals({ SIGRTMIN + 1, SIGUSR2, SIGHUP, SIGUSR1 });
    for (int signal : { SIGRTMIN + 1, SIGUSR2, SIGHUP, SIGUSR1 })
        ASSERT_EQ(::raise(signal), 0);
    seen.reserve(8);
    sigset_t none = signals({});
    ASSERT_EQ(::sigprocmask(SIG_SETMASK, &none, nullptr), 0);
    // Frames are stacked lowest first, so that handlers return into the next; with everything masked each
    // runs to its end before the next is taken.
    EXPECT_EQ(seen, (std::vector<int> { SIGHUP, SIGUSR1, SIGUSR2, SIGRTMIN + 1 }));
}

TEST(Signal, sigsuspend_swaps_the_mask_and_returns_eintr)
{
    set_handler(SIGUSR1, note);
    block_signals({ SIGUSR1, SIGUSR2 });
    ASSERT_EQ(::raise(SIGUSR1), 0);
    ASSERT_EQ(::raise(SIGUSR2), 0);
    sigset_t but_usr2 = signals({ SIGUSR2 });
    EXPECT_ERROR(::sigsuspend(&but_usr2), EINTR);
    EXPECT_EQ(last_signal, SIGUSR1);
    sigset_t now;
    ASSERT_EQ(::sigprocmask(SIG_BLOCK, nullptr, &now), 0);
    EXPECT_TRUE(sigismember(&now, SIGUSR1) && sigismember(&now, SIGUSR2));
}

TEST(Signal, pause_returns_after_a_handler)
{
    RepeatingAlarm alarm(SA_RESTART);
    EXPECT_ERROR(::pause(), EINTR);
}

TEST(Signal, sent_to_another_process)
{
    Gate ready;
    pid_t child = start([&] {
        set_handler(SIGUSR1, note);
        block_signals({ SIGUSR1 });
        ready.open();
        sigset_t none = signals({});
        EXPECT_ERROR(::sigsuspend(&none), EINTR);
        EXPECT_EQ(handler_runs, 1);
    });
    ready.wait();
    ASSERT_EQ(::kill(child, SIGUSR1), 0);
    EXPECT_EQ(wait_for(child), exited(0));
}

siginfo_t seen_info;
void note_info(int signal, siginfo_t* info, void*)
{
    last_signal = signal;
    seen_info = *info;
}

TEST(Signal, siginfo_of_kill)
{
    set_handler(SIGUSR1, note_info);
    ASSERT_EQ(::kill(::getpid(), SIGUSR1), 0);
    EXPECT_EQ(seen_info.si_signo, SIGUSR1);
    EXPECT_EQ(seen_info.si_code, SI_USER);
    EXPECT_EQ(seen_info.si_pid, ::getpid());
    EXPECT_EQ(seen_info.si_uid, ::getuid());
}

TEST(Signal, siginfo_of_tgkill)
{
    set_handler(SIGUSR1, note_info);
    ASSERT_EQ(raw(SYS_tgkill, ::getpid(), ::gettid(), SIGUSR1), 0);
    EXPECT_EQ(seen_info.si_code, SI_TKILL);
    EXPECT_EQ(seen_info.si_pid, ::getpid());
}

TEST(Signal, tgkill_errors)
{
    EXPECT_EQ(raw(SYS_tgkill, ::getpid(), 0x3fffffff, 0), -ESRCH);
    EXPECT_EQ(raw(SYS_tgkill, ::getppid(), ::gettid(), 0), -ESRCH);
    EXPECT_EQ(raw(SYS_tgkill, 0, ::gettid(), 0), -EINVAL);
    EXPECT_EQ(raw(SYS_tgkill, ::getpid(), ::gettid(), 65), -EINVAL);
    EXPECT_EQ(raw(SYS_tkill, ::gettid(), 0), 0);
    EXPECT_EQ(raw(SYS_tkill, -1, 0), -EINVAL);
}

TEST(Signal, stop_really_stops)
{
    Mapping shared(kPage, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS);
    auto* counter = shared.as<uint64_t volatile>();
    pid_t child = start([&] {
        for (;;)
            *counter = *counter + 1;
    });
    while (*counter == 0)
        ::usleep(1000);
    ASSERT_EQ(::kill(child, SIGSTOP), 0);
    int status;
    ASSERT_EQ(::waitpid(child, &status, WUNTRACED), child);
    uint64_t first = *counter;
    ::usleep(20'000);
    EXPECT_EQ(*counter, first);
    ASSERT_EQ(::kill(child, SIGCONT), 0);
    while (*counter == first)
        ::usleep(1000);
    ASSERT_EQ(::kill(child, SIGKILL), 0);
    EXPECT_EQ(wait_for(child), killed_by(SIGKILL));
}

TEST(Signal, killing_a_stopped_process_works)
{
    pid_t child = start([] {
        ::raise(SIGSTOP);
        ::_exit(3);
    });
    int status;
    ASSERT_EQ(::waitpid(child, &status, WUNTRACED), child);
    ASSERT_EQ(::kill(child, SIGKILL), 0);
    EXPECT_EQ(wait_for(child), killed_by(SIGKILL));
}

TEST(Signal, stopped_process_takes_other_signals_after_continue)
{
    pid_t child = start([] {
        ::raise(SIGSTOP);
        ::_exit(3);
    });
    int status;
    ASSERT_EQ(::waitpid(child, &status, WUNTRACED), child);
    ASSERT_EQ(::kill(child, SIGTERM), 0);
    EXPECT_EQ(::waitpid(child, &status, WNOHANG), 0);
    ASSERT_EQ(::kill(child, SIGCONT), 0);
    EXPECT_EQ(wait_for(child), killed_by(SIGTERM));
}

TEST(Signal, continue_discards_pending_stops_and_the_reverse)
{
    block_signals({ SIGTSTP, SIGCONT });
    sigset_t pending;
    ASSERT_EQ(::raise(SIGTSTP), 0);
    ASSERT_EQ(::raise(SIGCONT), 0);
    ASSERT_EQ(::sigpending(&pending), 0);
    EXPECT_FALSE(sigismember(&pending, SIGTSTP));
    EXPECT_TRUE(sigismember(&pending, SIGCONT));
    ASSERT_EQ(::raise(SIGTSTP), 0);
    ASSERT_EQ(::sigpending(&pending), 0);
    EXPECT_FALSE(sigismember(&pending, SIGCONT));
}

TEST(Signal, continue_handler_runs_on_continue)
{
    Gate handled;
    static Gate* gate;
    gate = &handled;
    pid_t child = start([] {
        set_handler(SIGCONT, [](int) { gate->open(); });
        ::raise(SIGSTOP);
    });
    int status;
    ASSERT_EQ(::waitpid(child, &status, WUNTRACED), child);
    ASSERT_EQ(::kill(child, SIGCONT), 0);
    handled.wait();
    EXPECT_EQ(wait_for(child), exited(0));
}

TEST(Signal, handlers_are_inherited_by_fork)
{
    set_handler(SIGUSR1, note);
    in_child([] {
        ASSERT_EQ(::raise(SIGUSR1), 0);
        EXPECT_EQ(handler_runs, 1);
    });
    EXPECT_EQ(handler_runs, 0);
}

TEST(Signal, abort_ends_with_sigabrt_even_if_blocked)
{
    pid_t child = start([] {
        block_signals({ SIGABRT });
        ::abort();
    });
    EXPECT_EQ(wait_for(child), killed_by(SIGABRT));
}

TEST(Signal, ten_thousand_in_a_row)
{
    set_handler(SIGUSR1, note);
    for (int i = 0; i < 10'000; i++)
        ::raise(SIGUSR1);
    EXPECT_EQ(handler_runs, 10'000);
}

TEST(Signal, spinning_process_can_be_killed)
{
    pid_t child = start([] {
        for (;;)
            asm volatile("pause");
    });
    ASSERT_EQ(::kill(child, SIGTERM), 0);
    EXPECT_EQ(wait_for(child), killed_by(SIGTERM));
}

} // namespace
} // namespace abi_test
