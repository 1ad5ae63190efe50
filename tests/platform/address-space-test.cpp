// SPDX-License-Identifier: GPL-2.0-or-later
// Address spaces: batches, replacement, separation, reuse, limits.
#include "tests/platform/backends.h"
#include "tests/platform/harness.h"

#include <dirent.h>
#include <signal.h>
#include <sys/syscall.h>

namespace umbra::test {
namespace {

constexpr u64 kArena = 0x20000000;

class AddressSpaces : public PlatformTest {
protected:
    /// Guest code that loads from `address` into the data page.
    Code loading(u64 address)
    {
        return Code().load_rax_from(address).store_rax_to(kDataAt).syscall(SYS_exit);
    }
    void rerun(Guest& guest, Code const& code)
    {
        write_code(guest, code);
        registers(guest).rip = kCodeAt;
    }
};

int open_descriptors()
{
    int count = 0;
    DIR* dir = opendir("/proc/self/fd");
    while (readdir(dir))
        ++count;
    closedir(dir);
    return count;
}

TEST_P(AddressSpaces, long_batches)
{
    constexpr u64 kPages = 300; // more than one page of operations
    auto guest = make_guest(loading(kArena + 299 * kPageSize));
    std::vector<platform::Mapping> mappings;
    for (u64 i = 0; i < kPages; ++i) {
        u64 const offset = new_frame();
        put_word(offset, i + 1);
        mappings.push_back({ GuestAddr(kArena + i * kPageSize), kPageSize, Protection::read, bank->handle(),
            offset, i % 2 == 0 });
    }
    ASSERT_TRUE(guest->space->map(*vcpu, mappings).ok());
    expect_syscall(enter(*guest), SYS_exit);
    EXPECT_EQ(word(guest->data_offset), kPages);

    std::vector<platform::Range> ranges;
    for (u64 i = 0; i < kPages; i += 2)
        ranges.push_back({ GuestAddr(kArena + i * kPageSize), kPageSize });
    ASSERT_TRUE(guest->space->unmap(*vcpu, ranges).ok());
    rerun(*guest, loading(kArena + 1 * kPageSize));
    expect_syscall(enter(*guest), SYS_exit);
    EXPECT_EQ(word(guest->data_offset), 2u);
    rerun(*guest, loading(kArena + 2 * kPageSize));
    EXPECT_EQ(enter(*guest).kind, TrapKind::fault);
}

TEST_P(AddressSpaces, mapping_replaces_what_was_there)
{
    auto guest = make_guest(loading(kArena));
    u64 const first = new_frame(), second = new_frame();
    put_word(first, 1);
    put_word(second, 2);
    map(*guest, kArena, first, Protection::read);
    expect_syscall(enter(*guest), SYS_exit);
    EXPECT_EQ(word(guest->data_offset), 1u);
    map(*guest, kArena, second, Protection::read);
    rerun(*guest, loading(kArena));
    expect_syscall(enter(*guest), SYS_exit);
    EXPECT_EQ(word(guest->data_offset), 2u);
}

TEST_P(AddressSpaces, unmapping_nothing_is_fine_and_protecting_nothing_is_not)
{
    auto guest = make_guest(loading(kArena));
    platform::Range const range { GuestAddr(kArena), 16 * kPageSize };
    EXPECT_TRUE(guest->space->unmap(*vcpu, { &range, 1 }).ok());
    platform::ProtectRange const protect { GuestAddr(kArena), kPageSize, Protection::read };
    EXPECT_EQ(guest->space->protect(*vcpu, { &protect, 1 }).error(), err::nomem);
    // The space is as usable as before.
    map(*guest, kArena, new_frame(), Protection::read);
    expect_syscall(enter(*guest), SYS_exit);
}

TEST_P(AddressSpaces, the_stub_zone_cannot_be_touched)
{
    auto guest = make_guest(loading(kArena));
    u64 const end = platform->machine().task_size;
    for (u64 start : { end, end - kPageSize, ~u64 { 0 } - kPageMask, end + 0x100000 }) {
        platform::Mapping const mapping { GuestAddr(start), 2 * kPageSize, Protection::read, bank->handle(),
            0 };
        EXPECT_EQ(guest->space->map(*vcpu, { &mapping, 1 }).error(), err::inval);
        platform::Range const range { GuestAddr(start), 2 * kPageSize };
        EXPECT_EQ(guest->space->unmap(*vcpu, { &range, 1 }).error(), err::inval);
        platform::ProtectRange const protect { GuestAddr(start), 2 * kPageSize, Protection::read };
        EXPECT_EQ(guest->space->protect(*vcpu, { &protect, 1 }).error(), err::inval);
    }
    u64 const offset = new_frame();
    put_word(offset, 5);
    map(*guest, end - kPageSize, offset, Protection::read);
    rerun(*guest, loading(end - kPageSize));
    expect_syscall(enter(*guest), SYS_exit);
    EXPECT_EQ(word(guest->data_offset), 5u);
}

TEST_P(AddressSpaces, lowest_address)
{
    u64 const lowest = platform->machine().min_address;
    auto guest = make_guest(loading(lowest));
    u64 const offset = new_frame();
    put_word(offset, 6);
    map(*guest, lowest, offset, Protection::read);
    expect_syscall(enter(*guest), SYS_exit);
    EXPECT_EQ(word(guest->data_offset), 6u);
}

TEST_P(AddressSpaces, a_bad_source_is_an_error)
{
    auto guest = make_guest(loading(kArena));
    platform::Mapping const mapping { GuestAddr(kArena), kPageSize, Protection::read, platform::kNoHandle,
        0 };
    EXPECT_EQ(guest->space->map(*vcpu, { &mapping, 1 }).error(), err::badf);
    EXPECT_EQ(enter(*guest).kind, TrapKind::fault);
}

TEST_P(AddressSpaces, are_separate)
{
    auto one = make_guest(loading(kArena));
    auto two = make_guest(loading(kArena));
    map(*one, kArena, new_frame(), Protection::read);
    expect_syscall(enter(*one), SYS_exit);
    EXPECT_EQ(enter(*two).kind, TrapKind::fault);
}

TEST_P(AddressSpaces, discarded_pages_read_as_zero)
{
    auto guest = make_guest(loading(kArena));
    u64 const offset = new_frame();
    put_word(offset, 7);
    map(*guest, kArena, offset, Protection::read);
    bank->discard(offset, kPageSize);
    EXPECT_EQ(word(offset), 0u);
    put_word(guest->data_offset, 1);
    expect_syscall(enter(*guest), SYS_exit);
    EXPECT_EQ(word(guest->data_offset), 0u);
}

TEST_P(AddressSpaces, a_new_one_shows_nothing_of_the_last)
{
    auto guest = make_guest(Code().mov_r8(0x5ec2e7).syscall(SYS_exit_group));
    map(*guest, kArena, new_frame(), Protection::read);
    expect_syscall(enter(*guest), SYS_exit_group);
    guest.reset();
    for (int i = 0; i < 4; ++i) {
        auto next = make_guest(loading(kArena));
        auto& r = registers(*next);
        EXPECT_EQ(r.r8, 0u);
        EXPECT_EQ(r.fs_base, 0u);
        EXPECT_EQ(enter(*next).kind, TrapKind::fault);
    }
}

/// As after a fork: the child's thread runs before anything is mapped for it.
TEST_P(AddressSpaces, a_thread_in_an_empty_one_faults_at_once)
{
    for (int i = 0; i < 10; ++i)
        make_guest(Code().syscall(SYS_exit));
    for (int i = 0; i < 10; ++i) {
        Guest guest;
        auto space = platform->create_address_space(*vcpu);
        ASSERT_TRUE(space.ok());
        guest.space = std::move(space).release_value();
        auto thread = guest.space->create_thread(*vcpu);
        ASSERT_TRUE(thread.ok());
        guest.thread = std::move(thread).release_value();
        registers(guest).rip = kCodeAt;
        registers(guest).rsp = kStackTop;
        Trap const trap = enter(guest);
        EXPECT_EQ(trap.kind, TrapKind::fault);
        EXPECT_EQ(trap.address, GuestAddr(kCodeAt));
    }
}

/// Killed from outside, behind the platform's back: what it cannot do any more it must not claim.
TEST_P(AddressSpaces, a_killed_one_takes_nothing)
{
    auto guest = make_guest(Code().syscall(SYS_getpid));
    kill(guest->space->host_pid(), SIGKILL);
    platform::Mapping const mapping { GuestAddr(kArena), kPageSize, Protection::read, bank->handle(), 0 };
    EXPECT_TRUE(guest->space->map(*vcpu, { &mapping, 1 }).is_error());
    EXPECT_TRUE(guest->space->create_thread(*vcpu).is_error());
    EXPECT_EQ(enter(*guest).kind, TrapKind::died);
}

TEST_P(AddressSpaces, a_thousand_leak_nothing)
{
    auto const code = Code().syscall(SYS_getpid).syscall(SYS_exit_group);
    make_guest(code).reset();
    int before = 0;
    for (int i = 0; i < 1000; ++i) {
        if (i == 100) before = open_descriptors();
        next_frame = 0;
        auto guest = make_guest(code);
        ASSERT_EQ(enter(*guest).kind, TrapKind::syscall);
        if (i % 3) enter(*guest);
        if (i % 7 == 0) { // some of them do not go back to the pool
            kill(guest->space->host_pid(), SIGKILL);
            ASSERT_EQ(enter(*guest).kind, TrapKind::died);
        }
    }
    EXPECT_LE(open_descriptors(), before + 4); // a few more may stand ready
}

TEST_P(AddressSpaces, many_at_once)
{
    std::vector<std::unique_ptr<Guest>> guests;
    for (int i = 0; i < 50; ++i)
        guests.push_back(make_guest(Code().syscall(SYS_getpid).jump_to(kCodeAt)));
    for (int round = 0; round < 3; ++round)
        for (auto& guest : guests)
            ASSERT_EQ(enter(*guest).kind, TrapKind::syscall);
}

INSTANTIATE_TEST_SUITE_P(, AddressSpaces, kAllBackends, backend_name);

} // namespace
} // namespace umbra::test
