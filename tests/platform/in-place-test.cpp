// SPDX-License-Identifier: GPL-2.0-or-later
// Pages changed in place, where the host and the backend can do that: what is prepared, filled, guarded.
#include "tests/platform/backends.h"
#include "tests/platform/harness.h"

#include <algorithm>
#include <atomic>
#include <thread>

#include <sys/syscall.h>

#include "core/platform/in-place-paging.h"
#include "hostabi/probe.h"

namespace umbra::test {
namespace {

constexpr u64 kArena = 0x20000000;
constexpr u64 kBlockPages = 16;
constexpr u64 kBlock = kBlockPages * kPageSize;
constexpr u64 kValue = 4711;

class InPlace : public PlatformTest {
protected:
    void SetUp() override
    {
        static auto const features = hostabi::HostFeatures::probe_quick();
        if (!features.has(hostabi::Feature::userfaultfd_minor))
            GTEST_SKIP() << "this host has no minor userfaults";
        PlatformTest::SetUp();
        block_ = next_frame; // nobody has touched these frames
        next_frame += kBlock;
    }
    static platform::InPlacePaging& in_place(Guest& guest)
    {
        auto* offered = dynamic_cast<platform::InPlacePaging*>(guest.space.get());
        EXPECT_NE(offered, nullptr);
        return *offered;
    }
    platform::Mapping block(Protection protection = Protection::read | Protection::write) const
    {
        return { GuestAddr(kArena), kBlock, protection, bank->handle(), block_ };
    }
    static platform::Range pages(u64 first, u64 count)
    {
        return { GuestAddr(kArena + first * kPageSize), count * kPageSize };
    }
    Result<void> fill(Guest& guest, platform::Range range) { return in_place(guest).fill({ &range, 1 }); }
    /// Guest code that loads from the page, stores to it, and then reports.
    static Code touching(u64 page)
    {
        u64 const at = kArena + page * kPageSize;
        return Code().load_rax_from(at).store_rax_to(kDataAt).mov_rax(kValue).store_rax_to(at).syscall(
            SYS_exit);
    }
    void rerun(Guest& guest, Code const& code)
    {
        write_code(guest, code);
        registers(guest).rip = kCodeAt;
    }
    void expect_fault(Trap const& trap, u64 page, Protection access)
    {
        EXPECT_EQ(trap.kind, TrapKind::fault);
        EXPECT_EQ(trap.address.value, kArena + page * kPageSize);
        EXPECT_EQ(trap.access, access);
        EXPECT_EQ(trap.vector, 14);
    }
    u64 block_ = 0;
};

TEST_P(InPlace, prepared_pages_are_shown_when_they_are_filled_in)
{
    auto guest = make_guest(touching(3));
    ASSERT_TRUE(in_place(*guest).prepare(*vcpu, block()).ok());
    expect_fault(enter(*guest), 3, Protection::read); // the bank has no page yet
    put_word(block_ + 3 * kPageSize, 99);
    expect_fault(enter(*guest), 3, Protection::read); // it has one, which is not shown
    ASSERT_TRUE(fill(*guest, pages(3, 1)).ok());
    expect_syscall(enter(*guest), SYS_exit);
    EXPECT_EQ(word(guest->data_offset), 99u);
    EXPECT_EQ(word(block_ + 3 * kPageSize), kValue);

    rerun(*guest, touching(4));
    expect_fault(enter(*guest), 4, Protection::read);
    ASSERT_TRUE(bank->populate(block_, kBlock).ok());
    ASSERT_TRUE(fill(*guest, pages(0, kBlockPages)).ok()); // one of them is there already
    expect_syscall(enter(*guest), SYS_exit);
    EXPECT_EQ(word(guest->data_offset), 0u);
}

TEST_P(InPlace, a_guest_cannot_make_pages_of_the_bank)
{
    auto guest = make_guest(Code().mov_rax(1).store_rax_to(kArena).syscall(SYS_exit));
    ASSERT_TRUE(in_place(*guest).prepare(*vcpu, block()).ok());
    for (int i = 0; i < 3; ++i)
        expect_fault(enter(*guest), 0, Protection::write);
    // A fill without a page to show fails, and shows none.
    EXPECT_TRUE(fill(*guest, pages(0, 1)).is_error());
    expect_fault(enter(*guest), 0, Protection::write);
}

TEST_P(InPlace, other_mappings_take_the_place_of_prepared_ones)
{
    auto guest = make_guest(touching(1));
    ASSERT_TRUE(in_place(*guest).prepare(*vcpu, block()).ok());
    u64 const other = new_frame();
    put_word(other, 7);
    map(*guest, kArena + kPageSize, other, Protection::read | Protection::write);
    expect_syscall(enter(*guest), SYS_exit);
    EXPECT_EQ(word(guest->data_offset), 7u);
    ASSERT_TRUE(bank->populate(block_, kBlock).ok());
    EXPECT_TRUE(fill(*guest, pages(1, 1)).is_error()) << "it is not prepared any more";
    ASSERT_TRUE(fill(*guest, pages(2, 14)).ok());

    auto const all = pages(0, kBlockPages);
    ASSERT_TRUE(guest->space->unmap(*vcpu, { &all, 1 }).ok());
    EXPECT_TRUE(fill(*guest, pages(2, 1)).is_error());
    rerun(*guest, touching(2));
    expect_fault(enter(*guest), 2, Protection::read);
}

TEST_P(InPlace, ranges_of_the_stub_are_refused)
{
    auto guest = make_guest(Code().syscall(SYS_exit));
    auto mapping = block();
    mapping.start = GuestAddr(platform->machine().task_size);
    EXPECT_EQ(in_place(*guest).prepare(*vcpu, mapping).error(), err::inval);
    EXPECT_EQ(fill(*guest, { mapping.start, kPageSize }).error(), err::inval);
    EXPECT_EQ(fill(*guest, { GuestAddr(kArena + 1), kPageSize }).error(), err::inval);
}

TEST_P(InPlace, the_next_user_of_a_stub_finds_nothing_prepared)
{
    for (int round = 0; round < 3; ++round) {
        auto guest = make_guest(touching(0));
        EXPECT_TRUE(fill(*guest, pages(0, 1)).is_error());
        ASSERT_TRUE(in_place(*guest).prepare(*vcpu, block()).ok());
        put_word(block_, 5);
        expect_fault(enter(*guest), 0, Protection::read);
        ASSERT_TRUE(fill(*guest, pages(0, 1)).ok());
        expect_syscall(enter(*guest), SYS_exit);
    }
}

TEST_P(InPlace, guarded_pages_can_be_read_and_not_written)
{
    auto guest = make_guest(touching(2));
    if (!in_place(*guest).can_guard()) GTEST_SKIP() << "this host cannot guard";
    auto mapping = block();
    mapping.populate = true;
    ASSERT_TRUE(guest->space->map(*vcpu, { &mapping, 1 }).ok());
    auto const some = pages(1, 4);
    ASSERT_TRUE(in_place(*guest).guard({ &some, 1 }).ok());
    put_word(block_ + 2 * kPageSize, 21);
    expect_fault(enter(*guest), 2, Protection::write);
    EXPECT_EQ(word(guest->data_offset), 21u);
    EXPECT_EQ(word(block_ + 2 * kPageSize), 21u);
    auto const one = pages(2, 1);
    ASSERT_TRUE(in_place(*guest).unguard({ &one, 1 }).ok());
    expect_syscall(enter(*guest), SYS_exit);
    EXPECT_EQ(word(block_ + 2 * kPageSize), kValue);

    rerun(*guest, touching(3)); // still guarded: another mapping in its place is not
    expect_fault(enter(*guest), 3, Protection::write);
    u64 const other = new_frame();
    map(*guest, kArena + 3 * kPageSize, other, Protection::read | Protection::write);
    expect_syscall(enter(*guest), SYS_exit);
    EXPECT_EQ(word(other), kValue);
    rerun(*guest, touching(8)); // never was
    expect_syscall(enter(*guest), SYS_exit);
}

TEST_P(InPlace, guards_hold_in_what_was_prepared)
{
    auto guest = make_guest(touching(0));
    if (!in_place(*guest).can_guard()) GTEST_SKIP() << "this host cannot guard";
    ASSERT_TRUE(in_place(*guest).prepare(*vcpu, block()).ok());
    ASSERT_TRUE(bank->populate(block_, 4 * kPageSize).ok());
    ASSERT_TRUE(fill(*guest, pages(0, 4)).ok());
    auto const some = pages(0, 4);
    ASSERT_TRUE(in_place(*guest).guard({ &some, 1 }).ok());
    expect_fault(enter(*guest), 0, Protection::write);
    ASSERT_TRUE(in_place(*guest).unguard({ &some, 1 }).ok());
    expect_syscall(enter(*guest), SYS_exit);
}

/// Another thread of the guest hammers the range from before it is prepared: it never gets at a page.
TEST_P(InPlace, preparing_beside_a_running_thread)
{
    start(2);
    block_ = next_frame;
    next_frame += kBlock;
    u64 const at = kArena + 5 * kPageSize;
    auto guest = make_guest(Code().syscall(SYS_getpid));
    u64 const code = new_frame();
    auto const hammer = Code().mov_rax(1).store_rax_to(at).syscall(SYS_exit);
    std::copy(hammer.bytes.begin(), hammer.bytes.end(), frame(code));
    map(*guest, 0x800000, code, Protection::read | Protection::execute);
    auto other = guest->space->create_thread(*vcpu).release_value();
    other->registers(*vcpu)->rip = 0x800000;
    other->registers(*vcpu)->rsp = kStackTop;
    std::atomic<u64> faults = 0;
    std::atomic<bool> stop = false;
    std::thread hammering([&] {
        std::unique_lock lock(kernel_lock);
        TestVcpu second(kernel_lock, platform->vcpu(1));
        while (!stop) {
            Trap const trap = other->enter(second);
            EXPECT_EQ(trap.kind, TrapKind::fault);
            if (trap.kind != TrapKind::fault) stop = true;
            ++faults;
        }
    });
    auto const wait_for_faults = [&](u64 more) {
        u64 const before = faults;
        while (faults < before + more && !stop) {
            held.unlock();
            std::this_thread::yield();
            held.lock();
        }
    };
    for (int round = 0; round < 30; ++round) {
        ASSERT_TRUE(in_place(*guest).prepare(*vcpu, block()).ok());
        wait_for_faults(3);
        auto const all = pages(0, kBlockPages);
        ASSERT_TRUE(guest->space->unmap(*vcpu, { &all, 1 }).ok());
    }
    stop = true;
    held.unlock();
    hammering.join();
    held.lock();
    other.reset();
    EXPECT_EQ(word(block_ + 5 * kPageSize), 0u) << "it got at the frame";
}

INSTANTIATE_TEST_SUITE_P(, InPlace, testing::Values("seccomp"), backend_name);

class WithoutInPlace : public PlatformTest { };

TEST_P(WithoutInPlace, is_not_offered)
{
    auto guest = make_guest(Code().syscall(SYS_exit));
    EXPECT_EQ(dynamic_cast<platform::InPlacePaging*>(guest->space.get()), nullptr);
}

INSTANTIATE_TEST_SUITE_P(, WithoutInPlace, testing::Values("seccomp_old_host", "ptrace"), backend_name);

} // namespace
} // namespace umbra::test
