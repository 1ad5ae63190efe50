// SPDX-License-Identifier: GPL-2.0-or-later
// The helpers of abi-test.h. Nothing here decides what is right: that is the tests' part.
#include "abi-test.h"

#include <cstdio>
#include <filesystem>
#include <grp.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <time.h>

namespace abi_test {

Pipe::Pipe(int flags)
{
    int ends[2] = { -1, -1 };
    if (::pipe2(ends, flags) != 0) ADD_FAILURE() << "pipe2: " << std::strerror(errno);
    read_end.reset(ends[0]);
    write_end.reset(ends[1]);
}

int error_of(long result) { return result < 0 ? errno : 0; }

int wait_for(pid_t pid, int options)
{
    int status = -1;
    pid_t result;
    do {
        result = ::waitpid(pid, &status, options);
    } while (result < 0 && errno == EINTR);
    EXPECT_EQ(result, pid) << std::strerror(errno);
    return WIFSIGNALED(status) ? WTERMSIG(status) : status;
}

void finish_child()
{
    std::fflush(nullptr);
    ::_exit(::testing::Test::HasFailure() ? 1 : 0);
}

void become_ordinary_user()
{
    if (::geteuid() != 0) return;
    ASSERT_EQ(::setgroups(0, nullptr), 0);
    ASSERT_EQ(::setresgid(kOrdinaryUser, kOrdinaryUser, kOrdinaryUser), 0);
    ASSERT_EQ(::setresuid(kOrdinaryUser, kOrdinaryUser, kOrdinaryUser), 0);
}

void Gate::wait() const
{
    char token = 0;
    ssize_t n;
    do {
        n = ::read(pipe_.read_end, &token, 1);
    } while (n < 0 && errno == EINTR);
    EXPECT_EQ(n, 1);
}

char process_state(pid_t pid)
{
    std::string path = "/proc/" + std::to_string(pid) + "/stat";
    Fd fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
    if (fd < 0) return 0;
    std::string text = read_all(fd);
    size_t name_end = text.rfind(')');
    return name_end == std::string::npos ? 0 : text[name_end + 2];
}

void wait_until_sleeping(pid_t pid)
{
    // Several looks in a row, since a process on its way to sleep may stop short at a lock of the kernel.
    int seen = 0;
    while (seen < 3) {
        char state = process_state(pid);
        if (state == 0 || state == 'Z') {
            ADD_FAILURE() << "process " << pid << " ended instead of sleeping";
            return;
        }
        seen = state == 'S' ? seen + 1 : 0;
        ::usleep(1000);
    }
}

namespace {
volatile int alarm_count;
RepeatingAlarm::Handler alarm_handler;

void count_alarm(int signal)
{
    alarm_count = alarm_count + 1;
    if (alarm_handler) alarm_handler(signal);
}
} // namespace

RepeatingAlarm::RepeatingAlarm(int flags, Handler handler)
{
    alarm_count = 0;
    alarm_handler = handler;
    set_handler(SIGALRM, count_alarm, flags);
    itimerval every { { 0, 10'000 }, { 0, 10'000 } };
    EXPECT_EQ(::setitimer(ITIMER_REAL, &every, nullptr), 0);
}

RepeatingAlarm::~RepeatingAlarm()
{
    itimerval never {};
    ::setitimer(ITIMER_REAL, &never, nullptr);
}

int RepeatingAlarm::count() { return alarm_count; }

void set_handler(int signal, void (*handler)(int), int flags)
{
    struct sigaction action { };
    action.sa_handler = handler;
    action.sa_flags = flags;
    EXPECT_EQ(::sigaction(signal, &action, nullptr), 0);
}

void set_handler(int signal, void (*handler)(int, siginfo_t*, void*), int flags)
{
    struct sigaction action { };
    action.sa_sigaction = handler;
    action.sa_flags = flags | SA_SIGINFO;
    EXPECT_EQ(::sigaction(signal, &action, nullptr), 0);
}

sigset_t signals(std::initializer_list<int> members)
{
    sigset_t set;
    sigemptyset(&set);
    for (int signal : members)
        sigaddset(&set, signal);
    return set;
}

void block_signals(std::initializer_list<int> members)
{
    sigset_t set = signals(members);
    EXPECT_EQ(::sigprocmask(SIG_BLOCK, &set, nullptr), 0);
}

ScratchDirectory::ScratchDirectory()
    : owner_(::getpid())
{
    char const* base = std::getenv("TMPDIR");
    path_ = std::string(base ? base : "/tmp") + "/abi-XXXXXX";
    if (!::mkdtemp(path_.data()) || ::chdir(path_.c_str()) != 0)
        ADD_FAILURE() << path_ << ": " << std::strerror(errno);
    // Others are let in: some tests go on as another user.
    ::chmod(path_.c_str(), 0755);
}

ScratchDirectory::~ScratchDirectory()
{
    if (::getpid() != owner_) return;
    (void)::chdir("/");
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
}

void write_file(std::string const& path, std::string_view content, mode_t mode)
{
    Fd fd = ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode);
    ASSERT_OK(fd) << path;
    ASSERT_EQ(::write(fd, content.data(), content.size()), ssize_t(content.size()));
}

std::string read_all(int fd)
{
    std::string text;
    char buffer[4096];
    for (;;) {
        ssize_t n = ::read(fd, buffer, sizeof buffer);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) return text;
        text.append(buffer, size_t(n));
    }
}

std::string read_file(std::string const& path)
{
    Fd fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
    EXPECT_OK(fd) << path;
    return read_all(fd);
}

Fd new_file(std::string const& path, mode_t mode)
{
    Fd fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, mode);
    EXPECT_OK(fd) << path;
    return fd;
}

bool exists(std::string const& path)
{
    struct stat info;
    return ::lstat(path.c_str(), &info) == 0;
}

struct stat status_of(std::string const& path)
{
    struct stat info { };
    EXPECT_EQ(::lstat(path.c_str(), &info), 0) << path << ": " << std::strerror(errno);
    return info;
}

mode_t mode_of(std::string const& path) { return status_of(path).st_mode & 07777; }

Mapping::Mapping(size_t length, int protection, int flags, int fd, off_t offset)
    : length_(length)
{
    void* address = ::mmap(nullptr, length, protection, flags, fd, offset);
    if (address == MAP_FAILED) {
        ADD_FAILURE() << "mmap: " << std::strerror(errno);
        std::fflush(nullptr);
        // Every use that follows would fault: end the test here.
        ::_exit(1);
    }
    data_ = static_cast<char*>(address);
}

Mapping::~Mapping() { ::munmap(data_, length_); }

bool can_read(void const* address)
{
    int status = wait_for(start([&] { (void)*static_cast<char const volatile*>(address); }));
    return status == exited(0);
}

bool can_write(void* address)
{
    int status = wait_for(start([&] {
        auto* byte = static_cast<char volatile*>(address);
        *byte = *byte;
    }));
    return status == exited(0);
}

timespec monotonic_now()
{
    timespec now;
    ::clock_gettime(CLOCK_MONOTONIC, &now);
    return now;
}

double seconds_since(timespec const& start)
{
    timespec now = monotonic_now();
    return double(now.tv_sec - start.tv_sec) + double(now.tv_nsec - start.tv_nsec) / 1e9;
}

} // namespace abi_test
