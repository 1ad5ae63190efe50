// SPDX-License-Identifier: GPL-2.0-or-later
// Faults and CPU exceptions: what kind, where, and that the guest can go on.
#include "tests/platform/backends.h"
#include "tests/platform/harness.h"

#include <signal.h>
#include <sys/syscall.h>
#include <ucontext.h>

namespace umbra::test {
namespace {

constexpr u64 kNowhere = 0x10000000;

class Faults : public PlatformTest {
protected:
    void expect_fault(Trap const& trap, u64 address, Protection access)
    {
        EXPECT_EQ(trap.kind, TrapKind::fault);
        EXPECT_EQ(trap.address.value, address);
        EXPECT_EQ(trap.access, access);
        EXPECT_EQ(trap.vector, 14);
        EXPECT_EQ(trap.host_code, 0);
    }
    void expect_exception(Code const& code, u8 vector, i32 host_code, u64 offset)
    {
        auto guest = make_guest(code);
        Trap const trap = enter(*guest);
        EXPECT_EQ(trap.kind, TrapKind::exception);
        EXPECT_EQ(trap.vector, vector);
        EXPECT_EQ(trap.host_code, host_code);
        EXPECT_EQ(trap.address.value, kCodeAt + offset);
        EXPECT_EQ(registers(*guest).rip, kCodeAt + offset);
        EXPECT_EQ(registers(*guest).orig_rax, platform::kNoSyscall);
    }
};

TEST_P(Faults, read_of_nothing)
{
    auto guest = make_guest(Code().load_rax_from(kNowhere + 24).store_rax_to(kDataAt).syscall(SYS_exit));
    expect_fault(enter(*guest), kNowhere + 24, Protection::read);
    EXPECT_EQ(registers(*guest).rip, kCodeAt + 10);
    u64 const offset = new_frame();
    put_word(offset + 24, 4711);
    map(*guest, kNowhere, offset, Protection::read);
    expect_syscall(enter(*guest), SYS_exit); // the access was made again
    EXPECT_EQ(word(guest->data_offset), 4711u);
}

TEST_P(Faults, write_to_nothing_and_to_read_only)
{
    auto guest = make_guest(Code().mov_rax(99).store_rax_to(kNowhere + 8).syscall(SYS_exit));
    expect_fault(enter(*guest), kNowhere + 8, Protection::write);
    u64 const offset = new_frame();
    map(*guest, kNowhere, offset, Protection::read);
    expect_fault(enter(*guest), kNowhere + 8, Protection::write);
    platform::ProtectRange const writable { GuestAddr(kNowhere), kPageSize,
        Protection::read | Protection::write };
    ASSERT_TRUE(guest->space->protect(*vcpu, { &writable, 1 }).ok());
    expect_syscall(enter(*guest), SYS_exit);
    EXPECT_EQ(word(offset + 8), 99u);
}

TEST_P(Faults, execution_of_nothing_and_of_data)
{
    auto guest = make_guest(Code().jump_to(kNowhere));
    expect_fault(enter(*guest), kNowhere, Protection::execute);
    EXPECT_EQ(registers(*guest).rip, kNowhere);
    registers(*guest).rip = kDataAt;
    expect_fault(enter(*guest), kDataAt, Protection::execute);
}

TEST_P(Faults, access_to_the_stub_zone_and_to_the_kernel_half)
{
    u64 const last_page = platform->machine().task_size - kPageSize;
    auto guest = make_guest(Code().load_rax_from(last_page).load_rax_from(0xffff800000000000));
    expect_fault(enter(*guest), last_page, Protection::read);
    registers(*guest).rip += 3;
    EXPECT_EQ(enter(*guest).kind, TrapKind::fault);
    EXPECT_EQ(registers(*guest).rip, kCodeAt + 13 + 10);
}

TEST_P(Faults, behind_the_end_of_a_source)
{
    auto small = platform->create_bank(kPageSize);
    ASSERT_TRUE(small.ok());
    auto guest = make_guest(Code().load_rax_from(kNowhere + kPageSize));
    platform::Mapping const mapping { GuestAddr(kNowhere), 2 * kPageSize, Protection::read,
        small.value()->handle(), 0 };
    ASSERT_TRUE(guest->space->map(*vcpu, { &mapping, 1 }).ok());
    Trap const trap = enter(*guest);
    EXPECT_EQ(trap.kind, TrapKind::fault);
    EXPECT_EQ(trap.address.value, kNowhere + kPageSize);
    EXPECT_EQ(trap.host_code, BUS_ADRERR);
}

extern "C" char const int1_of_the_host[];

/// How far behind an int1 its signal says that it happened: a CPU says 1, some that are virtual 0.
[[gnu::noinline]] u64 host_offset_of_int1() // inlined twice, its label would be defined twice
{
    static u64 seen;
    struct sigaction action {
    }, before {};
    action.sa_sigaction = [](int, siginfo_t*, void* context) {
        auto& rip = static_cast<ucontext_t*>(context)->uc_mcontext.gregs[REG_RIP];
        seen = static_cast<u64>(rip) - reinterpret_cast<u64>(int1_of_the_host);
        rip = static_cast<greg_t>(reinterpret_cast<u64>(int1_of_the_host) + 1);
    };
    action.sa_flags = SA_SIGINFO;
    sigaction(SIGTRAP, &action, &before);
    asm volatile("int1_of_the_host: .byte 0xf1" : : : "memory");
    sigaction(SIGTRAP, &before, nullptr);
    return seen;
}

TEST_P(Faults, exceptions)
{
    expect_exception(Code().raw({ 0x0f, 0x0b }), 6, ILL_ILLOPN, 0); // ud2
    expect_exception(Code().raw({ 0x90, 0xcc }), 3, SI_KERNEL, 2); // int3: behind it
    expect_exception(Code().raw({ 0x31, 0xc9, 0xf7, 0xf1 }), 0, FPE_INTDIV, 2); // xor ecx, ecx; div ecx
    expect_exception(Code().raw({ 0xf4 }), 13, SI_KERNEL, 0); // hlt
    expect_exception(
        Code().mov_rax(1ull << 63).raw({ 0x48, 0x8b, 0x00 }), 13, SI_KERNEL, 10); // not canonical
    expect_exception(Code().raw({ 0xf1 }), 1, TRAP_BRKPT, host_offset_of_int1()); // int1
}

TEST_P(Faults, single_step)
{
    Code code;
    code.raw({ 0x90, 0x90 }).syscall(SYS_getpid).raw({ 0x90 }).syscall(SYS_exit);
    auto guest = make_guest(code);
    guest->thread->set_single_step(true);
    for (u64 offset : { 1, 2, 12 }) {
        Trap const trap = enter(*guest);
        ASSERT_EQ(trap.kind, TrapKind::exception);
        EXPECT_EQ(trap.vector, 1);
        EXPECT_EQ(trap.host_code, TRAP_TRACE);
        EXPECT_EQ(registers(*guest).rip, kCodeAt + offset);
        EXPECT_EQ(registers(*guest).eflags & 0x100, 0u) << "the flag is the platform's";
    }
    expect_syscall(enter(*guest), SYS_getpid);
    Trap const after_call = enter(*guest); // as on Linux: one step after the call returned
    EXPECT_EQ(after_call.vector, 1);
    EXPECT_GE(registers(*guest).rip, kCodeAt + 14);
    guest->thread->set_single_step(false);
    expect_syscall(enter(*guest), SYS_exit);
}

TEST_P(Faults, exception_can_be_skipped)
{
    auto guest = make_guest(Code().raw({ 0x0f, 0x0b }).syscall(SYS_exit));
    EXPECT_EQ(enter(*guest).vector, 6);
    registers(*guest).rip += 2;
    expect_syscall(enter(*guest), SYS_exit);
}

INSTANTIATE_TEST_SUITE_P(, Faults, kAllBackends, backend_name);

} // namespace
} // namespace umbra::test
