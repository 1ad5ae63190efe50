// SPDX-License-Identifier: GPL-2.0-or-later
// What the contract tests of core/platform share: a platform of each backend, a vCPU that stands in for
// core's scheduler, and tiny guest programs of hand-made machine code.
#pragma once

#include <atomic>
#include <initializer_list>
#include <mutex>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "arch-um/common/um-platform.h"
#include "core/platform/platform.h"

namespace umbra::test {

/// A vCPU as core's scheduler would be one, with a mutex as the kernel lock.
class TestVcpu final : public platform::VcpuContext {
public:
    TestVcpu(std::mutex& kernel_lock, platform::VcpuPort& port)
        : lock_(kernel_lock)
        , port_(port)
    {
    }
    void wait(Nanoseconds deadline) override;
    bool attention() const override { return attention_requested.load(); }
    Nanoseconds attention_deadline() const override { return slice_end; }
    platform::VcpuPort& port() override { return port_; }

    /// As core does it from another vCPU.
    void request_attention()
    {
        attention_requested = true;
        port_.wake();
    }

    std::atomic<bool> attention_requested = false;
    Nanoseconds slice_end = kNever;

private:
    std::mutex& lock_;
    platform::VcpuPort& port_;
};

/// Bytes of x86-64 code, put together by hand.
struct Code {
    std::vector<u8> bytes;
    Code& raw(std::initializer_list<int> values);
    Code& mov_rax(u64 value);
    Code& mov_rdi(u64 value);
    Code& mov_rsi(u64 value);
    Code& mov_rdx(u64 value);
    Code& mov_r10(u64 value);
    Code& mov_r8(u64 value);
    Code& mov_r9(u64 value);
    Code& mov_rsp(u64 value);
    Code& syscall();
    Code& syscall(u64 number);
    Code& load_rax_from(u64 address); ///< through rcx
    Code& store_rax_to(u64 address); ///< through rcx
    Code& jump_to(u64 address); ///< through r11
    Code& loop_forever();

private:
    Code& mov(std::initializer_list<int> opcode, u64 value);
};

constexpr u64 kCodeAt = 0x400000;
constexpr u64 kDataAt = 0x500000;
constexpr u64 kStackAt = 0x600000; ///< one page
constexpr u64 kStackTop = kStackAt + kPageSize;

/// A guest process with one thread, a page of code, a page of data and a page of stack.
struct Guest {
    std::unique_ptr<platform::AddressSpace> space;
    std::unique_ptr<platform::GuestThread> thread;
    u64 code_offset = 0, data_offset = 0, stack_offset = 0;

    ~Guest()
    {
        thread.reset(); // before its space
        space.reset();
    }
};

class PlatformTest : public testing::TestWithParam<char const*> {
protected:
    void SetUp() override { start(1); }
    void start(unsigned vcpus);

    /// A page of the bank that nobody else uses; its offset.
    u64 new_frame();
    u8* frame(u64 offset) { return bank->data() + offset; }
    u64 word(u64 offset) const;
    void put_word(u64 offset, u64 value);

    /// Throws where the platform refuses, which ends this test and leaves the others.
    std::unique_ptr<Guest> make_guest(Code const& code);
    std::unique_ptr<platform::GuestThread> make_thread(Guest& guest, Code const& code);
    void write_code(Guest& guest, Code const& code);
    void map(Guest& guest, u64 address, u64 offset, platform::Protection protection);
    platform::Trap enter(Guest& guest) { return guest.thread->enter(*vcpu); }
    platform::Registers& registers(Guest& guest);
    void expect_syscall(platform::Trap const& trap, i64 number);

    std::mutex kernel_lock;
    std::unique_lock<std::mutex> held { kernel_lock };
    std::unique_ptr<um::UmPlatform> platform;
    std::unique_ptr<TestVcpu> vcpu;
    std::unique_ptr<platform::Bank> bank;
    u64 next_frame = 0;
};

using platform::Protection;
using platform::Trap;
using platform::TrapKind;

} // namespace umbra::test
