// SPDX-License-Identifier: GPL-2.0-or-later
// Reading the program's own symbol table.
#include "arch-um/boot/symbols.h"

#include <cxxabi.h>
#include <fcntl.h>
#include <link.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>

namespace umbra::boot {

namespace {
/// The first object that the dynamic linker names is the program.
int take_base(dl_phdr_info* info, size_t, void* base)
{
    *static_cast<u64*>(base) = info->dlpi_addr;
    return 1;
}
} // namespace

Symbols::Symbols()
{
    (void)::dl_iterate_phdr(take_base, &base_);
    int fd = ::open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    if (fd < 0) return;
    struct stat status { };
    if (::fstat(fd, &status) == 0 && status.st_size > 0) {
        void* memory = ::mmap(nullptr, size_t(status.st_size), PROT_READ, MAP_PRIVATE, fd, 0);
        if (memory != MAP_FAILED) {
            image_ = static_cast<u8 const*>(memory);
            size_ = u64(status.st_size);
        }
    }
    ::close(fd);
    if (image_ && !locate_tables()) count_ = 0;
}

Symbols::~Symbols()
{
    if (image_) ::munmap(const_cast<u8*>(image_), size_);
}

bool Symbols::locate_tables()
{
    if (size_ < sizeof(Elf64_Ehdr)) return false;
    auto const* header
        = reinterpret_cast<Elf64_Ehdr const*>(image_); // page-aligned, so the fields are in place
    if (!in_file(header->e_shoff, u64(header->e_shnum) * sizeof(Elf64_Shdr))) return false;
    auto const* sections = reinterpret_cast<Elf64_Shdr const*>(image_ + header->e_shoff);
    for (unsigned i = 0; i < header->e_shnum; ++i) {
        Elf64_Shdr const& table = sections[i];
        if (table.sh_type != SHT_SYMTAB || table.sh_link >= header->e_shnum) continue;
        Elf64_Shdr const& names = sections[table.sh_link];
        if (!in_file(table.sh_offset, table.sh_size) || !in_file(names.sh_offset, names.sh_size))
            return false;
        symbols_ = reinterpret_cast<Elf64_Sym const*>(image_ + table.sh_offset);
        count_ = table.sh_size / sizeof(Elf64_Sym);
        strings_ = reinterpret_cast<char const*>(image_ + names.sh_offset);
        strings_size_ = names.sh_size;
        return strings_size_ > 0 && strings_[strings_size_ - 1] == 0;
    }
    return false;
}

bool Symbols::find(u64 address, char* name, size_t size, u64& offset) const
{
    u64 wanted = address - base_;
    for (u64 i = 0; i < count_; ++i) {
        Elf64_Sym const& symbol = symbols_[i];
        if (ELF64_ST_TYPE(symbol.st_info) != STT_FUNC || symbol.st_name >= strings_size_) continue;
        if (wanted < symbol.st_value || wanted - symbol.st_value >= symbol.st_size) continue;
        offset = wanted - symbol.st_value;
        int status = -1;
        char* plain = ::abi::__cxa_demangle(strings_ + symbol.st_name, nullptr, nullptr, &status);
        std::snprintf(name, size, "%s", plain ? plain : strings_ + symbol.st_name);
        std::free(plain);
        return true;
    }
    return false;
}

} // namespace umbra::boot
