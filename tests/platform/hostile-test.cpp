// SPDX-License-Identifier: GPL-2.0-or-later
// A guest that attacks what holds it: it jumps into the stub, forges its reports, scribbles over what it
// shares with the kernel. It may die or trap; no host call of its ever succeeds, and the kernel and the next
// guest notice nothing.
#include "tests/platform/backends.h"
#include "tests/platform/harness.h"

#include <cstdlib>
#include <cstring>
#include <thread>

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "arch-um/stub/image.h"
#include "arch-um/stub/layout.h"
#include "arch-um/x86-64/host-frame.h"

namespace umbra::test {
namespace {

constexpr Nanoseconds kShortSlice = 1'000'000;
/// In the environment of a program that no_stub_survives_its_kernel() starts: the descriptor it reports to.
constexpr char kVictimsPipe[] = "UMBRA_TEST_VICTIMS_PIPE";

class Hostile : public PlatformTest {
protected:
    void SetUp() override
    {
        PlatformTest::SetUp();
        path_ = testing::TempDir() + "umbra-hostile-" + std::to_string(getpid());
    }
    void TearDown() override
    {
        EXPECT_NE(access(path_.c_str(), F_OK), 0) << "a guest made a host call";
        unlink(path_.c_str());
        vcpu->slice_end = kNever;
        // Nobody else has suffered.
        auto next = make_guest(Code().syscall(SYS_getpid));
        expect_syscall(enter(*next), SYS_getpid);
    }

    /// A guest whose registers are a creat(2) of a host file, whichever `syscall` it reaches.
    std::unique_ptr<Guest> make_attacker(Code const& code)
    {
        auto guest = make_guest(code);
        std::strcpy(reinterpret_cast<char*>(frame(guest->data_offset)), path_.c_str());
        auto& r = registers(*guest);
        r.rax = SYS_creat;
        r.rdi = kDataAt;
        r.rsi = 0644;
        r.rbx = kCodeAt;
        return guest;
    }

    /// Lets it run for a few traps; answers them.
    void run_briefly(Guest& guest, int traps = 6)
    {
        for (int i = 0; i < traps; ++i) {
            vcpu->slice_end = platform->now(platform::HostClock::monotonic) + kShortSlice;
            Trap const trap = enter(guest);
            if (trap.kind == TrapKind::died || trap.kind == TrapKind::interrupted) break;
            if (trap.kind == TrapKind::syscall) guest.thread->set_syscall_result(u64(-38));
        }
        vcpu->slice_end = kNever;
    }

    /// This program once more, for the current test of it only; `report` becomes its descriptor 3.
    pid_t start_victim(int report, int output)
    {
        auto const* test = testing::UnitTest::GetInstance()->current_test_info();
        std::string filter = std::string("--gtest_filter=") + test->test_suite_name() + "." + test->name();
        char program[] = "platform-tests";
        char* const arguments[] = { program, filter.data(), nullptr };
        setenv(kVictimsPipe, "3", 1);
        posix_spawn_file_actions_t actions;
        posix_spawn_file_actions_init(&actions);
        posix_spawn_file_actions_adddup2(&actions, output, STDOUT_FILENO);
        posix_spawn_file_actions_adddup2(&actions, output, STDERR_FILENO);
        posix_spawn_file_actions_adddup2(&actions, report, 3);
        pid_t victim = 0;
        EXPECT_EQ(posix_spawn(&victim, "/proc/self/exe", &actions, nullptr, arguments, environ), 0);
        posix_spawn_file_actions_destroy(&actions);
        unsetenv(kVictimsPipe);
        return victim;
    }

    /// In that program: reports its stubs, one that runs and one that waits, and never ends by itself.
    void run_until_killed(int report)
    {
        auto running = make_guest(Code().loop_forever());
        auto waiting = make_guest(Code().syscall(SYS_getpid));
        expect_syscall(enter(*waiting), SYS_getpid);
        pid_t const pids[2] = { running->space->host_pid(), waiting->space->host_pid() };
        ASSERT_EQ(write(report, pids, sizeof pids), ssize_t { sizeof pids });
        enter(*running);
    }

    static std::string contents(int file)
    {
        std::string text(64 << 10, '\0');
        ssize_t const size = pread(file, text.data(), text.size(), 0);
        text.resize(size > 0 ? static_cast<std::size_t>(size) : 0);
        return text;
    }

