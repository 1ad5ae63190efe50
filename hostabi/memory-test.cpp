// SPDX-License-Identifier: GPL-2.0-or-later
// Mappings, banks and stacks.
#include "hostabi/memory.h"

#include <cerrno>
#include <cstring>
#include <set>
#include <vector>

#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include "hostabi/stack-pool.h"

namespace umbra::hostabi {
namespace {

TEST(OwnedMapping, UnmapsAtTheEnd)
{
    u8* address;
    {
        OwnedMapping mapping = OwnedMapping::anonymous(8192, PROT_READ | PROT_WRITE).release_value();
        address = mapping.data();
        address[8191] = 1;
        EXPECT_EQ(::msync(address, 8192, MS_ASYNC), 0);
    }
    EXPECT_EQ(::msync(address, 8192, MS_ASYNC), -1); // ENOMEM: not mapped
}

TEST(OwnedMapping, PagesGoBackToTheHost)
{
    OwnedMapping mapping = OwnedMapping::anonymous(4 * kPageSize, PROT_READ | PROT_WRITE).release_value();
    std::memset(mapping.data(), 1, mapping.size());
    discard_private(mapping.data() + kPageSize, 2 * kPageSize);
    unsigned char present[4];
    ASSERT_EQ(::mincore(mapping.data(), mapping.size(), present), 0);
    EXPECT_TRUE(present[0] & 1);
    EXPECT_FALSE((present[1] | present[2]) & 1);
    EXPECT_TRUE(present[3] & 1);
    EXPECT_EQ(mapping.data()[kPageSize - 1], 1);
    EXPECT_EQ(mapping.data()[kPageSize], 0);
    EXPECT_EQ(mapping.data()[3 * kPageSize], 1);
}

TEST(MemoryBank, IsSparseAndShared)
{
    constexpr u64 kSize = u64 { 64 } << 30; // more than the machine has
    MemoryBank bank = MemoryBank::create("test", kSize).release_value();
    EXPECT_EQ(bank.size(), kSize);
    EXPECT_EQ(bank.resident(), 0u);
    bank.data()[kSize - 1] = 42;
    EXPECT_EQ(bank.resident(), kPageSize);
    u8 byte = 0;
    EXPECT_EQ(::pread(bank.fd(), &byte, 1, static_cast<off_t>(kSize - 1)), 1);
    EXPECT_EQ(byte, 42);
}

TEST(MemoryBank, PopulateAndDiscard)
{
    MemoryBank bank = MemoryBank::create("test", 1 << 20).release_value();
    ASSERT_TRUE(bank.populate(65536, 131072).ok());
    EXPECT_EQ(bank.resident(), 131072u);
    std::memset(bank.data() + 65536, 7, 131072);
    bank.discard(65536, 65536);
    EXPECT_EQ(bank.resident(), 65536u);
    EXPECT_EQ(bank.data()[65536], 0);
    EXPECT_EQ(bank.data()[131072], 7);
}

TEST(MemoryBank, CannotBeResizedWhenSealed)
{
    MemoryBank sealed = MemoryBank::create("test", 8192).release_value();
    EXPECT_EQ(::ftruncate(sealed.fd(), 0), -1);
    EXPECT_EQ(::ftruncate(sealed.fd(), 16384), -1);
    MemoryBank open = MemoryBank::create("test", 8192, SizeSeal::none).release_value();
    EXPECT_EQ(::ftruncate(open.fd(), 16384), 0);
}

TEST(StackPool, StacksAreAlignedAndApart)
{
    constexpr u64 kSize = 32768;
    StackPool pool(kSize);
    std::set<u64> stacks;
    for (int i = 0; i < 100; i++) {
        void* const stack = pool.allocate();
        ASSERT_NE(stack, nullptr);
        u64 const address = reinterpret_cast<u64>(stack);
        EXPECT_EQ(address % kSize, 0u);
        EXPECT_TRUE(stacks.insert(address).second);
        std::memset(stack, 0xee, kSize);
    }
    EXPECT_EQ(pool.in_use(), 100u);
    for (u64 const address : stacks)
        pool.free(reinterpret_cast<void*>(address));
    EXPECT_EQ(pool.in_use(), 0u);
}

TEST(StackPoolDeathTest, GuardPageBelow)
{
    StackPool pool(16384);
    auto* const stack = static_cast<u8 volatile*>(pool.allocate());
    stack[0] = 1;
    EXPECT_DEATH(stack[-1] = 1, "");
}

TEST(StackPool, ReusesAndGivesMemoryBack)
{
    constexpr u64 kSize = 65536;
    StackPool pool(kSize);
    std::vector<void*> stacks;
    for (int i = 0; i < 64; i++) {
        stacks.push_back(pool.allocate());
        std::memset(stacks.back(), 1, kSize);
    }
    for (std::size_t i = stacks.size(); i-- > 0;)
        pool.free(stacks[i]);
    int with_memory = 0;
    for (void* const stack : stacks) {
        unsigned char present = 0;
        ASSERT_EQ(::mincore(stack, kPageSize, &present), 0);
        with_memory += present & 1;
    }
    EXPECT_GT(with_memory, 0);
    EXPECT_LE(with_memory, 16);
    EXPECT_NE(pool.allocate(), nullptr);
}

} // namespace
} // namespace umbra::hostabi
