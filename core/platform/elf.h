// SPDX-License-Identifier: GPL-2.0-or-later
// What the kernel needs of an ELF file. parse_elf is implemented with libelf in arch-um/elf, outside core because
// libelf's header is the host's.
#pragma once

#include <span>
#include <vector>

#include "core/base/error.h"
#include "core/base/types.h"

namespace umbra::platform {

struct ElfSegment {
    u64 offset, address, file_size, memory_size, align;
    bool readable, writable, executable;
};
struct ElfImage {
    bool position_independent; ///< ET_DYN
    u64 entry;
    u64 program_headers_offset;
    u16 program_header_count;
    std::vector<ElfSegment> loads; ///< in the order of the file
    u64 interpreter_offset = 0, interpreter_size = 0; ///< PT_INTERP; size 0: none
    bool executable_stack = false;
    u64 lowest = 0, highest = 0; ///< page-aligned span of the loads
};

/// How many bytes of the file parse_elf needs, from its first 64 bytes; 0 where it is no 64-bit x86-64 ELF program.
u64 elf_header_extent(std::span<u8 const> first);
/// `header`: the file's first elf_header_extent() bytes; `file_size`: of the whole. ENOEXEC, ELIBBAD-free: the caller
/// turns errors of an interpreter into ELIBBAD.
Result<ElfImage> parse_elf(std::span<u8 const> header, u64 file_size);

} // namespace umbra::platform
