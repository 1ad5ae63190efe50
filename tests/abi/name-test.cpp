// SPDX-License-Identifier: GPL-2.0-or-later
// Names: path walk, links, rename(2), unlink(2), mkdir(2), rmdir(2), getcwd(2), chroot(2) and their errors.
#include "abi-test.h"

#include <climits>
#include <cstdio>
#include <sys/sysmacros.h>

namespace abi_test {
namespace {

class Walk : public InScratchDirectory { };
class Link : public InScratchDirectory { };
class Rename : public InScratchDirectory { };
class Directory : public InScratchDirectory { };

int stat_error(std::string const& path)
{
    struct stat info;
    return error_of(::stat(path.c_str(), &info));
}

TEST_F(Walk, dots_and_slashes)
{
    ASSERT_EQ(::mkdir("d", 0700), 0);
    write_file("d/f", "x");
    for (char const* path : { "d/f", "./d/f", "d/./f", "d//f", ".//d///f", "d/../d/f" })
        EXPECT_EQ(stat_error(path), 0) << path;
    EXPECT_EQ(stat_error(scratch_.path() + "/d/f"), 0);
    EXPECT_EQ(stat_error("/../../.." + scratch_.path() + "/d"), 0);
}

TEST_F(Walk, trailing_slash_means_directory)
{
    ASSERT_EQ(::mkdir("d", 0700), 0);
    new_file("f");
    EXPECT_EQ(stat_error("d/"), 0);
    EXPECT_EQ(stat_error("d//"), 0);
    EXPECT_EQ(stat_error("f/"), ENOTDIR);
    EXPECT_EQ(stat_error("f/."), ENOTDIR);
    EXPECT_ERROR(::open("new/", O_CREAT | O_RDWR, 0600), EISDIR);
    EXPECT_ERROR(::unlink("f/"), ENOTDIR);
    EXPECT_EQ(::mkdir("new/", 0700), 0);
    EXPECT_EQ(::rmdir("new/"), 0);
    EXPECT_ERROR(::symlink("x", "s/"), ENOENT);
}

TEST_F(Walk, trailing_slash_follows_a_link)
{
    ASSERT_EQ(::mkdir("d", 0700), 0);
    ASSERT_EQ(::symlink("d", "l"), 0);
    struct stat info;
    ASSERT_EQ(::lstat("l/", &info), 0);
    EXPECT_TRUE(S_ISDIR(info.st_mode));
    EXPECT_ERROR(::rmdir("l/"), ENOTDIR);
    EXPECT_ERROR(::unlink("l/"), ENOTDIR);
}

TEST_F(Walk, empty_path_and_missing_parts)
{
    EXPECT_EQ(stat_error(""), ENOENT);
    EXPECT_EQ(stat_error("none/f"), ENOENT);
    new_file("f");
    EXPECT_EQ(stat_error("f/g"), ENOTDIR);
    EXPECT_EQ(stat_error("f/.."), ENOTDIR);
    EXPECT_ERROR(::open("none/f", O_CREAT | O_RDWR, 0600), ENOENT);
    EXPECT_ERROR(::open("f/g", O_CREAT | O_RDWR, 0600), ENOTDIR);
}

TEST_F(Walk, names_and_paths_have_a_greatest_length)
{
    std::string longest(NAME_MAX, 'n');
    new_file(longest);
    EXPECT_EQ(stat_error(longest), 0);
    EXPECT_EQ(stat_error(longest + "n"), ENAMETOOLONG);
    EXPECT_ERROR(::mkdir((longest + "n").c_str(), 0700), ENAMETOOLONG);
    std::string path;
    while (path.size() < PATH_MAX - 3)
        path += "./";
    EXPECT_EQ(stat_error(path), 0);
    path += std::string(PATH_MAX - path.size(), '.');
    EXPECT_EQ(stat_error(path), ENAMETOOLONG);
}

TEST_F(Walk, symlinks_are_followed_forty_deep)
{
    new_file("l0");
    for (int i = 1; i <= 41; i++)
        ASSERT_EQ(::symlink(("l" + std::to_string(i - 1)).c_str(), ("l" + std::to_string(i)).c_str()), 0);
    EXPECT_EQ(stat_error("l40"), 0);
    EXPECT_EQ(stat_error("l41"), ELOOP);
}

TEST_F(Walk, loops_are_found)
{
    ASSERT_EQ(::symlink("b", "a"), 0);
    ASSERT_EQ(::symlink("a", "b"), 0);
    ASSERT_EQ(::symlink("self/x", "self"), 0);
    EXPECT_EQ(stat_error("a"), ELOOP);
    EXPECT_EQ(stat_error("self"), ELOOP);
    EXPECT_ERROR(::open("a", O_CREAT | O_RDWR, 0600), ELOOP);
}

TEST_F(Walk, links_in_the_middle_and_absolute)
{
    ASSERT_EQ(::mkdir("d", 0700), 0);
    ASSERT_EQ(::mkdir("d/e", 0700), 0);
    write_file("d/f", "deep");
    ASSERT_EQ(::symlink("d/e", "relative"), 0);
    ASSERT_EQ(::symlink((scratch_.path() + "/d").c_str(), "absolute"), 0);
    // ".." is the parent of where the link leads.
    EXPECT_EQ(read_file("relative/../f"), "deep");
    EXPECT_EQ(read_file("absolute/f"), "deep");
}

TEST_F(Walk, search_permission_is_needed)
{
    ASSERT_EQ(::mkdir("d", 0755), 0);
    ASSERT_EQ(::chmod("d", 0644), 0);
    if (::geteuid() != 0) {
        EXPECT_EQ(stat_error("d/f"), EACCES);
    }
    as_ordinary_user([] {
        EXPECT_EQ(stat_error("d"), 0);
        EXPECT_EQ(stat_error("d/f"), EACCES);
        EXPECT_EQ(stat_error("d/.."), EACCES);
    });
}

TEST_F(Walk, getcwd_follows_renames_and_removal)
{
    ASSERT_EQ(::mkdir("d", 0700), 0);
    ASSERT_EQ(::chdir("d"), 0);
    ASSERT_EQ(::rename("../d", "../e"), 0);
    char buffer[PATH_MAX];
    ASSERT_NE(::getcwd(buffer, sizeof buffer), nullptr);
    EXPECT_EQ(buffer, scratch_.path() + "/e");
    EXPECT_EQ(raw(SYS_getcwd, buffer, 2), -ERANGE);
    ASSERT_EQ(::rmdir("../e"), 0);
    EXPECT_EQ(raw(SYS_getcwd, buffer, sizeof buffer), -ENOENT);
    EXPECT_ERROR(::open("f", O_CREAT | O_RDWR, 0600), ENOENT);
    EXPECT_EQ(stat_error(".."), 0);
}

TEST_F(Walk, chdir_errors)
{
    new_file("f");
    EXPECT_ERROR(::chdir("f"), ENOTDIR);
    EXPECT_ERROR(::chdir("none"), ENOENT);
    Fd fd = ::open("f", O_RDONLY);
    EXPECT_ERROR(::fchdir(fd), ENOTDIR);
    Fd here = ::open(".", O_PATH);
    EXPECT_EQ(::fchdir(here), 0);
}

TEST_F(Walk, chroot_confines)
{
    NEEDS_ROOT();
    ASSERT_EQ(::mkdir("jail", 0755), 0);
    write_file("jail/f", "inside");
    in_child([] {
        ASSERT_EQ(::chroot("jail"), 0);
        ASSERT_EQ(::chdir("/"), 0);
        EXPECT_EQ(read_file("/f"), "inside");
        EXPECT_EQ(read_file("/../../f"), "inside");
        char buffer[64];
        EXPECT_STREQ(::getcwd(buffer, sizeof buffer), "/");
    });
    as_ordinary_user([] { EXPECT_ERROR(::chroot("jail"), EPERM); });
}

TEST_F(Link, hard_links_share_the_file)
{
    write_file("a", "x");
    ASSERT_EQ(::link("a", "b"), 0);
    EXPECT_EQ(status_of("a").st_nlink, 2u);
    EXPECT_EQ(status_of("a").st_ino, status_of("b").st_ino);
    write_file("b", "changed");
    EXPECT_EQ(read_file("a"), "changed");
    ASSERT_EQ(::unlink("a"), 0);
    EXPECT_EQ(status_of("b").st_nlink, 1u);
}

TEST_F(Link, hard_link_errors)
{
    write_file("a", "x");
    ASSERT_EQ(::mkdir("d", 0700), 0);
    EXPECT_ERROR(::link("a", "a"), EEXIST);
    EXPECT_ERROR(::link("d", "e"), EPERM);
    EXPECT_ERROR(::link("none", "e"), ENOENT);
    EXPECT_ERROR(::link("a", "none/e"), ENOENT);
    EXPECT_ERROR(::link("a", "a/e"), ENOTDIR);
    EXPECT_ERROR(::link("a", "/dev/abi-link"), EXDEV);
    EXPECT_ERROR(::linkat(AT_FDCWD, "a", AT_FDCWD, "e", 0x10), EINVAL);
}

TEST_F(Link, link_to_a_symlink_links_the_symlink)
{
    write_file("a", "x");
    ASSERT_EQ(::symlink("a", "s"), 0);
    ASSERT_EQ(::link("s", "t"), 0);
    EXPECT_TRUE(S_ISLNK(status_of("t").st_mode));
    ASSERT_EQ(::linkat(AT_FDCWD, "s", AT_FDCWD, "u", AT_SYMLINK_FOLLOW), 0);
    EXPECT_TRUE(S_ISREG(status_of("u").st_mode));
}

TEST_F(Link, symlink_and_readlink)
{
    ASSERT_EQ(::symlink("some/where", "s"), 0);
    EXPECT_EQ(status_of("s").st_size, 10);
    char buffer[32] = {};
    EXPECT_EQ(::readlink("s", buffer, sizeof buffer), 10);
    EXPECT_STREQ(buffer, "some/where");
    // Cut without a word, and not terminated.
    std::memset(buffer, 'x', sizeof buffer);
    EXPECT_EQ(::readlink("s", buffer, 4), 4);
    EXPECT_EQ(std::string(buffer, 5), "somex");
    EXPECT_ERROR(::symlink("x", "s"), EEXIST);
    EXPECT_ERROR(::symlink("", "t"), ENOENT);
    EXPECT_ERROR(::readlink(".", buffer, sizeof buffer), EINVAL);
    EXPECT_EQ(raw(SYS_readlink, "s", buffer, 0), -EINVAL);
    EXPECT_ERROR(::symlink(std::string(PATH_MAX, 'x').c_str(), "t"), ENAMETOOLONG);
}

TEST_F(Link, unlink_errors)
{
    ASSERT_EQ(::mkdir("d", 0700), 0);
    EXPECT_ERROR(::unlink("none"), ENOENT);
    EXPECT_ERROR(::unlink("d"), EISDIR);
    EXPECT_ERROR(::unlink(""), ENOENT);
    EXPECT_ERROR(::unlinkat(AT_FDCWD, "d", 0x1), EINVAL);
    EXPECT_EQ(::unlinkat(AT_FDCWD, "d", AT_REMOVEDIR), 0);
}

TEST_F(Link, sticky_directory_protects_others_files)
{
    NEEDS_ROOT();
    ASSERT_EQ(::mkdir("tmp", 0777), 0);
    ASSERT_EQ(::chmod("tmp", 01777), 0);
    write_file("tmp/roots", "x");
    as_ordinary_user([] {
        EXPECT_ERROR(::unlink("tmp/roots"), EPERM);
        EXPECT_ERROR(::rename("tmp/roots", "tmp/mine"), EPERM);
        write_file("tmp/own", "y");
        EXPECT_ERROR(::rename("tmp/own", "tmp/roots"), EPERM);
        EXPECT_EQ(::unlink("tmp/own"), 0);
    });
}

TEST_F(Link, writing_a_directory_needs_permission)
{
    NEEDS_ROOT();
    write_file("f", "x");
    as_ordinary_user([] {
        EXPECT_ERROR(::unlink("f"), EACCES);
        EXPECT_ERROR(::open("new", O_CREAT | O_RDWR, 0600), EACCES);
        EXPECT_ERROR(::mkdir("new", 0700), EACCES);
        EXPECT_ERROR(::rename("f", "g"), EACCES);
        EXPECT_ERROR(::symlink("x", "new"), EACCES);
        EXPECT_ERROR(::unlink("none"), ENOENT);
    });
}

TEST_F(Rename, replaces_a_file)
{
    write_file("a", "new");
    write_file("b", "old");
    Fd old = ::open("b", O_RDONLY);
    ASSERT_EQ(::rename("a", "b"), 0);
    EXPECT_FALSE(exists("a"));
    EXPECT_EQ(read_file("b"), "new");
    EXPECT_EQ(read_all(old), "old");
}

TEST_F(Rename, to_itself_or_another_link_of_it_does_nothing)
{
    write_file("a", "x");
    EXPECT_EQ(::rename("a", "a"), 0);
    ASSERT_EQ(::link("a", "b"), 0);
    EXPECT_EQ(::rename("a", "b"), 0);
    EXPECT_TRUE(exists("a"));
}

TEST_F(Rename, directories)
{
    ASSERT_EQ(::mkdir("d", 0700), 0);
    write_file("d/f", "x");
    ASSERT_EQ(::mkdir("empty", 0700), 0);
    ASSERT_EQ(::mkdir("full", 0700), 0);
    new_file("full/f");
    new_file("file");
    EXPECT_ERROR(::rename("d", "full"), ENOTEMPTY);
    EXPECT_ERROR(::rename("d", "file"), ENOTDIR);
    EXPECT_ERROR(::rename("file", "d"), EISDIR);
    EXPECT_ERROR(::rename("d", "d/inside"), EINVAL);
    EXPECT_ERROR(::rename("d/f", "d"), ENOTEMPTY);
    EXPECT_EQ(::rename("d", "empty"), 0);
    EXPECT_EQ(read_file("empty/f"), "x");
    EXPECT_ERROR(::rename("empty/.", "z"), EBUSY);
    EXPECT_ERROR(::rename("empty/..", "z"), EBUSY);
}

TEST_F(Rename, moves_between_directories_and_keeps_link_counts)
{
    ASSERT_EQ(::mkdir("a", 0700), 0);
    ASSERT_EQ(::mkdir("b", 0700), 0);
    ASSERT_EQ(::mkdir("a/sub", 0700), 0);
    EXPECT_EQ(status_of("a").st_nlink, 3u);
    ASSERT_EQ(::rename("a/sub", "b/sub"), 0);
    EXPECT_EQ(status_of("a").st_nlink, 2u);
    EXPECT_EQ(status_of("b").st_nlink, 3u);
    EXPECT_EQ(status_of("b/sub/..").st_ino, status_of("b").st_ino);
}

TEST_F(Rename, errors)
{
    write_file("f", "x");
    EXPECT_ERROR(::rename("none", "b"), ENOENT);
    EXPECT_ERROR(::rename("f", "none/b"), ENOENT);
    EXPECT_ERROR(::rename("f", "f/b"), ENOTDIR);
    EXPECT_ERROR(::rename("f", ""), ENOENT);
    EXPECT_ERROR(::rename("f", "g/"), ENOTDIR);
    EXPECT_ERROR(::rename("f", "/proc/self/x"), EXDEV);
    EXPECT_ERROR(::rename("f", std::string(NAME_MAX + 1, 'x').c_str()), ENAMETOOLONG);
}

TEST_F(Rename, noreplace_and_exchange)
{
    write_file("a", "A");
    write_file("b", "B");
    EXPECT_ERROR(::renameat2(AT_FDCWD, "a", AT_FDCWD, "b", RENAME_NOREPLACE), EEXIST);
    EXPECT_EQ(::renameat2(AT_FDCWD, "a", AT_FDCWD, "c", RENAME_NOREPLACE), 0);
    ASSERT_EQ(::renameat2(AT_FDCWD, "b", AT_FDCWD, "c", RENAME_EXCHANGE), 0);
    EXPECT_EQ(read_file("b"), "A");
    EXPECT_EQ(read_file("c"), "B");
    ASSERT_EQ(::mkdir("d", 0700), 0);
    EXPECT_EQ(::renameat2(AT_FDCWD, "b", AT_FDCWD, "d", RENAME_EXCHANGE), 0);
    EXPECT_TRUE(S_ISDIR(status_of("b").st_mode));
    EXPECT_ERROR(::renameat2(AT_FDCWD, "b", AT_FDCWD, "none", RENAME_EXCHANGE), ENOENT);
    EXPECT_ERROR(::renameat2(AT_FDCWD, "b", AT_FDCWD, "c", RENAME_EXCHANGE | RENAME_NOREPLACE), EINVAL);
    EXPECT_ERROR(::renameat2(AT_FDCWD, "b", AT_FDCWD, "c", 0x100), EINVAL);
}

TEST_F(Rename, symlinks_themselves_are_moved)
{
    write_file("f", "x");
    ASSERT_EQ(::symlink("f", "s"), 0);
    ASSERT_EQ(::rename("s", "t"), 0);
    EXPECT_TRUE(S_ISLNK(status_of("t").st_mode));
    EXPECT_TRUE(S_ISREG(status_of("f").st_mode));
}

TEST_F(Directory, make_and_remove)
{
    ::umask(022);
    ASSERT_EQ(::mkdir("d", 0777), 0);
    EXPECT_EQ(mode_of("d"), 0755u);
    EXPECT_EQ(status_of("d").st_nlink, 2u);
    ASSERT_EQ(::mkdir("d/e", 0700), 0);
    EXPECT_EQ(status_of("d").st_nlink, 3u);
    EXPECT_ERROR(::rmdir("d"), ENOTEMPTY);
    ASSERT_EQ(::rmdir("d/e"), 0);
    EXPECT_EQ(status_of("d").st_nlink, 2u);
    EXPECT_EQ(::rmdir("d"), 0);
}

TEST_F(Directory, mkdir_errors)
{
    new_file("f");
    ASSERT_EQ(::symlink("nowhere", "s"), 0);
    EXPECT_ERROR(::mkdir("f", 0700), EEXIST);
    EXPECT_ERROR(::mkdir("s", 0700), EEXIST);
    EXPECT_ERROR(::mkdir(".", 0700), EEXIST);
    EXPECT_ERROR(::mkdir("/", 0700), EEXIST);
    EXPECT_ERROR(::mkdir("none/d", 0700), ENOENT);
    EXPECT_ERROR(::mkdir("f/d", 0700), ENOTDIR);
    EXPECT_ERROR(::mkdir("", 0700), ENOENT);
}

TEST_F(Directory, rmdir_errors)
{
    new_file("f");
    ASSERT_EQ(::mkdir("d", 0700), 0);
    EXPECT_ERROR(::rmdir("none"), ENOENT);
    EXPECT_ERROR(::rmdir("f"), ENOTDIR);
    EXPECT_ERROR(::rmdir("."), EINVAL);
    EXPECT_ERROR(::rmdir("d/."), EINVAL);
    EXPECT_ERROR(::rmdir("d/.."), ENOTEMPTY);
    EXPECT_ERROR(::rmdir("/"), EBUSY);
}

TEST_F(Directory, setgid_is_inherited)
{
    ASSERT_EQ(::mkdir("d", 0755), 0);
    ASSERT_EQ(::chmod("d", 02755), 0);
    if (::geteuid() == 0) {
        ASSERT_EQ(::chown("d", 0, 1234), 0);
        ASSERT_EQ(::chmod("d", 02755), 0);
    }
    gid_t group = status_of("d").st_gid;
    new_file("d/f");
    ASSERT_EQ(::mkdir("d/e", 0700), 0);
    EXPECT_EQ(status_of("d/f").st_gid, group);
    EXPECT_EQ(mode_of("d/f") & 02000u, 0u);
    EXPECT_EQ(status_of("d/e").st_gid, group);
    EXPECT_EQ(mode_of("d/e"), 02700u);
}

TEST_F(Directory, special_files)
{
    EXPECT_EQ(::mknod("fifo", S_IFIFO | 0600, 0), 0);
    EXPECT_TRUE(S_ISFIFO(status_of("fifo").st_mode));
    EXPECT_EQ(::mknod("plain", S_IFREG | 0600, 0), 0);
    EXPECT_TRUE(S_ISREG(status_of("plain").st_mode));
    EXPECT_ERROR(::mknod("plain", S_IFREG | 0600, 0), EEXIST);
    EXPECT_ERROR(::mknod("d", S_IFDIR | 0700, 0), EPERM);
    EXPECT_ERROR(::mknod("x", 0170000, 0), EINVAL);
    as_ordinary_user([] { EXPECT_ERROR(::mknod("/tmp/abi-null", S_IFCHR | 0600, makedev(1, 3)), EPERM); });
}

TEST_F(Directory, removed_directory_is_empty_and_closed_to_new_names)
{
    ASSERT_EQ(::mkdir("d", 0700), 0);
    Fd fd = ::open("d", O_RDONLY);
    ASSERT_EQ(::rmdir("d"), 0);
    EXPECT_ERROR(::openat(fd, "f", O_CREAT | O_RDWR, 0600), ENOENT);
    EXPECT_ERROR(::mkdirat(fd, "e", 0700), ENOENT);
    struct stat info;
    ASSERT_EQ(::fstat(fd, &info), 0);
    EXPECT_EQ(info.st_nlink, 0u);
}

} // namespace
} // namespace abi_test
