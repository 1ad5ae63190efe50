// SPDX-License-Identifier: GPL-2.0-or-later
// seccomp(2): who may filter, what the actions do, how filters add up, inheritance, threads, strict mode.
#include "seccomp.h"

#include <atomic>
#include <pthread.h>
#include <thread>
#include <ucontext.h>

namespace abi_test {
namespace {

constexpr long kCall = SYS_getppid;

TEST(Seccomp, arguments_are_checked)
{
    in_child([] {
        EXPECT_EQ(raw(SYS_seccomp, 99, 0, 0), -EINVAL);
        EXPECT_EQ(raw(SYS_seccomp, SECCOMP_SET_MODE_STRICT, 1, 0), -EINVAL);
        EXPECT_EQ(raw(SYS_seccomp, SECCOMP_SET_MODE_STRICT, 0, 8), -EINVAL);
        EXPECT_EQ(raw(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, 8), -EFAULT);
        EXPECT_EQ(raw(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0x8000, 8), -EINVAL);
        give_up_privileges();
        Filter const allow { give(SECCOMP_RET_ALLOW) };
        EXPECT_EQ(try_filter({}), -EINVAL);
        EXPECT_EQ(try_filter(Filter(BPF_MAXINSNS + 1, allow[0])), -EINVAL);
        EXPECT_EQ(try_filter(allow, SECCOMP_FILTER_FLAG_TSYNC | SECCOMP_FILTER_FLAG_NEW_LISTENER), -EINVAL);
        EXPECT_EQ(try_filter(allow, SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV), -EINVAL);
        sock_fprog nowhere { 1, reinterpret_cast<sock_filter*>(8) };
        EXPECT_EQ(raw(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &nowhere), -EFAULT);
        EXPECT_EQ(try_filter({ load(0) }), -EINVAL);
        EXPECT_EQ(try_filter({ load(64), allow[0] }), -EINVAL);
        EXPECT_EQ(try_filter({ load(2), allow[0] }), -EINVAL);
        EXPECT_EQ(try_filter({ statement(BPF_LD | BPF_H | BPF_ABS, 0), allow[0] }), -EINVAL);
        EXPECT_EQ(::prctl(PR_GET_SECCOMP), 0);
        EXPECT_EQ(try_filter(allow), 0);
    });
}

TEST(Seccomp, needs_no_new_privs_or_privilege)
{
    as_ordinary_user([] {
        if (::prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1) return; // it came so
        EXPECT_EQ(try_filter({ give(SECCOMP_RET_ALLOW) }), -EACCES);
        // The right is looked at before the instructions.
        EXPECT_EQ(try_filter({ load(2) }), -EACCES);
        give_up_privileges();
        EXPECT_EQ(try_filter({ give(SECCOMP_RET_ALLOW) }), 0);
    });
}

TEST(Seccomp, errno_with_a_cap)
{
    in_child([] {
        install(filter_for(kCall, SECCOMP_RET_ERRNO | E2BIG));
        EXPECT_EQ(raw(kCall), -E2BIG);
        EXPECT_GT(raw(SYS_getpid), 0);
    });
    in_child([] {
        install(filter_for(kCall, SECCOMP_RET_ERRNO | 0));
        EXPECT_EQ(raw(kCall), 0);
    });
    in_child([] {
        install(filter_for(kCall, SECCOMP_RET_ERRNO | 5000));
        EXPECT_EQ(raw(kCall), -4095);
    });
    in_child([] {
        install(
            filter_for(kCall, SECCOMP_RET_ERRNO | 512)); // a restart code within the kernel; a number here
        EXPECT_EQ(raw(kCall), -512);
    });
}

TEST(Seccomp, sees_number_architecture_arguments_and_place)
{
    in_child([] {
        auto const low = [](size_t i) { return load(offsetof(seccomp_data, args) + 8 * i); };
        auto const high = [](size_t i) { return load(offsetof(seccomp_data, args) + 8 * i + 4); };
        constexpr unsigned char out = 11;
        install({ load(offsetof(seccomp_data, nr)), unless_equal(SYS_getpgid, out),
            load(offsetof(seccomp_data, arch)), unless_equal(AUDIT_ARCH_X86_64, out - 2), low(0),
            unless_equal(0x11223344, out - 4), high(0), unless_equal(0x55667788, out - 6), low(5),
            unless_equal(6, out - 8), high(5), unless_equal(7, 1), give(SECCOMP_RET_ERRNO | 77),
            give(SECCOMP_RET_ALLOW) });
        EXPECT_EQ(raw(SYS_getpgid, 0x5566778811223344l, 0, 0, 0, 0, 0x700000006l), -77);
        EXPECT_NE(raw(SYS_getpgid, 0x5566778811223344l, 0, 0, 0, 0, 0x700000005l), -77);
    });
}

TEST(Seccomp, the_most_restrictive_filter_wins)
{
    in_child([] {
        install(filter_for(kCall, SECCOMP_RET_ERRNO | 10));
        install(filter_for(kCall, SECCOMP_RET_ALLOW));
        EXPECT_EQ(raw(kCall), -10);
        install(filter_for(kCall, SECCOMP_RET_ERRNO | 20)); // of equals, the newest
        EXPECT_EQ(raw(kCall), -20);
        install(filter_for(kCall, SECCOMP_RET_TRACE));
        EXPECT_EQ(raw(kCall), -20);
        EXPECT_EQ(status_value("Seccomp"), 2);
        EXPECT_EQ(::prctl(PR_GET_SECCOMP), 2);
        EXPECT_GE(status_value("Seccomp_filters"), 4);
    });
}

int trap_signal;
siginfo_t trap_info;
long trap_rax, trap_rip;

void on_trap(int signal, siginfo_t* info, void* context)
{
    auto& registers = static_cast<ucontext_t*>(context)->uc_mcontext.gregs;
    trap_signal = signal;
    trap_info = *info;
    trap_rax = registers[REG_RAX];
    trap_rip = registers[REG_RIP];
    registers[REG_RAX] = 4711;
}

TEST(Seccomp, trap_raises_sigsys_with_the_call)
{
    in_child([] {
        set_handler(SIGSYS, on_trap);
        install(filter_for(kCall, SECCOMP_RET_TRAP | 0x1234));
        EXPECT_EQ(raw(kCall), 4711);
        EXPECT_EQ(trap_signal, SIGSYS);
        EXPECT_EQ(trap_info.si_code, 1); // SYS_SECCOMP
        EXPECT_EQ(trap_info.si_errno, 0x1234);
        EXPECT_EQ(trap_info.si_syscall, kCall);
        EXPECT_EQ(trap_info.si_arch, AUDIT_ARCH_X86_64);
        EXPECT_EQ(trap_rax, kCall);
        EXPECT_EQ(reinterpret_cast<long>(trap_info.si_call_addr), trap_rip);
    });
}

TEST(Seccomp, a_trap_that_is_blocked_or_ignored_kills)
{
    pid_t child = start([] {
        set_handler(SIGSYS, on_trap);
        block_signals({ SIGSYS });
        install(filter_for(kCall, SECCOMP_RET_TRAP));
        raw(kCall);
    });
    EXPECT_EQ(wait_for(child), killed_by(SIGSYS));
    child = start([] {
        set_handler(SIGSYS, SIG_IGN);
        install(filter_for(kCall, SECCOMP_RET_TRAP));
        raw(kCall);
    });
    EXPECT_EQ(wait_for(child), killed_by(SIGSYS));
}

TEST(Seccomp, kill_process_ends_all_threads)
{
    for (unsigned action : { SECCOMP_RET_KILL_PROCESS, 0x12340000u /* no action at all */ }) {
        pid_t child = start([&] {
            set_handler(SIGSYS, on_trap); // no handler helps
            install(filter_for(kCall, action));
            std::thread thread([] { raw(kCall); });
            for (;;)
                ::pause();
        });
        EXPECT_EQ(wait_for(child), killed_by(SIGSYS));
    }
}

TEST(Seccomp, kill_thread_spares_the_others)
{
    in_child([] {
        install(filter_for(kCall, SECCOMP_RET_KILL_THREAD));
        pthread_t thread;
        auto body = [](void*) -> void* { return reinterpret_cast<void*>(raw(kCall)); };
        ASSERT_EQ(::pthread_create(&thread, nullptr, body, nullptr), 0);
        ASSERT_EQ(::pthread_join(thread, nullptr), 0); // its end clears its number
    });
    pid_t child = start([] {
        set_handler(SIGSYS, on_trap);
        install(filter_for(kCall, SECCOMP_RET_KILL_THREAD));
        raw(kCall); // the last thread
    });
    EXPECT_EQ(wait_for(child), killed_by(SIGSYS));
}

TEST(Seccomp, trace_without_a_tracer_is_enosys)
{
    in_child([] {
        install(filter_for(kCall, SECCOMP_RET_TRACE | 3));
        EXPECT_EQ(raw(kCall), -ENOSYS);
    });
}

TEST(Seccomp, log_allows)
{
    in_child([] {
        install(filter_for(kCall, SECCOMP_RET_LOG), SECCOMP_FILTER_FLAG_LOG | SECCOMP_FILTER_FLAG_SPEC_ALLOW);
        EXPECT_EQ(raw(kCall), ::getppid());
    });
}

TEST(Seccomp, user_notif_without_a_listener_is_enosys)
{
    in_child([] {
        install(filter_for(kCall, SECCOMP_RET_USER_NOTIF));
        EXPECT_EQ(raw(kCall), -ENOSYS);
    });
}

TEST(Seccomp, inherited_by_fork_and_exec)
{
    in_child([] {
        install(filter_for(SYS_getppid, SECCOMP_RET_ERRNO | 5));
        in_child([] {
            EXPECT_EQ(raw(SYS_getppid), -5);
            EXPECT_EQ(::prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0), 1);
        });
        // The program ends with the status that exit_group is filtered to: 7 becomes impossible, a kill.
        install(filter_for(SYS_exit_group, SECCOMP_RET_KILL_PROCESS));
        pid_t child = ::fork();
        if (child == 0) {
            ::execl("/proc/self/exe", "abi-tests", "--helper", "exit", "7", nullptr);
            ::_exit(99);
        }
        EXPECT_EQ(wait_for(child), killed_by(SIGSYS));
        if (::testing::Test::HasFailure()) ::kill(::getpid(), SIGKILL);
        raw(SYS_exit, 0);
    });
}

TEST(Seccomp, chains_have_a_limit)
{
    in_child([] {
        give_up_privileges();
        Filter const large(BPF_MAXINSNS, give(SECCOMP_RET_ALLOW));
        long result = 0;
        int installed = 0;
        for (; installed < 9 && result == 0; ++installed)
            result = try_filter(large);
        EXPECT_EQ(result, -ENOMEM);
    });
}

TEST(Seccomp, long_chains_end_well)
{
    in_child([] {
        give_up_privileges();
        long result = 0;
        for (int i = 0; i < 3000 && result == 0; ++i)
            result = try_filter({ give(SECCOMP_RET_ALLOW) });
        EXPECT_EQ(result, 0);
    });
}

// --- threads ---

struct Sleeper {
    std::atomic<pid_t> tid { 0 };
    std::atomic<bool> go { false };
    long result = 0, no_new_privs = 0;
    std::thread thread;

