// SPDX-License-Identifier: GPL-2.0-or-later
// fcntl(2) F_NOTIFY: a signal for what happens in a directory (dnotify).
#include "abi-test.h"

#include <poll.h>

namespace abi_test {
namespace {

constexpr timespec kAtOnce {};

class DirectoryNotice : public InScratchDirectory {
protected:
    DirectoryNotice()
    {
        block_signals({ SIGIO, SIGRTMIN });
        ::mkdir("d", 0777);
        fd_ = ::open("d", O_RDONLY);
        EXPECT_OK(::fcntl(fd_, F_SETSIG, SIGRTMIN));
    }
    /// How many signals came since last time.
    int told()
    {
        int count = 0;
        sigset_t wanted = signals({ SIGRTMIN });
        while (::sigtimedwait(&wanted, &info_, &kAtOnce) == SIGRTMIN)
            count++;
        return count;
    }
    int watch(unsigned long events) { return ::fcntl(fd_, F_NOTIFY, events); }

    Fd fd_;
    siginfo_t info_ {};
};

TEST_F(DirectoryNotice, tells_once)
{
    ASSERT_OK(watch(DN_CREATE));
    write_file("d/a", "");
    ASSERT_EQ(told(), 1);
    EXPECT_EQ(info_.si_fd, fd_);
    EXPECT_EQ(info_.si_code, POLL_MSG);
    EXPECT_EQ(info_.si_band, POLLIN | POLLRDNORM | POLLMSG);
    write_file("d/b", "");
    EXPECT_EQ(told(), 0);
}

TEST_F(DirectoryNotice, tells_again_and_again)
{
    ASSERT_OK(watch(DN_CREATE | DN_MULTISHOT));
    write_file("d/a", "");
    write_file("d/b", "");
    ASSERT_OK(::mkdir("d/c", 0777));
    ASSERT_OK(::link("d/a", "d/e"));
    ASSERT_OK(::symlink("x", "d/f"));
    EXPECT_EQ(told(), 5);
    ASSERT_OK(watch(0));
    write_file("d/g", "");
    EXPECT_EQ(told(), 0);
}

TEST_F(DirectoryNotice, the_common_signal)
{
    ASSERT_OK(::fcntl(fd_, F_SETSIG, 0));
    ASSERT_OK(watch(DN_CREATE));
    write_file("d/a", "");
    sigset_t wanted = signals({ SIGIO });
    EXPECT_EQ(::sigtimedwait(&wanted, &info_, &kAtOnce), SIGIO);
    EXPECT_EQ(info_.si_code, SI_KERNEL);
}

TEST_F(DirectoryNotice, content)
{
    Fd file = new_file("d/a");
    ASSERT_OK(watch(DN_ACCESS | DN_MULTISHOT));
    ASSERT_EQ(::write(file, "x", 1), 1);
    EXPECT_EQ(told(), 0);
    char byte;
    ASSERT_EQ(::pread(file, &byte, 1, 0), 1);
    EXPECT_EQ(told(), 1);
    ASSERT_OK(watch(0));
    ASSERT_OK(watch(DN_MODIFY | DN_MULTISHOT));
    ASSERT_EQ(::write(file, "x", 1), 1);
    EXPECT_EQ(told(), 1);
    ASSERT_OK(::ftruncate(file, 0));
    EXPECT_EQ(told(), 1);
    ASSERT_OK(::unlink("d/a"));
    EXPECT_EQ(told(), 0);
}

TEST_F(DirectoryNotice, attributes)
{
    write_file("d/a", "");
    ASSERT_OK(watch(DN_ATTRIB | DN_MULTISHOT));
    ASSERT_OK(::chmod("d/a", 0600));
    EXPECT_EQ(told(), 1);
    ASSERT_OK(::chmod("d", 0700));
    EXPECT_EQ(told(), 1) << "of the directory itself";
}

TEST_F(DirectoryNotice, deletion)
{
    write_file("d/a", "");
    write_file("d/b", "");
    ASSERT_OK(::mkdir("d/c", 0777));
    ASSERT_OK(watch(DN_DELETE | DN_MULTISHOT));
    ASSERT_OK(::unlink("d/a"));
    ASSERT_OK(::rmdir("d/c"));
    EXPECT_EQ(told(), 2);
    ASSERT_OK(::rename("d/b", "b"));
    EXPECT_EQ(told(), 1) << "moved away";
}

TEST_F(DirectoryNotice, renaming)
{
    write_file("d/a", "");
    ASSERT_OK(watch(DN_RENAME | DN_MULTISHOT));
    ASSERT_OK(::rename("d/a", "d/b"));
    EXPECT_EQ(told(), 1);
    ASSERT_OK(::rename("d/b", "b"));
    ASSERT_OK(::rename("b", "d/c"));
    EXPECT_EQ(told(), 0) << "only within the directory";
}

TEST_F(DirectoryNotice, one_signal_for_one_event)
{
    write_file("b", "");
    ASSERT_OK(watch(DN_CREATE | DN_MULTISHOT));
    ASSERT_OK(::rename("b", "d/b"));
    EXPECT_EQ(told(), 1) << "moved here";
}

TEST_F(DirectoryNotice, asking_again_adds)
{
    ASSERT_OK(watch(DN_CREATE));
    ASSERT_OK(watch(DN_DELETE | DN_MULTISHOT));
    write_file("d/a", "");
    ASSERT_OK(::unlink("d/a"));
    EXPECT_EQ(told(), 2);
    write_file("d/a", "");
    EXPECT_EQ(told(), 1) << "all of it many times now";
}

TEST_F(DirectoryNotice, closing_any_descriptor_of_it_ends_it)
{
    Fd copy = ::dup(fd_);
    ASSERT_OK(watch(DN_CREATE | DN_MULTISHOT));
    copy.reset();
    write_file("d/a", "");
    EXPECT_EQ(told(), 0);
}

TEST_F(DirectoryNotice, a_child_neither_ends_nor_inherits_it)
{
    ASSERT_OK(watch(DN_CREATE | DN_MULTISHOT));
    in_child([&] {
        fd_.reset();
        write_file("d/a", "");
    });
    EXPECT_EQ(told(), 1);
    in_child([&] { write_file("d/b", ""); });
    EXPECT_EQ(told(), 1);
}

TEST_F(DirectoryNotice, wrong_arguments)
{
    Fd file = new_file("a");
    EXPECT_ERROR(::fcntl(file, F_NOTIFY, DN_CREATE), ENOTDIR);
    EXPECT_OK(::fcntl(file, F_NOTIFY, 0));
    EXPECT_OK(::fcntl(file, F_NOTIFY, DN_MULTISHOT));
    Fd path_only = ::open("d", O_PATH);
    EXPECT_ERROR(::fcntl(path_only, F_NOTIFY, DN_CREATE), EBADF);
    EXPECT_ERROR(::fcntl(-1, F_NOTIFY, DN_CREATE), EBADF);
}

} // namespace
} // namespace abi_test
