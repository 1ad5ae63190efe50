// SPDX-License-Identifier: GPL-2.0-or-later
// tar: archives made here, byte by byte, and what the tree shows of them.
#include "core/fs/tar/tar.h"

#include <cstdio>

#include "core/fs/tar/tar-block.h"
#include "core/mm/frame.h"
#include "core/mm/memory-object.h"
#include "core/vfs/test-kernel.h"

namespace umbra {

using namespace vfs;

namespace {

/// Writes archives as other tars do.
class TarWriter {
public:
    struct Header {
        std::string name;
        char type = '0';
        std::string data {};
        u32 mode = 0644;
        u32 uid = 0, gid = 0;
        std::string link {};
        u32 major = 0, minor = 0;
        u64 mtime = 1'000'000'000;
        std::string prefix {};
    };
    void add(Header const& h)
    {
        auto block = make(h);
        append_block(block);
        append_data(h.data);
    }
    void add_pax(std::string const& records, char type = 'x')
    {
        add({ .name = "pax", .type = type, .data = records });
    }
    static std::string record(std::string const& key, std::string const& value)
    {
        size_t length = key.size() + value.size() + 3;
        while (std::to_string(length).size() + key.size() + value.size() + 3 != length)
            length = std::to_string(length).size() + key.size() + value.size() + 3;
        return std::to_string(length) + " " + key + "=" + value + "\n";
    }
    static fs::TarBlock make(Header const& h)
    {
        fs::TarBlock block {};
        std::memcpy(block.name, h.name.data(), std::min<size_t>(h.name.size(), 100));
        octal(block.mode, h.mode), octal(block.uid, h.uid), octal(block.gid, h.gid);
        octal(block.size, h.data.size()), octal(block.mtime, h.mtime);
        block.type = h.type;
        std::memcpy(block.link, h.link.data(), std::min<size_t>(h.link.size(), 100));
        std::memcpy(block.magic,
            "ustar\0"
            "00",
            8);
        octal(block.device_major, h.major), octal(block.device_minor, h.minor);
        std::memcpy(block.prefix, h.prefix.data(), h.prefix.size());
        return block;
    }
    void append_block(fs::TarBlock block)
    {
        std::memset(block.checksum, ' ', sizeof block.checksum);
        u64 sum = 0;
        for (u64 i = 0; i < fs::kTarBlock; ++i)
            sum += u8(block.bytes()[i]);
        octal(block.checksum, sum);
        bytes.append(block.bytes(), fs::kTarBlock);
    }
    void append_data(std::string const& data)
    {
        bytes += data;
        bytes.resize((bytes.size() + 511) / 512 * 512);
    }
    void end() { bytes.resize(bytes.size() + 1024); }
    template <size_t N> static void octal(char (&field)[N], u64 value)
    {
        char text[32];
        std::snprintf(text, sizeof text, "%0*llo", int(N - 1), static_cast<unsigned long long>(value));
        std::memcpy(field, text, N);
    }

    std::string bytes;
};

/// The bytes without memory(): as a host file gives them.
class ReadTar final : public fs::TarSource {
public:
    explicit ReadTar(std::string const& bytes)
        : bytes_(bytes)
    {
    }
    u64 size() const override { return bytes_.size(); }
    Result<u64> read(std::span<u8> out, u64 offset) override
    {
        if (offset >= bytes_.size()) return u64 { 0 };
        return bytes_.copy(reinterpret_cast<char*>(out.data()), out.size(), offset);
    }

private:
    std::string const& bytes_;
};

} // namespace

class TarTest : public test::FileTest {
protected:
    Result<Ref<FileSystem>> make_fs(bool in_memory)
    {
        std::span<u8 const> bytes { reinterpret_cast<u8 const*>(tar.bytes.data()), tar.bytes.size() };
        auto source
            = in_memory ? fs::make_memory_tar(bytes) : Ref<fs::TarSource>(make_ref<ReadTar>(tar.bytes));
        return fs::make_tar_file_system(kernel, source, problem);
    }
    void enter(bool in_memory = true)
    {
        auto fs = make_fs(in_memory);
        ASSERT_TRUE(fs.ok()) << problem;
        auto mount = make_ref<Mount>(fs.value(), 0, "tar");
        Path root { mount, mount->root() };
        TaskAccess(task).fs() = make_ref<FsContext>(root, root, make_ref<MountNamespace>(mount), 0);
    }
    std::string refused()
    {
        problem.clear();
        auto in_memory = make_fs(true);
        auto by_read = make_fs(false);
        EXPECT_EQ(error_of(in_memory), err::inval);
        EXPECT_EQ(error_of(by_read), err::inval);
        return problem;
    }
    std::string link_target(std::string_view path)
    {
        return walk(path, { .follow_last = false }).value().inode().read_link().value();
    }

