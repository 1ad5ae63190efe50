// SPDX-License-Identifier: GPL-2.0-or-later
// Namespaces of names and of mounts: unshare(2), setns(2), clone(2), namespaces(7), ioctl_ns(2).
#include "abi-test.h"

#include <linux/nsfs.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <sys/utsname.h>

namespace abi_test {
namespace {

/// For tests that need what only root of the machine may; in a container root may not.
#define NEEDS_NAMESPACES()                                                                                   \
    NEEDS_ROOT();                                                                                            \
    if (!may_unshare()) SKIP_AS_HOST_LACKS("namespaces for this root")

bool may_unshare()
{
    pid_t child = ::fork();
    if (child == 0)
        ::_exit(::unshare(CLONE_NEWNS | CLONE_NEWUTS) == 0
                    && ::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0
                ? 0
                : 1);
    return wait_for(child) == exited(0);
}

std::string link_of(std::string const& name, std::string const& process = "self")
{
    char text[64];
    ssize_t n = ::readlink(("/proc/" + process + "/ns/" + name).c_str(), text, sizeof text);
    return n < 0 ? std::strerror(errno) : std::string(text, size_t(n));
}

Fd open_namespace(char const* name, std::string const& process = "self")
{
    return ::open(("/proc/" + process + "/ns/" + name).c_str(), O_RDONLY | O_CLOEXEC);
}

std::string host_name()
{
    utsname names;
    EXPECT_OK(::uname(&names));
    return names.nodename;
}

/// A namespace of mounts whose changes stay there.
void enter_private_mounts()
{
    ASSERT_OK(::unshare(CLONE_NEWNS));
    ASSERT_OK(::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr));
}

TEST(Namespace, has_a_number_that_relatives_share)
{
    struct stat status;
    for (char const* name : { "cgroup", "ipc", "mnt", "net", "pid", "user", "uts" }) {
        std::string const link = link_of(name);
        EXPECT_EQ(link.find(std::string(name) + ":["), 0u) << link;
        ASSERT_OK(::stat((std::string("/proc/self/ns/") + name).c_str(), &status));
        EXPECT_EQ(link, std::string(name) + ":[" + std::to_string(status.st_ino) + "]");
        in_child([&] { EXPECT_EQ(link_of(name), link); });
    }
}

TEST(Namespace, as_a_file)
{
    Fd fd = open_namespace("uts");
    ASSERT_OK(fd);
    EXPECT_EQ(::ioctl(fd, NS_GET_NSTYPE), CLONE_NEWUTS);
    EXPECT_ERROR(::ioctl(fd, NS_GET_PARENT), EINVAL);
    uid_t owner = 1;
    EXPECT_ERROR(::ioctl(fd, NS_GET_OWNER_UID, &owner), EINVAL);
    EXPECT_ERROR(::ioctl(fd, 0xb7ff), ENOTTY);
    char byte;
    EXPECT_ERROR(::read(fd, &byte, 1), EINVAL);
}

TEST(Namespace, entering_what_is_none)
{
    Fd null = ::open("/dev/null", O_RDONLY);
    EXPECT_ERROR(::setns(null, 0), EINVAL);
    EXPECT_ERROR(::setns(-1, 0), EBADF);
    Fd uts = open_namespace("uts");
    EXPECT_ERROR(::setns(uts, CLONE_NEWNS), EINVAL) << "another kind";
    Fd self = int(raw(SYS_pidfd_open, ::getpid(), 0));
    EXPECT_ERROR(::setns(self, 0), EINVAL);
    EXPECT_ERROR(::setns(self, CLONE_VM), EINVAL);
    Fd user = open_namespace("user");
    EXPECT_ERROR(::setns(user, 0), EINVAL) << "the one it is in";
}

TEST(Namespace, ordinary_users_have_none_of_their_own)
{
    as_ordinary_user([] {
        Fd uts = open_namespace("uts");
        EXPECT_ERROR(::unshare(CLONE_NEWUTS), EPERM);
        EXPECT_ERROR(::unshare(CLONE_NEWNS), EPERM);
        EXPECT_ERROR(::setns(uts, 0), EPERM);
        EXPECT_EQ(raw(SYS_clone, CLONE_NEWUTS | SIGCHLD, 0, 0, 0, 0), -EPERM);
    });
}

TEST(Namespace, names_of_ones_own)
{
    NEEDS_NAMESPACES();
    std::string const before = host_name(), link = link_of("uts");
    Fd outside = open_namespace("uts");
    in_child([&] {
        ASSERT_OK(::unshare(CLONE_NEWUTS));
        EXPECT_NE(link_of("uts"), link);
        EXPECT_EQ(host_name(), before) << "a copy at first";
        ASSERT_OK(::sethostname("elsewhere", 9));
        EXPECT_EQ(host_name(), "elsewhere");
        in_child([] { EXPECT_EQ(host_name(), "elsewhere"); });
        ASSERT_OK(::setns(outside, CLONE_NEWUTS));
        EXPECT_EQ(host_name(), before);
        EXPECT_EQ(link_of("uts"), link);
    });
    EXPECT_EQ(host_name(), before);
}

TEST(Namespace, of_a_child_from_its_first_moment)
{
    NEEDS_NAMESPACES();
    std::string const uts = link_of("uts"), mounts = link_of("mnt");
    long child = raw(SYS_clone, CLONE_NEWUTS | CLONE_NEWNS | SIGCHLD, 0, 0, 0, 0);
    if (child == 0) {
        EXPECT_NE(link_of("uts"), uts);
        EXPECT_NE(link_of("mnt"), mounts);
        finish_child();
    }
    ASSERT_GT(child, 0);
    EXPECT_EQ(wait_for(pid_t(child)), exited(0));
    EXPECT_EQ(link_of("uts"), uts);
    EXPECT_EQ(raw(SYS_clone, CLONE_NEWNS | CLONE_FS | SIGCHLD, 0, 0, 0, 0), -EINVAL);
}

TEST(Namespace, of_another_process)
{
    NEEDS_NAMESPACES();
    Gate ready, done;
    pid_t child = start([&] {
        ASSERT_OK(::unshare(CLONE_NEWUTS));
        ASSERT_OK(::sethostname("theirs", 6));
        ready.open();
        done.wait();
    });
    ready.wait();
    Fd process = int(raw(SYS_pidfd_open, child, 0));
    in_child([&] {
        ASSERT_OK(::setns(process, CLONE_NEWUTS | CLONE_NEWNS));
        EXPECT_EQ(host_name(), "theirs");
        EXPECT_EQ(link_of("uts"), link_of("uts", std::to_string(child)));
    });
    done.open();
    EXPECT_EQ(wait_for(child), exited(0));
}

TEST(Namespace, mounts_of_ones_own)
{
    NEEDS_NAMESPACES();
    ScratchDirectory directory;
    std::string const file = directory.path() + "/file";
    in_child([&] {
        Fd outside = open_namespace("mnt");
        ASSERT_OK(::chdir(directory.path().c_str()));
        enter_private_mounts();
        ASSERT_OK(::mount("none", directory.path().c_str(), "tmpfs", 0, nullptr));
        Fd made = ::open(file.c_str(), O_CREAT | O_WRONLY, 0600);
        ASSERT_OK(made);
        in_child([&] { EXPECT_OK(::access(file.c_str(), F_OK)); });
        // Back outside, at the root there.
        ASSERT_OK(::setns(outside, CLONE_NEWNS));
        EXPECT_ERROR(::access(file.c_str(), F_OK), ENOENT);
        char where[256];
        EXPECT_STREQ(::getcwd(where, sizeof where), "/");
    });
    EXPECT_ERROR(::access(file.c_str(), F_OK), ENOENT);
}

TEST(Namespace, mounts_are_not_entered_by_who_shares_his_directory)
{
    NEEDS_NAMESPACES();
    in_child([] {
        Fd mounts = open_namespace("mnt");
        Gate done;
        char stack[16384];
        long other = ::clone(
            [](void* gate) {
                static_cast<Gate*>(gate)->wait();
                return 0;
            },
            stack + sizeof stack, CLONE_FS | SIGCHLD, &done);
        ASSERT_GT(other, 0);
        EXPECT_ERROR(::setns(mounts, CLONE_NEWNS), EINVAL);
        done.open();
        EXPECT_EQ(wait_for(pid_t(other)), exited(0));
        EXPECT_OK(::setns(mounts, CLONE_NEWNS));
    });
}

} // namespace
} // namespace abi_test
