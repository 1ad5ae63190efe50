// SPDX-License-Identifier: GPL-2.0-or-later
// Reading the log in pieces of any size.
#include "core/printk/reader.h"

#include <algorithm>

namespace umbra {

namespace {
/// The position, moved past records that were dropped before anybody read them.
Printk::SharedReader position_of(Printk const& log)
{
    if (log.shared_reader.sequence >= log.first_sequence()) return log.shared_reader;
    return { log.first_sequence(), 0 };
}
} // namespace

bool has_shared_log(Printk const& log) { return position_of(log).sequence < log.next_sequence(); }

Result<u64> read_shared_log(Printk& log, IoBuffer& out)
{
    u64 total = 0;
    while (out.remaining() && has_shared_log(log)) {
        auto at = position_of(log);
        std::string text = format_record(*log.record(at.sequence), true);
        // The copy may wait, and another reader may come meanwhile: take first, then give.
        u64 count = std::min<u64>(out.remaining(), text.size() - at.offset);
        bool whole = at.offset + count == text.size();
        log.shared_reader = whole ? Printk::SharedReader { at.sequence + 1, 0 }
                                  : Printk::SharedReader { at.sequence, at.offset + count };
        auto moved = out.put(text.data() + at.offset, count);
        if (moved.is_error()) return total ? Result<u64>(total) : moved;
        total += moved.value();
    }
    if (!total && out.remaining()) return err::again;
    return total;
}

u64 unread_shared_log(Printk const& log)
{
    auto at = position_of(log);
    u64 total = 0;
    for (u64 sequence = at.sequence; sequence < log.next_sequence(); ++sequence)
        total += format_record(*log.record(sequence), true).size();
    return total - at.offset;
}

} // namespace umbra
