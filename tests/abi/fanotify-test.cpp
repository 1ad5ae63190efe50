// SPDX-License-Identifier: GPL-2.0-or-later
// fanotify(7) with descriptors: which events come from which marks, what is merged, and what is ignored.
#include "fanotify.h"

#include <poll.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/resource.h>

namespace abi_test {
namespace {

constexpr uint64_t kAll = FAN_ACCESS | FAN_MODIFY | FAN_CLOSE | FAN_OPEN | FAN_OPEN_EXEC;

void read_some(int fd)
{
    char byte;
    ASSERT_EQ(::pread(fd, &byte, 1, 0), 1);
}

TEST_F(Fanotify, the_life_of_an_open_file)
{
    init(FAN_CLASS_NOTIF);
    ASSERT_OK(mark(FAN_MARK_ADD, kAll, "f"));
    Fd file = ::open("f", O_RDWR);
    EXPECT_EQ(texts(), (Texts { "OPEN f" }));
    read_some(file);
    EXPECT_EQ(texts(), (Texts { "ACCESS f" }));
    ASSERT_EQ(::write(file, "x", 1), 1);
    EXPECT_EQ(texts(), (Texts { "MODIFY f" }));
    ASSERT_OK(::fallocate(file, 0, 0, 100));
    EXPECT_EQ(texts(), (Texts { "MODIFY f" }));
    ASSERT_OK(::ftruncate(file, 2));
    EXPECT_EQ(texts(), Texts {}) << "no open file, so no descriptor";
    file.reset();
    EXPECT_EQ(texts(), (Texts { "CLOSE_WRITE f" }));
    Fd reader = ::open("f", O_RDONLY);
    reader.reset();
    EXPECT_EQ(texts(), (Texts { "CLOSE_NOWRITE|OPEN f" })) << "merged";
    Fd place = ::open("f", O_PATH);
    place.reset();
    EXPECT_EQ(texts(), Texts {});
}

TEST_F(Fanotify, events_of_one_process_and_file_are_merged)
{
    init(FAN_CLASS_NOTIF);
    ASSERT_OK(mark(FAN_MARK_ADD | FAN_MARK_MOUNT, FAN_OPEN | FAN_CLOSE, "."));
    Fd a = ::open("f", O_RDONLY), b = ::open("d/g", O_RDONLY);
    a.reset();
    in_child([] { Fd c = ::open("f", O_RDONLY); });
    auto const seen = events();
    ASSERT_EQ(seen.size(), 3u);
    EXPECT_EQ(to_text(seen[0]), "CLOSE_NOWRITE|OPEN f") << "although another came between";
    EXPECT_EQ(to_text(seen[1]), "OPEN d/g");
    EXPECT_EQ(to_text(seen[2]), "CLOSE_NOWRITE|OPEN f");
    EXPECT_EQ(seen[0].pid, ::getpid());
    EXPECT_NE(seen[2].pid, ::getpid());
}

TEST_F(Fanotify, descriptors_in_events)
{
    init(FAN_CLASS_NOTIF, O_RDWR | O_CLOEXEC | O_APPEND);
    ASSERT_OK(mark(FAN_MARK_ADD | FAN_MARK_MOUNT, kAll, "."));
    Fd file = ::open("f", O_RDONLY);
    auto seen = events();
    ASSERT_EQ(seen.size(), 1u);
    EXPECT_EQ(::fcntl(seen[0].fd, F_GETFD), FD_CLOEXEC);
    EXPECT_EQ(::fcntl(seen[0].fd, F_GETFL) & (O_ACCMODE | O_APPEND), O_RDWR | O_APPEND);
    read_some(seen[0].fd);
    ASSERT_EQ(::write(seen[0].fd, "x", 1), 1);
    seen.clear();
    EXPECT_EQ(texts(), Texts {}) << "what a listener does with them is none";
    EXPECT_EQ(read_file("f"), "textx");
}

TEST_F(Fanotify, children_of_a_directory)
{
    init(FAN_CLASS_NOTIF);
    ASSERT_OK(mark(FAN_MARK_ADD, FAN_OPEN, "d"));
    Fd self = ::open("d", O_RDONLY), child = ::open("d/g", O_RDONLY);
    EXPECT_EQ(texts(), Texts {});
    ASSERT_OK(mark(FAN_MARK_ADD, FAN_OPEN | FAN_EVENT_ON_CHILD, "d"));
    self = ::open("d", O_RDONLY), child = ::open("d/g", O_RDONLY);
    EXPECT_EQ(texts(), (Texts { "OPEN d/g" }));
    ASSERT_OK(mark(FAN_MARK_ADD, FAN_CLOSE | FAN_ACCESS | FAN_ONDIR, "d"));
    self = ::open("d", O_RDONLY);
    EXPECT_EQ(texts(), (Texts { "CLOSE_NOWRITE|OPEN d" })) << "and no flag of directories";
    char entries[512];
    ASSERT_GT(raw(SYS_getdents64, int(self), entries, sizeof entries), 0);
    EXPECT_EQ(texts(), (Texts { "ACCESS d" }));
    ASSERT_OK(::mkdir("d/s", 0755));
    Fd below = ::open("d/s", O_RDONLY), deep = ::open("d/s/x", O_CREAT | O_RDWR, 0644);
    EXPECT_EQ(texts(), (Texts { "OPEN d/s" }));
}

TEST_F(Fanotify, mounts_and_file_systems)
{
    bind("d", "e");
    init(FAN_CLASS_NOTIF);
    ASSERT_OK(mark(FAN_MARK_ADD | FAN_MARK_MOUNT, FAN_OPEN, "e"));
    Fd one = ::open("d/g", O_RDONLY);
    EXPECT_EQ(texts(), Texts {});
    Fd two = ::open("e/g", O_RDONLY);
    EXPECT_EQ(texts(), (Texts { "OPEN e/g" }));
    ASSERT_OK(mark(FAN_MARK_REMOVE | FAN_MARK_MOUNT, FAN_OPEN, "e"));
    ASSERT_OK(mark(FAN_MARK_ADD | FAN_MARK_FILESYSTEM, FAN_OPEN, "e/g"));
    one = ::open("d/g", O_RDONLY), two = ::open("e/g", O_RDONLY);
    EXPECT_EQ(texts(), (Texts { "OPEN d/g", "OPEN e/g" })) << "one file in two places";
    Fd directory = ::open("d", O_RDONLY);
    EXPECT_EQ(texts(), Texts {});
}

TEST_F(Fanotify, ignored_until_it_is_modified)
{
    init(FAN_CLASS_NOTIF);
    ASSERT_OK(mark(FAN_MARK_ADD | FAN_MARK_MOUNT, FAN_OPEN | FAN_CLOSE, "."));
    ASSERT_OK(mark(FAN_MARK_ADD | FAN_MARK_IGNORED_MASK, FAN_OPEN, "f"));
    Fd file = ::open("f", O_RDWR);
    EXPECT_EQ(texts(), Texts {});
    ASSERT_EQ(::write(file, "x", 1), 1);
    Fd again = ::open("f", O_RDONLY);
    EXPECT_EQ(texts(), (Texts { "OPEN f" }));
    // While somebody may write it is not worth while to ignore.
    ASSERT_OK(mark(FAN_MARK_ADD | FAN_MARK_IGNORED_MASK, FAN_OPEN, "f"));
    again = ::open("f", O_RDONLY);
    EXPECT_EQ(texts(), (Texts { "CLOSE_NOWRITE|OPEN f" }));
    constexpr unsigned lasting = FAN_MARK_IGNORED_MASK | FAN_MARK_IGNORED_SURV_MODIFY;
    ASSERT_OK(mark(FAN_MARK_ADD | lasting, FAN_OPEN, "f"));
    ASSERT_EQ(::write(file, "x", 1), 1);
    again = ::open("f", O_RDONLY);
    EXPECT_EQ(texts(), (Texts { "CLOSE_NOWRITE f" }));
    ASSERT_OK(mark(FAN_MARK_REMOVE | FAN_MARK_IGNORED_MASK, FAN_OPEN, "f"));
    again = ::open("f", O_RDONLY);
    EXPECT_EQ(texts(), (Texts { "CLOSE_NOWRITE|OPEN f" }));
    EXPECT_ERROR(mark(FAN_MARK_REMOVE, FAN_OPEN, "f"), ENOENT);
}

TEST_F(Fanotify, ignoring_with_flags_of_its_own)
{
    init(FAN_CLASS_NOTIF);
    ASSERT_OK(mark(FAN_MARK_ADD | FAN_MARK_MOUNT, FAN_OPEN | FAN_ONDIR, "."));
    ASSERT_OK(mark(FAN_MARK_ADD | FAN_MARK_IGNORE_SURV, FAN_OPEN | FAN_EVENT_ON_CHILD, "d"));
    Fd child = ::open("d/g", O_RDONLY), self = ::open("d", O_RDONLY);
    EXPECT_EQ(texts(), (Texts { "OPEN d" }));
    ASSERT_OK(mark(FAN_MARK_ADD | FAN_MARK_IGNORE_SURV, FAN_ONDIR, "d"));
    self = ::open("d", O_RDONLY);
    EXPECT_EQ(texts(), Texts {});
    EXPECT_ERROR(mark(FAN_MARK_ADD | FAN_MARK_IGNORED_MASK, FAN_OPEN, "d"), EEXIST);
    EXPECT_ERROR(mark(FAN_MARK_ADD | FAN_MARK_IGNORE, FAN_OPEN, "d"), EISDIR);
    EXPECT_ERROR(mark(FAN_MARK_ADD | FAN_MARK_IGNORE | FAN_MARK_MOUNT, FAN_OPEN, "d"), EINVAL);
    EXPECT_ERROR(mark(FAN_MARK_ADD | FAN_MARK_IGNORE_SURV, FAN_OPEN | FAN_ONDIR, "f"), ENOTDIR);
    EXPECT_ERROR(mark(FAN_MARK_ADD | FAN_MARK_IGNORE | FAN_MARK_IGNORED_MASK, FAN_OPEN, "f"), EINVAL);
    ASSERT_OK(mark(FAN_MARK_ADD | FAN_MARK_IGNORE_SURV, FAN_OPEN, "f"));
    EXPECT_ERROR(mark(FAN_MARK_ADD | FAN_MARK_IGNORE, FAN_OPEN, "f"), EEXIST);
}

TEST_F(Fanotify, marks_are_changed_and_flushed)
{
    init(FAN_CLASS_NOTIF);
    ASSERT_OK(mark(FAN_MARK_ADD, FAN_OPEN | FAN_CLOSE, "f"));
    ASSERT_OK(mark(FAN_MARK_REMOVE, FAN_OPEN, "f"));
    Fd file = ::open("f", O_RDONLY);
    file.reset();
    EXPECT_EQ(texts(), (Texts { "CLOSE_NOWRITE f" }));
    ASSERT_OK(mark(FAN_MARK_ADD | FAN_MARK_MOUNT, FAN_OPEN, "."));
    ASSERT_OK(mark(FAN_MARK_FLUSH, 0, nullptr));
    file = ::open("f", O_RDONLY);
    file.reset();
    EXPECT_EQ(texts(), (Texts { "OPEN f" }));
    ASSERT_OK(mark(FAN_MARK_FLUSH | FAN_MARK_MOUNT, 0, nullptr));
    file = ::open("f", O_RDONLY);
    EXPECT_EQ(texts(), Texts {});
    EXPECT_ERROR(mark(FAN_MARK_REMOVE, FAN_OPEN, "f"), ENOENT);
}

TEST_F(Fanotify, how_a_mark_names_its_object)
{
    ASSERT_OK(::symlink("f", "l"));
    init(FAN_CLASS_NOTIF);
    ASSERT_OK(mark(FAN_MARK_ADD, FAN_OPEN, "l"));
    ASSERT_OK(mark(FAN_MARK_REMOVE, FAN_OPEN, "f"));
    ASSERT_OK(mark(FAN_MARK_ADD | FAN_MARK_DONT_FOLLOW, FAN_OPEN, "l"));
    EXPECT_ERROR(mark(FAN_MARK_REMOVE, FAN_OPEN, "f"), ENOENT);
    EXPECT_ERROR(mark(FAN_MARK_ADD | FAN_MARK_ONLYDIR, FAN_OPEN, "f"), ENOTDIR);
    Fd file = ::open("f", O_RDONLY), directory = ::open("d", O_RDONLY), place = ::open("d", O_PATH);
    ASSERT_OK(::fanotify_mark(fd, FAN_MARK_ADD, FAN_OPEN, file, nullptr));
    ASSERT_OK(mark(FAN_MARK_REMOVE, FAN_OPEN, "f"));
    EXPECT_ERROR(::fanotify_mark(fd, FAN_MARK_ADD | FAN_MARK_ONLYDIR, FAN_OPEN, file, nullptr), ENOTDIR);
    EXPECT_ERROR(::fanotify_mark(fd, FAN_MARK_ADD, FAN_OPEN, AT_FDCWD, nullptr), EBADF);
    EXPECT_ERROR(::fanotify_mark(fd, FAN_MARK_ADD, FAN_OPEN, place, nullptr), EBADF);
    ASSERT_OK(::fanotify_mark(fd, FAN_MARK_ADD, FAN_OPEN, directory, "g"));
    ASSERT_OK(mark(FAN_MARK_REMOVE, FAN_OPEN, "d/g"));
}

TEST_F(Fanotify, a_program_that_is_run)
{
    ASSERT_OK(::chmod("f", 0755));
    init(FAN_CLASS_NOTIF);
    ASSERT_OK(mark(FAN_MARK_ADD, kAll, "f"));
    in_child([] {
        char* arguments[] = { const_cast<char*>("f"), nullptr };
        EXPECT_ERROR(::execv("f", arguments), ENOEXEC);
    });
    EXPECT_EQ(texts(), (Texts { "ACCESS|CLOSE_NOWRITE|OPEN|OPEN_EXEC f" }));
}

TEST_F(Fanotify, each_group_is_told)
{
    init(FAN_CLASS_NOTIF);
    Fd const other = ::fanotify_init(FAN_CLASS_CONTENT | FAN_NONBLOCK, O_RDONLY);
    ASSERT_OK(mark(FAN_MARK_ADD, FAN_OPEN, "f"));
    ASSERT_OK(::fanotify_mark(other, FAN_MARK_ADD | FAN_MARK_MOUNT, FAN_OPEN | FAN_CLOSE, AT_FDCWD, "."));
    Fd file = ::open("f", O_RDONLY);
    file.reset();
    EXPECT_EQ(texts(), (Texts { "OPEN f" }));
    fd = ::dup(other);
    EXPECT_EQ(texts(), (Texts { "CLOSE_NOWRITE|OPEN f" }));
}

TEST_F(Fanotify, reading)
{
    init(FAN_CLASS_NOTIF);
    ASSERT_OK(mark(FAN_MARK_ADD, FAN_OPEN, "f"));
    pollfd poll { fd, POLLIN | POLLOUT, 0 };
    EXPECT_EQ(::poll(&poll, 1, 0), 0);
    char buffer[512];
    EXPECT_ERROR(::read(fd, buffer, sizeof buffer), EAGAIN);
    Fd file = ::open("f", O_RDONLY);
    EXPECT_EQ(::poll(&poll, 1, 0), 1);
    EXPECT_EQ(poll.revents, POLLIN);
    int bytes = 0;
    ASSERT_OK(::ioctl(fd, FIONREAD, &bytes));
    EXPECT_EQ(bytes, int(sizeof(fanotify_event_metadata)));
    EXPECT_ERROR(::read(fd, buffer, sizeof(fanotify_event_metadata) - 1), EINVAL);
    EXPECT_EQ(texts(), (Texts { "OPEN f" }));

    ASSERT_OK(::fcntl(fd, F_SETFL, 0));
    pid_t const child = start(
        [&] { EXPECT_EQ(::read(fd, buffer, sizeof buffer), ssize_t(sizeof(fanotify_event_metadata))); });
    wait_until_sleeping(child);
    file = ::open("f", O_RDONLY);
    EXPECT_EQ(wait_for(child), exited(0));
    EXPECT_ERROR(::write(fd, buffer, 4), EINVAL);
}

TEST_F(Fanotify, a_read_without_room_for_descriptors)
{
    init(FAN_CLASS_NOTIF);
    ASSERT_OK(mark(FAN_MARK_ADD | FAN_MARK_MOUNT, FAN_OPEN, "."));
    Fd one = ::open("f", O_RDONLY), two = ::open("d/g", O_RDONLY);
    rlimit const limit { rlim_t(int(two)) + 1, rlim_t(int(two)) + 1 };
    ASSERT_OK(::setrlimit(RLIMIT_NOFILE, &limit));
    char buffer[512];
    EXPECT_ERROR(::read(fd, buffer, sizeof buffer), EMFILE);
}

TEST_F(Fanotify, a_full_queue_says_so)
{
    init(FAN_CLASS_NOTIF);
    make_directory("many");
    // As many as there may be of /proc/sys/fs/fanotify/max_queued_events, and some more.
    int const most = std::atoi(read_file("/proc/sys/fs/fanotify/max_queued_events").c_str());
    ASSERT_EQ(most, 16384);
    ASSERT_OK(mark(FAN_MARK_ADD | FAN_MARK_MOUNT, FAN_OPEN, "."));
    for (int i = 0; i < most + 5; i++) {
        Fd file = ::open(("many/" + std::to_string(i)).c_str(), O_CREAT | O_RDWR, 0644);
        ASSERT_OK(int(file));
    }
    int count = 0, overflows = 0;
    for (auto seen = events(); !seen.empty(); seen.clear(), seen = events()) {
        for (auto const& event : seen) {
            bool const is_overflow = event.mask == FAN_Q_OVERFLOW;
            EXPECT_EQ(event.fd < 0, is_overflow);
            (is_overflow ? overflows : count)++;
        }
    }
    EXPECT_EQ(count, most);
    EXPECT_EQ(overflows, 1);
}

TEST_F(Fanotify, threads_and_processes)
{
    init(FAN_CLASS_NOTIF | FAN_REPORT_PIDFD);
    ASSERT_OK(mark(FAN_MARK_ADD, FAN_OPEN, "f"));
    Fd file = ::open("f", O_RDONLY);
    in_child([] { Fd other = ::open("f", O_RDONLY); });
    auto const seen = events();
    ASSERT_EQ(seen.size(), 2u);
    ASSERT_TRUE(seen[0].pidfd && seen[1].pidfd);
    Fd const pidfd = *seen[0].pidfd;
    EXPECT_GE(int(pidfd), 0);
    EXPECT_EQ(raw(SYS_pidfd_send_signal, int(pidfd), 0, nullptr, 0), 0);
    EXPECT_EQ(::fcntl(pidfd, F_GETFD), FD_CLOEXEC);
    EXPECT_EQ(*seen[1].pidfd, FAN_NOPIDFD) << "it has gone";
}

TEST_F(Fanotify, marks_end_with_their_objects)
{
    make_tmpfs("m");
    write_file("m/x", "");
    init(FAN_CLASS_NOTIF);
    auto const info = "/proc/self/fdinfo/" + std::to_string(fd);
    auto const marks = [&] {
        int count = -1; // the group's own line
        for (size_t at = 0; (at = read_file(info).find("fanotify ", at)) != std::string::npos; at++)
            count++;
        return count;
    };
    ASSERT_OK(mark(FAN_MARK_ADD, FAN_OPEN, "m/x"));
    ASSERT_OK(mark(FAN_MARK_ADD | FAN_MARK_MOUNT, FAN_OPEN, "m"));
    ASSERT_OK(mark(FAN_MARK_ADD | FAN_MARK_FILESYSTEM, FAN_OPEN, "m"));
    ASSERT_OK(mark(FAN_MARK_ADD, FAN_OPEN, "f"));
    EXPECT_EQ(marks(), 4);
    ASSERT_OK(::umount("m"));
    EXPECT_EQ(marks(), 1);
    ASSERT_OK(::unlink("f"));
    EXPECT_EQ(marks(), 0);
}

TEST_F(Fanotify, what_fdinfo_says)
{
    init(FAN_CLASS_NOTIF, O_RDWR);
    ASSERT_OK(mark(FAN_MARK_ADD | FAN_MARK_EVICTABLE, FAN_OPEN, "f"));
    ASSERT_OK(mark(FAN_MARK_ADD | FAN_MARK_MOUNT, FAN_CLOSE, "f"));
    auto const text = read_file("/proc/self/fdinfo/" + std::to_string(fd));
    EXPECT_NE(text.find("fanotify flags:3 event-flags:8002\n"), std::string::npos) << text;
    char line[128];
    std::snprintf(line, sizeof line, "fanotify ino:%lx sdev:", status_of("f").st_ino);
    EXPECT_NE(text.find(line), std::string::npos) << text;
    EXPECT_NE(text.find(" mflags:200 mask:20 ignored_mask:0 fhandle-bytes:"), std::string::npos) << text;
    std::snprintf(
        line, sizeof line, "fanotify mnt_id:%x mflags:0 mask:18 ignored_mask:0\n", mount_on("/tmp").id);
    EXPECT_NE(text.find(line), std::string::npos) << text;
    ASSERT_OK(mark(FAN_MARK_ADD, FAN_CLOSE, "f"));
    EXPECT_ERROR(mark(FAN_MARK_ADD | FAN_MARK_EVICTABLE, FAN_OPEN, "f"), EEXIST);
}

TEST_F(Fanotify, errors_of_groups)
{
    EXPECT_ERROR(::fanotify_init(0x80000000, 0), EINVAL);
    EXPECT_ERROR(::fanotify_init(FAN_CLASS_CONTENT | FAN_CLASS_PRE_CONTENT, 0), EINVAL);
    EXPECT_ERROR(::fanotify_init(FAN_CLASS_CONTENT | FAN_REPORT_FID, 0), EINVAL);
    EXPECT_ERROR(::fanotify_init(FAN_REPORT_PIDFD | FAN_REPORT_TID, 0), EINVAL);
    EXPECT_ERROR(::fanotify_init(FAN_REPORT_NAME, 0), EINVAL);
    EXPECT_ERROR(::fanotify_init(FAN_REPORT_DFID_NAME | FAN_REPORT_TARGET_FID, 0), EINVAL);
    EXPECT_ERROR(::fanotify_init(0, O_DIRECTORY), EINVAL);
    EXPECT_ERROR(::fanotify_init(0, O_WRONLY | O_RDWR), EINVAL);
}

TEST_F(Fanotify, errors_of_marks)
{
    init(FAN_CLASS_NOTIF);
    EXPECT_ERROR(mark(FAN_MARK_ADD, 0, "f"), EINVAL);
    EXPECT_ERROR(mark(FAN_MARK_ADD | FAN_MARK_REMOVE, FAN_OPEN, "f"), EINVAL);
    EXPECT_ERROR(mark(0, FAN_OPEN, "f"), EINVAL);
    EXPECT_ERROR(mark(FAN_MARK_ADD | 0x10000, FAN_OPEN, "f"), EINVAL);
    EXPECT_ERROR(mark(FAN_MARK_ADD | FAN_MARK_MOUNT | FAN_MARK_FILESYSTEM, FAN_OPEN, "f"), EINVAL);
    EXPECT_ERROR(mark(FAN_MARK_ADD, uint64_t { 1 } << 32, "f"), EINVAL);
    EXPECT_ERROR(mark(FAN_MARK_ADD, FAN_Q_OVERFLOW, "f"), EINVAL);
    EXPECT_ERROR(mark(FAN_MARK_FLUSH | FAN_MARK_DONT_FOLLOW, 0, "f"), EINVAL);
    EXPECT_ERROR(mark(FAN_MARK_ADD, FAN_OPEN, "missing"), ENOENT);
    EXPECT_ERROR(mark(FAN_MARK_ADD, FAN_CREATE, "d"), EINVAL) << "cannot come with a descriptor";
    EXPECT_ERROR(mark(FAN_MARK_ADD, FAN_OPEN_PERM, "f"), EINVAL) << "not of this class";
    EXPECT_ERROR(mark(FAN_MARK_ADD, FAN_FS_ERROR, "f"), EINVAL);
    EXPECT_ERROR(mark(FAN_MARK_ADD | FAN_MARK_EVICTABLE | FAN_MARK_MOUNT, FAN_OPEN, "f"), EINVAL);
    EXPECT_ERROR(mark(FAN_MARK_REMOVE, FAN_OPEN, "f"), ENOENT);
    EXPECT_ERROR(::fanotify_mark(0x7fff, FAN_MARK_ADD, FAN_OPEN, AT_FDCWD, "f"), EBADF);
    Fd const file = ::open("f", O_RDONLY);
    EXPECT_ERROR(::fanotify_mark(file, FAN_MARK_ADD, FAN_OPEN, AT_FDCWD, "f"), EINVAL);
    Pipe const pipe;
    EXPECT_ERROR(
        ::fanotify_mark(fd, FAN_MARK_ADD | FAN_MARK_MOUNT, FAN_OPEN, pipe.read_end, nullptr), EINVAL);
}

TEST_F(Fanotify, ordinary_users)
{
    init(FAN_CLASS_NOTIF);
    ASSERT_OK(::chmod("f", 0600));
    as_ordinary_user([&] {
        EXPECT_ERROR(::fanotify_init(FAN_CLASS_NOTIF, 0), EPERM);
        EXPECT_ERROR(::fanotify_init(FAN_REPORT_FID | FAN_UNLIMITED_QUEUE, 0), EPERM);
        EXPECT_ERROR(::fanotify_init(FAN_REPORT_FID | FAN_REPORT_PIDFD, 0), EPERM);
        EXPECT_ERROR(::fanotify_init(FAN_REPORT_FID | FAN_REPORT_TID, 0), EPERM);
        EXPECT_ERROR(mark(FAN_MARK_ADD | FAN_MARK_MOUNT, FAN_OPEN, "d"), EPERM);
        EXPECT_ERROR(mark(FAN_MARK_ADD, FAN_OPEN, "f"), EACCES);
        init(FAN_REPORT_FID);
        EXPECT_ERROR(mark(FAN_MARK_ADD | FAN_MARK_FILESYSTEM, FAN_OPEN, "d"), EPERM);
        ASSERT_OK(mark(FAN_MARK_ADD, FAN_OPEN, "d/g"));
        Fd file = ::open("d/g", O_RDONLY);
        auto const own = events();
        ASSERT_EQ(own.size(), 1u);
        EXPECT_EQ(own[0].pid, ::getpid());
        EXPECT_LT(int(own[0].fd), 0);
        in_child([] { Fd other = ::open("d/g", O_RDONLY); });
        auto const others = events();
        ASSERT_EQ(others.size(), 1u);
        EXPECT_EQ(others[0].pid, 0);
    });
}

} // namespace
} // namespace abi_test