    TarWriter tar;
    std::string problem;
};

TEST_F(TarTest, ATree)
{
    tar.add({ .name = "./", .type = '5', .mode = 0711 });
    tar.add({ .name = "./bin/", .type = '5', .mode = 0755, .uid = 3 });
    tar.add({ .name = "./bin/tool", .data = std::string(1000, 't'), .mode = 04755, .uid = 5, .gid = 6 });
    tar.add({ .name = "./bin/other", .type = '1', .link = "./bin/tool" });
    tar.add({ .name = "./sh", .type = '2', .link = "bin/tool" });
    tar.add({ .name = "./null", .type = '3', .mode = 0666, .major = 1, .minor = 3 });
    tar.add({ .name = "./pipe", .type = '6' });
    tar.add({ .name = "./a/b/c/deep", .data = "deep" }); // parents are missing
    tar.end();
    for (bool in_memory : { true, false }) {
        enter(in_memory);
        EXPECT_EQ(stat("/").mode, abi::s_ifdir | 0711u);
        EXPECT_EQ(list("/"), (std::vector<std::string> { ".", "..", "a", "bin", "null", "pipe", "sh" }));
        EXPECT_EQ(stat("/bin").uid, 3u);
        EXPECT_EQ(stat("/").nlink, 4u);
        auto tool = stat("/bin/tool");
        EXPECT_EQ(tool.mode, abi::s_ifreg | 04755u);
        EXPECT_EQ(tool.uid, 5u);
        EXPECT_EQ(tool.gid, 6u);
        EXPECT_EQ(tool.nlink, 2u);
        EXPECT_EQ(tool.mtime.sec, 1'000'000'000);
        EXPECT_EQ(read_file("/sh"), std::string(1000, 't'));
        EXPECT_EQ(walk("/bin/other").value().inode().number(), walk("/sh").value().inode().number());
        EXPECT_EQ(link_target("/sh"), "bin/tool");
        EXPECT_EQ(stat("/null").rdev, abi::make_dev(1, 3));
        EXPECT_TRUE(abi::is_fifo(stat("/pipe").mode));
        EXPECT_EQ(read_file("/a/b/c/deep"), "deep");
        EXPECT_EQ(stat("/a/b").mode, abi::s_ifdir | 0755u);
        EXPECT_EQ(error_of(open("/new", abi::o_wronly | abi::o_creat)), err::rofs);
    }
}

TEST_F(TarTest, LaterEntriesWin)
{
    tar.add({ .name = "dir", .type = '5', .mode = 0755 });
    tar.add({ .name = "dir/file", .data = "old" });
    tar.add({ .name = "name", .data = "text" });
    tar.add({ .name = "linked", .type = '1', .link = "name" });
    tar.add({ .name = "dir/file", .data = "newer" });
    tar.add({ .name = "dir", .type = '5', .mode = 0700 });
    tar.add({ .name = "name", .type = '2', .link = "dir/file" });
    tar.end();
    enter();
    EXPECT_EQ(read_file("/dir/file"), "newer");
    EXPECT_EQ(stat("/dir").mode & 07777, 0700u);
    EXPECT_EQ(read_file("/name"), "newer");
    EXPECT_EQ(read_file("/linked"), "text");
    EXPECT_EQ(stat("/linked").nlink, 1u);
}

TEST_F(TarTest, PathsStayInside)
{
    tar.add({ .name = "usr/lib", .type = '5', .mode = 0755 });
    tar.add({ .name = "lib", .type = '2', .link = "/usr/lib" });
    tar.add({ .name = "lib/x", .data = "through the link" });
    tar.add({ .name = "/absolute", .data = "a" });
    tar.add({ .name = "../../up", .data = "u" });
    tar.end();
    enter();
    EXPECT_EQ(read_file("/usr/lib/x"), "through the link");
    EXPECT_EQ(read_file("/absolute"), "a");
    EXPECT_EQ(read_file("/up"), "u");
}

TEST_F(TarTest, LongNamesAndPax)
{
    std::string gnu = "long/" + std::string(200, 'g'), pax = "long/" + std::string(200, 'p'),
                target(300, 't');
    tar.add({ .name = "././@LongLink", .type = 'L', .data = gnu + std::string(1, '\0') });
    tar.add({ .name = "short", .data = "gnu" });
    tar.add({ .name = "././@LongLink", .type = 'K', .data = target + std::string(1, '\0') });
    tar.add({ .name = "symlink", .type = '2', .link = "short" });
    tar.add_pax(TarWriter::record("path", pax) + TarWriter::record("mtime", "12.25")
        + TarWriter::record("uid", "3000000")
        + TarWriter::record("SCHILY.xattr.user.a", std::string("x\0y", 3))
        + TarWriter::record("comment", "no matter"));
    tar.add({ .name = "short", .data = "pax" });
    tar.add({ .name = "tail", .data = "split", .prefix = "head" });
    tar.end();
    enter();
    EXPECT_EQ(read_file(gnu), "gnu");
    EXPECT_EQ(link_target("/symlink"), target);
    EXPECT_EQ(read_file(pax), "pax");
    EXPECT_EQ(stat(pax).uid, 3'000'000u);
    EXPECT_EQ(stat(pax).mtime, (abi::Timespec { 12, 250'000'000 }));
    EXPECT_EQ(vfs::get_xattr(task, walk(pax).value().inode(), "user.a").value(), std::string("x\0y", 3));
    EXPECT_EQ(vfs::list_xattrs(task, walk(pax).value().inode()).value(), std::string("user.a\0", 7));
    EXPECT_EQ(read_file("/head/tail"), "split");
}

TEST_F(TarTest, SparseFiles)
{
    std::string expected
        = std::string(1000, '\0') + "abc" + std::string(4000, '\0') + "de" + std::string(95, '\0');
    auto old = TarWriter::make({ .name = "old", .type = 'S', .data = "abcde" });
    std::memcpy(old.magic, "ustar  ", 8);
    auto* sparse
        = reinterpret_cast<fs::TarBlock::Sparse*>(reinterpret_cast<char*>(&old) + fs::TarBlock::kSparseAt);
    TarWriter::octal(sparse[0].offset, 1000), TarWriter::octal(sparse[0].length, 3);
    TarWriter::octal(sparse[1].offset, 5003), TarWriter::octal(sparse[1].length, 2);
    TarWriter::octal(
        *reinterpret_cast<char(*)[12]>(reinterpret_cast<char*>(&old) + fs::TarBlock::kRealSizeAt), 5100);
    tar.append_block(old);
    tar.append_data("abcde");
    auto r = TarWriter::record;
    tar.add_pax(r("GNU.sparse.size", "5100") + r("GNU.sparse.map", "1000,3,5003,2"));
    tar.add({ .name = "pax-0.1", .data = "abcde" });
    std::string map = "2\n1000\n3\n5003\n2\n";
    map.resize(512);
    tar.add_pax(r("GNU.sparse.major", "1") + r("GNU.sparse.minor", "0") + r("GNU.sparse.name", "pax-1.0")
        + r("GNU.sparse.realsize", "5100"));
    tar.add({ .name = "GNUSparseFile.0/x", .data = map + "abcde" });
    tar.end();
    for (bool in_memory : { true, false }) {
        enter(in_memory);
        for (char const* name : { "/old", "/pax-0.1", "/pax-1.0" }) {
            EXPECT_TRUE(read_file(name) == expected) << name;
            auto* object = walk(name).value().inode().memory_object();
            auto frame = object->page(0, mm::PageUse::read).value();
            EXPECT_EQ(std::memcmp(kernel.memory().data(frame), expected.data(), kPageSize), 0);
        }
    }
}

TEST_F(TarTest, PagesOfFiles)
{
    std::string data;
    for (int i = 0; i < 50'000; ++i)
        data += std::to_string(i);
    tar.add({ .name = "before", .data = "b" });
    tar.add({ .name = "file", .data = data });
    tar.add({ .name = "after", .data = "a" });
    tar.end();
    for (bool in_memory : { true, false }) {
        enter(in_memory);
        auto* object = walk("/file").value().inode().memory_object();
        u64 last = data.size() >> kPageShift;
        for (u64 i : { u64 { 0 }, u64 { 17 }, last }) {
            auto const* page = kernel.memory().data(object->page(i, mm::PageUse::read).value());
            u64 count = std::min(kPageSize, data.size() - (i << kPageShift));
            EXPECT_EQ(std::memcmp(page, data.data() + (i << kPageShift), count), 0);
            EXPECT_TRUE(count == kPageSize || page[count] == 0);
        }
        EXPECT_EQ(error_of(object->page(last + 1, mm::PageUse::read)), err::nxio);
        EXPECT_TRUE(read_file("/file") == data);
    }
}

TEST_F(TarTest, BinaryNumbers)
{
    auto block = TarWriter::make({ .name = "big", .data = "x" });
    std::memset(block.uid, 0, 8);
    block.uid[0] = char(0x80), block.uid[4] = 0x7f;
    std::memset(block.mtime, 0xff, 12); // -1
    tar.append_block(block);
    tar.append_data("x");
    tar.end();
    enter();
    EXPECT_EQ(stat("/big").uid, 0x7f000000u);
    EXPECT_EQ(stat("/big").mtime.sec, -1);
}

TEST_F(TarTest, EndWithoutZeroes)
{
    tar.add({ .name = "file", .data = "text" });
    enter();
    EXPECT_EQ(read_file("/file"), "text");
}

TEST_F(TarTest, BadArchives)
{
    EXPECT_NE(refused().find("empty"), std::string::npos);
    tar.bytes = std::string(4096, 'x');
    EXPECT_NE(refused().find("no tar archive"), std::string::npos);
    tar.bytes.clear();
    tar.add({ .name = "file", .data = std::string(2000, 'x') });
    auto good = tar.bytes;
    tar.bytes.resize(1500);
    EXPECT_NE(refused().find("ends in the middle"), std::string::npos);
    tar.bytes = good;
    tar.bytes += std::string(512, 'y');
    EXPECT_NE(refused().find("damaged header at byte 2560"), std::string::npos);
    tar.bytes.clear();
    tar.add({ .name = "link", .type = '1', .link = "nowhere" });
    EXPECT_NE(refused().find("not in the archive"), std::string::npos);
    tar.bytes.clear();
    tar.add({ .name = "file", .data = "x" });
    tar.add({ .name = "file/below", .data = "x" });
    EXPECT_NE(refused().find("no directory"), std::string::npos);
    tar.bytes.clear();
    tar.add({ .name = "loop", .type = '2', .link = "loop" });
    tar.add({ .name = "loop/x", .data = "x" });
    EXPECT_NE(refused().find("too many symbolic links"), std::string::npos);
    tar.bytes.clear();
    tar.add_pax("9999 path=x\n");
    EXPECT_NE(refused().find("damaged extended header"), std::string::npos);
    tar.bytes.clear();
    tar.add_pax(TarWriter::record("GNU.sparse.size", "10") + TarWriter::record("GNU.sparse.map", "0,5,3,5"));
    tar.add({ .name = "sparse", .data = "0123456789" });
    EXPECT_NE(refused().find("sparse map"), std::string::npos);
}

TEST_F(TarTest, HardLinksReplaceNoDirectories)
{
    for (char const* place : { "", "./", "directory" }) {
        tar.bytes.clear();
        tar.add({ .name = "file", .data = "x" });
        tar.add({ .name = "directory/below", .data = "x" });
        tar.add({ .name = place, .type = '1', .link = "file" });
        EXPECT_NE(refused().find("is a directory first"), std::string::npos) << place;
    }
}

} // namespace umbra
