// SPDX-License-Identifier: GPL-2.0-or-later
// The guest's ABI for core files: elf(5) and what the kernel puts into the notes.
#pragma once

#include <cstddef>

#include "core/base/types.h"
#include "core/platform/registers.h"

namespace umbra::abi {

struct ElfFileHeader {
    u8 identification[16];
    u16 type, machine;
    u32 version;
    u64 entry, program_headers, section_headers;
    u32 flags;
    u16 size, program_header_size, program_header_count;
    u16 section_header_size, section_header_count, string_section;
};
static_assert(sizeof(ElfFileHeader) == 64);

struct ElfProgramHeader {
    u32 type, flags;
    u64 offset, address, physical_address, file_size, memory_size, alignment;
};
static_assert(sizeof(ElfProgramHeader) == 56);

constexpr u16 et_core = 4, em_x86_64 = 62;
constexpr u32 pt_load = 1, pt_note = 4;

struct ElfNoteHeader {
    u32 name_size, description_size, type;
};
static_assert(sizeof(ElfNoteHeader) == 12);

constexpr u32 nt_core_prstatus = 1, nt_core_fpregset = 2, nt_core_prpsinfo = 3, nt_core_auxv = 6,
              nt_core_siginfo = 0x53494749, nt_core_file = 0x46494c45, nt_core_xstate = 0x202;

/// struct elf_prstatus
struct CoreStatus {
    i32 signal, code, error;
    i16 current_signal;
    i16 pad0 = 0;
    u64 pending, held;
    i32 pid, parent, group, session;
    struct Time {
        i64 seconds, microseconds;
    } user, system, children_user, children_system;
    platform::Registers registers;
    i32 fp_valid;
    i32 pad1 = 0;
};
static_assert(sizeof(CoreStatus) == 336 && offsetof(CoreStatus, registers) == 112);

/// struct elf_prpsinfo
struct CoreProcess {
    i8 state, state_letter, is_zombie, nice;
    u32 pad = 0;
    u64 flags;
    u32 uid, gid;
    i32 pid, parent, group, session;
    char name[16];
    char arguments[80];
};
static_assert(sizeof(CoreProcess) == 136 && offsetof(CoreProcess, name) == 40);

/// /proc/PID/coredump_filter
enum DumpFilter : u32 {
    dump_anonymous_private = 1,
    dump_anonymous_shared = 2,
    dump_mapped_private = 4,
    dump_mapped_shared = 8,
    dump_elf_headers = 16,
};

} // namespace umbra::abi
