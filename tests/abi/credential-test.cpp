// SPDX-License-Identifier: GPL-2.0-or-later
// Users, groups, capabilities: credentials(7), setresuid(2) and kin, capget(2). And limits: getrlimit(2),
// getrusage(2); and the system's own description: uname(2), sysinfo(2), getrandom(2).
#include "abi-test.h"

#include <grp.h>
#include <linux/capability.h>
#include <set>
#include <sys/fsuid.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/sysinfo.h>
#include <sys/utsname.h>
#include <vector>

namespace abi_test {
namespace {

struct Ids {
    uid_t real, effective, saved;
    bool operator==(Ids const&) const = default;
};
Ids user_ids()
{
    Ids ids {};
    EXPECT_EQ(::getresuid(&ids.real, &ids.effective, &ids.saved), 0);
    return ids;
}
Ids group_ids()
{
    Ids ids {};
    EXPECT_EQ(::getresgid(&ids.real, &ids.effective, &ids.saved), 0);
    return ids;
}

struct Capabilities {
    __user_cap_header_struct header { _LINUX_CAPABILITY_VERSION_3, 0 };
    __user_cap_data_struct data[2] {};
    uint64_t effective() const { return data[0].effective | uint64_t(data[1].effective) << 32; }
};
Capabilities capabilities()
{
    Capabilities result;
    EXPECT_EQ(raw(SYS_capget, &result.header, result.data), 0);
    return result;
}

TEST(Credential, calls_agree)
{
    Ids ids = user_ids(), groups = group_ids();
    EXPECT_EQ(ids.real, ::getuid());
    EXPECT_EQ(ids.effective, ::geteuid());
    EXPECT_EQ(groups.real, ::getgid());
    EXPECT_EQ(groups.effective, ::getegid());
}

TEST(Credential, setuid_by_root_is_for_good)
{
    NEEDS_ROOT();
    in_child([] {
        ASSERT_EQ(::setuid(1000), 0);
        EXPECT_EQ(user_ids(), (Ids { 1000, 1000, 1000 }));
        EXPECT_ERROR(::setuid(0), EPERM);
        EXPECT_ERROR(::seteuid(0), EPERM);
    });
}

TEST(Credential, seteuid_by_root_can_be_taken_back)
{
    NEEDS_ROOT();
    in_child([] {
        ASSERT_EQ(::seteuid(1000), 0);
        EXPECT_EQ(user_ids(), (Ids { 0, 1000, 0 }));
        EXPECT_EQ(capabilities().effective(), 0u);
        ASSERT_EQ(::seteuid(0), 0);
        EXPECT_NE(capabilities().effective(), 0u);
    });
}

TEST(Credential, setreuid_moves_the_saved_id)
{
    NEEDS_ROOT();
    in_child([] {
        ASSERT_EQ(::setreuid(uid_t(-1), 5), 0);
        EXPECT_EQ(user_ids(), (Ids { 0, 5, 5 }));
        ASSERT_EQ(::setreuid(5, 0), 0);
        EXPECT_EQ(user_ids(), (Ids { 5, 0, 0 }));
    });
}

TEST(Credential, setresuid_swaps_among_the_three)
{
    NEEDS_ROOT();
    in_child([] {
        ASSERT_EQ(::setresuid(1, 2, 3), 0);
        EXPECT_EQ(user_ids(), (Ids { 1, 2, 3 }));
        ASSERT_EQ(::setresuid(3, 1, 2), 0);
        EXPECT_EQ(user_ids(), (Ids { 3, 1, 2 }));
        EXPECT_ERROR(::setresuid(4, uid_t(-1), uid_t(-1)), EPERM);
        ASSERT_EQ(::setresuid(uid_t(-1), uid_t(-1), 1), 0);
        EXPECT_EQ(user_ids(), (Ids { 3, 1, 1 }));
    });
}

TEST(Credential, groups_alike)
{
    NEEDS_ROOT();
    in_child([] {
        ASSERT_EQ(::setresgid(1, 2, 3), 0);
        EXPECT_EQ(group_ids(), (Ids { 1, 2, 3 }));
        ASSERT_EQ(::setregid(2, 1), 0);
        EXPECT_EQ(group_ids(), (Ids { 2, 1, 1 }));
        ASSERT_EQ(::setgid(9), 0);
        EXPECT_EQ(group_ids(), (Ids { 9, 9, 9 }));
        ASSERT_EQ(::setresuid(1000, 1000, 1000), 0);
        EXPECT_ERROR(::setgid(0), EPERM);
        EXPECT_EQ(::setgid(9), 0);
    });
}

TEST(Credential, ordinary_user_keeps_its_ids)
{
    as_ordinary_user([] {
        Ids ids = user_ids();
        EXPECT_ERROR(::setuid(0), EPERM);
        EXPECT_ERROR(::setgid(0), EPERM);
        EXPECT_ERROR(::setresuid(0, 0, 0), EPERM);
        EXPECT_ERROR(::setreuid(0, 0), EPERM);
        EXPECT_EQ(::setuid(ids.real), 0);
        gid_t group = 0;
        EXPECT_ERROR(::setgroups(1, &group), EPERM);
        EXPECT_EQ(capabilities().effective(), 0u);
    });
}

TEST(Credential, supplementary_groups)
{
    NEEDS_ROOT();
    gid_t groups[] = { 30, 10, 20 }, got[8] = {};
    ASSERT_EQ(::setgroups(3, groups), 0);
    EXPECT_EQ(::getgroups(0, nullptr), 3);
    ASSERT_EQ(::getgroups(8, got), 3);
    EXPECT_EQ((std::set<gid_t>(got, got + 3)), (std::set<gid_t> { 10, 20, 30 }));
    EXPECT_ERROR(::getgroups(2, got), EINVAL);
    EXPECT_EQ(raw(SYS_setgroups, 65537, groups), -EINVAL);
    in_child([] { EXPECT_EQ(::getgroups(0, nullptr), 3); });
}

TEST(Credential, file_system_ids_follow_and_can_differ)
{
    NEEDS_ROOT();
    in_child([] {
        ASSERT_EQ(::setresuid(0, 77, 0), 0);
        EXPECT_EQ(::setfsuid(uid_t(-1)), 77);
        EXPECT_EQ(::setfsuid(0), 77);
        EXPECT_EQ(::setfsuid(uid_t(-1)), 0);
        EXPECT_EQ(::setfsgid(gid_t(-1)), 0);
    });
}

TEST(Credential, minus_one_is_no_id)
{
    EXPECT_ERROR(::setuid(uid_t(-1)), EINVAL);
    EXPECT_ERROR(::setgid(gid_t(-1)), EINVAL);
}

TEST(Credential, root_has_capabilities_and_can_drop_them)
{
    NEEDS_ROOT();
    in_child([] {
        Capabilities all = capabilities();
        EXPECT_TRUE(all.effective() & (1 << CAP_CHOWN));
        all.data[0].effective &= ~(1u << CAP_CHOWN);
        all.data[0].permitted &= ~(1u << CAP_CHOWN);
        ASSERT_EQ(raw(SYS_capset, &all.header, all.data), 0);
        EXPECT_FALSE(capabilities().effective() & (1 << CAP_CHOWN));
        ScratchDirectory scratch;
        new_file("f");
        EXPECT_ERROR(::chown("f", 5, 5), EPERM);
        all.data[0].permitted |= 1u << CAP_CHOWN;
        EXPECT_EQ(raw(SYS_capset, &all.header, all.data), -EPERM);
    });
}

TEST(Credential, keepcaps_keeps_the_permitted)
{
    NEEDS_ROOT();
    in_child([] {
        ASSERT_EQ(::prctl(PR_SET_KEEPCAPS, 1), 0);
        ASSERT_EQ(::setresuid(1000, 1000, 1000), 0);
        Capabilities now = capabilities();
        EXPECT_EQ(now.effective(), 0u);
        EXPECT_TRUE(now.data[0].permitted & (1 << CAP_CHOWN));
    });
}

TEST(Credential, capget_versions)
{
    Capabilities wrong;
    wrong.header.version = 0;
    EXPECT_EQ(raw(SYS_capget, &wrong.header, nullptr), 0);
    EXPECT_EQ(wrong.header.version, uint32_t(_LINUX_CAPABILITY_VERSION_3));
    wrong.header.version = 0;
    EXPECT_EQ(raw(SYS_capget, &wrong.header, wrong.data), -EINVAL);
    EXPECT_EQ(raw(SYS_capget, 8, wrong.data), -EFAULT);
}

TEST(Limit, soft_below_hard)
{
    rlimit limit;
    ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &limit), 0);
    rlimit lower { 50, limit.rlim_max }, now;
    ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &lower), 0);
    ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &now), 0);
    EXPECT_EQ(now.rlim_cur, 50u);
    rlimit upside_down { 100, 50 };
    EXPECT_ERROR(::setrlimit(RLIMIT_NOFILE, &upside_down), EINVAL);
    EXPECT_ERROR(::getrlimit(__rlimit_resource(99), &now), EINVAL);
}

