// SPDX-License-Identifier: GPL-2.0-or-later
// The vectors of readv(2), sendmsg(2), vmsplice(2): checked and made into an IoBuffer.
#pragma once

#include <algorithm>
#include <vector>

#include "core/abi/iovec.h"
#include "core/base/error.h"
#include "core/mm/user.h"
#include "core/task/task.h"

namespace umbra {

/// EINVAL for more than 1024 pieces or a negative length; what exceeds the most that one call moves is left
/// out.
inline Result<IoBuffer> import_iovec(Task& task, UserIn<abi::Iovec> vector, u64 count)
{
    constexpr u64 limit = 0x7ffff000; // MAX_RW_COUNT
    if (count > abi::iov_max) return err::inval;
    auto pieces = TRY(vector.copy_in_array(task, count));
    std::vector<IoBuffer::Segment> segments;
    segments.reserve(count);
    u64 total = 0;
    for (auto const& piece : pieces) {
        if (i64(piece.length) < 0) return err::inval;
        u64 length = std::min(piece.length, limit - total);
        if (length > 0) segments.push_back({ piece.base, length });
        total += length;
    }
    if (segments.size() == 1) return IoBuffer::user(task, GuestAddr(segments[0].address), segments[0].length);
    return IoBuffer::user(task, std::move(segments));
}

} // namespace umbra
