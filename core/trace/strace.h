// SPDX-License-Identifier: GPL-2.0-or-later
// --strace: the guest's system calls and signals in the form of strace(1) -f. An observer of the tracepoints.
#pragma once

#include <bitset>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "core/trace/trace.h"

namespace umbra::trace {

/// Where the text goes. Called under the kernel lock.
class TextSink {
public:
    /// A line may come in several pieces. Must not wait.
    virtual void write(std::string_view text) = 0;
    /// Lets the current task sleep while more text is held than the sink has room for: whoever is traced goes
    /// as fast as the trace is read.
    virtual void wait_for_room() = 0;

protected:
    ~TextSink() = default;
};

class Strace final : public TraceObserver {
public:
    /// `calls`: numbers to show, or with `excluded` not to show; empty shows all. Attaches itself.
    Strace(Tracepoints& points, TextSink& sink, std::vector<i64> const& calls = {}, bool excluded = false);
    ~Strace();

    void syscall_enter(Task& task, i64 number, u64 const args[6]) override;
    void syscall_exit(Task& task, i64 number, u64 const args[6], SyscallResult const& result) override;
    void context_switch(Task* from, Task* to) override;
    void signal(Task& task, abi::SigInfo const& info) override;
    void task_exit(Task& task, u32 wait_status) override;

private:
    struct Unfinished {
        unsigned next_argument; ///< those before it were printed when the call began
        size_t width; ///< of the line so far, for the column of the result
        bool interrupted; ///< other lines came in between
    };
    bool shows(i64 number) const;
    void begin_line(Task& task);
    void end_line();
    void flush();

    Tracepoints& points_;
    TextSink& sink_;
    std::bitset<512> hidden_;
    std::unordered_map<i32, Unfinished> unfinished_; ///< by tid
    i32 line_owner_ = 0; ///< whose unfinished call stands at the end of the output, without a newline
    std::string buffer_; ///< of the current line, not yet given to the sink
};

} // namespace umbra::trace
