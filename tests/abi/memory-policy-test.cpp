// SPDX-License-Identifier: GPL-2.0-or-later
// NUMA memory policies, as any machine has them that has at least node 0: set_mempolicy(2), get_mempolicy(2),
// mbind(2), move_pages(2), migrate_pages(2). Protection keys: pkey_alloc(2).
#include "abi-test.h"

#include <linux/mempolicy.h>
#include <sys/mman.h>

namespace abi_test {
namespace {

constexpr unsigned long kNodeZero = 1, kBits = 64;

TEST(MemoryPolicy, starts_as_the_default)
{
    int mode = -1;
    unsigned long nodes[16] = { 7, 7 };
    ASSERT_EQ(raw(SYS_get_mempolicy, &mode, nodes, kBits * 16, nullptr, 0), 0);
    EXPECT_EQ(mode, MPOL_DEFAULT);
    EXPECT_EQ(nodes[0], 0u);
    EXPECT_EQ(nodes[1], 0u);
}

TEST(MemoryPolicy, is_kept_and_inherited)
{
    ASSERT_EQ(raw(SYS_set_mempolicy, MPOL_BIND | MPOL_F_STATIC_NODES, &kNodeZero, kBits), 0);
    in_child([] {
        int mode = -1;
        unsigned long nodes[16] = { 0, 5 };
        ASSERT_EQ(raw(SYS_get_mempolicy, &mode, nodes, kBits * 16, nullptr, 0), 0);
        EXPECT_EQ(mode, MPOL_BIND | MPOL_F_STATIC_NODES);
        EXPECT_EQ(nodes[0], kNodeZero);
        EXPECT_EQ(nodes[1], 0u);
    });
    ASSERT_EQ(raw(SYS_set_mempolicy, MPOL_PREFERRED, nullptr, 0), 0);
    int mode = -1;
    ASSERT_EQ(raw(SYS_get_mempolicy, &mode, nullptr, 0, nullptr, 0), 0);
    EXPECT_EQ(mode, MPOL_LOCAL);
    EXPECT_EQ(raw(SYS_set_mempolicy, MPOL_DEFAULT, nullptr, 0), 0);
}

TEST(MemoryPolicy, refuses_what_does_not_go_together)
{
    unsigned long none = 0;
    EXPECT_EQ(raw(SYS_set_mempolicy, MPOL_BIND, &none, kBits), -EINVAL);
    EXPECT_EQ(raw(SYS_set_mempolicy, MPOL_BIND, nullptr, 0), -EINVAL);
    EXPECT_EQ(raw(SYS_set_mempolicy, MPOL_DEFAULT, &kNodeZero, kBits), -EINVAL);
    EXPECT_EQ(raw(SYS_set_mempolicy, MPOL_LOCAL, &kNodeZero, kBits), -EINVAL);
    EXPECT_EQ(raw(SYS_set_mempolicy, 99, nullptr, 0), -EINVAL);
    EXPECT_EQ(
        raw(SYS_set_mempolicy, MPOL_BIND | MPOL_F_STATIC_NODES | MPOL_F_RELATIVE_NODES, &kNodeZero, kBits),
        -EINVAL);
    EXPECT_EQ(raw(SYS_set_mempolicy, MPOL_BIND, 8, kBits), -EFAULT);
    EXPECT_EQ(raw(SYS_set_mempolicy, MPOL_BIND, &kNodeZero, kPage * 8 + 2), -EINVAL);
}

TEST(MemoryPolicy, tells_the_node_of_an_address)
{
    Mapping memory(kPage);
    memory[0] = 1;
    int node = -1;
    EXPECT_EQ(raw(SYS_get_mempolicy, &node, nullptr, 0, memory.data(), MPOL_F_NODE | MPOL_F_ADDR), 0);
    EXPECT_GE(node, 0);
    EXPECT_EQ(raw(SYS_get_mempolicy, &node, nullptr, 0, 8, MPOL_F_ADDR), -EFAULT);
    EXPECT_EQ(raw(SYS_get_mempolicy, &node, nullptr, 0, memory.data(), 0), -EINVAL);
    EXPECT_EQ(raw(SYS_get_mempolicy, &node, nullptr, 0, nullptr, MPOL_F_NODE), -EINVAL);
    EXPECT_EQ(raw(SYS_get_mempolicy, &node, nullptr, 0, nullptr, 8), -EINVAL);
    unsigned long nodes[16] = {};
    EXPECT_EQ(raw(SYS_get_mempolicy, nullptr, nodes, kBits * 16, nullptr, MPOL_F_MEMS_ALLOWED), 0);
    EXPECT_TRUE(nodes[0] & 1);
    EXPECT_EQ(raw(SYS_get_mempolicy, nullptr, nodes, kBits * 16, nullptr, MPOL_F_MEMS_ALLOWED | MPOL_F_NODE),
        -EINVAL);
}

TEST(MemoryPolicy, mbind_checks_its_range)
{
    Mapping memory(2 * kPage);
    EXPECT_EQ(raw(SYS_mbind, memory.data(), kPage, MPOL_BIND, &kNodeZero, kBits, MPOL_MF_STRICT), 0);
    EXPECT_EQ(raw(SYS_mbind, memory.data() + 1, kPage, MPOL_BIND, &kNodeZero, kBits, 0), -EINVAL);
    EXPECT_EQ(raw(SYS_mbind, memory.data(), kPage, MPOL_BIND, &kNodeZero, kBits, 8), -EINVAL);
    EXPECT_EQ(raw(SYS_mbind, memory.data(), 0, MPOL_BIND, nullptr, 0, 0), 0);
    ASSERT_OK(::munmap(memory.data() + kPage, kPage));
    EXPECT_EQ(raw(SYS_mbind, memory.data(), 2 * kPage, MPOL_BIND, &kNodeZero, kBits, 0), -EFAULT);
    as_ordinary_user([&] {
        EXPECT_EQ(
            raw(SYS_mbind, memory.data(), kPage, MPOL_BIND, &kNodeZero, kBits, MPOL_MF_MOVE_ALL), -EPERM);
    });
}

TEST(MemoryPolicy, areas_have_their_own)
{
    Mapping memory(4 * kPage);
    auto policy_at = [&](size_t page) {
        int mode = -1;
        unsigned long nodes = 7;
        EXPECT_EQ(raw(SYS_get_mempolicy, &mode, &nodes, kBits, memory.data() + page * kPage, MPOL_F_ADDR), 0);
        return std::pair(mode, nodes);
    };
    auto bind = [&](size_t page, size_t pages, int mode, unsigned long nodes) {
        return raw(SYS_mbind, memory.data() + page * kPage, pages * kPage, mode, &nodes, kBits, 0);
    };
    auto home = [&](size_t page) {
        return raw(SYS_set_mempolicy_home_node, memory.data() + page * kPage, kPage, 0, 0);
    };
    ASSERT_EQ(raw(SYS_set_mempolicy, MPOL_PREFERRED, &kNodeZero, kBits), 0); // the thread's
    EXPECT_EQ(policy_at(0), std::pair(int(MPOL_DEFAULT), 0ul));
    ASSERT_EQ(bind(1, 2, MPOL_BIND, kNodeZero), 0);
    ASSERT_EQ(bind(2, 1, MPOL_INTERLEAVE | MPOL_F_STATIC_NODES, kNodeZero), 0);
    EXPECT_EQ(policy_at(0), std::pair(int(MPOL_DEFAULT), 0ul));
    EXPECT_EQ(policy_at(1), std::pair(int(MPOL_BIND), kNodeZero));
    EXPECT_EQ(policy_at(2), std::pair(int(MPOL_INTERLEAVE) | int(MPOL_F_STATIC_NODES), kNodeZero));
    EXPECT_EQ(home(0), -ENOENT);
    EXPECT_EQ(home(1), 0);
    EXPECT_EQ(home(2), -EOPNOTSUPP);
    in_child([&] { EXPECT_EQ(policy_at(1), std::pair(int(MPOL_BIND), kNodeZero)); });
    ASSERT_EQ(bind(3, 1, MPOL_PREFERRED, 0), 0);
    EXPECT_EQ(policy_at(3), std::pair(int(MPOL_LOCAL), 0ul));
    ASSERT_EQ(bind(0, 4, MPOL_DEFAULT, 0), 0);
    EXPECT_EQ(policy_at(1), std::pair(int(MPOL_DEFAULT), 0ul));
    EXPECT_EQ(raw(SYS_set_mempolicy, MPOL_DEFAULT, nullptr, 0), 0);
}

TEST(MemoryPolicy, move_pages_tells_where_pages_are)
{
    Mapping memory(2 * kPage);
    memory[0] = 1;
    void* pages[3] = { memory.data(), reinterpret_cast<void*>(8), memory.data() };
    int status[3] = { -1, -1, -1 }, nodes[3] = { 0, 0, 0 };
    ASSERT_EQ(raw(SYS_move_pages, 0, 3, pages, nullptr, status, 0), 0);
    EXPECT_GE(status[0], 0);
    EXPECT_EQ(status[1], -EFAULT);
    EXPECT_EQ(raw(SYS_move_pages, 0, 1, pages, nodes, status, MPOL_MF_MOVE), 0);
    nodes[0] = 9999;
    EXPECT_EQ(raw(SYS_move_pages, 0, 1, pages, nodes, status, MPOL_MF_MOVE), -ENODEV);
    EXPECT_EQ(raw(SYS_move_pages, 0, 1, pages, nullptr, status, 1), -EINVAL);
    EXPECT_EQ(raw(SYS_move_pages, 0x3fffff, 1, pages, nullptr, status, 0), -ESRCH);
    EXPECT_EQ(raw(SYS_move_pages, 0, 1, pages, nullptr, nullptr, 0), -EFAULT);
}

TEST(MemoryPolicy, migrate_pages_goes_to_nodes_that_are)
{
    EXPECT_EQ(raw(SYS_migrate_pages, 0, kBits, &kNodeZero, &kNodeZero), 0);
    EXPECT_EQ(raw(SYS_migrate_pages, 0x3fffff, kBits, &kNodeZero, &kNodeZero), -ESRCH);
    EXPECT_EQ(raw(SYS_migrate_pages, 0, kBits, &kNodeZero, 8), -EFAULT);
}

TEST(ProtectionKey, arguments_are_checked)
{
    EXPECT_EQ(raw(SYS_pkey_alloc, 1, 0), -EINVAL);
    EXPECT_EQ(raw(SYS_pkey_alloc, 0, 4), -EINVAL);
    EXPECT_EQ(raw(SYS_pkey_free, 15), -EINVAL);
    EXPECT_EQ(raw(SYS_pkey_free, -1), -EINVAL);
}

} // namespace
} // namespace abi_test
