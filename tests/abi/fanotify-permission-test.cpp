// SPDX-License-Identifier: GPL-2.0-or-later
// Permission events of fanotify(7): whoever wants to open or read waits for the listener's answer.
#include "fanotify.h"

#include <poll.h>

namespace abi_test {
namespace {

struct FanotifyPermission : Fanotify {
    /// Waits for an event; the group is blocking here.
    FanEvent next() const
    {
        EXPECT_OK(::fcntl(fd, F_SETFL, 0));
        auto seen = events();
        EXPECT_EQ(seen.size(), 1u);
        return seen.empty() ? FanEvent {} : std::move(seen[0]);
    }
    void wait_for_event() const
    {
        pollfd poll { fd, POLLIN, 0 };
        EXPECT_EQ(::poll(&poll, 1, -1), 1);
    }
    ssize_t answer(int event, unsigned response) const
    {
        fanotify_response const text { event, response };
        return ::write(fd, &text, sizeof text);
    }
};

TEST_F(FanotifyPermission, to_open)
{
    init(FAN_CLASS_CONTENT);
    ASSERT_OK(mark(FAN_MARK_ADD, FAN_OPEN_PERM, "f"));
    for (unsigned const response : { FAN_ALLOW, FAN_DENY }) {
        pid_t const child = start([&] {
            Fd const file = ::open("f", O_RDONLY);
            int const wanted = response == FAN_ALLOW ? 0 : EPERM;
            EXPECT_EQ(error_of(file), wanted);
        });
        auto const event = next();
        EXPECT_EQ(to_text(event), "OPEN_PERM f");
        EXPECT_EQ(event.pid, child);
        EXPECT_EQ(answer(event.fd, response), ssize_t(sizeof(fanotify_response)));
        EXPECT_EQ(wait_for(child), exited(0));
        EXPECT_ERROR(answer(event.fd, response), ENOENT) << "once";
    }
}

TEST_F(FanotifyPermission, to_create_and_to_list)
{
    init(FAN_CLASS_PRE_CONTENT);
    ASSERT_OK(mark(FAN_MARK_ADD, FAN_OPEN_PERM | FAN_ACCESS_PERM | FAN_EVENT_ON_CHILD | FAN_ONDIR, "d"));
    pid_t child = start([&] { EXPECT_ERROR(::open("d/new", O_CREAT | O_RDWR, 0644), EPERM); });
    {
        auto const event = next();
        EXPECT_EQ(to_text(event), "OPEN_PERM d/new");
        // The directory is free meanwhile.
        ASSERT_OK(::mkdir("d/s", 0755));
        EXPECT_OK(answer(event.fd, FAN_DENY));
    }
    EXPECT_EQ(wait_for(child), exited(0));
    EXPECT_TRUE(exists("d/new")) << "it was made before it was opened";
    Fd directory;
    child = start([&] {
        directory = ::open("d", O_RDONLY);
        char entries[512];
        EXPECT_EQ(raw(SYS_getdents64, int(directory), entries, sizeof entries), -EPERM);
    });
    for (auto const* wanted : { "OPEN_PERM d", "ACCESS_PERM d" }) {
        auto const event = next();
        EXPECT_EQ(to_text(event), wanted);
        EXPECT_OK(answer(event.fd, event.mask == FAN_OPEN_PERM ? FAN_ALLOW : FAN_DENY));
    }
    EXPECT_EQ(wait_for(child), exited(0));
}

TEST_F(FanotifyPermission, to_read)
{
    init(FAN_CLASS_CONTENT);
    ASSERT_OK(mark(FAN_MARK_ADD, FAN_ACCESS_PERM | FAN_ACCESS, "f"));
    Fd const file = ::open("f", O_RDONLY);
    pid_t const child = start([&] {
        char bytes[4];
        EXPECT_ERROR(::read(file, bytes, 4), EPERM);
        EXPECT_EQ(::read(file, bytes, 4), 4);
    });
    {
        auto const event = next();
        EXPECT_EQ(to_text(event), "ACCESS_PERM f");
        char bytes[5] = {};
        EXPECT_EQ(::read(event.fd, bytes, 4), 4) << "without being asked";
        EXPECT_STREQ(bytes, "text");
        EXPECT_OK(answer(event.fd, FAN_DENY));
    }
    {
        auto const event = next();
        EXPECT_OK(answer(event.fd, FAN_ALLOW));
    }
    EXPECT_EQ(wait_for(child), exited(0));
    EXPECT_EQ(to_text(next()), "ACCESS f");
}

TEST_F(FanotifyPermission, to_run)
{
    ASSERT_OK(::chmod("f", 0755));
    init(FAN_CLASS_CONTENT);
    ASSERT_OK(mark(FAN_MARK_ADD, FAN_OPEN_EXEC_PERM, "f"));
    Fd const plain = ::open("f", O_RDONLY);
    pid_t const child = start([&] {
        char* arguments[] = { const_cast<char*>("f"), nullptr };
        EXPECT_ERROR(::execv("f", arguments), EPERM);
    });
    auto const event = next();
    EXPECT_EQ(to_text(event), "OPEN_EXEC_PERM f");
    EXPECT_OK(answer(event.fd, FAN_DENY));
    EXPECT_EQ(wait_for(child), exited(0));
}

TEST_F(FanotifyPermission, a_closed_group_allows)
{
    for (bool const was_read : { false, true }) {
        init(FAN_CLASS_CONTENT);
        ASSERT_OK(mark(FAN_MARK_ADD, FAN_OPEN_PERM, "f"));
        pid_t const child = start([&] {
            fd.reset();
            EXPECT_OK(::open("f", O_RDONLY));
        });
        FanEvent event;
        if (was_read)
            event = next();
        else
            wait_for_event();
        fd.reset();
        EXPECT_EQ(wait_for(child), exited(0));
    }
}

TEST_F(FanotifyPermission, only_death_ends_the_wait)
{
    init(FAN_CLASS_CONTENT);
    ASSERT_OK(mark(FAN_MARK_ADD, FAN_OPEN_PERM, "f"));
    pid_t child = start([&] {
        set_handler(SIGUSR1, [](int) {});
        EXPECT_OK(::open("f", O_RDONLY));
    });
    {
        auto const event = next();
        ASSERT_OK(::kill(child, SIGUSR1));
        EXPECT_OK(answer(event.fd, FAN_ALLOW));
    }
    EXPECT_EQ(wait_for(child), exited(0));
    child = start([&] { (void)::open("f", O_RDONLY); });
    auto const event = next();
    ASSERT_OK(::kill(child, SIGKILL));
    EXPECT_EQ(wait_for(child), killed_by(SIGKILL));
    EXPECT_OK(answer(event.fd, FAN_ALLOW)) << "nobody needs it any more";
}

TEST_F(FanotifyPermission, the_first_denial_counts)
{
    init(FAN_CLASS_PRE_CONTENT);
    ASSERT_OK(mark(FAN_MARK_ADD, FAN_OPEN_PERM, "f"));
    Fd const later = ::fanotify_init(FAN_CLASS_CONTENT | FAN_NONBLOCK, O_RDONLY);
    ASSERT_OK(::fanotify_mark(later, FAN_MARK_ADD, FAN_OPEN_PERM, AT_FDCWD, "f"));
    pid_t const child = start([&] { EXPECT_ERROR(::open("f", O_RDONLY), EPERM); });
    auto const event = next();
    char buffer[256];
    EXPECT_ERROR(::read(later, buffer, sizeof buffer), EAGAIN) << "not asked yet";
    EXPECT_OK(answer(event.fd, FAN_DENY));
    EXPECT_EQ(wait_for(child), exited(0));
    EXPECT_ERROR(::read(later, buffer, sizeof buffer), EAGAIN) << "and not at all";
}

TEST_F(FanotifyPermission, errors_of_answers)
{
    init(FAN_CLASS_CONTENT);
    ASSERT_OK(mark(FAN_MARK_ADD, FAN_OPEN_PERM, "f"));
    EXPECT_ERROR(answer(7, FAN_ALLOW), ENOENT);
    EXPECT_ERROR(answer(-1, FAN_ALLOW), EINVAL);
    EXPECT_ERROR(answer(7, 0), EINVAL);
    EXPECT_ERROR(answer(7, FAN_ALLOW | FAN_DENY), EINVAL);
    EXPECT_ERROR(answer(7, FAN_ALLOW | FAN_AUDIT), EINVAL);
    EXPECT_ERROR(mark(FAN_MARK_ADD, FAN_OPEN_PERM, "/proc/version"), EINVAL);
}

} // namespace
} // namespace abi_test
