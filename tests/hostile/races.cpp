// SPDX-License-Identifier: GPL-2.0-or-later
// A second thread changes a path while the kernel works with it: what was checked must be what is used.
#include "tests/hostile/guest.h"

#include <cerrno>
#include <cstring>
#include <thread>

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

namespace hostile {
namespace {

// Of one length, so that a flip is one word and the path is always one or the other, or a mixture that is nothing.
constexpr char kOpen[] = "/tmp/race/open/file";
constexpr char kShut[] = "/tmp/race/shut/file";
constexpr unsigned kRounds = 3000;

void make_file(char const* path, char const* content, mode_t mode)
{
    int const fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    if (fd < 0 || write(fd, content, strlen(content)) != ssize_t(strlen(content)) || fchmod(fd, mode))
        fail_errno(path);
    close(fd);
}

void make_tree()
{
    mkdir("/tmp/race", 0755);
    mkdir("/tmp/race/open", 0777);
    chmod("/tmp/race/open", 0777);
    mkdir("/tmp/race/shut", 0700);
    make_file(kOpen, "public", 0644);
    make_file(kShut, "secret", 0600);
}

/// The path in memory that both threads see, flipped until it goes.
class Flipper {
public:
    explicit Flipper(char const* open, char const* shut)
        : thread_([this, open, shut] {
            while (!stop_) {
                copy(open);
                copy(shut);
            }
        })
    {
    }
    ~Flipper()
    {
        stop_ = true;
        thread_.join();
    }
    char const* path() const { return const_cast<char const*>(path_); }

private:
    void copy(char const* from)
    {
        for (size_t i = 0; i <= strlen(from); ++i)
            path_[i] = from[i];
    }

    volatile char path_[64] = {};
    std::atomic<bool> stop_ = false;
    std::thread thread_;
};

void read_what_is_public()
{
    Flipper flipper(kOpen, kShut);
    for (unsigned i = 0; i < kRounds; ++i) {
        int const fd = open(flipper.path(), O_RDONLY);
        if (fd < 0) continue;
        char text[16] = {};
        if (read(fd, text, sizeof text) != 6 || strcmp(text, "public") != 0) fail("open gave \"%s\"", text);
        close(fd);
    }
}

void change_what_is_shut()
{
    Flipper flipper(kOpen, kShut);
    for (unsigned i = 0; i < kRounds; ++i) {
        (void)!rename("/tmp/race/open/other", flipper.path());
        (void)!rename(flipper.path(), "/tmp/race/open/other");
        (void)!unlink(flipper.path());
        (void)!symlink("/nothing", flipper.path());
        (void)!chmod(flipper.path(), 0666);
        (void)!truncate(flipper.path(), 0);
        int const fd = open("/tmp/race/open/other", O_WRONLY | O_CREAT, 0644);
        if (fd >= 0) close(fd);
    }
}

void run_what_may_run()
{
    // One is a program, the other a file of the same content that nobody may execute.
    for (unsigned i = 0; i < 60; ++i) {
        int const status = in_child([] {
            Flipper flipper("/tmp/race/open/true", "/tmp/race/shut/true");
            char* arguments[] = { const_cast<char*>("hostile-guest"), const_cast<char*>("echo"),
                const_cast<char*>(""), nullptr };
            char* environment[] = { nullptr };
            close(1);
            for (unsigned tries = 0; tries < 200; ++tries)
                execve(flipper.path(), arguments, environment);
        });
        // The program fails to write, with status 1; 0: no try hit the one that may run.
        if (!WIFEXITED(status) || WEXITSTATUS(status) > 1)
            fail("execve of a flipping path ended with %#x", unsigned(status));
    }
}

void copy_self(char const* path, mode_t mode)
{
    int const from = open("/proc/self/exe", O_RDONLY), to = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    if (from < 0 || to < 0) fail_errno(path);
    char buffer[65536];
    for (ssize_t n; (n = read(from, buffer, sizeof buffer)) > 0;)
        if (write(to, buffer, size_t(n)) != n) fail_errno("write");
    fchmod(to, mode);
    close(from);
    close(to);
}

} // namespace

void flip_paths()
{
    make_tree();
    copy_self("/tmp/race/open/true", 0755);
    copy_self("/tmp/race/shut/true", 0755);
    under_way();
    auto as_user = [](void (*body)()) {
        int const status = in_child([body] {
            if (setresgid(1000, 1000, 1000) || setresuid(1000, 1000, 1000)) fail_errno("setresuid");
            body();
        });
        if (status != 0) fail("the race ended with %#x", unsigned(status));
    };
    as_user(read_what_is_public);
    as_user(change_what_is_shut);
    as_user(run_what_may_run);
    struct stat shut { };
    if (stat(kShut, &shut) != 0 || shut.st_size != 6 || (shut.st_mode & 0777) != 0600)
        fail("what was shut has been changed");
}

} // namespace hostile
