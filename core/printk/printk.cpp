// SPDX-License-Identifier: GPL-2.0-or-later
// The log's ring and the text forms of a record. The devices that read it are in kmsg.cpp, syslog(2) in
// core/syscall/syslog.cpp.
#include "core/printk/printk.h"

#include <cstdio>

#include "core/abi/file.h"
#include "core/platform/platform.h"

namespace umbra {

std::string printable(std::string_view name)
{
    std::string text;
    for (char c : name) {
        char escaped[5];
        bool const plain = c >= ' ' && c <= '~' && c != '"' && c != '\\';
        if (!plain)
            std::snprintf(escaped, sizeof escaped, "\\x%02x", unsigned(static_cast<unsigned char>(c)));
        plain ? text += c : text += escaped;
    }
    return text;
}

namespace {
u64 footprint(LogRecord const& record) { return sizeof(LogRecord) + record.text.capacity(); }

constexpr u32 priority(LogRecord const& record) { return u32(record.facility) << 3 | u32(record.level); }
} // namespace

Printk::Printk(platform::Platform& platform)
    : platform_(platform)
    , started_(platform.now(platform::HostClock::monotonic))
{
}

#define LOG_AT(name)                                                                                         \
    void Printk::name(char const* format, ...)                                                               \
    {                                                                                                        \
        va_list arguments;                                                                                   \
        va_start(arguments, format);                                                                         \
        log_arguments(LogLevel::name, format, arguments);                                                    \
        va_end(arguments);                                                                                   \
    }
LOG_AT(error)
LOG_AT(warning)
LOG_AT(notice)
LOG_AT(info)
LOG_AT(debug)
#undef LOG_AT

void Printk::log(LogLevel level, char const* format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    log_arguments(level, format, arguments);
    va_end(arguments);
}

void Printk::log_arguments(LogLevel level, char const* format, va_list arguments)
{
    char text[kRecordMax + 1];
    int length = std::vsnprintf(text, sizeof text, format, arguments);
    if (length < 0) return;
    u64 kept = u64(length) < kRecordMax ? u64(length) : kRecordMax;
    append(level, 0, std::string_view(text, kept));
}

void Printk::append(LogLevel level, u8 facility, std::string_view text)
{
    text = text.substr(0, kRecordMax);
    if (text.ends_with('\n')) text.remove_suffix(1);
    Nanoseconds time = platform_.now(platform::HostClock::monotonic) - started_;
    records_.push_back({ next_sequence(), time, facility, level, std::string(text) });
    LogRecord const& record = records_.back();
    used_bytes_ += footprint(record);
    while (used_bytes_ > kBufferSize && records_.size() > 1)
        drop_oldest();
    if (log_file_) log_file_->log(record);
    if (console_ && u8(level) < console_level_) console_->log(record);
    readers_.wake_all(abi::pollin);
}

void Printk::drop_oldest()
{
    used_bytes_ -= footprint(records_.front());
    records_.pop_front();
    ++first_;
}

void Printk::set_console(LogSink* sink)
{
    console_ = sink;
    if (!sink) return;
    for (LogRecord const& record : records_)
        if (u8(record.level) < console_level_) sink->log(record);
}

void Printk::set_log_file(LogSink* sink)
{
    log_file_ = sink;
    if (!sink) return;
    for (LogRecord const& record : records_)
        sink->log(record);
}

LogRecord const* Printk::record(u64 sequence) const
{
    if (sequence < first_ || sequence >= next_sequence()) return nullptr;
    return &records_[sequence - first_];
}

std::string format_record(LogRecord const& record, bool with_level)
{
    char prefix[48];
    u64 microseconds = u64(record.time) / 1000;
    int length = with_level ? std::snprintf(prefix, sizeof prefix, "<%u>", priority(record)) : 0;
    length += std::snprintf(prefix + length, sizeof prefix - size_t(length), "[%5llu.%06llu] ",
        static_cast<unsigned long long>(microseconds / 1'000'000),
        static_cast<unsigned long long>(microseconds % 1'000'000));
    std::string out;
    std::string_view rest = record.text;
    for (;;) {
        auto end = rest.find('\n');
        out.append(prefix, size_t(length));
        out += rest.substr(0, end);
        out += '\n';
        if (end == rest.npos) return out;
        rest.remove_prefix(end + 1);
    }
}

std::string format_kmsg(LogRecord const& record)
{
    char prefix[80];
    std::snprintf(prefix, sizeof prefix, "%u,%llu,%llu,-;", priority(record),
        static_cast<unsigned long long>(record.sequence),
        static_cast<unsigned long long>(record.time / 1000));
    std::string out = prefix;
    for (char c : record.text) {
        // Linux escapes what could be mistaken for structure: see devkmsg's append_char().
        if (u8(c) < ' ' || u8(c) >= 127 || c == '\\') {
            char escaped[8];
            std::snprintf(escaped, sizeof escaped, "\\x%02x", u8(c));
            out += escaped;
        } else {
            out += c;
        }
    }
    out += '\n';
    return out;
}

} // namespace umbra
