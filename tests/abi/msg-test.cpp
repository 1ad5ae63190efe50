// SPDX-License-Identifier: GPL-2.0-or-later
// System V message queues: msgget(2), msgop(2), msgctl(2).
#include "abi-test.h"

#include <sched.h>
#include <sys/ipc.h>
#include <sys/msg.h>
#include <vector>

namespace abi_test {
namespace {

struct Letter {
    long type;
    char text[16];
};

class MessageQueue : public ::testing::Test {
protected:
    MessageQueue()
        : id_(::msgget(IPC_PRIVATE, 0600))
        , owner_(::getpid())
    {
        EXPECT_OK(id_);
    }
    ~MessageQueue() override
    {
        if (::getpid() == owner_) ::msgctl(id_, IPC_RMID, nullptr);
    }
    int send(long type, std::string_view text, int flags = 0) const
    {
        Letter letter { type, {} };
        text.copy(letter.text, sizeof letter.text);
        return ::msgsnd(id_, &letter, text.size(), flags);
    }
    /// The text of a message, or the name of the error.
    std::string receive(long type = 0, int flags = IPC_NOWAIT, size_t room = sizeof Letter::text) const
    {
        Letter letter {};
        ssize_t size = ::msgrcv(id_, &letter, room, type, flags);
        if (size < 0) return ::strerrorname_np(errno);
        return std::to_string(letter.type) + ":" + std::string(letter.text, size_t(size));
    }
    msqid_ds status() const
    {
        msqid_ds result {};
        EXPECT_OK(::msgctl(id_, IPC_STAT, &result));
        return result;
    }

