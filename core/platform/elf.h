// SPDX-License-Identifier: GPL-2.0-or-later
// What the kernel needs of an ELF file. parse_elf is implemented with libelf in arch-um/elf, outside core because
// libelf's header is the host's. Everything in the file is the guest's and may lie.
#pragma once

#include <span>
#include <vector>

#include "core/base/error.h"
#include "core/base/types.h"

namespace umbra::platform {

/// The size of what comes first in the file, of an entry of the table of program headers, and the most that Linux
/// takes of that table, in bytes.
constexpr u64 kElfHeaderSize = 64, kElfProgramHeaderSize = 56, kElfMaxTable = 64 << 10;

struct ElfSegment {
    u64 offset, address, file_size, memory_size, align;
    bool readable, writable, executable;
};

enum class ElfKind {
    fixed, ///< ET_EXEC
    position_independent, ///< ET_DYN
    no_program, ///< ET_REL, ET_CORE and whatever else
};

struct ElfImage {
    ElfKind kind;
    u64 entry;
    u64 program_headers_offset;
    u16 program_header_count;
    std::vector<ElfSegment> loads; ///< in the order of the file; all sums of their fields are below 2^63
    bool mappable = true; ///< false: there is no segment, or one that no address space can hold
    bool has_interpreter = false; ///< PT_INTERP, with
    u64 interpreter_offset = 0, interpreter_size = 0; ///< these, unchecked
    bool executable_stack = false;
    u64 lowest = 0, highest = 0; ///< page-aligned span of the loads
};

/// A piece of the file.
struct ElfTable {
    u64 offset, size;
};

/// Where the program headers stand. `first`: the file's first kElfHeaderSize bytes. ENOEXEC where that is no header of
/// a file for this machine. Class and byte order are not looked at, nor are they by Linux.
Result<ElfTable> elf_program_headers(std::span<u8 const> first);
/// `table`: the bytes that elf_program_headers() names. ENOEXEC where it is too short.
Result<ElfImage> parse_elf(std::span<u8 const> first, std::span<u8 const> table);

} // namespace umbra::platform
