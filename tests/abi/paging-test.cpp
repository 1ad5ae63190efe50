// SPDX-License-Identifier: GPL-2.0-or-later
// Pages of a region that come and go one by one: touched here and there, taken away in pieces, shared by fork and
// written on either side, written by the kernel between the program's own accesses.
#include "abi-test.h"

#include <pthread.h>
#include <sys/mman.h>
#include <utility>
#include <vector>

namespace abi_test {
namespace {

constexpr size_t kPages = 1024; // two blocks of 2 MiB and more, wherever the region begins
constexpr size_t kSize = kPages * kPage;
constexpr int kReadWrite = PROT_READ | PROT_WRITE;

/// The n-th page of an order that visits each page once.
size_t nth(size_t n) { return n * 397 % kPages; }

char mark(size_t page) { return char(page % 251 + 1); }

void touch_scattered(Mapping& area, size_t count)
{
    for (size_t n = 0; n < count; ++n)
        area[nth(n) * kPage + n % kPage] = mark(nth(n));
}

void expect_scattered(Mapping& area, size_t count)
{
    for (size_t n = 0; n < count; ++n)
        ASSERT_EQ(area[nth(n) * kPage + n % kPage], mark(nth(n))) << "page " << nth(n);
}

void expect_zero(char const* start, size_t length)
{
    for (size_t i = 0; i < length; ++i)
        ASSERT_EQ(start[i], 0) << "byte " << i;
}

TEST(Paging, scattered_pages_are_zero_but_for_what_was_written)
{
    Mapping area(kSize);
    touch_scattered(area, 200);
    for (size_t n = 0; n < kPages; ++n) {
        char& written = area[nth(n) * kPage + n % kPage];
        ASSERT_EQ(std::exchange(written, 0), n < 200 ? mark(nth(n)) : 0);
    }
    expect_zero(area.data(), kSize);
}

TEST(Paging, what_is_beside_an_area_is_still_not_there)
{
    Mapping area(kSize);
    ASSERT_EQ(::munmap(&area[300 * kPage], 100 * kPage), 0);
    ASSERT_EQ(::mprotect(&area[500 * kPage], 10 * kPage, PROT_NONE), 0);
    ASSERT_EQ(::mprotect(&area[600 * kPage], 10 * kPage, PROT_READ), 0);
    for (size_t page = 0; page < kPages; page += 16)
        if (page < 300 || page >= 400)
            if (page < 500 || page >= 610) area[page * kPage] = 1;
    EXPECT_FALSE(can_read(&area[300 * kPage]));
    EXPECT_FALSE(can_write(&area[399 * kPage]));
    EXPECT_FALSE(can_read(&area[505 * kPage]));
    EXPECT_TRUE(can_read(&area[605 * kPage]));
    EXPECT_FALSE(can_write(&area[605 * kPage]));
    EXPECT_TRUE(can_write(&area[400 * kPage]));
    EXPECT_TRUE(can_write(&area[610 * kPage]));
}

TEST(Paging, pages_that_were_given_up_come_back_empty)
{
    Mapping area(kSize);
    std::memset(area.data(), 7, kSize);
    for (size_t page = 3; page + 5 < kPages; page += 64)
        ASSERT_EQ(::madvise(&area[page * kPage], 5 * kPage, MADV_DONTNEED), 0);
    for (size_t page = 0; page < kPages; ++page) {
        bool given_up = page % 64 >= 3 && page % 64 < 8;
        ASSERT_EQ(area[page * kPage + 9], given_up ? 0 : 7) << "page " << page;
        area[page * kPage + 9] = 1;
    }
    ASSERT_EQ(::madvise(area.data(), kSize, MADV_DONTNEED), 0);
    expect_zero(area.data(), kSize);
}

TEST(Paging, an_area_mapped_over_another_is_empty)
{
    Mapping area(kSize);
    touch_scattered(area, 100);
    void* over
        = ::mmap(&area[100 * kPage], 200 * kPage, kReadWrite, MAP_FIXED | MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    ASSERT_EQ(over, &area[100 * kPage]);
    expect_zero(&area[100 * kPage], 200 * kPage);
    for (size_t n = 0; n < 100; ++n) {
        bool gone = nth(n) >= 100 && nth(n) < 300;
        ASSERT_EQ(area[nth(n) * kPage + n % kPage], gone ? 0 : mark(nth(n)));
    }
}

TEST(Paging, protection_taken_and_given_back_keeps_the_contents)
{
    Mapping area(kSize);
    touch_scattered(area, 300);
    ASSERT_EQ(::mprotect(&area[40 * kPage], 500 * kPage, PROT_READ), 0);
    EXPECT_FALSE(can_write(&area[41 * kPage]));
    expect_scattered(area, 300);
    ASSERT_EQ(::mprotect(&area[40 * kPage], 500 * kPage, kReadWrite), 0);
    touch_scattered(area, 600);
    expect_scattered(area, 600);
    ASSERT_EQ(::mprotect(area.data(), kSize, PROT_NONE), 0);
    EXPECT_FALSE(can_read(area.data()));
    ASSERT_EQ(::mprotect(area.data(), kSize, kReadWrite), 0);
    expect_scattered(area, 600);
}

TEST(Paging, moved_pages_keep_their_contents)
{
    Mapping area(kSize);
    touch_scattered(area, 300);
    char* moved = static_cast<char*>(::mremap(area.data(), kSize, 2 * kSize, MREMAP_MAYMOVE));
    ASSERT_NE(moved, MAP_FAILED);
    for (size_t n = 0; n < 300; ++n)
        ASSERT_EQ(moved[nth(n) * kPage + n % kPage], mark(nth(n)));
    expect_zero(moved + kSize, kSize);
    // The old place is free and, mapped again, empty.
    if (moved != area.data()) {
        void* again = ::mmap(area.data(), kSize, kReadWrite, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        expect_zero(static_cast<char*>(again), kSize);
        ::munmap(again, kSize);
    }
    ::munmap(moved, 2 * kSize);
}

TEST(Paging, both_sides_of_a_fork_write_for_themselves)
{
    Mapping area(kSize);
    touch_scattered(area, 400);
    for (int round = 0; round < 3; ++round) {
        Pipe go;
        pid_t child = start([&] {
            char byte;
            EXPECT_EQ(::read(go.read_end, &byte, 1), 1); // the parent has written
            expect_scattered(area, 400);
            std::memset(area.data(), 0x33, kSize);
            EXPECT_EQ(area[17 * kPage], 0x33);
        });
        for (size_t n = 0; n < 400; n += 2)
            area[nth(n) * kPage + n % kPage] = 0x44;
        EXPECT_EQ(::write(go.write_end, "", 1), 1);
        EXPECT_EQ(wait_for(child), exited(0));
        for (size_t n = 0; n < 400; ++n)
            ASSERT_EQ(area[nth(n) * kPage + n % kPage], n % 2 ? mark(nth(n)) : 0x44);
        touch_scattered(area, 400); // sole owner again
        expect_scattered(area, 400);
    }
}

TEST(Paging, a_child_sees_what_its_parent_had_at_the_fork)
{
    Mapping area(kSize);
    touch_scattered(area, 100);
    for (int generation = 0; generation < 3; ++generation) {
        pid_t child = start([&] {
            expect_scattered(area, 100);
            pid_t grandchild = start([&] { expect_scattered(area, 100); });
            touch_scattered(area, 500);
            EXPECT_EQ(wait_for(grandchild), exited(0));
            expect_scattered(area, 500);
        });
        EXPECT_EQ(wait_for(child), exited(0));
    }
}

/// The kernel writes to one page that the program cannot see at the moment, beside pages that it can.
TEST(Paging, the_kernel_writes_beside_pages_in_sight)
{
    Mapping area(kSize);
    std::memset(area.data(), 1, kSize);
    pid_t child = start([&] {
        ASSERT_EQ(::mprotect(area.data(), kSize, PROT_NONE), 0); // nothing is in sight
        ASSERT_EQ(::mprotect(area.data(), kSize, kReadWrite), 0);
        char* block = reinterpret_cast<char*>(
            (reinterpret_cast<uintptr_t>(area.data()) + (1 << 20)) & ~((1ul << 20) - 1));
        char* there = block + 250 * kPage;
        ASSERT_EQ(*there, 1);
        // Writes in a row, so that more and more is copied at once; the last of them is the kernel's.
        for (size_t page = 0; page < 128; ++page)
            block[page * kPage] = 2;
        Fd zero(::open("/dev/zero", O_RDONLY));
        ASSERT_EQ(::read(zero, block + 128 * kPage, 8), 8);
        ASSERT_EQ(::read(zero, there, 8), 8);
        EXPECT_EQ(*there, 0);
        EXPECT_EQ(block[128 * kPage], 0);
        EXPECT_EQ(block[249 * kPage], 1);
    });
    EXPECT_EQ(wait_for(child), exited(0));
    EXPECT_EQ(area[256 * kPage], 1);
}

TEST(Paging, the_kernel_fills_pages_before_the_program_does)
{
    Mapping area(kSize);
    Fd random(::open("/dev/zero", O_RDONLY));
    Pipe pipe;
    for (size_t n = 0; n < 64; ++n) {
        char byte = mark(nth(n));
        ASSERT_EQ(::write(pipe.write_end, &byte, 1), 1);
        ASSERT_EQ(::read(pipe.read_end, &area[nth(n) * kPage + n % kPage], 1), 1);
    }
    expect_scattered(area, 64);
    touch_scattered(area, 128);
    expect_scattered(area, 128);
}

struct Toucher {
    Mapping* area;
    size_t from;
};

void* touch_every_fourth(void* argument)
{
    auto& toucher = *static_cast<Toucher*>(argument);
    for (size_t n = toucher.from; n < kPages; n += 4)
        (*toucher.area)[nth(n) * kPage + toucher.from] = mark(nth(n));
    return nullptr;
}

TEST(Paging, threads_touch_the_same_blocks_at_once)
{
    for (int round = 0; round < 5; ++round) {
        Mapping area(kSize);
        std::vector<Toucher> touchers;
        for (size_t i = 0; i < 4; ++i)
            touchers.push_back({ &area, i });
        std::vector<pthread_t> threads(touchers.size());
        for (size_t i = 0; i < threads.size(); ++i)
            ASSERT_EQ(::pthread_create(&threads[i], nullptr, touch_every_fourth, &touchers[i]), 0);
        for (auto thread : threads)
            ::pthread_join(thread, nullptr);
        for (size_t n = 0; n < kPages; ++n) {
            ASSERT_EQ(area[nth(n) * kPage + n % 4], mark(nth(n)));
            area[nth(n) * kPage + n % 4] = 0;
        }
        expect_zero(area.data(), kSize);
    }
}

TEST(Paging, regions_come_and_go)
{
    for (int round = 0; round < 200; ++round) {
        Mapping area(kSize);
        ASSERT_EQ(area[nth(size_t(round)) * kPage], 0);
        touch_scattered(area, 20);
        expect_scattered(area, 20);
    }
}

} // namespace
} // namespace abi_test