    template <typename Before>
    explicit Sleeper(Before&& before)
        : thread([this, before] {
            before();
            tid = pid_t(::syscall(SYS_gettid));
            tid.notify_all();
            go.wait(false);
            result = raw(kCall);
            no_new_privs = ::prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0);
        })
    {
        tid.wait(0);
    }
    void finish()
    {
        go = true;
        go.notify_all();
        thread.join();
    }
};

TEST(SeccompSync, brings_all_threads_in_step)
{
    in_child([] {
        Sleeper sleeper([] {});
        give_up_privileges();
        EXPECT_EQ(try_filter(filter_for(kCall, SECCOMP_RET_ERRNO | 9), SECCOMP_FILTER_FLAG_TSYNC), 0);
        sleeper.finish();
        EXPECT_EQ(sleeper.result, -9);
        EXPECT_EQ(sleeper.no_new_privs, 1);
    });
}

TEST(SeccompSync, without_it_only_the_caller_is_filtered)
{
    in_child([] {
        Sleeper sleeper([] {});
        install(filter_for(kCall, SECCOMP_RET_ERRNO | 9));
        sleeper.finish();
        EXPECT_GT(sleeper.result, 0);
    });
}

TEST(SeccompSync, fails_for_a_thread_on_another_path)
{
    in_child([] {
        Sleeper sleeper([] { install({ give(SECCOMP_RET_ALLOW) }); });
        give_up_privileges();
        Filter const filter = filter_for(kCall, SECCOMP_RET_ERRNO | 9);
        EXPECT_EQ(try_filter(filter, SECCOMP_FILTER_FLAG_TSYNC), sleeper.tid);
        EXPECT_EQ(try_filter(filter, SECCOMP_FILTER_FLAG_TSYNC | SECCOMP_FILTER_FLAG_TSYNC_ESRCH), -ESRCH);
        EXPECT_NE(::prctl(PR_GET_SECCOMP), -1);
        EXPECT_GT(raw(kCall), 0); // nothing was installed
        sleeper.finish();
        EXPECT_GT(sleeper.result, 0);
    });
}

