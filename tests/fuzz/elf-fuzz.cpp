// SPDX-License-Identifier: GPL-2.0-or-later
// libFuzzer target: the loader's view of an ELF file, which is any bytes at all. Besides what the sanitizers see, it
// holds the parser to what core/platform/elf.h promises the loader.

#include "core/platform/elf.h"
#include "tests/fuzz/fuzz.h"

using namespace umbra;

namespace {

void check_promises(platform::ElfImage const& image)
{
    if (!image.mappable) return;
    require(!image.loads.empty() && image.lowest <= image.highest);
    constexpr u64 limit = u64 { 1 } << 63;
    for (auto const& s : image.loads) {
        require(s.memory_size > 0 && s.file_size <= s.memory_size && s.memory_size < limit);
        require(s.address < limit - s.memory_size);
        require(page_down(s.address) >= image.lowest && page_up(s.address + s.memory_size) <= image.highest);
        if (s.file_size == 0) continue;
        require(s.offset < limit - s.file_size);
        require((s.offset & kPageMask) == (s.address & kPageMask));
    }
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(u8 const* data, size_t size)
{
    std::span<u8 const> file(data, size);
    auto place = platform::elf_program_headers(file);
    if (place.is_error()) return 0;
    auto [offset, length] = place.value();
    // As read_at() in core/task/exec.cpp: what lies beyond the end is missing.
    auto table
        = offset < size ? file.subspan(offset, std::min<u64>(length, size - offset)) : std::span<u8 const>();
    auto image = platform::parse_elf(file, table);
    if (image.ok()) check_promises(image.value());
    return 0;
}
