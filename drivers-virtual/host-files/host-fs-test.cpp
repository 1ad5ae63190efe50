// SPDX-License-Identifier: GPL-2.0-or-later
// The host file system over a real directory of the host: read-only, under an overlay, and written through.
#include "core/fs/host/host-fs.h"

#include <algorithm>
#include <cstdlib>
#include <fstream>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/fs/overlay/overlay.h"
#include "core/mm/frame.h"
#include "core/mm/memory-object.h"
#include "core/vfs/dentry-cache.h"
#include "core/vfs/test-kernel.h"
#include "drivers-virtual/host-files/host-files.h"
#include "hostabi/ring.h"

namespace umbra {

using namespace vfs;

namespace {

/// Waits in the ring itself: there is no task that could sleep.
struct PumpedRequest final : hostabi::Completion {
    void complete(i32 r) override { result = r, done = true; }
    i32 result = 0;
    bool done = false;
};

} // namespace

class HostFsTest : public test::FileTest {
protected:
    HostFsTest()
    {
        auto made = hostabi::Ring::create(hostabi::RingEngine::epoll);
        EXPECT_TRUE(made.ok());
        ring = made.release_value();
        char name[] = "/tmp/umbra-host-fs-XXXXXX";
        EXPECT_NE(::mkdtemp(name), nullptr);
        base = name;
    }
    ~HostFsTest() override
    {
        // What is open of the tree goes before the ring that serves it.
        TaskAccess(task).fs() = nullptr;
        kernel.dentries().shrink(~u64 { 0 });
        EXPECT_EQ(std::system(("chmod -R u+rwx " + base + "; rm -rf " + base).c_str()), 0);
    }
    std::string host(std::string const& path) const { return base + path; }
    void host_write(std::string const& path, std::string const& text, mode_t mode = 0644)
    {
        std::ofstream(host(path), std::ios::binary | std::ios::trunc) << text;
        ASSERT_EQ(::chmod(host(path).c_str(), mode), 0);
    }
    std::string host_read(std::string const& path) const
    {
        std::ifstream in(host(path), std::ios::binary);
        if (!in) return "none";
        return { std::istreambuf_iterator<char>(in), {} };
    }
    void host_mkdir(std::string const& path) { ASSERT_EQ(::mkdir(host(path).c_str(), 0755), 0); }
    struct stat host_stat(std::string const& path) const
    {
        struct stat s { };
        EXPECT_EQ(::lstat(host(path).c_str(), &s), 0) << path;
        return s;
    }
    Ref<FileSystem> make_fs(fs::HostFsOptions const& options)
    {
        auto root = hostabi::OwnedFd::open(base.c_str(), O_PATH | O_DIRECTORY);
        auto file
            = drivers::make_host_file(root.release_value(), [this](drivers::SubmitRequest const& submit) {
                  PumpedRequest request;
                  submit(*ring, request);
                  while (!request.done) {
                      ring->wait(kNever);
                      ring->dispatch();
                  }
                  return request.result;
              });
        return fs::make_host_file_system(kernel, file, options).value();
    }
    void enter(Ref<FileSystem> fs)
    {
        auto mount = make_ref<Mount>(fs, 0, "host");
        Path root { mount, mount->root() };
        TaskAccess(task).fs() = make_ref<FsContext>(root, root, make_ref<MountNamespace>(mount), 0);
    }
    void enter_read_only(u64 handles = 256) { enter(make_fs({ .max_handles = handles })); }
    void enter_writable() { enter(make_fs({ .access = fs::HostAccess::write_through })); }
    std::vector<std::string> names(std::string_view path)
    {
        auto all = list(path);
        all.erase(all.begin(), all.begin() + 2);
        std::sort(all.begin(), all.end());
        return all;
    }
    void forget() { kernel.dentries().shrink(~u64 { 0 }); }

