// SPDX-License-Identifier: GPL-2.0-or-later
// Control groups, version 2: cgroups(7). The tree, who is in which group, and the rules of both; the controllers are in
// files of their own.
#include "cgroups.h"

#include <linux/magic.h>
#include <linux/sched.h>
#include <poll.h>
#include <sched.h>
#include <sys/inotify.h>
#include <sys/mount.h>
#include <sys/statfs.h>
#include <thread>

namespace abi_test {
namespace {

struct Cgroup : InOwnCgroup { };

TEST_F(Cgroup, is_a_file_system_of_its_own)
{
    struct statfs status;
    ASSERT_OK(::statfs(path("").c_str(), &status));
    EXPECT_EQ(status.f_type, CGROUP2_SUPER_MAGIC);
    EXPECT_NE(read_file("/proc/filesystems").find("nodev\tcgroup2\n"), std::string::npos);
    EXPECT_TRUE(read_file("/proc/cgroups").starts_with("#subsys_name\thierarchy\tnum_cgroups\tenabled\n"));
}

TEST_F(Cgroup, a_new_group_has_its_files)
{
    EXPECT_EQ(get("cgroup.type"), "domain\n");
    EXPECT_EQ(get("cgroup.procs"), "");
    EXPECT_EQ(get("cgroup.threads"), "");
    EXPECT_EQ(get("cgroup.subtree_control"), "");
    EXPECT_EQ(get("cgroup.events"), "populated 0\nfrozen 0\n");
    EXPECT_EQ(get("cgroup.max.depth"), "max\n");
    EXPECT_EQ(get("cgroup.max.descendants"), "max\n");
    EXPECT_EQ(value("cgroup.stat", "nr_descendants"), 0);
    EXPECT_EQ(value("cgroup.stat", "nr_dying_descendants"), 0);
    EXPECT_EQ(get("cgroup.freeze"), "0\n");
    for (char const* name : { "cgroup.type", "cgroup.procs", "cgroup.threads", "cgroup.subtree_control",
             "cgroup.max.depth", "cgroup.max.descendants", "cgroup.freeze" })
        EXPECT_EQ(mode_of(path(name)) & 07777, 0644u) << name;
    for (char const* name : { "cgroup.controllers", "cgroup.events", "cgroup.stat" })
        EXPECT_EQ(mode_of(path(name)) & 07777, 0444u) << name;
    EXPECT_EQ(mode_of(path("cgroup.kill")) & 07777, 0200u);
    for (char const* name : { "cgroup.type", "cgroup.events", "cgroup.freeze", "cgroup.kill" })
        EXPECT_FALSE(exists(root() + "/" + name)) << name;
}

TEST_F(Cgroup, files_refuse_what_they_cannot_do)
{
    EXPECT_EQ(put("cgroup.events", "1"), EINVAL);
    Fd const kill = ::open(path("cgroup.kill").c_str(), O_RDWR);
    ASSERT_OK(kill);
    char byte;
    EXPECT_ERROR(::read(kill, &byte, 1), EINVAL);
    EXPECT_ERROR(::open(path("x").c_str(), O_CREAT | O_WRONLY, 0644), EACCES);
    EXPECT_ERROR(::unlink(path("cgroup.procs").c_str()), EPERM);
    EXPECT_ERROR(::symlink("x", path("link").c_str()), EPERM);
    EXPECT_EQ(make("a"), 0);
    EXPECT_ERROR(::rename(path("a").c_str(), path("b").c_str()), EPERM);
    EXPECT_EQ(make("a"), EEXIST);
    EXPECT_EQ(make("cgroup.procs"), EEXIST);
    EXPECT_EQ(make("new\nline"), EINVAL);
}

TEST_F(Cgroup, a_process_moves_and_its_children_follow)
{
    ASSERT_EQ(make("a"), 0);
    in_child([&] {
        ASSERT_EQ(put("a/cgroup.procs", std::to_string(::getpid()) + "\n"), 0);
        EXPECT_EQ(cgroup_of(), inside("a"));
        EXPECT_EQ(get("a/cgroup.procs"), std::to_string(::getpid()) + "\n");
        EXPECT_EQ(value("a/cgroup.events", "populated"), 1);
        EXPECT_EQ(value("cgroup.events", "populated"), 1);
        in_child([&] { EXPECT_EQ(cgroup_of(), inside("a")); });
    });
    EXPECT_EQ(value("cgroup.events", "populated"), 0);
    EXPECT_EQ(get("a/cgroup.procs"), "");
}

TEST_F(Cgroup, moving_is_refused_where_it_must_be)
{
    EXPECT_EQ(put("cgroup.procs", "no"), EINVAL);
    EXPECT_EQ(put("cgroup.procs", "-1"), EINVAL);
    EXPECT_EQ(put("cgroup.procs", "1 2"), EINVAL);
    pid_t const gone = start([] {});
    wait_for(gone);
    EXPECT_EQ(put("cgroup.procs", std::to_string(gone)), ESRCH);
}

TEST_F(Cgroup, a_group_goes_once_nobody_is_in_it)
{
    ASSERT_EQ(make("a"), 0);
    ASSERT_EQ(make("a/b"), 0);
    EXPECT_EQ(value("cgroup.stat", "nr_descendants"), 2);
    EXPECT_EQ(remove("a"), EBUSY);
    pid_t const child = start_sleeper("a/b");
    EXPECT_EQ(remove("a/b"), EBUSY);
    Fd const events = ::open(path("a/b/cgroup.events").c_str(), O_RDONLY);
    ASSERT_OK(::kill(child, SIGKILL));
    wait_for_value("a/cgroup.events", "populated", 0);
    // A zombie does not hold its group, and remembers it.
    EXPECT_EQ(remove("a/b"), 0);
    EXPECT_EQ(cgroup_of(std::to_string(child)), inside("a/b") + " (deleted)");
    EXPECT_EQ(wait_for(child), killed_by(SIGKILL));
    char byte;
    EXPECT_ERROR(::read(events, &byte, 1), ENODEV);
    EXPECT_EQ(remove("a"), 0);
    EXPECT_EQ(value("cgroup.stat", "nr_descendants"), 0);
}

TEST_F(Cgroup, depth_and_descendants_are_bounded)
{
    EXPECT_EQ(put("cgroup.max.depth", "-1"), ERANGE);
    EXPECT_EQ(put("cgroup.max.depth", "x"), EINVAL);
    ASSERT_EQ(put("cgroup.max.depth", "1"), 0);
    EXPECT_EQ(get("cgroup.max.depth"), "1\n");
    ASSERT_EQ(make("a"), 0);
    EXPECT_EQ(make("a/b"), EAGAIN);
    ASSERT_EQ(put("cgroup.max.depth", "max"), 0);
    ASSERT_EQ(put("cgroup.max.descendants", "2"), 0);
    EXPECT_EQ(make("a/b"), 0);
    EXPECT_EQ(make("c"), EAGAIN);
}

TEST_F(Cgroup, events_are_watched_by_poll)
{
    ASSERT_EQ(make("a"), 0);
    Fd const fd = ::open(path("a/cgroup.events").c_str(), O_RDONLY);
    char text[64];
    ASSERT_GT(::read(fd, text, sizeof text), 0);
    pollfd waiting { fd, POLLPRI, 0 };
    EXPECT_EQ(::poll(&waiting, 1, 0), 0);
    pid_t const child = start_sleeper("a");
    ASSERT_EQ(::poll(&waiting, 1, 30'000), 1);
    EXPECT_EQ(waiting.revents, POLLPRI | POLLERR);
    ASSERT_GT(::pread(fd, text, sizeof text, 0), 0);
    EXPECT_TRUE(std::string_view(text).starts_with("populated 1\n"));
    ASSERT_OK(::kill(child, SIGKILL));
    EXPECT_EQ(::poll(&waiting, 1, 30'000), 1);
    EXPECT_EQ(wait_for(child), killed_by(SIGKILL));
}

TEST_F(Cgroup, events_are_watched_by_inotify)
{
    ASSERT_EQ(make("a"), 0);
    Fd const notify = ::inotify_init1(IN_CLOEXEC);
    int const watch = ::inotify_add_watch(notify, path("a/cgroup.events").c_str(), IN_MODIFY);
    ASSERT_OK(watch);
    pid_t const child = start_sleeper("a");
    inotify_event event;
    ASSERT_EQ(::read(notify, &event, sizeof event), ssize_t(sizeof event));
    EXPECT_EQ(event.wd, watch);
    EXPECT_EQ(event.mask, uint32_t(IN_MODIFY));
    ASSERT_OK(::kill(child, SIGKILL));
    wait_for(child);
}

TEST_F(Cgroup, kill_ends_everybody_below)
{
    ASSERT_EQ(make("a"), 0);
    ASSERT_EQ(make("a/b"), 0);
    pid_t const first = start_sleeper("a"), second = start_sleeper("a/b");
    EXPECT_EQ(put("a/cgroup.kill", "0"), ERANGE);
    EXPECT_EQ(put("a/cgroup.kill", "x"), EINVAL);
    EXPECT_EQ(put("a/cgroup.kill", "1"), 0);
    EXPECT_EQ(wait_for(first), killed_by(SIGKILL));
    EXPECT_EQ(wait_for(second), killed_by(SIGKILL));
    EXPECT_EQ(value("a/cgroup.events", "populated"), 0);
}

TEST_F(Cgroup, unknown_controllers_are_refused)
{
    EXPECT_EQ(put("cgroup.subtree_control", "+nothing"), EINVAL);
    EXPECT_EQ(put("cgroup.subtree_control", "pids"), EINVAL);
    EXPECT_EQ(put("cgroup.subtree_control", ""), 0);
}

// --- threads

TEST_F(Cgroup, threaded_groups_take_single_threads)
{
    ASSERT_EQ(make("a"), 0);
    ASSERT_EQ(make("b"), 0);
    EXPECT_EQ(put("a/cgroup.type", "domain"), EINVAL);
    ASSERT_EQ(put("a/cgroup.type", "threaded"), 0);
    EXPECT_EQ(get("a/cgroup.type"), "threaded\n");
    EXPECT_EQ(get("cgroup.type"), "domain threaded\n");
    EXPECT_EQ(get("b/cgroup.type"), "domain invalid\n");
    Fd const procs = ::open(path("a/cgroup.procs").c_str(), O_RDONLY);
    char text[64];
    EXPECT_ERROR(::read(procs, text, sizeof text), EOPNOTSUPP);
    EXPECT_EQ(put("b/cgroup.procs", "0"), EOPNOTSUPP);
    EXPECT_EQ(put("a/cgroup.kill", "1"), EOPNOTSUPP);
    in_child([&] {
        EXPECT_EQ(put("a/cgroup.threads", "0"), EOPNOTSUPP);
        ASSERT_EQ(put("cgroup.procs", "0"), 0);
        std::thread([&] {
            ASSERT_EQ(put("a/cgroup.threads", "0"), 0);
            EXPECT_EQ(cgroup_of("thread-self"), inside("a"));
            EXPECT_EQ(cgroup_of(), inside());
            EXPECT_EQ(get("a/cgroup.threads"), std::to_string(::gettid()) + "\n");
            EXPECT_EQ(get("cgroup.threads"), std::to_string(::getpid()) + "\n");
            EXPECT_EQ(get("cgroup.procs"), std::to_string(::getpid()) + "\n");
        }).join();
    });
}

TEST_F(Cgroup, a_populated_group_cannot_become_threaded)
{
    ASSERT_EQ(make("a"), 0);
    pid_t const child = start_sleeper("a");
    EXPECT_EQ(put("a/cgroup.type", "threaded"), EOPNOTSUPP);
    ASSERT_OK(::kill(child, SIGKILL));
    wait_for(child);
}

// --- clone3

long clone_into(int directory, uint64_t flags = 0)
{
    clone_args arguments {};
    arguments.flags = CLONE_INTO_CGROUP | flags;
    arguments.exit_signal = SIGCHLD;
    arguments.cgroup = uint64_t(directory);
    return raw(SYS_clone3, &arguments, sizeof arguments);
}

TEST_F(Cgroup, clone_puts_a_child_into_a_group)
{
    ASSERT_EQ(make("a"), 0);
    Fd const directory = ::open(path("a").c_str(), O_RDONLY | O_DIRECTORY);
    long const child = clone_into(directory);
    if (child == 0) {
        EXPECT_EQ(cgroup_of(), inside("a"));
        finish_child();
    }
    ASSERT_GT(child, 0);
    EXPECT_EQ(wait_for(pid_t(child)), exited(0));
    Fd const other = ::open("/", O_RDONLY | O_DIRECTORY);
    EXPECT_EQ(clone_into(other), -EBADF);
    EXPECT_EQ(clone_into(-1), -EINVAL); // more than an int
    EXPECT_EQ(clone_into(1000), -EBADF);
    Fd const file = ::open(path("a/cgroup.procs").c_str(), O_RDONLY);
    EXPECT_EQ(clone_into(file), -EBADF);
    ASSERT_EQ(remove("a"), 0);
    EXPECT_EQ(clone_into(directory), -ENOENT);
}

// --- delegation

TEST_F(Cgroup, who_owns_the_files_may_move_within)
{
    for (char const* name : { "a", "a/b", "a/c" })
        ASSERT_EQ(make(name), 0);
    for (char const* name : { "a", "a/cgroup.procs", "a/b", "a/b/cgroup.procs", "a/c", "a/c/cgroup.procs" })
        ASSERT_OK(::chown(path(name).c_str(), kOrdinaryUser, kOrdinaryUser));
    EXPECT_EQ(status_of(path("a/b")).st_uid, uid_t(kOrdinaryUser));
    pid_t const child = start_in("a/b", [&] {
        become_ordinary_user();
        EXPECT_EQ(put("a/c/cgroup.procs", "0"), 0);
        // Up to a group whose cgroup.procs is somebody else's.
        EXPECT_EQ(put("cgroup.procs", "0"), EACCES);
        ASSERT_EQ(make("a/mine"), 0);
        EXPECT_EQ(status_of(path("a/mine/cgroup.procs")).st_uid, uid_t(kOrdinaryUser));
        EXPECT_EQ(put("a/mine/cgroup.procs", "0"), 0);
        // A process that is elsewhere cannot be had.
        EXPECT_EQ(put("a/mine/cgroup.procs", std::to_string(::getppid())), EACCES);
        EXPECT_EQ(put("a/c/cgroup.procs", "0"), 0);
        EXPECT_EQ(remove("a/mine"), 0);
    });
    EXPECT_EQ(wait_for(child), exited(0));
    as_ordinary_user([&] { EXPECT_EQ(make("mine"), EACCES); });
}

TEST_F(Cgroup, the_opener_of_a_file_counts)
{
    ASSERT_EQ(make("a"), 0);
    Fd const procs = ::open(path("a/cgroup.procs").c_str(), O_WRONLY);
    pid_t const child = start([&] {
        become_ordinary_user();
        EXPECT_EQ(::write(procs, "0", 1), 1);
        EXPECT_EQ(cgroup_of(), inside("a"));
    });
    EXPECT_EQ(wait_for(child), exited(0));
}

// --- namespaces

TEST_F(Cgroup, a_namespace_begins_where_its_maker_is)
{
    ASSERT_EQ(make("a"), 0);
    ASSERT_EQ(make("a/b"), 0);
    ASSERT_EQ(make("c"), 0);
    pid_t const child = start_in("a", [&] {
        struct stat before, after;
        ASSERT_OK(::stat("/proc/self/ns/cgroup", &before));
        ASSERT_OK(::unshare(CLONE_NEWCGROUP));
        ASSERT_OK(::stat("/proc/self/ns/cgroup", &after));
        EXPECT_NE(after.st_ino, before.st_ino);
        EXPECT_EQ(cgroup_of(), "/");
        ASSERT_EQ(put("a/b/cgroup.procs", "0"), 0);
        EXPECT_EQ(cgroup_of(), "/b");
        ASSERT_EQ(put("a/cgroup.procs", "0"), 0);
        EXPECT_EQ(cgroup_of(std::to_string(::getppid())), "/../..");
    });
    EXPECT_EQ(wait_for(child), exited(0));
}

TEST_F(Cgroup, a_namespace_is_entered)
{
    ASSERT_EQ(make("a"), 0);
    Gate ready, done;
    pid_t const child = start_in("a", [&] {
        ASSERT_OK(::unshare(CLONE_NEWCGROUP));
        ready.open();
        done.wait();
    });
    ready.wait();
    in_child([&] {
        Fd const space = ::open(("/proc/" + std::to_string(child) + "/ns/cgroup").c_str(), O_RDONLY);
        ASSERT_OK(::setns(space, CLONE_NEWCGROUP));
        EXPECT_EQ(cgroup_of(), "/../..");
        EXPECT_EQ(cgroup_of(std::to_string(child)), "/");
    });
    done.open();
    EXPECT_EQ(wait_for(child), exited(0));
}

TEST_F(Cgroup, a_mount_in_a_namespace_begins_there_too)
{
    ASSERT_EQ(make("a"), 0);
    ASSERT_EQ(make("a/b"), 0);
    pid_t const child = start_in("a", [&] {
        ASSERT_OK(::unshare(CLONE_NEWCGROUP | CLONE_NEWNS));
        ASSERT_OK(::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr));
        ASSERT_OK(::mount("none", "/tmp", "cgroup2", 0, nullptr));
        EXPECT_TRUE(exists("/tmp/b/cgroup.procs"));
        EXPECT_TRUE(exists("/tmp/cgroup.type"));
        EXPECT_NE(read_file("/proc/self/mountinfo").find(" / /tmp rw"), std::string::npos);
        EXPECT_NE(read_file("/proc/self/mountinfo").find(" /../.. " + root() + " rw"), std::string::npos);
    });
    EXPECT_EQ(wait_for(child), exited(0));
}

TEST_F(Cgroup, unknown_mount_options_are_refused)
{
    in_child([&] {
        ASSERT_OK(::unshare(CLONE_NEWNS));
        ASSERT_OK(::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr));
        EXPECT_ERROR(::mount("none", "/tmp", "cgroup2", 0, "nonsense"), EINVAL);
    });
}

} // namespace
} // namespace abi_test