// --- strict mode ---

TEST(SeccompStrict, allows_four_calls)
{
    Pipe pipe;
    pid_t child = ::fork();
    if (child == 0) {
        if (::prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT) != 0) ::_exit(1);
        char byte = 'x';
        bool ok = ::write(pipe.write_end, &byte, 1) == 1 && ::read(pipe.read_end, &byte, 1) == 1;
        ::syscall(SYS_exit, ok ? 42 : 2);
    }
    EXPECT_EQ(wait_for(child), exited(42));
}

TEST(SeccompStrict, kills_for_any_other)
{
    pid_t child = ::fork();
    if (child == 0) {
        raw(SYS_seccomp, SECCOMP_SET_MODE_STRICT, 0, 0);
        raw(kCall);
    }
    EXPECT_EQ(wait_for(child), killed_by(SIGKILL));
}

TEST(SeccompStrict, excludes_filters)
{
    in_child([] {
        install({ give(SECCOMP_RET_ALLOW) });
        EXPECT_EQ(raw(SYS_seccomp, SECCOMP_SET_MODE_STRICT, 0, 0), -EINVAL);
        EXPECT_ERROR(::prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT), EINVAL);
        EXPECT_ERROR(::prctl(PR_SET_SECCOMP, 7), EINVAL);
    });
}

