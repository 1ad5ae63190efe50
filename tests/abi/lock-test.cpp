// SPDX-License-Identifier: GPL-2.0-or-later
// File locks: POSIX record locks and open-file-description locks, fcntl(2), and flock(2).
#include "abi-test.h"

#include <sys/file.h>

namespace abi_test {
namespace {

struct flock record(short type, off_t start, off_t length)
{
    struct flock lock { };
    lock.l_type = type;
    lock.l_whence = SEEK_SET;
    lock.l_start = start;
    lock.l_len = length;
    return lock;
}

int lock_record(int fd, short type, off_t start, off_t length, int command = F_SETLK)
{
    struct flock lock = record(type, start, length);
    return ::fcntl(fd, command, &lock);
}

class Lock : public InScratchDirectory {
protected:
    Fd fd_ = new_file("f");
};

TEST_F(Lock, record_locks_conflict_between_processes)
{
    ASSERT_EQ(lock_record(fd_, F_WRLCK, 0, 10), 0);
    in_child([&] {
        EXPECT_ERROR(lock_record(fd_, F_WRLCK, 5, 10), EAGAIN);
        EXPECT_ERROR(lock_record(fd_, F_RDLCK, 9, 1), EAGAIN);
        EXPECT_EQ(lock_record(fd_, F_WRLCK, 10, 10), 0);
    });
}

TEST_F(Lock, read_locks_share)
{
    ASSERT_EQ(lock_record(fd_, F_RDLCK, 0, 0), 0);
    in_child([&] {
        EXPECT_EQ(lock_record(fd_, F_RDLCK, 0, 0), 0);
        EXPECT_ERROR(lock_record(fd_, F_WRLCK, 0, 0), EAGAIN);
    });
}

TEST_F(Lock, query_names_the_holder)
{
    ASSERT_EQ(lock_record(fd_, F_WRLCK, 3, 4), 0);
    pid_t parent = ::getpid();
    in_child([&] {
        struct flock lock = record(F_WRLCK, 0, 0);
        ASSERT_EQ(::fcntl(fd_, F_GETLK, &lock), 0);
        EXPECT_EQ(lock.l_type, F_WRLCK);
        EXPECT_EQ(lock.l_pid, parent);
        EXPECT_EQ(lock.l_start, 3);
        EXPECT_EQ(lock.l_len, 4);
        lock = record(F_WRLCK, 100, 1);
        ASSERT_EQ(::fcntl(fd_, F_GETLK, &lock), 0);
        EXPECT_EQ(lock.l_type, F_UNLCK);
    });
}

TEST_F(Lock, unlocking_the_middle_splits)
{
    ASSERT_EQ(lock_record(fd_, F_WRLCK, 0, 30), 0);
    ASSERT_EQ(lock_record(fd_, F_UNLCK, 10, 10), 0);
    in_child([&] {
        EXPECT_ERROR(lock_record(fd_, F_WRLCK, 0, 10), EAGAIN);
        EXPECT_EQ(lock_record(fd_, F_WRLCK, 10, 10), 0);
        EXPECT_ERROR(lock_record(fd_, F_WRLCK, 20, 10), EAGAIN);
    });
}

TEST_F(Lock, ones_own_locks_are_replaced_and_joined)
{
    ASSERT_EQ(lock_record(fd_, F_WRLCK, 0, 10), 0);
    ASSERT_EQ(lock_record(fd_, F_WRLCK, 10, 10), 0);
    ASSERT_EQ(lock_record(fd_, F_RDLCK, 5, 10), 0);
    in_child([&] {
        struct flock lock = record(F_WRLCK, 5, 1);
        ASSERT_EQ(::fcntl(fd_, F_GETLK, &lock), 0);
        EXPECT_EQ(lock.l_type, F_RDLCK);
        EXPECT_EQ(lock.l_start, 5);
        EXPECT_EQ(lock.l_len, 10);
    });
}

TEST_F(Lock, zero_length_means_to_the_end)
{
    ASSERT_EQ(lock_record(fd_, F_WRLCK, 100, 0), 0);
    in_child([&] {
        EXPECT_EQ(lock_record(fd_, F_WRLCK, 0, 100), 0);
        EXPECT_ERROR(lock_record(fd_, F_WRLCK, 1'000'000'000'000, 1), EAGAIN);
    });
}

TEST_F(Lock, negative_length_counts_backwards)
{
    ASSERT_EQ(lock_record(fd_, F_WRLCK, 100, -10), 0);
    in_child([&] {
        EXPECT_EQ(lock_record(fd_, F_WRLCK, 80, 10), 0);
        EXPECT_ERROR(lock_record(fd_, F_WRLCK, 90, 1), EAGAIN);
        EXPECT_EQ(lock_record(fd_, F_WRLCK, 100, 1), 0);
    });
    EXPECT_ERROR(lock_record(fd_, F_WRLCK, 5, -10), EINVAL);
}

TEST_F(Lock, relative_to_the_end)
{
    ASSERT_EQ(::ftruncate(fd_, 50), 0);
    struct flock lock = record(F_WRLCK, -10, 5);
    lock.l_whence = SEEK_END;
    ASSERT_EQ(::fcntl(fd_, F_SETLK, &lock), 0);
    in_child([&] { EXPECT_ERROR(lock_record(fd_, F_WRLCK, 40, 1), EAGAIN); });
}

TEST_F(Lock, closing_any_descriptor_of_the_file_releases)
{
    ASSERT_EQ(lock_record(fd_, F_WRLCK, 0, 0), 0);
    {
        Fd other = ::open("f", O_RDONLY);
    }
    in_child([&] { EXPECT_EQ(lock_record(fd_, F_WRLCK, 0, 0), 0); });
}

TEST_F(Lock, record_locks_are_not_inherited_and_end_with_the_process)
{
    ASSERT_EQ(lock_record(fd_, F_WRLCK, 0, 10), 0);
    in_child([&] {
        EXPECT_ERROR(lock_record(fd_, F_WRLCK, 0, 10), EAGAIN);
        EXPECT_EQ(lock_record(fd_, F_WRLCK, 20, 10), 0);
    });
    EXPECT_EQ(lock_record(fd_, F_WRLCK, 20, 10), 0);
}

TEST_F(Lock, waiter_gets_the_lock_when_it_is_free)
{
    ASSERT_EQ(lock_record(fd_, F_WRLCK, 0, 0), 0);
    pid_t child = start([&] {
        EXPECT_EQ(lock_record(fd_, F_WRLCK, 0, 0, F_SETLKW), 0);
        EXPECT_EQ(::write(fd_, "c", 1), 1);
    });
    wait_until_sleeping(child);
    EXPECT_EQ(status_of("f").st_size, 0);
    ASSERT_EQ(lock_record(fd_, F_UNLCK, 0, 0), 0);
    EXPECT_EQ(wait_for(child), exited(0));
    EXPECT_EQ(status_of("f").st_size, 1);
}

TEST_F(Lock, deadlock_is_found)
{
    ASSERT_EQ(lock_record(fd_, F_WRLCK, 0, 1), 0);
    Gate locked;
    pid_t child = start([&] {
        ASSERT_EQ(lock_record(fd_, F_WRLCK, 1, 1), 0);
        locked.open();
        EXPECT_EQ(lock_record(fd_, F_WRLCK, 0, 1, F_SETLKW), 0);
    });
    locked.wait();
    wait_until_sleeping(child);
    EXPECT_ERROR(lock_record(fd_, F_WRLCK, 1, 1, F_SETLKW), EDEADLK);
    ASSERT_EQ(lock_record(fd_, F_UNLCK, 0, 1), 0);
    EXPECT_EQ(wait_for(child), exited(0));
}

TEST_F(Lock, access_mode_must_fit)
{
    Fd reader = ::open("f", O_RDONLY), writer = ::open("f", O_WRONLY);
    EXPECT_ERROR(lock_record(reader, F_WRLCK, 0, 1), EBADF);
    EXPECT_ERROR(lock_record(writer, F_RDLCK, 0, 1), EBADF);
    EXPECT_ERROR(lock_record(fd_, 77, 0, 1), EINVAL);
}

TEST_F(Lock, description_locks_conflict_within_a_process)
{
    Fd other = ::open("f", O_RDWR);
    ASSERT_EQ(lock_record(fd_, F_WRLCK, 0, 10, F_OFD_SETLK), 0);
    EXPECT_ERROR(lock_record(other, F_WRLCK, 0, 10, F_OFD_SETLK), EAGAIN);
    struct flock lock = record(F_WRLCK, 0, 10);
    ASSERT_EQ(::fcntl(other, F_OFD_GETLK, &lock), 0);
    EXPECT_EQ(lock.l_type, F_WRLCK);
    EXPECT_EQ(lock.l_pid, -1);
    lock.l_pid = 5;
    EXPECT_ERROR(::fcntl(other, F_OFD_SETLK, &lock), EINVAL);
}

TEST_F(Lock, description_locks_live_as_long_as_the_description)
{
    ASSERT_EQ(lock_record(fd_, F_WRLCK, 0, 0, F_OFD_SETLK), 0);
    Fd copy = ::dup(fd_), other = ::open("f", O_RDWR);
    fd_.reset();
    EXPECT_ERROR(lock_record(other, F_WRLCK, 0, 0, F_OFD_SETLK), EAGAIN);
    copy.reset();
    EXPECT_EQ(lock_record(other, F_WRLCK, 0, 0, F_OFD_SETLK), 0);
}

TEST_F(Lock, description_and_record_locks_conflict)
{
    ASSERT_EQ(lock_record(fd_, F_WRLCK, 0, 0, F_OFD_SETLK), 0);
    Fd other = ::open("f", O_RDWR);
    EXPECT_ERROR(lock_record(other, F_WRLCK, 0, 0), EAGAIN);
}

TEST_F(Lock, flock_belongs_to_the_description)
{
    ASSERT_EQ(::flock(fd_, LOCK_EX), 0);
    Fd other = ::open("f", O_RDONLY), copy = ::dup(fd_);
    EXPECT_ERROR(::flock(other, LOCK_SH | LOCK_NB), EWOULDBLOCK);
    EXPECT_EQ(::flock(copy, LOCK_EX | LOCK_NB), 0);
    EXPECT_EQ(::flock(copy, LOCK_UN), 0);
    EXPECT_EQ(::flock(other, LOCK_SH | LOCK_NB), 0);
}

TEST_F(Lock, flock_is_inherited_by_fork)
{
    ASSERT_EQ(::flock(fd_, LOCK_EX), 0);
    in_child([&] { EXPECT_EQ(::flock(fd_, LOCK_EX | LOCK_NB), 0); });
    Fd other = ::open("f", O_RDONLY);
    EXPECT_ERROR(::flock(other, LOCK_EX | LOCK_NB), EWOULDBLOCK);
    fd_.reset();
    EXPECT_EQ(::flock(other, LOCK_EX | LOCK_NB), 0);
}

TEST_F(Lock, flock_shared_and_conversion)
{
    Fd other = ::open("f", O_RDONLY);
    ASSERT_EQ(::flock(fd_, LOCK_SH), 0);
    ASSERT_EQ(::flock(other, LOCK_SH), 0);
    EXPECT_ERROR(::flock(fd_, LOCK_EX | LOCK_NB), EWOULDBLOCK);
    ASSERT_EQ(::flock(other, LOCK_UN), 0);
    EXPECT_EQ(::flock(fd_, LOCK_EX | LOCK_NB), 0);
}

TEST_F(Lock, flock_waits)
{
    ASSERT_EQ(::flock(fd_, LOCK_EX), 0);
    pid_t child = start([] {
        Fd own = ::open("f", O_RDONLY);
        EXPECT_EQ(::flock(own, LOCK_EX), 0);
    });
    wait_until_sleeping(child);
    ASSERT_EQ(::flock(fd_, LOCK_UN), 0);
    EXPECT_EQ(wait_for(child), exited(0));
}

TEST_F(Lock, flock_and_record_locks_do_not_see_each_other)
{
    ASSERT_EQ(::flock(fd_, LOCK_EX), 0);
    in_child([&] { EXPECT_EQ(lock_record(fd_, F_WRLCK, 0, 0), 0); });
}

TEST_F(Lock, flock_errors)
{
    EXPECT_ERROR(::flock(fd_, 77), EINVAL);
    EXPECT_ERROR(::flock(999, LOCK_EX), EBADF);
    Fd path = ::open("f", O_PATH);
    EXPECT_ERROR(::flock(path, LOCK_EX), EBADF);
}

} // namespace
} // namespace abi_test
