// SPDX-License-Identifier: GPL-2.0-or-later
// See host-vdso.h. The vDSO's format is in Linux's tools/testing/selftests/vDSO/parse_vdso.c and vdso(7).
#include "arch-um/stub/host-vdso.h"

#include <algorithm>
#include <charconv>
#include <string>

#include <elf.h>
#include <fcntl.h>

#include "hostabi/fd.h"

namespace umbra::stub {

namespace {
constexpr u64 kMapsLimit = 4 << 20;
constexpr u64 kMaxPartSize = 1 << 20;

std::string read_maps()
{
    auto fd = hostabi::OwnedFd::open("/proc/self/maps", O_RDONLY);
    if (fd.is_error()) return {};
    std::string text(kMapsLimit, '\0');
    auto count = hostabi::read_all(fd.value().get(), { reinterpret_cast<u8*>(text.data()), text.size() });
    text.resize(count.value_or(0));
    return text;
}

template <typename T> T const* in_image(u64 address)
{
    return reinterpret_cast<T const*>(address); // the image is mapped readable in this process
}

struct DynamicTables {
    Elf64_Sym const* symbols = nullptr;
    char const* names = nullptr;
    u64 symbol_count = 0;
};

/// The vDSO is not relocated: its dynamic entries hold offsets from its link address, which is 0.
DynamicTables dynamic_tables(u64 image)
{
    auto const* header = in_image<Elf64_Ehdr>(image);
    auto const* segments = in_image<Elf64_Phdr>(image + header->e_phoff);
    DynamicTables tables;
    for (int i = 0; i < header->e_phnum; ++i) {
        if (segments[i].p_type != PT_DYNAMIC) continue;
        for (auto const* d = in_image<Elf64_Dyn>(image + segments[i].p_offset); d->d_tag != DT_NULL; ++d) {
            if (d->d_tag == DT_SYMTAB) tables.symbols = in_image<Elf64_Sym>(image + d->d_un.d_ptr);
            if (d->d_tag == DT_STRTAB) tables.names = in_image<char>(image + d->d_un.d_ptr);
            if (d->d_tag == DT_HASH) tables.symbol_count = in_image<u32>(image + d->d_un.d_ptr)[1];
        }
    }
    // Newer vDSOs have only DT_GNU_HASH: the string table directly follows the symbols in all of them.
    if (!tables.symbol_count && tables.symbols)
        tables.symbol_count
            = static_cast<u64>(tables.names - in_image<char>(reinterpret_cast<u64>(tables.symbols)))
            / sizeof(Elf64_Sym);
    return tables;
}
} // namespace

HostVdso HostVdso::find()
{
    HostVdso found;
    std::string const maps = read_maps();
    for (std::size_t at = 0; at < maps.size();) {
        auto const end = std::min(maps.find('\n', at), maps.size());
        std::string_view const line(maps.data() + at, end - at);
        at = end + 1;
        bool const is_image = line.ends_with("[vdso]");
        if (!is_image && line.find("[vvar") == line.npos) continue;
        VdsoPart part {};
        auto const dash = line.find('-');
        auto const space = line.find(' ');
        std::from_chars(line.data(), line.data() + dash, part.start, 16);
        std::from_chars(line.data() + dash + 1, line.data() + space, part.end, 16);
        if (part.end - part.start > kMaxPartSize || found.parts_.size() == kMaxVdsoParts) return {};
        found.parts_.push_back(part);
        if (is_image) found.image_ = part.start;
    }
    if (!found.image_) return {};
    return found;
}

u64 HostVdso::function_in_stub(std::string_view name) const
{
    if (!image_) return 0;
    DynamicTables const tables = dynamic_tables(image_);
    for (u64 i = 0; i < tables.symbol_count; ++i) {
        Elf64_Sym const& symbol = tables.symbols[i];
        if (symbol.st_shndx == SHN_UNDEF || name != tables.names + symbol.st_name) continue;
        return kHostVdso + (image_ - base()) + symbol.st_value;
    }
    return 0;
}

} // namespace umbra::stub
