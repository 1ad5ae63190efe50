// SPDX-License-Identifier: GPL-2.0-or-later
// Overlay: a tmpfs below, changes above, the lower tree untouched.
#include "core/fs/overlay/overlay.h"

#include <algorithm>

#include "core/mm/frame.h"
#include "core/mm/memory-object.h"
#include "core/vfs/dentry-cache.h"
#include "core/vfs/test-kernel.h"

namespace umbra {

using namespace vfs;

/// The task's tree is the lower one while a test prepares it; enter() puts it into an overlay at /.
class OverlayTest : public test::FileTest {
protected:
    void enter()
    {
        lower = task.fs().root;
        auto fs = fs::make_overlay(kernel, Ref<FileSystem>(lower->mount->file_system()), {});
        auto mount = make_ref<Mount>(fs, 0, "overlay");
        Path root { mount, mount->root() };
        TaskAccess(task).fs() = make_ref<FsContext>(root, root, make_ref<MountNamespace>(mount), 0);
    }
    /// What the lower tree says, whatever the overlay shows.
    std::string lower_file(std::string_view path)
    {
        auto file = vfs::open(task, { *lower, path.substr(1) }, { .flags = abi::o_rdonly });
        if (file.is_error()) return errno_name(file.error());
        return read_at(file.value(), 0, file.value()->inode().attributes().size);
    }
    Result<u64> write_at(Ref<File> const& file, std::string_view text, u64 offset)
    {
        auto buffer = IoBuffer::kernel_source({ reinterpret_cast<u8 const*>(text.data()), text.size() });
        return vfs::write_file(task, *file, buffer, offset);
    }
    std::string read_at(Ref<File> const& file, u64 offset, u64 length)
    {
        std::string text(length, '\xff');
        auto buffer = IoBuffer::kernel({ reinterpret_cast<u8*>(text.data()), length });
        text.resize(vfs::read_file(*file, buffer, offset).value());
        return text;
    }
    Ref<File> open_rw(std::string_view path) { return open(path, abi::o_rdwr).value(); }
    u64 number(std::string_view path) { return walk(path).value().inode().number(); }
    std::vector<std::string> names(std::string_view path)
    {
        auto all = list(path);
        all.erase(all.begin(), all.begin() + 2);
        std::sort(all.begin(), all.end());
        return all;
    }
    /// Every dentry that nobody uses goes, and with it every inode that nothing else holds.
    void forget() { kernel.dentries().shrink(~u64 { 0 }); }
    Errno unlink(std::string_view path) { return error_of(vfs::unlink(task, at(path))); }
    Errno rmdir(std::string_view path) { return error_of(vfs::rmdir(task, at(path))); }
    Errno rename(std::string_view from, std::string_view to, u32 flags = 0)
    {
        return error_of(vfs::rename(task, at(from), at(to), flags));
    }

