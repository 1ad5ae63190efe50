// SPDX-License-Identifier: GPL-2.0-or-later
// Getting the vCPU back from a guest that does not trap by itself.
#include "tests/platform/backends.h"
#include "tests/platform/harness.h"

#include <thread>

#include <signal.h>
#include <sys/syscall.h>

namespace umbra::test {
namespace {

class Attention : public PlatformTest { };

/// Counts in the data page: inc qword [rcx]; jmp.
Code counting() { return Code().store_rax_to(kDataAt).raw({ 0x48, 0xff, 0x01, 0xeb, 0xfb }); }

TEST_P(Attention, interrupts_a_spinning_guest)
{
    auto guest = make_guest(counting());
    std::thread other([&] {
        // Once the guest spins, and not by time.
        while (std::atomic_ref(*reinterpret_cast<u64*>(frame(guest->data_offset))).load() < 1000)
            std::this_thread::yield();
        vcpu->request_attention();
    });
    EXPECT_EQ(enter(*guest).kind, TrapKind::interrupted);
    other.join();
    EXPECT_EQ(registers(*guest).rcx, kDataAt);
    EXPECT_EQ(registers(*guest).orig_rax, platform::kNoSyscall);
}

TEST_P(Attention, guest_goes_on_where_it_was)
{
    auto guest = make_guest(counting());
    u64 last = 0;
    for (int i = 0; i < 20; ++i) {
        vcpu->slice_end = platform->now(platform::HostClock::monotonic) + 2'000'000;
        EXPECT_EQ(enter(*guest).kind, TrapKind::interrupted);
        EXPECT_GE(platform->now(platform::HostClock::monotonic), vcpu->slice_end);
        EXPECT_GE(word(guest->data_offset), last);
        last = word(guest->data_offset);
    }
    EXPECT_GT(last, 1000u);
}

TEST_P(Attention, pending_before_entry)
{
    auto guest = make_guest(Code().syscall(SYS_getpid));
    vcpu->attention_requested = true;
    EXPECT_EQ(enter(*guest).kind, TrapKind::interrupted);
    vcpu->attention_requested = false;
    expect_syscall(enter(*guest), SYS_getpid);
}

/// Wants the vCPU back at `first`, thinks better of it as soon as the guest has been kicked, and means it at `last`.
class FickleVcpu final : public platform::VcpuContext {
public:
    FickleVcpu(TestVcpu& inner, platform::Platform& platform)
        : inner_(inner)
        , platform_(platform)
        , first_(now() + 1'000'000)
        , last_(first_ + 25 * (kNanosecondsPerSecond / 10))
    {
    }
    void wait(Nanoseconds deadline) override
    {
        if (now() >= first_) gone_ = true;
        inner_.wait(deadline);
    }
    bool attention() const override { return false; }
    Nanoseconds attention_deadline() const override { return gone_ ? last_ : first_; }
    platform::VcpuPort& port() override { return inner_.port(); }
    bool is_over() const { return now() >= last_; }

private:
    Nanoseconds now() const { return platform_.now(platform::HostClock::monotonic); }

    TestVcpu& inner_;
    platform::Platform& platform_;
    Nanoseconds first_, last_;
    bool gone_ = false;
};

TEST_P(Attention, kick_without_a_cause_is_not_held_against_the_guest)
{
    auto guest = make_guest(counting());
    FickleVcpu fickle(*vcpu, *platform);
    EXPECT_EQ(guest->thread->enter(fickle).kind, TrapKind::interrupted);
    EXPECT_TRUE(fickle.is_over());
}

/// Every interleaving of a kick with a call: each call is seen once, each result arrives.
TEST_P(Attention, races_with_system_calls)
{
    // loop: mov rdi, rax; mov eax, 39; syscall; jmp loop. The argument is the result of the call before.
    auto guest = make_guest(Code().raw({ 0x48, 0x89, 0xc7, 0xb8, 39, 0, 0, 0, 0x0f, 0x05, 0xeb, 0xf4 }));
    u64 expected = 0;
    u64 interruptions = 0;
    u64 calls = 0;
    // Until there was enough of both, and not by time: on a loaded machine they are far apart.
    for (u64 round = 0; calls < 3000 || interruptions < 50; ++round) {
        // Each fourth time without an end, so that calls get through however slow they are.
        vcpu->slice_end = round % 4 == 0
            ? kNever
            : platform->now(platform::HostClock::monotonic) + static_cast<Nanoseconds>(round * 37 % 20'000);
        Trap const trap = enter(*guest);
        if (trap.kind == TrapKind::interrupted) {
            ++interruptions;
            continue;
        }
        ASSERT_EQ(trap.kind, TrapKind::syscall);
        ASSERT_EQ(trap.number, 39);
        ASSERT_EQ(trap.args[0], expected);
        ++calls;
        expected = calls * 3 + 1000;
        guest->thread->set_syscall_result(expected);
        if (round % 5 == 0) {
            ASSERT_EQ(registers(*guest).rax, expected);
        }
    }
}

TEST_P(Attention, dead_thread_is_told)
{
    auto guest = make_guest(counting());
    i32 const victim = guest->space->host_pid();
    std::thread other([&] {
        while (std::atomic_ref(*reinterpret_cast<u64*>(frame(guest->data_offset))).load() < 1000)
            std::this_thread::yield();
        kill(victim, SIGKILL);
    });
    EXPECT_EQ(enter(*guest).kind, TrapKind::died);
    other.join();
    EXPECT_EQ(guest->thread->registers(*vcpu), nullptr);
    EXPECT_TRUE(guest->thread->fp_state(*vcpu).empty());
    EXPECT_EQ(enter(*guest).kind, TrapKind::died);
    guest.reset();
    auto next = make_guest(Code().syscall(SYS_getpid));
    expect_syscall(enter(*next), SYS_getpid);
}

INSTANTIATE_TEST_SUITE_P(, Attention, kAllBackends, backend_name);

} // namespace
} // namespace umbra::test
