// SPDX-License-Identifier: GPL-2.0-or-later
// Calls that Linux refuses: those that no kernel has any more, and those that reach below it (modules, I/O ports,
// swap, the clock). And small ones about file systems: ustat(2), sysfs(2), quotactl(2).
#include "abi-test.h"

#include <array>
#include <sys/sysmacros.h>
#include <sys/timex.h>

namespace abi_test {
namespace {

TEST(Refusal, calls_of_former_kernels_are_gone)
{
    for (long number : { SYS__sysctl, SYS_create_module, SYS_get_kernel_syms, SYS_query_module,
             SYS_nfsservctl, SYS_getpmsg, SYS_putpmsg, SYS_afs_syscall, SYS_tuxcall, SYS_security,
             SYS_vserver, SYS_epoll_ctl_old, SYS_epoll_wait_old, SYS_set_thread_area, SYS_get_thread_area })
        EXPECT_EQ(raw(number, 0, 0, 0, 0), -ENOSYS) << number;
}

TEST(Refusal, modules_are_not_for_ordinary_users)
{
    if (raw(SYS_finit_module, -1, "", 0) == -ENOSYS) SKIP_AS_HOST_LACKS("modules");
    as_ordinary_user([] {
        EXPECT_EQ(raw(SYS_init_module, nullptr, 0, ""), -EPERM);
        EXPECT_EQ(raw(SYS_delete_module, "x", 0), -EPERM);
        EXPECT_EQ(raw(SYS_finit_module, -1, "", 0), -EPERM);
    });
}

TEST(Refusal, other_kernels_are_not_for_ordinary_users)
{
    if (raw(SYS_kexec_load, 0, 0, nullptr, ~0ul) == -ENOSYS) SKIP_AS_HOST_LACKS("kexec");
    as_ordinary_user([] {
        EXPECT_EQ(raw(SYS_kexec_load, 0, 0, nullptr, 0), -EPERM);
        EXPECT_EQ(raw(SYS_kexec_file_load, -1, -1, 0, nullptr, 0), -EPERM);
    });
}

TEST(Refusal, accounting_and_swap_are_not_for_ordinary_users)
{
    as_ordinary_user([] {
        EXPECT_EQ(raw(SYS_acct, nullptr), -EPERM);
        EXPECT_EQ(raw(SYS_swapon, "/missing", 0), -EPERM);
        EXPECT_EQ(raw(SYS_swapon, "/missing", 0x80000), -EINVAL);
        EXPECT_EQ(raw(SYS_swapoff, "/missing"), -EPERM);
    });
}

TEST(Refusal, ports_are_not_for_ordinary_users)
{
    if (raw(SYS_iopl, 0) == -ENOSYS) SKIP_AS_HOST_LACKS("I/O ports");
    as_ordinary_user([] {
        EXPECT_EQ(raw(SYS_iopl, 4), -EINVAL);
        EXPECT_EQ(raw(SYS_iopl, 3), -EPERM);
        EXPECT_EQ(raw(SYS_iopl, 0), 0);
        EXPECT_EQ(raw(SYS_ioperm, 0, 0, 1), -EINVAL);
        EXPECT_EQ(raw(SYS_ioperm, 65536, 1, 1), -EINVAL);
        EXPECT_EQ(raw(SYS_ioperm, 0x80, 1, 1), -EPERM);
        EXPECT_EQ(raw(SYS_ioperm, 0x80, 1, 0), 0);
    });
}

// The result of modify_ldt is an int in a register of 64 bits, so the C library sees no error in it.
TEST(Refusal, the_local_descriptor_table_starts_empty)
{
    auto modify = [](int function, void* data, size_t size) {
        return int(::syscall(SYS_modify_ldt, function, data, size));
    };
    std::array<char, 256> table;
    table.fill('x');
    EXPECT_EQ(modify(0, table.data(), table.size()), 0);
    EXPECT_EQ(modify(2, table.data(), table.size()), 128);
    EXPECT_EQ(table[127], 0);
    EXPECT_EQ(table[128], 'x');
    EXPECT_EQ(modify(1, table.data(), 15), -EINVAL);
    EXPECT_EQ(modify(1, nullptr, 16), -EFAULT);
    std::array<unsigned, 4> entry { 8192, 0, 0, 0 };
    EXPECT_EQ(modify(0x11, entry.data(), sizeof entry), -EINVAL);
    EXPECT_EQ(modify(3, nullptr, 0), -ENOSYS);
}

TEST(Refusal, the_clock_can_be_examined)
{
    timex state {};
    EXPECT_OK(::adjtimex(&state));
    EXPECT_GE(state.tick, 9000);
    EXPECT_LE(state.tick, 11000);
    EXPECT_EQ(state.tolerance, 500 << 16);
    EXPECT_NE(state.time.tv_sec, 0);
    state.modes = 0;
    EXPECT_OK(::clock_adjtime(CLOCK_REALTIME, &state));
    state.modes = ADJ_OFFSET_SS_READ;
    EXPECT_OK(::adjtimex(&state));
    EXPECT_EQ(raw(SYS_adjtimex, nullptr), -EFAULT);
    state = {};
    EXPECT_EQ(raw(SYS_clock_adjtime, CLOCK_MONOTONIC, &state), -EOPNOTSUPP);
    EXPECT_EQ(raw(SYS_clock_adjtime, 99, &state), -EINVAL);
    EXPECT_EQ(raw(SYS_clock_adjtime, 99, nullptr), -EFAULT);
}

TEST(Refusal, the_clock_is_not_set_by_ordinary_users)
{
    as_ordinary_user([] {
        timex state {};
        state.modes = ADJ_TICK;
        EXPECT_EQ(raw(SYS_adjtimex, &state), -EPERM);
        state.modes = 0x8000;
        EXPECT_EQ(raw(SYS_adjtimex, &state), -EINVAL);
        state.modes = ADJ_OFFSET_SINGLESHOT;
        EXPECT_EQ(raw(SYS_adjtimex, &state), -EPERM);
    });
}

class FileSystems : public InScratchDirectory { };

TEST_F(FileSystems, ustat_knows_mounted_devices)
{
    struct {
        int free_blocks;
        unsigned long free_inodes;
        char name[12];
    } result {};
    static_assert(sizeof result == 32);
    // A device of /proc, since that of an overlay is not always st_dev.
    EXPECT_EQ(raw(SYS_ustat, status_of("/proc").st_dev, &result), 0);
    EXPECT_EQ(raw(SYS_ustat, status_of("/proc").st_dev, nullptr), -EFAULT);
    EXPECT_EQ(raw(SYS_ustat, makedev(200, 200), &result), -EINVAL);
}

TEST_F(FileSystems, sysfs_numbers_their_types)
{
    long count = raw(SYS_sysfs, 3);
    if (count == -ENOSYS) SKIP_AS_HOST_LACKS("sysfs(2)");
    ASSERT_GT(count, 0);
    long index = raw(SYS_sysfs, 1, "proc");
    ASSERT_GE(index, 0);
    char name[64] = {};
    EXPECT_EQ(raw(SYS_sysfs, 2, index, name), 0);
    EXPECT_STREQ(name, "proc");
    EXPECT_EQ(raw(SYS_sysfs, 1, "no such type"), -EINVAL);
    EXPECT_EQ(raw(SYS_sysfs, 1, nullptr), -EFAULT);
    EXPECT_EQ(raw(SYS_sysfs, 2, count, name), -EINVAL);
    EXPECT_EQ(raw(SYS_sysfs, 2, index, nullptr), -EFAULT);
    EXPECT_EQ(raw(SYS_sysfs, 4), -EINVAL);
}

TEST_F(FileSystems, quotas_belong_to_block_devices)
{
    constexpr unsigned kSync = 0x800001u << 8, kGetFormat = 0x800004u << 8;
    if (raw(SYS_quotactl, kSync, nullptr, 0, nullptr) == -ENOSYS) SKIP_AS_HOST_LACKS("quotactl(2)");
    EXPECT_EQ(raw(SYS_quotactl, kSync, nullptr, 0, nullptr), 0);
    EXPECT_EQ(raw(SYS_quotactl, kGetFormat, nullptr, 0, nullptr), -ENODEV);
    EXPECT_EQ(raw(SYS_quotactl, kGetFormat | 3, nullptr, 0, nullptr), -EINVAL);
    write_file("plain", "");
    EXPECT_EQ(raw(SYS_quotactl, kGetFormat, "plain", 0, nullptr), -ENOTBLK);
    EXPECT_EQ(raw(SYS_quotactl, kGetFormat, "missing", 0, nullptr), -ENOENT);
    EXPECT_EQ(raw(SYS_quotactl_fd, -1, kGetFormat, 0, nullptr), -EBADF);
    Fd proc = ::open("/proc/self/stat", O_RDONLY);
    EXPECT_EQ(raw(SYS_quotactl_fd, int(proc), kGetFormat | 3, 0, nullptr), -EINVAL);
    EXPECT_EQ(raw(SYS_quotactl_fd, int(proc), kGetFormat, 0, nullptr), -ENOSYS);
}

} // namespace
} // namespace abi_test
