// SPDX-License-Identifier: GPL-2.0-or-later
// The vDSO: an image that a dynamic linker accepts, whose clocks are right and do not trap.
#include "tests/platform/backends.h"
#include "tests/platform/harness.h"

#include <cstring>
#include <string_view>

#include <elf.h>
#include <sys/syscall.h>
#include <time.h>

namespace umbra::test {
namespace {

constexpr u64 kVdsoAt = 0x7fff0000; // anywhere

class Vdso : public PlatformTest {
protected:
    /// Where a program would find the function, by the image's own tables.
    u64 find(std::string_view wanted)
    {
        u8 const* image = platform->vdso_image().data();
        auto const* header = reinterpret_cast<Elf64_Ehdr const*>(image);
        auto const* segments = reinterpret_cast<Elf64_Phdr const*>(image + header->e_phoff);
        Elf64_Sym const* symbols = nullptr;
        char const* names = nullptr;
        u32 count = 0;
        for (int i = 0; i < header->e_phnum; ++i) {
            if (segments[i].p_type != PT_DYNAMIC) continue;
            for (auto const* d = reinterpret_cast<Elf64_Dyn const*>(image + segments[i].p_offset); d->d_tag;
                 ++d) {
                if (d->d_tag == DT_SYMTAB)
                    symbols = reinterpret_cast<Elf64_Sym const*>(image + d->d_un.d_ptr);
                if (d->d_tag == DT_STRTAB) names = reinterpret_cast<char const*>(image + d->d_un.d_ptr);
                if (d->d_tag == DT_HASH) count = reinterpret_cast<u32 const*>(image + d->d_un.d_ptr)[1];
            }
        }
        for (u32 i = 0; i < count; ++i)
            if (wanted == names + symbols[i].st_name) return kVdsoAt + symbols[i].st_value;
        return 0;
    }

    std::unique_ptr<Guest> make_caller(std::string_view function, u64 first, u64 second)
    {
        u64 const address = find(function);
        EXPECT_NE(address, 0u) << function;
        auto guest = make_guest(Code()
                                    .mov_rdi(first)
                                    .mov_rsi(second)
                                    .mov_rax(address)
                                    .raw({ 0xff, 0xd0 })
                                    .store_rax_to(kDataAt + 64)
                                    .syscall(SYS_exit));
        auto const image = platform->vdso_image();
        EXPECT_EQ(image.size() % kPageSize, 0u);
        for (u64 at = 0; at < image.size(); at += kPageSize) {
            u64 const offset = new_frame();
            std::memcpy(frame(offset), image.data() + at, kPageSize);
            map(*guest, kVdsoAt + at, offset, Protection::read | Protection::execute);
        }
        return guest;
    }
};

TEST_P(Vdso, is_an_elf_image)
{
    auto const image = platform->vdso_image();
    ASSERT_GE(image.size(), kPageSize);
    EXPECT_EQ(std::memcmp(image.data(), ELFMAG, SELFMAG), 0);
    for (auto name : { "__vdso_clock_gettime", "__vdso_gettimeofday", "__vdso_time", "__vdso_getcpu",
             "__vdso_clock_getres", "clock_gettime", "gettimeofday", "time" })
        EXPECT_NE(find(name), 0u) << name;
}

TEST_P(Vdso, clocks_do_not_trap)
{
    for (clockid_t clock : { CLOCK_REALTIME, CLOCK_MONOTONIC, CLOCK_BOOTTIME, CLOCK_MONOTONIC_COARSE }) {
        auto guest = make_caller("__vdso_clock_gettime", static_cast<u64>(clock), kDataAt);
        timespec before;
        clock_gettime(clock, &before);
        expect_syscall(enter(*guest), SYS_exit);
        timespec after;
        clock_gettime(clock, &after);
        EXPECT_EQ(word(guest->data_offset + 64), 0u);
        auto const seconds = static_cast<i64>(word(guest->data_offset));
        EXPECT_GE(seconds, before.tv_sec);
        EXPECT_LE(seconds, after.tv_sec);
        EXPECT_LT(word(guest->data_offset + 8), 1'000'000'000u);
    }
    auto guest = make_caller("__vdso_time", 0, 0);
    expect_syscall(enter(*guest), SYS_exit);
    EXPECT_LE(std::abs(static_cast<i64>(word(guest->data_offset + 64)) - ::time(nullptr)), 2);
}

TEST_P(Vdso, what_it_cannot_do_traps)
{
    auto guest = make_caller("__vdso_clock_gettime", CLOCK_THREAD_CPUTIME_ID, kDataAt);
    Trap const trap = enter(*guest);
    expect_syscall(trap, SYS_clock_gettime);
    EXPECT_EQ(trap.args[0], u64 { CLOCK_THREAD_CPUTIME_ID });
    guest->thread->set_syscall_result(0);
    expect_syscall(enter(*guest), SYS_exit);
    EXPECT_EQ(word(guest->data_offset + 64), 0u);

    auto other = make_caller("__vdso_getcpu", kDataAt, kDataAt + 8);
    expect_syscall(enter(*other), SYS_getcpu);
}

INSTANTIATE_TEST_SUITE_P(, Vdso, kAllBackends, backend_name);

} // namespace
} // namespace umbra::test