    using Names = std::vector<std::string>;
    std::unique_ptr<hostabi::Ring> ring;
    std::string base;
};

TEST_F(HostFsTest, ReadsTheTree)
{
    host_mkdir("/dir");
    host_write("/dir/file", "text", 0640);
    host_write("/n\xffme", "not UTF-8");
    ASSERT_EQ(::symlink("dir/file", host("/link").c_str()), 0);
    ASSERT_EQ(::link(host("/dir/file").c_str(), host("/hard").c_str()), 0);
    ASSERT_EQ(::mkfifo(host("/fifo").c_str(), 0600), 0);
    enter_read_only();
    EXPECT_EQ(names("/"), (Names { "dir", "fifo", "hard", "link", "n\xffme" }));
    EXPECT_EQ(read_file("/link"), "text");
    EXPECT_EQ(read_file("/n\xffme"), "not UTF-8");
    EXPECT_EQ(stat("/dir/file").mode, abi::s_ifreg | 0640u);
    EXPECT_EQ(stat("/dir/file").mtime.sec, host_stat("/dir/file").st_mtime);
    EXPECT_EQ(walk("/hard").value().inode().number(), walk("/dir/file").value().inode().number());
    EXPECT_EQ(&walk("/hard").value().inode(), &walk("/dir/file").value().inode());
    EXPECT_EQ(stat("/hard").nlink, 2u);
    EXPECT_TRUE(abi::is_fifo(stat("/fifo").mode));
    EXPECT_EQ(walk_error("/nothing"), err::noent);
    EXPECT_EQ(walk_error("/dir/file/x"), err::notdir);
    EXPECT_EQ(error_of(open("/dir/file", abi::o_wronly)), err::rofs);
}

TEST_F(HostFsTest, LargeFilesAndPages)
{
    std::string data;
    for (int i = 0; data.size() < 500'000; ++i)
        data += std::to_string(i);
    host_write("/file", data);
    enter_read_only();
    EXPECT_TRUE(read_file("/file") == data);
    auto file = open("/file", abi::o_rdonly).value();
    auto object = file->mmap_object(0, kPageSize, false).value();
    EXPECT_NE(object->host_handle(), platform::kNoHandle);
    EXPECT_EQ(object->size(), data.size());
    u64 last = data.size() >> kPageShift;
    for (u64 i : { u64 { 0 }, u64 { 40 }, last }) {
        auto const* page = kernel.memory().data(object->page(i, mm::PageUse::read).value());
        u64 count = std::min(kPageSize, data.size() - (i << kPageShift));
        EXPECT_EQ(std::memcmp(page, data.data() + (i << kPageShift), count), 0);
    }
    EXPECT_EQ(error_of(object->page(last + 1, mm::PageUse::read)), err::nxio);
}

TEST_F(HostFsTest, FewDescriptorsAreEnough)
{
    for (int i = 0; i < 100; ++i) {
        host_mkdir("/d" + std::to_string(i));
        host_write("/d" + std::to_string(i) + "/file", std::to_string(i));
    }
    enter_read_only(8);
    std::vector<Ref<File>> files;
    for (int i = 0; i < 100; ++i)
        files.push_back(open("/d" + std::to_string(i) + "/file", abi::o_rdonly).value());
    for (int i = 0; i < 100; ++i) {
        char text[8] = {};
        auto buffer = IoBuffer::kernel({ reinterpret_cast<u8*>(text), sizeof text });
        ASSERT_TRUE(vfs::read_file(*files[size_t(i)], buffer, 0).ok());
        EXPECT_EQ(text, std::to_string(i));
    }
}

TEST_F(HostFsTest, AReplacedDirectoryIsNotFollowed)
{
    host_mkdir("/dir");
    host_write("/dir/file", "inside");
    enter_read_only(8);
    EXPECT_EQ(read_file("/dir/file"), "inside");
    auto directory = walk("/dir").value();
    for (int i = 0; i < 20; ++i) { // push its descriptor out
        host_mkdir("/x" + std::to_string(i));
        EXPECT_TRUE(walk("/x" + std::to_string(i)).ok());
    }
    ASSERT_EQ(::rename(host("/dir").c_str(), host("/moved").c_str()), 0);
    ASSERT_EQ(::symlink("/etc", host("/dir").c_str()), 0);
    EXPECT_EQ(error_of(directory.inode().lookup("passwd")), err::stale);
}

TEST_F(HostFsTest, OwnersAsRoot)
{
    host_write("/file", "");
    enter(make_fs({ .owners_as_root = fs::OwnerMapping { ::getuid(), ::getgid() } }));
    EXPECT_EQ(stat("/file").uid, 0u);
    EXPECT_EQ(stat("/").gid, 0u);
    enter(make_fs({ .owners_as_root = fs::OwnerMapping { ::getuid() + 1, ::getgid() + 1 } }));
    EXPECT_EQ(stat("/file").uid, ::getuid());
}

TEST_F(HostFsTest, UnderAnOverlay)
{
    host_mkdir("/dir");
    host_write("/dir/file", "lower text");
    host_write("/dir/other", "x");
    enter(fs::make_overlay(kernel, make_fs({}), {}));
    auto object = open("/dir/file", abi::o_rdonly).value()->mmap_object(0, kPageSize, false).value();
    EXPECT_NE(object->host_handle(), platform::kNoHandle);
    auto file = open("/dir/file", abi::o_rdwr).value();
    u64 offset = 0;
    auto buffer = IoBuffer::kernel_source({ reinterpret_cast<u8 const*>("UPPER"), 5 });
    EXPECT_EQ(vfs::write_file(task, *file, buffer, offset).value(), 5u);
    EXPECT_EQ(object->host_handle(), platform::kNoHandle);
    EXPECT_EQ(read_file("/dir/file"), "UPPER text");
    ASSERT_TRUE(vfs::rename(task, at("/dir"), at("/moved"), 0).ok());
    ASSERT_TRUE(vfs::unlink(task, at("/moved/other")).ok());
    forget();
    EXPECT_EQ(names("/moved"), (Names { "file" }));
    EXPECT_EQ(host_read("/dir/file"), "lower text");
}

TEST_F(HostFsTest, WritesGoThrough)
{
    host_mkdir("/dir");
    host_write("/old", "0123456789");
    enter_writable();
    write_file("/dir/new", "text", 0604);
    EXPECT_EQ(host_read("/dir/new"), "text");
    EXPECT_EQ(host_stat("/dir/new").st_mode & 07777, 0604u);
    write_file("/dir/read-only", "written at its making", 0444);
    EXPECT_EQ(host_read("/dir/read-only"), "written at its making");
    auto file = open("/old", abi::o_rdwr).value();
    u64 offset = 2;
    auto buffer = IoBuffer::kernel_source({ reinterpret_cast<u8 const*>("ab"), 2 });
    EXPECT_EQ(vfs::write_file(task, *file, buffer, offset).value(), 2u);
    ASSERT_TRUE(vfs::truncate_file(task, *file, 6).ok());
    EXPECT_EQ(host_read("/old"), "01ab45");
    EXPECT_EQ(stat("/old").size, 6u);
    mkdir("/dir/sub", 0711);
    EXPECT_EQ(host_stat("/dir/sub").st_mode & 07777, 0711u);
    symlink("sub/x", "/dir/link");
    EXPECT_TRUE(S_ISLNK(host_stat("/dir/link").st_mode));
    ASSERT_TRUE(vfs::link(task, at("/old"), at("/dir/linked"), false, false).ok());
    EXPECT_EQ(host_stat("/old").st_nlink, 2u);
    ASSERT_TRUE(vfs::mknod(task, at("/pipe"), abi::s_ififo | 0600, 0).ok());
    EXPECT_TRUE(S_ISFIFO(host_stat("/pipe").st_mode));
    ASSERT_TRUE(vfs::change_mode(task, walk("/old").value(), 0400).ok());
    EXPECT_EQ(host_stat("/old").st_mode & 07777, 0400u);
    abi::Timespec times[2] = { { 5, 6 }, { 7, 8 } };
    ASSERT_TRUE(vfs::change_times(task, walk("/old").value(), times).ok());
    EXPECT_EQ(host_stat("/old").st_mtim.tv_sec, 7);
    EXPECT_EQ(host_stat("/old").st_mtim.tv_nsec, 8);
}

TEST_F(HostFsTest, NamesMoveAndGo)
{
    host_mkdir("/a");
    host_mkdir("/b");
    host_write("/a/file", "1");
    host_write("/b/file", "2");
    enter_writable();
    auto open_file = open("/b/file", abi::o_rdonly).value();
    ASSERT_TRUE(vfs::rename(task, at("/a/file"), at("/b/file"), 0).ok());
    EXPECT_EQ(host_read("/b/file"), "1");
    EXPECT_EQ(host_read("/a/file"), "none");
    char text[4] = {};
    auto buffer = IoBuffer::kernel({ reinterpret_cast<u8*>(text), sizeof text });
    EXPECT_EQ(vfs::read_file(*open_file, buffer, 0).value(), 1u);
    EXPECT_EQ(text[0], '2'); // what was replaced lives on while it is open
    ASSERT_TRUE(vfs::rename(task, at("/b"), at("/a/b"), 0).ok());
    EXPECT_EQ(read_file("/a/b/file"), "1");
    EXPECT_EQ(error_of(vfs::rmdir(task, at("/a/b"))), err::notempty);
    ASSERT_TRUE(vfs::unlink(task, at("/a/b/file")).ok());
    ASSERT_TRUE(vfs::rmdir(task, at("/a/b")).ok());
    EXPECT_EQ(names("/a"), Names {});
}

TEST_F(HostFsTest, TheHostsChangesShow)
{
    host_write("/file", "one");
    enter_writable();
    EXPECT_EQ(read_file("/file"), "one");
    host_write("/file", "longer");
    EXPECT_EQ(read_file("/file"), "longer");
    host_write("/new", "x");
    EXPECT_EQ(names("/"), (Names { "file", "new" }));
    ASSERT_EQ(::unlink(host("/file").c_str()), 0);
    EXPECT_EQ(walk_error("/file"), err::noent);
    host_mkdir("/file");
    EXPECT_TRUE(abi::is_directory(stat("/file").mode));
}

TEST_F(HostFsTest, SharedMappingsAreWrittenBack)
{
    host_write("/file", std::string(5000, 'a'));
    auto fs = make_fs({ .access = fs::HostAccess::write_through });
    enter(fs);
    auto file = open("/file", abi::o_rdwr).value();
    auto object = file->mmap_object(0, 2 * kPageSize, true).value();
    EXPECT_EQ(object->host_handle(), platform::kNoHandle);
    auto frame = object->page(1, mm::PageUse::write).value();
    kernel.memory().data(frame)[0] = 'b';
    EXPECT_EQ(read_file("/file")[4096], 'b'); // one file, however it is read
    ASSERT_TRUE(fs->sync().ok());
    EXPECT_EQ(host_read("/file"), std::string(4096, 'a') + "b" + std::string(903, 'a'));
}

TEST_F(HostFsTest, WhatTheHostRefusesIsKept)
{
    enter_writable();
    if (::getuid() == 0) GTEST_SKIP() << "the host refuses root nothing";
    ASSERT_TRUE(vfs::mknod(task, at("/null"), abi::s_ifchr | 0666, abi::make_dev(1, 3)).ok());
    EXPECT_EQ(stat("/null").rdev, abi::make_dev(1, 3));
    EXPECT_TRUE(S_ISREG(host_stat("/null").st_mode));
    write_file("/file", "x");
    ASSERT_TRUE(vfs::change_owner(task, walk("/file").value(), 7, 8).ok());
    forget();
    EXPECT_EQ(stat("/file").uid, 7u);
    EXPECT_EQ(stat("/file").gid, 8u);
}

} // namespace umbra
