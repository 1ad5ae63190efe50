// SPDX-License-Identifier: GPL-2.0-or-later
// The userfaultfd wrappers, on this process's own memory.
#include "hostabi/userfaultfd.h"

#include <cerrno>
#include <cstring>
#include <thread>

#include <fcntl.h>
#include <gtest/gtest.h>
#include <linux/userfaultfd.h>
#include <poll.h>
#include <sys/mman.h>

#include "hostabi/memory.h"

namespace umbra::hostabi {
namespace {

class UserfaultTest : public testing::Test {
protected:
    void SetUp() override
    {
        auto fd = OwnedFd::userfaultfd(UFFD_USER_MODE_ONLY | O_NONBLOCK);
        if (fd.is_error()) GTEST_SKIP() << "this host gives no userfaultfd";
        fd_ = fd.release_value();
    }
    uffd_msg next_event()
    {
        pollfd state { fd_.get(), POLLIN, 0 };
        EXPECT_EQ(::poll(&state, 1, -1), 1);
        uffd_msg message {};
        EXPECT_TRUE(userfault::read_event(fd_.get(), message).ok());
        return message;
    }
    OwnedFd fd_;
};

TEST_F(UserfaultTest, OffersFeatures)
{
    u64 const features = userfault::offered_features(fd_.get()).value();
    EXPECT_NE(features, 0u);
    uffd_msg message;
    EXPECT_TRUE(userfault::read_event(fd_.get(), message).is_error()); // not enabled, or nothing there
}

TEST_F(UserfaultTest, MinorFaultsAreContinued)
{
    if (userfault::enable(fd_.get(), UFFD_FEATURE_MINOR_SHMEM).is_error()) GTEST_SKIP() << "no minor faults";
    constexpr u64 kSize = 16 * kPageSize;
    MemoryBank bank = MemoryBank::create("test", kSize).release_value();
    ASSERT_TRUE(bank.populate(0, kSize).ok());
    std::memset(bank.data(), 9, kSize);
    OwnedMapping window = OwnedMapping::shared(bank.fd(), 0, kSize, PROT_READ | PROT_WRITE).release_value();
    u64 const start = reinterpret_cast<u64>(window.data());
    ASSERT_TRUE(userfault::register_range(fd_.get(), start, kSize, UFFDIO_REGISTER_MODE_MINOR).ok());
    int sum = 0;
    std::thread toucher([&] {
        auto const* p = static_cast<u8 const volatile*>(window.data());
        sum = p[5 * kPageSize] + p[0] + p[15 * kPageSize];
    });
    uffd_msg const message = next_event();
    EXPECT_EQ(message.event, UFFD_EVENT_PAGEFAULT);
    EXPECT_TRUE(message.arg.pagefault.flags & UFFD_PAGEFAULT_FLAG_MINOR);
    EXPECT_EQ(page_down(message.arg.pagefault.address), start + 5 * kPageSize);
    // One page first, then all: what is there already is passed over.
    ASSERT_TRUE(
        userfault::continue_range(fd_.get(), start + 2 * kPageSize, kPageSize, userfault::Wake::no).ok());
    ASSERT_TRUE(userfault::continue_range(fd_.get(), start, kSize).ok());
    toucher.join();
    EXPECT_EQ(sum, 27);
    EXPECT_TRUE(userfault::unregister_range(fd_.get(), start, kSize).ok());
    EXPECT_EQ(userfault::continue_range(fd_.get(), start, kSize).error().value, ENOENT);
}

TEST_F(UserfaultTest, MissingPagesAreFilled)
{
    ASSERT_TRUE(userfault::enable(fd_.get(), 0).ok());
    OwnedMapping memory = OwnedMapping::anonymous(4 * kPageSize, PROT_READ | PROT_WRITE).release_value();
    u64 const start = reinterpret_cast<u64>(memory.data());
    ASSERT_TRUE(
        userfault::register_range(fd_.get(), start, 4 * kPageSize, UFFDIO_REGISTER_MODE_MISSING).ok());
    alignas(4096) static u8 source[kPageSize];
    std::memset(source, 3, sizeof source);
    ASSERT_TRUE(userfault::copy_range(fd_.get(), start, source, kPageSize).ok());
    EXPECT_EQ(userfault::copy_range(fd_.get(), start, source, kPageSize).error().value, EEXIST);
    ASSERT_TRUE(userfault::zero_range(fd_.get(), start + kPageSize, 3 * kPageSize).ok());
    EXPECT_EQ(memory.data()[17], 3);
    EXPECT_EQ(memory.data()[3 * kPageSize], 0);
    EXPECT_TRUE(userfault::wake_range(fd_.get(), start, kPageSize).ok());
}

TEST_F(UserfaultTest, WriteProtection)
{
    if (userfault::enable(fd_.get(), UFFD_FEATURE_PAGEFAULT_FLAG_WP).is_error())
        GTEST_SKIP() << "no write protection";
    OwnedMapping memory = OwnedMapping::anonymous(kPageSize, PROT_READ | PROT_WRITE).release_value();
    u64 const start = reinterpret_cast<u64>(memory.data());
    memory.data()[0] = 1;
    ASSERT_TRUE(userfault::register_range(fd_.get(), start, kPageSize, UFFDIO_REGISTER_MODE_WP).ok());
    ASSERT_TRUE(userfault::write_protect_range(fd_.get(), start, kPageSize).ok());
    EXPECT_EQ(memory.data()[0], 1);
    std::thread writer([&] { *static_cast<u8 volatile*>(memory.data()) = 2; });
    EXPECT_TRUE(next_event().arg.pagefault.flags & UFFD_PAGEFAULT_FLAG_WP);
    EXPECT_EQ(memory.data()[0], 1);
    ASSERT_TRUE(userfault::allow_write_range(fd_.get(), start, kPageSize).ok());
    writer.join();
    EXPECT_EQ(memory.data()[0], 2);
}

} // namespace
} // namespace umbra::hostabi