TEST(Limit, inherited_by_fork)
{
    rlimit small { 1234, 1234 };
    ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &small), 0);
    in_child([] {
        rlimit now;
        ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &now), 0);
        EXPECT_EQ(now.rlim_cur, 1234u);
    });
}

TEST(Limit, hard_limit_only_goes_down_for_others)
{
    as_ordinary_user([] {
        rlimit limit { 64, 64 };
        ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &limit), 0);
        limit.rlim_max = 65;
        EXPECT_ERROR(::setrlimit(RLIMIT_NOFILE, &limit), EPERM);
    });
}

TEST(Limit, prlimit_of_a_child)
{
    pid_t child = start([] { ::pause(); });
    rlimit small { 99, 99 }, old {}, now {};
    ASSERT_EQ(::prlimit(child, RLIMIT_NOFILE, &small, &old), 0);
    ASSERT_EQ(::prlimit(child, RLIMIT_NOFILE, nullptr, &now), 0);
    EXPECT_EQ(now.rlim_cur, 99u);
    EXPECT_NE(old.rlim_cur, 99u);
    ::kill(child, SIGKILL);
    wait_for(child);
    EXPECT_ERROR(::prlimit(0x3fffffff, RLIMIT_NOFILE, nullptr, &now), ESRCH);
}

TEST(Limit, cpu_limit_sends_sigxcpu)
{
    pid_t child = start([] {
        rlimit one { 1, 2 };
        ASSERT_EQ(::setrlimit(RLIMIT_CPU, &one), 0);
        for (;;)
            asm volatile("pause");
    });
    EXPECT_EQ(wait_for(child), killed_by(SIGXCPU));
}

