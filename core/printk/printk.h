// SPDX-License-Identifier: GPL-2.0-or-later
// The kernel's log: a bounded ring of records that dmesg, /dev/kmsg, /proc/kmsg and syslog(2) read, and sinks
// (the console, --log FILE) that see each record as it is made. Linux: kernel/printk. Guarded by the kernel
// lock.
#pragma once

#include <cstdarg>
#include <deque>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/types.h"
#include "core/sync/wait-queue.h"

namespace umbra {

namespace platform {
class Platform;
}

/// Linux's KERN_* levels; a lower number is more important.
/// A name that a guest chose, fit for one line of the log: what is not printable becomes \xHH.
std::string printable(std::string_view name);

enum class LogLevel : u8 { emergency, alert, critical, error, warning, notice, info, debug };

struct LogRecord {
    u64 sequence; ///< from 0, without gaps
    Nanoseconds time; ///< since the kernel started
    u8 facility; ///< syslog(3): 0 kernel, 1 user
    LogLevel level;
    std::string text; ///< without the final newline; may hold newlines
};

/// Told of each record that passes the sink's level, in order. Must not wait, and must not log.
class LogSink {
public:
    virtual void log(LogRecord const& record) = 0;

protected:
    ~LogSink() = default;
};

class Printk {
public:
    /// Bytes of text and bookkeeping that are kept; older records are dropped.
    static constexpr u64 kBufferSize = 256 << 10;
    /// Longest text of one record, as Linux's PRINTKRB_RECORD_MAX.
    static constexpr u64 kRecordMax = 1024;
    static constexpr u8 kConsoleLevelDefault = 5, kConsoleLevelQuiet = 1, kConsoleLevelMinimum = 1;

    explicit Printk(platform::Platform& platform);

    void error(char const* format, ...) __attribute__((format(printf, 2, 3)));
    void warning(char const* format, ...) __attribute__((format(printf, 2, 3)));
    void notice(char const* format, ...) __attribute__((format(printf, 2, 3)));
    void info(char const* format, ...) __attribute__((format(printf, 2, 3)));
    void debug(char const* format, ...) __attribute__((format(printf, 2, 3)));
    void log(LogLevel level, char const* format, ...) __attribute__((format(printf, 3, 4)));
    void log_arguments(LogLevel level, char const* format, va_list arguments);
    /// A finished record, cut at kRecordMax. `facility` 0 is the kernel's own.
    void append(LogLevel level, u8 facility, std::string_view text);

    /// The console gets records below console_level() (syslog(2)); the log file gets every one. Records made
    /// before a sink is set are replayed to it. The sink must outlive the kernel or be taken away with
    /// nullptr.
    void set_console(LogSink* sink);
    void set_log_file(LogSink* sink);
    u8 console_level() const { return console_level_; }
    void set_console_level(u8 level) { console_level_ = level; }

    // Reading. Sequence numbers say where a reader is.
    u64 first_sequence() const { return first_; } ///< of the oldest record kept
    u64 next_sequence() const { return first_ + records_.size(); } ///< of the record to come
    /// Null before first_sequence() and from next_sequence() on. Valid until the next record is made.
    LogRecord const* record(u64 sequence) const;
    u64 cleared_sequence() const { return cleared_ > first_ ? cleared_ : first_; } ///< SYSLOG_ACTION_CLEAR
    void clear() { cleared_ = next_sequence(); }
    /// Woken with pollin when a record is made.
    WaitQueue& readers() { return readers_; }

    /// The one reader position that syslog(SYSLOG_ACTION_READ) and /proc/kmsg share.
    struct SharedReader {
        u64 sequence = 0;
        u64 offset = 0; ///< bytes of that record's formatted text that were read already
    };
    SharedReader shared_reader;
    u8 saved_console_level = 0; ///< SYSLOG_ACTION_CONSOLE_OFF; 0: on

private:
    void drop_oldest();

    platform::Platform& platform_;
    Nanoseconds started_;
    std::deque<LogRecord> records_;
    u64 first_ = 0;
    u64 used_bytes_ = 0;
    u64 cleared_ = 0;
    u8 console_level_ = kConsoleLevelDefault;
    LogSink* console_ = nullptr;
    LogSink* log_file_ = nullptr;
    WaitQueue readers_;
};

/// As dmesg and the console show a record: "[    0.000123] text\n", a prefix for each line; with `level` in
/// front
/// ("<6>[...") as syslog(2) returns it.
std::string format_record(LogRecord const& record, bool with_level);
/// As /dev/kmsg gives it: "6,12,123,-;text\n".
std::string format_kmsg(LogRecord const& record);

} // namespace umbra
