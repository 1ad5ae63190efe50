// SPDX-License-Identifier: GPL-2.0-or-later
// Threads as the C library makes them with clone(2), and what a process with several of them does at exit,
// kill and stop.
#include "abi-test.h"

#include <atomic>
#include <mutex>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <sys/mman.h>
#include <thread>
#include <vector>

namespace abi_test {
namespace {

TEST(Thread, has_its_own_id_and_shares_the_process)
{
    pid_t process = ::getpid(), main_thread = ::gettid();
    EXPECT_EQ(process, main_thread);
    std::thread([&] {
        EXPECT_EQ(::getpid(), process);
        EXPECT_NE(::gettid(), main_thread);
    }).join();
}

TEST(Thread, returns_a_value)
{
    pthread_t thread;
    ASSERT_EQ(
        ::pthread_create(
            &thread, nullptr, [](void* p) { return static_cast<void*>(static_cast<char*>(p) + 1); }, nullptr),
        0);
    void* result = nullptr;
    ASSERT_EQ(::pthread_join(thread, &result), 0);
    EXPECT_EQ(reinterpret_cast<uintptr_t>(result), 1u);
}

TEST(Thread, sixty_four_at_once)
{
    std::atomic<int> sum = 0;
    std::vector<std::thread> threads;
    for (int i = 0; i < 64; i++)
        threads.emplace_back([&, i] { sum += i; });
    for (auto& thread : threads)
        thread.join();
    EXPECT_EQ(sum, 64 * 63 / 2);
}

TEST(Thread, a_thousand_one_after_the_other)
{
    int count = 0;
    for (int i = 0; i < 1000; i++)
        std::thread([&] { count++; }).join();
    EXPECT_EQ(count, 1000);
}

TEST(Thread, mutex_protects)
{
    std::mutex mutex;
    long value = 0;
    std::vector<std::thread> threads;
    for (int i = 0; i < 4; i++)
        threads.emplace_back([&] {
            for (int j = 0; j < 20'000; j++) {
                std::lock_guard guard(mutex);
                value = value + 1;
            }
        });
    for (auto& thread : threads)
        thread.join();
    EXPECT_EQ(value, 80'000);
}

TEST(Thread, condition_variable_hands_over)
{
    pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
    pthread_cond_t condition = PTHREAD_COND_INITIALIZER;
    int turn = 0;
    auto play = [&](int me) {
        for (int i = 0; i < 2000; i++) {
            ::pthread_mutex_lock(&mutex);
            while (turn != me)
                ::pthread_cond_wait(&condition, &mutex);
            turn = 1 - me;
            ::pthread_cond_broadcast(&condition);
            ::pthread_mutex_unlock(&mutex);
        }
    };
    std::thread other(play, 1);
    play(0);
    other.join();
    EXPECT_EQ(turn, 0);
}

TEST(Thread, barrier_and_semaphore)
{
    pthread_barrier_t barrier;
    ASSERT_EQ(::pthread_barrier_init(&barrier, nullptr, 4), 0);
    sem_t semaphore;
    ASSERT_EQ(::sem_init(&semaphore, 0, 0), 0);
    std::atomic<int> serial = 0;
    std::vector<std::thread> threads;
    for (int i = 0; i < 4; i++)
        threads.emplace_back([&] {
            for (int round = 0; round < 100; round++)
                if (::pthread_barrier_wait(&barrier) == PTHREAD_BARRIER_SERIAL_THREAD) serial++;
            ::sem_post(&semaphore);
        });
    for (int i = 0; i < 4; i++)
        EXPECT_EQ(::sem_wait(&semaphore), 0);
    for (auto& thread : threads)
        thread.join();
    EXPECT_EQ(serial, 100);
}

TEST(Thread, reader_writer_lock)
{
    pthread_rwlock_t lock = PTHREAD_RWLOCK_INITIALIZER;
    int value = 0;
    std::vector<std::thread> threads;
    for (int i = 0; i < 4; i++)
        threads.emplace_back([&, i] {
            for (int j = 0; j < 1000; j++) {
                if (i == 0) {
                    ::pthread_rwlock_wrlock(&lock);
                    value++;
                } else {
                    ::pthread_rwlock_rdlock(&lock);
                }
                ::pthread_rwlock_unlock(&lock);
            }
        });
    for (auto& thread : threads)
        thread.join();
    EXPECT_EQ(value, 1000);
}

thread_local int local_value = 7;

TEST(Thread, local_storage_is_separate)
{
    local_value = 1;
    std::thread([] {
        EXPECT_EQ(local_value, 7);
        local_value = 2;
    }).join();
    EXPECT_EQ(local_value, 1);
}

TEST(Thread, tls_base_is_the_threads_own)
{
    unsigned long mine = 0;
    ASSERT_EQ(raw(SYS_arch_prctl, 0x1003, &mine), 0); // ARCH_GET_FS
    EXPECT_NE(mine, 0u);
    std::thread([=] {
        unsigned long its = 0;
        EXPECT_EQ(raw(SYS_arch_prctl, 0x1003, &its), 0);
        EXPECT_NE(its, mine);
    }).join();
    EXPECT_EQ(raw(SYS_arch_prctl, 0x9999, 0), -EINVAL);
    EXPECT_EQ(raw(SYS_arch_prctl, 0x1002, 0x8000'0000'0000'0000), -EPERM); // ARCH_SET_FS
}

TEST(Thread, gs_base_can_be_set)
{
    uint64_t value = 0x1122'3344'5566'7788, got = 0;
    ASSERT_EQ(raw(SYS_arch_prctl, 0x1001, &value), 0); // ARCH_SET_GS
    asm volatile("movq %%gs:0, %0" : "=r"(got));
    EXPECT_EQ(got, value);
    unsigned long base = 0;
    ASSERT_EQ(raw(SYS_arch_prctl, 0x1004, &base), 0);
    EXPECT_EQ(base, reinterpret_cast<uintptr_t>(&value));
}

TEST(Thread, exit_of_the_main_thread_leaves_the_others)
{
    Pipe pipe;
    pid_t child = start([&] {
        std::thread([&] {
            while (process_state(::getpid()) != 'Z')
                ::usleep(1000);
            EXPECT_EQ(::write(pipe.write_end, "x", 1), 1);
            ::_exit(6);
        }).detach();
        raw(SYS_exit, 0);
    });
    char c;
    EXPECT_EQ(::read(pipe.read_end, &c, 1), 1);
    EXPECT_EQ(wait_for(child), exited(6));
}

TEST(Thread, last_thread_out_ends_the_process)
{
    pid_t child = start([] {
        std::thread([] { raw(SYS_exit, 9); }).detach();
        raw(SYS_exit, 4);
    });
    // The status is that of the last thread to leave; before Linux 5.17 it was the leader's.
    int status = wait_for(child);
    EXPECT_TRUE(status == exited(4) || status == exited(9)) << status;
}

TEST(Thread, all_may_leave_at_once)
{
    for (int round = 0; round < 100; ++round) {
        pid_t child = start([] {
            static pthread_barrier_t together;
            ::pthread_barrier_init(&together, nullptr, 3);
            for (int i = 0; i < 2; ++i)
                std::thread([] {
                    ::pthread_barrier_wait(&together);
                    raw(SYS_exit, 0);
                }).detach();
            ::pthread_barrier_wait(&together);
            raw(SYS_exit, 0);
        });
        ASSERT_EQ(wait_for(child), exited(0));
    }
}

TEST(Thread, exec_after_the_main_thread_has_left)
{
    pid_t child = start([] {
        std::thread([] {
            while (process_state(::getpid()) != 'Z')
                ::usleep(1000);
            ::execl("/proc/thread-self/exe", "abi-tests", "--helper", "exit", "3", nullptr);
            ::_exit(1);
        }).detach();
        raw(SYS_exit, 0);
    });
    EXPECT_EQ(wait_for(child), exited(3));
}

TEST(Thread, kill_after_the_main_thread_has_left)
{
    pid_t child = start([] {
        std::thread([] { ::pause(); }).detach();
        raw(SYS_exit, 0);
    });
    while (process_state(child) != 'Z')
        ::usleep(1000);
    EXPECT_EQ(::waitpid(child, nullptr, WNOHANG), 0);
    ASSERT_EQ(::kill(child, SIGTERM), 0);
    EXPECT_EQ(wait_for(child), killed_by(SIGTERM));
}

TEST(Thread, exit_group_takes_all_down)
{
    pid_t child = start([] {
        for (int i = 0; i < 4; i++)
            std::thread([] {
                for (;;)
                    asm volatile("pause");
            }).detach();
        for (int i = 0; i < 4; i++)
            std::thread([] { ::pause(); }).detach();
        std::thread([] { ::_exit(12); }).join();
    });
    EXPECT_EQ(wait_for(child), exited(12));
}

TEST(Thread, fatal_signal_takes_all_down)
{
    pid_t child = start([] {
        std::thread([] { *static_cast<int volatile*>(nullptr) = 1; }).detach();
        ::pause();
    });
    EXPECT_EQ(wait_for(child), killed_by(SIGSEGV));
}

TEST(Thread, stop_stops_all)
{
    Mapping shared(kPage, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS);
    auto* counters = shared.as<std::atomic<uint64_t>>();
    pid_t child = start([&] {
        std::thread([=] {
            for (;;)
                counters[0]++;
        }).detach();
        for (;;)
            counters[1]++;
    });
    while (counters[0] == 0 || counters[1] == 0)
        ::usleep(1000);
    ASSERT_EQ(::kill(child, SIGSTOP), 0);
    int status;
    ASSERT_EQ(::waitpid(child, &status, WUNTRACED), child);
    uint64_t first = counters[0], second = counters[1];
    ::usleep(20'000);
    EXPECT_EQ(counters[0], first);
    EXPECT_EQ(counters[1], second);
    ::kill(child, SIGKILL);
    wait_for(child);
}

std::atomic<pid_t> handled_by;

TEST(Thread, directed_signal_reaches_that_thread)
{
    set_handler(SIGUSR1, [](int) { handled_by = ::gettid(); });
    std::atomic<pid_t> id = 0;
    std::thread other([&] {
        id = ::gettid();
        while (handled_by == 0)
            ::usleep(1000);
    });
    while (id == 0)
        std::this_thread::yield();
    ASSERT_EQ(raw(SYS_tgkill, ::getpid(), pid_t(id), SIGUSR1), 0);
    other.join();
    EXPECT_EQ(handled_by, id);
}

TEST(Thread, process_signal_goes_to_a_thread_that_lets_it_in)
{
    set_handler(SIGUSR1, [](int) { handled_by = ::gettid(); });
    std::atomic<pid_t> id = 0;
    std::thread other([&] {
        id = ::gettid();
        while (handled_by == 0)
            ::usleep(1000);
    });
    while (id == 0)
        std::this_thread::yield();
    sigset_t set = signals({ SIGUSR1 });
    ASSERT_EQ(::pthread_sigmask(SIG_BLOCK, &set, nullptr), 0);
    ASSERT_EQ(::kill(::getpid(), SIGUSR1), 0);
    other.join();
    EXPECT_EQ(handled_by, id);
}

TEST(Thread, masks_and_altstacks_are_per_thread)
{
    block_signals({ SIGUSR1 });
    static char area[65536];
    stack_t stack { area, 0, sizeof area };
    ASSERT_EQ(::sigaltstack(&stack, nullptr), 0);
    std::thread([] {
        sigset_t mask;
        ASSERT_EQ(::pthread_sigmask(SIG_BLOCK, nullptr, &mask), 0);
        EXPECT_TRUE(sigismember(&mask, SIGUSR1)) << "inherited";
        stack_t now {};
        ASSERT_EQ(::sigaltstack(nullptr, &now), 0);
        EXPECT_TRUE(now.ss_flags & SS_DISABLE) << "not inherited";
        sigset_t none = signals({});
        ASSERT_EQ(::pthread_sigmask(SIG_SETMASK, &none, nullptr), 0);
    }).join();
    sigset_t mask;
    ASSERT_EQ(::pthread_sigmask(SIG_BLOCK, nullptr, &mask), 0);
    EXPECT_TRUE(sigismember(&mask, SIGUSR1));
}

TEST(Thread, clear_child_tid_wakes_a_joiner)
{
    Mapping stack(65536);
    static std::atomic<int> word;
    word = 1;
    int flags = CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM
        | CLONE_CHILD_CLEARTID;
    ASSERT_GT(::clone([](void*) { return 0; }, stack.data() + stack.size(), flags, nullptr, nullptr, nullptr,
                  &word),
        0);
    while (word != 0)
        raw(SYS_futex, &word, 0 /* FUTEX_WAIT */, 1, 0);
    EXPECT_EQ(word, 0);
}

TEST(Thread, names_are_per_thread)
{
    std::thread([] {
        ASSERT_EQ(::pthread_setname_np(::pthread_self(), "worker"), 0);
        EXPECT_EQ(read_file("/proc/thread-self/comm"), "worker\n");
    }).join();
    EXPECT_NE(read_file("/proc/self/comm"), "worker\n");
}

TEST(Thread, fork_in_a_threaded_process_copies_one)
{
    std::atomic<bool> stop = false;
    std::thread other([&] {
        while (!stop)
            ::usleep(1000);
    });
    pid_t child = start([] {
        // Only the caller exists here, so that this thread leads and the process ends with it.
        raw(SYS_exit, 8);
    });
    EXPECT_EQ(wait_for(child), exited(8));
    stop = true;
    other.join();
}

TEST(Thread, memory_mapped_by_one_is_there_for_all)
{
    std::atomic<char*> page = nullptr;
    std::thread other([&] {
        while (page == nullptr)
            std::this_thread::yield();
        page[0] = 5;
    });
    Mapping mapping(kPage);
    page = mapping.data();
    other.join();
    EXPECT_EQ(mapping[0], 5);
}

TEST(Thread, unmapping_is_seen_by_running_threads)
{
    pid_t child = start([] {
        Mapping page(kPage);
        page[0] = 1;
        std::atomic<bool> running = false;
        std::thread([&] {
            for (;;) {
                (void)*static_cast<char volatile*>(page.data());
                running = true;
            }
        }).detach();
        while (!running)
            std::this_thread::yield();
        ::munmap(page.data(), kPage);
        ::pause();
    });
    EXPECT_EQ(wait_for(child), killed_by(SIGSEGV));
}

TEST(Thread, cancellation)
{
    pthread_t thread;
    ASSERT_EQ(::pthread_create(
                  &thread, nullptr,
                  [](void*) -> void* {
                      for (;;)
                          ::pause();
                  },
                  nullptr),
        0);
    ASSERT_EQ(::pthread_cancel(thread), 0);
    void* result = nullptr;
    ASSERT_EQ(::pthread_join(thread, &result), 0);
    EXPECT_EQ(result, PTHREAD_CANCELED);
}

TEST(Thread, membarrier_and_rseq_answer)
{
    long commands = raw(SYS_membarrier, 0, 0, 0);
    if (commands == -ENOSYS) SKIP_AS_HOST_LACKS("membarrier");
    EXPECT_GE(commands, 0);
    EXPECT_EQ(raw(SYS_membarrier, 0x4000'0000, 0, 0), -EINVAL);
}

TEST(Thread, membarrier_reaches_running_threads)
{
    constexpr int kGlobal = 1, kPrivate = 8, kRegisterPrivate = 16;
    long commands = raw(SYS_membarrier, 0, 0, 0);
    if (commands < 0 || !(commands & kPrivate)) SKIP_AS_HOST_LACKS("private membarrier");
    std::atomic<bool> running = false, stop = false;
    std::thread spinner([&] {
        while (!stop)
            running = true;
    });
    while (!running)
        std::this_thread::yield();
    EXPECT_EQ(raw(SYS_membarrier, kPrivate, 0, 0), -EPERM) << "not registered";
    EXPECT_EQ(raw(SYS_membarrier, kRegisterPrivate, 0, 0), 0);
    for (int i = 0; i < 100; i++)
        EXPECT_EQ(raw(SYS_membarrier, kPrivate, 0, 0), 0);
    EXPECT_EQ(raw(SYS_membarrier, kGlobal, 0, 0), 0);
    EXPECT_EQ(raw(SYS_membarrier, kGlobal, 1, 0), -EINVAL);
    stop = true;
    spinner.join();
}

TEST(Thread, unshare_gives_files_and_directory_of_its_own)
{
    Fd fd = ::open("/dev/null", O_RDONLY);
    ASSERT_EQ(::chdir("/"), 0);
    std::thread([&] {
        EXPECT_EQ(::unshare(CLONE_FILES | CLONE_FS), 0);
        EXPECT_EQ(::close(fd), 0);
        EXPECT_EQ(::chdir("/proc"), 0);
        EXPECT_ERROR(::unshare(CLONE_SIGHAND | CLONE_VM), EINVAL);
        EXPECT_ERROR(::unshare(CLONE_THREAD), EINVAL);
    }).join();
    EXPECT_OK(::fcntl(fd, F_GETFD));
    char name[64];
    EXPECT_STREQ(::getcwd(name, sizeof name), "/");
    in_child([] { EXPECT_EQ(::unshare(CLONE_THREAD | CLONE_SIGHAND | CLONE_VM | CLONE_SYSVSEM), 0); });
    EXPECT_ERROR(::unshare(CLONE_VFORK), EINVAL);
}

} // namespace
} // namespace abi_test
