// SPDX-License-Identifier: GPL-2.0-or-later
// What stat(2) shows and who may change it: modes, owners, times, access(2), statx(2), extended attributes,
// statfs(2).
#include "abi-test.h"

#include <linux/stat.h>
#include <sys/statfs.h>
#include <sys/statvfs.h>
#include <sys/sysmacros.h>
#include <sys/time.h>
#include <sys/xattr.h>

namespace abi_test {
namespace {

class Mode : public InScratchDirectory { };
class Times : public InScratchDirectory { };
class Stat : public InScratchDirectory { };
class Xattr : public InScratchDirectory { };

constexpr uid_t kOther = 1001;

TEST_F(Mode, chmod_sets_all_twelve_bits)
{
    new_file("f");
    for (mode_t mode : { 0u, 0777u, 04755u, 01777u, 0640u }) {
        ASSERT_EQ(::chmod("f", mode), 0);
        EXPECT_EQ(mode_of("f"), mode);
    }
    Fd fd = ::open("f", O_RDONLY);
    ASSERT_EQ(::fchmod(fd, 0604), 0);
    EXPECT_EQ(mode_of("f"), 0604u);
    ASSERT_EQ(::fchmodat(AT_FDCWD, "f", 0600, 0), 0);
    EXPECT_EQ(mode_of("f"), 0600u);
    EXPECT_ERROR(::chmod("none", 0), ENOENT);
}

TEST_F(Mode, chmod_follows_links)
{
    new_file("f");
    ASSERT_EQ(::symlink("f", "s"), 0);
    ASSERT_EQ(::chmod("s", 0600), 0);
    EXPECT_EQ(mode_of("f"), 0600u);
    EXPECT_EQ(mode_of("s"), 0777u);
}

TEST_F(Mode, only_the_owner_may_chmod)
{
    NEEDS_ROOT();
    new_file("roots");
    as_ordinary_user([] { EXPECT_ERROR(::chmod("roots", 0777), EPERM); });
    ASSERT_EQ(::chown("roots", kOrdinaryUser, kOrdinaryUser), 0);
    as_ordinary_user([] { EXPECT_EQ(::chmod("roots", 0600), 0); });
}

TEST_F(Mode, foreign_group_loses_setgid_on_chmod)
{
    NEEDS_ROOT();
    new_file("f");
    ASSERT_EQ(::chown("f", kOrdinaryUser, 4321), 0);
    as_ordinary_user([] { EXPECT_EQ(::chmod("f", 02755), 0); });
    EXPECT_EQ(mode_of("f"), 0755u);
}

TEST_F(Mode, permission_classes)
{
    NEEDS_ROOT();
    write_file("owner", "x", 0600);
    write_file("group", "x", 0600);
    write_file("other", "x", 0600);
    write_file("none", "x", 0600);
    ASSERT_EQ(::chown("owner", kOrdinaryUser, kOther), 0);
    ASSERT_EQ(::chown("group", kOther, kOrdinaryUser), 0);
    ASSERT_EQ(::chown("other", kOther, kOther), 0);
    ASSERT_EQ(::chown("none", kOrdinaryUser, kOrdinaryUser), 0);
    ASSERT_EQ(::chmod("owner", 0400), 0);
    ASSERT_EQ(::chmod("group", 0040), 0);
    ASSERT_EQ(::chmod("other", 0004), 0);
    // The first class that fits decides, even when a later one would allow.
    ASSERT_EQ(::chmod("none", 0066), 0);
    as_ordinary_user([] {
        for (char const* name : { "owner", "group", "other" }) {
            EXPECT_OK(::open(name, O_RDONLY)) << name;
            EXPECT_ERROR(::open(name, O_WRONLY), EACCES) << name;
        }
        EXPECT_ERROR(::open("none", O_RDONLY), EACCES);
    });
}

TEST_F(Mode, supplementary_groups_count)
{
    NEEDS_ROOT();
    write_file("f", "x", 0040);
    ASSERT_EQ(::chown("f", 0, 7777), 0);
    in_child([] {
        gid_t groups[] = { 7777 };
        ASSERT_EQ(raw(SYS_setgroups, 1, groups), 0);
        ASSERT_EQ(::setresgid(kOther, kOther, kOther), 0);
        ASSERT_EQ(::setresuid(kOther, kOther, kOther), 0);
        EXPECT_OK(::open("f", O_RDONLY));
    });
}

TEST_F(Mode, root_needs_one_execute_bit)
{
    NEEDS_ROOT();
    write_file("script", "#!/bin/true\n", 0644);
    EXPECT_EQ(::access("script", R_OK | W_OK), 0);
    EXPECT_ERROR(::access("script", X_OK), EACCES);
    ASSERT_EQ(::chmod("script", 0001), 0);
    EXPECT_EQ(::access("script", X_OK), 0);
}

TEST_F(Mode, access_uses_the_real_user)
{
    NEEDS_ROOT();
    write_file("f", "x", 0600);
    in_child([] {
        ASSERT_EQ(::setresuid(kOrdinaryUser, 0, 0), 0);
        EXPECT_ERROR(::access("f", R_OK), EACCES);
        EXPECT_EQ(::faccessat(AT_FDCWD, "f", R_OK, AT_EACCESS), 0);
    });
}

TEST_F(Mode, access_errors)
{
    write_file("f", "x");
    EXPECT_EQ(::access("f", F_OK), 0);
    EXPECT_ERROR(::access("none", F_OK), ENOENT);
    EXPECT_ERROR(::access("f", 8), EINVAL);
    EXPECT_ERROR(::access("/proc/version", W_OK), ::geteuid() == 0 ? 0 : EACCES);
}

TEST_F(Mode, chown_by_root)
{
    NEEDS_ROOT();
    new_file("f");
    ASSERT_EQ(::chown("f", 12, 34), 0);
    EXPECT_EQ(status_of("f").st_uid, 12u);
    EXPECT_EQ(status_of("f").st_gid, 34u);
    ASSERT_EQ(::chown("f", uid_t(-1), 56), 0);
    EXPECT_EQ(status_of("f").st_uid, 12u);
    EXPECT_EQ(status_of("f").st_gid, 56u);
    ASSERT_EQ(::symlink("f", "s"), 0);
    ASSERT_EQ(::lchown("s", 78, 78), 0);
    EXPECT_EQ(status_of("s").st_uid, 78u);
    EXPECT_EQ(status_of("f").st_uid, 12u);
    Fd fd = ::open("f", O_RDONLY);
    ASSERT_EQ(::fchown(fd, 90, 90), 0);
    ASSERT_EQ(::fchownat(fd, "", 91, 91, AT_EMPTY_PATH), 0);
    EXPECT_EQ(status_of("f").st_uid, 91u);
}

TEST_F(Mode, chown_clears_setuid_and_setgid)
{
    NEEDS_ROOT();
    new_file("f");
    ASSERT_EQ(::chmod("f", 06755), 0);
    ASSERT_EQ(::chown("f", 1, 1), 0);
    EXPECT_EQ(mode_of("f"), 0755u);
    // Without group execution the bit means mandatory locking, and stays.
    ASSERT_EQ(::chmod("f", 02745), 0);
    ASSERT_EQ(::chown("f", 2, 2), 0);
    EXPECT_EQ(mode_of("f"), 02745u);
}

TEST_F(Mode, chown_by_others)
{
    NEEDS_ROOT();
    new_file("f");
    ASSERT_EQ(::chown("f", kOrdinaryUser, kOrdinaryUser), 0);
    as_ordinary_user([] {
        EXPECT_ERROR(::chown("f", kOther, gid_t(-1)), EPERM);
        EXPECT_ERROR(::chown("f", uid_t(-1), kOther), EPERM);
        EXPECT_EQ(::chown("f", kOrdinaryUser, kOrdinaryUser), 0);
    });
}

TEST_F(Mode, writing_clears_setuid)
{
    NEEDS_ROOT();
    new_file("f");
    ASSERT_EQ(::chown("f", kOrdinaryUser, kOrdinaryUser), 0);
    ASSERT_EQ(::chmod("f", 06777), 0);
    as_ordinary_user([] {
        Fd fd = ::open("f", O_WRONLY);
        ASSERT_EQ(::write(fd, "x", 1), 1);
    });
    EXPECT_EQ(mode_of("f"), 0777u);
}

TEST_F(Mode, umask_is_nine_bits)
{
    ::umask(0);
    EXPECT_EQ(::umask(07777), 0u);
    EXPECT_EQ(::umask(022), 0777u);
}

TEST_F(Times, creation_and_writing_set_them)
{
    timespec before;
    ASSERT_EQ(::clock_gettime(CLOCK_REALTIME_COARSE, &before), 0);
    write_file("f", "x");
    auto info = status_of("f");
    for (timespec const& t : { info.st_atim, info.st_mtim, info.st_ctim })
        EXPECT_GE(t.tv_sec, before.tv_sec);
    timespec old[2] = { { 1000, 0 }, { 1000, 0 } };
    ASSERT_EQ(::utimensat(AT_FDCWD, "f", old, 0), 0);
    write_file("f", "y");
    EXPECT_GT(status_of("f").st_mtim.tv_sec, 1000);
}

TEST_F(Times, are_set_to_the_nanosecond)
{
    new_file("f");
    timespec times[2] = { { 1'000'000'000, 123'456'789 }, { -5, 999'999'999 } };
    ASSERT_EQ(::utimensat(AT_FDCWD, "f", times, 0), 0);
    auto info = status_of("f");
    EXPECT_EQ(info.st_atim.tv_sec, 1'000'000'000);
    EXPECT_EQ(info.st_atim.tv_nsec, 123'456'789);
    EXPECT_EQ(info.st_mtim.tv_sec, -5);
    EXPECT_EQ(info.st_mtim.tv_nsec, 999'999'999);
}

TEST_F(Times, omit_and_now)
{
    new_file("f");
    timespec old[2] = { { 100, 0 }, { 200, 0 } };
    ASSERT_EQ(::utimensat(AT_FDCWD, "f", old, 0), 0);
    timespec mixed[2] = { { 0, UTIME_OMIT }, { 0, UTIME_NOW } };
    ASSERT_EQ(::utimensat(AT_FDCWD, "f", mixed, 0), 0);
    EXPECT_EQ(status_of("f").st_atim.tv_sec, 100);
    EXPECT_GT(status_of("f").st_mtim.tv_sec, 1000);
    timespec nothing[2] = { { 0, UTIME_OMIT }, { 0, UTIME_OMIT } };
    EXPECT_EQ(::utimensat(AT_FDCWD, "f", nothing, 0), 0);
    timespec bad[2] = { { 0, 1'000'000'000 }, { 0, 0 } };
    EXPECT_ERROR(::utimensat(AT_FDCWD, "f", bad, 0), EINVAL);
    Fd fd = ::open("f", O_RDONLY);
    EXPECT_EQ(::futimens(fd, old), 0);
    EXPECT_EQ(status_of("f").st_mtim.tv_sec, 200);
}

TEST_F(Times, of_a_symlink_itself)
{
    new_file("f");
    ASSERT_EQ(::symlink("f", "s"), 0);
    timespec old[2] = { { 100, 0 }, { 200, 0 } };
    ASSERT_EQ(::utimensat(AT_FDCWD, "s", old, AT_SYMLINK_NOFOLLOW), 0);
    EXPECT_EQ(status_of("s").st_mtim.tv_sec, 200);
    EXPECT_GT(status_of("f").st_mtim.tv_sec, 1000);
}

TEST_F(Times, others_may_only_set_now_and_only_with_write_permission)
{
    NEEDS_ROOT();
    write_file("writable", "x", 0666);
    ASSERT_EQ(::chmod("writable", 0666), 0);
    write_file("readable", "x", 0644);
    as_ordinary_user([] {
        timespec old[2] = { { 100, 0 }, { 200, 0 } };
        EXPECT_EQ(::utimensat(AT_FDCWD, "writable", nullptr, 0), 0);
        EXPECT_ERROR(::utimensat(AT_FDCWD, "writable", old, 0), EPERM);
        EXPECT_ERROR(::utimensat(AT_FDCWD, "readable", nullptr, 0), EACCES);
    });
}

TEST_F(Times, directory_changes_with_its_entries)
{
    ASSERT_EQ(::mkdir("d", 0700), 0);
    timespec old[2] = { { 100, 0 }, { 200, 0 } };
    ASSERT_EQ(::utimensat(AT_FDCWD, "d", old, 0), 0);
    new_file("d/f");
    EXPECT_GT(status_of("d").st_mtim.tv_sec, 200);
    ASSERT_EQ(::utimensat(AT_FDCWD, "d", old, 0), 0);
    ASSERT_EQ(::unlink("d/f"), 0);
    EXPECT_GT(status_of("d").st_mtim.tv_sec, 200);
}

TEST_F(Stat, types_and_sizes)
{
    write_file("f", "12345");
    ASSERT_EQ(::mkdir("d", 0700), 0);
    ASSERT_EQ(::symlink("12345678", "s"), 0);
    ASSERT_EQ(::mkfifo("p", 0600), 0);
    EXPECT_TRUE(S_ISREG(status_of("f").st_mode));
    EXPECT_EQ(status_of("f").st_size, 5);
    EXPECT_EQ(status_of("f").st_nlink, 1u);
    EXPECT_TRUE(S_ISDIR(status_of("d").st_mode));
    EXPECT_TRUE(S_ISLNK(status_of("s").st_mode));
    EXPECT_EQ(status_of("s").st_size, 8);
    EXPECT_TRUE(S_ISFIFO(status_of("p").st_mode));
    EXPECT_TRUE(S_ISCHR(status_of("/dev/null").st_mode));
    EXPECT_EQ(status_of("/dev/null").st_rdev, makedev(1, 3));
    EXPECT_EQ(status_of("/dev/zero").st_rdev, makedev(1, 5));
    EXPECT_NE(status_of("f").st_ino, status_of("d").st_ino);
    EXPECT_EQ(status_of("f").st_dev, status_of("d").st_dev);
}

TEST_F(Stat, fstatat_with_empty_path)
{
    write_file("f", "123");
    Fd fd = ::open("f", O_RDONLY);
    struct stat info { };
    ASSERT_EQ(::fstatat(fd, "", &info, AT_EMPTY_PATH), 0);
    EXPECT_EQ(info.st_size, 3);
    EXPECT_ERROR(::fstatat(fd, "", &info, 0), ENOENT);
    ASSERT_EQ(::fstatat(AT_FDCWD, "", &info, AT_EMPTY_PATH), 0);
    EXPECT_TRUE(S_ISDIR(info.st_mode));
    EXPECT_ERROR(::fstatat(fd, "f", &info, 0x8000), EINVAL);
}

TEST_F(Stat, statx_fills_what_is_asked)
{
    write_file("f", "1234567");
    struct statx info { };
    ASSERT_EQ(raw(SYS_statx, AT_FDCWD, "f", 0, STATX_BASIC_STATS, &info), 0);
    EXPECT_EQ(info.stx_mask & STATX_BASIC_STATS, STATX_BASIC_STATS);
    EXPECT_EQ(info.stx_size, 7u);
    EXPECT_EQ(info.stx_mode, S_IFREG | 0644);
    EXPECT_EQ(info.stx_ino, status_of("f").st_ino);
    EXPECT_EQ(makedev(info.stx_dev_major, info.stx_dev_minor), status_of("f").st_dev);
    EXPECT_EQ(raw(SYS_statx, AT_FDCWD, "f", 0, 0x8000'0000u, &info), -EINVAL);
    EXPECT_EQ(raw(SYS_statx, AT_FDCWD, "f", 0x6000, STATX_BASIC_STATS, &info), -EINVAL);
    EXPECT_EQ(raw(SYS_statx, AT_FDCWD, "none", 0, STATX_BASIC_STATS, &info), -ENOENT);
}

TEST_F(Stat, blocks_count_what_is_written)
{
    Fd fd = new_file("f");
    ASSERT_EQ(::ftruncate(fd, 10 << 20), 0);
    EXPECT_LT(status_of("f").st_blocks, 100);
    std::string data(100'000, 'x');
    ASSERT_EQ(::write(fd, data.data(), data.size()), ssize_t(data.size()));
    ASSERT_EQ(::fsync(fd), 0);
    EXPECT_GE(status_of("f").st_blocks, 100'000 / 512);
    EXPECT_GE(status_of("f").st_blksize, 512);
}

TEST_F(Stat, file_system_statistics)
{
    struct statfs info { };
    ASSERT_EQ(::statfs(".", &info), 0);
    EXPECT_GT(info.f_bsize, 0);
    EXPECT_EQ(info.f_namelen, 255);
    Fd here = ::open(".", O_RDONLY);
    struct statfs same { };
    ASSERT_EQ(::fstatfs(here, &same), 0);
    EXPECT_EQ(same.f_type, info.f_type);
    ASSERT_EQ(::statfs("/proc", &info), 0);
    EXPECT_EQ(info.f_type, 0x9fa0);
    EXPECT_ERROR(::statfs("none", &info), ENOENT);
}

/// A directory on tmpfs, where the issue promises extended attributes; the host's /tmp may be anything.
char const* tmpfs_directory() { return std::getenv("UMBRA_ABI_STRICT") ? "." : "/dev/shm"; }

TEST_F(Xattr, set_get_list_remove)
{
    new_file("f");
    if (::setxattr("f", "user.a", "value", 5, 0) != 0 && errno == EOPNOTSUPP)
        SKIP_AS_HOST_LACKS("user attributes here");
    char buffer[64] = {};
    EXPECT_EQ(::getxattr("f", "user.a", buffer, sizeof buffer), 5);
    EXPECT_STREQ(buffer, "value");
    EXPECT_EQ(::getxattr("f", "user.a", nullptr, 0), 5);
    EXPECT_ERROR(::getxattr("f", "user.a", buffer, 2), ERANGE);
    EXPECT_ERROR(::getxattr("f", "user.b", buffer, sizeof buffer), ENODATA);
    ASSERT_EQ(::setxattr("f", "user.b", "", 0, XATTR_CREATE), 0);
    EXPECT_ERROR(::setxattr("f", "user.b", "x", 1, XATTR_CREATE), EEXIST);
    EXPECT_ERROR(::setxattr("f", "user.c", "x", 1, XATTR_REPLACE), ENODATA);
    ssize_t length = ::listxattr("f", buffer, sizeof buffer);
    std::string names(buffer, size_t(length));
    EXPECT_NE(names.find(std::string("user.a\0", 7)), std::string::npos);
    EXPECT_NE(names.find(std::string("user.b\0", 7)), std::string::npos);
    EXPECT_EQ(::removexattr("f", "user.a"), 0);
    EXPECT_ERROR(::removexattr("f", "user.a"), ENODATA);
    Fd fd = ::open("f", O_RDONLY);
    EXPECT_EQ(::fgetxattr(fd, "user.b", buffer, sizeof buffer), 0);
}

TEST_F(Xattr, names_are_checked)
{
    new_file("f");
    ASSERT_EQ(::symlink("f", "s"), 0);
    EXPECT_ERROR(::setxattr("f", "noprefix", "x", 1, 0), EOPNOTSUPP);
    EXPECT_ERROR(::setxattr("f", "", "x", 1, 0), ERANGE);
    EXPECT_ERROR(::setxattr("f", ("user." + std::string(256, 'x')).c_str(), "x", 1, 0), ERANGE);
    EXPECT_ERROR(::setxattr("f", "user.a", "x", 1, 4), EINVAL);
    EXPECT_ERROR(::lsetxattr("s", "user.a", "x", 1, 0), EPERM);
    std::string huge(70'000, 'x');
    EXPECT_ERROR(::setxattr("f", "user.a", huge.data(), huge.size(), 0), E2BIG);
}

TEST_F(Xattr, trusted_attributes_are_roots)
{
    NEEDS_ROOT();
    std::string path = std::string(tmpfs_directory()) + "/abi-xattr";
    write_file(path, "x");
    ASSERT_EQ(::chmod(path.c_str(), 0666), 0);
    EXPECT_EQ(::setxattr(path.c_str(), "trusted.a", "x", 1, 0), 0);
    as_ordinary_user([&] {
        char buffer[8];
        EXPECT_ERROR(::setxattr(path.c_str(), "trusted.a", "y", 1, 0), EPERM);
        EXPECT_ERROR(::getxattr(path.c_str(), "trusted.a", buffer, 8), ENODATA);
    });
    ::unlink(path.c_str());
}

} // namespace
} // namespace abi_test
