// SPDX-License-Identifier: GPL-2.0-or-later
// The guest's ABI for signals (signal(7), sigaction(2)): numbers, codes, siginfo_t, sigaction, stack_t.
#pragma once

#include <cstddef>
#include <cstring>

#include "core/base/types.h"

namespace umbra::abi {

constexpr int sighup = 1, sigint = 2, sigquit = 3, sigill = 4, sigtrap = 5, sigabrt = 6, sigbus = 7,
              sigfpe = 8;
constexpr int sigkill = 9, sigusr1 = 10, sigsegv = 11, sigusr2 = 12, sigpipe = 13, sigalrm = 14, sigterm = 15;
constexpr int sigstkflt = 16, sigchld = 17, sigcont = 18, sigstop = 19, sigtstp = 20, sigttin = 21,
              sigttou = 22;
constexpr int sigurg = 23, sigxcpu = 24, sigxfsz = 25, sigvtalrm = 26, sigprof = 27, sigwinch = 28,
              sigio = 29;
constexpr int sigpwr = 30, sigsys = 31, sigrtmin = 32, sigrtmax = 64;
constexpr int signal_count = 64;

/// Bit of a signal in a 64-bit set.
constexpr u64 sigbit(int signal) { return u64 { 1 } << (signal - 1); }

constexpr u64 sa_nocldstop = 1, sa_nocldwait = 2, sa_siginfo = 4, sa_unsupported = 0x400,
              sa_expose_tagbits = 0x800;
constexpr u64 sa_restorer = 0x04000000, sa_onstack = 0x08000000, sa_restart = 0x10000000,
              sa_nodefer = 0x40000000;
constexpr u64 sa_resethand = 0x80000000;
constexpr u64 sig_dfl = 0, sig_ign = 1;

constexpr i32 si_user = 0, si_kernel = 0x80, si_queue = -1, si_timer = -2, si_mesgq = -3, si_asyncio = -4;
constexpr i32 si_sigio = -5, si_tkill = -6;
constexpr i32 cld_exited = 1, cld_killed = 2, cld_dumped = 3, cld_trapped = 4, cld_stopped = 5,
              cld_continued = 6;
constexpr i32 segv_maperr = 1, segv_accerr = 2, bus_adraln = 1, bus_adrerr = 2, fpe_intdiv = 1,
              ill_illopn = 2;
constexpr i32 trap_brkpt = 1, trap_trace = 2, trap_hwbkpt = 4, sys_seccomp = 1;

struct KernelSigaction {
    u64 handler;
    u64 flags;
    u64 restorer;
    u64 mask;
};
static_assert(sizeof(KernelSigaction) == 32);

struct StackT {
    u64 sp;
    i32 flags;
    i32 pad = 0;
    u64 size;
};
static_assert(sizeof(StackT) == 24);
constexpr i32 ss_onstack = 1, ss_disable = 2;
constexpr u32 ss_autodisarm = 1u << 31;
constexpr u64 minsigstksz = 2048;

/// siginfo_t: 128 bytes, a union by kind.
struct SigInfo {
    i32 signo = 0;
    i32 error = 0;
    i32 code = 0;
    i32 origin
        = 0; ///< padding in the ABI; kTimer or kForced while the signal is queued, never shown to guests
    static constexpr i32 kTimer = 1, kForced = 2;
    union {
        struct {
            i32 pid;
            u32 uid;
            u64 value;
        } kill; ///< SI_USER, SI_TKILL, SI_QUEUE (value)
        struct {
            i32 timer_id, overrun;
            u64 value;
            i32 private_;
        } timer;
        struct {
            i32 pid;
            u32 uid;
            i32 status, pad;
            i64 utime, stime;
        } child;
        struct {
            u64 address;
            i16 lsb;
        } fault;
        struct {
            i64 band;
            i32 fd;
        } poll;
        struct {
            u64 call_address;
            i32 syscall;
            u32 arch;
        } sys;
        u8 raw[112];
    };
    SigInfo() { std::memset(raw, 0, sizeof raw); }
};
static_assert(sizeof(SigInfo) == 128 && offsetof(SigInfo, kill) == 16);

constexpr i32 sig_block = 0, sig_unblock = 1, sig_setmask = 2;

} // namespace umbra::abi
