// SPDX-License-Identifier: GPL-2.0-or-later
// The guest's ABI for prctl(2) and arch_prctl(2): options, their values, struct prctl_mm_map.
#pragma once

#include "core/base/types.h"

namespace umbra::abi {

/// PR_*: those that exist on x86-64.
enum class Prctl : i32 {
    set_pdeathsig = 1,
    get_pdeathsig = 2,
    get_dumpable = 3,
    set_dumpable = 4,
    get_keepcaps = 7,
    set_keepcaps = 8,
    get_timing = 13,
    set_timing = 14,
    set_name = 15,
    get_name = 16,
    get_seccomp = 21,
    set_seccomp = 22,
    capbset_read = 23,
    capbset_drop = 24,
    get_tsc = 25,
    set_tsc = 26,
    get_securebits = 27,
    set_securebits = 28,
    set_timerslack = 29,
    get_timerslack = 30,
    mce_kill = 33,
    mce_kill_get = 34,
    set_mm = 35,
    set_child_subreaper = 36,
    get_child_subreaper = 37,
    set_no_new_privs = 38,
    get_no_new_privs = 39,
    get_tid_address = 40,
    set_thp_disable = 41,
    get_thp_disable = 42,
    cap_ambient = 47,
    get_speculation_ctrl = 52,
    set_speculation_ctrl = 53,
    set_io_flusher = 57,
    get_io_flusher = 58,
    set_syscall_user_dispatch = 59,
    set_mdwe = 65,
    get_mdwe = 66,
    get_auxv = 0x41555856,
    set_vma = 0x53564d41,
    set_ptracer = 0x59616d61,
};

constexpr u64 mce_kill_clear = 0, mce_kill_set = 1;
constexpr u64 mce_kill_late = 0, mce_kill_early = 1, mce_kill_default = 2;

constexpr u64 mdwe_refuse_exec_gain = 1, mdwe_no_inherit = 2;

constexpr u64 spec_store_bypass = 0, spec_indirect_branch = 1, spec_l1d_flush = 2;
constexpr u64 spec_enable = 2, spec_disable = 4, spec_force_disable = 8, spec_disable_noexec = 16;

constexpr u64 vma_anonymous_name = 0, vma_name_max = 80;

constexpr u64 dispatch_off = 0, dispatch_on = 1;
constexpr u8 dispatch_allow = 0, dispatch_block = 1;
constexpr i32 si_user_dispatch = 2; ///< si_code of its SIGSYS

/// PR_SET_MM_*.
enum class PrctlMm : u64 {
    start_code = 1,
    end_code = 2,
    start_data = 3,
    end_data = 4,
    start_stack = 5,
    start_brk = 6,
    brk = 7,
    arg_start = 8,
    arg_end = 9,
    env_start = 10,
    env_end = 11,
    auxv = 12,
    exe_file = 13,
    map = 14,
    map_size = 15,
};

struct PrctlMmMap {
    u64 start_code, end_code, start_data, end_data, start_brk, brk, start_stack, arg_start, arg_end,
        env_start, env_end;
    u64 auxv;
    u32 auxv_size, exe_fd;
};
static_assert(sizeof(PrctlMmMap) == 104);

/// Words that the kernel keeps of a program's auxiliary vector, its end among them.
constexpr u64 auxv_words = 52;

} // namespace umbra::abi
