// SPDX-License-Identifier: GPL-2.0-or-later
// The fake platform keeps the contract of core/platform where a unit test can rely on it.
#include "core/platform/fake/fake-platform.h"

#include <gtest/gtest.h>

namespace umbra::platform::fake {
namespace {

struct FakePlatformTest : testing::Test {
    FakePlatform platform;
    FakeVcpu vcpu { platform.vcpu(0) };
    std::unique_ptr<Bank> bank = platform.create_bank(1 << 20).release_value();
    std::unique_ptr<AddressSpace> owned = platform.create_address_space(vcpu).release_value();
    FakeAddressSpace& space = static_cast<FakeAddressSpace&>(*owned);

    void map(u64 start, u64 pages, Protection protection, u64 offset = 0)
    {
        Mapping const m { GuestAddr(start), pages * kPageSize, protection, bank->handle(), offset };
        ASSERT_TRUE(space.map(vcpu, { &m, 1 }).ok());
    }
};

TEST_F(FakePlatformTest, mappings_split_and_replace)
{
    map(0x10000, 4, Protection::read);
    bank->data()[2 * kPageSize] = 42;
    map(0x11000, 1, Protection::write, 8 * kPageSize);
    EXPECT_EQ(space.mappings().size(), 3u);
    EXPECT_EQ(*space.at(GuestAddr(0x12000)), 42);
    Range const hole { GuestAddr(0x10000), 3 * kPageSize };
    ASSERT_TRUE(space.unmap(vcpu, { &hole, 1 }).ok());
    EXPECT_EQ(space.mapped_bytes(), kPageSize);
    EXPECT_EQ(space.find(GuestAddr(0x12fff)), nullptr);
    EXPECT_EQ(space.find(GuestAddr(0x13000))->offset, 3 * kPageSize);
    ProtectRange const p { GuestAddr(0x12000), 2 * kPageSize, Protection::none };
    EXPECT_EQ(space.protect(vcpu, { &p, 1 }).error(), err::nomem);
}

TEST_F(FakePlatformTest, programs_trap_and_fault)
{
    auto owned_thread = space.create_thread(vcpu).release_value();
    auto& thread = static_cast<FakeGuestThread&>(*owned_thread);
    thread.program = [](FakeGuestThread& t) {
        u8 const byte = 7;
        if (auto fault = t.store(GuestAddr(0x10010), { &byte, 1 })) return *fault;
        return t.syscall(1, { 2, 3 });
    };
    Trap const fault = thread.enter(vcpu);
    EXPECT_EQ(fault.kind, TrapKind::fault);
    EXPECT_EQ(fault.access, Protection::write);
    map(0x10000, 1, Protection::read | Protection::write);
    Trap const call = thread.enter(vcpu);
    EXPECT_EQ(call.kind, TrapKind::syscall);
    EXPECT_EQ(call.args[1], 3u);
    EXPECT_EQ(bank->data()[0x10], 7);
    thread.set_syscall_result(9);
    EXPECT_EQ(thread.registers(vcpu)->rax, 9u);
}

TEST_F(FakePlatformTest, time_jumps_to_deadlines)
{
    Nanoseconds const start = platform.now(HostClock::monotonic);
    vcpu.wait(start + 500);
    EXPECT_EQ(platform.now(HostClock::monotonic), start + 500);
    bool ran = false;
    platform.vcpu(0).post([&] { ran = true; });
    vcpu.wait(kNever);
    EXPECT_TRUE(ran);
    platform.vcpu(0).wake();
    vcpu.wait(start + 1000);
    EXPECT_EQ(platform.now(HostClock::monotonic), start + 500) << "a wake-up comes before time passes";
}

} // namespace
} // namespace umbra::platform::fake
