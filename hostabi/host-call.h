// SPDX-License-Identifier: GPL-2.0-or-later
// The raw way into the host: one system call, its result or a negative errno. libc's errno is never touched,
// because a fiber may continue on another thread after a wait and would read that thread's errno.
#pragma once

#include <type_traits>

#include "core/base/types.h"
#include "hostabi/host-result.h"

namespace umbra::hostabi {

namespace detail {
template <typename T> long as_word(T value)
{
    if constexpr (std::is_same_v<T, std::nullptr_t>)
        return 0;
    else if constexpr (std::is_pointer_v<T>)
        return reinterpret_cast<long>(value); // the kernel's ABI passes pointers as words
    else
        return static_cast<long>(value);
}
} // namespace detail

/// Makes the host's system call `number`: its result, or a negative errno.
template <typename... Args> inline i64 host_call(long number, Args... args)
{
    static_assert(sizeof...(Args) <= 6);
    long const a[6] = { detail::as_word(args)... };
    register long r10 asm("r10") = a[3];
    register long r8 asm("r8") = a[4];
    register long r9 asm("r9") = a[5];
    long result;
    // `syscall` overwrites rcx and r11; "memory" because the host reads and writes through the pointers.
    asm volatile("syscall"
                 : "=a"(result)
                 : "0"(number), "D"(a[0]), "S"(a[1]), "d"(a[2]), "r"(r10), "r"(r8), "r"(r9)
                 : "rcx", "r11", "memory");
    return result;
}

inline bool is_host_error(i64 result) { return result < 0 && result >= -4095; }

/// The value of a host call, or its errno.
inline HostResult<i64> host_value(i64 result)
{
    if (is_host_error(result)) return HostErrno { static_cast<i32>(-result) };
    return result;
}

/// For host calls whose value says nothing beyond success.
inline HostResult<void> host_status(i64 result)
{
    if (is_host_error(result)) return HostErrno { static_cast<i32>(-result) };
    return {};
}

} // namespace umbra::hostabi
