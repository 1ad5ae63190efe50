// SPDX-License-Identifier: GPL-2.0-or-later
// Shared, slave, private and unbindable mounts: mount_namespaces(7).
#include <sched.h>
#include <sys/mount.h>

#include "mounts.h"

namespace abi_test {
namespace {

using MountPropagation = InOwnMounts;

TEST_F(MountPropagation, kinds_show_in_mountinfo)
{
    make_tmpfs("a");
    EXPECT_EQ(mount_on(at("a")).fields, "");
    propagate("a", MS_SHARED);
    int const group = mount_on(at("a")).field("shared");
    EXPECT_GT(group, 0);
    EXPECT_EQ(mount_on(at("a")).fields, "shared:" + std::to_string(group));
    propagate("a", MS_SHARED);
    EXPECT_EQ(mount_on(at("a")).field("shared"), group) << "it is already";
    propagate("a", MS_SLAVE);
    EXPECT_EQ(mount_on(at("a")).fields, "") << "the slave of nobody";
    propagate("a", MS_UNBINDABLE);
    EXPECT_EQ(mount_on(at("a")).fields, "unbindable");
    propagate("a", MS_SHARED);
    EXPECT_GT(mount_on(at("a")).field("shared"), 0);
    propagate("a", MS_PRIVATE);
    EXPECT_EQ(mount_on(at("a")).fields, "");
}

TEST_F(MountPropagation, change_of_kind_is_checked)
{
    make_tmpfs("a");
    make_directory("a/below");
    EXPECT_ERROR(::mount("none", "a/below", nullptr, MS_SHARED, nullptr), EINVAL) << "no mount's root";
    EXPECT_ERROR(::mount("none", "a", nullptr, MS_SHARED | MS_PRIVATE, nullptr), EINVAL);
    EXPECT_ERROR(::mount("none", "a", nullptr, MS_SHARED | MS_NOSUID, nullptr), EINVAL);
    EXPECT_ERROR(::mount("none", "missing", nullptr, MS_SHARED, nullptr), ENOENT);
    EXPECT_OK(::mount("none", "a", nullptr, MS_SHARED | MS_REC | MS_SILENT, nullptr));
    as_ordinary_user([] { EXPECT_ERROR(::mount("none", "a", nullptr, MS_SHARED, nullptr), EPERM); });
}

TEST_F(MountPropagation, recursive_change)
{
    make_tmpfs("a");
    make_tmpfs("a/b");
    propagate("a", MS_SHARED);
    EXPECT_EQ(mount_on(at("a/b")).fields, "");
    propagate("a", MS_SHARED | MS_REC);
    EXPECT_GT(mount_on(at("a/b")).field("shared"), 0);
    EXPECT_NE(mount_on(at("a/b")).field("shared"), mount_on(at("a")).field("shared"));
    propagate("a", MS_PRIVATE);
    EXPECT_EQ(mount_on(at("a")).fields, "");
    EXPECT_GT(mount_on(at("a/b")).field("shared"), 0);
}

TEST_F(MountPropagation, a_bind_mount_joins_the_group)
{
    make_tmpfs("a");
    make_directory("a/dir");
    propagate("a", MS_SHARED);
    bind("a", "b");
    bind("a/dir", "c");
    int const group = mount_on(at("a")).field("shared");
    EXPECT_EQ(mount_on(at("b")).field("shared"), group);
    EXPECT_EQ(mount_on(at("c")).field("shared"), group);
    EXPECT_EQ(mount_on(at("c")).root, "/dir");
}

TEST_F(MountPropagation, mounts_reach_peers_and_slaves)
{
    make_tmpfs("a");
    make_directory("a/dir");
    make_directory("a/other");
    propagate("a", MS_SHARED);
    bind("a", "peer");
    bind("a", "slave");
    propagate("slave", MS_SLAVE);
    bind("a", "alone");
    propagate("alone", MS_PRIVATE);
    bind("a/other", "beside");
    EXPECT_EQ(mount_on(at("slave")).field("master"), mount_on(at("a")).field("shared"));
    make_tmpfs("a/dir");
    int const group = mount_on(at("a/dir")).field("shared");
    EXPECT_GT(group, 0);
    EXPECT_EQ(mount_on(at("peer/dir")).field("shared"), group);
    EXPECT_EQ(mount_on(at("slave/dir")).fields, "master:" + std::to_string(group));
    EXPECT_EQ(mount_on(at("alone/dir")).id, 0);
    EXPECT_EQ(count_mounts_on(at("beside")), 1);
    // What a slave mounts is its own.
    make_tmpfs("slave/other");
    EXPECT_EQ(mount_on(at("slave/other")).fields, "");
    EXPECT_EQ(mount_on(at("a/other")).id, 0);
    // And so for taking away.
    ASSERT_OK(::umount("peer/dir"));
    EXPECT_EQ(mount_on(at("a/dir")).id, 0);
    EXPECT_EQ(mount_on(at("slave/dir")).id, 0);
    EXPECT_NE(mount_on(at("slave/other")).id, 0);
}

TEST_F(MountPropagation, a_slave_may_have_slaves_and_peers)
{
    make_tmpfs("a");
    make_directory("a/dir");
    propagate("a", MS_SHARED);
    bind("a", "b");
    propagate("b", MS_SLAVE);
    propagate("b", MS_SHARED);
    bind("b", "peer");
    bind("b", "c");
    propagate("c", MS_SLAVE);
    int const first = mount_on(at("a")).field("shared"), second = mount_on(at("b")).field("shared");
    EXPECT_EQ(mount_on(at("b")).field("master"), first);
    EXPECT_EQ(mount_on(at("peer")).field("shared"), second);
    EXPECT_EQ(mount_on(at("peer")).field("master"), first);
    EXPECT_EQ(mount_on(at("c")).fields, "master:" + std::to_string(second));
    make_tmpfs("a/dir");
    int const shared = mount_on(at("a/dir")).field("shared"), below = mount_on(at("b/dir")).field("shared");
    EXPECT_NE(below, shared);
    EXPECT_EQ(mount_on(at("b/dir")).field("master"), shared);
    EXPECT_EQ(mount_on(at("peer/dir")).field("shared"), below);
    EXPECT_EQ(mount_on(at("c/dir")).fields, "master:" + std::to_string(below));
    // Without the middle ones, the last has its master's master.
    ASSERT_OK(::umount("b/dir"));
    EXPECT_NE(mount_on(at("a/dir")).id, 0);
    EXPECT_EQ(mount_on(at("c/dir")).id, 0);
    ASSERT_OK(::umount("peer"));
    ASSERT_OK(::umount("b"));
    EXPECT_EQ(mount_on(at("c")).fields, "master:" + std::to_string(first));
    ASSERT_OK(::umount2("a", MNT_DETACH));
    EXPECT_EQ(mount_on(at("c")).fields, "");
}

TEST_F(MountPropagation, group_beyond_the_root_shows_where_it_comes_from)
{
    make_tmpfs("a");
    propagate("a", MS_SHARED);
    bind("a", "b");
    propagate("b", MS_SLAVE);
    propagate("b", MS_SHARED);
    make_directory("jail");
    make_directory("jail/proc");
    bind("/proc", "jail/proc");
    bind("a", "jail/a");
    bind("b", "jail/c");
    propagate("jail/c", MS_SLAVE);
    int const first = mount_on(at("a")).field("shared"), second = mount_on(at("b")).field("shared");
    in_child([&] {
        ASSERT_OK(::chroot("jail"));
        EXPECT_EQ(mount_on("/c").fields,
            "master:" + std::to_string(second) + " propagate_from:" + std::to_string(first));
    });
}

TEST_F(MountPropagation, unbindable)
{
    make_tmpfs("a");
    make_tmpfs("a/b");
    make_tmpfs("a/b/c");
    propagate("a/b", MS_UNBINDABLE);
    make_directory("to");
    EXPECT_ERROR(::mount("a/b", "to", nullptr, MS_BIND, nullptr), EINVAL);
    bind("a", "to", MS_REC);
    EXPECT_EQ(mount_on(at("to/b")).id, 0) << "pruned, with what is below";
    EXPECT_EQ(mount_on(at("to/b/c")).id, 0);
    // A namespace's copy has it.
    in_child([&] {
        ASSERT_OK(::unshare(CLONE_NEWNS));
        EXPECT_NE(mount_on(at("a/b")).id, 0);
        EXPECT_NE(mount_on(at("a/b/c")).id, 0);
    });
    make_tmpfs("shared");
    propagate("shared", MS_SHARED);
    make_directory("shared/to");
    EXPECT_ERROR(::mount("a", "shared/to", nullptr, MS_MOVE, nullptr), EINVAL) << "it would be copied";
}

TEST_F(MountPropagation, moves)
{
    make_tmpfs("shared");
    propagate("shared", MS_SHARED);
    make_directory("shared/to");
    bind("shared", "peer");
    make_tmpfs("a");
    make_tmpfs("a/b");
    ASSERT_OK(::mount("a", "shared/to", nullptr, MS_MOVE, nullptr));
    EXPECT_EQ(mount_on(at("a")).id, 0);
    int const group = mount_on(at("shared/to")).field("shared");
    EXPECT_GT(group, 0);
    EXPECT_EQ(mount_on(at("peer/to")).field("shared"), group);
    EXPECT_GT(mount_on(at("shared/to/b")).field("shared"), 0);
    EXPECT_EQ(mount_on(at("peer/to/b")).field("shared"), mount_on(at("shared/to/b")).field("shared"));
    make_directory("away");
    EXPECT_ERROR(::mount("shared/to", "away", nullptr, MS_MOVE, nullptr), EINVAL) << "from a shared mount";
    EXPECT_ERROR(::mount("shared", "shared/to", nullptr, MS_MOVE, nullptr), ELOOP);
    make_directory("peer/dir");
    EXPECT_ERROR(::mount("peer/dir", "away", nullptr, MS_MOVE, nullptr), EINVAL) << "no mount";
    write_file("file", "");
    EXPECT_ERROR(::mount("peer", "file", nullptr, MS_MOVE, nullptr), EINVAL);
    EXPECT_ERROR(::mount("", "away", nullptr, MS_MOVE, nullptr), EINVAL);
}

TEST_F(MountPropagation, what_was_mounted_at_a_peer_lies_on_top)
{
    make_tmpfs("a");
    make_directory("a/dir");
    propagate("a", MS_SHARED);
    bind("a", "slave");
    propagate("slave", MS_SLAVE);
    make_tmpfs("slave/dir");
    write_file("slave/dir/mine", "");
    int const mine = mount_on(at("slave/dir")).id;
    make_tmpfs("a/dir");
    EXPECT_EQ(count_mounts_on(at("slave/dir")), 2);
    EXPECT_TRUE(exists("slave/dir/mine"));
    ASSERT_OK(::umount("a/dir"));
    EXPECT_EQ(count_mounts_on(at("slave/dir")), 1);
    EXPECT_TRUE(exists("slave/dir/mine"));
    EXPECT_EQ(mount_on(at("slave/dir")).parent, mount_on(at("slave")).id);
    EXPECT_EQ(mount_on(at("slave/dir")).id, mine);
}

TEST_F(MountPropagation, what_has_mounts_below_stays_at_a_peer)
{
    make_tmpfs("a");
    make_directory("a/dir");
    propagate("a", MS_SHARED);
    bind("a", "slave");
    propagate("slave", MS_SLAVE);
    make_tmpfs("a/dir");
    make_tmpfs("slave/dir/below");
    ASSERT_OK(::umount("a/dir"));
    EXPECT_EQ(mount_on(at("a/dir")).id, 0);
    EXPECT_NE(mount_on(at("slave/dir")).id, 0);
    EXPECT_EQ(mount_on(at("slave/dir")).fields, "") << "its master is gone";
}

TEST_F(MountPropagation, use_at_a_peer_is_use)
{
    make_tmpfs("a");
    make_directory("a/dir");
    propagate("a", MS_SHARED);
    bind("a", "peer");
    make_tmpfs("a/dir");
    write_file("a/dir/file", "");
    {
        Fd open = ::open("peer/dir/file", O_RDONLY);
        ASSERT_OK(open);
        EXPECT_ERROR(::umount("a/dir"), EBUSY);
    }
    {
        Fd open = ::open("peer/dir/file", O_RDONLY);
        EXPECT_OK(::umount2("a/dir", MNT_DETACH));
        EXPECT_EQ(mount_on(at("peer/dir")).id, 0);
        struct stat status;
        EXPECT_OK(::fstat(open, &status));
    }
}

TEST_F(MountPropagation, into_other_namespaces)
{
    make_tmpfs("a");
    propagate("a", MS_SHARED);
    make_directory("a/dir");
    make_directory("a/back");
    int const group = mount_on(at("a")).field("shared");
    Gate copied, mounted, seen, unmounted;
    pid_t child = start([&] {
        ASSERT_OK(::unshare(CLONE_NEWNS));
        EXPECT_EQ(mount_on(at("a")).field("shared"), group);
        copied.open();
        mounted.wait();
        EXPECT_NE(mount_on(at("a/dir")).id, 0);
        ASSERT_OK(::mount("none", "a/back", "tmpfs", 0, nullptr));
        seen.open();
        unmounted.wait();
        EXPECT_EQ(mount_on(at("a/dir")).id, 0);
        // As a slave it learns, and tells nothing.
        ASSERT_OK(::mount("none", "a", nullptr, MS_SLAVE, nullptr));
        EXPECT_EQ(mount_on(at("a")).fields, "master:" + std::to_string(group));
        ASSERT_OK(::mount("none", "a/dir", "tmpfs", 0, nullptr));
    });
    copied.wait();
    make_tmpfs("a/dir");
    mounted.open();
    seen.wait();
    EXPECT_NE(mount_on(at("a/back")).id, 0);
    ASSERT_OK(::umount("a/dir"));
    unmounted.open();
    EXPECT_EQ(wait_for(child), exited(0));
    EXPECT_EQ(mount_on(at("a/dir")).id, 0);
    EXPECT_NE(mount_on(at("a/back")).id, 0) << "the end of a namespace unmounts nothing elsewhere";
}

TEST_F(MountPropagation, a_directory_into_itself)
{
    make_tmpfs("a");
    make_directory("a/b");
    propagate("a", MS_SHARED);
    bind("a", "a/b", MS_REC);
    EXPECT_EQ(mount_on(at("a/b")).field("shared"), mount_on(at("a")).field("shared"));
    EXPECT_EQ(mount_on(at("a/b/b")).id, 0) << "no copy of the copy";
    ASSERT_OK(::umount("a/b"));
}

} // namespace
} // namespace abi_test
