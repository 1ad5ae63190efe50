// SPDX-License-Identifier: GPL-2.0-or-later
// The guest's ABI for seccomp(2), seccomp_unotify(2) and the classic BPF of its filters.
#pragma once

#include <cstddef>

#include "core/base/types.h"

namespace umbra::abi {

/// struct sock_filter: one instruction of a classic BPF program.
struct SockFilter {
    u16 code;
    u8 jump_true, jump_false;
    u32 k;
};
static_assert(sizeof(SockFilter) == 8);

/// struct sock_fprog.
struct SockProgram {
    u16 length;
    u8 padding[6];
    u64 filter;
};
static_assert(sizeof(SockProgram) == 16 && offsetof(SockProgram, filter) == 8);

constexpr u16 bpf_ld = 0, bpf_ldx = 1, bpf_st = 2, bpf_stx = 3, bpf_alu = 4, bpf_jmp = 5, bpf_ret = 6,
              bpf_misc = 7;
constexpr u16 bpf_imm = 0x00, bpf_abs = 0x20, bpf_mem = 0x60, bpf_len = 0x80; ///< of loads; all of 32 bits
constexpr u16 bpf_add = 0x00, bpf_sub = 0x10, bpf_mul = 0x20, bpf_div = 0x30, bpf_or = 0x40, bpf_and = 0x50,
              bpf_lsh = 0x60, bpf_rsh = 0x70, bpf_neg = 0x80, bpf_xor = 0xa0;
constexpr u16 bpf_ja = 0x00, bpf_jeq = 0x10, bpf_jgt = 0x20, bpf_jge = 0x30, bpf_jset = 0x40;
constexpr u16 bpf_k = 0x00, bpf_x = 0x08, bpf_a = 0x10; ///< the second operand, or what is returned
constexpr u16 bpf_tax = 0x00, bpf_txa = 0x80;
constexpr u64 bpf_max_instructions = 4096, bpf_memory_words = 16;

/// struct seccomp_data: what a filter sees of a call.
struct SeccompData {
    i32 number;
    u32 arch;
    u64 instruction; ///< behind the call
    u64 args[6];
};
static_assert(sizeof(SeccompData) == 64);
constexpr u32 audit_arch_i386 = 0x40000003;

constexpr u32 seccomp_mode_disabled = 0, seccomp_mode_strict = 1, seccomp_mode_filter = 2;
constexpr u32 seccomp_set_mode_strict = 0, seccomp_set_mode_filter = 1, seccomp_get_action_avail = 2,
              seccomp_get_notif_sizes = 3;

constexpr u32 seccomp_flag_tsync = 1, seccomp_flag_log = 2, seccomp_flag_spec_allow = 4,
              seccomp_flag_new_listener = 8, seccomp_flag_tsync_esrch = 16,
              seccomp_flag_wait_killable_recv = 32, seccomp_flag_mask = 63;

constexpr u32 seccomp_ret_kill_process = 0x80000000, seccomp_ret_kill_thread = 0,
              seccomp_ret_trap = 0x00030000, seccomp_ret_errno = 0x00050000,
              seccomp_ret_user_notif = 0x7fc00000, seccomp_ret_trace = 0x7ff00000,
              seccomp_ret_log = 0x7ffc0000, seccomp_ret_allow = 0x7fff0000;
constexpr u32 seccomp_ret_action = 0xffff0000, seccomp_ret_data = 0x0000ffff;

struct SeccompNotifSizes {
    u16 notification, response, data;
};
static_assert(sizeof(SeccompNotifSizes) == 6);

struct SeccompNotif {
    u64 id;
    u32 pid, flags;
    SeccompData data;
};
static_assert(sizeof(SeccompNotif) == 80);

struct SeccompNotifResponse {
    u64 id;
    i64 value;
    i32 error;
    u32 flags;
};
static_assert(sizeof(SeccompNotifResponse) == 24);
constexpr u32 seccomp_response_continue = 1;

struct SeccompNotifAddFd {
    u64 id;
    u32 flags, source_fd, new_fd, new_fd_flags;
};
static_assert(sizeof(SeccompNotifAddFd) == 24);
constexpr u32 seccomp_addfd_setfd = 1, seccomp_addfd_send = 2;

constexpr u64 seccomp_listener_sync_wake_up = 1;

constexpr u32 seccomp_ioctl_recv = 0xc0502100, seccomp_ioctl_send = 0xc0182101,
              seccomp_ioctl_id_valid = 0x40082102,
              seccomp_ioctl_id_valid_old
    = 0x80082102, ///< with the direction wrong, as Linux 5.0 to 5.7 had it
    seccomp_ioctl_addfd = 0x40182103, seccomp_ioctl_set_flags = 0x40082104;

/// PTRACE_SECCOMP_GET_METADATA.
struct SeccompMetadata {
    u64 filter_offset, flags;
};
static_assert(sizeof(SeccompMetadata) == 16);

} // namespace umbra::abi
