// SPDX-License-Identifier: GPL-2.0-or-later
// Banks, ports, clocks and vCPUs of the fake platform; see fake-platform.h.
#include "core/platform/fake/fake-platform.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <thread>

#include "core/base/panic.h"

namespace umbra::platform::fake {

namespace {
constexpr u64 kTaskSize = 0x7ffe00000000;
constexpr u32 kXsaveSize = 512 + 64 + 4; // legacy area, header, magic2
constexpr Nanoseconds kStartOfTime = 1'700'000'000 * kNanosecondsPerSecond;
} // namespace

void FakeBank::Free::operator()(void* p) const { std::free(p); }

FakeBank::FakeBank(u64 size, i32 handle)
    : memory_(std::calloc(size + kPageSize, 1)) // large and untouched: costs nothing
    , size_(size)
    , handle_(handle)
{
    UMBRA_ASSERT(memory_);
    data_ = reinterpret_cast<u8*>(page_up(reinterpret_cast<u64>(memory_.get())));
}

void FakeBank::discard(u64 offset, u64 length)
{
    UMBRA_ASSERT(offset + length <= size_);
    std::memset(data_ + offset, 0, length);
    discarded += length;
}

Result<void> FakeBank::populate(u64 offset, u64 length)
{
    UMBRA_ASSERT(offset + length <= size_);
    if (fail_populate) return *fail_populate;
    populated += length;
    return {};
}

void FakePort::wait(Nanoseconds deadline)
{
    std::unique_lock lock(mutex_);
    if (!woken_ && posted_.empty()) {
        if (deadline == kNever) {
            condition_.wait(lock, [this] { return woken_ || !posted_.empty(); });
        } else {
            Nanoseconds const left = deadline - platform_.now(HostClock::monotonic);
            if (left > 0) platform_.advance(left);
        }
    }
    woken_ = false;
}

void FakePort::wait_for_wake()
{
    std::unique_lock lock(mutex_);
    condition_.wait(lock, [this] { return woken_; });
    woken_ = false;
}

void FakePort::dispatch()
{
    for (;;) {
        std::function<void()> next;
        {
            std::lock_guard lock(mutex_);
            if (posted_.empty()) return;
            next = std::move(posted_.front());
            posted_.pop_front();
        }
        next();
    }
}

void FakePort::wake()
{
    std::lock_guard lock(mutex_);
    woken_ = true;
    condition_.notify_one();
}

void FakePort::post(std::function<void()> completion)
{
    std::lock_guard lock(mutex_);
    posted_.push_back(std::move(completion));
    condition_.notify_one();
}

FakePlatform::FakePlatform(unsigned vcpus)
{
    machine_ = { .task_size = kTaskSize,
        .hwcap = 0,
        .hwcap2 = 0,
        .xsave_size = kXsaveSize,
        .min_address = 65536,
        .backend = "fake",
        .cpuinfo_model = "Fake CPU",
        .host_cpuinfo = "processor\t: 0\nmodel name\t: Fake CPU\n" };
    for (unsigned i = 0; i < vcpus; ++i)
        ports_.push_back(std::make_unique<FakePort>(*this));
    for (auto& clock : clocks_)
        clock = kNanosecondsPerSecond;
    set_clock(HostClock::realtime, kStartOfTime);
}

FakePlatform::~FakePlatform() = default;

void FakePlatform::run_vcpus(std::function<void(unsigned)> entry)
{
    std::vector<std::thread> others;
    for (unsigned i = 1; i < vcpu_count(); ++i)
        others.emplace_back(entry, i);
    entry(0);
    for (auto& thread : others)
        thread.join();
}

Result<std::unique_ptr<Bank>> FakePlatform::create_bank(u64 size)
{
    auto bank = std::make_unique<FakeBank>(page_up(size), next_id_++);
    banks_[bank->handle().value] = bank.get();
    return std::unique_ptr<Bank>(std::move(bank));
}

FakeBank* FakePlatform::bank(HostHandle handle) const
{
    auto const it = banks_.find(handle.value);
    return it == banks_.end() ? nullptr : it->second;
}

Result<std::unique_ptr<AddressSpace>> FakePlatform::create_address_space(VcpuContext&)
{
    if (fail_next_address_space) return *std::exchange(fail_next_address_space, {});
    ++live_address_spaces;
    return std::unique_ptr<AddressSpace>(std::make_unique<FakeAddressSpace>(*this, next_id_++));
}

void FakePlatform::random_bytes(std::span<u8> out)
{
    for (u8& byte : out) { // xorshift64: the same numbers in every run
        random_ ^= random_ << 13;
        random_ ^= random_ >> 7;
        random_ ^= random_ << 17;
        byte = static_cast<u8>(random_ >> 32);
    }
}

void FakePlatform::discard_pages(void* start, u64 length)
{
    UMBRA_ASSERT(reinterpret_cast<u64>(start) % kPageSize == 0 && length % kPageSize == 0);
    std::memset(start, 0, length);
    discarded += length;
}

void FakePlatform::advance(Nanoseconds by)
{
    for (auto& clock : clocks_)
        clock += by;
}

void* FakePlatform::allocate_stack(u64 size)
{
    ++live_stacks;
    return std::aligned_alloc(size, size);
}

void FakePlatform::free_stack(void* base, u64)
{
    --live_stacks;
    std::free(base);
}

} // namespace umbra::platform::fake
