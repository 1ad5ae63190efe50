// SPDX-License-Identifier: GPL-2.0-or-later
// Flags of files, as chattr(1) sets them: ioctl_iflags(2), FS_IOC_FSGETXATTR; and RWF_NOAPPEND of pwritev2(2).
#include <linux/fs.h>
#include <linux/stat.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/xattr.h>

#include "mounts.h"

namespace abi_test {
namespace {

constexpr int kNoappend = 0x20;

class FileFlags : public InOwnMounts {
protected:
    void SetUp() override
    {
        InOwnMounts::SetUp();
        if (IsSkipped() || HasFatalFailure()) return;
        write_file("f", "text");
        make_directory("d");
    }
    static int set(std::string const& path, int flags)
    {
        Fd fd = ::open(path.c_str(), O_RDONLY);
        return ::ioctl(fd, FS_IOC_SETFLAGS, &flags);
    }
    static int get(std::string const& path)
    {
        Fd fd = ::open(path.c_str(), O_RDONLY);
        int flags = -1;
        EXPECT_OK(::ioctl(fd, FS_IOC_GETFLAGS, &flags));
        return flags;
    }
};

TEST_F(FileFlags, are_kept)
{
    EXPECT_EQ(get("f"), 0);
    ASSERT_OK(set("f", FS_NODUMP_FL | FS_NOATIME_FL));
    EXPECT_EQ(get("f"), FS_NODUMP_FL | FS_NOATIME_FL);
    ASSERT_OK(set("d", FS_NODUMP_FL));
    write_file("d/new", "");
    make_directory("d/sub");
    EXPECT_EQ(get("d/new"), FS_NODUMP_FL);
    EXPECT_EQ(get("d/sub"), FS_NODUMP_FL);
    EXPECT_ERROR(set("f", FS_COMPR_FL), EOPNOTSUPP);
    ASSERT_OK(set("f", 0));
    EXPECT_EQ(get("f"), 0);
    ASSERT_EQ(::mkfifo("fifo", 0600), 0);
    Fd fifo = ::open("fifo", O_RDWR);
    int flags;
    EXPECT_ERROR(::ioctl(fifo, FS_IOC_GETFLAGS, &flags), ENOTTY);
}

TEST_F(FileFlags, as_xflags)
{
    Fd fd = ::open("f", O_RDONLY);
    fsxattr x {};
    x.fsx_xflags = FS_XFLAG_NODUMP | FS_XFLAG_IMMUTABLE;
    ASSERT_OK(::ioctl(fd, FS_IOC_FSSETXATTR, &x));
    EXPECT_EQ(get("f"), FS_NODUMP_FL | FS_IMMUTABLE_FL);
    x = {};
    x.fsx_projid = 99;
    ASSERT_OK(::ioctl(fd, FS_IOC_FSGETXATTR, &x));
    EXPECT_EQ(x.fsx_xflags, unsigned(FS_XFLAG_NODUMP | FS_XFLAG_IMMUTABLE));
    EXPECT_EQ(x.fsx_projid, 0u);
    x = {};
    x.fsx_xflags = FS_XFLAG_REALTIME;
    EXPECT_ERROR(::ioctl(fd, FS_IOC_FSSETXATTR, &x), EOPNOTSUPP);
    x = {};
    ASSERT_OK(::ioctl(fd, FS_IOC_FSSETXATTR, &x));
    EXPECT_EQ(get("f"), 0);
}

TEST_F(FileFlags, immutable)
{
    Fd open_before = ::open("f", O_RDWR);
    ASSERT_OK(set("f", FS_IMMUTABLE_FL));
    EXPECT_ERROR(::open("f", O_WRONLY), EPERM);
    EXPECT_ERROR(::open("f", O_RDWR | O_APPEND), EPERM);
    EXPECT_OK(Fd(::open("f", O_RDONLY)));
    EXPECT_ERROR(::truncate("f", 0), EPERM);
    EXPECT_ERROR(::chmod("f", 0600), EPERM);
    EXPECT_ERROR(::chown("f", 1, 1), EPERM);
    EXPECT_ERROR(::utimensat(AT_FDCWD, "f", nullptr, 0), EPERM);
    EXPECT_ERROR(::setxattr("f", "user.a", "b", 1, 0), EPERM);
    EXPECT_ERROR(::unlink("f"), EPERM);
    EXPECT_ERROR(::rename("f", "g"), EPERM);
    EXPECT_ERROR(::link("f", "g"), EPERM);
    EXPECT_ERROR(::access("f", W_OK), EPERM);
    EXPECT_ERROR(::fallocate(open_before, 0, 0, 100), EPERM);
    EXPECT_EQ(::pwrite(open_before, "T", 1, 0), 1) << "what was open before may still write";
    struct statx s;
    ASSERT_OK(::syscall(SYS_statx, AT_FDCWD, "f", 0, STATX_BASIC_STATS, &s));
    constexpr uint64_t shown = STATX_ATTR_IMMUTABLE | STATX_ATTR_APPEND | STATX_ATTR_NODUMP;
    EXPECT_EQ(s.stx_attributes & shown, uint64_t(STATX_ATTR_IMMUTABLE));
    EXPECT_EQ(s.stx_attributes_mask & shown, shown);
    ASSERT_OK(set("d", FS_IMMUTABLE_FL));
    EXPECT_ERROR(::mkdir("d/x", 0700), EPERM);
    EXPECT_ERROR(::open("d", O_TMPFILE | O_RDWR, 0600), EPERM);
    EXPECT_ERROR(::rmdir("d"), EPERM);
    ASSERT_OK(set("d", 0));
    ASSERT_OK(set("f", 0));
    EXPECT_OK(::unlink("f"));
    EXPECT_OK(::rmdir("d"));
}

TEST_F(FileFlags, append_only)
{
    Fd open_before = ::open("f", O_RDWR);
    write_file("d/old", "");
    ASSERT_OK(set("f", FS_APPEND_FL));
    ASSERT_OK(set("d", FS_APPEND_FL));
    EXPECT_ERROR(::open("f", O_WRONLY), EPERM);
    EXPECT_ERROR(::open("f", O_WRONLY | O_APPEND | O_TRUNC), EPERM);
    Fd fd = ::open("f", O_RDWR | O_APPEND);
    ASSERT_OK(fd);
    EXPECT_EQ(::write(fd, "more", 4), 4);
    EXPECT_ERROR(::fcntl(fd, F_SETFL, 0), EPERM);
    EXPECT_ERROR(::ftruncate(open_before, 0), EPERM);
    EXPECT_ERROR(::truncate("f", 0), EPERM);
    EXPECT_ERROR(::fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 4096), EPERM);
    EXPECT_OK(::fallocate(fd, FALLOC_FL_KEEP_SIZE, 0, 4096));
    EXPECT_EQ(::mmap(nullptr, 4096, PROT_READ, MAP_SHARED, fd, 0), MAP_FAILED);
    EXPECT_EQ(errno, EACCES);
    iovec const part { const_cast<char*>("x"), 1 };
    EXPECT_ERROR(::pwritev2(fd, &part, 1, 0, kNoappend), EPERM);
    EXPECT_ERROR(::chmod("f", 0600), EPERM);
    EXPECT_OK(::utimensat(AT_FDCWD, "f", nullptr, 0));
    timespec const then[2] = { { 1, 0 }, { 1, 0 } };
    EXPECT_ERROR(::utimensat(AT_FDCWD, "f", then, 0), EPERM);
    EXPECT_ERROR(::unlink("f"), EPERM);
    EXPECT_EQ(read_file("f"), "textmore");
    write_file("d/new", "");
    EXPECT_ERROR(::unlink("d/old"), EPERM);
    EXPECT_ERROR(::rename("d/old", "d/x"), EPERM);
    ASSERT_OK(set("f", 0));
    ASSERT_OK(set("d", 0));
}

TEST_F(FileFlags, need_rights)
{
    ASSERT_OK(::chown("f", kOrdinaryUser, kOrdinaryUser));
    write_file("roots", "");
    ASSERT_OK(::chmod(".", 0755));
    as_ordinary_user([] {
        EXPECT_ERROR(set("f", FS_IMMUTABLE_FL), EPERM);
        EXPECT_ERROR(set("f", FS_APPEND_FL), EPERM);
        EXPECT_OK(set("f", FS_NODUMP_FL));
        EXPECT_ERROR(set("roots", FS_NODUMP_FL), EPERM);
    });
}

TEST_F(FileFlags, no_access_times)
{
    timespec const old[2] = { { 1000, 0 }, { 2000, 0 } };
    ASSERT_OK(::utimensat(AT_FDCWD, "f", old, 0));
    ASSERT_OK(set("f", FS_NOATIME_FL));
    EXPECT_EQ(read_file("f"), "text");
    struct stat s;
    ASSERT_OK(::stat("f", &s));
    EXPECT_EQ(s.st_atime, 1000);
}

TEST_F(FileFlags, writes_that_do_not_append)
{
    Fd fd = ::open("f", O_RDWR | O_APPEND);
    iovec const part { const_cast<char*>("XY"), 2 };
    ASSERT_EQ(::pwritev2(fd, &part, 1, 1, kNoappend), 2);
    EXPECT_EQ(read_file("f"), "tXYt");
    ASSERT_EQ(::pwritev2(fd, &part, 1, 0, 0), 2);
    EXPECT_EQ(read_file("f"), "tXYtXY");
    ASSERT_EQ(::lseek(fd, 2, SEEK_SET), 2);
    iovec const other { const_cast<char*>("--"), 2 };
    ASSERT_EQ(::pwritev2(fd, &other, 1, -1, kNoappend), 2);
    EXPECT_EQ(read_file("f"), "tX--XY");
    EXPECT_EQ(::lseek(fd, 0, SEEK_CUR), 4);
}

} // namespace
} // namespace abi_test
