// SPDX-License-Identifier: GPL-2.0-or-later
// Options of file systems as mount(2) takes them: tmpfs(5), proc(5), ramfs.
#include <dirent.h>
#include <set>
#include <sys/mount.h>
#include <sys/statfs.h>
#include <sys/statvfs.h>

#include "mounts.h"

namespace abi_test {
namespace {

class MountOptions : public InOwnMounts {
protected:
    void SetUp() override
    {
        InOwnMounts::SetUp();
        if (!IsSkipped()) make_directory("a");
    }
    static long mount_as(char const* type, char const* options, unsigned long flags = 0)
    {
        return ::mount("none", "a", type, flags, options);
    }
    bool shows(std::string const& option)
    {
        return ("," + mount_on(at("a")).super_options + ",").find("," + option + ",") != std::string::npos;
    }
    struct statvfs limits()
    {
        struct statvfs status;
        EXPECT_OK(::statvfs("a", &status));
        return status;
    }
};

TEST_F(MountOptions, sizes_of_tmpfs)
{
    struct {
        char const* options;
        unsigned long blocks;
    } const rows[] = { { "size=1m", 256 }, { "size=8192", 2 }, { "size=1", 1 }, { "size=4097", 2 },
        { "nr_blocks=10", 10 }, { "nr_blocks=1k", 1024 }, { "size=0", 0 }, { "size=1m,size=2m", 512 } };
    for (auto const& row : rows) {
        ASSERT_OK(mount_as("tmpfs", row.options)) << row.options;
        EXPECT_EQ(limits().f_blocks, row.blocks) << row.options;
        ASSERT_OK(::umount("a"));
    }
    ASSERT_OK(mount_as("tmpfs", "size=50%"));
    unsigned long const half = limits().f_blocks;
    ASSERT_OK(::umount("a"));
    ASSERT_OK(mount_as("tmpfs", nullptr));
    // A share is rounded up to whole pages, the default down: of an odd number of pages they differ.
    EXPECT_LE(limits().f_blocks, half) << "the default";
    EXPECT_GE(limits().f_blocks + 1, half) << "the default";
    EXPECT_EQ(mount_on(at("a")).super_options.find("size="), std::string::npos) << "which is not shown";
}

TEST_F(MountOptions, of_tmpfs_are_shown)
{
    ASSERT_OK(mount_as("tmpfs", "size=1m,nr_inodes=50,mode=1750,uid=5,gid=7,inode64"));
    for (char const* option : { "size=1024k", "nr_inodes=50", "mode=1750", "uid=5", "gid=7", "inode64" })
        EXPECT_TRUE(shows(option)) << option;
    EXPECT_EQ(mode_of("a") & 07777, 01750u);
    EXPECT_EQ(status_of("a").st_uid, 5u);
    EXPECT_EQ(status_of("a").st_gid, 7u);
    EXPECT_EQ(limits().f_files, 50u);
    EXPECT_EQ(limits().f_ffree, 49u) << "the root is one";
}

TEST_F(MountOptions, wrong_ones_of_tmpfs)
{
    for (char const* options : { "nonsense", "size", "size=", "size=x", "size=1x", "mode=9", "uid=root",
             "uid=-1", "nr_inodes=x", "huge=sometimes", "size=10%x", "mpol=nonsense" })
        EXPECT_ERROR(mount_as("tmpfs", options), EINVAL) << options;
    EXPECT_OK(mount_as("tmpfs", ",,size=1m,,"));
}

TEST_F(MountOptions, limits_of_tmpfs_hold_and_change)
{
    ASSERT_OK(mount_as("tmpfs", "size=8k,nr_inodes=3"));
    {
        Fd file = new_file("a/file");
        std::string const three(3 * kPage, 'x');
        EXPECT_EQ(::write(file, three.data(), three.size()), ssize_t(2 * kPage));
        EXPECT_ERROR(::write(file, "x", 1), ENOSPC);
    }
    write_file("a/second", "");
    EXPECT_ERROR(::mkdir("a/third", 0755), ENOSPC);
    EXPECT_ERROR(mount_as("tmpfs", "size=4k", MS_REMOUNT), EINVAL) << "less than is used";
    EXPECT_ERROR(mount_as("tmpfs", "nr_inodes=2", MS_REMOUNT), EINVAL);
    EXPECT_ERROR(mount_as("tmpfs", "nonsense", MS_REMOUNT), EINVAL);
    ASSERT_OK(mount_as("tmpfs", "nr_inodes=4,mode=700", MS_REMOUNT));
    EXPECT_OK(::mkdir("a/third", 0755));
    EXPECT_EQ(limits().f_blocks, 2u) << "what is not named stays";
    EXPECT_NE(mode_of("a") & 07777, 0700u) << "the mode is of the beginning";
    ASSERT_OK(mount_as("tmpfs", "size=0", MS_REMOUNT));
    EXPECT_EQ(limits().f_blocks, 0u);
    EXPECT_ERROR(mount_as("tmpfs", "size=1m", MS_REMOUNT), EINVAL) << "a limit comes too late";
}

TEST_F(MountOptions, ramfs)
{
    ASSERT_OK(mount_as("ramfs", "mode=700,nonsense=1"));
    struct statfs status;
    ASSERT_OK(::statfs("a", &status));
    EXPECT_EQ(long(status.f_type), 0x858458f6l);
    EXPECT_EQ(status.f_blocks, 0u);
    EXPECT_EQ(mode_of("a") & 07777, 0700u);
    write_file("a/file", "x");
    EXPECT_EQ(read_file("a/file"), "x");
}

std::set<std::string> names_in(char const* path)
{
    std::set<std::string> names;
    DIR* directory = ::opendir(path);
    EXPECT_NE(directory, nullptr);
    while (dirent* entry = directory ? ::readdir(directory) : nullptr)
        names.insert(entry->d_name);
    if (directory) ::closedir(directory);
    return names;
}

TEST_F(MountOptions, hidepid)
{
    for (char const* options : { "hidepid=3", "hidepid=x", "hidepid", "gid=x", "subset=x", "nonsense" })
        EXPECT_ERROR(mount_as("proc", options), EINVAL) << options;
    std::string const mine = "a/" + std::to_string(::getpid());
    struct {
        char const *options, *shown;
        int error;
        bool listed;
    } const rows[] = { { "hidepid=0", "", 0, true }, { "hidepid=1", "hidepid=noaccess", EPERM, true },
        { "hidepid=invisible", "hidepid=invisible", ENOENT, false },
        { "hidepid=4", "hidepid=ptraceable", ENOENT, false } };
    for (auto const& row : rows) {
        ASSERT_OK(mount_as("proc", row.options));
        EXPECT_TRUE(!*row.shown || shows(row.shown)) << row.options;
        as_ordinary_user([&] {
            EXPECT_EQ(error_of(::access((mine + "/stat").c_str(), F_OK)), row.error) << row.options;
            EXPECT_EQ(names_in("a").count(std::to_string(getppid())) > 0, row.listed) << row.options;
            EXPECT_TRUE(exists("a/self/stat"));
            EXPECT_TRUE(exists("a/uptime"));
        });
        EXPECT_TRUE(exists(mine + "/stat")) << "root sees all";
        ASSERT_OK(::umount("a"));
    }
    ASSERT_OK(mount_as("proc", "hidepid=2,gid=1000"));
    EXPECT_TRUE(shows("gid=1000"));
    as_ordinary_user([&] { EXPECT_TRUE(exists(mine + "/stat")) << "its group sees all"; });
    ASSERT_OK(mount_as("proc", "hidepid=0", MS_REMOUNT));
    EXPECT_FALSE(shows("hidepid=invisible"));
}

TEST_F(MountOptions, a_subset_of_proc)
{
    ASSERT_OK(mount_as("proc", "subset=pid"));
    EXPECT_TRUE(shows("subset=pid"));
    EXPECT_FALSE(exists("a/uptime"));
    EXPECT_FALSE(exists("a/sys"));
    EXPECT_TRUE(exists("a/self/stat"));
    auto const names = names_in("a");
    EXPECT_EQ(names.count("uptime"), 0u);
    EXPECT_EQ(names.count("self"), 1u);
    EXPECT_EQ(names.count(std::to_string(::getpid())), 1u);
    EXPECT_TRUE(exists("/proc/uptime")) << "other mounts are as they were";
}

} // namespace
} // namespace abi_test
