// SPDX-License-Identifier: GPL-2.0-or-later
// The guest's ABI for uname(2), sysinfo(2), syslog(2), getrandom(2), personality(2), reboot(2).
#pragma once

#include <cstddef>

#include "core/base/types.h"

namespace umbra::abi {

constexpr char const* kSystemName = "Linux";
constexpr char const* kRelease = "6.12.0-umbra";
constexpr char const* kVersion = "#1 SMP PREEMPT_DYNAMIC Umbra";
constexpr char const* kMachine = "x86_64";

constexpr u64 utsname_length = 64;
struct Utsname {
    char sysname[65], nodename[65], release[65], version[65], machine[65], domainname[65];
};
static_assert(sizeof(Utsname) == 390);

struct Sysinfo {
    i64 uptime;
    u64 loads[3]; ///< fixed point, 16 bits of fraction
    u64 totalram, freeram, sharedram, bufferram, totalswap, freeswap;
    u16 procs, pad;
    u32 pad2;
    u64 totalhigh, freehigh;
    u32 mem_unit;
    u32 pad3;
};
static_assert(sizeof(Sysinfo) == 112 && offsetof(Sysinfo, mem_unit) == 104);

constexpr u32 grnd_nonblock = 1, grnd_random = 2, grnd_insecure = 4;

constexpr u32 personality_uname26 = 0x0020000, personality_query = 0xffffffff;
constexpr u32 personality_no_randomize = 0x0040000, personality_zero_page = 0x0100000,
              personality_compat_layout = 0x0200000, personality_read_executes = 0x0400000,
              personality_sticky_timeouts = 0x4000000;
/// What a program that gains privileges does not keep (PER_CLEAR_ON_SETID).
constexpr u32 personality_insecure = personality_no_randomize | personality_zero_page
    | personality_compat_layout | personality_read_executes;

constexpr i32 syslog_close = 0, syslog_open = 1, syslog_read = 2, syslog_read_all = 3, syslog_read_clear = 4;
constexpr i32 syslog_clear = 5, syslog_console_off = 6, syslog_console_on = 7, syslog_console_level = 8;
constexpr i32 syslog_size_unread = 9, syslog_size_buffer = 10;

constexpr u32 reboot_magic1 = 0xfee1dead;
constexpr u32 reboot_magic2[] = { 672274793, 85072278, 369367448, 537993216 };
constexpr u32 reboot_restart = 0x01234567, reboot_halt = 0xcdef0123, reboot_power_off = 0x4321fedc;
constexpr u32 reboot_restart2 = 0xa1b2c3d4, reboot_cad_on = 0x89abcdef, reboot_cad_off = 0;

} // namespace umbra::abi
