// SPDX-License-Identifier: GPL-2.0-or-later
// Threads: several in one space, copies of the whole state as fork and clone need them, vCPUs in parallel.
#include "tests/platform/backends.h"
#include "tests/platform/harness.h"

#include <cstring>
#include <fstream>
#include <thread>

#include <sys/syscall.h>

#include "arch-um/common/make-platform.h"

namespace umbra::test {
namespace {

class Threads : public PlatformTest { };

TEST_P(Threads, several_in_one_space)
{
    auto guest = make_guest(Code().syscall(SYS_gettid).store_rax_to(kDataAt).syscall(SYS_exit));
    constexpr u64 kThreads = 20;
    std::vector<std::unique_ptr<platform::GuestThread>> threads;
    for (u64 i = 0; i < kThreads; ++i) {
        auto thread = guest->space->create_thread(*vcpu);
        ASSERT_TRUE(thread.ok());
        threads.push_back(std::move(thread).release_value());
        auto* r = threads.back()->registers(*vcpu);
        ASSERT_NE(r, nullptr);
        r->rip = kCodeAt;
        r->rdi = i;
    }
    for (u64 i = 0; i < kThreads; ++i) {
        Trap const trap = threads[i]->enter(*vcpu);
        expect_syscall(trap, SYS_gettid);
        EXPECT_EQ(trap.args[0], i);
    }
    for (u64 i = kThreads; i-- > 0;) {
        threads[i]->set_syscall_result(i + 100);
        expect_syscall(threads[i]->enter(*vcpu), SYS_exit);
        EXPECT_EQ(word(guest->data_offset), i + 100);
    }
    // Some end, others take their places.
    for (int round = 0; round < 3; ++round) {
        threads.resize(5);
        for (int i = 0; i < 10; ++i) {
            auto thread = guest->space->create_thread(*vcpu);
            ASSERT_TRUE(thread.ok());
            threads.push_back(std::move(thread).release_value());
            threads.back()->registers(*vcpu)->rip = kCodeAt;
            expect_syscall(threads.back()->enter(*vcpu), SYS_gettid);
        }
    }
}

/// Bytes of the stub's memory in which its threads take signals.
u64 area_bytes(platform::AddressSpace const& space)
{
    std::ifstream maps("/proc/" + std::to_string(space.host_pid()) + "/maps");
    u64 bytes = 0;
    for (std::string line; std::getline(maps, line);) {
        if (line.find("umbra-areas") == line.npos) continue;
        u64 const start = std::stoull(line, nullptr, 16);
        bytes += std::stoull(line.substr(line.find('-') + 1), nullptr, 16) - start;
    }
    return bytes;
}

TEST_P(Threads, a_crowd_that_comes_and_goes_needs_no_more_each_time)
{
    auto guest = make_guest(Code().syscall(SYS_gettid));
    u64 after_the_first = 0;
    for (int round = 0; round < 4; ++round) {
        std::vector<std::unique_ptr<platform::GuestThread>> threads;
        for (int i = 0; i < 20; ++i) {
            auto thread = guest->space->create_thread(*vcpu);
            ASSERT_TRUE(thread.ok());
            threads.push_back(std::move(thread).release_value());
            threads.back()->registers(*vcpu)->rip = kCodeAt;
            expect_syscall(threads.back()->enter(*vcpu), SYS_gettid);
        }
        u64 const now = area_bytes(*guest->space);
        ASSERT_GT(now, 20 * kPageSize);
        if (round == 0) after_the_first = now;
        EXPECT_EQ(now, after_the_first);
    }
}

/// Sets every kind of register, then a call; afterwards stores them into the data page.
Code stateful(u64 number)
{
    return Code()
        .mov_rax(0x1122334455667788)
        .raw({ 0x66, 0x48, 0x0f, 0x6e, 0xf8 }) // movq xmm7, rax
        .raw({ 0xc4, 0xe3, 0x45, 0x18, 0xff, 0x01 }) // vinsertf128 ymm7, ymm7, xmm7, 1
        .raw({ 0xd9, 0xe8 }) // fld1
        .mov_rdi(0x1111)
        .raw({ 0x49, 0xbf, 1, 2, 3, 4, 5, 6, 7, 8 }) // mov r15, ...
        .syscall(number)
        .mov_rdx(kDataAt)
        .raw({ 0x48, 0x89, 0x02 }) // mov [rdx], rax
        .raw({ 0xc5, 0xfe, 0x7f, 0x7a, 0x20 }) // vmovdqu [rdx+32], ymm7
        .raw({ 0xdd, 0x5a, 0x08 }) // fstp qword [rdx+8]
        .raw({ 0x4c, 0x89, 0x7a, 0x10 }) // mov [rdx+16], r15
        .raw({ 0x64, 0x48, 0x8b, 0x04, 0x25, 0, 0, 0, 0 }) // mov rax, fs:[0]
        .raw({ 0x48, 0x89, 0x42, 0x18 }) // mov [rdx+24], rax
        .syscall(SYS_exit);
}

TEST_P(Threads, state_is_copied_whole)
{
    // Once from a plain call, once from one that the stub reports with a frame.
    for (u64 number : { SYS_getuid, SYS_fork }) {
        auto parent = make_guest(stateful(number));
        u64 const tls = new_frame();
        put_word(tls, 0x715715);
        map(*parent, 0x700000, tls, Protection::read);
        registers(*parent).fs_base = 0x700000;
        expect_syscall(enter(*parent), static_cast<i64>(number));

        auto child = make_guest(stateful(number));
        map(*child, 0x700000, tls, Protection::read);
        ASSERT_TRUE(child->thread->copy_state(*vcpu, *parent->thread).ok());
        child->thread->set_syscall_result(0);
        parent->thread->set_syscall_result(4711);
        EXPECT_EQ(registers(*child).orig_rax, number);

        for (auto* guest : { child.get(), parent.get() }) {
            expect_syscall(enter(*guest), SYS_exit);
            u64 const d = guest->data_offset;
            EXPECT_EQ(word(d), guest == child.get() ? 0u : 4711u);
            double one;
            std::memcpy(&one, frame(d + 8), sizeof one);
            EXPECT_EQ(one, 1.0);
            EXPECT_EQ(word(d + 16), 0x0807060504030201u);
            EXPECT_EQ(word(d + 24), 0x715715u);
            EXPECT_EQ(word(d + 32), 0x1122334455667788u);
            EXPECT_EQ(word(d + 48), 0x1122334455667788u);
        }
    }
}

TEST_P(Threads, vector_state_survives_traps_and_can_be_reset)
{
    auto guest = make_guest(stateful(SYS_getuid));
    registers(*guest).fs_base = kCodeAt;
    expect_syscall(enter(*guest), SYS_getuid);
    auto const image = guest->thread->fp_state(*vcpu);
    ASSERT_GE(image.size(), 576u);
    u64 xmm7;
    std::memcpy(&xmm7, image.data() + 160 + 7 * 16, sizeof xmm7);
    EXPECT_EQ(xmm7, 0x1122334455667788u);
    u32 magic;
    std::memcpy(&magic, image.data() + 464, sizeof magic);
    EXPECT_EQ(magic, 0x46505853u);
    EXPECT_EQ(image.size(), platform->machine().xsave_size);
    guest->thread->reset_fp_state(*vcpu);
    guest->thread->set_syscall_result(0);
    expect_syscall(enter(*guest), SYS_exit);
    EXPECT_EQ(word(guest->data_offset + 32), 0u);
    EXPECT_EQ(word(guest->data_offset + 48), 0u);
}

TEST_P(Threads, hostile_vector_image_is_harmless)
{
    auto guest = make_guest(stateful(SYS_getuid));
    registers(*guest).fs_base = kCodeAt;
    expect_syscall(enter(*guest), SYS_getuid);
    auto const image = guest->thread->fp_state(*vcpu);
    std::memset(image.data(), 0xff, image.size());
    guest->thread->set_syscall_result(0);
    Trap const trap = enter(*guest);
    EXPECT_TRUE(
        trap.kind == TrapKind::syscall || trap.kind == TrapKind::exception || trap.kind == TrapKind::died);
}

TEST_P(Threads, segment_bases)
{
    // The guest sets its own base where the CPU lets it; either way the kernel sees and sets it.
    auto guest = make_guest(Code()
                                .raw({ 0x64, 0x48, 0x8b, 0x04, 0x25, 0, 0, 0, 0 }) // mov rax, fs:[0]
                                .store_rax_to(kDataAt + 8)
                                .raw({ 0x65, 0x48, 0x8b, 0x04, 0x25, 0, 0, 0, 0 }) // mov rax, gs:[0]
                                .store_rax_to(kDataAt + 16)
                                .syscall(SYS_arch_prctl)
                                .syscall(SYS_exit));
    u64 const one = new_frame(), two = new_frame();
    put_word(one, 111);
    put_word(two, 222);
    map(*guest, 0x700000, one, Protection::read);
    map(*guest, 0x800000, two, Protection::read);
    registers(*guest).fs_base = 0x700000;
    registers(*guest).gs_base = 0x800000;
    expect_syscall(enter(*guest), SYS_arch_prctl);
    EXPECT_EQ(word(guest->data_offset + 8), 111u);
    EXPECT_EQ(word(guest->data_offset + 16), 222u);
    EXPECT_EQ(registers(*guest).fs_base, 0x700000u);
    EXPECT_EQ(registers(*guest).gs_base, 0x800000u);
    registers(*guest).fs_base = 0x800000;
    registers(*guest).gs_base = 0;
    expect_syscall(enter(*guest), SYS_exit);
    EXPECT_EQ(registers(*guest).fs_base, 0x800000u);
    EXPECT_EQ(registers(*guest).gs_base, 0u);
    registers(*guest).fs_base = 0xdead000000000000; // not canonical: cannot be loaded, must not kill anybody
    registers(*guest).rip = kCodeAt;
    EXPECT_NE(enter(*guest).kind, TrapKind::died);
}

class ParallelThreads : public PlatformTest { };

TEST_P(ParallelThreads, two_vcpus)
{
    // Each makes two thousand system calls; first both in one space, then each in its own.
    for (bool shared : { true, false }) {
        start(2); // a vCPU's port belongs to the thread that first waited in it
        auto const code = Code().syscall(SYS_getpid).jump_to(kCodeAt);
        auto first = make_guest(code);
        auto second = shared ? nullptr : make_guest(code);
        auto extra = first->space->create_thread(*vcpu);
        ASSERT_TRUE(extra.ok());
        extra.value()->registers(*vcpu)->rip = kCodeAt;
        std::atomic<int> failures = 0;
        held.unlock();
        platform->run_vcpus([&](unsigned index) {
            std::unique_lock own(kernel_lock);
            TestVcpu context(kernel_lock, platform->vcpu(index));
            platform::GuestThread& thread = index == 0 ? *first->thread
                : shared                               ? *extra.value()
                                                       : *second->thread;
            for (u64 i = 0; i < 2000; ++i) {
                if (thread.enter(context).kind != TrapKind::syscall) ++failures;
                thread.set_syscall_result(i);
            }
        });
        held.lock();
        EXPECT_EQ(failures, 0);
        extra.value().reset();
    }
}

TEST(PtraceThreads, a_second_vcpu_is_refused)
{
    std::string problem;
    EXPECT_FALSE(um::make_platform({ .backend = um::Backend::ptrace, .vcpus = 2 }, problem));
    EXPECT_EQ(problem, "the ptrace backend runs one CPU only");
}

INSTANTIATE_TEST_SUITE_P(, Threads, kAllBackends, backend_name);
INSTANTIATE_TEST_SUITE_P(, ParallelThreads, kParallelBackends, backend_name);

} // namespace
} // namespace umbra::test
