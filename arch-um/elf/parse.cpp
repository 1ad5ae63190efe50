// SPDX-License-Identifier: GPL-2.0-or-later
// ELF program headers by libelf. Everything in the file is hostile: all sums are checked before they are believed.
#include "core/platform/elf.h"

#include <algorithm>
#include <cstring>

#include <gelf.h>
#include <libelf.h>

namespace umbra::platform {

namespace {

constexpr u64 kMaxHeaders = 64 << 10; // Linux refuses more than 64 KiB of program headers
constexpr u64 kAddressLimit = u64 { 1 } << 47;

bool add_load(ElfImage& image, GElf_Phdr const& p, u64 file_size)
{
    if (p.p_memsz == 0) return true;
    if (p.p_filesz > p.p_memsz || p.p_memsz > kAddressLimit || p.p_vaddr > kAddressLimit - p.p_memsz) return false;
    if (p.p_offset > file_size || p.p_filesz > file_size - p.p_offset) return false;
    if ((p.p_vaddr & kPageMask) != (p.p_offset & kPageMask)) return false;
    image.loads.push_back({ p.p_offset, p.p_vaddr, p.p_filesz, p.p_memsz, p.p_align, bool(p.p_flags & PF_R),
        bool(p.p_flags & PF_W), bool(p.p_flags & PF_X) });
    return true;
}

bool fill(ElfImage& image, Elf* elf, GElf_Ehdr const& header, u64 file_size)
{
    for (int i = 0; i < header.e_phnum; ++i) {
        GElf_Phdr p;
        if (!gelf_getphdr(elf, i, &p)) return false;
        if (p.p_type == PT_LOAD && !add_load(image, p, file_size)) return false;
        if (p.p_type == PT_INTERP && image.interpreter_size == 0) {
            if (p.p_filesz < 2 || p.p_filesz > 4096 || p.p_offset > file_size || p.p_filesz > file_size - p.p_offset)
                return false;
            image.interpreter_offset = p.p_offset, image.interpreter_size = p.p_filesz;
        }
        if (p.p_type == PT_GNU_STACK) image.executable_stack = p.p_flags & PF_X;
    }
    if (image.loads.empty()) return false;
    image.lowest = ~u64 { 0 };
    for (auto const& l : image.loads) {
        image.lowest = std::min(image.lowest, page_down(l.address));
        image.highest = std::max(image.highest, page_up(l.address + l.memory_size));
    }
    return true;
}

} // namespace

u64 elf_header_extent(std::span<u8 const> first)
{
    if (first.size() < sizeof(Elf64_Ehdr)) return 0;
    Elf64_Ehdr h;
    std::memcpy(&h, first.data(), sizeof h);
    if (std::memcmp(h.e_ident, ELFMAG, SELFMAG) != 0 || h.e_ident[EI_CLASS] != ELFCLASS64
        || h.e_ident[EI_DATA] != ELFDATA2LSB || h.e_machine != EM_X86_64)
        return 0;
    if (h.e_type != ET_EXEC && h.e_type != ET_DYN) return 0;
    if (h.e_phentsize != sizeof(Elf64_Phdr) || h.e_phnum == 0) return 0;
    u64 size = u64(h.e_phnum) * sizeof(Elf64_Phdr);
    if (size > kMaxHeaders || h.e_phoff > (u64 { 1 } << 40)) return 0;
    // Program headers beyond the first megabyte are legal but unheard of; they would be read whole.
    if (h.e_phoff + size > (1 << 20)) return 0;
    return std::max<u64>(sizeof h, h.e_phoff + size);
}

Result<ElfImage> parse_elf(std::span<u8 const> header, u64 file_size)
{
    u64 extent = elf_header_extent(header);
    if (extent == 0 || extent > header.size()) return err::noexec;
    elf_version(EV_CURRENT);
    // libelf wants a writable image although it only reads; and section headers, which are not needed here and may lie
    // beyond what was read, are cut off.
    std::vector<char> copy(reinterpret_cast<char const*>(header.data()), reinterpret_cast<char const*>(header.data()) + extent);
    Elf64_Ehdr h;
    std::memcpy(&h, copy.data(), sizeof h);
    h.e_shoff = 0, h.e_shnum = 0, h.e_shstrndx = 0;
    std::memcpy(copy.data(), &h, sizeof h);
    Elf* elf = elf_memory(copy.data(), copy.size());
    if (!elf) return err::noexec;
    ElfImage image {};
    GElf_Ehdr eh;
    bool good = gelf_getehdr(elf, &eh) && fill(image, elf, eh, file_size);
    elf_end(elf);
    if (!good) return err::noexec;
    image.position_independent = h.e_type == ET_DYN;
    image.entry = h.e_entry;
    image.program_headers_offset = h.e_phoff;
    image.program_header_count = h.e_phnum;
    return image;
}

} // namespace umbra::platform
