// SPDX-License-Identifier: GPL-2.0-or-later
// The hostile guest: `hostile-guest ATTACK`. Prints "under way" once it has begun and "done" when all that it saw was as
// it should be. `bystander` is the other side: a well-behaved program that notices when something goes wrong around it.
#include "tests/hostile/guest.h"

#include <cerrno>
#include <cstdarg>
#include <cstring>

#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

namespace hostile {

void fail(char const* format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    std::vprintf(format, arguments);
    va_end(arguments);
    std::printf("\n");
    std::fflush(stdout);
    _exit(1);
}

void fail_errno(char const* what) { fail("%s: %s", what, std::strerror(errno)); }

void under_way()
{
    std::printf("under way\n");
    std::fflush(stdout);
}

void* shared_memory(size_t size)
{
    void* memory = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) fail_errno("mmap of shared memory");
    return memory;
}

int wait_for(pid_t child)
{
    int status = 0;
    while (waitpid(child, &status, __WALL) < 0)
        if (errno != EINTR) fail_errno("waitpid");
    return status;
}

int in_child(std::function<void()> const& body)
{
    pid_t const child = fork();
    if (child < 0) fail_errno("fork");
    if (child == 0) {
        body();
        _exit(0);
    }
    return wait_for(child);
}

unsigned in_children(unsigned count, std::function<void(unsigned)> const& body)
{
    constexpr unsigned kPatience
        = 40; // looks without a step, 5 ms each: progress, not a verdict, depends on it
    auto& step = shared<std::atomic<unsigned>>();
    unsigned children = 0;
    while (step < count) {
        pid_t const child = fork();
        if (child < 0) fail_errno("fork");
        if (child == 0) {
            while (step < count) {
                body(step);
                ++step;
            }
            _exit(0);
        }
        ++children;
        unsigned seen = step, looks = 0;
        int status;
        while (waitpid(child, &status, __WALL | WNOHANG) == 0) {
            usleep(5000);
            if (step != seen) seen = step, looks = 0;
            if (++looks < kPatience) continue;
            kill(child, SIGKILL);
            wait_for(child);
            break;
        }
        // Whether it hung at this step or died of it: the next one goes on behind it.
        if (step < count) ++step;
    }
    return children;
}

uint64_t Random::next()
{
    state_ ^= state_ << 13;
    state_ ^= state_ >> 7;
    state_ ^= state_ << 17;
    return state_;
}

long raw_call(long number, long a, long b, long c, long d, long e, long f)
{
    long result;
    register long r10 asm("r10") = d;
    register long r8 asm("r8") = e;
    register long r9 asm("r9") = f;
    asm volatile("syscall"
                 : "=a"(result)
                 : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
                 : "rcx", "r11", "memory");
    return result;
}

namespace {

void check(bool good, char const* what)
{
    if (!good) fail("the bystander saw: %s (%s)", what, std::strerror(errno));
}

/// One look at the world: a program runs and tells its argument, memory holds, files and pipes carry what was put in.
void look(unsigned round)
{
    int ends[2];
    check(pipe(ends) == 0, "no pipe");
    std::string const word = std::to_string(round);
    pid_t const child = fork();
    check(child >= 0, "no fork");
    if (child == 0) {
        dup2(ends[1], 1);
        execl("/proc/self/exe", "hostile-guest", "echo", word.c_str(), nullptr);
        _exit(1);
    }
    close(ends[1]);
    char text[64] = {};
    check(read(ends[0], text, sizeof text) > 0 && text == word + "\n", "a program that says something else");
    close(ends[0]);
    check(wait_for(child) == 0, "a program that failed");
    int const file = open("/tmp/bystander", O_RDWR | O_CREAT | O_TRUNC, 0600);
    check(file >= 0, "no file");
    constexpr size_t kSize = 100000;
    static char out[kSize], in[kSize];
    std::memset(out, int(round), kSize);
    check(write(file, out, kSize) == ssize_t(kSize) && pread(file, in, kSize, 0) == ssize_t(kSize),
        "no file I/O");
    check(std::memcmp(out, in, kSize) == 0, "a file that changed");
    close(file);
}

/// Until its standard input ends; a line for each round.
void bystander()
{
    fcntl(0, F_SETFL, O_NONBLOCK);
    char byte;
    for (unsigned round = 1; read(0, &byte, 1) != 0; ++round) {
        look(round);
        std::printf("round %u\n", round);
        std::fflush(stdout);
        usleep(2000);
    }
}

struct Attack {
    char const* name;
    void (*run)();
};

constexpr Attack kAttacks[] = {
    { "junk-as-root", junk_as_root },
    { "junk-as-user", junk_as_user },
    { "jump-into-the-stub", jump_into_the_stub },
    { "scribble-over-the-stub", scribble_over_the_stub },
    { "leave-out-operations", leave_out_operations },
    { "reach-for-the-stub", reach_for_the_stub },
    { "forge-calls", forge_calls },
    { "host-numbers", host_numbers },
    { "flip-paths", flip_paths },
    { "fork-bomb", fork_bomb },
    { "thread-bomb", thread_bomb },
    { "memory-bomb", memory_bomb },
    { "many-files", many_files },
    { "many-descriptors", many_descriptors },
    { "deep-directories", deep_directories },
    { "hoard-buffers", hoard_buffers },
    { "signal-storm", signal_storm },
    { "timer-storm", timer_storm },
    { "bystander", bystander },
};

} // namespace
} // namespace hostile

int main(int argc, char** argv)
{
    using namespace hostile;
    std::string const name = argc > 1 ? argv[1] : "";
    if (name == "echo" && argc == 3) return std::printf("%s\n", argv[2]) < 0;
    for (Attack const& attack : kAttacks) {
        if (name != attack.name) continue;
        attack.run();
        std::printf("done\n");
        return 0;
    }
    std::printf("usage: hostile-guest ATTACK\n");
    return 2;
}
