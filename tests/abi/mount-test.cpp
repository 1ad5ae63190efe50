// SPDX-License-Identifier: GPL-2.0-or-later
// mount(2), umount2(2) and pivot_root(2), the files that list mounts, and names in use as mount points.
#include <poll.h>
#include <sched.h>
#include <sys/epoll.h>
#include <sys/mount.h>
#include <sys/statvfs.h>
#include <sys/sysmacros.h>

#include "mounts.h"

namespace abi_test {
namespace {

constexpr int kExpire = 4, kNoFollow = 8;

using Mounting = InOwnMounts;

TEST_F(Mounting, errors)
{
    make_directory("dir");
    write_file("file", "");
    EXPECT_ERROR(::mount("none", "dir", nullptr, 0, nullptr), EINVAL);
    EXPECT_ERROR(::mount("none", "dir", "no-such-type", 0, nullptr), ENODEV);
    EXPECT_ERROR(::mount("none", "missing", "tmpfs", 0, nullptr), ENOENT);
    EXPECT_ERROR(::mount("none", "file", "tmpfs", 0, nullptr), ENOTDIR);
    EXPECT_ERROR(::mount("none", "dir", "tmpfs", 1ul << 31, nullptr), EINVAL) << "MS_NOUSER";
    EXPECT_ERROR(::mount("file", "dir", nullptr, MS_BIND, nullptr), ENOTDIR);
    EXPECT_ERROR(::mount("dir", "file", nullptr, MS_BIND, nullptr), ENOTDIR);
    EXPECT_ERROR(::mount("missing", "dir", nullptr, MS_BIND, nullptr), ENOENT);
    EXPECT_ERROR(::mount(nullptr, "dir", nullptr, MS_BIND, nullptr), EINVAL);
    EXPECT_ERROR(::mount("none", "dir", nullptr, MS_REMOUNT, nullptr), EINVAL) << "no mount's root";
    EXPECT_OK(::mount("file", "file", nullptr, MS_BIND, nullptr));
}

TEST_F(Mounting, on_what_has_lost_its_name)
{
    make_directory("dir");
    Fd dir = ::open("dir", O_PATH);
    ASSERT_OK(::rmdir("dir"));
    std::string const path = "/proc/self/fd/" + std::to_string(dir);
    EXPECT_ERROR(::mount("none", path.c_str(), "tmpfs", 0, nullptr), ENOENT);
}

TEST_F(Mounting, not_on_open_files_of_proc)
{
    write_file("file", "");
    Fd const file = ::open("file", O_RDONLY);
    std::string const link = "/proc/self/fd/" + std::to_string(int(file));
    Fd const itself = ::open(link.c_str(), O_PATH | O_NOFOLLOW);
    std::string const to_link = "/proc/self/fd/" + std::to_string(int(itself));
    EXPECT_ERROR(::mount("file", to_link.c_str(), nullptr, MS_BIND, nullptr), ENOENT);
    std::string const information = "/proc/self/fdinfo/" + std::to_string(int(file));
    EXPECT_ERROR(::mount("file", information.c_str(), nullptr, MS_BIND, nullptr), ENOENT);
    EXPECT_OK(::mount("file", link.c_str(), nullptr, MS_BIND, nullptr)) << "on what is open";
    EXPECT_OK(::umount2("file", MNT_DETACH));
}

TEST_F(Mounting, the_same_again)
{
    make_directory("proc");
    ASSERT_OK(::mount("none", "proc", "proc", 0, nullptr));
    bind("proc", "view");
    EXPECT_OK(::mount("proc", "view", nullptr, MS_BIND, nullptr)) << "bound twice on one place";
    EXPECT_EQ(count_mounts_on(at("view")), 2);
}

TEST_F(Mounting, what_is_outside_the_namespace_cannot_be_bound)
{
    make_directory("dir");
    make_tmpfs("gone");
    Fd fd = ::open("gone", O_RDONLY);
    ASSERT_OK(::umount2("gone", MNT_DETACH));
    std::string const path = "/proc/self/fd/" + std::to_string(fd);
    EXPECT_ERROR(::mount(path.c_str(), "dir", nullptr, MS_BIND, nullptr), EINVAL);
    EXPECT_ERROR(::mount(path.c_str(), "dir", nullptr, MS_MOVE, nullptr), EINVAL);
    EXPECT_ERROR(::umount(path.c_str()), EINVAL);
    int const error = error_of(::mount("none", path.c_str(), "tmpfs", 0, nullptr));
    EXPECT_TRUE(error == EINVAL || error == ENOENT) << "which of them has changed: " << error;
    EXPECT_ERROR(::mount("none", path.c_str(), nullptr, MS_REMOUNT | MS_BIND, nullptr), EINVAL);
}

TEST_F(Mounting, ids_of_mounts)
{
    make_tmpfs("a");
    bind("a", "b");
    auto a = mount_on(at("a")), b = mount_on(at("b")), top = mount_on(top_);
    EXPECT_NE(a.id, b.id);
    EXPECT_EQ(a.parent, top.id);
    EXPECT_EQ(b.parent, top.id);
    EXPECT_EQ(a.source, "a");
    EXPECT_EQ(b.source, "a");
    EXPECT_EQ(a.type, "tmpfs");
}

TEST_F(Mounting, flags_are_the_mounts)
{
    make_tmpfs("a", MS_NOSUID);
    bind("a", "b");
    EXPECT_EQ(mount_on(at("a")).options, "rw,nosuid,relatime");
    EXPECT_EQ(mount_on(at("b")).options, "rw,nosuid,relatime") << "a copy has its flags";
    ASSERT_OK(
        ::mount("none", "b", nullptr, MS_REMOUNT | MS_BIND | MS_RDONLY | MS_NODEV | MS_NOEXEC, nullptr));
    EXPECT_EQ(mount_on(at("b")).options, "ro,nodev,noexec,relatime");
    EXPECT_EQ(mount_on(at("b")).super_options.substr(0, 2), "rw");
    EXPECT_EQ(mount_on(at("a")).options, "rw,nosuid,relatime");
    EXPECT_ERROR(::mkdir("b/x", 0755), EROFS);
    EXPECT_OK(::mkdir("a/x", 0755));
    struct statvfs status;
    ASSERT_OK(::statvfs("b", &status));
    EXPECT_EQ(status.f_flag & (ST_RDONLY | ST_NODEV | ST_NOEXEC | ST_NOSUID),
        u_long(ST_RDONLY | ST_NODEV | ST_NOEXEC));
    ASSERT_OK(::mount("none", "b", nullptr, MS_REMOUNT | MS_BIND | MS_NOATIME, nullptr));
    EXPECT_EQ(mount_on(at("b")).options, "rw,noatime");
    ASSERT_OK(::mount("none", "b", nullptr, MS_REMOUNT | MS_BIND, nullptr));
    EXPECT_EQ(mount_on(at("b")).options, "rw,noatime") << "who says nothing keeps it";
    ASSERT_OK(::mount("none", "b", nullptr, MS_REMOUNT | MS_BIND | MS_STRICTATIME, nullptr));
    EXPECT_EQ(mount_on(at("b")).options, "rw");
    ASSERT_OK(::mount("none", "b", nullptr, MS_REMOUNT | MS_BIND | MS_NODIRATIME, nullptr));
    EXPECT_EQ(mount_on(at("b")).options, "rw,nodiratime,relatime");
}

TEST_F(Mounting, read_only_file_systems_are_so_everywhere)
{
    make_tmpfs("a");
    bind("a", "b");
    ASSERT_OK(::mount("none", "a", nullptr, MS_REMOUNT | MS_RDONLY, nullptr));
    EXPECT_EQ(mount_on(at("a")).options.substr(0, 2), "ro");
    EXPECT_EQ(mount_on(at("b")).options.substr(0, 2), "rw");
    EXPECT_EQ(mount_on(at("b")).super_options.substr(0, 2), "ro");
    EXPECT_ERROR(::mkdir("b/x", 0755), EROFS);
    ASSERT_OK(::mount("none", "a", nullptr, MS_REMOUNT, nullptr));
    EXPECT_OK(::mkdir("b/x", 0755));
    make_tmpfs("c", MS_RDONLY);
    EXPECT_EQ(mount_on(at("c")).super_options.substr(0, 2), "ro");
}

TEST_F(Mounting, no_read_only_while_somebody_writes)
{
    make_tmpfs("a");
    bind("a", "b");
    {
        Fd file = new_file("a/file");
        EXPECT_ERROR(::mount("none", "a", nullptr, MS_REMOUNT | MS_BIND | MS_RDONLY, nullptr), EBUSY);
        EXPECT_ERROR(::mount("none", "b", nullptr, MS_REMOUNT | MS_RDONLY, nullptr), EBUSY);
        EXPECT_OK(::mount("none", "b", nullptr, MS_REMOUNT | MS_BIND | MS_RDONLY, nullptr))
            << "it was opened elsewhere";
    }
    EXPECT_OK(::mount("none", "a", nullptr, MS_REMOUNT | MS_BIND | MS_RDONLY, nullptr));
}

TEST_F(Mounting, flags_hold)
{
    make_tmpfs("a", MS_NODEV | MS_NOEXEC | MS_NOSUID);
    ASSERT_OK(::mknod("a/null", S_IFCHR | 0666, makedev(1, 3)));
    EXPECT_ERROR(::open("a/null", O_RDONLY), EACCES);
    write_file("a/script", "#!/bin/sh\n", 0755);
    EXPECT_ERROR(::access("a/script", X_OK), EACCES);
    char* const none[] = { nullptr };
    EXPECT_ERROR(::execve("a/script", none, none), EACCES);
    ASSERT_OK(::symlink("script", "a/link"));
    EXPECT_OK(::access("a/link", R_OK));
    ASSERT_OK(::mount("none", "a", nullptr, MS_REMOUNT | MS_BIND | 256, nullptr)); // MS_NOSYMFOLLOW
    EXPECT_ERROR(::access("a/link", R_OK), ELOOP);
    EXPECT_NE(mount_on(at("a")).options.find("nosymfollow"), std::string::npos);
    char target[16];
    EXPECT_EQ(::readlink("a/link", target, sizeof target), 6);
    Fd null = ::open("a/null", O_RDONLY);
    EXPECT_OK(null);
}

TEST_F(Mounting, unmounting)
{
    make_tmpfs("a");
    make_directory("a/dir");
    EXPECT_ERROR(::umount("a/dir"), EINVAL);
    EXPECT_ERROR(::umount("missing"), ENOENT);
    EXPECT_ERROR(::umount2("a", 16), EINVAL);
    EXPECT_ERROR(::umount2("a", kExpire | MNT_FORCE), EINVAL);
    EXPECT_ERROR(::umount2("a", kExpire | MNT_DETACH), EINVAL);
    as_ordinary_user([] {
        EXPECT_ERROR(::umount("a"), EPERM);
        EXPECT_ERROR(::umount("a/dir"), EPERM) << "before whether it is one";
    });
    make_tmpfs("a/dir");
    EXPECT_ERROR(::umount("a"), EBUSY) << "something is mounted below";
    ASSERT_OK(::umount("a/dir"));
    ASSERT_OK(::symlink("a", "link"));
    EXPECT_ERROR(::umount2("link", kNoFollow), EINVAL);
    EXPECT_OK(::umount2("link", 0));
    EXPECT_EQ(mount_on(at("a")).id, 0);
}

TEST_F(Mounting, unmounting_what_is_in_use)
{
    make_tmpfs("a");
    {
        Fd file = new_file("a/file");
        EXPECT_ERROR(::umount("a"), EBUSY);
    }
    {
        Fd place = ::open("a", O_PATH);
        EXPECT_ERROR(::umount("a"), EBUSY);
    }
    Gate inside, leave;
    pid_t child = start([&] {
        ASSERT_OK(::chdir("a"));
        inside.open();
        leave.wait();
    });
    inside.wait();
    EXPECT_ERROR(::umount("a"), EBUSY) << "a working directory";
    leave.open();
    EXPECT_EQ(wait_for(child), exited(0));
    EXPECT_OK(::umount("a"));
}

TEST_F(Mounting, detached_trees_come_apart)
{
    make_tmpfs("a");
    make_tmpfs("a/b");
    write_file("a/b/file", "x");
    Fd upper = ::open("a", O_RDONLY), lower = ::open("a/b", O_RDONLY);
    ASSERT_OK(::umount2("a", MNT_DETACH));
    EXPECT_EQ(mount_on(at("a/b")).id, 0);
    Fd file = ::openat(lower, "file", O_RDONLY);
    EXPECT_OK(file);
    EXPECT_ERROR(::openat(upper, "b/file", O_RDONLY), ENOENT) << "nothing is mounted there any more";
    struct stat here, above;
    ASSERT_OK(::fstat(lower, &here));
    ASSERT_OK(::fstatat(lower, "..", &above, 0));
    EXPECT_EQ(here.st_dev, above.st_dev) << "no way up";
}

TEST_F(Mounting, expiry)
{
    make_tmpfs("a");
    EXPECT_ERROR(::umount2("a", kExpire), EAGAIN);
    EXPECT_OK(::umount2("a", kExpire));
    make_tmpfs("a");
    EXPECT_ERROR(::umount2("a", kExpire), EAGAIN);
    EXPECT_FALSE(exists("a/file"));
    EXPECT_ERROR(::umount2("a", kExpire), EAGAIN) << "somebody came by";
    {
        Fd file = new_file("a/file");
        EXPECT_ERROR(::umount2("a", kExpire), EBUSY);
    }
    EXPECT_ERROR(::umount2("a", kExpire), EAGAIN);
    EXPECT_OK(::umount2("a", kExpire));
}

TEST_F(Mounting, names_that_are_mount_points)
{
    make_tmpfs("a");
    make_directory("b");
    write_file("file", "");
    write_file("other", "");
    ASSERT_OK(::mount("other", "file", nullptr, MS_BIND, nullptr));
    EXPECT_ERROR(::rmdir("a"), EBUSY);
    EXPECT_ERROR(::unlink("file"), EBUSY);
    EXPECT_ERROR(::rename("a", "c"), EBUSY);
    EXPECT_ERROR(::rename("b", "a"), EBUSY);
    EXPECT_ERROR(::rename("other", "file"), EBUSY);
    EXPECT_OK(::unlink("other")) << "what is mounted elsewhere is no mount point";
}

TEST_F(Mounting, names_that_are_mount_points_elsewhere)
{
    make_directory("dir");
    make_directory("moved");
    make_directory("replaced");
    make_directory("by");
    write_file("file", "");
    write_file("bound", "");
    Gate mounted, removed;
    pid_t child = start([&] {
        ASSERT_OK(::unshare(CLONE_NEWNS));
        for (char const* name : { "dir", "moved", "replaced", "dir" })
            ASSERT_OK(::mount("none", name, "tmpfs", 0, nullptr));
        ASSERT_OK(::mount("bound", "file", nullptr, MS_BIND, nullptr));
        write_file("moved/inside", "");
        ASSERT_OK(::chdir("dir"));
        mounted.open();
        removed.wait();
        EXPECT_EQ(mount_on(at("dir")).id, 0);
        EXPECT_EQ(mount_on(at("file")).id, 0);
        EXPECT_EQ(mount_on(at("replaced")).id, 0);
        EXPECT_NE(mount_on(at("away")).id, 0) << "moves with its mount point";
        EXPECT_TRUE(exists(at("away/inside")));
        struct stat status;
        EXPECT_OK(::stat(".", &status)) << "who is inside stays";
    });
    mounted.wait();
    EXPECT_OK(::rmdir("dir"));
    EXPECT_OK(::unlink("file"));
    EXPECT_OK(::rename("moved", "away"));
    EXPECT_OK(::rename("by", "replaced"));
    removed.open();
    EXPECT_EQ(wait_for(child), exited(0));
}

TEST_F(Mounting, changes_can_be_polled)
{
    for (char const* name : { "/proc/self/mounts", "/proc/self/mountinfo" }) {
        Fd file = ::open(name, O_RDONLY);
        ASSERT_OK(file);
        pollfd item { file, POLLPRI, 0 };
        EXPECT_EQ(::poll(&item, 1, 0), 0) << name;
        make_tmpfs("a");
        EXPECT_EQ(::poll(&item, 1, -1), 1);
        EXPECT_EQ(item.revents, POLLERR | POLLPRI);
        EXPECT_EQ(::poll(&item, 1, 0), 0) << "told once";
        item.events = POLLIN;
        EXPECT_EQ(::poll(&item, 1, 0), 1);
        EXPECT_EQ(item.revents, POLLIN);
        ASSERT_OK(::umount("a"));
        EXPECT_EQ(::poll(&item, 1, 0), 1);
        EXPECT_EQ(item.revents, POLLIN | POLLERR);
        item.events = POLLPRI;
        pid_t child = start([&] { ASSERT_OK(::mount("none", "a", "tmpfs", 0, nullptr)); });
        EXPECT_EQ(::poll(&item, 1, -1), 1) << "a sleeper is woken";
        EXPECT_EQ(wait_for(child), exited(0));
        ASSERT_OK(::umount("a"));
    }
}

TEST_F(Mounting, lists_stay_those_of_the_namespace_they_were_opened_in)
{
    make_tmpfs("a");
    Fd file = ::open("/proc/self/mountinfo", O_RDONLY);
    Gate entered, done;
    ASSERT_OK(::unshare(CLONE_NEWNS));
    ASSERT_OK(::umount("a"));
    EXPECT_NE(read_all(file).find(at("a")), std::string::npos);
    EXPECT_EQ(read_file("/proc/self/mountinfo").find(at("a")), std::string::npos);
}

TEST_F(Mounting, lists_show_what_is_below_the_root)
{
    make_directory("jail");
    make_directory("jail/proc");
    bind("/proc", "jail/proc");
    make_tmpfs("jail/inside");
    make_tmpfs("outside");
    in_child([] {
        ASSERT_OK(::chroot("jail"));
        EXPECT_NE(mount_on("/inside").id, 0);
        EXPECT_EQ(mountinfo().size(), 2u);
    });
}

TEST_F(Mounting, names_are_escaped)
{
    make_directory("a b\tc\\d#e");
    ASSERT_OK(::mount("x y#z", "a b\tc\\d#e", "tmpfs", 0, nullptr));
    EXPECT_NE(mount_on(at("a\\040b\\011c\\134d#e")).id, 0);
    EXPECT_EQ(mount_on(at("a\\040b\\011c\\134d#e")).source, "x\\040y\\043z");
}

TEST_F(Mounting, roots_of_binds)
{
    make_directory("dir");
    make_directory("dir/below");
    bind("dir/below", "view");
    EXPECT_EQ(mount_on(at("view")).root, "/dir/below");
    ASSERT_OK(::rmdir("dir/below"));
    EXPECT_EQ(mount_on(at("view")).root, "/dir/below//deleted");
}

TEST_F(Mounting, there_is_a_limit)
{
    std::string const before = read_file("/proc/sys/fs/mount-max");
    EXPECT_GE(std::atol(before.c_str()), 1);
    size_t const now = [] {
        size_t lines = 0;
        for (char c : read_file("/proc/self/mountinfo"))
            lines += c == '\n';
        return lines;
    }();
    EXPECT_GE(std::atol(before.c_str()), long(now));
}

class Pivoting : public InOwnMounts {
protected:
    static long pivot(char const* to, char const* old) { return ::syscall(SYS_pivot_root, to, old); }
};

TEST_F(Pivoting, changes_the_root)
{
    make_tmpfs("new");
    make_directory("new/old");
    write_file("new/mark", "");
    ASSERT_OK(pivot("new", "new/old"));
    EXPECT_TRUE(exists("/mark"));
    EXPECT_TRUE(exists("/old/proc"));
    ASSERT_OK(::chdir("/"));
    ASSERT_OK(::umount2("/old", MNT_DETACH));
    EXPECT_FALSE(exists("/old/proc"));
}

TEST_F(Pivoting, onto_itself)
{
    make_tmpfs("new");
    write_file("new/mark", "");
    ASSERT_OK(::chdir("new"));
    ASSERT_OK(pivot(".", "."));
    ASSERT_OK(::umount2(".", MNT_DETACH));
    ASSERT_OK(::chdir("/"));
    EXPECT_TRUE(exists("/mark"));
    EXPECT_FALSE(exists("/proc"));
}

TEST_F(Pivoting, others_follow)
{
    make_tmpfs("new");
    make_directory("new/old");
    write_file("new/mark", "");
    Gate standing, pivoted;
    pid_t child = start([&] {
        ASSERT_OK(::chdir("/"));
        standing.open();
        pivoted.wait();
        EXPECT_TRUE(exists("mark")) << "a working directory that was the root";
        EXPECT_TRUE(exists("/mark"));
    });
    standing.wait();
    ASSERT_OK(pivot("new", "new/old"));
    pivoted.open();
    EXPECT_EQ(wait_for(child), exited(0));
}

TEST_F(Pivoting, errors)
{
    make_tmpfs("new");
    make_directory("new/old");
    make_directory("new/dir");
    make_directory("plain");
    write_file("file", "");
    EXPECT_ERROR(pivot("file", "new/old"), ENOTDIR);
    EXPECT_ERROR(pivot("new", "file"), ENOTDIR);
    EXPECT_ERROR(pivot("missing", "new/old"), ENOENT);
    EXPECT_ERROR(pivot("new", "new/missing"), ENOENT);
    EXPECT_ERROR(pivot("new/dir", "new/old"), EINVAL) << "no mount";
    EXPECT_ERROR(pivot("new", "plain"), EINVAL) << "not below";
    EXPECT_ERROR(pivot("/", "new/old"), EBUSY);
    EXPECT_ERROR(pivot("new", "/"), EBUSY);
    as_ordinary_user([] { EXPECT_ERROR(pivot("missing", "new"), EPERM); });
    propagate("new", MS_SHARED);
    EXPECT_ERROR(pivot("new", "new/old"), EINVAL) << "the old root would propagate";
    propagate("new", MS_PRIVATE);
    propagate(top_, MS_SHARED);
    EXPECT_ERROR(pivot("new", "new/old"), EINVAL) << "so would the new";
    propagate(top_, MS_PRIVATE);
    in_child([] {
        ASSERT_OK(::chroot("new"));
        EXPECT_ERROR(pivot("/old", "/old"), EBUSY) << "the root itself";
    });
    make_tmpfs("plain/new");
    in_child([] {
        ASSERT_OK(::chroot("plain"));
        EXPECT_ERROR(pivot("/new", "/new"), EINVAL) << "the root is no mount";
    });
    EXPECT_OK(pivot("new", "new/old"));
}

} // namespace
} // namespace abi_test
