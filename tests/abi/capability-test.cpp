// SPDX-License-Identifier: GPL-2.0-or-later
// capabilities(7): file capabilities, the securebits with their locks, the ambient and bounding sets over execve(2).
#include "abi-test.h"

#include <sys/prctl.h>
#include <sys/xattr.h>

namespace abi_test {
namespace {

constexpr int kChown = 0, kNetRaw = 13, kSetpcap = 8, kSetfcap = 31;
constexpr unsigned kRevision2 = 0x02000000, kRevision3 = 0x03000000, kEffective = 1;
constexpr char const* kAttribute = "security.capability";

constexpr uint64_t bit(int capability) { return uint64_t { 1 } << capability; }

struct Attribute {
    uint32_t magic, permitted, inheritable, permitted_high = 0, inheritable_high = 0, root = 0;
};
constexpr size_t kSize2 = 20, kSize3 = 24;

int set_attribute(char const* path, Attribute const& value, size_t size = kSize2)
{
    return ::setxattr(path, kAttribute, &value, size, 0);
}

uint64_t own_set(char const* name)
{
    auto text = read_file("/proc/self/status");
    auto at = text.find(std::string(name) + ":\t");
    return std::strtoull(text.c_str() + at + std::strlen(name) + 2, nullptr, 16);
}

bool is_privileged()
{
    return ::geteuid() == 0 && (own_set("CapEff") & bit(kSetfcap)) && (own_set("CapEff") & bit(kSetpcap));
}
#define NEEDS_PRIVILEGES()                                                                                   \
    if (!is_privileged()) GTEST_SKIP() << "needs root with CAP_SETFCAP and CAP_SETPCAP"

/// What a program has that an ordinary user runs.
struct Ran {
    int status;
    uint64_t permitted, effective, ambient;
    bool secure;
};

class FileCapability : public InScratchDirectory {
protected:
    void SetUp() override
    {
        ASSERT_EQ(::chmod(".", 0755), 0);
        write_file("program", read_file("/proc/self/exe"), 0755);
        ASSERT_EQ(::chmod("program", 0755), 0);
    }

