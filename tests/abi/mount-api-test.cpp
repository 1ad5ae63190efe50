// SPDX-License-Identifier: GPL-2.0-or-later
// size: one family of calls, which the tests use together
// Mounting in steps: fsopen(2), fsconfig(2), fsmount(2), fspick(2), open_tree(2), move_mount(2), mount_setattr(2),
// statmount(2), listmount(2).
#include <linux/mount.h>
#include <sched.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <vector>

// Only now: the C library has some of the names too.
extern "C" int umount(char const*) noexcept;

#include "mounts.h"

namespace abi_test {
namespace {

using namespace std::string_literals;

constexpr unsigned long kShared = 1 << 20, kPrivate = 1 << 18, kSlave = 1 << 19;
constexpr unsigned kFsOpen = 430, kFsConfig = 431, kFsMount = 432, kFsPick = 433, kOpenTree = 428,
                   kMoveMount = 429;
constexpr unsigned kSetAttr = 442, kStatMount = 457, kListMount = 458;
constexpr int kSetFlag = 0, kSetString = 1, kSetBinary = 2, kSetPath = 3, kSetFd = 5, kCreate = 6,
              kReconfigure = 7;
constexpr int kRecursive = 0x8000, kClone = 1, kFromEmpty = 4, kToEmpty = 0x40, kSetGroup = 0x100,
              kBeneath = 0x200;

long fsopen(char const* type, unsigned flags = 0) { return ::syscall(kFsOpen, type, flags); }
long fsconfig(int fd, int command, char const* key = nullptr, void const* value = nullptr, int aux = 0)
{
    return ::syscall(kFsConfig, fd, command, key, value, aux);
}
long fsmount(int fd, unsigned flags = 0, unsigned attributes = 0)
{
    return ::syscall(kFsMount, fd, flags, attributes);
}
long open_tree(int fd, char const* path, unsigned flags) { return ::syscall(kOpenTree, fd, path, flags); }
long move_mount(int from, char const* from_path, int to, char const* to_path, unsigned flags)
{
    return ::syscall(kMoveMount, from, from_path, to, to_path, flags);
}
long fspick(char const* path, unsigned flags = 0) { return ::syscall(kFsPick, AT_FDCWD, path, flags); }

struct Attributes {
    uint64_t set = 0, clear = 0, propagation = 0, user_namespace = 0;
};
long set_attributes(
    char const* path, Attributes const& a, unsigned flags = 0, size_t size = sizeof(Attributes))
{
    return ::syscall(kSetAttr, AT_FDCWD, path, flags, &a, size);
}

std::string message_of(int fd)
{
    char text[256];
    ssize_t n = ::read(fd, text, sizeof text);
    return n < 0 ? "" : std::string(text, size_t(n));
}

class MountApi : public InOwnMounts {
protected:
    /// A tmpfs that is mounted nowhere.
    Fd new_tmpfs(unsigned attributes = 0)
    {
        Fd fs = int(fsopen("tmpfs"));
        EXPECT_OK(fs);
        EXPECT_OK(fsconfig(fs, kSetString, "source", "made"));
        EXPECT_OK(fsconfig(fs, kCreate));
        Fd tree = int(fsmount(fs, 0, attributes));
        EXPECT_OK(tree);
        return tree;
    }
};

TEST_F(MountApi, step_by_step)
{
    make_directory("a");
    Fd fs = int(fsopen("tmpfs", 1));
    ASSERT_OK(fs);
    EXPECT_EQ(::fcntl(fs, F_GETFD), FD_CLOEXEC);
    EXPECT_ERROR(fsmount(fs), EINVAL) << "nothing there yet";
    ASSERT_OK(fsconfig(fs, kSetString, "source", "made"));
    ASSERT_OK(fsconfig(fs, kSetString, "size", "1m"));
    ASSERT_OK(fsconfig(fs, kSetString, "mode", "700"));
    ASSERT_OK(fsconfig(fs, kCreate));
    EXPECT_ERROR(fsconfig(fs, kCreate), EBUSY);
    EXPECT_ERROR(fsconfig(fs, kSetString, "size", "2m"), EBUSY);
    EXPECT_ERROR(fsconfig(fs, kReconfigure), EBUSY);
    Fd tree = int(fsmount(fs, 1, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOATIME));
    ASSERT_OK(tree);
    EXPECT_EQ(::fcntl(tree, F_GETFD), FD_CLOEXEC);
    EXPECT_EQ(::fcntl(tree, F_GETFL) & O_PATH, O_PATH);
    EXPECT_ERROR(fsmount(fs), EBUSY) << "once";
    // Used before it is mounted.
    Fd file = ::openat(tree, "file", O_CREAT | O_WRONLY, 0600);
    ASSERT_OK(file);
    EXPECT_EQ(mount_on(at("a")).id, 0);
    ASSERT_OK(move_mount(tree, "", AT_FDCWD, "a", kFromEmpty));
    auto const line = mount_on(at("a"));
    EXPECT_EQ(line.type, "tmpfs");
    EXPECT_EQ(line.source, "made");
    EXPECT_EQ(line.options, "rw,nosuid,noatime");
    EXPECT_NE(line.super_options.find("size=1024k"), std::string::npos);
    EXPECT_EQ(mode_of("a") & 07777, 0700u);
    EXPECT_TRUE(exists("a/file"));
    tree.reset();
    EXPECT_TRUE(exists("a/file")) << "mounted, it stays";
    // And changed later by the same descriptor.
    ASSERT_OK(fsconfig(fs, kSetString, "size", "2m"));
    ASSERT_OK(fsconfig(fs, kReconfigure));
    EXPECT_NE(mount_on(at("a")).super_options.find("size=2048k"), std::string::npos);
}

TEST_F(MountApi, errors_of_fsopen)
{
    EXPECT_ERROR(fsopen("no-such-type"), ENODEV);
    EXPECT_ERROR(fsopen("tmpfs", 2), EINVAL);
    EXPECT_ERROR(fsopen(nullptr), EFAULT);
    as_ordinary_user([] {
        EXPECT_ERROR(fsopen("no-such-type", 2), EPERM);
        EXPECT_ERROR(fspick("/", 0x100), EPERM);
        EXPECT_ERROR(fsmount(-1, 2), EPERM);
        EXPECT_ERROR(open_tree(AT_FDCWD, "/", kClone), EPERM);
        EXPECT_ERROR(move_mount(-1, "", -1, "", 0x1000), EPERM);
        EXPECT_ERROR(set_attributes("/", {}), EPERM);
        Fd plain = int(open_tree(AT_FDCWD, "/", 0));
        EXPECT_OK(plain) << "no more than O_PATH";
    });
}

TEST_F(MountApi, errors_of_fsconfig)
{
    Fd fs = int(fsopen("tmpfs"));
    ASSERT_OK(fs);
    EXPECT_ERROR(fsconfig(-1, kCreate), EINVAL);
    EXPECT_ERROR(fsconfig(999, kCreate), EBADF);
    Fd null = ::open("/dev/null", O_RDONLY);
    EXPECT_ERROR(fsconfig(null, kCreate), EINVAL);
    EXPECT_ERROR(fsconfig(fs, 99), EOPNOTSUPP);
    EXPECT_ERROR(fsconfig(fs, kSetFlag), EINVAL);
    EXPECT_ERROR(fsconfig(fs, kSetFlag, "ro", "x"), EINVAL);
    EXPECT_ERROR(fsconfig(fs, kSetFlag, "ro", nullptr, 1), EINVAL);
    EXPECT_ERROR(fsconfig(fs, kSetString, "size"), EINVAL);
    EXPECT_ERROR(fsconfig(fs, kSetString, nullptr, "1m"), EINVAL);
    EXPECT_ERROR(fsconfig(fs, kSetBinary, "size", "1m", 0), EINVAL);
    EXPECT_ERROR(fsconfig(fs, kSetBinary, "size", "1m", (1 << 20) + 1), EINVAL);
    EXPECT_ERROR(fsconfig(fs, kSetPath, "size", "1m", -5), EINVAL);
    EXPECT_ERROR(fsconfig(fs, kSetFd, "size", nullptr, -1), EINVAL);
    EXPECT_ERROR(fsconfig(fs, kSetFd, "size", nullptr, 999), EBADF);
    EXPECT_ERROR(fsconfig(fs, kCreate, "size"), EINVAL);
    EXPECT_ERROR(fsconfig(fs, kCreate, nullptr, nullptr, 1), EINVAL);
    EXPECT_ERROR(fsconfig(fs, kReconfigure), EBUSY);
    EXPECT_ERROR(fsconfig(fs, kSetString, std::string(300, 'x').c_str(), "1"), EINVAL);
    EXPECT_OK(fsconfig(fs, kSetFlag, "ro"));
    EXPECT_OK(fsconfig(fs, kCreate));
}

TEST_F(MountApi, what_was_wrong_can_be_read)
{
    Fd fs = int(fsopen("tmpfs"));
    ASSERT_OK(fs);
    char byte;
    EXPECT_ERROR(::read(fs, &byte, 1), ENODATA);
    EXPECT_ERROR(fsconfig(fs, kSetString, "nonsense", "1"), EINVAL);
    EXPECT_ERROR(fsconfig(fs, kSetString, "nr_inodes", "x"), EINVAL);
    std::string const unknown = message_of(fs), bad = message_of(fs);
    EXPECT_EQ(unknown, "e tmpfs: Unknown parameter 'nonsense'\n");
    EXPECT_EQ(bad, "e tmpfs: Bad value for 'nr_inodes'\n");
    EXPECT_EQ(message_of(fs), "");
    EXPECT_OK(fsconfig(fs, kSetString, "source", "a"));
    EXPECT_ERROR(fsconfig(fs, kSetString, "source", "b"), EINVAL);
    EXPECT_EQ(message_of(fs), "e Multiple sources\n");
    EXPECT_ERROR(fsconfig(fs, kSetFlag, "nonsense"), EINVAL);
    EXPECT_ERROR(::read(fs, &byte, 1), EMSGSIZE);
    EXPECT_EQ(message_of(fs), "e tmpfs: Unknown parameter 'nonsense'\n") << "it stays";
    for (int i = 0; i < 12; i++)
        EXPECT_ERROR(fsconfig(fs, kSetFlag, ("wrong" + std::to_string(i)).c_str()), EINVAL);
    EXPECT_EQ(message_of(fs), "e tmpfs: Unknown parameter 'wrong4'\n") << "the last eight";
}

TEST_F(MountApi, read_only_from_the_start)
{
    make_directory("a");
    Fd fs = int(fsopen("tmpfs"));
    ASSERT_OK(fsconfig(fs, kSetFlag, "ro"));
    ASSERT_OK(fsconfig(fs, kCreate));
    Fd tree = int(fsmount(fs));
    EXPECT_ERROR(::openat(tree, "x", O_CREAT | O_WRONLY, 0600), EROFS);
    ASSERT_OK(move_mount(tree, "", AT_FDCWD, "a", kFromEmpty));
    EXPECT_EQ(mount_on(at("a")).options.substr(0, 2), "rw");
    EXPECT_EQ(mount_on(at("a")).super_options.substr(0, 2), "ro");
    Fd picked = int(fspick("a"));
    ASSERT_OK(picked);
    ASSERT_OK(fsconfig(picked, kSetFlag, "rw"));
    ASSERT_OK(fsconfig(picked, kReconfigure));
    EXPECT_OK(::mkdir("a/x", 0755));
}

TEST_F(MountApi, fspick)
{
    make_tmpfs("a");
    make_directory("a/dir");
    EXPECT_ERROR(abi_test::fspick("a/dir"), EINVAL);
    EXPECT_ERROR(abi_test::fspick("missing"), ENOENT);
    EXPECT_ERROR(abi_test::fspick("a", 0x100), EINVAL);
    Fd picked = int(abi_test::fspick("a", 1));
    ASSERT_OK(picked);
    EXPECT_EQ(::fcntl(picked, F_GETFD), FD_CLOEXEC);
    EXPECT_ERROR(fsconfig(picked, kCreate), EBUSY);
    ASSERT_OK(fsconfig(picked, kSetString, "nr_inodes", "100"));
    ASSERT_OK(fsconfig(picked, kReconfigure));
    struct statvfs status;
    ASSERT_OK(::statvfs("a", &status));
    EXPECT_EQ(status.f_files, 100u);
    EXPECT_ERROR(fsmount(picked), EBUSY);
}

TEST_F(MountApi, errors_of_fsmount)
{
    Fd fs = int(fsopen("tmpfs"));
    ASSERT_OK(fsconfig(fs, kCreate));
    EXPECT_ERROR(fsmount(fs, 2), EINVAL);
    EXPECT_ERROR(fsmount(fs, 0, 0x30), EINVAL) << "no kind of access times";
    EXPECT_ERROR(fsmount(fs, 0, MOUNT_ATTR_IDMAP), EINVAL);
    EXPECT_ERROR(fsmount(-1), EBADF);
    Fd null = ::open("/dev/null", O_RDONLY);
    EXPECT_ERROR(fsmount(null), EINVAL);
    Fd tree = int(fsmount(fs));
    EXPECT_OK(tree);
}

TEST_F(MountApi, a_tree_that_nobody_mounts_ends_with_its_file)
{
    Fd tree = new_tmpfs();
    Fd file = ::openat(tree, "file", O_CREAT | O_RDWR, 0600);
    ASSERT_OK(file);
    Fd place = ::openat(tree, ".", O_RDONLY);
    tree.reset();
    EXPECT_EQ(::write(file, "x", 1), 1) << "who is in it stays";
    Fd again = ::openat(place, "file", O_RDONLY);
    EXPECT_OK(again);
    make_directory("a");
    EXPECT_ERROR(move_mount(place, "", AT_FDCWD, "a", kFromEmpty), EINVAL);
}

TEST_F(MountApi, open_tree)
{
    make_tmpfs("a");
    make_tmpfs("a/b");
    make_directory("to");
    EXPECT_ERROR(abi_test::open_tree(AT_FDCWD, "a", 2), EINVAL);
    EXPECT_ERROR(abi_test::open_tree(AT_FDCWD, "a", kRecursive), EINVAL);
    EXPECT_ERROR(abi_test::open_tree(AT_FDCWD, "missing", 0), ENOENT);
    Fd plain = int(abi_test::open_tree(AT_FDCWD, "a", O_CLOEXEC));
    ASSERT_OK(plain);
    EXPECT_EQ(::fcntl(plain, F_GETFL) & O_PATH, O_PATH);
    EXPECT_EQ(::fcntl(plain, F_GETFD), FD_CLOEXEC);
    Fd one = int(abi_test::open_tree(AT_FDCWD, "a", kClone));
    Fd all = int(abi_test::open_tree(AT_FDCWD, "a", kClone | kRecursive));
    ASSERT_OK(one);
    ASSERT_OK(all);
    write_file("a/b/file", "");
    EXPECT_ERROR(::faccessat(one, "b/file", F_OK, 0), ENOENT);
    EXPECT_OK(::faccessat(all, "b/file", F_OK, 0)) << "a tree by itself can be walked";
    struct stat top, above;
    ASSERT_OK(::fstat(all, &top));
    ASSERT_OK(::fstatat(all, "b/..", &above, 0));
    EXPECT_EQ(top.st_ino, above.st_ino);
    ASSERT_OK(move_mount(all, "", AT_FDCWD, "to", kFromEmpty));
    EXPECT_TRUE(exists("to/b/file"));
    ASSERT_OK(move_mount(AT_FDCWD, "to/b", AT_FDCWD, "to", 0)) << "plainly moved, over its own parent";
    EXPECT_TRUE(exists("to/file"));
}

TEST_F(MountApi, a_cloned_tree_is_a_peer)
{
    make_tmpfs("a");
    propagate("a", kShared);
    make_directory("a/dir");
    make_directory("to");
    Fd tree = int(abi_test::open_tree(AT_FDCWD, "a", kClone));
    ASSERT_OK(tree);
    ASSERT_OK(move_mount(tree, "", AT_FDCWD, "to", kFromEmpty));
    EXPECT_EQ(mount_on(at("to")).field("shared"), mount_on(at("a")).field("shared"));
    make_tmpfs("a/dir");
    EXPECT_NE(mount_on(at("to/dir")).id, 0);
}

TEST_F(MountApi, errors_of_move_mount)
{
    make_tmpfs("a");
    make_directory("a/dir");
    make_directory("to");
    EXPECT_ERROR(move_mount(AT_FDCWD, "a", AT_FDCWD, "to", 0x1000), EINVAL);
    EXPECT_ERROR(move_mount(AT_FDCWD, "a", AT_FDCWD, "to", kSetGroup | kBeneath), EINVAL);
    EXPECT_ERROR(move_mount(AT_FDCWD, "missing", AT_FDCWD, "to", 0), ENOENT);
    EXPECT_ERROR(move_mount(AT_FDCWD, "a", AT_FDCWD, "missing", 0), ENOENT);
    EXPECT_ERROR(move_mount(AT_FDCWD, "", AT_FDCWD, "to", 0), ENOENT);
    EXPECT_ERROR(move_mount(AT_FDCWD, "a/dir", AT_FDCWD, "to", 0), EINVAL);
    EXPECT_ERROR(move_mount(AT_FDCWD, "a", AT_FDCWD, "a/dir", 0), ELOOP);
    Fd tree = new_tmpfs();
    ASSERT_OK(move_mount(tree, "", AT_FDCWD, "to", kFromEmpty));
    Fd place = ::open("a", O_PATH);
    ASSERT_OK(move_mount(tree, "", place, "", kFromEmpty | kToEmpty))
        << "once mounted, it moves like any other";
    EXPECT_EQ(mount_on(at("to")).id, 0);
    EXPECT_EQ(count_mounts_on(at("a")), 2);
}

TEST_F(MountApi, beneath)
{
    make_tmpfs("a");
    write_file("a/top", "");
    int const top = mount_on(at("a")).id;
    Fd tree = new_tmpfs();
    ASSERT_OK(move_mount(tree, "", AT_FDCWD, "a", kFromEmpty | kBeneath));
    EXPECT_EQ(count_mounts_on(at("a")), 2);
    EXPECT_TRUE(exists("a/top"));
    EXPECT_EQ(mount_on(at("a")).id, top);
    ASSERT_OK(::umount("a"));
    EXPECT_FALSE(exists("a/top"));
    EXPECT_EQ(mount_on(at("a")).source, "made");
    make_directory("plain");
    Fd other = new_tmpfs();
    EXPECT_ERROR(move_mount(other, "", AT_FDCWD, "plain", kFromEmpty | kBeneath), EINVAL) << "beneath what?";
    EXPECT_ERROR(move_mount(other, "", AT_FDCWD, "/", kFromEmpty | kBeneath), EINVAL);
}

TEST_F(MountApi, set_group)
{
    make_tmpfs("a");
    bind("a", "b");
    make_tmpfs("other");
    EXPECT_ERROR(move_mount(AT_FDCWD, "a", AT_FDCWD, "b", kSetGroup), EINVAL) << "private itself";
    propagate("a", kShared);
    EXPECT_ERROR(move_mount(AT_FDCWD, "a", AT_FDCWD, "other", kSetGroup), EINVAL) << "another file system";
    ASSERT_OK(move_mount(AT_FDCWD, "a", AT_FDCWD, "b", kSetGroup));
    EXPECT_EQ(mount_on(at("b")).field("shared"), mount_on(at("a")).field("shared"));
    EXPECT_ERROR(move_mount(AT_FDCWD, "a", AT_FDCWD, "b", kSetGroup), EINVAL) << "it is in one";
}

TEST_F(MountApi, mount_setattr)
{
    make_tmpfs("a");
    make_tmpfs("a/b");
    ASSERT_OK(set_attributes("a", { .set = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NODEV }));
    EXPECT_EQ(mount_on(at("a")).options, "ro,nodev,relatime");
    EXPECT_EQ(mount_on(at("a/b")).options, "rw,relatime");
    ASSERT_OK(set_attributes("a", { .set = MOUNT_ATTR_NOEXEC, .clear = MOUNT_ATTR_RDONLY }, kRecursive));
    EXPECT_EQ(mount_on(at("a")).options, "rw,nodev,noexec,relatime");
    EXPECT_EQ(mount_on(at("a/b")).options, "rw,noexec,relatime");
    ASSERT_OK(set_attributes("a", { .set = MOUNT_ATTR_NOATIME, .clear = MOUNT_ATTR__ATIME }));
    EXPECT_EQ(mount_on(at("a")).options, "rw,nodev,noexec,noatime");
    ASSERT_OK(set_attributes("a", { .set = MOUNT_ATTR_STRICTATIME, .clear = MOUNT_ATTR__ATIME }));
    EXPECT_EQ(mount_on(at("a")).options, "rw,nodev,noexec");
    ASSERT_OK(set_attributes("a", { .propagation = kShared }, kRecursive));
    EXPECT_GT(mount_on(at("a/b")).field("shared"), 0);
    ASSERT_OK(set_attributes("a", { .propagation = kPrivate }, kRecursive));
    EXPECT_EQ(mount_on(at("a/b")).fields, "");
    Fd tree = int(abi_test::open_tree(AT_FDCWD, "a", kClone));
    EXPECT_OK(::syscall(kSetAttr, int(tree), "", AT_EMPTY_PATH,
        &(Attributes const&)Attributes { .set = MOUNT_ATTR_RDONLY }, sizeof(Attributes)))
        << "before it is mounted";
}

TEST_F(MountApi, errors_of_mount_setattr)
{
    make_tmpfs("a");
    make_directory("a/dir");
    EXPECT_ERROR(set_attributes("a", {}, 2), EINVAL);
    EXPECT_ERROR(set_attributes("a", {}, 0, 31), EINVAL);
    EXPECT_ERROR(set_attributes("a", {}, 0, 4097), E2BIG);
    EXPECT_OK(set_attributes("missing", {})) << "nothing to do";
    EXPECT_ERROR(set_attributes("missing", { .set = 1 }), ENOENT);
    EXPECT_ERROR(set_attributes("a/dir", { .set = 1 }), EINVAL);
    EXPECT_ERROR(set_attributes("a", { .set = 1ull << 40 }), EINVAL);
    EXPECT_ERROR(set_attributes("a", { .set = MOUNT_ATTR_NOATIME }), EINVAL) << "the old kind must go";
    EXPECT_ERROR(set_attributes("a", { .clear = MOUNT_ATTR_NOATIME }), EINVAL);
    EXPECT_ERROR(set_attributes("a", { .set = 0x30, .clear = MOUNT_ATTR__ATIME }), EINVAL);
    EXPECT_ERROR(set_attributes("a", { .propagation = kShared | kSlave }), EINVAL);
    EXPECT_ERROR(set_attributes("a", { .propagation = 1 }), EINVAL);
    struct {
        Attributes known { .set = 1 };
        uint64_t more = 0;
    } longer;
    EXPECT_OK(set_attributes("a", longer.known, 0, sizeof longer));
    longer.more = 1;
    EXPECT_ERROR(set_attributes("a", longer.known, 0, sizeof longer), E2BIG);
    ASSERT_OK(set_attributes("a", { .clear = 1 }));
    Fd file = new_file("a/file");
    EXPECT_ERROR(set_attributes("a", { .set = 1 }), EBUSY) << "somebody writes";
}

struct Request {
    uint32_t size = 24, spare = 0;
    uint64_t id = 0, parameter = 0, space = 0;
};
struct Described {
    uint32_t size, options;
    uint64_t mask;
    uint32_t major, minor;
    uint64_t magic;
    uint32_t super_flags, type;
    uint64_t id, parent;
    uint32_t old_id, old_parent;
    uint64_t attributes, propagation, peer_group, master, from;
    uint32_t root, point;
    uint64_t space;
    uint64_t spare[49];
    char text[1024];
};

uint64_t unique_id(std::string const& path)
{
    struct {
        uint32_t mask;
        char before[140];
        uint64_t id;
        char after[200];
    } status {};
    // The C library may not know the field yet: stx_mnt_id is at 144.
    static_assert(offsetof(decltype(status), id) == 144);
    EXPECT_OK(::syscall(SYS_statx, AT_FDCWD, path.c_str(), 0, 0x4000u, &status));
    return status.mask & 0x4000 ? status.id : 0;
}

#define NEEDS_LISTS()                                                                                        \
    if (raw(kListMount, 0, 0, 0, 0) == -ENOSYS) SKIP_AS_HOST_LACKS("listmount")

TEST_F(MountApi, unique_ids)
{
    make_tmpfs("a");
    uint64_t const id = unique_id("a");
    if (!id) SKIP_AS_HOST_LACKS("STATX_MNT_ID_UNIQUE");
    EXPECT_GT(id, 1ull << 31);
    ASSERT_OK(::umount("a"));
    make_tmpfs("a");
    EXPECT_GT(unique_id("a"), id);
}

TEST_F(MountApi, statmount)
{
    NEEDS_LISTS();
    make_tmpfs("a", 2);
    make_directory("a/dir");
    bind("a/dir", "b");
    propagate("b", kShared);
    Request request { .id = unique_id("b"), .parameter = 0x7f };
    Described out;
    ASSERT_OK(::syscall(kStatMount, &request, &out, sizeof out, 0));
    auto const line = mount_on(at("b"));
    EXPECT_EQ(out.mask & 0x3f, 0x3fu);
    EXPECT_EQ(out.id, request.id);
    EXPECT_EQ(out.parent, unique_id(top_));
    EXPECT_EQ(out.old_id, uint32_t(line.id));
    EXPECT_EQ(out.old_parent, uint32_t(line.parent));
    EXPECT_EQ(out.attributes, uint64_t(MOUNT_ATTR_NOSUID));
    EXPECT_EQ(out.propagation, kShared);
    EXPECT_EQ(out.peer_group, uint64_t(line.field("shared")));
    EXPECT_EQ(out.magic, 0x01021994u);
    EXPECT_EQ(out.text + out.type, "tmpfs"s);
    EXPECT_EQ(out.text + out.root, "/dir"s);
    EXPECT_EQ(out.text + out.point, at("b"));
    request.parameter = 8;
    EXPECT_ERROR(::syscall(kStatMount, &request, &out, 513, 0), EOVERFLOW);
    EXPECT_ERROR(::syscall(kStatMount, &request, &out, sizeof out, 1), EINVAL);
    EXPECT_ERROR(::syscall(kStatMount, &request, 8, sizeof out, 0), EFAULT);
    request.id = ~0ull >> 1;
    EXPECT_ERROR(::syscall(kStatMount, &request, &out, sizeof out, 0), ENOENT);
    request.id = 5;
    EXPECT_ERROR(::syscall(kStatMount, &request, &out, sizeof out, 0), EINVAL) << "an old number";
    request = { .size = 20 };
    EXPECT_ERROR(::syscall(kStatMount, &request, &out, sizeof out, 0), EINVAL);
    request = { .size = 5000 };
    EXPECT_ERROR(::syscall(kStatMount, &request, &out, sizeof out, 0), E2BIG);
}

TEST_F(MountApi, listmount)
{
    NEEDS_LISTS();
    make_tmpfs("a");
    make_tmpfs("a/b");
    make_tmpfs("c");
    std::vector<uint64_t> ids(1000);
    Request request { .id = ~0ull };
    long const all = ::syscall(kListMount, &request, ids.data(), ids.size(), 0);
    ASSERT_OK(all);
    EXPECT_EQ(size_t(all), mountinfo().size());
    for (long i = 1; i < all; i++)
        EXPECT_LT(ids[size_t(i) - 1], ids[size_t(i)]);
    request.id = unique_id("a");
    ASSERT_EQ(::syscall(kListMount, &request, ids.data(), ids.size(), 0), 1);
    EXPECT_EQ(ids[0], unique_id("a/b"));
    request = { .id = ~0ull };
    ASSERT_EQ(::syscall(kListMount, &request, ids.data(), 1, 0), 1);
    request.parameter = ids[0];
    EXPECT_EQ(::syscall(kListMount, &request, ids.data(), ids.size(), 0), all - 1) << "from there on";
    request = { .id = ~0ull };
    ASSERT_EQ(::syscall(kListMount, &request, ids.data(), 1, 1), 1);
    EXPECT_EQ(ids[0], unique_id("c")) << "backwards";
    EXPECT_ERROR(::syscall(kListMount, &request, ids.data(), 1, 2), EINVAL);
    EXPECT_ERROR(::syscall(kListMount, &request, ids.data(), 1'000'001, 0), EOVERFLOW);
    EXPECT_ERROR(::syscall(kListMount, &request, 8, 1, 0), EFAULT);
    request.parameter = 1ull << 31;
    EXPECT_ERROR(::syscall(kListMount, &request, ids.data(), 1, 0), EINVAL) << "no unique number";
}

} // namespace
} // namespace abi_test
