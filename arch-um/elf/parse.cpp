// SPDX-License-Identifier: GPL-2.0-or-later
// ELF program headers by libelf. Everything in the file is hostile: all sums are checked before they are believed.
// tests/fuzz feeds this with anything.
#include "core/platform/elf.h"

#include <algorithm>
#include <cstring>

#include <gelf.h>
#include <libelf.h>

namespace umbra::platform {

static_assert(kElfHeaderSize == sizeof(Elf64_Ehdr) && kElfProgramHeaderSize == sizeof(Elf64_Phdr));

namespace {

constexpr u64 kAddressLimit = u64 { 1 } << 47;
constexpr u64 kOffsetLimit = u64 { 1 } << 63; // a file's offsets are signed

/// Linux maps each segment before it has looked at the next, so the caller is lost by the time this matters.
bool can_be_mapped(GElf_Phdr const& p)
{
    if (p.p_filesz > p.p_memsz || p.p_memsz > kAddressLimit || p.p_vaddr > kAddressLimit - p.p_memsz)
        return false;
    if (p.p_filesz == 0) return true;
    return p.p_offset < kOffsetLimit - kAddressLimit && (p.p_vaddr & kPageMask) == (p.p_offset & kPageMask);
}

void add_load(ElfImage& image, GElf_Phdr const& p)
{
    if (!can_be_mapped(p)) image.mappable = false;
    if (!image.mappable || p.p_memsz == 0) return;
    image.loads.push_back({ p.p_offset, p.p_vaddr, p.p_filesz, p.p_memsz, p.p_align, bool(p.p_flags & PF_R),
        bool(p.p_flags & PF_W), bool(p.p_flags & PF_X) });
}

bool fill(ElfImage& image, Elf* elf)
{
    for (int i = 0; i < image.program_header_count; ++i) {
        GElf_Phdr p;
        if (!gelf_getphdr(elf, i, &p)) return false;
        if (p.p_type == PT_LOAD) add_load(image, p);
        if (p.p_type == PT_INTERP && !image.has_interpreter) {
            image.has_interpreter = true;
            image.interpreter_offset = p.p_offset, image.interpreter_size = p.p_filesz;
        }
        if (p.p_type == PT_GNU_STACK) image.executable_stack = p.p_flags & PF_X;
    }
    if (image.loads.empty()) image.mappable = false;
    if (!image.mappable) return true;
    image.lowest = ~u64 { 0 };
    for (auto const& l : image.loads) {
        image.lowest = std::min(image.lowest, page_down(l.address));
        image.highest = std::max(image.highest, page_up(l.address + l.memory_size));
    }
    return true;
}

ElfKind kind_of(Elf64_Ehdr const& h)
{
    if (h.e_type == ET_EXEC) return ElfKind::fixed;
    return h.e_type == ET_DYN ? ElfKind::position_independent : ElfKind::no_program;
}

/// An image of header and table alone, which libelf finds nothing wrong with: the table follows the header, and what
/// is not needed here, or not looked at by Linux, is as it should be.
std::vector<char> clean_image(Elf64_Ehdr h, std::span<u8 const> table)
{
    std::memset(h.e_ident, 0, sizeof h.e_ident);
    std::memcpy(h.e_ident, ELFMAG, SELFMAG);
    h.e_ident[EI_CLASS] = ELFCLASS64, h.e_ident[EI_DATA] = ELFDATA2LSB;
    h.e_ident[EI_VERSION] = EV_CURRENT, h.e_version = EV_CURRENT;
    h.e_ehsize = sizeof h, h.e_phoff = sizeof h;
    h.e_shoff = 0, h.e_shnum = 0, h.e_shstrndx = 0;
    std::vector<char> image(sizeof h + table.size());
    std::memcpy(image.data(), &h, sizeof h);
    std::memcpy(image.data() + sizeof h, table.data(), table.size());
    return image;
}

} // namespace

Result<ElfTable> elf_program_headers(std::span<u8 const> first)
{
    Elf64_Ehdr h;
    if (first.size() < sizeof h) return err::noexec;
    std::memcpy(&h, first.data(), sizeof h);
    if (std::memcmp(h.e_ident, ELFMAG, SELFMAG) != 0 || h.e_machine != EM_X86_64) return err::noexec;
    u64 size = u64 { h.e_phnum } * sizeof(Elf64_Phdr);
    if (h.e_phentsize != sizeof(Elf64_Phdr) || size == 0 || size > kElfMaxTable) return err::noexec;
    if (h.e_phoff >= kOffsetLimit - size) return err::noexec;
    return ElfTable { h.e_phoff, size };
}

Result<ElfImage> parse_elf(std::span<u8 const> first, std::span<u8 const> table)
{
    auto place = TRY(elf_program_headers(first));
    if (table.size() < place.size) return err::noexec;
    Elf64_Ehdr h;
    std::memcpy(&h, first.data(), sizeof h);
    elf_version(EV_CURRENT);
    // libelf wants memory that it may write, although it only reads.
    auto bytes = clean_image(h, table.first(place.size));
    Elf* elf = elf_memory(bytes.data(), bytes.size());
    if (!elf) return err::noexec;
    ElfImage image {};
    image.kind = kind_of(h);
    image.entry = h.e_entry;
    image.program_headers_offset = h.e_phoff;
    image.program_header_count = h.e_phnum;
    bool good = fill(image, elf);
    elf_end(elf);
    if (!good) return err::noexec;
    return image;
}

} // namespace umbra::platform
