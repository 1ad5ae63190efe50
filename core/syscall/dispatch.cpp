// SPDX-License-Identifier: GPL-2.0-or-later
// From a trap's six words to a typed handler. The table is generated from table.def; each handler's own parameter
// types say how its words are to be read.
#include <array>
#include <type_traits>
#include <utility>

#include "core/syscall/syscall.h"
#include "core/trace/trace.h"

namespace umbra {

namespace {

template <typename T> T convert(u64 word)
{
    if constexpr (std::is_integral_v<T> || std::is_enum_v<T>)
        return static_cast<T>(word);
    else if constexpr (std::is_same_v<T, GuestFd> || std::is_same_v<T, Pid>)
        return T(static_cast<i32>(word));
    else if constexpr (std::is_same_v<T, GuestAddr>)
        return T(word);
    else
        return T { GuestAddr(word) };
}

template <auto Handler> struct Adapter;

template <typename... Args, SyscallResult (*Handler)(Task&, Args...)> struct Adapter<Handler> {
    static constexpr u8 count = sizeof...(Args);
    static SyscallResult call(Task& task, u64 const args[6])
    {
        return call_with(task, args, std::index_sequence_for<Args...> {});
    }
    template <size_t... I>
    static SyscallResult call_with(Task& task, [[maybe_unused]] u64 const args[6], std::index_sequence<I...>)
    {
        return Handler(task, convert<Args>(args[I])...);
    }
};

using Table = std::array<SyscallEntry, kSyscallTableSize>;

constexpr Table make_table()
{
    Table table {};
    // A number that stands twice would be assigned twice: the switch below refuses to compile then.
#define SYSCALL(number, name, level, note, ...)                                                              \
    table[number] = { #name, SyscallLevel::level, note, &Adapter<&sys_##name>::call,                         \
        Adapter<&sys_##name>::count, #__VA_ARGS__ };
#define REFUSED(number, name, note) table[number] = { #name, SyscallLevel::refused, note, nullptr, 0, "" };
#define MISSING(number, name, note) table[number] = { #name, SyscallLevel::missing, note, nullptr, 0, "" };
#include "core/syscall/table.def"
#undef SYSCALL
#undef REFUSED
#undef MISSING
    return table;
}

[[maybe_unused]] constexpr bool numbers_are_unique(int number)
{
    switch (number) {
#define SYSCALL(number, ...) case number:
#define REFUSED(number, ...) case number:
#define MISSING(number, ...) case number:
#include "core/syscall/table.def"
#undef SYSCALL
#undef REFUSED
#undef MISSING
        return true;
    default:
        return false;
    }
}

constexpr Table kTable = make_table();

} // namespace

SyscallEntry const* syscall_entry(i64 number)
{
    if (number < 0 || number >= kSyscallTableSize || !kTable[size_t(number)].name) return nullptr;
    return &kTable[size_t(number)];
}

SyscallResult dispatch_syscall(Task& task, i64 number, u64 const args[6])
{
    auto& trace = task.kernel().trace();
    trace.syscall_enter(task, number, args);
    SyscallResult result = err::nosys;
    if (u64(number) < u64(kSyscallTableSize) && kTable[size_t(number)].handler) [[likely]]
        result = kTable[size_t(number)].handler(task, args);
    trace.syscall_exit(task, number, args, result);
    return result;
}

} // namespace umbra