    using Names = std::vector<std::string>;
    static constexpr Errno ok {};
    std::optional<Path> lower;
};

TEST_F(OverlayTest, ShowsTheLowerTree)
{
    mkdir("/dir", 0750);
    write_file("/dir/file", "text", 0640);
    symlink("dir/file", "/link");
    ASSERT_TRUE(vfs::mknod(task, at("/null"), abi::s_ifchr | 0666, abi::make_dev(1, 3)).ok());
    u64 lower_number = number("/dir/file");
    enter();
    EXPECT_EQ(read_file("/link"), "text");
    EXPECT_EQ(stat("/dir").mode & 07777, 0750u);
    EXPECT_EQ(stat("/dir/file").mode & 07777, 0640u);
    EXPECT_EQ(stat("/null").rdev, abi::make_dev(1, 3));
    EXPECT_EQ(number("/dir/file"), lower_number);
    EXPECT_EQ(names("/"), (Names { "dir", "link", "null" }));
    EXPECT_EQ(walk_error("/nothing"), err::noent);
    EXPECT_EQ(write_at(open_rw("/null"), "x", 0).value(), 1u);
}

TEST_F(OverlayTest, WritesStayAbove)
{
    write_file("/file", "lower text");
    enter();
    u64 before = number("/file");
    auto early = open("/file", abi::o_rdonly).value();
    EXPECT_EQ(write_at(open_rw("/file"), "UPPER", 0).value(), 5u);
    EXPECT_EQ(read_file("/file"), "UPPER text");
    EXPECT_EQ(read_at(early, 0, 100), "UPPER text"); // a descriptor from before the change sees it
    EXPECT_EQ(lower_file("/file"), "lower text");
    early = open("/", abi::o_rdonly).value();
    forget();
    EXPECT_EQ(read_file("/file"), "UPPER text");
    EXPECT_EQ(number("/file"), before);
}

TEST_F(OverlayTest, OneByteDoesNotCopyTheFile)
{
    constexpr u64 pages = 300;
    write_file("/big", std::string(pages * kPageSize, 'x'));
    enter();
    auto file = open_rw("/big");
    u64 before = kernel.memory().used();
    EXPECT_EQ(write_at(file, "!", 100 * kPageSize + 5).value(), 1u);
    EXPECT_LE(kernel.memory().used(), before + 16);
    auto whole = read_at(file, 0, pages * kPageSize);
    EXPECT_EQ(whole.size(), pages * kPageSize);
    EXPECT_EQ(whole.find('!'), 100 * kPageSize + 5);
    EXPECT_EQ(std::count(whole.begin(), whole.end(), 'x'), i64(pages * kPageSize - 1));
    EXPECT_LE(kernel.memory().used(), before + 16);
    EXPECT_EQ(stat("/big").blocks, pages * 8);
}

TEST_F(OverlayTest, Truncation)
{
    write_file("/file", std::string(3 * kPageSize, 'x'));
    write_file("/other", "old");
    enter();
    auto file = open_rw("/file");
    ASSERT_TRUE(vfs::truncate_file(task, *file, kPageSize + 10).ok());
    ASSERT_TRUE(vfs::truncate_file(task, *file, 3 * kPageSize).ok());
    auto text = read_at(file, 0, 3 * kPageSize);
    EXPECT_TRUE(text == std::string(kPageSize + 10, 'x') + std::string(2 * kPageSize - 10, '\0'));
    write_file("/other", "n"); // O_TRUNC
    EXPECT_EQ(read_file("/other"), "n");
    EXPECT_EQ(lower_file("/other"), "old");
    EXPECT_TRUE(lower_file("/file") == std::string(3 * kPageSize, 'x'));
}

TEST_F(OverlayTest, HolesInLowerFiles)
{
    write_file("/file", std::string(4 * kPageSize, 'x'));
    enter();
    auto file = open_rw("/file");
    ASSERT_TRUE(file->fallocate(3, kPageSize - 1, 2 * kPageSize).ok());
    auto text = read_at(file, 0, 4 * kPageSize);
    EXPECT_EQ(text.find('\0'), kPageSize - 1);
    EXPECT_EQ(text.find('x', kPageSize - 1), 3 * kPageSize - 1);
    EXPECT_EQ(file->seek_special(0, abi::seek_hole).value(), kPageSize);
    EXPECT_EQ(file->seek_special(kPageSize, abi::seek_data).value(), 2 * kPageSize);
    EXPECT_EQ(write_at(file, "y", kPageSize).value(), 1u);
    EXPECT_EQ(read_at(file, kPageSize, 2), std::string("y\0", 2));
}

TEST_F(OverlayTest, AllocationFillsHolesAndKeepsTheLowerPages)
{
    write_file("/file", std::string(2 * kPageSize, 'x'));
    enter();
    auto file = open_rw("/file");
    u64 const used = kernel.memory().used();
    ASSERT_TRUE(file->fallocate(0, 0, 5 * kPageSize).ok());
    EXPECT_EQ(kernel.memory().used(), used + 3);
    EXPECT_EQ(stat("/file").size, 5 * kPageSize);
    EXPECT_EQ(stat("/file").blocks, 40u);
    EXPECT_EQ(read_at(file, 2 * kPageSize - 1, 2), std::string("x\0", 2));
    EXPECT_EQ(error_of(file->fallocate(0, 0, u64 { 1 } << 40)), err::nospc);
    EXPECT_EQ(stat("/file").size, 5 * kPageSize);
}

TEST_F(OverlayTest, PagesAreTheLowerOnesUntilTheFirstChange)
{
    write_file("/file", std::string(2 * kPageSize, 'x'));
    auto frame_below = walk("/file").value().inode().memory_object()->page(0, mm::PageUse::read).value();
    enter();
    auto file = open_rw("/file");
    auto* object = file->inode().memory_object();
    EXPECT_EQ(object->page(0, mm::PageUse::read).value(), frame_below);
    EXPECT_EQ(object->resident_page(0), frame_below);
    EXPECT_EQ(error_of(object->page(2, mm::PageUse::read)), err::nxio);
    auto mapped = file->mmap_object(0, kPageSize, true).value();
    EXPECT_EQ(mapped.get(), object);
    auto own = mapped->page(0, mm::PageUse::write).value();
    EXPECT_NE(own, frame_below);
    kernel.memory().data(own)[0] = '!';
    EXPECT_EQ(read_at(file, 0, 2), "!x");
    EXPECT_EQ(lower_file("/file").substr(0, 2), "xx");
}

TEST_F(OverlayTest, AttributesOutliveTheCache)
{
    write_file("/file", "text");
    enter();
    ASSERT_TRUE(vfs::change_mode(task, walk("/file").value(), 0400).ok());
    ASSERT_TRUE(vfs::change_owner(task, walk("/file").value(), 7, 8).ok());
    ASSERT_TRUE(vfs::set_xattr(task, walk("/file").value(), "user.a", "1", 0).ok());
    forget();
    EXPECT_EQ(stat("/file").mode & 07777, 0400u);
    EXPECT_EQ(stat("/file").uid, 7u);
    EXPECT_EQ(vfs::get_xattr(task, walk("/file").value().inode(), "user.a").value(), "1");
    EXPECT_EQ(error_of(vfs::get_xattr(task, walk("/file").value().inode(), "user.b")), err::nodata);
    EXPECT_EQ(read_file("/file"), "text");
}

TEST_F(OverlayTest, LowerXattrsAreCopiedOnChange)
{
    write_file("/file", "");
    ASSERT_TRUE(vfs::set_xattr(task, walk("/file").value(), "user.a", "1", 0).ok());
    ASSERT_TRUE(vfs::set_xattr(task, walk("/file").value(), "user.b", "2", 0).ok());
    enter();
    auto path = walk("/file").value();
    EXPECT_EQ(vfs::get_xattr(task, path.inode(), "user.a").value(), "1");
    ASSERT_TRUE(vfs::remove_xattr(task, path, "user.a").ok());
    EXPECT_EQ(vfs::list_xattrs(task, path.inode()).value(), std::string("user.b\0", 7));
    EXPECT_EQ(error_of(vfs::set_xattr(task, path, "user.b", "3", 1)), err::exist);
}

TEST_F(OverlayTest, Whiteouts)
{
    mkdir("/dir");
    write_file("/dir/a", "a");
    write_file("/dir/b", "b");
    enter();
    EXPECT_EQ(rmdir("/dir"), err::notempty);
    EXPECT_EQ(unlink("/dir/a"), ok);
    forget();
    EXPECT_EQ(walk_error("/dir/a"), err::noent);
    EXPECT_EQ(names("/dir"), (Names { "b" }));
    write_file("/dir/a", "new");
    EXPECT_EQ(read_file("/dir/a"), "new");
    EXPECT_EQ(names("/dir"), (Names { "a", "b" }));
    EXPECT_EQ(unlink("/dir/a"), ok);
    forget();
    EXPECT_EQ(walk_error("/dir/a"), err::noent); // the lower one does not come back
    EXPECT_EQ(unlink("/dir/b"), ok);
    EXPECT_EQ(rmdir("/dir"), ok);
    EXPECT_EQ(names("/"), Names {});
    mkdir("/dir"); // opaque: nothing of the old one shows
    forget();
    EXPECT_EQ(names("/dir"), Names {});
    EXPECT_EQ(walk_error("/dir/b"), err::noent);
    EXPECT_EQ(lower_file("/dir/a"), "a");
}

TEST_F(OverlayTest, HardLinksOfLowerFiles)
{
    mkdir("/dir");
    write_file("/one", "text");
    ASSERT_TRUE(vfs::link(task, at("/one"), at("/dir/two"), false, false).ok());
    enter();
    EXPECT_EQ(number("/one"), number("/dir/two"));
    EXPECT_EQ(stat("/one").nlink, 2u);
    write_at(open_rw("/one"), "T", 0).value();
    forget();
    EXPECT_EQ(read_file("/dir/two"), "Text");
    ASSERT_TRUE(vfs::link(task, at("/dir/two"), at("/three"), false, false).ok());
    EXPECT_EQ(unlink("/one"), ok);
    EXPECT_EQ(stat("/three").nlink, 2u);
    EXPECT_EQ(unlink("/dir/two"), ok);
    forget();
    EXPECT_EQ(read_file("/three"), "Text");
    EXPECT_EQ(unlink("/three"), ok);
}

TEST_F(OverlayTest, RenamingLowerDirectories)
{
    mkdir("/from");
    mkdir("/from/sub");
    write_file("/from/sub/file", "text");
    mkdir("/to");
    write_file("/to/old", "");
    enter();
    u64 sub = number("/from/sub");
    EXPECT_EQ(rename("/from/sub", "/to/sub"), ok);
    forget();
    EXPECT_EQ(read_file("/to/sub/file"), "text");
    EXPECT_EQ(number("/to/sub"), sub);
    EXPECT_EQ(walk_error("/from/sub"), err::noent);
    EXPECT_EQ(stat("/from").nlink, 2u);
    EXPECT_EQ(stat("/to").nlink, 3u);
    write_file("/to/sub/new", "n");
    EXPECT_EQ(unlink("/to/sub/file"), ok);
    EXPECT_EQ(rename("/to", "/moved"), ok);
    forget();
    EXPECT_EQ(names("/moved"), (Names { "old", "sub" }));
    EXPECT_EQ(names("/moved/sub"), (Names { "new" }));
    mkdir("/to");
    EXPECT_EQ(names("/to"), Names {});
    EXPECT_EQ(rename("/moved/sub", "/to"), ok); // onto an empty directory
    EXPECT_EQ(names("/to"), (Names { "new" }));
    EXPECT_EQ(rename("/to", "/moved"), err::notempty);
    EXPECT_EQ(lower_file("/from/sub/file"), "text");
}

TEST_F(OverlayTest, RenamingFiles)
{
    mkdir("/dir");
    write_file("/a", "a");
    write_file("/b", "b");
    write_file("/dir/c", "c");
    enter();
    EXPECT_EQ(rename("/a", "/b"), ok);
    EXPECT_EQ(read_file("/b"), "a");
    EXPECT_EQ(rename("/b", "/dir/c", abi::rename_exchange), ok);
    forget();
    EXPECT_EQ(read_file("/b"), "c");
    EXPECT_EQ(read_file("/dir/c"), "a");
    EXPECT_EQ(rename("/b", "/dir", abi::rename_exchange), ok);
    EXPECT_EQ(read_file("/dir"), "c");
    EXPECT_EQ(read_file("/b/c"), "a");
    EXPECT_EQ(rename("/dir", "/x", abi::rename_whiteout), ok);
    EXPECT_TRUE(abi::is_character_device(stat("/dir").mode));
    EXPECT_EQ(names("/"), (Names { "b", "dir", "x" }));
}

TEST_F(OverlayTest, UnlinkedFilesLiveUntilClosed)
{
    write_file("/file", "text");
    enter();
    u64 before = kernel.memory().used();
    auto file = open_rw("/file");
    write_at(file, std::string(8 * kPageSize, 'y'), 0).value();
    EXPECT_EQ(unlink("/file"), ok);
    EXPECT_EQ(read_at(file, 5000, 1), "y");
    file = open("/", abi::o_rdonly).value();
    EXPECT_EQ(kernel.memory().used(), before);
}

TEST_F(OverlayTest, NewObjects)
{
    mkdir("/dir");
    enter();
    write_file("/dir/file", "1");
    symlink("file", "/dir/link");
    mkdir("/dir/sub");
    ASSERT_TRUE(vfs::mknod(task, at("/dir/fifo"), abi::s_ififo | 0600, 0).ok());
    auto unnamed = open("/dir", abi::o_rdwr | abi::o_tmpfile, 0600).value();
    write_at(unnamed, "tmp", 0).value();
    EXPECT_EQ(unnamed->inode().attributes().nlink, 0u);
    forget();
    EXPECT_EQ(names("/dir"), (Names { "fifo", "file", "link", "sub" }));
    EXPECT_EQ(read_file("/dir/link"), "1");
    EXPECT_EQ(stat("/dir").nlink, 3u);
    EXPECT_TRUE(abi::is_fifo(stat("/dir/fifo").mode));
    EXPECT_GT(number("/dir/file"), u64 { 1 } << 40);
}

TEST_F(OverlayTest, DeepTreesEndWithoutRecursion)
{
    enter();
    auto directory = walk("/").value();
    for (int i = 0; i < 20'000; ++i) {
        ASSERT_TRUE(vfs::mkdir(task, { directory, "d" }, 0755).ok());
        directory = vfs::walk(task, directory, "d").value();
    }
}

} // namespace umbra
