// SPDX-License-Identifier: GPL-2.0-or-later
// Anonymous memory: mmap(2), munmap(2), mprotect(2), brk(2), madvise(2), mincore(2), mlock(2),
// limits.
#include "abi-test.h"

#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/uio.h>

namespace abi_test {
namespace {

constexpr int kReadWrite = PROT_READ | PROT_WRITE;
constexpr int kPrivate = MAP_PRIVATE | MAP_ANONYMOUS;
constexpr int kShared = MAP_SHARED | MAP_ANONYMOUS;

void* map(void* address, size_t length, int protection = kReadWrite, int flags = kPrivate)
{
    return ::mmap(address, length, protection, flags, -1, 0);
}

/// The line of /proc/self/maps that holds the address, or "".
std::string maps_line(void const* address)
{
    std::string maps = read_file("/proc/self/maps");
    for (size_t at = 0; at < maps.size();) {
        size_t end = maps.find('\n', at);
        std::string line = maps.substr(at, end - at);
        char* dash;
        uintptr_t first = std::strtoul(line.c_str(), &dash, 16);
        uintptr_t last = std::strtoul(dash + 1, nullptr, 16);
        auto wanted = reinterpret_cast<uintptr_t>(address);
        if (wanted >= first && wanted < last) return line;
        at = end + 1;
    }
    return "";
}

TEST(Memory, anonymous_memory_is_zero_and_writable)
{
    Mapping area(16 * kPage);
    for (size_t i = 0; i < area.size(); i += 512)
        ASSERT_EQ(area[i], 0);
    std::memset(area.data(), 0x5a, area.size());
    EXPECT_EQ(area[area.size() - 1], 0x5a);
}

TEST(Memory, length_is_rounded_up)
{
    Mapping area(1);
    area[kPage - 1] = 1;
    EXPECT_EQ(area[kPage - 1], 1);
}

TEST(Memory, mmap_errors)
{
    EXPECT_EQ(raw(SYS_mmap, 0, 0, kReadWrite, kPrivate, -1, 0), -EINVAL);
    EXPECT_EQ(raw(SYS_mmap, 0, kPage, kReadWrite, MAP_ANONYMOUS, -1, 0), -EINVAL);
    EXPECT_EQ(raw(SYS_mmap, 0, kPage, kReadWrite, MAP_PRIVATE, -1, 0), -EBADF);
    EXPECT_EQ(raw(SYS_mmap, 0, 0, kReadWrite, MAP_PRIVATE, -1, 0), -EBADF);
    EXPECT_EQ(raw(SYS_mmap, 0, kPage, kReadWrite, kPrivate, -1, 1), -EINVAL);
    EXPECT_EQ(raw(SYS_mmap, 0x1001, kPage, kReadWrite, kPrivate | MAP_FIXED, -1, 0), -EINVAL);
    EXPECT_EQ(raw(SYS_mmap, 0, ~size_t(0) - kPage, kReadWrite, kPrivate, -1, 0), -ENOMEM);
    EXPECT_EQ(raw(SYS_mmap, 0x8000'0000'0000, kPage, kReadWrite, kPrivate | MAP_FIXED, -1, 0), -ENOMEM);
}

TEST(Memory, hint_is_taken_when_free)
{
    Mapping area(4 * kPage);
    ASSERT_EQ(::munmap(area.data() + kPage, kPage), 0);
    EXPECT_EQ(map(area.data() + kPage, kPage), area.data() + kPage);
    // Taken: goes elsewhere.
    void* other = map(area.data() + kPage, kPage);
    EXPECT_NE(other, area.data() + kPage);
    ::munmap(other, kPage);
}

TEST(Memory, fixed_replaces)
{
    Mapping area(3 * kPage);
    std::memset(area.data(), 1, area.size());
    ASSERT_EQ(map(area.data() + kPage, kPage, kReadWrite, kPrivate | MAP_FIXED), area.data() + kPage);
    EXPECT_EQ(area[kPage - 1], 1);
    EXPECT_EQ(area[kPage], 0);
    EXPECT_EQ(area[2 * kPage], 1);
}

TEST(Memory, fixed_noreplace_refuses_what_is_taken)
{
    Mapping area(kPage);
    EXPECT_EQ(map(area.data(), kPage, kReadWrite, kPrivate | MAP_FIXED_NOREPLACE), MAP_FAILED);
    EXPECT_EQ(errno, EEXIST);
    ASSERT_EQ(::munmap(area.data(), kPage), 0);
    EXPECT_EQ(map(area.data(), kPage, kReadWrite, kPrivate | MAP_FIXED_NOREPLACE), area.data());
}

TEST(Memory, munmap_makes_a_hole)
{
    Mapping area(3 * kPage);
    std::memset(area.data(), 7, area.size());
    ASSERT_EQ(::munmap(area.data() + kPage, kPage), 0);
    EXPECT_EQ(area[0], 7);
    EXPECT_EQ(area[2 * kPage], 7);
    EXPECT_FALSE(can_read(area.data() + kPage));
    EXPECT_EQ(maps_line(area.data() + kPage), "");
}

TEST(Memory, munmap_of_nothing_is_fine_and_errors)
{
    Mapping area(2 * kPage);
    EXPECT_EQ(::munmap(area.data(), kPage), 0);
    EXPECT_EQ(::munmap(area.data(), kPage), 0);
    EXPECT_ERROR(::munmap(area.data() + 1, kPage), EINVAL);
    EXPECT_ERROR(::munmap(area.data(), 0), EINVAL);
    EXPECT_EQ(raw(SYS_munmap, kPage, ~size_t(0) << 12), -EINVAL);
}

TEST(Memory, unmapped_and_mapped_again_is_zero)
{
    Mapping area(64 * kPage);
    std::memset(area.data(), 9, area.size());
    ASSERT_EQ(::munmap(area.data(), area.size()), 0);
    ASSERT_EQ(map(area.data(), area.size(), kReadWrite, kPrivate | MAP_FIXED), area.data());
    for (size_t i = 0; i < area.size(); i += kPage)
        ASSERT_EQ(area[i], 0);
}

TEST(Memory, mprotect_splits_and_is_enforced)
{
    Mapping area(3 * kPage);
    std::memset(area.data(), 3, area.size());
    ASSERT_EQ(::mprotect(area.data() + kPage, kPage, PROT_READ), 0);
    EXPECT_TRUE(can_write(area.data()));
    EXPECT_FALSE(can_write(area.data() + kPage));
    EXPECT_TRUE(can_read(area.data() + kPage));
    EXPECT_TRUE(can_write(area.data() + 2 * kPage));
    ASSERT_EQ(::mprotect(area.data() + kPage, kPage, PROT_NONE), 0);
    EXPECT_FALSE(can_read(area.data() + kPage));
    ASSERT_EQ(::mprotect(area.data(), area.size(), kReadWrite), 0);
    EXPECT_EQ(area[kPage], 3);
}

TEST(Memory, mprotect_errors)
{
    Mapping area(3 * kPage);
    EXPECT_ERROR(::mprotect(area.data() + 1, kPage, PROT_READ), EINVAL);
    EXPECT_ERROR(::mprotect(area.data(), kPage, 0x100), EINVAL);
    ASSERT_EQ(::munmap(area.data() + kPage, kPage), 0);
    EXPECT_ERROR(::mprotect(area.data(), 3 * kPage, PROT_READ), ENOMEM);
    // Up to the hole it has been done.
    EXPECT_FALSE(can_write(area.data()));
    EXPECT_EQ(::mprotect(area.data(), 0, PROT_READ), 0);
}

TEST(Memory, write_only_can_be_read_too)
{
    // There is no write-only page on x86-64.
    Mapping area(kPage, PROT_WRITE);
    area[0] = 4;
    EXPECT_EQ(area[0], 4);
}

TEST(Memory, maps_shows_permissions_and_merges)
{
    Mapping area(4 * kPage, PROT_NONE);
    EXPECT_NE(maps_line(area.data()).find(" ---p 00000000 00:00 0"), std::string::npos);
    ASSERT_EQ(::mprotect(area.data() + kPage, kPage, kReadWrite), 0);
    EXPECT_NE(maps_line(area.data() + kPage).find(" rw-p "), std::string::npos);
    EXPECT_NE(maps_line(area.data() + kPage), maps_line(area.data()));
    ASSERT_EQ(::mprotect(area.data() + kPage, kPage, PROT_NONE), 0);
    EXPECT_EQ(maps_line(area.data() + kPage), maps_line(area.data()));
}

TEST(Memory, shared_anonymous_is_shared_over_fork)
{
    Mapping area(2 * kPage, kReadWrite, kShared);
    area[0] = 1;
    in_child([&] {
        EXPECT_EQ(area[0], 1);
        area[0] = 2;
        area[kPage] = 3;
    });
    EXPECT_EQ(area[0], 2);
    EXPECT_EQ(area[kPage], 3);
}

/// Parent and child write to every other page each, and see only what is theirs.
void expect_private_over_fork(size_t pages)
{
    SCOPED_TRACE(pages);
    Mapping area(pages * kPage);
    auto at = [&](size_t i) -> char& { return area[i * kPage]; };
    for (size_t i = 0; i < pages; i++)
        if (i % 5 != 4) at(i) = char(i % 90); // some were never touched
    auto before = [](size_t i) { return i % 5 != 4 ? char(i % 90) : char(0); };
    Gate child_wrote, parent_wrote;
    pid_t child = start([&] {
        for (size_t i = 0; i < pages; i += 2)
            at(i) = 100;
        child_wrote.open();
        parent_wrote.wait();
        for (size_t i = 1; i < pages; i += 2)
            ASSERT_EQ(at(i), before(i));
    });
    child_wrote.wait();
    for (size_t i = 0; i < pages; i++)
        ASSERT_EQ(at(i), before(i));
    for (size_t i = 1; i < pages; i += 2)
        at(i) = 101;
    parent_wrote.open();
    EXPECT_EQ(wait_for(child), exited(0));
}

TEST(Memory, private_anonymous_is_copied_on_write_over_fork)
{
    for (size_t pages : { 1, 2, 7, 15, 16, 17, 64, 1000 })
        expect_private_over_fork(pages);
}

TEST(Memory, written_pages_that_became_read_only_stay_private_over_fork)
{
    Mapping area(3 * kPage);
    for (size_t i = 0; i < 3; i++)
        area[i * kPage] = char('a' + i);
    ASSERT_EQ(::mprotect(area.data(), 3 * kPage, PROT_READ), 0);
    in_child([&] {
        ASSERT_EQ(area[kPage], 'b');
        ASSERT_FALSE(can_write(&area[kPage]));
        ASSERT_EQ(::mprotect(area.data(), 3 * kPage, PROT_READ | PROT_WRITE), 0);
        area[kPage] = 'x';
    });
    EXPECT_EQ(area[kPage], 'b');
    EXPECT_FALSE(can_write(&area[kPage]));
}

TEST(Memory, copies_over_three_generations)
{
    Mapping area(kPage);
    area[0] = 1;
    in_child([&] {
        area[0] = 2;
        in_child([&] {
            EXPECT_EQ(area[0], 2);
            area[0] = 3;
        });
        EXPECT_EQ(area[0], 2);
    });
    EXPECT_EQ(area[0], 1);
}

TEST(Memory, protection_changed_after_fork_stays_private)
{
    Mapping area(kPage);
    in_child([&] { ASSERT_EQ(::mprotect(area.data(), kPage, PROT_READ), 0); });
    area[0] = 1;
}

TEST(Memory, system_calls_copy_on_write_too)
{
    // The kernel's own writes into a shared-after-fork page must not reach the parent.
    Mapping area(kPage);
    area[0] = 'p';
    in_child([&] {
        Pipe pipe;
        ASSERT_EQ(::write(pipe.write_end, "c", 1), 1);
        ASSERT_EQ(::read(pipe.read_end, area.data(), 1), 1);
        EXPECT_EQ(area[0], 'c');
    });
    EXPECT_EQ(area[0], 'p');
}

TEST(Memory, brk_grows_and_shrinks)
{
    long start_break = raw(SYS_brk, 0);
    long grown = start_break + 16 * long(kPage);
    ASSERT_EQ(raw(SYS_brk, grown), grown);
    auto* memory = reinterpret_cast<char*>((start_break + 4095) & ~4095L);
    EXPECT_EQ(memory[0], 0);
    memory[8 * kPage] = 5;
    EXPECT_NE(maps_line(memory).find("[heap]"), std::string::npos);
    EXPECT_EQ(raw(SYS_brk, start_break), start_break);
    EXPECT_FALSE(can_read(memory + 8 * kPage));
    // Grown again, it is zero again.
    ASSERT_EQ(raw(SYS_brk, grown), grown);
    EXPECT_EQ(memory[8 * kPage], 0);
    EXPECT_EQ(raw(SYS_brk, start_break), start_break);
}

TEST(Memory, brk_answers_the_old_break_when_it_cannot)
{
    long start_break = raw(SYS_brk, 0);
    EXPECT_EQ(raw(SYS_brk, 1), start_break);
    EXPECT_EQ(raw(SYS_brk, 0x7fff'ffff'f000), start_break);
}

TEST(Memory, brk_obeys_the_data_limit)
{
    in_child([] {
        rlimit limit { 1 << 20, 1 << 20 };
        ASSERT_EQ(::setrlimit(RLIMIT_DATA, &limit), 0);
        long start_break = raw(SYS_brk, 0);
        EXPECT_EQ(raw(SYS_brk, start_break + (2 << 20)), start_break);
    });
}

TEST(Memory, address_space_limit_gives_enomem)
{
    in_child([] {
        rlimit limit { 256 << 20, 256 << 20 };
        ASSERT_EQ(::setrlimit(RLIMIT_AS, &limit), 0);
        EXPECT_EQ(map(nullptr, 512 << 20), MAP_FAILED);
        EXPECT_EQ(errno, ENOMEM);
        EXPECT_NE(map(nullptr, 1 << 20), MAP_FAILED);
    });
}

TEST(Memory, huge_reservation_costs_nothing_until_touched)
{
    size_t length = size_t(64) << 30;
    auto* area = static_cast<char*>(map(nullptr, length, PROT_NONE, kPrivate | MAP_NORESERVE));
    ASSERT_NE(area, MAP_FAILED);
    ASSERT_EQ(::mprotect(area + (length / 2), kPage, kReadWrite), 0);
    area[length / 2] = 1;
    EXPECT_EQ(area[length / 2], 1);
    EXPECT_EQ(::munmap(area, length), 0);
}

TEST(Memory, sixty_four_mebibytes_hold_what_is_written)
{
    Mapping area(64 << 20);
    for (size_t i = 0; i < area.size(); i += kPage)
        *reinterpret_cast<size_t*>(&area[i]) = i * 7919;
    for (size_t i = 0; i < area.size(); i += kPage)
        ASSERT_EQ(*reinterpret_cast<size_t*>(&area[i]), i * 7919);
}

TEST(Memory, thousand_mappings)
{
    // Every other page another protection, so that none merge.
    Mapping area(1000 * kPage);
    for (size_t i = 0; i < 1000; i += 2)
        ASSERT_EQ(::mprotect(&area[i * kPage], kPage, PROT_READ), 0);
    for (size_t i = 1; i < 1000; i += 2)
        area[i * kPage] = 1;
    EXPECT_FALSE(can_write(&area[998 * kPage]));
}

TEST(Memory, stack_grows_on_touch)
{
    // 1 MiB below the stack pointer, page by page as a function with large locals would.
    auto* here = static_cast<char volatile*>(__builtin_frame_address(0));
    for (size_t below = kPage; below < (1 << 20); below += kPage)
        *(here - below) = 1;
    EXPECT_NE(maps_line(const_cast<char*>(here - (1 << 19))).find("[stack]"), std::string::npos);
}

TEST(Memory, stack_obeys_its_limit)
{
    pid_t child = start([] {
        rlimit limit { 1 << 20, 1 << 20 };
        ASSERT_EQ(::setrlimit(RLIMIT_STACK, &limit), 0);
        auto* here = static_cast<char volatile*>(__builtin_frame_address(0));
        for (size_t below = kPage; below < (4 << 20); below += kPage)
            *(here - below) = 1;
    });
    EXPECT_EQ(wait_for(child), killed_by(SIGSEGV));
}

TEST(Memory, growsdown_mapping_grows)
{
    // Room below: the guard gap of 256 pages must be free, so use the middle of a big hole.
    char* hole = static_cast<char*>(map(nullptr, 2048 * kPage, PROT_NONE));
    ASSERT_NE(hole, MAP_FAILED);
    ASSERT_EQ(::munmap(hole, 2048 * kPage), 0);
    char* top = hole + 1500 * kPage;
    ASSERT_EQ(map(top, kPage, kReadWrite, kPrivate | MAP_FIXED | MAP_GROWSDOWN), top);
    top[-10] = 1;
    EXPECT_EQ(top[-10], 1);
    EXPECT_NE(maps_line(top - 10), "");
}

TEST(Memory, populate_fills_at_once)
{
    Mapping area(16 * kPage, kReadWrite, kPrivate | MAP_POPULATE);
    unsigned char resident[16] = {};
    ASSERT_EQ(::mincore(area.data(), area.size(), resident), 0);
    for (unsigned char page : resident)
        EXPECT_EQ(page & 1, 1);
}

TEST(Memory, self_modifying_code)
{
    Mapping code(kPage, PROT_READ | PROT_WRITE | PROT_EXEC);
    unsigned char const program[] = { 0xb8, 1, 0, 0, 0, 0xc3 }; // mov $1, %eax; ret
    std::memcpy(code.data(), program, sizeof program);
    auto function = reinterpret_cast<int (*)()>(code.data());
    EXPECT_EQ(function(), 1);
    code[1] = 77;
    EXPECT_EQ(function(), 77);
}

TEST(Memory, process_vm_calls_reach_a_child)
{
    Mapping area(2 * kPage);
    area[0] = 'a';
    Gate ready, end;
    pid_t child = start([&] {
        area[0] = 'b';
        ready.open();
        end.wait();
        EXPECT_EQ(area[kPage], 'z');
    });
    ready.wait();
    char got = 0, put = 'z';
    iovec local { &got, 1 }, remote { area.data(), 1 };
    long n = raw(SYS_process_vm_readv, child, &local, 1, &remote, 1, 0);
    EXPECT_EQ(n, 1);
    EXPECT_EQ(got, 'b');
    local.iov_base = &put;
    remote.iov_base = area.data() + kPage;
    EXPECT_EQ(raw(SYS_process_vm_writev, child, &local, 1, &remote, 1, 0), 1);
    end.open();
    EXPECT_EQ(wait_for(child), exited(0));
}

} // namespace
} // namespace abi_test
