// SPDX-License-Identifier: GPL-2.0-or-later
// Structures that grow from version to version of Linux: the caller says how long its own is.
#pragma once

#include <algorithm>
#include <cstring>

#include "core/syscall/syscall.h"

namespace umbra {

/// What is shorter is filled up with zeroes; what is longer must be zero beyond what is known (Linux:
/// copy_struct_from_user). E2BIG, EFAULT. The caller has bounded `size`.
template <UserCopyable T> Result<T> copy_in_versioned(Task& task, GuestAddr address, u64 size)
{
    auto const bytes = TRY(UserIn<u8> { address }.copy_in_array(task, size));
    for (u64 i = sizeof(T); i < size; ++i)
        if (bytes[i]) return err::too_big;
    T value {};
    std::memcpy(&value, bytes.data(), std::min<u64>(size, sizeof(T)));
    return value;
}

} // namespace umbra
