// SPDX-License-Identifier: GPL-2.0-or-later
// IPC namespaces: ipc_namespaces(7). An ordinary user gets one together with a user namespace.
#include "own-namespace.h"

#include <linux/nsfs.h>
#include <mqueue.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/ipc.h>
#include <sys/mount.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/shm.h>

namespace abi_test {
namespace {

#define NEEDS_IPC_NAMESPACES() NEEDS_NAMESPACES(CLONE_NEWIPC)

/// A key that nobody else uses: of the test's own process.
key_t own_key() { return 0x56000000 | (::getpid() & 0xffffff); }

std::string link_of(std::string const& process = "self")
{
    char text[64];
    ssize_t n = ::readlink(("/proc/" + process + "/ns/ipc").c_str(), text, sizeof text);
    return n < 0 ? std::strerror(errno) : std::string(text, size_t(n));
}

Fd open_own() { return ::open("/proc/self/ns/ipc", O_RDONLY | O_CLOEXEC); }

void set(std::string const& name, std::string const& value)
{
    Fd file = ::open(("/proc/sys/" + name).c_str(), O_WRONLY);
    ASSERT_OK(file) << name;
    EXPECT_EQ(::write(file, value.data(), value.size()), ssize_t(value.size())) << name;
}

std::string get(std::string const& name) { return read_file("/proc/sys/" + name); }

TEST(IpcNamespace, has_objects_of_its_own)
{
    NEEDS_IPC_NAMESPACES();
    key_t const key = own_key();
    int const segment = ::shmget(key, kPage, IPC_CREAT | 0600), queue = ::msgget(key, IPC_CREAT | 0600),
              set = ::semget(key, 1, IPC_CREAT | 0600);
    ASSERT_OK(segment);
    ASSERT_OK(queue);
    ASSERT_OK(set);
    std::string const before = link_of();
    in_child([&] {
        ASSERT_OK(::unshare(with_rights(CLONE_NEWIPC)));
        EXPECT_NE(link_of(), before);
        EXPECT_ERROR(::shmget(key, kPage, 0600), ENOENT);
        EXPECT_ERROR(::msgget(key, 0600), ENOENT);
        EXPECT_ERROR(::semget(key, 1, 0600), ENOENT);
        shmid_ds status;
        EXPECT_ERROR(::shmctl(segment, IPC_STAT, &status), EINVAL);
        EXPECT_EQ(::shmget(key, kPage, IPC_CREAT | 0600), 0) << "numbers begin anew";
        EXPECT_EQ(::semget(key, 1, IPC_CREAT | 0600), 0);
        EXPECT_EQ(::msgget(key, IPC_CREAT | 0600), 0);
        std::string const list = read_file("/proc/sysvipc/shm");
        EXPECT_EQ(std::count(list.begin(), list.end(), '\n'), 2) << list;
        in_child([&] { EXPECT_EQ(::shmget(key, kPage, 0600), 0); });
    });
    EXPECT_EQ(::shmget(key, kPage, 0600), segment);
    EXPECT_OK(::shmctl(segment, IPC_RMID, nullptr));
    EXPECT_OK(::msgctl(queue, IPC_RMID, nullptr));
    EXPECT_OK(::semctl(set, 0, IPC_RMID));
}

TEST(IpcNamespace, of_a_child_from_its_first_moment)
{
    NEEDS_IPC_NAMESPACES();
    std::string const before = link_of();
    long child = raw(SYS_clone, with_rights(CLONE_NEWIPC) | SIGCHLD, 0, 0, 0, 0);
    if (child == 0) {
        EXPECT_NE(link_of(), before);
        EXPECT_EQ(::shmget(own_key(), kPage, IPC_CREAT | 0600), 0);
        finish_child();
    }
    ASSERT_GT(child, 0);
    EXPECT_EQ(wait_for(pid_t(child)), exited(0));
    EXPECT_EQ(link_of(), before);
    EXPECT_EQ(raw(SYS_clone, with_rights(CLONE_NEWIPC) | CLONE_SYSVSEM | SIGCHLD, 0, 0, 0, 0), -EINVAL);
}

TEST(IpcNamespace, is_refused_to_ordinary_users)
{
    as_ordinary_user([] {
        Fd own = open_own();
        EXPECT_ERROR(::unshare(CLONE_NEWIPC), EPERM);
        EXPECT_ERROR(::setns(own, CLONE_NEWIPC), EPERM);
    });
}

TEST(IpcNamespace, is_entered_and_left)
{
    NEEDS_ROOT();
    NEEDS_IPC_NAMESPACES();
    Gate ready, done;
    key_t const key = own_key();
    pid_t other = start([&] {
        ASSERT_OK(::unshare(CLONE_NEWIPC));
        EXPECT_EQ(::shmget(key, kPage, IPC_CREAT | 0600), 0);
        ready.open();
        done.wait();
    });
    ready.wait();
    in_child([&] {
        Fd outside = open_own();
        EXPECT_EQ(::ioctl(outside, NS_GET_NSTYPE), CLONE_NEWIPC);
        Fd inside = ::open(("/proc/" + std::to_string(other) + "/ns/ipc").c_str(), O_RDONLY);
        EXPECT_ERROR(::setns(inside, CLONE_NEWUTS), EINVAL);
        ASSERT_OK(::setns(inside, CLONE_NEWIPC));
        EXPECT_EQ(link_of(), link_of(std::to_string(other)));
        EXPECT_EQ(::shmget(key, kPage, 0600), 0);
        ASSERT_OK(::setns(outside, 0));
        EXPECT_ERROR(::shmget(key, kPage, 0600), ENOENT);
        Fd process = int(raw(SYS_pidfd_open, other, 0));
        ASSERT_OK(::setns(process, CLONE_NEWIPC));
        EXPECT_EQ(::shmget(key, kPage, 0600), 0);
    });
    done.open();
    EXPECT_EQ(wait_for(other), exited(0));
}

TEST(IpcNamespace, a_mapped_segment_outlives_it)
{
    NEEDS_ROOT();
    NEEDS_IPC_NAMESPACES();
    in_child([] {
        Fd outside = open_own();
        ASSERT_OK(::unshare(CLONE_NEWIPC));
        int const id = ::shmget(IPC_PRIVATE, kPage, IPC_CREAT | 0600);
        auto* memory = static_cast<char*>(::shmat(id, nullptr, 0));
        memory[0] = 'x';
        ASSERT_OK(::setns(outside, CLONE_NEWIPC));
        shmid_ds status;
        EXPECT_TRUE(::shmctl(id, IPC_STAT, &status) != 0 || status.shm_cpid != ::getpid());
        EXPECT_EQ(memory[0], 'x');
        in_child([&] { EXPECT_EQ(memory[0], 'x'); });
        EXPECT_OK(::shmdt(memory));
    });
}

TEST(IpcNamespace, undoes_semaphores_when_it_is_left)
{
    NEEDS_IPC_NAMESPACES();
    int const set = ::semget(IPC_PRIVATE, 1, IPC_CREAT | 0600);
    ASSERT_OK(set);
    in_child([&] {
        sembuf up { 0, 5, SEM_UNDO };
        ASSERT_OK(::semop(set, &up, 1));
        Gate left, looked;
        pid_t watcher = start([&] {
            EXPECT_EQ(::semctl(set, 0, GETVAL), 5);
            looked.open();
            left.wait();
            EXPECT_EQ(::semctl(set, 0, GETVAL), 0);
        });
        looked.wait();
        ASSERT_OK(::unshare(with_rights(CLONE_NEWIPC)));
        left.open();
        EXPECT_EQ(wait_for(watcher), exited(0));
    });
    EXPECT_OK(::semctl(set, 0, IPC_RMID));
}

TEST(IpcNamespace, has_limits_of_its_own)
{
    NEEDS_ROOT();
    NEEDS_IPC_NAMESPACES();
    std::string const shmmax = get("kernel/shmmax"), messages = get("fs/mqueue/msg_max");
    in_child([&] {
        ASSERT_OK(::unshare(CLONE_NEWIPC));
        EXPECT_EQ(get("kernel/shm_rmid_forced"), "0\n");
        set("kernel/shmmax", "8192");
        set("kernel/msgmax", "100");
        set("fs/mqueue/msg_max", "3");
        EXPECT_EQ(get("kernel/shmmax"), "8192\n");
        EXPECT_ERROR(::shmget(IPC_PRIVATE, 3 * kPage, IPC_CREAT | 0600), EINVAL);
        msginfo info;
        EXPECT_OK(::msgctl(0, IPC_INFO, reinterpret_cast<msqid_ds*>(&info)));
        EXPECT_EQ(info.msgmax, 100);
    });
    EXPECT_EQ(get("kernel/shmmax"), shmmax);
    EXPECT_EQ(get("fs/mqueue/msg_max"), messages);
}

TEST(IpcNamespace, segments_go_with_their_maker_where_that_is_set)
{
    NEEDS_ROOT();
    NEEDS_IPC_NAMESPACES();
    in_child([] {
        ASSERT_OK(::unshare(CLONE_NEWIPC));
        set("kernel/shm_rmid_forced", "1");
        in_child([] { EXPECT_EQ(::shmget(own_key(), kPage, IPC_CREAT | 0600), 0); });
        shmid_ds status;
        EXPECT_ERROR(::shmctl(0, IPC_STAT, &status), EINVAL);
    });
}

TEST(IpcNamespace, has_message_queues_of_its_own)
{
    NEEDS_IPC_NAMESPACES();
    std::string const name = "/ipc-namespace-" + std::to_string(::getpid());
    Fd outside = ::mq_open(name.c_str(), O_CREAT | O_RDWR | O_NONBLOCK, 0600, nullptr);
    ASSERT_OK(outside);
    in_child([&] {
        ASSERT_OK(::unshare(with_rights(CLONE_NEWIPC)));
        EXPECT_ERROR(::mq_open(name.c_str(), O_RDWR), ENOENT);
        EXPECT_OK(::mq_send(outside, "still open", 10, 0));
        if (::geteuid() != 0) return; // without a map it has no id to own a file with
        Fd inside = ::mq_open(name.c_str(), O_CREAT | O_RDWR, 0600, nullptr);
        EXPECT_OK(inside);
        EXPECT_OK(::mq_unlink(name.c_str()));
    });
    char text[8192];
    EXPECT_EQ(::mq_receive(outside, text, sizeof text, nullptr), 10);
    EXPECT_OK(::mq_unlink(name.c_str()));
}

TEST(IpcNamespace, a_mount_shows_the_queues_of_who_mounted_it)
{
    NEEDS_ROOT();
    NEEDS_IPC_NAMESPACES();
    ScratchDirectory directory;
    in_child([&] {
        Fd outside = open_own();
        ASSERT_OK(::unshare(CLONE_NEWNS | CLONE_NEWIPC));
        ASSERT_OK(::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr));
        ASSERT_OK(::mount("none", directory.path().c_str(), "mqueue", 0, nullptr));
        Fd queue = ::mq_open("/shown", O_CREAT | O_RDWR, 0600, nullptr);
        ASSERT_OK(queue);
        std::string const file = directory.path() + "/shown";
        EXPECT_TRUE(exists(file));
        ASSERT_OK(::setns(outside, CLONE_NEWIPC));
        EXPECT_TRUE(exists(file)) << "of the namespace that is gone";
        EXPECT_ERROR(::mq_open("/shown", O_RDWR), ENOENT);
        EXPECT_ERROR(::open((directory.path() + "/new").c_str(), O_CREAT | O_RDWR, 0600), EACCES);
    });
}

/// An ordinary user as root of a user namespace of his own, beside an IPC namespace in it.
TEST(IpcNamespace, is_ruled_by_root_of_its_owner)
{
    in_child([] {
        become_ordinary_user();
        Fd proc = ::open("/proc/self", O_RDONLY | O_DIRECTORY);
        uid_t const uid = ::geteuid();
        if (::unshare(CLONE_NEWUSER) != 0) return;
        Fd map = ::open("/proc/self/uid_map", O_WRONLY);
        if (map < 0) return; // not dumpable
        std::string const line = "0 " + std::to_string(uid) + " 1";
        ASSERT_EQ(::write(map, line.data(), line.size()), ssize_t(line.size()));
        Fd limit = ::open("/proc/sys/kernel/shmmax", O_WRONLY);
        EXPECT_LT(limit, 0) << "of the outer one";
        ASSERT_OK(::unshare(CLONE_NEWIPC));
        set("kernel/shmmax", "4096");
        set("fs/mqueue/queues_max", "7");
        EXPECT_EQ(get("kernel/shmmax"), "4096\n");
        EXPECT_EQ(get("fs/mqueue/queues_max"), "7\n");
    });
}

} // namespace
} // namespace abi_test
