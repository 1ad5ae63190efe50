// SPDX-License-Identifier: GPL-2.0-or-later
// Permissions and the errors of the calls that change names and attributes.
#include "core/vfs/operations.h"

#include "core/vfs/test-kernel.h"

namespace umbra {

using namespace vfs;

class OperationsTest : public test::FileTest {
protected:
    Errno open_error(std::string_view path, u32 flags, u32 mode = 0644)
    {
        return error_of(open(path, flags, mode));
    }
    Errno rename_error(std::string_view from, std::string_view to, u32 flags = 0)
    {
        return error_of(vfs::rename(task, at(from), at(to), flags));
    }
    Errno unlink_error(std::string_view path) { return error_of(vfs::unlink(task, at(path))); }
    Errno rmdir_error(std::string_view path) { return error_of(vfs::rmdir(task, at(path))); }
    Errno mkdir_error(std::string_view path) { return error_of(vfs::mkdir(task, at(path), 0755)); }
    Errno chmod_error(std::string_view path, u32 mode)
    {
        return error_of(vfs::change_mode(task, walk(path).value(), mode));
    }
    Errno chown_error(std::string_view path, u32 uid, u32 gid)
    {
        return error_of(vfs::change_owner(task, walk(path).value(), uid, gid));
    }
};

TEST_F(OperationsTest, ModeBitsByOwnerGroupAndOthers)
{
    write_file("/file", "x", 0640);
    ASSERT_EQ(chown_error("/file", 1000, 100), Errno {});
    become(1000, 1);
    EXPECT_EQ(open_error("/file", abi::o_rdwr), Errno {});
    become(1001, 100);
    EXPECT_EQ(open_error("/file", abi::o_rdonly), Errno {});
    EXPECT_EQ(open_error("/file", abi::o_wronly), err::acces);
    become(1001, 1, { 100 });
    EXPECT_EQ(open_error("/file", abi::o_rdonly), Errno {});
    become(1001, 1);
    EXPECT_EQ(open_error("/file", abi::o_rdonly), err::acces);
}

TEST_F(OperationsTest, TheOwnersBitsCountEvenWhereOthersHaveMore)
{
    write_file("/file", "x", 0066);
    ASSERT_EQ(chown_error("/file", 1000, 100), Errno {});
    become(1000, 100);
    EXPECT_EQ(open_error("/file", abi::o_rdonly), err::acces);
    become(1001, 100);
    EXPECT_EQ(open_error("/file", abi::o_rdonly), Errno {});
}

TEST_F(OperationsTest, RootReadsAllButExecutesOnlyExecutables)
{
    write_file("/file", "x", 0);
    auto place = walk("/file").value();
    EXPECT_EQ(error_of(check_access(task, place, abi::r_ok | abi::w_ok)), Errno {});
    EXPECT_EQ(error_of(check_access(task, place, abi::x_ok)), err::acces);
    ASSERT_EQ(chmod_error("/file", 001), Errno {});
    EXPECT_EQ(error_of(check_access(task, place, abi::x_ok)), Errno {});
}

TEST_F(OperationsTest, OpenFlags)
{
    write_file("/file", "x");
    mkdir("/dir");
    symlink("file", "/link");
    symlink("new", "/dangling");
    EXPECT_EQ(open_error("/file", abi::o_creat | abi::o_excl), err::exist);
    EXPECT_EQ(open_error("/link", abi::o_creat | abi::o_excl), err::exist);
    EXPECT_EQ(open_error("/dangling", abi::o_creat | abi::o_excl), err::exist);
    EXPECT_EQ(open_error("/link", abi::o_nofollow), err::loop);
    EXPECT_EQ(open_error("/link", abi::o_nofollow | abi::o_directory), err::notdir);
    EXPECT_TRUE(open("/link", abi::o_nofollow | abi::o_path).value()->inode().is_symlink());
    EXPECT_EQ(open_error("/file", abi::o_directory), err::notdir);
    EXPECT_EQ(open_error("/dir", abi::o_wronly), err::isdir);
    EXPECT_EQ(open_error("/dir", abi::o_rdonly | abi::o_creat), err::isdir);
    EXPECT_EQ(open_error("/dir", abi::o_rdonly | abi::o_trunc), err::isdir);
    EXPECT_EQ(open_error("/dir/", abi::o_rdonly | abi::o_creat), err::isdir);
    EXPECT_EQ(open_error("/none/", abi::o_rdwr | abi::o_creat), err::isdir);
    EXPECT_EQ(open_error("/dir", abi::o_creat | abi::o_directory), err::inval);
    EXPECT_EQ(open_error("/file/x", abi::o_rdwr | abi::o_creat), err::notdir);
    EXPECT_EQ(open_error("/dir/.", abi::o_creat | abi::o_excl), err::exist);
    EXPECT_EQ(open_error("/dangling", abi::o_rdwr | abi::o_creat), Errno {});
    EXPECT_TRUE(stat("/new").nlink == 1);
}

TEST_F(OperationsTest, CreatedFilesNeedNoPermissionOfTheirOwn)
{
    mkdir("/tmp", 0777);
    become(1000, 1000);
    EXPECT_EQ(open_error("/tmp/file", abi::o_rdwr | abi::o_creat, 0), Errno {});
    EXPECT_EQ(open_error("/tmp/file", abi::o_rdwr | abi::o_creat, 0), err::acces);
    EXPECT_EQ(open_error("/file", abi::o_rdwr | abi::o_creat), err::acces);
}

TEST_F(OperationsTest, TruncationNeedsWritePermission)
{
    write_file("/file", "text", 0444);
    become(1000, 1000);
    EXPECT_EQ(open_error("/file", abi::o_rdonly | abi::o_trunc), err::acces);
    EXPECT_EQ(read_file("/file"), "text");
    become(0, 0);
    EXPECT_EQ(open_error("/file", abi::o_rdonly | abi::o_trunc), Errno {});
    EXPECT_EQ(read_file("/file"), "");
}

TEST_F(OperationsTest, NamelessFiles)
{
    mkdir("/tmp");
    EXPECT_EQ(open_error("/tmp", abi::o_tmpfile | abi::o_rdonly), err::inval);
    auto file = open("/tmp", abi::o_tmpfile | abi::o_rdwr).value();
    EXPECT_EQ(file->inode().attributes().nlink, 0u);
    auto name = "/tmp/#" + std::to_string(file->inode().number()) + " (deleted)";
    EXPECT_EQ(path_to_string(*file->path(), task.fs().root), name);
    EXPECT_EQ(error_of(vfs::link(task, { *file->path(), "" }, at("/tmp/name"), false, true)), Errno {});
    EXPECT_EQ(stat("/tmp/name").nlink, 1u);
    auto exclusive = open("/tmp", abi::o_tmpfile | abi::o_rdwr | abi::o_excl).value();
    EXPECT_EQ(
        error_of(vfs::link(task, { *exclusive->path(), "" }, at("/tmp/other"), false, true)), err::noent);
}

TEST_F(OperationsTest, RunningProgramsCannotBeWritten)
{
    write_file("/program", "x", 0755);
    auto& inode = walk("/program").value().inode();
    {
        auto writer = open("/program", abi::o_wronly).value();
        EXPECT_EQ(error_of(deny_write(inode)), err::txtbsy);
    }
    ASSERT_TRUE(deny_write(inode).ok());
    EXPECT_EQ(open_error("/program", abi::o_wronly), err::txtbsy);
    EXPECT_EQ(open_error("/program", abi::o_rdonly | abi::o_trunc), err::txtbsy);
    EXPECT_EQ(error_of(vfs::truncate(task, walk("/program").value(), 0)), err::txtbsy);
    allow_write(inode);
    EXPECT_EQ(open_error("/program", abi::o_wronly), Errno {});
}

TEST_F(OperationsTest, ReadOnlyMounts)
{
    mkdir("/mnt");
    mount_tmpfs("/mnt");
    write_file("/mnt/file", "x");
    walk("/mnt").value().mount->set_flags(kMountReadOnly);
    EXPECT_EQ(open_error("/mnt/file", abi::o_wronly), err::rofs);
    EXPECT_EQ(open_error("/mnt/file", abi::o_rdonly | abi::o_trunc), err::rofs);
    EXPECT_EQ(open_error("/mnt/new", abi::o_rdwr | abi::o_creat), err::rofs);
    EXPECT_EQ(open_error("/mnt/file", abi::o_rdonly | abi::o_creat), Errno {});
    EXPECT_EQ(mkdir_error("/mnt/new"), err::rofs);
    EXPECT_EQ(mkdir_error("/mnt/file"), err::exist);
    EXPECT_EQ(unlink_error("/mnt/file"), err::rofs);
    EXPECT_EQ(rename_error("/mnt/file", "/mnt/x"), err::rofs);
    EXPECT_EQ(chmod_error("/mnt/file", 0600), err::rofs);
    EXPECT_EQ(error_of(check_access(task, walk("/mnt/file").value(), abi::w_ok)), err::rofs);
    EXPECT_EQ(error_of(change_times(task, walk("/mnt/file").value(), nullptr)), err::rofs);
}

TEST_F(OperationsTest, SpecialLastNames)
{
    mkdir("/dir");
    mkdir("/dir/sub");
    EXPECT_EQ(mkdir_error("/"), err::exist);
    EXPECT_EQ(mkdir_error("/dir/."), err::exist);
    EXPECT_EQ(mkdir_error("/dir/.."), err::exist);
    EXPECT_EQ(mkdir_error("/dir/slash/"), Errno {});
    EXPECT_EQ(rmdir_error("/dir/."), err::inval);
    EXPECT_EQ(rmdir_error("/dir/sub/.."), err::notempty);
    EXPECT_EQ(rmdir_error("/"), err::busy);
    EXPECT_EQ(unlink_error("/dir/."), err::isdir);
    EXPECT_EQ(rename_error("/dir/.", "/x"), err::busy);
    EXPECT_EQ(rename_error("/dir", "/dir/.."), err::busy);
    EXPECT_EQ(error_of(vfs::mknod(task, at("/node/"), abi::s_ifreg, 0)), err::noent);
    EXPECT_EQ(error_of(vfs::symlink(task, "", at("/l"))), err::noent);
}

TEST_F(OperationsTest, Removing)
{
    mkdir("/dir");
    write_file("/dir/file", "x");
    EXPECT_EQ(rmdir_error("/dir"), err::notempty);
    EXPECT_EQ(unlink_error("/dir"), err::isdir);
    EXPECT_EQ(unlink_error("/dir/file/"), err::notdir);
    EXPECT_EQ(rmdir_error("/dir/file"), err::notdir);
    EXPECT_EQ(unlink_error("/none"), err::noent);
    EXPECT_EQ(unlink_error("/dir/file"), Errno {});
    EXPECT_EQ(open_error("/dir/file", abi::o_rdonly), err::noent);
    EXPECT_EQ(rmdir_error("/dir/"), Errno {});
    mkdir("/mnt");
    mount_tmpfs("/mnt");
    EXPECT_EQ(rmdir_error("/mnt"), err::busy);
    EXPECT_EQ(rename_error("/mnt", "/x"), err::busy);
}

TEST_F(OperationsTest, StickyDirectories)
{
    mkdir("/tmp");
    ASSERT_EQ(chmod_error("/tmp", 01777), Errno {});
    become(1000, 1000);
    write_file("/tmp/file", "x", 0666);
    become(1001, 1001);
    EXPECT_EQ(unlink_error("/tmp/file"), err::perm);
    EXPECT_EQ(rename_error("/tmp/file", "/tmp/mine"), err::perm);
    write_file("/tmp/mine", "y");
    EXPECT_EQ(rename_error("/tmp/mine", "/tmp/file"), err::perm);
    become(1000, 1000);
    EXPECT_EQ(unlink_error("/tmp/file"), Errno {});
    become(0, 0);
    EXPECT_EQ(unlink_error("/tmp/mine"), Errno {});
}

TEST_F(OperationsTest, Renaming)
{
    mkdir("/d");
    mkdir("/d/e");
    mkdir("/full");
    write_file("/full/x", "1");
    write_file("/f", "2");
    write_file("/g", "3");
    EXPECT_EQ(rename_error("/none", "/x"), err::noent);
    EXPECT_EQ(rename_error("/d", "/d/e/x"), err::inval);
    EXPECT_EQ(rename_error("/d", "/d"), Errno {});
    EXPECT_EQ(rename_error("/d/e", "/d"), err::notempty);
    EXPECT_EQ(rename_error("/d", "/full"), err::notempty);
    EXPECT_EQ(rename_error("/f", "/d"), err::isdir);
    EXPECT_EQ(rename_error("/d", "/f"), err::notdir);
    EXPECT_EQ(rename_error("/f", "/new/"), err::notdir);
    EXPECT_EQ(rename_error("/f", "/g", abi::rename_noreplace), err::exist);
    EXPECT_EQ(rename_error("/f", "/g", abi::rename_noreplace | abi::rename_exchange), err::inval);
    EXPECT_EQ(rename_error("/f", "/none", abi::rename_exchange), err::noent);
    EXPECT_EQ(rename_error("/f", "/g"), Errno {});
    EXPECT_EQ(read_file("/g"), "2");
    EXPECT_EQ(open_error("/f", abi::o_rdonly), err::noent);
    EXPECT_EQ(rename_error("/d/e", "/d/e2/"), Errno {});
    EXPECT_EQ(rename_error("/g", "/d", abi::rename_exchange), Errno {});
    EXPECT_EQ(read_file("/d"), "2");
    EXPECT_EQ(where("/g/e2"), "/g/e2");
}

TEST_F(OperationsTest, RenamingBetweenNamesOfOneFileDoesNothing)
{
    write_file("/a", "1");
    ASSERT_TRUE(vfs::link(task, at("/a"), at("/b"), false, false).ok());
    EXPECT_EQ(rename_error("/a", "/b"), Errno {});
    EXPECT_EQ(read_file("/a"), "1");
    EXPECT_EQ(stat("/b").nlink, 2u);
}

TEST_F(OperationsTest, HardLinks)
{
    write_file("/a", "1");
    mkdir("/d");
    symlink("a", "/s");
    EXPECT_EQ(error_of(vfs::link(task, at("/d"), at("/d2"), false, false)), err::perm);
    EXPECT_EQ(error_of(vfs::link(task, at("/a"), at("/d"), false, false)), err::exist);
    EXPECT_EQ(error_of(vfs::link(task, at("/s"), at("/s2"), false, false)), Errno {});
    EXPECT_EQ(stat("/s2", false).nlink, 2u);
    EXPECT_EQ(error_of(vfs::link(task, at("/s"), at("/a2"), true, false)), Errno {});
    EXPECT_EQ(stat("/a2").nlink, 2u);
}

TEST_F(OperationsTest, SetGroupIdDirectoriesGiveTheirGroup)
{
    mkdir("/shared");
    ASSERT_EQ(chown_error("/shared", 0, 77), Errno {});
    ASSERT_EQ(chmod_error("/shared", 02777), Errno {});
    become(1000, 1000);
    write_file("/shared/file", "x", 02755);
    mkdir("/shared/sub");
    EXPECT_EQ(stat("/shared/file").gid, 77u);
    EXPECT_EQ(stat("/shared/file").mode & 07777, 0755u); // not a member: no set-group-id program
    EXPECT_EQ(stat("/shared/sub").gid, 77u);
    EXPECT_TRUE(stat("/shared/sub").mode & abi::s_isgid);
}

TEST_F(OperationsTest, ChangingModeAndOwner)
{
    write_file("/file", "x", 0755);
    ASSERT_EQ(chown_error("/file", 1000, 1000), Errno {});
    ASSERT_EQ(chmod_error("/file", 06755), Errno {});
    become(1001, 1001);
    EXPECT_EQ(chmod_error("/file", 0777), err::perm);
    become(1000, 1000, { 50 });
    EXPECT_EQ(chown_error("/file", 1001, ~0u), err::perm);
    EXPECT_EQ(chown_error("/file", ~0u, 51), err::perm);
    EXPECT_EQ(chown_error("/file", 1000, 50), Errno {});
    EXPECT_EQ(stat("/file").mode & 07777, 0755u);
    become(1000, 1000);
    EXPECT_EQ(chmod_error("/file", 02755), Errno {});
    EXPECT_EQ(stat("/file").mode & 07777, 0755u); // group 50 is not the caller's
}

TEST_F(OperationsTest, WritingTakesPrivilegesAway)
{
    write_file("/file", "x", 0777);
    ASSERT_EQ(chmod_error("/file", 06777), Errno {});
    write_file("/file", "root", 0777);
    EXPECT_EQ(stat("/file").mode & 07777, 06777u);
    become(1000, 1000);
    write_file("/file", "user", 0777);
    EXPECT_EQ(stat("/file").mode & 07777, 0777u);
}

TEST_F(OperationsTest, SettingTimes)
{
    constexpr i64 omit = (1 << 30) - 2;
    write_file("/file", "x", 0666);
    auto place = walk("/file").value();
    abi::Timespec times[] = { { 5, 6 }, { 0, omit } };
    platform.advance(kNanosecondsPerSecond);
    ASSERT_EQ(error_of(change_times(task, place, times)), Errno {});
    EXPECT_EQ(stat("/file").atime, (abi::Timespec { 5, 6 }));
    EXPECT_EQ(stat("/file").mtime.sec, 1'000'000);
    EXPECT_EQ(stat("/file").ctime.sec, 1'000'001);
    times[0].nsec = 1'000'000'000;
    EXPECT_EQ(error_of(change_times(task, place, times)), err::inval);
    times[0].nsec = 0;
    become(1000, 1000);
    EXPECT_EQ(error_of(change_times(task, place, times)), err::perm);
    EXPECT_EQ(error_of(change_times(task, place, nullptr)), Errno {});
    ASSERT_EQ((become(0, 0), chmod_error("/file", 0444)), Errno {});
    become(1000, 1000);
    EXPECT_EQ(error_of(change_times(task, place, nullptr)), err::acces);
}

TEST_F(OperationsTest, ExtendedAttributes)
{
    write_file("/file", "x", 0644);
    auto place = walk("/file").value();
    EXPECT_EQ(error_of(set_xattr(task, place, "user.a", "1", 0)), Errno {});
    EXPECT_EQ(error_of(set_xattr(task, place, "user.a", "2", 1)), err::exist);
    EXPECT_EQ(error_of(set_xattr(task, place, "user.b", "2", 2)), err::nodata);
    EXPECT_EQ(error_of(set_xattr(task, place, "trusted.t", "3", 0)), Errno {});
    EXPECT_EQ(error_of(set_xattr(task, place, "other.t", "3", 0)), err::opnotsupp);
    EXPECT_EQ(get_xattr(task, place.inode(), "user.a").value(), "1");
    EXPECT_EQ(list_xattrs(task, place.inode()).value(), std::string("trusted.t\0user.a\0", 17));
    become(1000, 1000);
    EXPECT_EQ(get_xattr(task, place.inode(), "user.a").value(), "1");
    EXPECT_EQ(error_of(get_xattr(task, place.inode(), "trusted.t")), err::nodata);
    EXPECT_EQ(error_of(set_xattr(task, place, "trusted.t", "", 0)), err::perm);
    EXPECT_EQ(error_of(set_xattr(task, place, "user.a", "", 0)), err::acces);
    EXPECT_EQ(error_of(set_xattr(task, place, "security.x", "", 0)), err::perm);
    EXPECT_EQ(list_xattrs(task, place.inode()).value(), std::string("user.a\0", 7));
    become(0, 0);
    EXPECT_EQ(error_of(remove_xattr(task, place, "user.a")), Errno {});
    EXPECT_EQ(error_of(remove_xattr(task, place, "user.a")), err::nodata);
    symlink("file", "/link");
    EXPECT_EQ(error_of(set_xattr(task, walk("/link", { .follow_last = false }).value(), "user.a", "", 0)),
        err::perm);
}

TEST_F(OperationsTest, RelativeAccessTime)
{
    write_file("/file", "x");
    auto atime = [&] { return stat("/file").atime.sec; };
    platform.advance(kNanosecondsPerSecond);
    read_file("/file");
    EXPECT_EQ(atime(), 1'000'001); // was not newer than the modification
    platform.advance(kNanosecondsPerSecond);
    read_file("/file");
    EXPECT_EQ(atime(), 1'000'001);
    platform.advance(24 * 3600 * kNanosecondsPerSecond);
    read_file("/file");
    EXPECT_EQ(atime(), 1'086'402);
}

} // namespace umbra
