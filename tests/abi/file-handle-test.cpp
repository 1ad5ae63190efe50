// SPDX-License-Identifier: GPL-2.0-or-later
// name_to_handle_at(2), open_by_handle_at(2) and cachestat(2), in a file system that has handles.
#include "abi-test.h"

#include <sys/mount.h>
#include <vector>

namespace abi_test {
namespace {

constexpr int kHandleFid = 0x200, kMaxHandle = 128;

struct Handle {
    unsigned bytes = kMaxHandle;
    int type = 0;
    unsigned char data[kMaxHandle] = {};
};

long name_to_handle(int directory, char const* name, Handle* handle, int* mount, int flags = 0)
{
    return raw(SYS_name_to_handle_at, directory, name, handle, mount, flags);
}

/// /dev/shm is a tmpfs wherever these tests run; its files are made in a directory of the test's own.
class FileHandle : public ::testing::Test {
protected:
    void SetUp() override
    {
        char name[] = "/dev/shm/handle-XXXXXX";
        ASSERT_NE(::mkdtemp(name), nullptr);
        place_ = name;
        ASSERT_OK(::chdir(name));
    }
    void TearDown() override
    {
        for (char const* name : { "file", "other", "link", "inner/deep" })
            ::unlink(name);
        ::rmdir("inner");
        ::rmdir(place_.c_str());
    }
    std::string place_;
};

TEST_F(FileHandle, names_have_handles)
{
    write_file("file", "text");
    ASSERT_OK(::symlink("file", "link"));
    Handle by_name, by_link, followed, by_fd;
    int mount = -1, same = -2;
    ASSERT_EQ(name_to_handle(AT_FDCWD, "file", &by_name, &mount), 0);
    EXPECT_GE(mount, 0);
    EXPECT_GT(by_name.bytes, 0u);
    EXPECT_EQ(name_to_handle(AT_FDCWD, "link", &by_link, &same), 0);
    EXPECT_EQ(same, mount);
    EXPECT_NE(std::memcmp(by_name.data, by_link.data, by_name.bytes), 0);
    EXPECT_EQ(name_to_handle(AT_FDCWD, "link", &followed, &same, AT_SYMLINK_FOLLOW), 0);
    EXPECT_EQ(std::memcmp(by_name.data, followed.data, by_name.bytes), 0);
    Fd fd = ::open("file", O_PATH);
    EXPECT_EQ(name_to_handle(fd, "", &by_fd, &same, AT_EMPTY_PATH), 0);
    EXPECT_EQ(std::memcmp(by_name.data, by_fd.data, by_name.bytes), 0);
}

TEST_F(FileHandle, order_of_errors_of_names)
{
    write_file("file", "");
    Handle handle;
    int mount = 0;
    EXPECT_EQ(name_to_handle(-1, "file", &handle, &mount), -EBADF);
    EXPECT_EQ(name_to_handle(AT_FDCWD, "file", &handle, &mount, 0x10), -EINVAL);
    EXPECT_EQ(name_to_handle(AT_FDCWD, "", &handle, &mount), -ENOENT);
    EXPECT_EQ(name_to_handle(AT_FDCWD, nullptr, &handle, &mount), -EFAULT);
    EXPECT_EQ(name_to_handle(AT_FDCWD, "file", nullptr, &mount), -EFAULT);
    EXPECT_EQ(name_to_handle(AT_FDCWD, "file", &handle, nullptr), -EFAULT);
    handle.bytes = kMaxHandle + 1;
    EXPECT_EQ(name_to_handle(AT_FDCWD, "file", &handle, &mount), -EINVAL);
    handle.bytes = 0;
    EXPECT_EQ(name_to_handle(AT_FDCWD, "file", &handle, &mount), -EOVERFLOW);
    EXPECT_GT(handle.bytes, 0u) << "how much it takes";
    EXPECT_EQ(name_to_handle(AT_FDCWD, "file", &handle, &mount), 0) << "and that suffices";
    handle.bytes = kMaxHandle;
    EXPECT_EQ(name_to_handle(AT_FDCWD, "/proc/filesystems", &handle, &mount), -EOPNOTSUPP);
}

TEST_F(FileHandle, an_identity_where_nothing_can_be_opened)
{
    Handle handle;
    int mount = 0;
    long const result = name_to_handle(AT_FDCWD, "/proc/filesystems", &handle, &mount, kHandleFid);
    if (result == -EINVAL || result == -EOPNOTSUPP) SKIP_AS_HOST_LACKS("AT_HANDLE_FID");
    EXPECT_EQ(result, 0);
    EXPECT_EQ(handle.type, 0x81);
}

TEST_F(FileHandle, opens_whatever_the_name_is_now)
{
    NEEDS_ROOT();
    ASSERT_OK(::mkdir("inner", 0700));
    write_file("file", "text");
    write_file("inner/deep", "deep");
    Handle handle, deep, directory;
    int mount = 0;
    ASSERT_EQ(name_to_handle(AT_FDCWD, "file", &handle, &mount), 0);
    ASSERT_EQ(name_to_handle(AT_FDCWD, "inner/deep", &deep, &mount), 0);
    ASSERT_EQ(name_to_handle(AT_FDCWD, "inner", &directory, &mount), 0);
    ASSERT_OK(::rename("file", "other"));
    Fd file = int(raw(SYS_open_by_handle_at, AT_FDCWD, &handle, O_RDONLY));
    if (int(file) == -EPERM) GTEST_SKIP() << "needs an unfiltered root";
    ASSERT_OK(file);
    EXPECT_EQ(read_all(file), "text");
    Fd inner = int(raw(SYS_open_by_handle_at, int(file), &deep, O_RDWR));
    EXPECT_EQ(read_all(inner), "deep") << "any file of the mount will do";
    char target[256] = {};
    EXPECT_GT(::readlink(("/proc/self/fd/" + std::to_string(inner)).c_str(), target, sizeof target - 1), 0);
    EXPECT_EQ(target, place_ + "/inner/deep");
    Fd opened = int(raw(SYS_open_by_handle_at, AT_FDCWD, &directory, O_RDONLY | O_DIRECTORY));
    EXPECT_EQ(::faccessat(opened, "deep", F_OK, 0), 0);
}

TEST_F(FileHandle, order_of_errors_of_opening)
{
    NEEDS_ROOT();
    write_file("file", "");
    ASSERT_OK(::symlink("file", "link"));
    Handle handle, link;
    int mount = 0;
    ASSERT_EQ(name_to_handle(AT_FDCWD, "file", &handle, &mount), 0);
    ASSERT_EQ(name_to_handle(AT_FDCWD, "link", &link, &mount), 0);
    if (raw(SYS_open_by_handle_at, AT_FDCWD, nullptr, O_RDONLY) == -EPERM)
        GTEST_SKIP() << "needs an unfiltered root";
    EXPECT_EQ(raw(SYS_open_by_handle_at, -1, &handle, O_RDONLY), -EBADF);
    EXPECT_EQ(raw(SYS_open_by_handle_at, AT_FDCWD, nullptr, O_RDONLY), -EFAULT);
    EXPECT_EQ(raw(SYS_open_by_handle_at, AT_FDCWD, &link, O_RDONLY), -ELOOP);
    EXPECT_EQ(raw(SYS_open_by_handle_at, AT_FDCWD, &handle, O_RDONLY | O_DIRECTORY), -ENOTDIR);
    Fd elsewhere = ::open("/proc", O_RDONLY);
    EXPECT_EQ(raw(SYS_open_by_handle_at, int(elsewhere), &handle, O_RDONLY), -ESTALE);
    unsigned const size = handle.bytes;
    handle.bytes = 0;
    EXPECT_EQ(raw(SYS_open_by_handle_at, AT_FDCWD, &handle, O_RDONLY), -EINVAL);
    handle.bytes = kMaxHandle + 1;
    EXPECT_EQ(raw(SYS_open_by_handle_at, AT_FDCWD, &handle, O_RDONLY), -EINVAL);
    handle.bytes = size;
    ASSERT_OK(::unlink("file"));
    EXPECT_EQ(raw(SYS_open_by_handle_at, AT_FDCWD, &handle, O_RDONLY), -ESTALE) << "it has gone";
    as_ordinary_user([&] { EXPECT_EQ(raw(SYS_open_by_handle_at, AT_FDCWD, &handle, O_RDONLY), -EPERM); });
}

struct CacheRange {
    uint64_t offset, length;
};
struct CacheStatus {
    uint64_t cached, dirty, writeback, evicted, recently_evicted;
};

TEST_F(FileHandle, cachestat_counts_pages)
{
    constexpr long kCachestat = 451;
    write_file("file", std::string(5 * kPage, 'x'));
    Fd file = ::open("file", O_RDONLY);
    CacheRange range { 0, 0 };
    CacheStatus status {};
    long const result = raw(kCachestat, int(file), &range, &status, 0);
    if (result == -ENOSYS) SKIP_AS_HOST_LACKS("cachestat");
    ASSERT_EQ(result, 0);
    EXPECT_EQ(status.cached + status.evicted, 5u);
    range = { kPage, 2 * kPage };
    EXPECT_EQ(raw(kCachestat, int(file), &range, &status, 0), 0);
    EXPECT_EQ(status.cached + status.evicted, 2u);
    EXPECT_EQ(raw(kCachestat, -1, &range, &status, 0), -EBADF);
    EXPECT_EQ(raw(kCachestat, int(file), nullptr, &status, 1), -EFAULT);
    EXPECT_EQ(raw(kCachestat, int(file), &range, &status, 1), -EINVAL);
    EXPECT_EQ(raw(kCachestat, int(file), &range, nullptr, 0), -EFAULT);
}

} // namespace
} // namespace abi_test
