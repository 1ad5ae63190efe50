// SPDX-License-Identifier: GPL-2.0-or-later
// epoll's ready list: level, edge and one-shot items, changes, ends of files, nesting. Waiting is
// tests/abi/epoll-test.cpp's.
#include "core/ipc/epoll.h"

#include <gtest/gtest.h>

#include "core/ipc/eventfd.h"
#include "core/kernel.h"
#include "core/platform/fake/fake-platform.h"

namespace umbra::ipc {
namespace {

struct EpollTest : testing::Test {
    platform::fake::FakePlatform platform;
    Kernel kernel { platform, {} };
    Ref<EventPoll> set = make_epoll(kernel);
    RefPtr<vfs::File> counter = make_eventfd(kernel, 0, abi::o_nonblock);

    void add(u32 events, i32 fd = 3)
    {
        ASSERT_TRUE(set->add(*counter, GuestFd(fd), { events, u64(fd) }).ok());
    }
    void signal(u64 value = 1)
    {
        auto buffer = IoBuffer::kernel_source({ reinterpret_cast<u8 const*>(&value), sizeof value });
        ASSERT_TRUE(counter->write(buffer, 0).ok());
    }
    void drain()
    {
        u64 value;
        auto buffer = IoBuffer::kernel({ reinterpret_cast<u8*>(&value), sizeof value });
        ASSERT_TRUE(counter->read(buffer, 0).ok());
    }
    /// The data of the events that a wait would give, or nothing.
    std::vector<u64> collect()
    {
        std::array<abi::EpollEvent, 8> events;
        std::vector<u64> data;
        for (u64 i = 0, count = set->collect(events); i < count; i++)
            data.push_back(u64 { events[i].data }); // a copy: the structure is packed
        return data;
    }
};
using List = std::vector<u64>;

TEST_F(EpollTest, level_triggered_reports_as_long_as_it_holds)
{
    add(abi::pollin);
    EXPECT_EQ(collect(), List {});
    signal();
    EXPECT_EQ(collect(), List { 3 });
    EXPECT_EQ(collect(), List { 3 });
    drain();
    EXPECT_EQ(collect(), List {});
}

TEST_F(EpollTest, edge_triggered_reports_each_write_once)
{
    add(abi::pollin | abi::epollet);
    signal();
    EXPECT_EQ(collect(), List { 3 });
    EXPECT_EQ(collect(), List {});
    signal();
    EXPECT_EQ(collect(), List { 3 });
    EXPECT_EQ(collect(), List {});
}

TEST_F(EpollTest, one_shot_waits_for_a_change)
{
    add(abi::pollin | abi::epolloneshot);
    signal();
    EXPECT_EQ(collect(), List { 3 });
    signal();
    EXPECT_EQ(collect(), List {});
    ASSERT_TRUE(set->modify(*counter, GuestFd(3), { abi::pollin, 4 }).ok());
    EXPECT_EQ(collect(), List { 4 });
}

TEST_F(EpollTest, one_file_under_two_numbers_is_two_items)
{
    add(abi::pollin, 3);
    add(abi::pollin, 5);
    EXPECT_EQ(set->add(*counter, GuestFd(3), { abi::pollin, 0 }).error(), err::exist);
    signal();
    EXPECT_EQ(collect(), (List { 3, 5 }));
    ASSERT_TRUE(set->remove(*counter, GuestFd(3)).ok());
    EXPECT_EQ(set->remove(*counter, GuestFd(3)).error(), err::noent);
    EXPECT_EQ(collect(), List { 5 });
}

TEST_F(EpollTest, ready_items_take_turns)
{
    add(abi::pollin, 3);
    add(abi::pollin, 5);
    signal();
    std::array<abi::EpollEvent, 1> one;
    ASSERT_EQ(set->collect(one), 1u);
    u64 first = one[0].data;
    ASSERT_EQ(set->collect(one), 1u);
    EXPECT_NE(u64 { one[0].data }, first);
}

TEST_F(EpollTest, a_file_that_ends_leaves_the_set)
{
    add(abi::pollin);
    signal();
    counter = nullptr;
    EXPECT_EQ(collect(), List {});
    EXPECT_EQ(set->readiness(), 0u);
}

TEST_F(EpollTest, a_set_that_ends_leaves_its_files)
{
    add(abi::pollin);
    set = make_epoll(kernel);
    signal();
    EXPECT_EQ(collect(), List {});
}

TEST_F(EpollTest, a_nested_set_is_ready_with_its_items)
{
    auto outer = make_epoll(kernel);
    add(abi::pollin);
    ASSERT_TRUE(outer->add(*set, GuestFd(7), { abi::pollin, 7 }).ok());
    std::array<abi::EpollEvent, 4> events;
    EXPECT_EQ(outer->collect(events), 0u);
    signal();
    ASSERT_EQ(outer->collect(events), 1u);
    EXPECT_EQ(u64 { events[0].data }, 7u);
    drain();
    EXPECT_EQ(outer->collect(events), 0u);
}

TEST_F(EpollTest, loops_and_long_chains_are_refused)
{
    std::vector<Ref<EventPoll>> chain { set };
    for (int i = 0; i < 4; i++) {
        chain.push_back(make_epoll(kernel));
        ASSERT_TRUE(chain[size_t(i)]->add(*chain.back(), GuestFd(9), { abi::pollin, 0 }).ok());
    }
    EXPECT_EQ(chain.back()->add(*set, GuestFd(9), { abi::pollin, 0 }).error(), err::loop);
    EXPECT_EQ(set->add(*set, GuestFd(9), { abi::pollin, 0 }).error(), err::inval);
    auto one_more = make_epoll(kernel);
    EXPECT_EQ(chain.back()->add(*one_more, GuestFd(9), { abi::pollin, 0 }).error(), err::loop);
    EXPECT_EQ(one_more->add(*set, GuestFd(9), { abi::pollin, 0 }).error(), err::loop);
}

TEST_F(EpollTest, exclusive_items_are_for_plain_files_and_never_change)
{
    auto other = make_epoll(kernel);
    EXPECT_EQ(set->add(*other, GuestFd(9), { abi::pollin | abi::epollexclusive, 0 }).error(), err::inval);
    add(abi::pollin | abi::epollexclusive);
    EXPECT_EQ(set->modify(*counter, GuestFd(3), { abi::pollin, 0 }).error(), err::inval);
}

} // namespace
} // namespace umbra::ipc
