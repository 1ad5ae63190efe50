// SPDX-License-Identifier: GPL-2.0-or-later
// rseq(2): registration, the words that say where a thread runs, and the ways out of a critical section.
#include "ptrace.h"

#include <atomic>
#include <linux/membarrier.h>
#include <pthread.h>
#include <sched.h>
#include <sys/auxv.h>
#include <sys/rseq.h>
#include <thread>

namespace abi_test {
namespace {

constexpr unsigned kSignature = 0x53053053, kUnregister = 1;
constexpr unsigned kOriginalSize = 32;

struct alignas(32) Area {
    uint32_t cpu_id_start = 0, cpu_id = ~0u;
    uint64_t section = 0;
    uint32_t flags = 0, node_id = 0, concurrency_id = 0, padding = 0;
};

struct Section {
    uint32_t version = 0, flags = 0;
    uint64_t start = 0, length = 0, abort = 0;
};

long set_area(void* area, unsigned size = kOriginalSize, unsigned flags = 0, unsigned signature = kSignature)
{
    return raw(SYS_rseq, area, size, flags, signature);
}

/// The C library has an area of its own for each thread, if the kernel lets it.
void take_over_from_libc()
{
    if (!__rseq_size) return;
    auto* mine = static_cast<char*>(__builtin_thread_pointer()) + __rseq_offset;
    ASSERT_EQ(set_area(mine, kOriginalSize, kUnregister), 0);
}

bool is_missing()
{
    Area area;
    return raw(SYS_rseq, &area, 0, 0x80, 0) == -ENOSYS;
}

#define NEEDS_RSEQ()                                                                                         \
    if (is_missing()) SKIP_AS_HOST_LACKS("rseq(2)")

int this_cpu()
{
    unsigned cpu = ~0u;
    EXPECT_EQ(raw(SYS_getcpu, &cpu, 0, 0), 0);
    return int(cpu);
}

void run_on(int cpu)
{
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(cpu, &set);
    ASSERT_EQ(::sched_setaffinity(0, sizeof set, &set), 0);
}

/// The first two CPUs that this process may use; the same twice where there is one.
std::pair<int, int> two_cpus()
{
    cpu_set_t set;
    EXPECT_EQ(::sched_getaffinity(0, sizeof set, &set), 0);
    int first = 0;
    while (!CPU_ISSET(first, &set))
        ++first;
    for (int next = first + 1; next < CPU_SETSIZE; ++next)
        if (CPU_ISSET(next, &set)) return { first, next };
    return { first, first };
}

TEST(Rseq, the_auxiliary_vector_tells_its_size)
{
    NEEDS_RSEQ();
    if (!::getauxval(27)) SKIP_AS_HOST_LACKS("AT_RSEQ_FEATURE_SIZE");
    EXPECT_GE(::getauxval(27), 28u);
    EXPECT_EQ(::getauxval(28), 32u); // AT_RSEQ_ALIGN
}

TEST(Rseq, registration_is_checked)
{
    NEEDS_RSEQ();
    in_child([] {
        take_over_from_libc();
        Area area, other;
        EXPECT_EQ(set_area(&area, kOriginalSize, 2), -EINVAL);
        EXPECT_EQ(set_area(&area, 16), -EINVAL);
        EXPECT_EQ(set_area(reinterpret_cast<char*>(&area) + 8), -EINVAL);
        EXPECT_EQ(set_area(&area, kOriginalSize, kUnregister), -EINVAL);
        EXPECT_EQ(set_area(reinterpret_cast<void*>(1ul << 63)), -EFAULT);
        ASSERT_EQ(set_area(&area), 0);
        EXPECT_EQ(set_area(&area), -EBUSY);
        EXPECT_EQ(set_area(&other), -EINVAL);
        EXPECT_EQ(set_area(&area, 64), -EINVAL);
        EXPECT_EQ(set_area(&area, kOriginalSize, 0, 1), -EPERM);
        EXPECT_EQ(set_area(&area, kOriginalSize, kUnregister, 1), -EPERM);
        EXPECT_EQ(set_area(&other, kOriginalSize, kUnregister), -EINVAL);
        EXPECT_EQ(set_area(&area, kOriginalSize, kUnregister), 0);
        EXPECT_EQ(area.cpu_id, ~0u);
        EXPECT_EQ(area.cpu_id_start, 0u);
        EXPECT_EQ(set_area(&area, kOriginalSize, kUnregister), -EINVAL);
    });
}

TEST(Rseq, says_where_the_thread_runs)
{
    NEEDS_RSEQ();
    in_child([] {
        take_over_from_libc();
        auto volatile* area = new Area;
        ASSERT_EQ(set_area(const_cast<Area*>(area)), 0);
        auto [one, two] = two_cpus();
        for (int cpu : { one, two, one, two }) {
            run_on(cpu);
            EXPECT_EQ(int(area->cpu_id), cpu);
            EXPECT_EQ(int(area->cpu_id_start), cpu);
            EXPECT_EQ(this_cpu(), cpu);
            EXPECT_LT(area->concurrency_id, unsigned(CPU_SETSIZE));
        }
    });
}

TEST(Rseq, a_child_of_fork_keeps_it)
{
    NEEDS_RSEQ();
    in_child([] {
        take_over_from_libc();
        auto* area = new Area;
        ASSERT_EQ(set_area(area), 0);
        in_child([&] {
            EXPECT_EQ(set_area(area), -EBUSY);
            EXPECT_EQ(int(static_cast<Area volatile*>(area)->cpu_id) >= 0, true);
        });
    });
}

TEST(Rseq, an_area_that_cannot_be_written_is_fatal)
{
    NEEDS_RSEQ();
    pid_t child = start([] {
        take_over_from_libc();
        Mapping page(kPage, 1 /* PROT_READ */);
        set_area(page.data());
        raw(SYS_getpid);
    });
    EXPECT_EQ(wait_for(child), killed_by(SIGSEGV));
}

/// Spins in a critical section until the kernel sends the thread to the section's abort handler.
__attribute__((noinline)) void spin(Area* area, std::atomic<int>* inside, Section& section)
{
    asm volatile("lea 1f(%%rip), %%rax\n\t"
                 "mov %%rax, 8(%0)\n\t"
                 "lea 2f(%%rip), %%rcx\n\t"
                 "sub %%rax, %%rcx\n\t"
                 "mov %%rcx, 16(%0)\n\t"
                 "lea 3f(%%rip), %%rax\n\t"
                 "mov %%rax, 24(%0)\n\t"
                 "mov %0, 8(%1)\n"
                 "1:\n\t"
                 "movl $1, (%2)\n\t"
                 "pause\n\t"
                 "jmp 1b\n"
                 "2:\n\t"
                 ".long 0x53053053\n"
                 "3:\n\t"
                 :
                 : "r"(&section), "r"(area), "r"(inside)
                 : "rax", "rcx", "memory");
}

void nothing(int) { }

TEST(RseqSection, a_signal_aborts_it)
{
    NEEDS_RSEQ();
    in_child([] {
        take_over_from_libc();
        auto* area = new Area;
        ASSERT_EQ(set_area(area), 0);
        RepeatingAlarm alarm(0, nothing);
        std::atomic<int> inside { 0 };
        for (int i = 0; i < 5; ++i) {
            Section section;
            spin(area, &inside, section);
            EXPECT_EQ(static_cast<Area volatile*>(area)->section, 0u);
        }
    });
}

TEST(RseqSection, preemption_aborts_it)
{
    NEEDS_RSEQ();
    in_child([] {
        run_on(two_cpus().first);
        std::atomic<bool> stop { false };
        std::thread rival([&] {
            while (!stop)
                asm volatile("pause");
        });
        take_over_from_libc();
        auto* area = new Area;
        ASSERT_EQ(set_area(area), 0);
        std::atomic<int> inside { 0 };
        Section section;
        spin(area, &inside, section);
        stop = true;
        rival.join();
    });
}

TEST(RseqSection, membarrier_aborts_it)
{
    NEEDS_RSEQ();
    long const known = raw(SYS_membarrier, MEMBARRIER_CMD_QUERY, 0, 0);
    if (!(known & 128)) SKIP_AS_HOST_LACKS("MEMBARRIER_CMD_PRIVATE_EXPEDITED_RSEQ");
    in_child([] {
        EXPECT_EQ(raw(SYS_membarrier, 128, 0, 0), -EPERM);
        ASSERT_EQ(raw(SYS_membarrier, 256, 0, 0), 0);
        std::atomic<int> inside { 0 };
        std::atomic<bool> left { false };
        std::thread thread([&] {
            take_over_from_libc();
            auto* area = new Area;
            ASSERT_EQ(set_area(area), 0);
            Section section;
            spin(area, &inside, section);
            left = true;
        });
        while (!inside)
            ::sched_yield();
        while (!left)
            EXPECT_EQ(raw(SYS_membarrier, 128, 0, 0), 0);
        thread.join();
        EXPECT_EQ(raw(SYS_membarrier, 128, 1, this_cpu()), 0);
        EXPECT_EQ(raw(SYS_membarrier, 128, 2, 0), -EINVAL);
        EXPECT_EQ(raw(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED, 1, 0), -EINVAL);
    });
}

TEST(RseqSection, sync_core_needs_registration)
{
    if (!(raw(SYS_membarrier, MEMBARRIER_CMD_QUERY, 0, 0) & 32)) SKIP_AS_HOST_LACKS("SYNC_CORE");
    in_child([] {
        EXPECT_EQ(raw(SYS_membarrier, 32, 0, 0), -EPERM);
        EXPECT_EQ(raw(SYS_membarrier, 64, 0, 0), 0);
        EXPECT_EQ(raw(SYS_membarrier, 32, 0, 0), 0);
    });
}

/// A child whose area names a bad section when a signal comes.
template <typename Spoil> int end_with(Spoil&& spoil)
{
    return wait_for(start([&] {
        take_over_from_libc();
        auto* area = new Area;
        ASSERT_EQ(set_area(area), 0);
        Section section;
        section.start = 0x1000, section.length = 8,
        section.abort = reinterpret_cast<uint64_t>(&kSignature) + 4;
        spoil(*area, section);
        set_handler(SIGUSR1, nothing);
        reinterpret_cast<Area volatile*>(area)->section = reinterpret_cast<uint64_t>(&section);
        ::raise(SIGUSR1);
    }));
}

TEST(RseqSection, bad_ones_are_fatal)
{
    NEEDS_RSEQ();
    EXPECT_EQ(end_with([](Area&, Section&) {}), exited(0)); // the handler's address is where the signature is
    EXPECT_EQ(end_with([](Area&, Section& s) { s.version = 1; }), killed_by(SIGSEGV));
    EXPECT_EQ(end_with([](Area&, Section& s) { s.abort = 1ul << 62; }), killed_by(SIGSEGV));
    EXPECT_EQ(end_with([](Area&, Section& s) { s.abort = s.start + 4; }), killed_by(SIGSEGV));
    EXPECT_EQ(end_with([](Area&, Section& s) { s.length = ~0ul; }), killed_by(SIGSEGV));
    EXPECT_EQ(end_with([](Area&, Section& s) {
        static uint32_t const other[] = { 0, 0 };
        s.abort = reinterpret_cast<uint64_t>(&other[1]);
    }),
        killed_by(SIGSEGV));
}

TEST(Rseq, a_tracer_can_ask)
{
    NEEDS_RSEQ();
    struct {
        uint64_t area;
        uint32_t size, signature, flags, padding;
    } answer {};
    auto* area = new Area;
    pid_t child = start_traced([&] {
        take_over_from_libc();
        set_area(area);
        ::raise(SIGSTOP);
    });
    EXPECT_EQ(trace(PTRACE_CONT, child), 0);
    EXPECT_EQ(next_stop(child), stopped_by(SIGSTOP));
    EXPECT_EQ(trace(0x420f, child, sizeof answer, &answer), long(sizeof answer));
    EXPECT_EQ(answer.area, reinterpret_cast<uint64_t>(area));
    EXPECT_EQ(answer.size, kOriginalSize);
    EXPECT_EQ(answer.signature, kSignature);
    end_tracee(child);
}

} // namespace
} // namespace abi_test
