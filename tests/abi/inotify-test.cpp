// SPDX-License-Identifier: GPL-2.0-or-later
// inotify(7): which events come, in which order, and how a watch ends.
#include "mounts.h"

#include <poll.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <vector>

namespace abi_test {
namespace {

struct Event {
    int watch;
    uint32_t mask;
    std::string name;
    bool operator==(Event const&) const = default;
};
std::ostream& operator<<(std::ostream& out, Event const& event)
{
    return out << "{" << event.watch << " 0x" << std::hex << event.mask << std::dec << " " << event.name
               << "}";
}
using Events = std::vector<Event>;

struct Inotify : InScratchDirectory {
    Fd fd = ::inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    std::vector<uint32_t> cookies;

    int watch(char const* path, uint32_t mask) { return ::inotify_add_watch(fd, path, mask); }
    Events events()
    {
        Events result;
        alignas(inotify_event) char buffer[16384];
        ssize_t count = ::read(fd, buffer, sizeof buffer);
        if (count < 0) {
            EXPECT_EQ(errno, EAGAIN);
        }
        for (ssize_t at = 0; at < count;) {
            auto* event = reinterpret_cast<inotify_event*>(buffer + at);
            result.push_back({ event->wd, event->mask, event->len ? event->name : "" });
            if (event->cookie) cookies.push_back(event->cookie);
            at += ssize_t(sizeof *event + event->len);
        }
        return result;
    }
};

TEST_F(Inotify, the_life_of_a_file_in_its_directory)
{
    int d = watch(".", IN_ALL_EVENTS);
    ASSERT_GT(d, 0);
    Fd file = ::open("f", O_CREAT | O_RDWR, 0644);
    ASSERT_EQ(::write(file, "x", 1), 1);
    char byte;
    ASSERT_EQ(::pread(file, &byte, 1, 0), 1);
    ASSERT_OK(::fchmod(file, 0600));
    file.reset();
    ASSERT_OK(::unlink("f"));
    EXPECT_EQ(events(),
        (Events { { d, IN_CREATE, "f" }, { d, IN_OPEN, "f" }, { d, IN_MODIFY, "f" }, { d, IN_ACCESS, "f" },
            { d, IN_ATTRIB, "f" }, { d, IN_CLOSE_WRITE, "f" }, { d, IN_DELETE, "f" } }));
}

TEST_F(Inotify, a_watched_file_ends_with_its_last_user)
{
    Fd file = new_file("f");
    int f = watch("f", IN_ATTRIB | IN_DELETE_SELF | IN_MOVE_SELF | IN_CLOSE);
    ASSERT_OK(::rename("f", "g"));
    ASSERT_OK(::unlink("g"));
    EXPECT_EQ(events(), (Events { { f, IN_MOVE_SELF, "" }, { f, IN_ATTRIB, "" } }));
    file.reset();
    EXPECT_EQ(
        events(), (Events { { f, IN_CLOSE_WRITE, "" }, { f, IN_DELETE_SELF, "" }, { f, IN_IGNORED, "" } }));
    EXPECT_ERROR(::inotify_rm_watch(fd, f), EINVAL);
}

TEST_F(Inotify, moves_come_in_pairs)
{
    ASSERT_OK(::mkdir("a", 0755));
    ASSERT_OK(::mkdir("b", 0755));
    write_file("a/f", "");
    int a = watch("a", IN_MOVE), b = watch("b", IN_MOVE);
    ASSERT_OK(::rename("a/f", "b/g"));
    EXPECT_EQ(events(), (Events { { a, IN_MOVED_FROM, "f" }, { b, IN_MOVED_TO, "g" } }));
    ASSERT_EQ(cookies.size(), 2u);
    EXPECT_EQ(cookies[0], cookies[1]);
}

TEST_F(Inotify, directories_are_marked)
{
    int d = watch(".", IN_CREATE | IN_DELETE);
    ASSERT_OK(::mkdir("s", 0755));
    int s = watch("s", IN_DELETE_SELF);
    ASSERT_OK(::symlink("s", "l"));
    ASSERT_OK(::rmdir("s"));
    auto seen = events();
    ASSERT_EQ(seen.size(), 5u);
    EXPECT_EQ(seen[0], (Event { d, IN_CREATE | IN_ISDIR, "s" }));
    EXPECT_EQ(seen[1], (Event { d, IN_CREATE, "l" }));
    EXPECT_EQ(seen[2], (Event { s, IN_DELETE_SELF, "" }));
    EXPECT_EQ(seen[3], (Event { s, IN_IGNORED, "" }));
    EXPECT_EQ(seen[4], (Event { d, IN_DELETE | IN_ISDIR, "s" }));
}

TEST_F(Inotify, equal_events_in_a_row_are_one)
{
    Fd file = new_file("f");
    int f = watch("f", IN_MODIFY);
    for (int i = 0; i < 5; i++)
        ASSERT_EQ(::write(file, "x", 1), 1);
    EXPECT_EQ(events(), (Events { { f, IN_MODIFY, "" } }));
}

TEST_F(Inotify, one_shot_and_changed_masks)
{
    Fd file = new_file("f");
    int f = watch("f", IN_MODIFY | IN_ONESHOT);
    ASSERT_EQ(::write(file, "x", 1), 1);
    ASSERT_EQ(::write(file, "x", 1), 1);
    EXPECT_EQ(events(), (Events { { f, IN_MODIFY, "" }, { f, IN_IGNORED, "" } }));

    int g = watch("f", IN_MODIFY);
    EXPECT_GT(g, f) << "numbers are not used again";
    EXPECT_EQ(watch("f", IN_ATTRIB | IN_MASK_ADD), g);
    ASSERT_EQ(::write(file, "x", 1), 1);
    ASSERT_OK(::fchmod(file, 0600));
    EXPECT_EQ(events(), (Events { { g, IN_MODIFY, "" }, { g, IN_ATTRIB, "" } }));
    EXPECT_EQ(watch("f", IN_ATTRIB), g);
    ASSERT_EQ(::write(file, "x", 1), 1);
    EXPECT_EQ(events(), Events {});
    EXPECT_ERROR(watch("f", IN_MODIFY | IN_MASK_CREATE), EEXIST);
}

TEST_F(Inotify, removing_a_watch_says_so)
{
    int d = watch(".", IN_CREATE);
    ASSERT_OK(::inotify_rm_watch(fd, d));
    EXPECT_EQ(events(), (Events { { d, IN_IGNORED, "" } }));
}

TEST_F(Inotify, reading)
{
    Fd blocking = ::inotify_init1(0);
    ASSERT_OK(::inotify_add_watch(blocking, ".", IN_CREATE));
    pid_t child = start([&] {
        char buffer[512];
        EXPECT_EQ(::read(blocking, buffer, sizeof buffer), ssize_t(sizeof(inotify_event) + 16));
    });
    wait_until_sleeping(child);
    write_file("name", "");
    EXPECT_EQ(wait_for(child), exited(0));
    write_file("other", "");
    int bytes = 0;
    ASSERT_OK(::ioctl(blocking, FIONREAD, &bytes));
    EXPECT_EQ(bytes, int(sizeof(inotify_event) + 16));
    char small[8];
    EXPECT_ERROR(::read(blocking, small, sizeof small), EINVAL);
    pollfd poll { blocking, POLLIN, 0 };
    EXPECT_EQ(::poll(&poll, 1, 0), 1);
}

TEST_F(Inotify, errors)
{
    write_file("f", "");
    EXPECT_ERROR(watch("missing", IN_CREATE), ENOENT);
    EXPECT_ERROR(watch("f", 0), EINVAL);
    EXPECT_ERROR(watch("f", IN_OPEN | IN_ONLYDIR), ENOTDIR);
    EXPECT_ERROR(::inotify_add_watch(0x7fff, "f", IN_OPEN), EBADF);
    EXPECT_ERROR(::inotify_init1(1), EINVAL);
}

class UnmountedWatches : public InOwnMounts { };

TEST_F(UnmountedWatches, end_with_the_last_mount)
{
    Fd fd = ::inotify_init1(IN_NONBLOCK);
    make_directory("there");
    make_directory("again");
    make_tmpfs("there");
    write_file("there/f", "");
    bind("there", "again");
    int const file = ::inotify_add_watch(fd, "there/f", IN_OPEN);
    int const outside = ::inotify_add_watch(fd, ".", IN_ATTRIB);
    ASSERT_GT(file, 0);
    ASSERT_GT(outside, 0);
    auto next = [&] {
        inotify_event event {};
        return ::read(fd, &event, sizeof event) < 0 ? Event { -errno, 0, "" }
                                                    : Event { event.wd, event.mask, "" };
    };
    ASSERT_OK(::umount2("there", 0));
    EXPECT_EQ(next(), (Event { -EAGAIN, 0, "" })) << "it is mounted elsewhere still";
    ASSERT_OK(::umount2("again", 0));
    EXPECT_EQ(next(), (Event { file, IN_UNMOUNT, "" }));
    EXPECT_EQ(next(), (Event { file, IN_IGNORED, "" }));
    EXPECT_EQ(next(), (Event { -EAGAIN, 0, "" }));
    EXPECT_ERROR(::inotify_rm_watch(fd, file), EINVAL);
    EXPECT_OK(::inotify_rm_watch(fd, outside));
}

} // namespace
} // namespace abi_test
