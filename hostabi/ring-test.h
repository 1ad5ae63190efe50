// SPDX-License-Identifier: GPL-2.0-or-later
// What the tests of the ring share. Each of them runs on both engines.
#pragma once

#include <atomic>
#include <cerrno>
#include <memory>
#include <string_view>

#include <gtest/gtest.h>
#include <unistd.h>

#include "hostabi/clock.h"
#include "hostabi/fd.h"
#include "hostabi/ring.h"

namespace umbra::hostabi {

constexpr i32 kPending = INT32_MIN;
constexpr Nanoseconds kMillisecond = 1'000'000;

struct Recorder final : Completion {
    void complete(i32 r) override
    {
        EXPECT_EQ(result, kPending) << "completed twice";
        result = r;
    }
    bool is_done() const { return result != kPending; }
    i32 result = kPending;
};

inline std::span<u8 const> bytes(std::string_view s)
{
    return { reinterpret_cast<u8 const*>(s.data()), s.size() };
}

/// Has a ring of the engine that is the test's parameter.
class RingTest : public testing::TestWithParam<RingEngine> {
protected:
    void SetUp() override
    {
        auto ring = Ring::create(GetParam());
        if (ring.is_error() && GetParam() == RingEngine::io_uring)
            GTEST_SKIP() << "this host refuses io_uring";
        ASSERT_TRUE(ring.ok()) << ring.error().value;
        ring_ = ring.release_value();
    }

    void finish(Recorder& r)
    {
        Nanoseconds const limit = monotonic_now() + 20 * kNanosecondsPerSecond;
        while (!r.is_done() && monotonic_now() < limit) {
            ring_->wait(limit);
            ring_->dispatch();
        }
        ASSERT_TRUE(r.is_done()) << "no completion came";
    }
    /// Lets the ring do all that it can do without anything happening outside.
    void settle()
    {
        for (int i = 0; i < 3; i++) {
            ring_->wait(0);
            ring_->dispatch();
        }
    }
    static OwnedFd memory_file(std::string_view content)
    {
        OwnedFd file = MUST(OwnedFd::memfd("ring-test")); // any host has memory for it
        EXPECT_EQ(::write(file.get(), content.data(), content.size()), static_cast<ssize_t>(content.size()));
        EXPECT_EQ(::lseek(file.get(), 0, SEEK_SET), 0);
        return file;
    }
    static PipeEnds make_pipe() { return MUST(OwnedFd::pipe()); } // the test has few descriptors

    Recorder left_over_;
    std::unique_ptr<Ring> ring_;
};

/// Blocks in read(2) of an empty pipe, as a host call may.
struct Blocker {
    PipeEnds pipe;
    std::atomic<bool> entered = false;

    static i32 call(void* argument)
    {
        auto& self = *static_cast<Blocker*>(argument);
        self.entered = true;
        char byte;
        ssize_t const n = ::read(self.pipe.reader.get(), &byte, 1);
        return n < 0 ? -errno : static_cast<i32>(n);
    }
};

inline auto const kBothEngines = testing::Values(RingEngine::io_uring, RingEngine::epoll);
inline std::string engine_name(testing::TestParamInfo<RingEngine> const& engine)
{
    return engine.param == RingEngine::io_uring ? "uring" : "epoll";
}

} // namespace umbra::hostabi
