// SPDX-License-Identifier: GPL-2.0-or-later
// syslog(2), which dmesg falls back to and log daemons of old read with.
#include <algorithm>

#include "core/abi/system.h"
#include "core/printk/printk.h"
#include "core/printk/reader.h"
#include "core/syscall/syscall.h"

namespace umbra {

using namespace abi;

namespace {
/// What does not change anything is open to all (kernel.dmesg_restrict is 0).
Result<void> check_syslog(Task const& task, i32 type)
{
    if (type == syslog_read_all || type == syslog_size_buffer) return {};
    auto const& who = task.credentials();
    return who.has(Capability::syslog) || who.has(Capability::sys_admin) ? Result<void>() : err::perm;
}

/// The newest records that fit, oldest first.
SyscallResult read_all(Task& task, Printk& log, GuestAddr buffer, u64 length, bool clear)
{
    std::string text;
    u64 first = log.next_sequence();
    for (u64 size = 0; first > log.cleared_sequence(); --first) {
        size += format_record(*log.record(first - 1), true).size();
        if (size > length) break;
    }
    for (u64 sequence = first; sequence < log.next_sequence(); ++sequence)
        text += format_record(*log.record(sequence), true);
    if (clear) log.clear();
    TRY(copy_to_user(task, buffer, text.data(), text.size()));
    return i64(text.size());
}

SyscallResult read_some(Task& task, Printk& log, GuestAddr buffer, u64 length)
{
    IoBuffer out = IoBuffer::user(task, buffer, length);
    for (;;) {
        auto moved = read_shared_log(log, out);
        if (!moved.is_error() || moved.error() != err::again) return i64(TRY(moved));
        TRY(log.readers().wait_until([&] { return has_shared_log(log); }));
    }
}

SyscallResult set_console_level(Printk& log, i32 level)
{
    if (level < 1 || level > 8) return err::inval;
    log.set_console_level(std::max(u8(level), Printk::kConsoleLevelMinimum));
    // As Linux: setting a level undoes an earlier "off".
    log.saved_console_level = 0;
    return 0;
}
} // namespace

SyscallResult sys_syslog(Task& task, i32 type, GuestAddr buffer, i32 length)
{
    TRY(check_syslog(task, type));
    Printk& log = task.kernel().printk();
    switch (type) {
    case syslog_close:
    case syslog_open:
        return 0;
    case syslog_read:
    case syslog_read_all:
    case syslog_read_clear:
        if (buffer.is_null() || length < 0) return err::inval;
        if (length == 0) return 0;
        if (type == syslog_read) return read_some(task, log, buffer, u64(length));
        return read_all(task, log, buffer, u64(length), type == syslog_read_clear);
    case syslog_clear:
        log.clear();
        return 0;
    case syslog_console_off:
        if (!log.saved_console_level) log.saved_console_level = log.console_level();
        log.set_console_level(Printk::kConsoleLevelMinimum);
        return 0;
    case syslog_console_on:
        if (log.saved_console_level) log.set_console_level(log.saved_console_level);
        log.saved_console_level = 0;
        return 0;
    case syslog_console_level:
        return set_console_level(log, length);
    case syslog_size_unread:
        return i64(unread_shared_log(log));
    case syslog_size_buffer:
        return i64(Printk::kBufferSize);
    default:
        return err::inval;
    }
}

} // namespace umbra