TEST(Limit, usage_counts_faults_and_time)
{
    rusage before {}, after {};
    ASSERT_EQ(::getrusage(RUSAGE_SELF, &before), 0);
    Mapping area(8 << 20);
    std::memset(area.data(), 1, area.size());
    ASSERT_EQ(::getrusage(RUSAGE_SELF, &after), 0);
    EXPECT_GT(after.ru_minflt, before.ru_minflt);
    EXPECT_GE(after.ru_maxrss, 8 << 10);
    EXPECT_EQ(::getrusage(RUSAGE_THREAD, &after), 0);
    EXPECT_ERROR(::getrusage(__rusage_who_t(99), &after), EINVAL);
}

TEST(System, uname_describes_linux_on_x86)
{
    utsname name {};
    ASSERT_EQ(::uname(&name), 0);
    EXPECT_STREQ(name.sysname, "Linux");
    EXPECT_STREQ(name.machine, "x86_64");
    EXPECT_GE(std::atoi(name.release), 5);
    EXPECT_NE(name.nodename[0], '\0');
    EXPECT_EQ(raw(SYS_uname, 8), -EFAULT);
}

TEST(System, host_name_is_roots_to_change)
{
    as_ordinary_user([] {
        EXPECT_ERROR(::sethostname("x", 1), EPERM);
        EXPECT_ERROR(::setdomainname("x", 1), EPERM);
    });
}

TEST(System, sysinfo_is_plausible)
{
    struct sysinfo info { };
    ASSERT_EQ(::sysinfo(&info), 0);
    EXPECT_GT(info.totalram, info.freeram);
    EXPECT_GE(info.procs, 1);
    EXPECT_GE(info.uptime, 0);
    EXPECT_GT(info.mem_unit, 0u);
}

TEST(System, random_bytes)
{
    unsigned char one[64] = {}, two[64] = {};
    EXPECT_EQ(::getrandom(one, sizeof one, 0), ssize_t(sizeof one));
    EXPECT_EQ(::getrandom(two, sizeof two, GRND_NONBLOCK), ssize_t(sizeof two));
    EXPECT_NE(std::memcmp(one, two, sizeof one), 0);
    EXPECT_EQ(::getrandom(one, 0, 0), 0);
    EXPECT_ERROR(::getrandom(one, 1, 0x100), EINVAL);
    EXPECT_ERROR(::getrandom(one, 1, GRND_RANDOM | 4 /* GRND_INSECURE */), EINVAL);
    std::vector<char> large(1 << 20);
    EXPECT_EQ(::getrandom(large.data(), large.size(), 0), ssize_t(large.size()));
}

TEST(System, processors_are_counted)
{
    EXPECT_GE(::sysconf(_SC_NPROCESSORS_ONLN), 1);
    EXPECT_GE(::sysconf(_SC_NPROCESSORS_CONF), ::sysconf(_SC_NPROCESSORS_ONLN));
    EXPECT_EQ(::sysconf(_SC_PAGESIZE), long(kPage));
    EXPECT_EQ(::sysconf(_SC_CLK_TCK), 100);
    unsigned cpu = 999, node = 999;
    EXPECT_EQ(raw(SYS_getcpu, &cpu, &node, 0), 0);
    EXPECT_LT(cpu, unsigned(::sysconf(_SC_NPROCESSORS_CONF)));
}

TEST(System, reboot_and_mount_are_refused_to_others)
{
    as_ordinary_user([] {
        EXPECT_EQ(raw(SYS_reboot, 0xfee1dead, 672274793, 0x01234567, 0), -EPERM);
        EXPECT_EQ(raw(SYS_mount, "none", "/tmp", "tmpfs", 0, 0), -EPERM);
        EXPECT_EQ(raw(SYS_umount2, "/proc", 0), -EPERM);
        EXPECT_EQ(raw(SYS_pivot_root, "/", "/"), -EPERM);
        EXPECT_EQ(raw(SYS_unshare, 0x00020000 /* CLONE_NEWNS */), -EPERM);
    });
}

} // namespace
} // namespace abi_test
