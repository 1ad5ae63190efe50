// SPDX-License-Identifier: GPL-2.0-or-later
// A platform without a host, for unit tests of core: a guest is a C++ function that returns traps, memory is
// plain memory, time is what the test says. Deterministic with one vCPU.
#pragma once

#include <array>
#include <atomic>
#include <condition_variable>
#include <deque>
#include <map>
#include <mutex>
#include <optional>
#include <vector>

#include "core/platform/own-memory.h"
#include "core/platform/platform.h"

namespace umbra::platform::fake {

class FakePlatform;
class FakeAddressSpace;
class FakeGuestThread;

/// What a fake guest does from one entry to the next trap.
using Program = std::function<Trap(FakeGuestThread&)>;

class FakeBank final : public Bank {
public:
    FakeBank(u64 size, i32 handle);

    u8* data() override { return data_; }
    u64 size() const override { return size_; }
    HostHandle handle() const override { return HostHandle(handle_); }
    void discard(u64 offset, u64 length) override;
    Result<void> populate(u64 offset, u64 length) override;

    u64 populated = 0; ///< bytes, counting each call
    u64 discarded = 0;
    std::optional<Errno> fail_populate; ///< every populate() fails with this

private:
    struct Free {
        void operator()(void* p) const;
    };
    std::unique_ptr<void, Free> memory_;
    u8* data_;
    u64 size_;
    i32 handle_;
};

class FakeGuestThread final : public GuestThread {
public:
    FakeGuestThread(FakeAddressSpace& space, i32 id);
    ~FakeGuestThread() override;

    Trap enter(VcpuContext& ctx) override;
    void set_syscall_result(u64 value) override { state.rax = value; }
    Registers* registers(VcpuContext&) override { return dead ? nullptr : &state; }
    std::span<u8> fp_state(VcpuContext&) override
    {
        return dead ? std::span<u8> {} : std::span<u8>(fp_image);
    }
    void reset_fp_state(VcpuContext&) override;
    Result<void> copy_state(VcpuContext& ctx, GuestThread& from) override;
    void set_single_step(bool on) override { single_step = on; }
    Result<void> set_time_stamp_counter(VcpuContext&, bool readable) override
    {
        time_stamp_counter_readable = readable;
        return {};
    }
    i32 host_id() const override { return id_; }

    FakeAddressSpace& space() { return space_; }

    /// A syscall trap as the platform would give it: registers included.
    Trap syscall(i64 number, std::initializer_list<u64> args = {});
    /// The fault that an access of the guest's would cause, or nothing.
    std::optional<Trap> touch(GuestAddr address, Protection access) const;
    /// Guest loads and stores; a fault on the first byte that is not accessible.
    std::optional<Trap> load(GuestAddr from, std::span<u8> to) const;
    std::optional<Trap> store(GuestAddr to, std::span<u8 const> from);

    Program program; ///< empty: the platform's default program
    Registers state {};
    std::vector<u8> fp_image;
    bool time_stamp_counter_readable = true;
    bool single_step = false;
    bool dead = false;
    VcpuContext* context = nullptr; ///< while the program runs

private:
    FakeAddressSpace& space_;
    i32 id_;
};

class FakeAddressSpace final : public AddressSpace {
public:
    FakeAddressSpace(FakePlatform& platform, i32 id)
        : platform_(platform)
        , id_(id)
    {
    }
    ~FakeAddressSpace() override;

    Result<void> map(VcpuContext& ctx, std::span<Mapping const> batch) override;
    Result<void> unmap(VcpuContext& ctx, std::span<Range const> batch) override;
    Result<void> protect(VcpuContext& ctx, std::span<ProtectRange const> batch) override;
    Result<std::unique_ptr<GuestThread>> create_thread(VcpuContext& ctx) override;
    i32 host_pid() const override { return id_; }

