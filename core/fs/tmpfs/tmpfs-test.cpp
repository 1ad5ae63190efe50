// SPDX-License-Identifier: GPL-2.0-or-later
// tmpfs: data, holes, limits, listings, links, seals.
#include "core/fs/tmpfs/tmpfs.h"

#include "core/mm/frame.h"
#include "core/vfs/test-kernel.h"

namespace umbra {

using namespace vfs;

class TmpfsTest : public test::FileTest {
protected:
    static constexpr u32 kKeepSize = 1, kPunch = 2;

    void mount_limited(std::string options)
    {
        mkdir("/mnt");
        auto fs = fs::mount_tmpfs({ kernel, "tmpfs", std::move(options), 0 });
        ASSERT_TRUE(fs.ok());
        auto mount = make_ref<Mount>(fs.value(), 0, "tmpfs");
        ASSERT_TRUE(task.fs().mounts->attach(mount, walk("/mnt").value()).ok());
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
    Ref<File> make(std::string_view path) { return open(path, abi::o_rdwr | abi::o_creat).value(); }
};

TEST_F(TmpfsTest, DataAndHoles)
{
    auto file = make("/file");
    EXPECT_EQ(write_at(file, "abc", 10'000).value(), 3u);
    EXPECT_EQ(stat("/file").size, 10'003u);
    EXPECT_EQ(read_at(file, 9'998, 100), std::string("\0\0abc", 5));
    EXPECT_EQ(read_at(file, 0, 8192), std::string(8192, '\0'));
    EXPECT_EQ(stat("/file").blocks, 8u); // reading a hole fills nothing
    EXPECT_EQ(read_at(file, 10'003, 1), "");
    EXPECT_EQ(file->seek_special(0, abi::seek_data).value(), 8192u);
    EXPECT_EQ(file->seek_special(8'200, abi::seek_hole).value(), 10'003u);
    EXPECT_EQ(error_of(file->seek_special(10'003, abi::seek_data)), err::nxio);
    ASSERT_TRUE(vfs::truncate_file(task, *file, 10'001).ok());
    ASSERT_TRUE(vfs::truncate_file(task, *file, 10'003).ok());
    EXPECT_EQ(read_at(file, 10'000, 10), std::string("a\0\0", 3)); // what was cut off does not come back
}

/// What is known not to be in a directory does not keep it, nor those above.
TEST_F(TmpfsTest, RemovedDirectoriesAreGone)
{
    mount_limited("nr_inodes=20");
    auto free_inodes = [&] { return walk("/mnt").value().inode().file_system().statfs().value().ffree; };
    u64 before = free_inodes();
    std::string path = "/mnt";
    for (int depth = 0; depth < 9; ++depth)
        mkdir(path += "/d");
    EXPECT_EQ(free_inodes(), before - 9);
    EXPECT_EQ(error_of(open(path + "/nothing", abi::o_rdonly)), err::noent);
    for (; path != "/mnt"; path.resize(path.size() - 2))
        ASSERT_TRUE(vfs::rmdir(task, at(path)).ok());
    EXPECT_EQ(free_inodes(), before);
}

TEST_F(TmpfsTest, Appending)
{
    write_file("/log", "one");
    auto file = open("/log", abi::o_wronly | abi::o_append).value();
    EXPECT_EQ(write_at(file, "two", 0).value(), 3u);
    EXPECT_EQ(read_file("/log"), "onetwo");
}

TEST_F(TmpfsTest, MemoryComesBack)
{
    u64 before = kernel.memory().used();
    write_file("/file", std::string(40 * kPageSize, 'x'));
    EXPECT_GE(kernel.memory().used(), before + 40);
    EXPECT_EQ(stat("/file").blocks, 40u * 8);
    auto file = open("/file", abi::o_rdonly).value();
    ASSERT_TRUE(vfs::unlink(task, at("/file")).ok());
    EXPECT_EQ(read_at(file, 5000, 1), "x");
    file = open("/", abi::o_rdonly).value();
    EXPECT_EQ(kernel.memory().used(), before);
}

TEST_F(TmpfsTest, Allocation)
{
    auto file = make("/file");
    ASSERT_TRUE(file->fallocate(0, 0, 3 * kPageSize).ok());
    EXPECT_EQ(stat("/file").size, 3 * kPageSize);
    EXPECT_EQ(stat("/file").blocks, 24u);
    write_at(file, std::string(3 * kPageSize, 'x'), 0).value();
    ASSERT_TRUE(file->fallocate(kPunch | kKeepSize, 100, 2 * kPageSize).ok());
    EXPECT_EQ(stat("/file").size, 3 * kPageSize);
    EXPECT_EQ(stat("/file").blocks, 16u);
    EXPECT_EQ(read_at(file, 99, 3), std::string("x\0\0", 3));
    EXPECT_EQ(read_at(file, 100 + 2 * kPageSize - 1, 2), std::string("\0x", 2));
    ASSERT_TRUE(file->fallocate(kKeepSize, 0, 10 * kPageSize).ok());
    EXPECT_EQ(stat("/file").size, 3 * kPageSize);
    EXPECT_EQ(error_of(file->fallocate(8, 0, kPageSize)), err::opnotsupp);
    EXPECT_EQ(error_of(file->fallocate(0, 0, u64 { 1 } << 40)), err::nospc);
    EXPECT_EQ(stat("/file").size, 3 * kPageSize);
}

TEST_F(TmpfsTest, SizeLimit)
{
    mount_limited("size=64k,nr_inodes=4,mode=700"); // the root is one
    EXPECT_EQ(stat("/mnt").mode & 07777, 0700u);
    auto file = make("/mnt/file");
    EXPECT_EQ(write_at(file, std::string(100 << 10, 'x'), 0).value(), 64u << 10);
    EXPECT_EQ(error_of(write_at(file, "x", 64 << 10)), err::nospc);
    auto s = file->inode().file_system().statfs().value();
    EXPECT_EQ(s.blocks, 16u);
    EXPECT_EQ(s.bfree, 0u);
    mkdir("/mnt/a");
    EXPECT_EQ(s.type, 0x01021994);
    mkdir("/mnt/b");
    EXPECT_EQ(error_of(vfs::mkdir(task, at("/mnt/c"), 0755)), err::nospc);
    ASSERT_TRUE(vfs::rmdir(task, at("/mnt/b")).ok());
    mkdir("/mnt/c");
}

TEST_F(TmpfsTest, BadOptions)
{
    for (char const* options : { "size=x", "size=1q", "mode=9", "uid=-1", "unknown=1" })
        EXPECT_EQ(error_of(fs::mount_tmpfs({ kernel, "", options, 0 })), err::inval) << options;
    EXPECT_EQ(fs::mount_tmpfs({ kernel, "", "size=25%,nr_inodes=0", 0 }).value()->show_options(),
        ",size=16384k,nr_inodes=0");
}

TEST_F(TmpfsTest, ListingGoesOnAcrossChanges)
{
    mkdir("/dir");
    for (char const* name : { "/dir/a", "/dir/b", "/dir/c", "/dir/d" })
        write_file(name, "");
    EXPECT_EQ(list("/dir"), (std::vector<std::string> { ".", "..", "a", "b", "c", "d" }));
    auto file = open("/dir", abi::o_rdonly).value();
    i64 next = 0;
    int room = 4;
    ASSERT_TRUE(file->read_directory(0,
                        [&](std::string_view, u64, u8, i64 following) {
                            if (room-- == 0) return false;
                            next = following;
                            return true;
                        })
                    .ok());
    ASSERT_TRUE(vfs::unlink(task, at("/dir/b")).ok());
    ASSERT_TRUE(vfs::unlink(task, at("/dir/c")).ok());
    write_file("/dir/e", "");
    EXPECT_EQ(list("/dir", next), (std::vector<std::string> { "d", "e" }));
}

TEST_F(TmpfsTest, LinkCounts)
{
    mkdir("/dir");
    mkdir("/dir/sub");
    mkdir("/other");
    EXPECT_EQ(stat("/dir").nlink, 3u);
    ASSERT_TRUE(vfs::rename(task, at("/dir/sub"), at("/other/sub"), 0).ok());
    EXPECT_EQ(stat("/dir").nlink, 2u);
    EXPECT_EQ(stat("/other").nlink, 3u);
    write_file("/dir/file", "x");
    ASSERT_TRUE(vfs::rename(task, at("/dir/file"), at("/other/sub"), abi::rename_exchange).ok());
    EXPECT_EQ(stat("/dir").nlink, 3u);
    EXPECT_EQ(stat("/other").nlink, 2u);
}

TEST_F(TmpfsTest, Whiteouts)
{
    write_file("/file", "x");
    ASSERT_TRUE(vfs::rename(task, at("/file"), at("/moved"), abi::rename_whiteout).ok());
    EXPECT_TRUE(abi::is_character_device(stat("/file").mode));
    EXPECT_EQ(stat("/file").rdev, 0u);
    EXPECT_EQ(read_file("/moved"), "x");
}

TEST_F(TmpfsTest, SharedMemoryFilesAndSeals)
{
    constexpr u32 seal = 1, shrink = 2, grow = 4, write = 8;
    auto file = fs::make_shared_memory_file(kernel, "/memfd:x", kPageSize).value();
    EXPECT_EQ(path_to_string(*file->path(), task.fs().root), "/memfd:x (deleted)");
    EXPECT_EQ(fs::get_seals(*file).value(), seal);
    EXPECT_EQ(error_of(fs::add_seals(*file, shrink)), err::perm);
    fs::allow_sealing(*file);
    ASSERT_TRUE(fs::add_seals(*file, shrink | grow).ok());
    EXPECT_EQ(error_of(vfs::truncate_file(task, *file, 0)), err::perm);
    EXPECT_EQ(error_of(vfs::truncate_file(task, *file, 2 * kPageSize)), err::perm);
    EXPECT_EQ(write_at(file, "abcdef", kPageSize - 3).value(), 3u);
    ASSERT_TRUE(fs::add_seals(*file, write).ok());
    EXPECT_EQ(error_of(write_at(file, "x", 0)), err::perm);
    EXPECT_TRUE(fs::is_write_sealed(*file));
}

TEST_F(TmpfsTest, Devices)
{
    mkdir("/dev");
    ASSERT_TRUE(vfs::mknod(task, at("/dev/null"), abi::s_ifchr | 0666, abi::make_dev(1, 3)).ok());
    ASSERT_TRUE(vfs::mknod(task, at("/dev/full"), abi::s_ifchr | 0666, abi::make_dev(1, 7)).ok());
    ASSERT_TRUE(vfs::mknod(task, at("/dev/nobody"), abi::s_ifchr | 0666, abi::make_dev(99, 7)).ok());
    auto null = open("/dev/null", abi::o_rdwr).value();
    EXPECT_EQ(write_at(null, "gone", 0).value(), 4u);
    EXPECT_EQ(read_at(null, 0, 4), "");
    auto full = open("/dev/full", abi::o_rdwr).value();
    EXPECT_EQ(error_of(write_at(full, "x", 0)), err::nospc);
    EXPECT_EQ(read_at(full, 0, 2), std::string(2, '\0'));
    EXPECT_EQ(error_of(open("/dev/nobody", abi::o_rdwr)), err::nxio);
    become(1000, 1000);
    EXPECT_EQ(error_of(vfs::mknod(task, at("/dev/x"), abi::s_ifchr | 0666, abi::make_dev(1, 3))), err::acces);
}

} // namespace umbra