    std::string path_;
};

class ParallelHostile : public Hostile { };

TEST_P(Hostile, jumps_to_every_byte_of_the_stub)
{
    u64 const size = stub::image_bytes().size();
    for (u64 offset = 0; offset < size; ++offset) {
        next_frame = 0;
        auto guest = make_attacker(Code().jump_to(stub::kImage + offset));
        if (offset % 2) registers(*guest).rsp = stub::kAreas + stub::kAreaSize - 1024;
        run_briefly(*guest);
    }
    EXPECT_NE(access(path_.c_str(), F_OK), 0);
}

TEST_P(Hostile, operation_address_with_every_number)
{
    for (u64 number = 0; number < 470; ++number) {
        next_frame = 0;
        auto guest = make_attacker(Code().jump_to(stub::kImage + STUB_OP_CALL));
        registers(*guest).rax = number;
        Trap const trap = enter(*guest);
        ASSERT_NE(trap.kind, TrapKind::interrupted);
        if (std::string(GetParam()).starts_with("seccomp")) {
            // uretprobe is hidden from filters; it only raises SIGILL, which the platform shows as the call.
            bool const hidden = number == 335 && trap.kind == TrapKind::syscall;
            EXPECT_TRUE(hidden || trap.kind == TrapKind::died) << number;
        }
    }
}

TEST_P(Hostile, forged_reports)
{
    u64 const area = stub::kAreas;
    for (u64 frame : { u64 { 0 }, kDataAt, stub::kService, area - 8, area + stub::kAreaSize - 8, area + 3,
             area, area + 8192, ~u64 { 0 } - 7 }) {
        for (u64 signal : { 0, SIGSYS, SIGSEGV, SIGTRAP, stub::kKickSignal, 99 }) {
            next_frame = 0;
            auto guest = make_attacker(Code().jump_to(stub::kImage + STUB_REPORT_CALL));
            auto& r = registers(*guest);
            r.rax = stub::kReportNumber;
            r.rdi = signal;
            r.r9 = frame;
            r.r10 = r.r8 = 0xdeadbeefdeadbeef;
            run_briefly(*guest, 3);
            if (guest->thread->registers(*vcpu)) {
                guest->thread->registers(*vcpu)->rax = 1;
                (void)guest->thread->fp_state(*vcpu);
                run_briefly(*guest, 3);
            }
        }
    }
}

TEST_P(Hostile, scribbles_over_everything_that_is_shared)
{
    for (u64 start : { stub::kAreas, stub::kAreas + stub::kAreaSize - 4096, stub::kService }) {
        for (u64 value : { u64 { 0 }, ~u64 { 0 }, u64 { 0x4141414141414141 }, stub::kAreas + 64 }) {
            next_frame = 0;
            // mov rcx, 512; rep stosq; syscall; ud2; syscall
            auto guest = make_attacker(Code()
                                           .mov_rdi(start)
                                           .mov_rax(value)
                                           .raw({ 0xb9, 0, 2, 0, 0, 0xf3, 0x48, 0xab })
                                           .syscall(SYS_fork)
                                           .raw({ 0x0f, 0x0b }));
            run_briefly(*guest, 2);
            (void)guest->thread->registers(*vcpu);
            (void)guest->thread->fp_state(*vcpu);
            u64 const offset = new_frame();
            platform::Mapping const m { GuestAddr(0x30000000), kPageSize, Protection::read, bank->handle(),
                offset };
            (void)guest->space->map(*vcpu, { &m, 1 });
            (void)guest->space->create_thread(*vcpu);
            run_briefly(*guest, 3);
        }
    }
}

/// One thread overwrites the batch in the service page as fast as it can, while the kernel changes the space.
TEST_P(ParallelHostile, races_with_the_leader)
{
    // op_count, then the first operation: creat(path).
    Code code;
    code.mov_rdi(stub::kService).mov_rsi(kDataAt);
    u64 const loop = kCodeAt + code.bytes.size();
    code.mov_rax(SYS_creat)
        .raw({ 0x48, 0x89, 0x47, 0x08 }) // mov [rdi+8], rax
        .raw({ 0x48, 0x89, 0x77, 0x10 }) // mov [rdi+16], rsi
        .jump_to(loop);
    int killed = 0;
    for (int round = 0; round < 20; ++round) {
        start(2);
        auto guest = make_attacker(code);
        held.unlock();
        std::atomic<bool> done = false;
        platform->run_vcpus([&](unsigned index) {
            std::unique_lock own(kernel_lock);
            TestVcpu context(kernel_lock, platform->vcpu(index));
            if (index == 1) {
                while (!done) {
                    context.slice_end = platform->now(platform::HostClock::monotonic) + 20 * kShortSlice;
                    if (guest->thread->enter(context).kind == TrapKind::died) break;
                }
                return;
            }
            for (int i = 0; i < 50; ++i) {
                platform::Mapping const m { GuestAddr(0x30000000), kPageSize, Protection::read,
                    bank->handle(), 0 };
                if (guest->space->map(context, { &m, 1 }).is_error()) ++killed;
                own.unlock();
                std::this_thread::yield();
                own.lock();
            }
            done = true;
        });
        held.lock();
        EXPECT_NE(access(path_.c_str(), F_OK), 0);
        guest.reset();
    }
    RecordProperty("failed_maps", killed);
}

TEST_P(Hostile, other_ways_into_the_host)
{
    Code const attempts[] = {
        Code().raw({ 0x0f, 0x34 }), // sysenter
        // push 0x23; push address; retfq: 32-bit code. There: mov eax, 8 (creat); mov ebx, path; int 0x80
        Code().raw({ 0x6a, 0x23, 0x68, 0x0a, 0, 0x40, 0, 0x48, 0xcb, 0x90, 0xb8, 8, 0, 0, 0, 0xbb, 0, 0, 0x50,
            0, 0xcd, 0x80, 0x0f, 0x0b }),
        Code().syscall(0x40000000 | SYS_creat), // x32
        Code()
            .mov_rax(0xffffffffff600000)
            .raw({ 0xff, 0xd0 })
            .store_rax_to(kDataAt + 512)
            .syscall(SYS_exit), // vsyscall
        Code().mov_rax(0xffffffffff600400).raw({ 0xff, 0xd0 }).store_rax_to(kDataAt + 512).syscall(SYS_exit),
    };
    for (Code const& code : attempts) {
        auto guest = make_attacker(code);
        Trap const trap = enter(*guest);
        EXPECT_TRUE(trap.kind == TrapKind::syscall || trap.kind == TrapKind::exception
            || trap.kind == TrapKind::fault);
        if (trap.kind == TrapKind::syscall) guest->thread->set_syscall_result(u64(-38));
        run_briefly(*guest);
    }
}

/// rt_sigreturn at the stub's address with a mask that keeps the kick out, into an endless loop.
TEST_P(Hostile, deaf_thread_is_killed)
{
    Code code;
    code.mov_rsp(kDataAt + 8).mov_rax(SYS_rt_sigreturn).jump_to(stub::kImage + STUB_SIGRETURN_CALL);
    u64 const loop = kCodeAt + code.bytes.size();
    code.loop_forever();
    auto guest = make_guest(code);
    auto& forged = *reinterpret_cast<x86_64::HostFrame*>(frame(guest->data_offset));
    forged = {};
    forged.context.rip = loop;
    forged.context.cs = platform::kUserCodeSegment;
    forged.context.ss = platform::kUserDataSegment;
    forged.mask = ~u64 { 0 };
    vcpu->slice_end = platform->now(platform::HostClock::monotonic) + 10 * kShortSlice;
    Trap const trap = enter(*guest);
    // Where the stub has no native rt_sigreturn it is a system call like others.
    if (std::string(GetParam()).starts_with("seccomp")) {
        EXPECT_EQ(trap.kind, TrapKind::died);
    }
}

/// A kernel that dies must be a process of its own with a platform of its own. A mere fork of this one would
/// hold this one's stubs, zygote and ring; taking them apart, as start() does, would end them for both. So the
/// test starts this program once more, for this test alone, and tells it by the environment what it is there for.
TEST_P(Hostile, no_stub_survives_its_kernel)
{
    if (char const* pipe = getenv(kVictimsPipe)) return run_until_killed(atoi(pipe));
    int ends[2];
    ASSERT_EQ(pipe2(ends, O_CLOEXEC), 0);
    int const output = memfd_create("victim", MFD_CLOEXEC); // not in the middle of this program's report
    pid_t const victim = start_victim(ends[1], output);
    close(ends[1]);
    ASSERT_GT(victim, 0);
    pid_t pids[2] = {};
    bool const is_up = read(ends[0], pids, sizeof pids) == ssize_t { sizeof pids };
    EXPECT_TRUE(is_up) << "the kernel to be killed did not come up:\n" << contents(output);
    for (int i = 0; is_up && i < 2; ++i) {
        EXPECT_EQ(kill(pids[i], 0), 0);
    }
    kill(victim, SIGKILL);
    // The stubs share the kernel's descriptors: the pipe's end of file comes when the last of them is gone.
    char byte;
    EXPECT_EQ(read(ends[0], &byte, 1), 0);
    waitpid(victim, nullptr, 0);
    close(ends[0]);
    close(output);
}

INSTANTIATE_TEST_SUITE_P(, Hostile, kAllBackends, backend_name);
INSTANTIATE_TEST_SUITE_P(, ParallelHostile, kParallelBackends, backend_name);

} // namespace
} // namespace umbra::test