    FakePlatform& platform() { return platform_; }
    /// The mapping that a guest sees at the address, cut to nothing: as it was made, or null.
    Mapping const* find(GuestAddr address) const;
    /// The byte that a guest sees there, or null: nothing mapped, or not from a bank.
    u8* at(GuestAddr address) const;
    u64 mapped_bytes() const;
    std::map<u64, Mapping> const& mappings() const { return mappings_; } ///< by start

    u64 batches = 0; ///< calls of map, unmap and protect
    std::optional<Errno> fail_next; ///< the next of them fails with this

private:
    void cut(GuestAddr start, u64 length);
    void split(u64 address);
    Result<void> begin();

    FakePlatform& platform_;
    i32 id_;
    std::map<u64, Mapping> mappings_;
    i32 next_thread_ = 1;
    int threads_ = 0;
    friend class FakeGuestThread;
};

class FakePort final : public VcpuPort {
public:
    explicit FakePort(FakePlatform& platform)
        : platform_(platform)
    {
    }
    /// With a deadline, time jumps there at once; without, waits for wake() or post().
    void wait(Nanoseconds deadline) override;
    void wait_for_wake() override;
    void dispatch() override;
    void wake() override;
    /// A completion, as a driver would bring one: runs in dispatch().
    void post(std::function<void()> completion);

private:
    FakePlatform& platform_;
    std::mutex mutex_;
    std::condition_variable condition_;
    bool woken_ = false;
    std::deque<std::function<void()>> posted_;
};

/// A VcpuContext for tests that use the platform without core's scheduler.
class FakeVcpu final : public VcpuContext {
public:
    explicit FakeVcpu(VcpuPort& port)
        : port_(port)
    {
    }
    void wait(Nanoseconds deadline) override
    {
        port_.wait(deadline);
        port_.dispatch();
    }
    bool attention() const override { return wanted; }
    Nanoseconds attention_deadline() const override { return kNever; }
    VcpuPort& port() override { return port_; }

    bool wanted = false;

private:
    VcpuPort& port_;
};

class FakePlatform final : public Platform, public OwnMemory {
public:
    explicit FakePlatform(unsigned vcpus = 1);
    ~FakePlatform() override;

    MachineInfo const& machine() const override { return machine_; }
    unsigned vcpu_count() const override { return static_cast<unsigned>(ports_.size()); }
    FakePort& vcpu(unsigned index) override { return *ports_[index]; }
    void run_vcpus(std::function<void(unsigned)> entry) override;
    Result<std::unique_ptr<Bank>> create_bank(u64 size) override;
    Result<std::unique_ptr<AddressSpace>> create_address_space(VcpuContext& ctx) override;
    Nanoseconds now(HostClock clock) override { return clocks_[static_cast<unsigned>(clock)].load(); }
    void random_bytes(std::span<u8> out) override;
    void discard_pages(void* start, u64 length) override;
    std::span<u8 const> vdso_image() override { return vdso; }
    void* allocate_stack(u64 size) override;
    void free_stack(void* base, u64 size) override;

    void set_clock(HostClock clock, Nanoseconds value) { clocks_[static_cast<unsigned>(clock)] = value; }
    /// Lets time pass on all clocks.
    void advance(Nanoseconds by);
    FakeBank* bank(HostHandle handle) const;

    Program default_program; ///< of threads that have none; without it they die
    std::vector<u8> vdso;
    std::optional<Errno> fail_next_address_space;
    std::optional<Errno> fail_next_thread;
    u64 discarded = 0; ///< bytes, by discard_pages()
    int live_address_spaces = 0;
    int live_stacks = 0;

private:
    MachineInfo machine_;
    std::vector<std::unique_ptr<FakePort>> ports_;
    std::array<std::atomic<Nanoseconds>, 6> clocks_;
    std::map<i32, FakeBank*> banks_; ///< by handle; a bank lives at most as long as the platform
    i32 next_id_ = 1000;
    u64 random_ = 0x9e3779b97f4a7c15;
};

} // namespace umbra::platform::fake
