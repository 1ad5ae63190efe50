// SPDX-License-Identifier: GPL-2.0-or-later
// Path walk against path_resolution(7) and openat2(2).
#include "core/vfs/walker.h"

#include "core/vfs/dentry-cache.h"
#include "core/vfs/test-kernel.h"

namespace umbra {

class WalkTest : public test::FileTest {
protected:
    WalkTest()
    {
        mkdir("/a");
        mkdir("/a/b");
        write_file("/a/b/file", "text");
    }
    Errno resolve_error(std::string_view path, u64 resolve)
    {
        return walk_error(path, { .resolve = resolve });
    }
    void enter(std::string_view path) { task.fs().cwd = walk(path).value(); }
};

TEST_F(WalkTest, PlainNames)
{
    EXPECT_EQ(where("/a/b/file"), "/a/b/file");
    EXPECT_EQ(where("//a///b/./file"), "/a/b/file");
    EXPECT_EQ(where("/"), "/");
    EXPECT_EQ(where("/a/../a/b/.."), "/a");
    EXPECT_EQ(where("/../../a"), "/a");
    enter("/a/b");
    EXPECT_EQ(where("file"), "/a/b/file");
    EXPECT_EQ(where("../.."), "/");
}

TEST_F(WalkTest, Errors)
{
    EXPECT_EQ(walk_error(""), err::noent);
    EXPECT_EQ(walk_error("/none"), err::noent);
    EXPECT_EQ(walk_error("/none/x"), err::noent);
    EXPECT_EQ(walk_error("/a/b/file/x"), err::notdir);
    EXPECT_EQ(walk_error("/a/b/file/"), err::notdir);
    EXPECT_EQ(walk_error("/a/b/file/."), err::notdir);
    EXPECT_EQ(walk_error("/a/b/file/.."), err::notdir);
    EXPECT_EQ(walk_error("/" + std::string(256, 'x')), err::nametoolong);
    EXPECT_EQ(walk_error("/" + std::string(255, 'x')), err::noent);
    EXPECT_EQ(walk_error("/a/b/file", { .want_directory = true }), err::notdir);
}

TEST_F(WalkTest, EmptyPathIsTheBaseWhereAllowed)
{
    enter("/a");
    auto place = walk("", { .allow_empty = true });
    ASSERT_TRUE(place.ok());
    EXPECT_EQ(place.value(), task.fs().cwd);
}

TEST_F(WalkTest, SymbolicLinks)
{
    symlink("b", "/a/relative");
    symlink("/a/b", "/absolute");
    symlink("a/relative/file", "/chain");
    symlink("nowhere", "/dangling");
    symlink("/", "/top");
    EXPECT_EQ(where("/a/relative/file"), "/a/b/file");
    EXPECT_EQ(where("/absolute/../b/file"), "/a/b/file");
    EXPECT_EQ(where("/chain"), "/a/b/file");
    EXPECT_EQ(where("/top/a"), "/a");
    EXPECT_EQ(where("/top"), "/");
    EXPECT_EQ(walk_error("/dangling"), err::noent);
    EXPECT_EQ(walk_error("/chain/"), err::notdir);
    EXPECT_TRUE(walk("/absolute", { .follow_last = false }).value().inode().is_symlink());
    // A trailing slash follows the link even so.
    EXPECT_TRUE(walk("/absolute/", { .follow_last = false }).value().inode().is_directory());
}

TEST_F(WalkTest, FortyLinksAreFollowedAndOneMoreIsALoop)
{
    symlink("/a/b/file", "/link0");
    for (int i = 1; i <= 40; ++i)
        symlink("/link" + std::to_string(i - 1), "/link" + std::to_string(i));
    EXPECT_EQ(where("/link39"), "/a/b/file");
    EXPECT_EQ(walk_error("/link40"), err::loop);
    symlink("self", "/self");
    EXPECT_EQ(walk_error("/self"), err::loop);
    EXPECT_EQ(walk_error("/self/x"), err::loop);
}

TEST_F(WalkTest, SearchPermissionIsNeededOnEveryDirectory)
{
    mkdir("/closed", 0700);
    mkdir("/closed/in");
    mkdir("/group", 0710);
    ASSERT_TRUE(vfs::change_owner(task, walk("/group").value(), 0, 50).ok());
    become(1000, 1000, { 50 });
    EXPECT_EQ(walk_error("/closed/in"), err::acces);
    EXPECT_EQ(walk_error("/closed/none"), err::acces);
    EXPECT_EQ(walk_error("/closed/."), err::acces);
    EXPECT_EQ(where("/closed"), "/closed");
    EXPECT_EQ(walk_error("/group/none"), err::noent);
}

TEST_F(WalkTest, MountsAreCrossedBothWays)
{
    mount_tmpfs("/a/b");
    EXPECT_EQ(walk_error("/a/b/file"), err::noent);
    mkdir("/a/b/in");
    mount_tmpfs("/a/b"); // on top of the first
    EXPECT_EQ(walk_error("/a/b/in"), err::noent);
    mkdir("/a/b/top");
    EXPECT_EQ(where("/a/b/top/../.."), "/a");
    EXPECT_EQ(where("/a/b/top"), "/a/b/top");
    auto& mounts = *task.fs().mounts;
    auto unmount = [&] {
        Ref<vfs::Mount> mount = walk("/a/b").value().mount;
        return error_of(mounts.detach(*mount, false));
    };
    auto inside = walk("/a/b/top");
    EXPECT_EQ(unmount(), err::busy);
    inside = err::noent;
    EXPECT_EQ(unmount(), Errno {});
    EXPECT_EQ(where("/a/b/in"), "/a/b/in");
    EXPECT_EQ(unmount(), Errno {});
    EXPECT_EQ(where("/a/b/file"), "/a/b/file");
}

TEST_F(WalkTest, BindMountsShowAPart)
{
    mkdir("/view");
    auto& mounts = *task.fs().mounts;
    ASSERT_TRUE(mounts.bind(walk("/a/b").value(), walk("/view").value(), true).ok());
    EXPECT_EQ(where("/view/file"), "/view/file");
    EXPECT_EQ(where("/view/.."), "/");
    EXPECT_EQ(&walk("/view/file").value().inode(), &walk("/a/b/file").value().inode());
    EXPECT_EQ(error_of(vfs::link(task, at("/a/b/file"), at("/view/x"), false, false)), err::xdev);
    EXPECT_EQ(error_of(vfs::rename(task, at("/a/b/file"), at("/view/x"), 0)), err::xdev);
}

TEST_F(WalkTest, ChrootIsABoundary)
{
    symlink("/b/file", "/a/absolute");
    task.fs().root = walk("/a").value();
    EXPECT_EQ(where("/../../b"), "/b");
    EXPECT_EQ(where("/absolute"), "/b/file");
    // A directory outside, held by the working directory: ".." goes up to the real root.
    EXPECT_EQ(where(".."), "(unreachable)/");
}

TEST_F(WalkTest, ResolveFlags)
{
    symlink("b/file", "/a/inner");
    symlink("/a/b", "/a/absolute");
    symlink("../..", "/a/b/up");
    mkdir("/a/mnt");
    mount_tmpfs("/a/mnt");
    enter("/a");
    EXPECT_EQ(resolve_error("inner", vfs::kResolveBeneath), Errno {});
    EXPECT_EQ(resolve_error("b/../b", vfs::kResolveBeneath), Errno {});
    EXPECT_EQ(resolve_error("..", vfs::kResolveBeneath), err::xdev);
    EXPECT_EQ(resolve_error("b/up", vfs::kResolveBeneath), err::xdev);
    EXPECT_EQ(resolve_error("absolute", vfs::kResolveBeneath), err::xdev);
    EXPECT_EQ(resolve_error("/a", vfs::kResolveBeneath), err::xdev);
    EXPECT_EQ(resolve_error("inner", vfs::kResolveNoSymlinks), err::loop);
    EXPECT_EQ(resolve_error("mnt", vfs::kResolveNoXdev), err::xdev);
    EXPECT_EQ(resolve_error("b", vfs::kResolveNoXdev), Errno {});
    // The base is the root: "/" and ".." stay in it.
    auto in_root = [&](std::string_view path) {
        auto place = vfs::walk(task, task.fs().cwd, path, { .resolve = vfs::kResolveInRoot });
        return place.ok() ? vfs::path_to_string(place.value(), task.fs().root) : errno_name(place.error());
    };
    EXPECT_EQ(in_root("/b"), "/a/b");
    EXPECT_EQ(in_root("../../b"), "/a/b");
    EXPECT_EQ(in_root("absolute"), "ENOENT");
}

TEST_F(WalkTest, CachedOnlyDoesNotAskTheFileSystem)
{
    kernel.dentries().shrink(~u64 { 0 });
    EXPECT_EQ(resolve_error("/a/b/file", vfs::kResolveCached), err::again);
    EXPECT_EQ(where("/a/b/file"), "/a/b/file");
    EXPECT_EQ(resolve_error("/a/b/file", vfs::kResolveCached), Errno {});
}

TEST_F(WalkTest, DeletedPlacesSaySo)
{
    auto file = open("/a/b/file", abi::o_rdonly).value();
    ASSERT_TRUE(vfs::unlink(task, at("/a/b/file")).ok());
    EXPECT_EQ(vfs::path_to_string(*file->path(), task.fs().root), "/a/b/file (deleted)");
    enter("/a/b");
    ASSERT_TRUE(vfs::rmdir(task, at("/a/b")).ok());
    EXPECT_EQ(walk_error("file"), err::noent);
    EXPECT_EQ(error_of(vfs::mkdir(task, at("x"), 0755)), err::noent);
    EXPECT_EQ(where(".."), "/a");
}

TEST_F(WalkTest, RenameCarriesThePathsBelow)
{
    auto file = open("/a/b/file", abi::o_rdonly).value();
    ASSERT_TRUE(vfs::rename(task, at("/a/b"), at("/c"), 0).ok());
    EXPECT_EQ(vfs::path_to_string(*file->path(), task.fs().root), "/c/file");
    EXPECT_EQ(walk_error("/a/b"), err::noent);
    EXPECT_EQ(where("/c/.."), "/");
}

TEST_F(WalkTest, UnusedDentriesAreBounded)
{
    for (int i = 0; i < 10'000; ++i)
        EXPECT_EQ(walk_error("/a/none" + std::to_string(i)), err::noent);
    EXPECT_LE(kernel.dentries().unused(), vfs::DentryCache::kMaxUnused);
    EXPECT_EQ(where("/a/b/file"), "/a/b/file");
}

TEST_F(WalkTest, DeepTreesNeedNoDeepStack)
{
    vfs::Path start = task.fs().cwd;
    for (int i = 0; i < 20'000; ++i) {
        mkdir("d");
        enter("d");
    }
    task.fs().cwd = start;
    kernel.dentries().shrink(~u64 { 0 });
    EXPECT_EQ(where("d/d/d"), "/d/d/d");
}

} // namespace umbra
