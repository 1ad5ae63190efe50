// SPDX-License-Identifier: GPL-2.0-or-later
// Text of the kernel's for the host: log records and trace lines on standard error or in a file. Written at
// once, with plain writes: what is in the file when the instance dies is what one looks for. Neither is on in
// a run that is measured.
#pragma once

#include <memory>
#include <string>

#include "core/printk/printk.h"
#include "core/trace/strace.h"

namespace umbra::boot {

class HostText final : public LogSink, public trace::TextSink {
public:
    /// Takes the descriptor over unless it is standard error.
    explicit HostText(int fd);
    ~HostText();
    HostText(HostText const&) = delete;
    /// Creates or empties the file; null with errno where that fails.
    static std::unique_ptr<HostText> create(std::string const& path);

    void log(LogRecord const& record) override { write(format_record(record, false)); }
    void write(std::string_view text) override;

private:
    int fd_;
    bool is_terminal_; ///< perhaps in raw mode, where a newline does not go back to the first column
};

} // namespace umbra::boot
