// SPDX-License-Identifier: GPL-2.0-or-later
// The text of table.def.
#include "core/syscall/names.h"

#include <array>

namespace umbra {

namespace {
constexpr auto kTexts = [] {
    std::array<SyscallText, size_t(kSyscallNumberLimit)> texts {};
#define SYSCALL(number, name, level, note, ...) texts[number] = { #name, #level, note, #__VA_ARGS__ };
#define REFUSED(number, name, note) texts[number] = { #name, "refused", "ENOSYS " note, "" };
#define MISSING(number, name, note) texts[number] = { #name, "missing", note, "" };
#include "core/syscall/table.def"
#undef SYSCALL
#undef REFUSED
#undef MISSING
    return texts;
}();
} // namespace

SyscallText const* syscall_text(i64 number)
{
    if (number < 0 || number >= kSyscallNumberLimit || kTexts[size_t(number)].name.empty()) return nullptr;
    return &kTexts[size_t(number)];
}

i64 syscall_number(std::string_view name)
{
    for (i64 number = 0; number < kSyscallNumberLimit; ++number)
        if (!name.empty() && kTexts[size_t(number)].name == name) return number;
    return -1;
}

} // namespace umbra