    int id_;
    pid_t owner_;
};

TEST_F(MessageQueue, in_order_and_by_type)
{
    for (long type : { 3, 1, 2, 1 })
        ASSERT_OK(send(type, "m" + std::to_string(type)));
    EXPECT_EQ(status().msg_qnum, 4u);
    EXPECT_EQ(receive(2), "2:m2");
    EXPECT_EQ(receive(-2), "1:m1") << "the lowest first";
    EXPECT_EQ(receive(3, IPC_NOWAIT | MSG_EXCEPT), "1:m1");
    EXPECT_EQ(receive(7), "ENOMSG");
    EXPECT_EQ(receive(), "3:m3");
    EXPECT_EQ(receive(), "ENOMSG");
}

TEST_F(MessageQueue, sizes)
{
    ASSERT_OK(send(1, "a long message"));
    EXPECT_EQ(receive(0, IPC_NOWAIT, 4), "E2BIG");
    EXPECT_EQ(receive(0, IPC_NOWAIT | MSG_NOERROR, 4), "1:a lo");
    ASSERT_OK(send(1, ""));
    EXPECT_EQ(receive(), "1:");
    std::vector<char> large(sizeof(long) + 8193);
    *reinterpret_cast<long*>(large.data()) = 1;
    EXPECT_OK(::msgsnd(id_, large.data(), 8192, 0));
    EXPECT_ERROR(::msgsnd(id_, large.data(), 8193, 0), EINVAL);
    EXPECT_ERROR(send(0, "x"), EINVAL);
    EXPECT_ERROR(::msgsnd(id_, nullptr, 1, 0), EFAULT);
    EXPECT_ERROR(::msgsnd(-1, large.data(), 1, 0), EINVAL);
    EXPECT_EQ(raw(SYS_msgrcv, id_, large.data(), -1L, 0, 0), -EINVAL);
}

TEST_F(MessageQueue, copies_leave_the_message)
{
    ASSERT_OK(send(1, "one"));
    ASSERT_OK(send(2, "two"));
    if (receive(1, MSG_COPY | IPC_NOWAIT) == "ENOSYS") SKIP_AS_HOST_LACKS("MSG_COPY");
    EXPECT_EQ(receive(1, MSG_COPY | IPC_NOWAIT), "2:two") << "by its place";
    EXPECT_EQ(receive(2, MSG_COPY | IPC_NOWAIT), "ENOMSG");
    EXPECT_EQ(receive(0, MSG_COPY), "EINVAL");
    EXPECT_EQ(status().msg_qnum, 2u);
}

TEST_F(MessageQueue, full_until_somebody_reads)
{
    std::vector<char> large(sizeof(long) + 8192);
    *reinterpret_cast<long*>(large.data()) = 1;
    ASSERT_OK(::msgsnd(id_, large.data(), 8192, 0));
    ASSERT_OK(::msgsnd(id_, large.data(), 8192, 0));
    EXPECT_ERROR(send(1, "x", IPC_NOWAIT), EAGAIN);
    pid_t writer = start([&] { EXPECT_OK(send(2, "late")); });
    EXPECT_EQ(::msgrcv(id_, large.data(), 8192, 0, 0), 8192);
    EXPECT_EQ(wait_for(writer), exited(0));
    EXPECT_EQ(receive(2), "2:late");
}

TEST_F(MessageQueue, waiting_for_a_message)
{
    pid_t reader = start([&] { EXPECT_EQ(receive(5, 0), "5:five"); });
    ASSERT_OK(send(4, "four"));
    ASSERT_OK(send(5, "five"));
    EXPECT_EQ(wait_for(reader), exited(0));
    EXPECT_EQ(status().msg_lrpid, reader);
    EXPECT_EQ(status().msg_lspid, ::getpid());
}

TEST_F(MessageQueue, removal_ends_waiting)
{
    Pipe started;
    pid_t reader = start([&] {
        EXPECT_EQ(::write(started.write_end, "!", 1), 1);
        std::string const got = receive(0, 0);
        EXPECT_TRUE(got == "EIDRM" || got == "EINVAL") << got; // EINVAL: it was not there yet
    });
    char byte;
    ASSERT_EQ(::read(started.read_end, &byte, 1), 1);
    EXPECT_OK(::msgctl(id_, IPC_RMID, nullptr));
    EXPECT_EQ(wait_for(reader), exited(0));
    EXPECT_ERROR(send(1, "x"), EINVAL);
}

TEST_F(MessageQueue, status_and_limits)
{
    ASSERT_OK(send(1, "abc"));
    msqid_ds now = status();
    EXPECT_EQ(now.__msg_cbytes, 3u);
    EXPECT_EQ(now.msg_qbytes, 16384u);
    EXPECT_EQ(now.msg_perm.mode & 0777, 0600);
    EXPECT_NE(now.msg_stime, 0);
    EXPECT_EQ(now.msg_rtime, 0);
    now.msg_qbytes = 4;
    EXPECT_OK(::msgctl(id_, IPC_SET, &now));
    EXPECT_ERROR(send(1, "de", IPC_NOWAIT), EAGAIN);
    EXPECT_OK(send(1, "d", IPC_NOWAIT));
    msginfo info {};
    EXPECT_GE(::msgctl(0, MSG_INFO, reinterpret_cast<msqid_ds*>(&info)), 0);
    EXPECT_GE(info.msgpool, 1);
    EXPECT_ERROR(::msgctl(id_, 99, &now), EINVAL);
    std::string const listing = read_file("/proc/sysvipc/msg");
    EXPECT_NE(listing.find(" " + std::to_string(id_) + " "), std::string::npos) << listing;
}

TEST_F(MessageQueue, permissions)
{
    NEEDS_ROOT();
    ASSERT_OK(send(1, "private"));
    as_ordinary_user([&] {
        EXPECT_EQ(receive(), "EACCES");
        EXPECT_ERROR(send(1, "x"), EACCES);
        EXPECT_ERROR(::msgctl(id_, IPC_RMID, nullptr), EPERM);
    });
}

TEST(MessageKeys, finding_and_making)
{
    key_t const key = 0x35600000 + ::getpid();
    EXPECT_ERROR(::msgget(key, 0), ENOENT);
    int id = ::msgget(key, IPC_CREAT | 0600);
    ASSERT_OK(id);
    EXPECT_EQ(::msgget(key, 0), id);
    EXPECT_ERROR(::msgget(key, IPC_CREAT | IPC_EXCL), EEXIST);
    EXPECT_OK(::msgctl(id, IPC_RMID, nullptr));
}

TEST(MessageKeys, the_next_number_can_be_chosen)
{
    NEEDS_ROOT();
    in_child([] {
        if (::unshare(CLONE_NEWIPC) != 0 && errno != EINVAL && errno != EPERM) FAIL() << std::strerror(errno);
        constexpr int kWanted = 7 << 15 | 77;
        char const* const path = "/proc/sys/kernel/msg_next_id";
        write_file(path, std::to_string(kWanted));
        EXPECT_EQ(read_file(path), std::to_string(kWanted) + "\n");
        int const first = ::msgget(IPC_PRIVATE, 0600);
        EXPECT_EQ(first, kWanted);
        EXPECT_EQ(read_file(path), "-1\n") << "for one object only";
        write_file(path, std::to_string(kWanted));
        int const second = ::msgget(IPC_PRIVATE, 0600);
        EXPECT_EQ(second, kWanted + 1) << "the next that is free";
        Fd file = ::open(path, O_WRONLY);
        EXPECT_ERROR(::write(file, "-2", 2), EINVAL);
        EXPECT_OK(::msgctl(first, IPC_RMID, nullptr));
        EXPECT_OK(::msgctl(second, IPC_RMID, nullptr));
    });
}

} // namespace
} // namespace abi_test
