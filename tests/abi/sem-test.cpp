// SPDX-License-Identifier: GPL-2.0-or-later
// System V semaphores: semget(2), semop(2), semctl(2).
#include "abi-test.h"

#include <climits>
#include <ctime>
#include <sys/ipc.h>
#include <sys/sem.h>
#include <vector>

namespace abi_test {
namespace {

/// A set of its own that goes with the test.
class Semaphores : public ::testing::Test {
protected:
    explicit Semaphores(int count = 3)
        : id_(::semget(IPC_PRIVATE, count, 0600))
        , owner_(::getpid())
    {
        EXPECT_OK(id_);
    }
    ~Semaphores() override
    {
        if (::getpid() == owner_) ::semctl(id_, 0, IPC_RMID);
    }
    int value(int number = 0) const { return ::semctl(id_, number, GETVAL); }
    int set(int number, int value) const { return ::semctl(id_, number, SETVAL, value); }
    int op(std::vector<sembuf> operations) const
    {
        return ::semop(id_, operations.data(), operations.size());
    }
    /// Until somebody waits on the semaphore.
    void await_waiter(int number, int command, int count = 1) const
    {
        while (::semctl(id_, number, command) < count)
            ::usleep(1000);
    }

    int id_;
    pid_t owner_;
};

constexpr short kWait = 0, kNow = IPC_NOWAIT, kUndo = SEM_UNDO;

TEST_F(Semaphores, values)
{
    EXPECT_EQ(value(), 0);
    EXPECT_OK(set(1, 5));
    EXPECT_EQ(value(1), 5);
    EXPECT_EQ(::semctl(id_, 1, GETPID), ::getpid());
    EXPECT_ERROR(set(0, 32768), ERANGE);
    EXPECT_ERROR(set(0, -1), ERANGE);
    EXPECT_ERROR(set(3, 1), EINVAL);
    EXPECT_ERROR(::semctl(id_, -1, GETVAL), EINVAL);
    EXPECT_ERROR(::semctl(id_, 0, 99), EINVAL);
    unsigned short all[3] = { 7, 8, 9 };
    EXPECT_OK(::semctl(id_, 0, SETALL, all));
    unsigned short got[3] = {};
    EXPECT_OK(::semctl(id_, 0, GETALL, got));
    EXPECT_EQ(std::vector<unsigned short>(got, got + 3), std::vector<unsigned short>({ 7, 8, 9 }));
    all[1] = 40000;
    EXPECT_ERROR(::semctl(id_, 0, SETALL, all), ERANGE);
}

TEST_F(Semaphores, all_operations_or_none)
{
    EXPECT_OK(op({ { 0, 2, kWait }, { 1, 3, kWait } }));
    EXPECT_EQ(value(0), 2);
    EXPECT_EQ(value(1), 3);
    EXPECT_ERROR(op({ { 0, -1, kNow }, { 1, -4, kNow } }), EAGAIN);
    EXPECT_EQ(value(0), 2);
    EXPECT_ERROR(op({ { 0, 0, kNow } }), EAGAIN);
    EXPECT_OK(op({ { 0, -2, kNow }, { 0, 0, kNow }, { 0, 1, kNow } })) << "one after the other";
    EXPECT_EQ(value(0), 1);
    EXPECT_ERROR(op({ { 0, 32767, kNow } }), ERANGE);
    EXPECT_ERROR(op({ { 3, 1, kNow } }), EFBIG);
    EXPECT_ERROR(::semop(id_, nullptr, 0), EINVAL);
    EXPECT_ERROR(::semop(id_, nullptr, 1), EFAULT);
    EXPECT_EQ(raw(SYS_semop, id_, nullptr, 501), -E2BIG);
    sembuf one { 0, 1, 0 };
    EXPECT_ERROR(::semop(-1, &one, 1), EINVAL);
}

TEST_F(Semaphores, waiting_for_a_value_and_for_zero)
{
    pid_t taker = start([&] { EXPECT_OK(op({ { 0, -2, kWait } })); });
    await_waiter(0, GETNCNT);
    EXPECT_EQ(::semctl(id_, 0, GETZCNT), 0);
    EXPECT_OK(op({ { 0, 1, kWait } }));
    EXPECT_EQ(::semctl(id_, 0, GETNCNT), 1) << "not enough";
    EXPECT_OK(op({ { 0, 1, kWait } }));
    EXPECT_EQ(wait_for(taker), exited(0));
    EXPECT_EQ(value(), 0);
    EXPECT_EQ(::semctl(id_, 0, GETPID), taker);

    EXPECT_OK(set(0, 1));
    pid_t zero = start([&] { EXPECT_OK(op({ { 0, 0, kWait } })); });
    await_waiter(0, GETZCNT);
    EXPECT_OK(op({ { 0, -1, kWait } }));
    EXPECT_EQ(wait_for(zero), exited(0));
}

TEST_F(Semaphores, first_come_first_served)
{
    Pipe order;
    std::vector<pid_t> children;
    for (char c = 'a'; c < 'e'; ++c) {
        children.push_back(start([&] {
            EXPECT_OK(op({ { 0, -1, kWait } }));
            EXPECT_EQ(::write(order.write_end, &c, 1), 1);
            EXPECT_OK(op({ { 0, 1, kWait } }));
        }));
        await_waiter(0, GETNCNT, int(children.size()));
    }
    EXPECT_OK(set(0, 1));
    for (pid_t child : children)
        EXPECT_EQ(wait_for(child), exited(0));
    char got[4];
    ASSERT_EQ(::read(order.read_end, got, sizeof got), 4);
    EXPECT_EQ(std::string(got, 4), "abcd");
}

TEST_F(Semaphores, removal_ends_waiting)
{
    pid_t child = start([&] { EXPECT_ERROR(op({ { 0, -1, kWait } }), EIDRM); });
    await_waiter(0, GETNCNT);
    EXPECT_OK(::semctl(id_, 0, IPC_RMID));
    EXPECT_EQ(wait_for(child), exited(0));
    EXPECT_ERROR(op({ { 0, 1, kWait } }), EINVAL);
}

TEST_F(Semaphores, signals_and_time_end_waiting)
{
    struct sigaction action { };
    action.sa_handler = [](int) {};
    action.sa_flags = SA_RESTART;
    pid_t child = start([&] {
        ::sigaction(SIGUSR1, &action, nullptr);
        EXPECT_ERROR(op({ { 0, -1, kWait } }), EINTR) << "never restarted";
    });
    await_waiter(0, GETNCNT);
    EXPECT_OK(::kill(child, SIGUSR1));
    EXPECT_EQ(wait_for(child), exited(0));
    EXPECT_EQ(::semctl(id_, 0, GETNCNT), 0);
    sembuf take { 0, -1, 0 };
    timespec soon { 0, 5'000'000 }, wrong { 0, -1 };
    EXPECT_ERROR(::semtimedop(id_, &take, 1, &soon), EAGAIN);
    EXPECT_ERROR(::semtimedop(id_, &take, 1, &wrong), EINVAL);
}

TEST_F(Semaphores, what_was_taken_comes_back_at_the_end)
{
    EXPECT_OK(set(0, 3));
    pid_t child = start([&] {
        EXPECT_OK(op({ { 0, -2, kUndo }, { 1, 4, kUndo } }));
        EXPECT_EQ(value(0), 1);
        EXPECT_EQ(value(1), 4);
        EXPECT_OK(set(1, 9)); // forgets the undo
        in_child([] {}); // a child has none of it
        EXPECT_EQ(value(0), 1);
    });
    EXPECT_EQ(wait_for(child), exited(0));
    EXPECT_EQ(value(0), 3);
    EXPECT_EQ(value(1), 9);
    EXPECT_EQ(::semctl(id_, 0, GETPID), child);

    pid_t waiter = start([&] { EXPECT_OK(op({ { 0, -4, kWait } })); });
    await_waiter(0, GETNCNT);
    EXPECT_EQ(wait_for(start([&] {
        EXPECT_OK(op({ { 0, -1, kUndo } }));
        EXPECT_OK(op({ { 0, 2, kWait } }));
        ::raise(SIGKILL);
    })),
        killed_by(SIGKILL));
    EXPECT_EQ(wait_for(waiter), exited(0)) << "undoing made it possible";
}

TEST_F(Semaphores, status_and_owner)
{
    semid_ds status {};
    ASSERT_OK(::semctl(id_, 0, IPC_STAT, &status));
    EXPECT_EQ(status.sem_nsems, 3u);
    EXPECT_EQ(status.sem_otime, 0);
    EXPECT_NE(status.sem_ctime, 0);
    EXPECT_EQ(status.sem_perm.mode & 0777, 0600);
    EXPECT_OK(op({ { 0, 1, kWait } }));
    status.sem_perm.mode = 0400;
    ASSERT_OK(::semctl(id_, 0, IPC_SET, &status));
    ASSERT_OK(::semctl(id_, 0, IPC_STAT, &status));
    EXPECT_NE(status.sem_otime, 0);
    EXPECT_EQ(status.sem_perm.mode & 0777, 0400);
    seminfo info {};
    EXPECT_GE(::semctl(0, 0, SEM_INFO, &info), 0);
    EXPECT_GE(info.semusz, 1);
    EXPECT_EQ(info.semvmx, 32767);
    std::string const listing = read_file("/proc/sysvipc/sem");
    EXPECT_NE(listing.find(" " + std::to_string(id_) + " "), std::string::npos) << listing;
}

TEST_F(Semaphores, permissions)
{
    NEEDS_ROOT();
    as_ordinary_user([&] {
        EXPECT_ERROR(value(), EACCES);
        EXPECT_ERROR(op({ { 0, 1, kNow } }), EACCES);
        EXPECT_ERROR(::semctl(id_, 0, IPC_RMID), EPERM);
    });
}

TEST(SemaphoreKeys, finding_and_making)
{
    key_t const key = 0x5e300000 + ::getpid();
    EXPECT_ERROR(::semget(key, 1, 0), ENOENT);
    int id = ::semget(key, 2, IPC_CREAT | 0600);
    ASSERT_OK(id);
    EXPECT_EQ(::semget(key, 2, 0), id);
    EXPECT_EQ(::semget(key, 0, 0), id);
    EXPECT_ERROR(::semget(key, 3, 0), EINVAL) << "has fewer";
    EXPECT_ERROR(::semget(key, 2, IPC_CREAT | IPC_EXCL), EEXIST);
    EXPECT_OK(::semctl(id, 0, IPC_RMID));
    EXPECT_ERROR(::semget(key, 0, IPC_CREAT | 0600), EINVAL);
    EXPECT_ERROR(::semget(IPC_PRIVATE, -1, 0600), EINVAL);
    EXPECT_ERROR(::semget(IPC_PRIVATE, 32001, 0600), EINVAL);
}

} // namespace
} // namespace abi_test
