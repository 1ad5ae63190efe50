// SPDX-License-Identifier: GPL-2.0-or-later
// User namespaces: user_namespaces(7). Maps of ids, and capabilities that count within only.
#include "abi-test.h"

#include <grp.h>
#include <linux/capability.h>
#include <linux/nsfs.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/sysmacros.h>

namespace abi_test {
namespace {

constexpr uid_t kOverflow = 65534;

#define NEEDS_USER_NAMESPACES()                                                                              \
    if (!may_unshare()) SKIP_AS_HOST_LACKS("user namespaces for everybody")

bool may_unshare()
{
    return wait_for(start([] {
        become_ordinary_user();
        if (::unshare(CLONE_NEWUSER) != 0) ::_exit(1);
    })) == exited(0);
}

int write_to(std::string const& path, std::string_view text)
{
    Fd fd = ::open(path.c_str(), O_WRONLY);
    if (fd < 0) return -1;
    return int(::write(fd, text.data(), text.size()));
}

std::string map_line(unsigned inside, unsigned outside, unsigned count)
{
    char text[64];
    std::snprintf(text, sizeof text, "%10u %10u %10u\n", inside, outside, count);
    return text;
}

/// Maps the caller to root in the namespace that he has just made, as `unshare -r` does.
void map_self_to_root(uid_t uid, gid_t gid)
{
    ASSERT_OK(write_to("/proc/self/setgroups", "deny"));
    ASSERT_OK(write_to("/proc/self/uid_map", "0 " + std::to_string(uid) + " 1"));
    ASSERT_OK(write_to("/proc/self/gid_map", "0 " + std::to_string(gid) + " 1"));
}

/// An ordinary user whose files in /proc are his own, as after a login: changing ids gives them to root.
template <typename Body> void as_user_with_proc(Body&& body)
{
    as_ordinary_user([&] {
        ASSERT_OK(::prctl(PR_SET_DUMPABLE, 1));
        body();
    });
}

/// Runs the body as root of a new namespace, which an ordinary user has made.
template <typename Body> void as_root_within(Body&& body)
{
    as_user_with_proc([&] {
        uid_t const uid = ::geteuid();
        gid_t const gid = ::getegid();
        ASSERT_OK(::unshare(CLONE_NEWUSER));
        map_self_to_root(uid, gid);
        body();
    });
}

uint64_t effective_capabilities()
{
    __user_cap_header_struct header { _LINUX_CAPABILITY_VERSION_3, 0 };
    __user_cap_data_struct data[2] {};
    EXPECT_OK(raw(SYS_capget, &header, data));
    return uint64_t(data[1].effective) << 32 | data[0].effective;
}

TEST(UserNamespace, begins_without_ids_and_with_all_capabilities)
{
    NEEDS_USER_NAMESPACES();
    as_user_with_proc([] {
        EXPECT_EQ(effective_capabilities(), 0u);
        ASSERT_OK(::unshare(CLONE_NEWUSER));
        EXPECT_EQ(::getuid(), kOverflow);
        EXPECT_EQ(::getegid(), kOverflow);
        EXPECT_NE(effective_capabilities() & (uint64_t(1) << CAP_SYS_ADMIN), 0u);
        EXPECT_EQ(read_file("/proc/self/uid_map"), "");
        EXPECT_EQ(read_file("/proc/self/setgroups"), "allow\n");
        EXPECT_ERROR(::setuid(0), EINVAL) << "an id that it does not have";
        gid_t group = 0;
        EXPECT_ERROR(::setgroups(1, &group), EPERM);
        EXPECT_ERROR(::setgroups(0, nullptr), EPERM) << "without a map of groups";
        EXPECT_EQ(status_of("/").st_uid, kOverflow);
    });
}

TEST(UserNamespace, is_told_by_its_link)
{
    NEEDS_USER_NAMESPACES();
    as_user_with_proc([] {
        char before[64] {}, after[64] {};
        ASSERT_OK(::readlink("/proc/self/ns/user", before, sizeof before - 1));
        ASSERT_OK(::unshare(CLONE_NEWUSER));
        ASSERT_OK(::readlink("/proc/self/ns/user", after, sizeof after - 1));
        EXPECT_STRNE(before, after);
        in_child([&] {
            char child[64] {};
            ASSERT_OK(::readlink("/proc/self/ns/user", child, sizeof child - 1));
            EXPECT_STREQ(child, after);
        });
    });
}

TEST(UserNamespace, maps_who_made_it)
{
    NEEDS_USER_NAMESPACES();
    as_user_with_proc([] {
        uid_t const uid = ::geteuid();
        gid_t const gid = ::getegid();
        ASSERT_OK(::unshare(CLONE_NEWUSER));
        EXPECT_ERROR(write_to("/proc/self/gid_map", "0 " + std::to_string(gid) + " 1"), EPERM)
            << "before setgroups is denied";
        EXPECT_ERROR(write_to("/proc/self/uid_map", "0 1234 1"), EPERM) << "somebody else's id";
        EXPECT_ERROR(write_to("/proc/self/uid_map", "0 " + std::to_string(uid) + " 2"), EPERM);
        map_self_to_root(uid, gid);
        EXPECT_EQ(::getuid(), 0u);
        EXPECT_EQ(::getegid(), 0u);
        EXPECT_EQ(read_file("/proc/self/uid_map"), map_line(0, uid, 1));
        EXPECT_EQ(read_file("/proc/self/setgroups"), "deny\n");
        EXPECT_ERROR(write_to("/proc/self/uid_map", "0 " + std::to_string(uid) + " 1"), EPERM) << "only once";
        EXPECT_ERROR(write_to("/proc/self/setgroups", "allow"), EPERM);
        EXPECT_ERROR(::setgroups(0, nullptr), EPERM) << "denied";
        uid_t real, effective, saved;
        ASSERT_OK(::getresuid(&real, &effective, &saved));
        EXPECT_EQ(real + effective + saved, 0u);
        EXPECT_ERROR(::setuid(1), EINVAL);
        EXPECT_OK(::setuid(0));
        EXPECT_ERROR(::setresuid(-1, 7, -1), EINVAL);
    });
}

TEST(UserNamespace, refuses_malformed_maps)
{
    NEEDS_USER_NAMESPACES();
    as_user_with_proc([] {
        std::string const uid = std::to_string(::geteuid());
        ASSERT_OK(::unshare(CLONE_NEWUSER));
        for (std::string text :
            { "", "0", "0 1", "0 1 0", "a b c", "0 1 1 1", "0 1 1x", "-1 0 1", "0 -1 1", "4294967295 0 1",
                "0 4294967295 1", "4294967290 0 10", "0 0 1\n0 1 1", "0 0 2\n5 1 1", "\n" }) {
            if (text.empty()) continue; // nothing is written
            EXPECT_ERROR(write_to("/proc/self/uid_map", text), EINVAL) << text;
        }
        EXPECT_ERROR(write_to("/proc/self/setgroups", "perhaps"), EINVAL);
        EXPECT_ERROR(write_to("/proc/self/setgroups", "denyx"), EINVAL);
        EXPECT_OK(write_to("/proc/self/setgroups", "allow\n"));
        EXPECT_OK(write_to("/proc/self/uid_map", " 7\t" + uid + " 1\n"));
        EXPECT_EQ(::getuid(), 7u);
    });
}

TEST(UserNamespace, capabilities_count_within_only)
{
    NEEDS_USER_NAMESPACES();
    as_root_within([] {
        EXPECT_ERROR(::sethostname("x", 1), EPERM) << "the names belong to the first namespace";
        EXPECT_ERROR(::mount("none", "/", "tmpfs", 0, nullptr), EPERM);
        EXPECT_ERROR(::mknod("/tmp/umbra-abi-device", S_IFCHR | 0600, makedev(1, 3)), EPERM);
        EXPECT_ERROR(::chown("/", 0, 0), EPERM) << "whose owner has no id here";
        EXPECT_ERROR(::kill(1, 0), EPERM);
        ASSERT_OK(::unshare(CLONE_NEWUTS)) << "owned by the namespace it is in";
        EXPECT_OK(::sethostname("inner", 5));
        timespec now;
        ASSERT_OK(::clock_gettime(CLOCK_REALTIME, &now));
        EXPECT_ERROR(::clock_settime(CLOCK_REALTIME, &now), EPERM);
        EXPECT_OK(::chroot("/"));
    });
}

TEST(UserNamespace, together_with_others_it_owns_them)
{
    NEEDS_USER_NAMESPACES();
    as_user_with_proc([] {
        ASSERT_OK(::unshare(CLONE_NEWUSER | CLONE_NEWUTS | CLONE_NEWNS));
        EXPECT_OK(::sethostname("inner", 5));
        Fd uts = ::open("/proc/self/ns/uts", O_RDONLY);
        Fd owner = ::ioctl(uts, NS_GET_USERNS);
        ASSERT_OK(owner);
        struct stat mine, theirs;
        ASSERT_OK(::stat("/proc/self/ns/user", &mine));
        ASSERT_OK(::fstat(owner, &theirs));
        EXPECT_EQ(mine.st_ino, theirs.st_ino);
        EXPECT_ERROR(::ioctl(owner, NS_GET_PARENT), EPERM) << "out of sight";
        EXPECT_ERROR(::ioctl(owner, NS_GET_USERNS), EPERM);
        EXPECT_EQ(::ioctl(owner, NS_GET_NSTYPE), CLONE_NEWUSER);
        uid_t uid = 1;
        EXPECT_OK(::ioctl(owner, NS_GET_OWNER_UID, &uid));
        EXPECT_EQ(uid, kOverflow);
    });
}

TEST(UserNamespace, the_parent_sees_its_owner)
{
    NEEDS_USER_NAMESPACES();
    as_user_with_proc([] {
        Gate ready, done;
        pid_t child = start([&] {
            ASSERT_OK(::unshare(CLONE_NEWUSER));
            ready.open();
            done.wait();
            EXPECT_EQ(::getuid(), 5u) << "mapped from outside";
            EXPECT_EQ(::getgid(), kOverflow);
        });
        ready.wait();
        std::string const process = "/proc/" + std::to_string(child);
        Fd space = ::open((process + "/ns/user").c_str(), O_RDONLY);
        ASSERT_OK(space);
        uid_t uid = 0;
        EXPECT_OK(::ioctl(space, NS_GET_OWNER_UID, &uid));
        EXPECT_EQ(uid, ::geteuid());
        Fd parent = ::ioctl(space, NS_GET_PARENT);
        ASSERT_OK(parent);
        struct stat mine, theirs;
        ASSERT_OK(::stat("/proc/self/ns/user", &mine));
        ASSERT_OK(::fstat(parent, &theirs));
        EXPECT_EQ(mine.st_ino, theirs.st_ino);
        EXPECT_OK(write_to(process + "/uid_map", "5 " + std::to_string(::geteuid()) + " 1"));
        EXPECT_EQ(read_file(process + "/uid_map"), map_line(5, ::geteuid(), 1));
        done.open();
        EXPECT_EQ(wait_for(child), exited(0));
    });
}

TEST(UserNamespace, is_entered_by_who_made_it)
{
    NEEDS_USER_NAMESPACES();
    as_user_with_proc([] {
        Gate ready, done;
        uid_t const uid = ::geteuid();
        gid_t const gid = ::getegid();
        pid_t child = start([&] {
            ASSERT_OK(::unshare(CLONE_NEWUSER | CLONE_NEWUTS));
            map_self_to_root(uid, gid);
            ready.open();
            done.wait();
        });
        ready.wait();
        std::string const process = "/proc/" + std::to_string(child);
        Fd own = ::open("/proc/self/ns/user", O_RDONLY);
        Fd uts = ::open((process + "/ns/uts").c_str(), O_RDONLY);
        Fd pidfd = int(raw(SYS_pidfd_open, child, 0));
        in_child([&] {
            EXPECT_ERROR(::setns(own, CLONE_NEWUSER), EINVAL) << "he is in it";
            EXPECT_ERROR(::setns(uts, CLONE_NEWUTS), EPERM);
            Fd user = ::open((process + "/ns/user").c_str(), O_RDONLY);
            ASSERT_OK(::setns(user, CLONE_NEWUSER));
            EXPECT_EQ(::getuid(), 0u);
            EXPECT_NE(effective_capabilities(), 0u);
            EXPECT_OK(::setns(uts, CLONE_NEWUTS));
            EXPECT_OK(::sethostname("inner", 5));
            EXPECT_ERROR(::setns(own, CLONE_NEWUSER), EPERM) << "no way back";
        });
        in_child([&] {
            ASSERT_OK(::setns(pidfd, CLONE_NEWUSER | CLONE_NEWUTS)) << "both at once";
            EXPECT_OK(::sethostname("again", 5));
        });
        done.open();
        EXPECT_EQ(wait_for(child), exited(0));
    });
}

TEST(UserNamespace, clone_makes_a_child_in_a_new_one)
{
    NEEDS_USER_NAMESPACES();
    as_user_with_proc([] {
        long child = raw(SYS_clone, CLONE_NEWUSER | CLONE_NEWUTS | SIGCHLD, 0, 0, 0, 0);
        if (child == 0) {
            EXPECT_EQ(::getuid(), kOverflow);
            EXPECT_OK(::sethostname("inner", 5));
            finish_child();
        }
        ASSERT_GT(child, 0);
        EXPECT_EQ(wait_for(pid_t(child)), exited(0));
        EXPECT_EQ(effective_capabilities(), 0u);
        EXPECT_EQ(raw(SYS_clone, CLONE_NEWUSER | CLONE_FS | SIGCHLD, 0, 0, 0, 0), -EINVAL);
        EXPECT_EQ(
            raw(SYS_clone, CLONE_NEWUSER | CLONE_VM | CLONE_SIGHAND | CLONE_THREAD, 0, 0, 0, 0), -EINVAL);
    });
}

TEST(UserNamespace, exec_keeps_capabilities_of_root_only)
{
    NEEDS_USER_NAMESPACES();
    auto const after_exec = [] {
        Pipe pipe;
        pid_t child = start([&] {
            ::dup2(pipe.write_end, 1);
            ::execl("/proc/self/exe", "abi-tests", "--helper", "capabilities", nullptr);
        });
        pipe.write_end.reset();
        std::string const text = read_all(pipe.read_end);
        EXPECT_EQ(wait_for(child), exited(0));
        return std::strtoull(text.c_str(), nullptr, 16);
    };
    as_user_with_proc([&] {
        ASSERT_OK(::unshare(CLONE_NEWUSER));
        EXPECT_EQ(after_exec(), 0u) << "nobody in particular";
    });
    as_root_within([&] { EXPECT_NE(after_exec(), 0u); });
}

TEST(UserNamespace, nests)
{
    NEEDS_USER_NAMESPACES();
    as_root_within([] {
        ASSERT_OK(::unshare(CLONE_NEWUSER));
        EXPECT_EQ(::getuid(), kOverflow);
        ASSERT_OK(write_to("/proc/self/setgroups", "deny"));
        ASSERT_OK(write_to("/proc/self/uid_map", "33 0 1"));
        ASSERT_OK(write_to("/proc/self/gid_map", "44 0 1"));
        EXPECT_EQ(::getuid(), 33u);
        EXPECT_EQ(::getgid(), 44u);
        EXPECT_EQ(read_file("/proc/self/uid_map"), map_line(33, 0, 1));
    });
}

TEST(UserNamespace, nests_so_deep_only)
{
    NEEDS_USER_NAMESPACES();
    as_user_with_proc([] {
        uid_t uid = ::geteuid();
        gid_t gid = ::getegid();
        int depth = 0;
        for (; depth < 100; ++depth) {
            if (::unshare(CLONE_NEWUSER) != 0) break;
            map_self_to_root(uid, gid);
            uid = 0, gid = 0;
        }
        EXPECT_EQ(errno, ENOSPC);
        EXPECT_GE(depth, 20);
        EXPECT_LE(depth, 33);
    });
}

TEST(UserNamespace, needs_a_process_of_one_thread)
{
    NEEDS_USER_NAMESPACES();
    as_user_with_proc([] {
        static Gate done; // static, as the stack: the thread uses them until the process ends
        static char stack[16384];
        long other = ::clone(
            [](void*) {
                done.wait();
                ::syscall(SYS_exit, 0);
                return 0;
            },
            stack + sizeof stack, CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD, nullptr);
        ASSERT_GT(other, 0);
        EXPECT_ERROR(::unshare(CLONE_NEWUSER), EINVAL);
        done.open();
    });
}

TEST(UserNamespace, is_not_for_who_is_in_a_chroot)
{
    NEEDS_USER_NAMESPACES();
    NEEDS_ROOT();
    ScratchDirectory directory;
    in_child([&] {
        ASSERT_OK(::chroot(directory.path().c_str()));
        EXPECT_ERROR(::unshare(CLONE_NEWUSER), EPERM);
    });
}

TEST(UserNamespace, shows_ids_as_the_reader_has_them)
{
    NEEDS_USER_NAMESPACES();
    as_root_within([] {
        ScratchDirectory directory;
        std::string const file = directory.path() + "/file";
        write_file(file, "x");
        EXPECT_EQ(status_of(file).st_uid, 0u);
        EXPECT_EQ(status_of(file).st_gid, 0u);
        EXPECT_EQ(status_of("/proc/self/ns").st_uid, 0u);
        EXPECT_OK(::chown(file.c_str(), 0, 0));
        EXPECT_ERROR(::chown(file.c_str(), 1, -1), EINVAL);
        EXPECT_ERROR(::chown(file.c_str(), -1, 1), EINVAL);
        std::string const status = read_file("/proc/self/status");
        EXPECT_NE(status.find("\nUid:\t0\t0\t0\t0\n"), std::string::npos) << status;
        int ends[2];
        ASSERT_OK(::socketpair(AF_UNIX, SOCK_STREAM, 0, ends));
        ucred peer {};
        socklen_t size = sizeof peer;
        ASSERT_OK(::getsockopt(ends[0], SOL_SOCKET, SO_PEERCRED, &peer, &size));
        EXPECT_EQ(peer.uid, 0u);
        EXPECT_EQ(peer.gid, 0u);
    });
}

TEST(UserNamespace, a_signal_tells_the_sender_as_the_receiver_knows_him)
{
    NEEDS_USER_NAMESPACES();
    as_user_with_proc([] {
        uid_t const uid = ::geteuid();
        gid_t const gid = ::getegid();
        block_signals({ SIGUSR1, SIGCHLD });
        Gate ready;
        pid_t child = start([&] {
            ASSERT_OK(::unshare(CLONE_NEWUSER));
            map_self_to_root(uid, gid);
            ready.open();
            sigset_t set = signals({ SIGUSR1 });
            siginfo_t info;
            ASSERT_OK(::sigwaitinfo(&set, &info));
            EXPECT_EQ(info.si_uid, 0u);
        });
        ready.wait();
        ASSERT_OK(::kill(child, SIGUSR1));
        sigset_t set = signals({ SIGCHLD });
        siginfo_t info;
        ASSERT_OK(::sigwaitinfo(&set, &info));
        EXPECT_EQ(info.si_pid, child);
        EXPECT_EQ(info.si_uid, uid);
        EXPECT_EQ(wait_for(child), exited(0));
    });
}

TEST(UserNamespace, root_within_has_a_tmpfs_of_his_own)
{
    NEEDS_USER_NAMESPACES();
    as_root_within([] {
        ASSERT_OK(::unshare(CLONE_NEWNS));
        ScratchDirectory directory;
        std::string const& place = directory.path();
        ASSERT_OK(::mount("none", place.c_str(), "tmpfs", 0, nullptr));
        write_file(place + "/file", "x");
        EXPECT_EQ(status_of(place + "/file").st_uid, 0u);
        EXPECT_EQ(status_of(place).st_uid, 0u);
        EXPECT_ERROR(::mknod((place + "/null").c_str(), S_IFCHR | 0666, makedev(1, 3)), EPERM);
        EXPECT_OK(::mkdir((place + "/below").c_str(), 0755));
        EXPECT_ERROR(::mount("none", (place + "/below").c_str(), "tmpfs", 0, "uid=1"), EINVAL);
        EXPECT_OK(::mount(place.c_str(), (place + "/below").c_str(), nullptr, MS_BIND, nullptr));
        EXPECT_OK(::umount((place + "/below").c_str()));
        EXPECT_OK(::umount(place.c_str()));
    });
}

TEST(UserNamespace, root_outside_maps_what_he_likes)
{
    NEEDS_ROOT();
    NEEDS_USER_NAMESPACES();
    Gate ready, mapped, changed, done;
    ScratchDirectory directory;
    std::string const file = directory.path() + "/file";
    ASSERT_OK(::chmod(directory.path().c_str(), 0777));
    pid_t child = start([&] {
        ASSERT_OK(::unshare(CLONE_NEWUSER));
        ready.open();
        mapped.wait();
        EXPECT_EQ(::getuid(), 0u);
        ASSERT_OK(::setresgid(100, 100, 100));
        gid_t group = 50;
        EXPECT_OK(::setgroups(1, &group));
        ASSERT_OK(::setresuid(100, 100, 100));
        write_file(file, "x");
        EXPECT_EQ(status_of(file).st_uid, 100u);
        changed.open();
        done.wait();
    });
    ready.wait();
    std::string const process = "/proc/" + std::to_string(child);
    EXPECT_OK(write_to(process + "/uid_map", "0 0 1\n1 100000 1000\n"));
    EXPECT_OK(write_to(process + "/gid_map", "0 0 1\n1 200000 1000\n"));
    EXPECT_OK(write_to(process + "/projid_map", "0 0 10"));
    EXPECT_EQ(read_file(process + "/uid_map"), map_line(0, 0, 1) + map_line(1, 100000, 1000));
    mapped.open();
    changed.wait();
    EXPECT_EQ(status_of(file).st_uid, 100099u);
    EXPECT_EQ(status_of(file).st_gid, 200099u);
    std::string const status = read_file(process + "/status");
    EXPECT_NE(status.find("\nUid:\t100099\t100099\t100099\t100099\n"), std::string::npos) << status;
    EXPECT_NE(status.find("\nGroups:\t200049 \n"), std::string::npos) << status;
    done.open();
    EXPECT_EQ(wait_for(child), exited(0));
}

TEST(UserNamespace, is_limited_in_number)
{
    NEEDS_USER_NAMESPACES();
    for (char const* name : { "cgroup", "ipc", "mnt", "net", "pid", "time", "user", "uts" })
        EXPECT_GT(std::atoi(read_file("/proc/sys/user/max_" + std::string(name) + "_namespaces").c_str()), 0)
            << name;
}

} // namespace
} // namespace abi_test
