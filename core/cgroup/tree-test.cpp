// SPDX-License-Identifier: GPL-2.0-or-later
// The bounds of the tree of groups, and how it calls them. What tasks see is in tests/abi/cgroup-test.cpp.
#include "core/cgroup/cgroup.h"

#include <gtest/gtest.h>

#include "core/kernel.h"
#include "core/platform/fake/fake-platform.h"

namespace umbra::cgroup {
namespace {

struct CgroupTree : testing::Test {
    umbra::platform::fake::FakePlatform machine;
    Kernel kernel { machine, { .memory_limit = 64 << 20 } };
    Cgroup& root = kernel.cgroups().root();

    Result<Ref<Cgroup>> make(Cgroup& parent, char const* name) { return make_child(parent, name, {}, 0755); }
};

TEST_F(CgroupTree, nests_so_deep_and_no_deeper)
{
    Ref<Cgroup> deepest(root);
    for (u32 level = 0; level < Hierarchy::kMostLevels; ++level)
        deepest = MUST(make(*deepest, "x"));
    EXPECT_EQ(make(*deepest, "x").error(), err::again);
    // A branch that is dead from its end to its beginning ends with its last user.
    for (Cgroup* at = deepest.get(); !at->is_root(); at = at->parent.get())
        ASSERT_TRUE(remove(*at).ok());
    EXPECT_EQ(root.descendants, 0u);
    EXPECT_EQ(root.dying_descendants, u64 { Hierarchy::kMostLevels });
    deepest = Ref<Cgroup>(root);
    EXPECT_EQ(root.dying_descendants, 0u);
}

TEST_F(CgroupTree, has_so_many_groups_and_no_more)
{
    u64 made = 0;
    for (; made < 10'000; ++made)
        if (make(root, std::to_string(made).c_str()).is_error()) break;
    EXPECT_EQ(made + 1, kernel.cgroups().most_groups());
    EXPECT_EQ(make(root, "more").error(), err::nospc);
}

TEST_F(CgroupTree, paths_lead_from_where_one_looks)
{
    auto a = MUST(make(root, "a")), b = MUST(make(*a, "b")), c = MUST(make(root, "c"));
    EXPECT_EQ(path_of(root, root), "/");
    EXPECT_EQ(path_of(*b, root), "/a/b");
    EXPECT_EQ(path_of(*b, *a), "/b");
    EXPECT_EQ(path_of(*a, *a), "/");
    EXPECT_EQ(path_of(*c, *b), "/../../c");
    EXPECT_EQ(path_of(root, *a), "/..");
}

} // namespace
} // namespace umbra::cgroup
