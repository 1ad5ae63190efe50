// SPDX-License-Identifier: GPL-2.0-or-later
// Junk in every argument of every system call: pointers to nothing, to read-only and half-mapped pages, into the kernel's
// half and the stub's zone, huge lengths, descriptors that are none, and things that are nearly right.
#include "tests/hostile/guest.h"

#include <cstring>

#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <unistd.h>

namespace hostile {
namespace {

constexpr unsigned kNumbers = 471;
constexpr unsigned kPage = 4096;

/// Pages with an edge, made anew in each child.
struct Ground {
    char* writable; ///< two pages, then nothing
    char* read_only; ///< one page, then nothing
};

Ground make_ground()
{
    auto map = [](size_t pages, int protection) {
        void* memory
            = mmap(nullptr, (pages + 1) * kPage, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        munmap(static_cast<char*>(memory) + pages * kPage, kPage);
        std::strcpy(static_cast<char*>(memory), "/tmp/junk");
        mprotect(memory, pages * kPage, protection);
        return static_cast<char*>(memory);
    };
    return { map(2, PROT_READ | PROT_WRITE), map(1, PROT_READ) };
}

long junk(Random& random, Ground const& ground)
{
    constexpr uint64_t kWords[]
        = { 0, 1, 2, 3, 7, 8, 16, 64, 255, 4095, 4096, 65536, 0x7fffffff, 0x80000000, 0xffffffff, 0x100000000,
              0x7ffe00000000, 0x7ffe00100000, 0x7ffe10000000, 0x7ffffffff000, 0x7fffffffffff, 0x800000000000,
              0xffff800000000000, 0xffffffffff600000, 0x7fffffffffffffff, 0x8000000000000000, uint64_t(-1),
              uint64_t(-2), uint64_t(-100), uint64_t(-4096), 0x10, 0xffff, 0x20000000, 0xdeadbeefdeadbeef };
    switch (random.below(10)) {
    case 0:
    case 1:
        return long(kWords[random.below(sizeof kWords / sizeof *kWords)]);
    case 2:
        return long(ground.writable + 2 * kPage - random.below(128)); // half mapped
    case 3:
        return long(ground.read_only + kPage - random.below(64));
    case 4:
        return long(ground.read_only);
    case 5:
        return long(ground.writable + random.below(kPage));
    case 6:
        return long(ground.writable);
    case 7:
        return long(random.below(20)); // a descriptor, a small number
    case 8:
        return long(1) << random.below(64);
    default:
        return long(random.next());
    }
}

/// What an attacker has at hand: something behind each of the first descriptors.
void make_descriptors()
{
    int ends[2];
    (void)!pipe(ends);
    open("/tmp", O_RDONLY | O_DIRECTORY);
    open("/tmp/junk", O_RDWR | O_CREAT, 0600);
    open("/proc/self/mem", O_RDWR);
    open("/dev/null", O_RDWR);
    raw_call(SYS_epoll_create1);
    raw_call(SYS_eventfd2, 1, O_NONBLOCK);
    raw_call(SYS_timerfd_create, 1, O_NONBLOCK);
    raw_call(SYS_socketpair, 1 /* AF_UNIX */, 1, 0, long(ends));
    raw_call(SYS_memfd_create, long("junk"), 0);
    raw_call(SYS_inotify_init1, O_NONBLOCK);
    raw_call(SYS_fanotify_init, 0x202, 0); // FAN_REPORT_FID | FAN_NONBLOCK
}

bool starts_a_process(unsigned number)
{
    return number == SYS_clone || number == SYS_fork || number == SYS_vfork || number == SYS_clone3;
}

/// Calls that root may use to end the attacker's parent, or to stop the whole instance, which is root's right.
bool spared_as_root(unsigned number)
{
    switch (number) {
    case SYS_kill:
    case SYS_tkill:
    case SYS_tgkill:
    case SYS_rt_sigqueueinfo:
    case SYS_rt_tgsigqueueinfo:
    case SYS_reboot:
    case SYS_ptrace:
    case SYS_process_vm_writev:
    case SYS_prlimit64:
    case SYS_fanotify_mark: // who listens and never answers
        return true;
    default:
        return false;
    }
}

enum class As { root, user };

void become_user()
{
    if (setgroups(0, nullptr) || setresgid(1000, 1000, 1000) || setresuid(1000, 1000, 1000))
        fail_errno("setresuid");
}

[[noreturn]] void attack(unsigned number, As who)
{
    constexpr unsigned kRounds = 60;
    // kill(0) and, as a user, kill(-1) reach nobody else.
    setsid();
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (who == As::user) become_user();
    Random random(number + 1000 * unsigned(who));
    Ground const ground = make_ground();
    make_descriptors();
    pid_t const self = getpid();
    itimerval const soon { { 0, 1000 }, { 0, 1000 } };
    struct sigaction interrupt { };
    interrupt.sa_handler = [](int) {};
    for (unsigned round = 0; round < kRounds; ++round) {
        // What waits for ever is interrupted.
        sigaction(SIGALRM, &interrupt, nullptr);
        setitimer(ITIMER_REAL, &soon, nullptr);
        long words[6];
        for (long& word : words)
            word = junk(random, ground);
        raw_call(long(number), words[0], words[1], words[2], words[3], words[4], words[5]);
        if (starts_a_process(number) && raw_call(SYS_getpid) != self) raw_call(SYS_exit_group, 0);
    }
    raw_call(SYS_exit_group, 0);
    __builtin_unreachable();
}

void junk_everywhere(As who)
{
    rlimit const memory { 256 << 20, 256 << 20 };
    setrlimit(RLIMIT_AS, &memory);
    under_way();
    in_children(kNumbers, [&](unsigned number) {
        if (who == As::root && spared_as_root(number)) return;
        // Each number has its own world: the one before may have closed, unmapped and masked things.
        pid_t const child = fork();
        if (child < 0) fail_errno("fork");
        if (child == 0) attack(number, who);
        wait_for(child);
    });
    // The world is still there.
    if (in_child([] { _exit(7); }) != 7 << 8) fail("a child does not give its status any more");
}

} // namespace

void junk_as_root() { junk_everywhere(As::root); }
void junk_as_user() { junk_everywhere(As::user); }

} // namespace hostile
