// SPDX-License-Identifier: GPL-2.0-or-later
// size: one kind of mount, whose tests share a fixture
// Directories shown as one: mount(2) of the type "overlay", its layers, copies, whiteouts and opaque directories.
#include <dirent.h>
#include <map>
#include <set>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <sys/xattr.h>

#include "mounts.h"

namespace abi_test {
namespace {

constexpr unsigned kNoReplace = 1, kExchange = 2, kWhiteout = 4;

bool exists(std::string const& path)
{
    struct stat s;
    return ::lstat(path.c_str(), &s) == 0;
}

struct stat stat_of(std::string const& path)
{
    struct stat s { };
    EXPECT_OK(::lstat(path.c_str(), &s)) << path;
    return s;
}

bool is_whiteout(std::string const& path)
{
    auto const s = stat_of(path);
    return S_ISCHR(s.st_mode) && s.st_rdev == 0;
}

/// Name to inode number, without the dots.
std::map<std::string, ino_t> listing(std::string const& path)
{
    std::map<std::string, ino_t> names;
    DIR* directory = ::opendir(path.c_str());
    EXPECT_NE(directory, nullptr) << path;
    if (!directory) return names;
    while (dirent* entry = ::readdir(directory)) {
        std::string const name = entry->d_name;
        if (name == "." || name == "..") continue;
        EXPECT_TRUE(names.emplace(name, entry->d_ino).second) << name << " twice";
    }
    ::closedir(directory);
    return names;
}

std::set<std::string> names_in(std::string const& path)
{
    std::set<std::string> names;
    for (auto const& [name, number] : listing(path))
        names.insert(name);
    return names;
}

using Names = std::set<std::string>;

std::string xattr_of(std::string const& path, char const* name)
{
    char value[64];
    ssize_t const n = ::lgetxattr(path.c_str(), name, value, sizeof value);
    return n < 0 ? "error " + std::to_string(errno) : std::string(value, size_t(n));
}

long rename2(std::string const& from, std::string const& to, unsigned flags)
{
    return ::renameat2(AT_FDCWD, from.c_str(), AT_FDCWD, to.c_str(), flags);
}

/// Two lower layers, `above` and `below`, an upper one, and `all`, where they are shown.
class UnionMount : public InOwnMounts {
protected:
    void SetUp() override
    {
        InOwnMounts::SetUp();
        if (IsSkipped() || HasFatalFailure()) return;
        if (read_file("/proc/filesystems").find("\toverlay\n") == std::string::npos)
            SKIP_AS_HOST_LACKS("overlay");
        for (auto const* name : { "above", "below", "upper", "work", "all" })
            make_directory(name);
    }
    int mount_with(std::string const& options, unsigned long flags = 0)
    {
        return ::mount("layers", "all", "overlay", flags, options.c_str());
    }
    void mount_all(std::string const& more = "")
    {
        ASSERT_OK(
            mount_with("lowerdir=above:below,upperdir=upper,workdir=work,redirect_dir=nofollow" + more));
    }
    void mount_again()
    {
        ASSERT_OK(::umount2("all", 0));
        mount_all();
    }
};

TEST_F(UnionMount, upper_hides_lower)
{
    write_file("below/a", "below");
    write_file("above/a", "above");
    write_file("below/b", "below");
    write_file("below/c", "below");
    write_file("upper/c", "upper");
    mount_all();
    EXPECT_EQ(read_file("all/a"), "above");
    EXPECT_EQ(read_file("all/b"), "below");
    EXPECT_EQ(read_file("all/c"), "upper");
    EXPECT_EQ(names_in("all"), (Names { "a", "b", "c" }));
    EXPECT_FALSE(exists("all/d"));
}

TEST_F(UnionMount, directories_merge_and_others_hide)
{
    for (auto const* name : { "above/d", "below/d", "upper/d", "above/x", "below/y" })
        make_directory(name);
    write_file("above/d/1", "");
    write_file("below/d/2", "");
    write_file("upper/d/3", "");
    write_file("below/x", "hidden by a directory");
    write_file("above/y", "hides a directory");
    mount_all();
    EXPECT_EQ(names_in("all/d"), (Names { "1", "2", "3" }));
    EXPECT_TRUE(S_ISDIR(stat_of("all/x").st_mode));
    EXPECT_EQ(read_file("all/y"), "hides a directory");
    EXPECT_EQ(stat_of("all/d").st_nlink, 1u);
}

TEST_F(UnionMount, what_is_written_is_copied)
{
    write_file("below/f", "0123456789", 0640);
    ASSERT_OK(::chown("below/f", 12, 34));
    ASSERT_OK(::setxattr("below/f", "user.mark", "value", 5, 0));
    timespec const times[2] = { { 1000, 1 }, { 2000, 2 } };
    ASSERT_OK(::utimensat(AT_FDCWD, "below/f", times, 0));
    mount_all();
    Fd reader = ::open("all/f", O_RDONLY);
    ASSERT_OK(reader);
    EXPECT_FALSE(exists("upper/f"));
    auto const before = stat_of("all/f");
    Fd writer = ::open("all/f", O_WRONLY);
    ASSERT_OK(writer);
    EXPECT_TRUE(exists("upper/f"));
    auto const copied = stat_of("upper/f");
    EXPECT_EQ(copied.st_mode, S_IFREG | 0640u);
    EXPECT_EQ(copied.st_uid, 12u);
    EXPECT_EQ(copied.st_gid, 34u);
    EXPECT_EQ(copied.st_mtim.tv_sec, 2000);
    EXPECT_EQ(xattr_of("upper/f", "user.mark"), "value");
    ASSERT_EQ(::pwrite(writer, "xx", 2, 4), 2);
    EXPECT_EQ(read_file("all/f"), "0123xx6789");
    EXPECT_EQ(read_file("below/f"), "0123456789");
    char seen[10];
    ASSERT_EQ(::pread(reader, seen, 10, 0), 10);
    EXPECT_EQ(std::string(seen, 10), "0123xx6789") << "an open file goes on with the copy";
    EXPECT_EQ(stat_of("all/f").st_ino, before.st_ino);
    EXPECT_EQ(stat_of("all/f").st_dev, before.st_dev);
}

TEST_F(UnionMount, numbers_are_those_of_the_listing)
{
    write_file("below/f", "x");
    make_directory("below/d");
    mount_all();
    auto check = [] {
        for (auto const& [name, number] : listing("all"))
            EXPECT_EQ(stat_of("all/" + name).st_ino, number) << name;
    };
    check();
    ASSERT_OK(::chmod("all/f", 0600));
    write_file("all/new", "");
    check();
}

TEST_F(UnionMount, attributes_are_changed_in_the_copy)
{
    write_file("below/f", "x");
    make_directory("below/d");
    write_file("below/d/in", "x");
    ASSERT_EQ(::symlink("f", "below/s"), 0);
    mount_all();
    ASSERT_OK(::chmod("all/d/in", 0600));
    EXPECT_EQ(stat_of("upper/d/in").st_mode & 07777, 0600u);
    EXPECT_EQ(stat_of("below/d/in").st_mode & 07777, 0644u);
    ASSERT_OK(::lchown("all/s", 5, 6));
    EXPECT_EQ(stat_of("upper/s").st_uid, 5u);
    ASSERT_OK(::setxattr("all/f", "user.a", "b", 1, 0));
    EXPECT_EQ(xattr_of("upper/f", "user.a"), "b");
    EXPECT_EQ(xattr_of("all/f", "user.a"), "b");
    ASSERT_OK(::truncate("all/f", 100));
    EXPECT_EQ(stat_of("all/f").st_size, 100);
    EXPECT_EQ(stat_of("below/f").st_size, 1);
    EXPECT_ERROR(::removexattr("all/d", "user.none"), ENODATA);
}

TEST_F(UnionMount, truncation_on_open_copies_nothing)
{
    write_file("below/f", "long text");
    mount_all();
    Fd fd = ::open("all/f", O_WRONLY | O_TRUNC);
    ASSERT_OK(fd);
    EXPECT_EQ(stat_of("upper/f").st_size, 0);
    ASSERT_EQ(::write(fd, "ab", 2), 2);
    EXPECT_EQ(stat_of("all/f").st_size, 2);
    Fd more = ::open("all/f", O_WRONLY | O_APPEND);
    ASSERT_EQ(::write(more, "cd", 2), 2);
    EXPECT_EQ(read_file("all/f"), "abcd");
}

TEST_F(UnionMount, removed_names_become_whiteouts)
{
    write_file("below/f", "x");
    write_file("below/g", "x");
    make_directory("below/d");
    write_file("below/d/in", "x");
    mount_all();
    ASSERT_OK(::unlink("all/f"));
    EXPECT_TRUE(is_whiteout("upper/f"));
    EXPECT_FALSE(exists("all/f"));
    EXPECT_TRUE(exists("below/f"));
    ASSERT_OK(::chmod("all/g", 0600));
    ASSERT_OK(::unlink("all/g"));
    EXPECT_TRUE(is_whiteout("upper/g"));
    EXPECT_ERROR(::rmdir("all/d"), ENOTEMPTY);
    ASSERT_OK(::unlink("all/d/in"));
    EXPECT_EQ(names_in("all/d"), Names {});
    ASSERT_OK(::rmdir("all/d"));
    EXPECT_TRUE(is_whiteout("upper/d"));
    EXPECT_EQ(names_in("all"), Names {});
    mount_again();
    EXPECT_EQ(names_in("all"), Names {});
    EXPECT_EQ(names_in("work/work"), Names {});
}

TEST_F(UnionMount, what_was_new_leaves_nothing)
{
    mount_all();
    write_file("all/f", "x");
    make_directory("all/d");
    write_file("all/d/in", "x");
    EXPECT_TRUE(exists("upper/d/in"));
    ASSERT_OK(::unlink("all/d/in"));
    ASSERT_OK(::rmdir("all/d"));
    ASSERT_OK(::unlink("all/f"));
    EXPECT_EQ(names_in("upper"), Names {});
}

TEST_F(UnionMount, names_come_back)
{
    make_directory("below/d");
    write_file("below/d/old", "x");
    write_file("below/f", "old");
    mount_all();
    ASSERT_OK(::unlink("all/f"));
    ASSERT_OK(::unlink("all/d/old"));
    ASSERT_OK(::rmdir("all/d"));
    write_file("all/f", "new", 0600);
    make_directory("all/d");
    EXPECT_EQ(read_file("all/f"), "new");
    EXPECT_EQ(names_in("all/d"), Names {});
    EXPECT_EQ(xattr_of("upper/d", "trusted.overlay.opaque"), "y");
    EXPECT_EQ(xattr_of("all/d", "trusted.overlay.opaque"), "error " + std::to_string(ENODATA));
    write_file("all/d/new", "x");
    mount_again();
    EXPECT_EQ(read_file("all/f"), "new");
    EXPECT_EQ(names_in("all/d"), (Names { "new" }));
    EXPECT_EQ(names_in("work/work"), Names {});
}

TEST_F(UnionMount, marks_are_read)
{
    make_directory("below/d");
    write_file("below/d/hidden", "x");
    make_directory("upper/d");
    write_file("upper/d/shown", "x");
    ASSERT_OK(::setxattr("upper/d", "trusted.overlay.opaque", "y", 1, 0));
    write_file("below/gone", "x");
    ASSERT_OK(::mknod("above/gone", S_IFCHR, 0));
    mount_all();
    EXPECT_EQ(names_in("all/d"), (Names { "shown" }));
    EXPECT_FALSE(exists("all/gone"));
    EXPECT_EQ(names_in("all"), (Names { "d" }));
}

TEST_F(UnionMount, users_marks)
{
    make_directory("below/d");
    write_file("below/d/hidden", "x");
    make_directory("upper/d");
    ASSERT_OK(::setxattr("upper/d", "user.overlay.opaque", "y", 1, 0));
    mount_all(",userxattr");
    EXPECT_EQ(names_in("all/d"), Names {});
    EXPECT_NE(mount_on(at("all")).super_options.find(",userxattr"), std::string::npos);
}

TEST_F(UnionMount, marks_set_through_it_are_not_its_own)
{
    make_directory("upper/d");
    make_directory("below/d");
    write_file("below/d/f", "x");
    mount_all();
    ASSERT_OK(::setxattr("all/d", "trusted.overlay.opaque", "y", 1, 0));
    EXPECT_EQ(xattr_of("all/d", "trusted.overlay.opaque"), "y");
    EXPECT_EQ(xattr_of("upper/d", "trusted.overlay.overlay.opaque"), "y");
    char names[512];
    ssize_t const n = ::listxattr("all/d", names, sizeof names);
    ASSERT_GT(n, 0);
    EXPECT_NE(std::string(names, size_t(n)).find("trusted.overlay.opaque"), std::string::npos);
    mount_again();
    EXPECT_EQ(names_in("all/d"), (Names { "f" }));
}

TEST_F(UnionMount, files_are_renamed)
{
    write_file("below/f", "lower");
    write_file("below/g", "other");
    make_directory("below/d");
    mount_all();
    ASSERT_OK(::rename("all/f", "all/d/moved"));
    EXPECT_TRUE(is_whiteout("upper/f"));
    EXPECT_EQ(read_file("all/d/moved"), "lower");
    EXPECT_FALSE(exists("all/f"));
    ASSERT_OK(::rename("all/d/moved", "all/g"));
    EXPECT_EQ(read_file("all/g"), "lower");
    ASSERT_OK(::rename("all/g", "all/f"));
    EXPECT_EQ(read_file("all/f"), "lower");
    EXPECT_EQ(names_in("all"), (Names { "d", "f" }));
    write_file("all/new", "new");
    EXPECT_ERROR(rename2("all/new", "all/f", kNoReplace), EEXIST);
    EXPECT_ERROR(rename2("all/new", "all/x", kWhiteout), EINVAL);
    ASSERT_OK(rename2("all/new", "all/f", kExchange));
    EXPECT_EQ(read_file("all/f"), "new");
    EXPECT_EQ(read_file("all/new"), "lower");
    mount_again();
    EXPECT_EQ(names_in("all"), (Names { "d", "f", "new" }));
    EXPECT_EQ(names_in("all/d"), Names {});
    EXPECT_EQ(names_in("work/work"), Names {});
}

TEST_F(UnionMount, only_new_directories_are_renamed)
{
    make_directory("below/d");
    make_directory("above/e");
    make_directory("upper/e");
    make_directory("below/empty");
    mount_all();
    EXPECT_ERROR(::rename("all/d", "all/x"), EXDEV);
    EXPECT_ERROR(::rename("all/e", "all/x"), EXDEV);
    make_directory("all/new");
    write_file("all/new/in", "x");
    EXPECT_ERROR(rename2("all/new", "all/d", kExchange), EXDEV);
    ASSERT_OK(::rename("all/new", "all/newer"));
    ASSERT_OK(::rename("all/newer", "all/empty"));
    EXPECT_EQ(names_in("all/empty"), (Names { "in" }));
    EXPECT_FALSE(exists("all/newer"));
    mount_again();
    EXPECT_EQ(names_in("all/empty"), (Names { "in" }));
    EXPECT_EQ(names_in("all"), (Names { "d", "e", "empty" }));
}

TEST_F(UnionMount, a_directory_takes_the_place_of_one_that_was_emptied)
{
    make_directory("below/d");
    write_file("below/d/old", "x");
    mount_all();
    ASSERT_OK(::unlink("all/d/old"));
    make_directory("all/new");
    write_file("all/new/in", "x");
    ASSERT_OK(::rename("all/new", "all/d"));
    EXPECT_EQ(names_in("all/d"), (Names { "in" }));
    mount_again();
    EXPECT_EQ(names_in("all/d"), (Names { "in" }));
}

TEST_F(UnionMount, hard_links)
{
    write_file("below/f", "x");
    mount_all();
    ASSERT_OK(::link("all/f", "all/g"));
    EXPECT_EQ(stat_of("all/f").st_ino, stat_of("all/g").st_ino);
    EXPECT_EQ(stat_of("all/f").st_nlink, 2u);
    EXPECT_TRUE(exists("upper/f"));
    write_file("all/g", "changed");
    EXPECT_EQ(read_file("all/f"), "changed");
    ASSERT_OK(::unlink("all/f"));
    EXPECT_EQ(stat_of("all/g").st_nlink, 1u);
    ASSERT_OK(::link("all/g", "all/f"));
    EXPECT_EQ(read_file("all/f"), "changed");
}

TEST_F(UnionMount, nameless_files)
{
    mount_all();
    Fd fd = ::open("all", O_TMPFILE | O_RDWR, 0600);
    ASSERT_OK(fd);
    ASSERT_EQ(::write(fd, "text", 4), 4);
    EXPECT_EQ(names_in("all"), Names {});
    std::string const self = "/proc/self/fd/" + std::to_string(int(fd));
    ASSERT_OK(::linkat(AT_FDCWD, self.c_str(), AT_FDCWD, "all/named", AT_SYMLINK_FOLLOW));
    EXPECT_EQ(read_file("all/named"), "text");
    EXPECT_TRUE(exists("upper/named"));
}

TEST_F(UnionMount, special_files)
{
    ASSERT_EQ(::mkfifo("below/fifo", 0644), 0);
    ASSERT_EQ(::mknod("below/null", S_IFCHR | 0666, makedev(1, 3)), 0);
    mount_all();
    Fd null = ::open("all/null", O_RDWR);
    ASSERT_OK(null);
    EXPECT_EQ(::write(null, "x", 1), 1);
    EXPECT_FALSE(exists("upper/null")) << "a device is not copied to be written";
    Fd reader = ::open("all/fifo", O_RDONLY | O_NONBLOCK), writer = ::open("all/fifo", O_WRONLY);
    ASSERT_OK(writer);
    EXPECT_EQ(::write(writer, "x", 1), 1);
    ASSERT_OK(::chmod("all/fifo", 0600));
    EXPECT_TRUE(S_ISFIFO(stat_of("upper/fifo").st_mode));
    ASSERT_EQ(::mkfifo("all/new", 0600), 0);
    EXPECT_TRUE(S_ISFIFO(stat_of("upper/new").st_mode));
    ASSERT_EQ(::symlink("target", "all/link"), 0);
    char target[16];
    EXPECT_EQ(::readlink("all/link", target, sizeof target), 6);
}

TEST_F(UnionMount, mapped_files)
{
    write_file("below/f", std::string(5000, 'a'));
    mount_all();
    Fd fd = ::open("all/f", O_RDWR);
    ASSERT_OK(fd);
    auto* p = static_cast<char*>(::mmap(nullptr, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0));
    ASSERT_NE(p, MAP_FAILED);
    p[4500] = 'b';
    char seen = 0;
    EXPECT_EQ(::pread(fd, &seen, 1, 4500), 1);
    EXPECT_EQ(seen, 'b');
    ::munmap(p, 8192);
    EXPECT_EQ(read_file("upper/f")[4500], 'b');
    EXPECT_EQ(read_file("below/f")[4500], 'a');
}

TEST_F(UnionMount, programs_run)
{
    write_file("below/self", read_file("/proc/self/exe"), 0755);
    mount_all();
    pid_t const child = ::fork();
    if (child == 0) {
        ::execl("all/self", "self", "--list", "--gtest_filter=None.none", nullptr);
        ::_exit(126);
    }
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    EXPECT_EQ(status, 0);
    EXPECT_FALSE(exists("upper/self"));
}

TEST_F(UnionMount, groups_are_inherited)
{
    make_directory("below/d");
    ASSERT_OK(::chown("below/d", 0, 77));
    ASSERT_OK(::chmod("below/d", 02775));
    write_file("below/d/f", "x");
    mount_all();
    write_file("all/d/new", "x");
    make_directory("all/d/sub");
    ASSERT_OK(::unlink("all/d/f"));
    write_file("all/d/f", "over a whiteout");
    EXPECT_EQ(stat_of("all/d/new").st_gid, 77u);
    EXPECT_EQ(stat_of("all/d/f").st_gid, 77u);
    EXPECT_EQ(stat_of("all/d/sub").st_gid, 77u);
    EXPECT_TRUE(stat_of("all/d/sub").st_mode & S_ISGID);
}

TEST_F(UnionMount, belongs_to_whoever_makes_it)
{
    make_directory("below/d");
    ASSERT_OK(::chmod("below/d", 0777));
    write_file("below/d/roots", "x", 0644);
    write_file("below/d/secret", "x", 0600);
    mount_all();
    as_ordinary_user([] {
        write_file("all/d/mine", "x");
        EXPECT_ERROR(::open("all/d/roots", O_WRONLY), EACCES);
        EXPECT_ERROR(::open("all/d/secret", O_RDONLY), EACCES);
        EXPECT_ERROR(::chmod("all/d/roots", 0777), EPERM);
        EXPECT_OK(::unlink("all/d/roots"));
    });
    EXPECT_EQ(stat_of("upper/d/mine").st_uid, uid_t(kOrdinaryUser));
    EXPECT_TRUE(is_whiteout("upper/d/roots"));
}

TEST_F(UnionMount, read_only_without_an_upper_directory)
{
    write_file("below/f", "x");
    ASSERT_OK(mount_with("lowerdir=above:below"));
    EXPECT_EQ(read_file("all/f"), "x");
    EXPECT_ERROR(::open("all/f", O_WRONLY), EROFS);
    EXPECT_ERROR(::mkdir("all/d", 0777), EROFS);
    EXPECT_ERROR(::unlink("all/f"), EROFS);
    EXPECT_EQ(mount_on(at("all")).super_options.substr(0, 23), "ro,lowerdir=above:below");
}

TEST_F(UnionMount, shown_options)
{
    mount_all();
    auto const line = mount_on(at("all"));
    EXPECT_EQ(line.type, "overlay");
    EXPECT_EQ(line.source, "layers");
    std::string const wanted = "rw,lowerdir=above:below,upperdir=upper,workdir=work";
    EXPECT_EQ(line.super_options.substr(0, wanted.size()), wanted);
    struct statfs s, below;
    ASSERT_EQ(::statfs("all", &s), 0);
    ASSERT_EQ(::statfs("upper", &below), 0);
    EXPECT_EQ(s.f_type, 0x794c7630);
    EXPECT_EQ(s.f_blocks, below.f_blocks);
    EXPECT_EQ(s.f_namelen, 255);
}

TEST_F(UnionMount, refused_options)
{
    make_directory("below/sub");
    make_directory("upper/sub");
    write_file("file", "");
    auto error_with = [this](std::string const& options) { return error_of(mount_with(options)); };
    EXPECT_EQ(error_with("lowerdir=below"), EINVAL);
    EXPECT_EQ(error_with("upperdir=upper,workdir=work"), EINVAL);
    EXPECT_EQ(error_with("lowerdir=below,upperdir=upper"), EINVAL);
    EXPECT_EQ(error_with("lowerdir=none,upperdir=upper,workdir=work"), ENOENT);
    EXPECT_EQ(error_with("lowerdir=below,upperdir=none,workdir=work"), ENOENT);
    EXPECT_EQ(error_with("lowerdir=file:below"), EINVAL);
    EXPECT_EQ(error_with("lowerdir=:below"), EINVAL);
    EXPECT_EQ(error_with("lowerdir=below:below"), ELOOP);
    EXPECT_EQ(error_with("lowerdir=below:below/sub"), ELOOP);
    EXPECT_EQ(error_with("lowerdir=upper,upperdir=upper,workdir=work"), ELOOP);
    EXPECT_EQ(error_with("lowerdir=below,upperdir=upper,workdir=upper/sub"), EINVAL);
    EXPECT_EQ(error_with("lowerdir=below,upperdir=upper,workdir=work,unknown"), EINVAL);
    make_directory("other");
    make_tmpfs("other");
    make_directory("other/work");
    EXPECT_EQ(error_with("lowerdir=below,upperdir=upper,workdir=other/work"), EINVAL);
    EXPECT_EQ(count_mounts_on(at("all")), 0);
}

TEST_F(UnionMount, layers_one_by_one)
{
    write_file("above/f", "above");
    write_file("below/f", "below");
    write_file("below/g", "below");
    constexpr long open_call = 430, config_call = 431, mount_call = 432, move_call = 429;
    Fd fs = int(::syscall(open_call, "overlay", 0));
    ASSERT_OK(fs);
    auto set = [&](char const* key, std::string const& value) {
        return ::syscall(config_call, int(fs), 1, key, value.c_str(), 0);
    };
    ASSERT_OK(set("lowerdir+", at("above")));
    ASSERT_OK(set("lowerdir+", at("below")));
    ASSERT_OK(set("upperdir", at("upper")));
    ASSERT_OK(set("workdir", at("work")));
    ASSERT_OK(::syscall(config_call, int(fs), 6, nullptr, nullptr, 0));
    Fd tree = int(::syscall(mount_call, int(fs), 0, 0));
    ASSERT_OK(tree);
    ASSERT_OK(::syscall(move_call, int(tree), "", AT_FDCWD, "all", 4));
    EXPECT_EQ(read_file("all/f"), "above");
    EXPECT_EQ(read_file("all/g"), "below");
    std::string const wanted = "lowerdir+=" + at("above") + ",lowerdir+=" + at("below");
    EXPECT_NE(mount_on(at("all")).super_options.find(wanted), std::string::npos);
}

TEST_F(UnionMount, layers_stay_when_their_mount_goes)
{
    make_directory("there");
    make_tmpfs("there");
    write_file("there/f", "x");
    ASSERT_OK(mount_with("lowerdir=there,upperdir=upper,workdir=work"));
    ASSERT_OK(::umount2("there", 0));
    EXPECT_EQ(read_file("all/f"), "x");
    write_file("all/f", "y");
    EXPECT_EQ(read_file("upper/f"), "y");
}

TEST_F(UnionMount, two_unions_and_no_third)
{
    write_file("below/f", "x");
    mount_all();
    for (auto const* name : { "upper2", "work2", "all2", "upper3", "work3", "all3" })
        make_directory(name);
    ASSERT_OK(::mount("l", "all2", "overlay", 0, "lowerdir=all,upperdir=upper2,workdir=work2"));
    write_file("all2/f", "second");
    EXPECT_EQ(read_file("all/f"), "x");
    EXPECT_EQ(read_file("all2/f"), "second");
    EXPECT_ERROR(::mount("l", "all3", "overlay", 0, "lowerdir=all2,upperdir=upper3,workdir=work3"), EINVAL);
    ASSERT_OK(::umount2("all2", 0));
}

TEST_F(UnionMount, unlinked_files_stay_open)
{
    write_file("below/f", "text");
    mount_all();
    Fd fd = ::open("all/f", O_RDONLY), writer = ::open("all/f", O_RDWR);
    ASSERT_OK(::unlink("all/f"));
    ASSERT_EQ(::pwrite(writer, "TE", 2, 0), 2);
    char seen[4];
    ASSERT_EQ(::pread(fd, seen, 4, 0), 4);
    EXPECT_EQ(std::string(seen, 4), "TExt");
    EXPECT_OK(::ftruncate(writer, 1));
    EXPECT_OK(::fchmod(writer, 0600));
}

TEST_F(UnionMount, deep_trees)
{
    constexpr int depth = 1500;
    make_directory("below/d");
    auto descend = [](char const* from, bool make) {
        ASSERT_OK(::chdir(from));
        for (int i = 0; i < depth; ++i) {
            if (make) {
                ASSERT_OK(::mkdir("d", 0755));
            }
            ASSERT_OK(::chdir("d"));
        }
    };
    descend("below/d", true);
    write_file("f", "x");
    ASSERT_OK(::chdir(top_.c_str()));
    mount_all();
    descend("all/d", false);
    ASSERT_OK(::chmod("f", 0600));
    ASSERT_OK(::chdir(top_.c_str()));
    descend("upper/d", false);
    EXPECT_EQ(stat_of("f").st_mode & 07777, 0600u);
    ASSERT_OK(::chdir(top_.c_str()));
    ASSERT_OK(::umount2("all", 0));
    // What nobody has copied goes all at once.
    ASSERT_OK(mount_with("lowerdir=below:above"));
    descend("all/d", false);
    Fd deep = ::open("f", O_RDONLY);
    ASSERT_OK(::chdir(top_.c_str()));
    ASSERT_OK(deep);
}

TEST_F(UnionMount, makers_and_removers_together)
{
    for (int i = 0; i < 8; ++i)
        write_file("below/f" + std::to_string(i), "lower");
    make_directory("below/d");
    mount_all();
    std::vector<pid_t> children;
    for (int seed = 1; seed <= 4; ++seed) {
        pid_t const child = ::fork();
        if (child == 0) {
            unsigned random = unsigned(seed) * 2654435761u;
            for (int i = 0; i < 400; ++i) {
                random = random * 1664525 + 1013904223;
                std::string const name = "f" + std::to_string(random >> 28 & 7);
                std::string const place = (random >> 20 & 1) ? "all/d/" : "all/", other = "all/d/" + name;
                errno = 0;
                switch (random >> 16 & 7) {
                case 0:
                    ::unlink((place + name).c_str());
                    break;
                case 1:
                    ::rename((place + name).c_str(), other.c_str());
                    break;
                case 2:
                    ::link((place + name).c_str(), other.c_str());
                    break;
                case 3:
                    ::chmod((place + name).c_str(), 0600);
                    break;
                case 4:
                    rename2(place + name, other, kExchange);
                    break;
                default: {
                    int const fd = ::open((place + name).c_str(), O_RDWR | O_CREAT, 0644);
                    if (fd >= 0) {
                        (void)!::write(fd, name.data(), name.size());
                        ::close(fd);
                    }
                }
                }
                if (errno && errno != ENOENT && errno != EEXIST) ::_exit(errno);
            }
            ::_exit(0);
        }
        children.push_back(child);
    }
    for (pid_t child : children) {
        int status = 0;
        ASSERT_EQ(::waitpid(child, &status, 0), child);
        EXPECT_EQ(status, 0) << std::strerror(status >> 8);
    }
    auto const top = names_in("all"), deep = names_in("all/d");
    mount_again();
    EXPECT_EQ(names_in("all"), top);
    EXPECT_EQ(names_in("all/d"), deep);
    EXPECT_EQ(names_in("work/work"), Names {});
}

TEST_F(UnionMount, names_go_while_they_are_listed)
{
    for (int i = 0; i < 50; ++i) {
        write_file("below/f" + std::to_string(i), "x");
        write_file("upper/g" + std::to_string(i), "x");
    }
    mount_all();
    DIR* directory = ::opendir("all");
    ASSERT_NE(directory, nullptr);
    int count = 0;
    while (dirent* entry = ::readdir(directory)) {
        std::string const name = entry->d_name;
        if (name == "." || name == "..") continue;
        ++count;
        EXPECT_OK(::unlink(("all/" + name).c_str()));
    }
    ::closedir(directory);
    EXPECT_EQ(count, 100);
    EXPECT_EQ(names_in("all"), Names {});
}

} // namespace
} // namespace abi_test
