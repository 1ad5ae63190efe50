// SPDX-License-Identifier: GPL-2.0-or-later
// See harness.h.
#include "tests/platform/harness.h"

#include <cstring>
#include <stdexcept>

#include "arch-um/common/make-platform.h"
#include "hostabi/probe.h"

namespace umbra::test {

void TestVcpu::wait(Nanoseconds deadline)
{
    lock_.unlock();
    port_.wait(deadline);
    lock_.lock();
    port_.dispatch();
}

Code& Code::raw(std::initializer_list<int> values)
{
    for (int v : values)
        bytes.push_back(static_cast<u8>(v));
    return *this;
}

Code& Code::mov(std::initializer_list<int> opcode, u64 value)
{
    raw(opcode);
    for (int i = 0; i < 8; ++i)
        bytes.push_back(static_cast<u8>(value >> (8 * i)));
    return *this;
}

Code& Code::mov_rax(u64 value) { return mov({ 0x48, 0xb8 }, value); }
Code& Code::mov_rdi(u64 value) { return mov({ 0x48, 0xbf }, value); }
Code& Code::mov_rsi(u64 value) { return mov({ 0x48, 0xbe }, value); }
Code& Code::mov_rdx(u64 value) { return mov({ 0x48, 0xba }, value); }
Code& Code::mov_r10(u64 value) { return mov({ 0x49, 0xba }, value); }
Code& Code::mov_r8(u64 value) { return mov({ 0x49, 0xb8 }, value); }
Code& Code::mov_r9(u64 value) { return mov({ 0x49, 0xb9 }, value); }
Code& Code::mov_rsp(u64 value) { return mov({ 0x48, 0xbc }, value); }
Code& Code::syscall() { return raw({ 0x0f, 0x05 }); }
Code& Code::syscall(u64 number) { return mov_rax(number).syscall(); }
Code& Code::load_rax_from(u64 address) { return mov({ 0x48, 0xb9 }, address).raw({ 0x48, 0x8b, 0x01 }); }
Code& Code::store_rax_to(u64 address) { return mov({ 0x48, 0xb9 }, address).raw({ 0x48, 0x89, 0x01 }); }
Code& Code::jump_to(u64 address) { return mov({ 0x49, 0xbb }, address).raw({ 0x41, 0xff, 0xe3 }); }
Code& Code::loop_forever() { return raw({ 0xeb, 0xfe }); }

void PlatformTest::start(unsigned vcpus)
{
    bank.reset();
    vcpu.reset();
    platform.reset();
    std::string const name = GetParam();
    std::string problem;
    static auto const features = hostabi::HostFeatures::probe_quick();
    auto options = um::PlatformOptions::for_host(features);
    options.backend = name.starts_with("ptrace") ? um::Backend::ptrace : um::Backend::seccomp;
    options.vcpus = vcpus;
    if (name.ends_with("old_host")) {
        options.ring = hostabi::RingEngine::epoll;
        options.userfault = options.fsgsbase = options.killable_notifications = options.synchronous_wake_up
            = false;
    }
    platform = um::make_platform(options, problem);
    ASSERT_TRUE(platform) << problem;
    vcpu = std::make_unique<TestVcpu>(kernel_lock, platform->vcpu(0));
    auto made = platform->create_bank(64 << 20);
    ASSERT_TRUE(made.ok());
    bank = std::move(made).release_value();
    next_frame = 0;
}

u64 PlatformTest::new_frame()
{
    u64 const offset = next_frame;
    next_frame += kPageSize;
    return offset;
}

u64 PlatformTest::word(u64 offset) const
{
    u64 value;
    std::memcpy(&value, bank->data() + offset, sizeof value);
    return value;
}

void PlatformTest::put_word(u64 offset, u64 value) { std::memcpy(frame(offset), &value, sizeof value); }

void PlatformTest::map(Guest& guest, u64 address, u64 offset, Protection protection)
{
    platform::Mapping const mapping { GuestAddr(address), kPageSize, protection, bank->handle(), offset };
    ASSERT_TRUE(guest.space->map(*vcpu, { &mapping, 1 }).ok());
}

void PlatformTest::write_code(Guest& guest, Code const& code)
{
    ASSERT_LE(code.bytes.size(), kPageSize);
    std::memcpy(frame(guest.code_offset), code.bytes.data(), code.bytes.size());
}

std::unique_ptr<Guest> PlatformTest::make_guest(Code const& code)
{
    auto guest = std::make_unique<Guest>();
    auto space = platform->create_address_space(*vcpu);
    if (space.is_error()) throw std::runtime_error("no address space");
    guest->space = std::move(space).release_value();
    guest->code_offset = new_frame();
    guest->data_offset = new_frame();
    guest->stack_offset = new_frame();
    write_code(*guest, code);
    map(*guest, kCodeAt, guest->code_offset, Protection::read | Protection::execute);
    map(*guest, kDataAt, guest->data_offset, Protection::read | Protection::write);
    map(*guest, kStackAt, guest->stack_offset, Protection::read | Protection::write);
    auto thread = guest->space->create_thread(*vcpu);
    if (thread.is_error()) throw std::runtime_error("no guest thread");
    guest->thread = std::move(thread).release_value();
    auto& r = registers(*guest);
    r.rip = kCodeAt;
    r.rsp = kStackTop;
    return guest;
}

platform::Registers& PlatformTest::registers(Guest& guest)
{
    auto* r = guest.thread->registers(*vcpu);
    if (!r) {
        ADD_FAILURE() << "the guest thread has died";
        static platform::Registers none;
        return none;
    }
    return *r;
}

void PlatformTest::expect_syscall(Trap const& trap, i64 number)
{
    EXPECT_EQ(trap.kind, TrapKind::syscall);
    EXPECT_EQ(trap.number, number);
    EXPECT_FALSE(trap.compat);
}

} // namespace umbra::test