    template <typename Prepare> Ran run(Prepare&& prepare, char const* program = "./program")
    {
        Pipe pipe;
        pid_t child = ::fork();
        if (child == 0) {
            ::dup2(pipe.write_end, STDOUT_FILENO);
            prepare();
            ::execl(program, "abi-tests", "--helper", "sets", nullptr);
            ::_exit(errno);
        }
        pipe.write_end.reset();
        std::string text = read_all(pipe.read_end);
        Ran ran { wait_for(child), 0, 0, 0, false };
        unsigned long long permitted = 0, effective = 0, ambient = 0;
        int secure = 0;
        std::sscanf(text.c_str(), "%llx %llx %llx %d", &permitted, &effective, &ambient, &secure);
        ran.permitted = permitted, ran.effective = effective, ran.ambient = ambient, ran.secure = secure;
        return ran;
    }
    Ran run_as_user(char const* program = "./program") { return run(become_ordinary_user, program); }
};

TEST_F(FileCapability, the_attribute_is_checked)
{
    NEEDS_PRIVILEGES();
    Attribute value { kRevision2, 1, 0 };
    EXPECT_ERROR(set_attribute("program", value, 19), EINVAL);
    EXPECT_ERROR(set_attribute("program", value, kSize3), EINVAL);
    EXPECT_ERROR(set_attribute("program", { 0x01000000, 1, 0 }, 12), EINVAL);
    EXPECT_ERROR(set_attribute("program", { 0x05000000, 1, 0 }), EINVAL);
    EXPECT_EQ(set_attribute("program", value), 0);
    Attribute got {};
    EXPECT_EQ(::getxattr("program", kAttribute, &got, sizeof got), ssize_t(kSize2));
    EXPECT_EQ(std::memcmp(&got, &value, kSize2), 0);
    as_ordinary_user([&] { EXPECT_ERROR(set_attribute("program", value), EPERM); });
}

TEST_F(FileCapability, gives_a_user_what_it_says)
{
    NEEDS_PRIVILEGES();
    auto ran = run_as_user();
    EXPECT_EQ(ran.permitted, 0u);
    EXPECT_FALSE(ran.secure);
    ASSERT_EQ(set_attribute("program", { kRevision2 | kEffective, 1u << kNetRaw, 0 }), 0);
    ran = run_as_user();
    EXPECT_EQ(ran.status, exited(0));
    EXPECT_EQ(ran.permitted, bit(kNetRaw));
    EXPECT_EQ(ran.effective, bit(kNetRaw));
    EXPECT_TRUE(ran.secure);
    ASSERT_EQ(set_attribute("program", { kRevision2, 1u << kNetRaw, 0 }), 0);
    ran = run_as_user();
    EXPECT_EQ(ran.permitted, bit(kNetRaw));
    EXPECT_EQ(ran.effective, 0u);
}

TEST_F(FileCapability, a_namespaced_attribute_of_our_own_root)
{
    NEEDS_PRIVILEGES();
    if (set_attribute("program", { kRevision3 | kEffective, 1u << kNetRaw, 0, 0, 0, 0 }, kSize3) != 0)
        SKIP_AS_HOST_LACKS("version 3");
    EXPECT_EQ(run_as_user().effective, bit(kNetRaw));
    Attribute got {};
    EXPECT_EQ(::getxattr("program", kAttribute, &got, sizeof got), ssize_t(kSize2)); // shown as version 2
    // Another's: user 1000 is root of no namespace of ours.
    ASSERT_EQ(set_attribute("program", { kRevision3 | kEffective, 1u << kNetRaw, 0, 0, 0, 1000 }, kSize3), 0);
    EXPECT_EQ(run_as_user().effective, 0u);
    EXPECT_EQ(::getxattr("program", kAttribute, &got, sizeof got), ssize_t(kSize3));
    EXPECT_EQ(got.root, 1000u);
}

TEST_F(FileCapability, the_bounding_set_bounds)
{
    NEEDS_PRIVILEGES();
    auto without = [] {
        ::prctl(PR_CAPBSET_DROP, kNetRaw);
        become_ordinary_user();
    };
    ASSERT_EQ(set_attribute("program", { kRevision2, 1u << kNetRaw | 1u << kChown, 0 }), 0);
    EXPECT_EQ(run(without).permitted, bit(kChown));
    ASSERT_EQ(set_attribute("program", { kRevision2 | kEffective, 1u << kNetRaw | 1u << kChown, 0 }), 0);
    EXPECT_EQ(run(without).status, exited(EPERM));
}

TEST_F(FileCapability, no_new_privs_keeps_them_away)
{
    NEEDS_PRIVILEGES();
    ASSERT_EQ(set_attribute("program", { kRevision2 | kEffective, 1u << kNetRaw, 0 }), 0);
    auto ran = run([] {
        become_ordinary_user();
        ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    });
    EXPECT_EQ(ran.status, exited(0));
    EXPECT_EQ(ran.permitted, 0u);
}

TEST_F(FileCapability, writing_and_a_new_owner_take_it_away)
{
    NEEDS_PRIVILEGES();
    Attribute const value { kRevision2, 1, 0 };
    ASSERT_EQ(set_attribute("program", value), 0);
    Fd file(::open("program", O_WRONLY));
    EXPECT_EQ(::pwrite(file, "\x7f", 1, 0), 1);
    EXPECT_ERROR(::getxattr("program", kAttribute, nullptr, 0), ENODATA);
    ASSERT_EQ(set_attribute("program", value), 0);
    EXPECT_EQ(::truncate("program", 100), 0);
    EXPECT_ERROR(::getxattr("program", kAttribute, nullptr, 0), ENODATA);
    ASSERT_EQ(set_attribute("program", value), 0);
    EXPECT_EQ(::chown("program", 5, 5), 0);
    EXPECT_ERROR(::getxattr("program", kAttribute, nullptr, 0), ENODATA);
}

TEST_F(FileCapability, set_user_id_root_with_capabilities_has_only_those)
{
    NEEDS_PRIVILEGES();
    ASSERT_EQ(::chmod("program", 04755), 0);
    EXPECT_TRUE(run_as_user().effective & bit(kChown));
    ASSERT_EQ(set_attribute("program", { kRevision2 | kEffective, 1u << kNetRaw, 0 }), 0);
    EXPECT_EQ(run_as_user().permitted, bit(kNetRaw));
}

TEST_F(FileCapability, ambient_capabilities_survive_a_plain_program_only)
{
    NEEDS_PRIVILEGES();
    auto raise = [] {
        struct {
            uint32_t version = 0x20080522;
            int pid = 0;
        } header;
        struct {
            uint32_t effective, permitted, inheritable;
        } data[2] = { { 1u << kNetRaw, 1u << kNetRaw, 1u << kNetRaw }, { 0, 0, 0 } };
        ::prctl(PR_SET_KEEPCAPS, 1);
        if (::setgid(kOrdinaryUser) || ::setuid(kOrdinaryUser)) ::_exit(98);
        if (::syscall(SYS_capset, &header, data)) ::_exit(97);
        if (::prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, kNetRaw, 0, 0)) ::_exit(96);
    };
    auto ran = run(raise);
    EXPECT_EQ(ran.status, exited(0));
    EXPECT_EQ(ran.ambient, bit(kNetRaw));
    EXPECT_EQ(ran.effective, bit(kNetRaw));
    EXPECT_FALSE(ran.secure);
    ASSERT_EQ(set_attribute("program", { kRevision2, 1u << kChown, 0 }), 0);
    ran = run(raise);
    EXPECT_EQ(ran.ambient, 0u);
    EXPECT_EQ(ran.permitted, bit(kChown));
}

TEST_F(FileCapability, without_root_privileges)
{
    NEEDS_PRIVILEGES();
    auto ran = run([] { ::prctl(PR_SET_SECUREBITS, 1 /* SECBIT_NOROOT */); });
    EXPECT_EQ(ran.status, exited(0));
    EXPECT_EQ(ran.permitted, 0u);
}

TEST(Securebits, locks_and_ranges)
{
    if (!(own_set("CapEff") & bit(kSetpcap))) GTEST_SKIP() << "needs CAP_SETPCAP";
    in_child([] {
        EXPECT_EQ(::prctl(PR_SET_SECUREBITS, 0x1000), -1);
        EXPECT_EQ(errno, EPERM);
        EXPECT_EQ(::prctl(PR_SET_SECUREBITS, 0x20), 0); // keep-caps locked, and off
        EXPECT_EQ(::prctl(PR_GET_SECUREBITS), 0x20);
        EXPECT_ERROR(::prctl(PR_SET_KEEPCAPS, 1), EPERM);
        EXPECT_ERROR(::prctl(PR_SET_SECUREBITS, 0x30), EPERM);
        EXPECT_ERROR(::prctl(PR_SET_SECUREBITS, 0), EPERM);
        EXPECT_EQ(::prctl(PR_SET_SECUREBITS, 0x60), 0); // and no ambient capability may be raised
        EXPECT_ERROR(::prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, kChown, 0, 0), EPERM);
    });
}

TEST(Securebits, are_for_the_privileged)
{
    as_ordinary_user([] {
        EXPECT_ERROR(::prctl(PR_SET_SECUREBITS, 0), EPERM);
        EXPECT_ERROR(::prctl(PR_CAPBSET_DROP, kChown), EPERM);
        EXPECT_EQ(::prctl(PR_SET_KEEPCAPS, 1), 0);
        EXPECT_EQ(::prctl(PR_GET_KEEPCAPS), 1);
        EXPECT_ERROR(::prctl(PR_SET_KEEPCAPS, 2), EINVAL);
        EXPECT_ERROR(::prctl(PR_CAPBSET_READ, 63), EINVAL);
        EXPECT_ERROR(::prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, kChown, 0, 0), EPERM);
        EXPECT_ERROR(::prctl(PR_CAP_AMBIENT, 9, kChown, 0, 0), EINVAL);
        EXPECT_ERROR(::prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 1, 0, 0), EINVAL);
        EXPECT_EQ(::prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0), 0);
        EXPECT_EQ(::prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET, kChown, 0, 0), 0);
    });
}

} // namespace
} // namespace abi_test