// --- what there is ---

TEST(SeccompQuery, actions)
{
    for (unsigned action :
        { SECCOMP_RET_KILL_PROCESS, SECCOMP_RET_KILL_THREAD, SECCOMP_RET_TRAP, SECCOMP_RET_ERRNO,
            SECCOMP_RET_USER_NOTIF, SECCOMP_RET_TRACE, SECCOMP_RET_LOG, SECCOMP_RET_ALLOW })
        EXPECT_EQ(raw(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &action), 0) << action;
    unsigned none = 0x10000000;
    EXPECT_EQ(raw(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &none), -EOPNOTSUPP);
    EXPECT_EQ(raw(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 1, &none), -EINVAL);
    EXPECT_EQ(raw(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, 8), -EFAULT);
}

TEST(SeccompQuery, sizes)
{
    seccomp_notif_sizes sizes {};
    EXPECT_EQ(raw(SYS_seccomp, SECCOMP_GET_NOTIF_SIZES, 0, &sizes), 0);
    EXPECT_EQ(sizes.seccomp_notif, sizeof(seccomp_notif));
    EXPECT_EQ(sizes.seccomp_notif_resp, sizeof(seccomp_notif_resp));
    EXPECT_EQ(sizes.seccomp_data, sizeof(seccomp_data));
    EXPECT_EQ(raw(SYS_seccomp, SECCOMP_GET_NOTIF_SIZES, 1, &sizes), -EINVAL);
    EXPECT_EQ(raw(SYS_seccomp, SECCOMP_GET_NOTIF_SIZES, 0, 8), -EFAULT);
}

TEST(SeccompQuery, proc_sys)
{
    EXPECT_EQ(read_file("/proc/sys/kernel/seccomp/actions_avail"),
        "kill_process kill_thread trap errno user_notif trace log allow\n");
    EXPECT_EQ(read_file("/proc/sys/kernel/seccomp/actions_logged").find("allow"), std::string::npos);
}

TEST(SeccompQuery, actions_logged_can_be_set)
{
    NEEDS_ROOT();
    char const* path = "/proc/sys/kernel/seccomp/actions_logged";
    Fd file = ::open(path, O_RDWR);
    if (file < 0) SKIP_AS_HOST_LACKS("a writable actions_logged");
    std::string const before = read_file(path);
    if (!std::getenv("UMBRA_ABI_STRICT")) GTEST_SKIP() << "the host's own setting";
    EXPECT_EQ(::write(file, "trap errno", 10), 10);
    EXPECT_EQ(read_file(path), "trap errno\n");
    EXPECT_ERROR(::pwrite(file, "allow", 5, 0), EINVAL);
    EXPECT_ERROR(::pwrite(file, "nonsense", 8, 0), EINVAL);
    EXPECT_EQ(read_file(path), "trap errno\n");
    EXPECT_EQ(::pwrite(file, before.data(), before.size(), 0), ssize_t(before.size()));
    EXPECT_EQ(read_file(path), before);
}

} // namespace
} // namespace abi_test
