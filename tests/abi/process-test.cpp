// SPDX-License-Identifier: GPL-2.0-or-later
// Making and ending processes: fork(2), vfork(2), clone(2), clone3(2), _exit(2), reparenting, prctl(2).
#include "abi-test.h"

#include <linux/sched.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>

namespace abi_test {
namespace {

TEST(Process, fork_returns_zero_in_the_child_and_the_pid_in_the_parent)
{
    Pipe pipe;
    pid_t child = start([&] {
        pid_t self = ::getpid();
        ASSERT_EQ(::write(pipe.write_end, &self, sizeof self), ssize_t(sizeof self));
    });
    pid_t told = 0;
    ASSERT_EQ(::read(pipe.read_end, &told, sizeof told), ssize_t(sizeof told));
    EXPECT_EQ(told, child);
    EXPECT_NE(child, ::getpid());
    EXPECT_EQ(wait_for(child), exited(0));
}

TEST(Process, child_knows_its_parent)
{
    pid_t self = ::getpid();
    in_child([&] { EXPECT_EQ(::getppid(), self); });
}

TEST(Process, fork_copies_memory)
{
    int value = 1;
    in_child([&] {
        EXPECT_EQ(value, 1);
        value = 2;
    });
    EXPECT_EQ(value, 1);
}

TEST(Process, fork_shares_file_offsets)
{
    ScratchDirectory scratch;
    write_file("f", "abcdef");
    Fd fd = ::open("f", O_RDONLY);
    in_child([&] {
        char c;
        EXPECT_EQ(::read(fd, &c, 1), 1);
    });
    char c = 0;
    EXPECT_EQ(::read(fd, &c, 1), 1);
    EXPECT_EQ(c, 'b');
}

TEST(Process, fork_copies_the_descriptor_table)
{
    Pipe pipe;
    in_child([&] { EXPECT_EQ(::close(pipe.read_end), 0); });
    EXPECT_GE(::fcntl(pipe.read_end, F_GETFD), 0);
}

TEST(Process, child_has_no_pending_signals)
{
    block_signals({ SIGUSR1 });
    ASSERT_EQ(::raise(SIGUSR1), 0);
    in_child([] {
        sigset_t pending;
        ASSERT_EQ(::sigpending(&pending), 0);
        EXPECT_FALSE(sigismember(&pending, SIGUSR1));
        sigset_t mask;
        ASSERT_EQ(::sigprocmask(SIG_BLOCK, nullptr, &mask), 0);
        EXPECT_TRUE(sigismember(&mask, SIGUSR1));
    });
}

TEST(Process, child_inherits_working_directory_umask_and_group)
{
    ScratchDirectory scratch;
    ::umask(0123);
    pid_t group = ::getpgrp();
    in_child([&] {
        char* directory = ::getcwd(nullptr, 0);
        EXPECT_EQ(directory, scratch.path());
        std::free(directory);
        EXPECT_EQ(::umask(0), 0123u);
        EXPECT_EQ(::getpgrp(), group);
    });
    EXPECT_EQ(::umask(022), 0123u);
}

TEST(Process, exit_codes_are_eight_bits)
{
    for (int code : { 0, 1, 77, 127, 128, 255, 256, -1 })
        EXPECT_EQ(wait_for(start([=] { ::_exit(code); })), exited(code)) << code;
}

TEST(Process, vfork_child_runs_in_the_parents_memory)
{
    volatile int value = 0;
    pid_t child = ::vfork();
    if (child == 0) {
        value = 42;
        ::_exit(5);
    }
    ASSERT_GT(child, 0);
    EXPECT_EQ(value, 42);
    EXPECT_EQ(wait_for(child), exited(5));
}

TEST(Process, vfork_suspends_the_parent_until_the_child_is_done)
{
    Pipe pipe(O_NONBLOCK);
    pid_t child = ::vfork();
    if (child == 0) {
        timespec pause { 0, 50'000'000 };
        ::nanosleep(&pause, nullptr);
        (void)!::write(pipe.write_end, "x", 1);
        ::_exit(0);
    }
    char c;
    EXPECT_EQ(::read(pipe.read_end, &c, 1), 1);
    EXPECT_EQ(wait_for(child), exited(0));
}

TEST(Process, raw_clone_with_only_a_signal_is_fork)
{
    long child = raw(SYS_clone, SIGCHLD, 0, 0, 0, 0);
    if (child == 0) ::_exit(9);
    ASSERT_GT(child, 0);
    EXPECT_EQ(wait_for(pid_t(child)), exited(9));
}

int set_to_seven(void* value)
{
    *static_cast<int volatile*>(value) = 7;
    return 3;
}

TEST(Process, clone_vm_shares_memory)
{
    Mapping stack(65536);
    int volatile value = 0;
    pid_t child
        = ::clone(set_to_seven, stack.data() + stack.size(), CLONE_VM | SIGCHLD, const_cast<int*>(&value));
    ASSERT_GT(child, 0);
    EXPECT_EQ(wait_for(child), exited(3));
    EXPECT_EQ(value, 7);
}

int close_descriptor(void* fd) { return ::close(*static_cast<int*>(fd)); }

TEST(Process, clone_files_shares_the_descriptor_table)
{
    Mapping stack(65536);
    int fd = ::open("/dev/null", O_RDONLY);
    pid_t child = ::clone(close_descriptor, stack.data() + stack.size(), CLONE_FILES | SIGCHLD, &fd);
    ASSERT_GT(child, 0);
    EXPECT_EQ(wait_for(child), exited(0));
    EXPECT_ERROR(::fcntl(fd, F_GETFD), EBADF);
}

int change_directory(void*) { return ::chdir("/") || ::umask(0777) == 0777; }

TEST(Process, clone_fs_shares_working_directory_and_umask)
{
    ScratchDirectory scratch;
    Mapping stack(65536);
    pid_t child = ::clone(change_directory, stack.data() + stack.size(), CLONE_FS | SIGCHLD, nullptr);
    ASSERT_GT(child, 0);
    EXPECT_EQ(wait_for(child), exited(0));
    char directory[4096];
    EXPECT_STREQ(::getcwd(directory, sizeof directory), "/");
    EXPECT_EQ(::umask(022), 0777u);
}

TEST(Process, clone_stores_thread_ids)
{
    Mapping shared(kPage, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS);
    int* ids = shared.as<int>();
    long child = raw(SYS_clone, CLONE_PARENT_SETTID | CLONE_CHILD_SETTID | SIGCHLD, 0, &ids[0], &ids[1], 0);
    if (child == 0) ::_exit(0);
    ASSERT_GT(child, 0);
    EXPECT_EQ(wait_for(pid_t(child)), exited(0));
    EXPECT_EQ(ids[0], child);
    EXPECT_EQ(ids[1], child);
}

TEST(Process, clone_refuses_inconsistent_flags)
{
    EXPECT_EQ(raw(SYS_clone, CLONE_THREAD | SIGCHLD, 0, 0, 0, 0), -EINVAL);
    EXPECT_EQ(raw(SYS_clone, CLONE_THREAD | CLONE_SIGHAND, 0, 0, 0, 0), -EINVAL);
    EXPECT_EQ(raw(SYS_clone, CLONE_SIGHAND | SIGCHLD, 0, 0, 0, 0), -EINVAL);
    EXPECT_EQ(raw(SYS_clone, CLONE_FS | CLONE_NEWNS | SIGCHLD, 0, 0, 0, 0), -EINVAL);
}

TEST(Process, clone_can_send_another_signal_at_exit)
{
    block_signals({ SIGUSR2, SIGCHLD });
    long child = raw(SYS_clone, SIGUSR2, 0, 0, 0, 0);
    if (child == 0) ::_exit(4);
    ASSERT_GT(child, 0);
    sigset_t wanted = signals({ SIGUSR2, SIGCHLD });
    siginfo_t info {};
    EXPECT_EQ(::sigwaitinfo(&wanted, &info), SIGUSR2);
    EXPECT_EQ(info.si_pid, child);
    EXPECT_EQ(info.si_status, 4);
    // A child with another exit signal is a "clone child", which plain wait does not see.
    EXPECT_ERROR(::waitpid(pid_t(child), nullptr, 0), ECHILD);
    EXPECT_EQ(wait_for(pid_t(child), __WCLONE), exited(4));
}

TEST(Process, clone3_forks_and_gives_a_pidfd)
{
    int pidfd = -1;
    clone_args args {};
    args.flags = CLONE_PIDFD;
    args.exit_signal = SIGCHLD;
    args.pidfd = reinterpret_cast<uintptr_t>(&pidfd);
    long child = raw(SYS_clone3, &args, sizeof args);
    if (child == 0) ::_exit(6);
    ASSERT_GT(child, 0);
    Fd owned = pidfd;
    EXPECT_GE(pidfd, 0);
    EXPECT_EQ(::fcntl(pidfd, F_GETFD), FD_CLOEXEC);
    siginfo_t info {};
    EXPECT_EQ(::waitid(P_PIDFD, id_t(pidfd), &info, WEXITED), 0);
    EXPECT_EQ(info.si_status, 6);
}

TEST(Process, clone3_checks_its_structure)
{
    clone_args args {};
    args.exit_signal = SIGCHLD;
    EXPECT_EQ(raw(SYS_clone3, &args, 32), -EINVAL);
    EXPECT_EQ(raw(SYS_clone3, &args, size_t(kPage) + 1), -E2BIG);
    args.exit_signal = 65;
    EXPECT_EQ(raw(SYS_clone3, &args, sizeof args), -EINVAL);
    args.exit_signal = SIGCHLD;
    args.stack_size = 4096;
    EXPECT_EQ(raw(SYS_clone3, &args, sizeof args), -EINVAL);
}

TEST(Process, orphans_go_to_the_nearest_subreaper)
{
    ASSERT_EQ(::prctl(PR_SET_CHILD_SUBREAPER, 1), 0);
    int on = 0;
    ASSERT_EQ(::prctl(PR_GET_CHILD_SUBREAPER, &on), 0);
    EXPECT_EQ(on, 1);
    pid_t reaper = ::getpid();
    Pipe pipe;
    Gate parent_is_gone;
    pid_t middle = start([&] {
        start([&] {
            parent_is_gone.wait();
            EXPECT_EQ(::getppid(), reaper);
            ::_exit(::testing::Test::HasFailure() ? 1 : 33);
        });
    });
    EXPECT_EQ(wait_for(middle), exited(0));
    parent_is_gone.open();
    int status = 0;
    pid_t orphan = ::waitpid(-1, &status, 0);
    EXPECT_GT(orphan, 0);
    EXPECT_NE(orphan, middle);
    EXPECT_EQ(status, exited(33));
}

TEST(Process, subreaper_is_not_inherited)
{
    ASSERT_EQ(::prctl(PR_SET_CHILD_SUBREAPER, 1), 0);
    in_child([] {
        int on = 1;
        ASSERT_EQ(::prctl(PR_GET_CHILD_SUBREAPER, &on), 0);
        EXPECT_EQ(on, 0);
    });
}

TEST(Process, parent_death_signal_arrives)
{
    ASSERT_EQ(::prctl(PR_SET_CHILD_SUBREAPER, 1), 0);
    Pipe pipe;
    pid_t parent = start([&] {
        Gate armed;
        start([&] {
            block_signals({ SIGUSR1 });
            ASSERT_EQ(::prctl(PR_SET_PDEATHSIG, SIGUSR1), 0);
            int signal = 0;
            ASSERT_EQ(::prctl(PR_GET_PDEATHSIG, &signal), 0);
            EXPECT_EQ(signal, SIGUSR1);
            armed.open();
            sigset_t wanted = signals({ SIGUSR1 });
            EXPECT_EQ(::sigwaitinfo(&wanted, nullptr), SIGUSR1);
            EXPECT_EQ(::write(pipe.write_end, "d", 1), 1);
        });
        armed.wait();
    });
    EXPECT_EQ(wait_for(parent), exited(0));
    char c = 0;
    EXPECT_EQ(::read(pipe.read_end, &c, 1), 1);
    int status;
    EXPECT_GT(::waitpid(-1, &status, 0), 0);
    EXPECT_EQ(status, exited(0));
}

TEST(Process, parent_death_signal_is_cleared_in_a_child_and_checked)
{
    ASSERT_EQ(::prctl(PR_SET_PDEATHSIG, SIGTERM), 0);
    in_child([] {
        int signal = -1;
        EXPECT_EQ(::prctl(PR_GET_PDEATHSIG, &signal), 0);
        EXPECT_EQ(signal, 0);
    });
    EXPECT_ERROR(::prctl(PR_SET_PDEATHSIG, 65), EINVAL);
}

TEST(Process, name_is_cut_at_fifteen_bytes)
{
    ASSERT_EQ(::prctl(PR_SET_NAME, "a-name-that-is-too-long"), 0);
    char name[16] = {};
    ASSERT_EQ(::prctl(PR_GET_NAME, name), 0);
    EXPECT_STREQ(name, "a-name-that-is-");
    EXPECT_EQ(read_file("/proc/self/comm"), "a-name-that-is-\n");
}

TEST(Process, name_is_inherited_by_fork)
{
    ASSERT_EQ(::prctl(PR_SET_NAME, "family"), 0);
    in_child([] {
        char name[16] = {};
        ASSERT_EQ(::prctl(PR_GET_NAME, name), 0);
        EXPECT_STREQ(name, "family");
    });
}

TEST(Process, dumpable_flag)
{
    ASSERT_EQ(::prctl(PR_SET_DUMPABLE, 0), 0);
    EXPECT_EQ(::prctl(PR_GET_DUMPABLE), 0);
    ASSERT_EQ(::prctl(PR_SET_DUMPABLE, 1), 0);
    EXPECT_EQ(::prctl(PR_GET_DUMPABLE), 1);
    EXPECT_ERROR(::prctl(PR_SET_DUMPABLE, 5), EINVAL);
}

TEST(Process, no_new_privs_is_for_good_and_inherited)
{
    in_child([] {
        ASSERT_EQ(::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
        EXPECT_EQ(::prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0), 1);
        EXPECT_ERROR(::prctl(PR_SET_NO_NEW_PRIVS, 0, 0, 0, 0), EINVAL);
        in_child([] { EXPECT_EQ(::prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0), 1); });
    });
}

TEST(Process, unknown_prctl_is_refused) { EXPECT_ERROR(::prctl(999'999, 0, 0, 0, 0), EINVAL); }

TEST(Process, unknown_system_call_gives_enosys)
{
    EXPECT_EQ(raw(463 + 500), -ENOSYS);
    EXPECT_EQ(raw(-1), -ENOSYS);
    EXPECT_EQ(raw(0x7fffffff), -ENOSYS);
}

TEST(Process, system_calls_preserve_the_other_registers)
{
    uint64_t result = SYS_getpid, rdi = 1, rsi = 2, rdx = 3, saved[3] = {};
    asm volatile("movl $8, %%r8d; movl $9, %%r9d; movl $10, %%r10d; syscall;"
                 "movq %%r8, (%[saved]); movq %%r9, 8(%[saved]); movq %%r10, 16(%[saved])"
                 : "+a"(result), "+D"(rdi), "+S"(rsi), "+d"(rdx)
                 : [saved] "r"(saved)
                 : "rcx", "r8", "r9", "r10", "r11", "memory", "cc");
    EXPECT_EQ(result, uint64_t(::getpid()));
    EXPECT_EQ(rdi, 1u);
    EXPECT_EQ(rsi, 2u);
    EXPECT_EQ(rdx, 3u);
    EXPECT_EQ(saved[0], 8u);
    EXPECT_EQ(saved[1], 9u);
    EXPECT_EQ(saved[2], 10u);
}

TEST(Process, system_call_leaves_return_address_in_rcx_and_flags_in_r11)
{
    uint64_t result = SYS_getpid, rcx = 0, r11 = 0, expected = 0, flags = 0;
    asm volatile("pushfq\n\tpopq %4\n\tleaq 1f(%%rip), %3\n\tsyscall\n1:\n\tmovq %%r11, %2"
                 : "+a"(result), "=c"(rcx), "=&r"(r11), "=&r"(expected), "=&r"(flags)
                 :
                 : "r11", "memory");
    EXPECT_EQ(rcx, expected);
    // The arithmetic flags may have changed in between; interrupt flag and the reserved bit must be there.
    EXPECT_EQ(r11 & 0x202, 0x202u);
    EXPECT_EQ(flags & 0x202, 0x202u);
}

TEST(Process, priority_is_inherited_and_bounded)
{
    ASSERT_EQ(::setpriority(PRIO_PROCESS, 0, 5), 0);
    in_child([] { EXPECT_EQ(::getpriority(PRIO_PROCESS, 0), 5); });
    ASSERT_EQ(::setpriority(PRIO_PROCESS, 0, 100), 0);
    EXPECT_EQ(::getpriority(PRIO_PROCESS, 0), 19);
    EXPECT_ERROR(::setpriority(77, 0, 0), EINVAL);
    EXPECT_ERROR(::getpriority(PRIO_PROCESS, 0x3fffffff), ESRCH);
}

TEST(Process, ordinary_user_cannot_raise_its_priority)
{
    as_ordinary_user([] {
        rlimit none {};
        ASSERT_EQ(::setrlimit(RLIMIT_NICE, &none), 0);
        ASSERT_EQ(::setpriority(PRIO_PROCESS, 0, 10), 0);
        EXPECT_ERROR(::setpriority(PRIO_PROCESS, 0, 0), EACCES);
    });
}

TEST(Process, affinity_is_a_subset_of_what_there_is)
{
    cpu_set_t original, one;
    ASSERT_EQ(::sched_getaffinity(0, sizeof original, &original), 0);
    ASSERT_GT(CPU_COUNT(&original), 0);
    int cpu = 0;
    while (!CPU_ISSET(cpu, &original))
        cpu++;
    CPU_ZERO(&one);
    CPU_SET(cpu, &one);
    ASSERT_EQ(::sched_setaffinity(0, sizeof one, &one), 0);
    EXPECT_EQ(::sched_getcpu(), cpu);
    in_child([&] {
        cpu_set_t inherited;
        ASSERT_EQ(::sched_getaffinity(0, sizeof inherited, &inherited), 0);
        EXPECT_TRUE(CPU_EQUAL(&inherited, &one));
    });
    CPU_ZERO(&one);
    EXPECT_ERROR(::sched_setaffinity(0, sizeof one, &one), EINVAL);
}

TEST(Process, scheduler_policy_is_other_by_default)
{
    EXPECT_EQ(::sched_getscheduler(0), SCHED_OTHER);
    sched_param param { 7 };
    ASSERT_EQ(::sched_getparam(0, &param), 0);
    EXPECT_EQ(param.sched_priority, 0);
    EXPECT_EQ(::sched_get_priority_max(SCHED_FIFO), 99);
    EXPECT_EQ(::sched_get_priority_min(SCHED_OTHER), 0);
    EXPECT_EQ(::sched_yield(), 0);
}

TEST(Process, two_hundred_children_at_once)
{
    Gate gate;
    std::vector<pid_t> children;
    for (int i = 0; i < 200; i++)
        children.push_back(start([&] {
            gate.wait();
            ::_exit(11);
        }));
    for (size_t i = 0; i < children.size(); i++)
        gate.open();
    for (pid_t child : children)
        EXPECT_EQ(wait_for(child), exited(11));
    EXPECT_ERROR(::waitpid(-1, nullptr, 0), ECHILD);
}

TEST(Process, fork_chain_ten_deep)
{
    int depth = 0;
    pid_t child = 0;
    while (depth < 10 && (child = ::fork()) == 0)
        depth++;
    if (depth == 10) ::_exit(10);
    int code = WEXITSTATUS(wait_for(child));
    if (depth > 0) ::_exit(code);
    EXPECT_EQ(code, 10);
}

TEST(Process, fork_fails_at_the_limit_of_processes)
{
    as_ordinary_user([] {
        rlimit none { 0, 0 };
        ASSERT_EQ(::setrlimit(RLIMIT_NPROC, &none), 0);
        EXPECT_EQ(raw(SYS_fork), -EAGAIN);
    });
}

} // namespace
} // namespace abi_test
