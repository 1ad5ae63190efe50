// SPDX-License-Identifier: GPL-2.0-or-later
// Much of one thing, for the storm tests: `storms KIND` prints "KIND: ok", or what was wrong and exits 1.
// Built with glibc and with musl, statically. Nothing here asks a clock.
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define CHECK(condition)                                                                                     \
    do {                                                                                                     \
        if (!(condition)) {                                                                                  \
            printf("%s:%d: %s (%s)\n", __func__, __LINE__, #condition, strerror(errno));                     \
            exit(1);                                                                                         \
        }                                                                                                    \
    } while (0)

enum { kPage = 4096 };

static char const* self;

// -- signals: two processes throw realtime signals at each other; every one of them arrives, in order.

static volatile sig_atomic_t received, in_order = 1;

static void count_signal(int number, siginfo_t* info, void* context)
{
    (void)number, (void)context;
    if (info->si_value.sival_int != received) in_order = 0;
    ++received;
}

static void queue_all(pid_t to, int count)
{
    for (int i = 0; i < count; ++i) {
        union sigval value = { .sival_int = i };
        // EAGAIN: the queue is full until the other side has run.
        while (sigqueue(to, SIGRTMIN, value)) {
            CHECK(errno == EAGAIN);
            sched_yield();
        }
    }
}

static void signals(void)
{
    enum { kCount = 3000 };
    struct sigaction action = { .sa_sigaction = count_signal, .sa_flags = SA_SIGINFO | SA_RESTART };
    CHECK(!sigaction(SIGRTMIN, &action, NULL));
    pid_t parent = getpid(), child = fork();
    CHECK(child >= 0);
    queue_all(child ? child : parent, kCount);
    while (received < kCount)
        sched_yield();
    if (!child) _exit(in_order ? 0 : 1);
    int status;
    CHECK(waitpid(child, &status, 0) == child && status == 0);
    CHECK(in_order);
}

// -- pipes: a ring of processes hands one byte round; then large blocks go through many pipes at once.

static void pass_on(int from, int to, int rounds)
{
    char byte;
    for (int i = 0; i < rounds; ++i)
        CHECK(read(from, &byte, 1) == 1 && write(to, &byte, 1) == 1);
}

static void pipe_ring(void)
{
    enum { kMembers = 16, kRounds = 200 };
    int pipes[kMembers][2];
    for (int i = 0; i < kMembers; ++i)
        CHECK(!pipe(pipes[i]));
    for (int i = 1; i < kMembers; ++i) {
        pid_t child = fork();
        CHECK(child >= 0);
        if (child) continue;
        pass_on(pipes[i - 1][0], pipes[i][1], kRounds);
        _exit(0);
    }
    CHECK(write(pipes[0][1], "x", 1) == 1);
    pass_on(pipes[kMembers - 1][0], pipes[0][1], kRounds - 1);
    char last;
    CHECK(read(pipes[kMembers - 1][0], &last, 1) == 1 && last == 'x');
    for (int i = 1, status; i < kMembers; ++i)
        CHECK(wait(&status) > 0 && status == 0);
    for (int i = 0; i < kMembers; ++i)
        close(pipes[i][0]), close(pipes[i][1]);
}

static void write_pattern(int to, size_t size)
{
    static unsigned char block[12345];
    for (size_t done = 0; done < size;) {
        size_t now = size - done < sizeof block ? size - done : sizeof block;
        for (size_t i = 0; i < now; ++i)
            block[i] = (unsigned char)((done + i) * 31 >> 3);
        ssize_t wrote = write(to, block, now);
        CHECK(wrote > 0);
        done += (size_t)wrote;
    }
}

static void read_pattern(int from, size_t size)
{
    static unsigned char block[54321];
    size_t done = 0;
    for (ssize_t got; (got = read(from, block, sizeof block)) > 0; done += (size_t)got)
        for (size_t i = 0; i < (size_t)got; ++i)
            CHECK(block[i] == (unsigned char)((done + i) * 31 >> 3));
    CHECK(done == size);
}

static void pipes(void)
{
    enum { kMany = 8, kSize = 3 << 20 };
    pipe_ring();
    for (int i = 0; i < kMany; ++i) {
        pid_t reader = fork();
        CHECK(reader >= 0);
        if (reader) continue;
        int ends[2];
        CHECK(!pipe(ends));
        pid_t writer = fork();
        CHECK(writer >= 0);
        if (!writer) {
            write_pattern(ends[1], kSize);
            _exit(0);
        }
        close(ends[1]);
        read_pattern(ends[0], kSize);
        int status;
        CHECK(waitpid(writer, &status, 0) == writer && status == 0);
        _exit(0);
    }
    for (int i = 0, status; i < kMany; ++i)
        CHECK(wait(&status) > 0 && status == 0);
}

// -- mappings: made, split, protected, moved and dropped in a fixed disorder, against a copy of what must be there.

static unsigned next_number(unsigned* seed) { return *seed = *seed * 1664525 + 1013904223, *seed >> 8; }

static void mappings(void)
{
    enum { kPages = 256, kSteps = 6000 };
    unsigned char* area
        = mmap(NULL, kPages * kPage, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(area != MAP_FAILED);
    static unsigned char wanted[kPages];
    unsigned seed = 1;
    for (int step = 0; step < kSteps; ++step) {
        unsigned page = next_number(&seed) % kPages, length = 1 + next_number(&seed) % 8;
        if (page + length > kPages) length = kPages - page;
        unsigned char *at = area + page * kPage, value = (unsigned char)(step | 1);
        switch (next_number(&seed) % 5) {
        case 0:
            CHECK(mmap(at, length * kPage, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED,
                      -1, 0)
                == at);
            memset(wanted + page, 0, length);
            break;
        case 1:
            CHECK(!mprotect(at, length * kPage, PROT_READ));
            CHECK(at[0] == wanted[page]);
            CHECK(!mprotect(at, length * kPage, PROT_READ | PROT_WRITE));
            break;
        case 2:
            CHECK(!madvise(at, length * kPage, MADV_DONTNEED));
            memset(wanted + page, 0, length);
            break;
        case 3: {
            unsigned char* away = mremap(at, length * kPage, length * kPage, MREMAP_MAYMOVE | MREMAP_FIXED,
                mmap(NULL, length * kPage, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
            CHECK(away != MAP_FAILED && away[0] == wanted[page]);
            CHECK(mremap(away, length * kPage, length * kPage, MREMAP_MAYMOVE | MREMAP_FIXED, at) == at);
            break;
        }
        default:
            for (unsigned i = 0; i < length; ++i)
                at[i * kPage] = wanted[page + i] = value;
        }
    }
    for (unsigned page = 0; page < kPages; ++page)
        CHECK(area[page * kPage] == wanted[page]);
}

// -- forks: a tree of processes, each of which changes what it inherited and reports what it saw.

static int family(int depth, unsigned char* memory, unsigned char inherited)
{
    enum { kChildren = 3, kPages = 32 };
    for (int i = 0; i < kPages; ++i)
        if (memory[i * kPage] != inherited) return 1;
    memset(memory, depth, kPages * kPage);
    for (int i = 0; depth && i < kChildren; ++i) {
        pid_t child = fork();
        if (child < 0) return 2;
        if (!child) _exit(family(depth - 1, memory, (unsigned char)depth));
    }
    int status, bad = 0;
    while (wait(&status) > 0)
        bad |= status;
    for (int i = 0; i < kPages; ++i)
        bad |= memory[i * kPage] != depth;
    return bad != 0;
}

static void forks(void)
{
    unsigned char* memory
        = mmap(NULL, 32 * kPage, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(memory != MAP_FAILED);
    memset(memory, 9, 32 * kPage);
    CHECK(family(4, memory, 9) == 0);
}

static void thousand(void)
{
    for (int i = 0; i < 1000; ++i) {
        pid_t child = fork();
        CHECK(child >= 0);
        if (!child) _exit(i & 63);
        int status;
        CHECK(waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == (i & 63));
    }
}

// -- execs: each program starts itself again, by execve alone and by vfork and execve.

static void execs(void)
{
    char text[16];
    for (volatile int i = 0; i < 200; ++i) {
        snprintf(text, sizeof text, "%d", i & 63);
        pid_t child = vfork();
        CHECK(child >= 0);
        if (!child) {
            execl(self, self, "exit", text, (char*)NULL);
            _exit(127);
        }
        int status;
        CHECK(waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == (i & 63));
    }
    fflush(stdout);
    execl(self, self, "again", "200", (char*)NULL);
    CHECK(!"execl returned");
}

static void again(int left)
{
    if (left == 0) {
        puts("execs: ok");
        exit(0);
    }
    char text[16];
    snprintf(text, sizeof text, "%d", left - 1);
    execl(self, self, "again", text, (char*)NULL);
    CHECK(!"execl returned");
}

// -- threads: they wait for each other, so all must run; then many short ones; a mutex counts right.

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_barrier_t barrier;
static long counted;
static atomic_int arrived;

static void* work(void* unused)
{
    (void)unused;
    enum { kThreads = 4 };
    // Spinning: on as many CPUs at once, or by time slices.
    atomic_fetch_add(&arrived, 1);
    while (atomic_load(&arrived) < kThreads) { }
    for (int round = 0; round < 500; ++round) {
        pthread_mutex_lock(&mutex);
        ++counted;
        pthread_mutex_unlock(&mutex);
        if (round % 50 == 0) pthread_barrier_wait(&barrier);
    }
    return NULL;
}

static void* nothing(void* value) { return value; }

static void threads(void)
{
    enum { kThreads = 4, kShort = 300 };
    pthread_t thread[kThreads];
    pthread_barrier_init(&barrier, NULL, kThreads);
    for (int i = 0; i < kThreads; ++i)
        CHECK(!pthread_create(&thread[i], NULL, work, NULL));
    for (int i = 0; i < kThreads; ++i)
        CHECK(!pthread_join(thread[i], NULL));
    CHECK(counted == kThreads * 500);
    for (long i = 0; i < kShort; ++i) {
        void* result;
        CHECK(!pthread_create(&thread[0], NULL, nothing, (void*)i));
        CHECK(!pthread_join(thread[0], &result) && result == (void*)i);
    }
}

int main(int count, char** arguments)
{
    static struct {
        char const* name;
        void (*run)(void);
    } const kinds[] = { { "signals", signals }, { "pipes", pipes }, { "mappings", mappings },
        { "forks", forks }, { "thousand", thousand }, { "execs", execs }, { "threads", threads } };
    self = arguments[0];
    if (count == 3 && !strcmp(arguments[1], "exit")) return atoi(arguments[2]);
    if (count == 3 && !strcmp(arguments[1], "again")) again(atoi(arguments[2]));
    for (size_t i = 0; count == 2 && i < sizeof kinds / sizeof *kinds; ++i) {
        if (strcmp(arguments[1], kinds[i].name)) continue;
        kinds[i].run();
        printf("%s: ok\n", kinds[i].name);
        return 0;
    }
    printf("usage: storms KIND\n");
    return 2;
}
