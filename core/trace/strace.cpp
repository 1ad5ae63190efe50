// SPDX-License-Identifier: GPL-2.0-or-later
// Lines of the trace. A call's line is begun when it is entered and ended when it returns. What another task
// does in between cuts it in two: "<unfinished ...>" and "<... read resumed>". A line begun is given out when
// its task leaves the CPU, so that one sees what a sleeping task waits for.
#include "core/trace/strace.h"

#include <cinttypes>
#include <cstdio>

#include "core/syscall/names.h"
#include "core/task/task.h"
#include "core/trace/call-decoder.h"
#include "core/trace/flag-names.h"

namespace umbra::trace {

namespace {
constexpr size_t kResultColumn = 39; ///< as strace -a 40
constexpr i64 kExit = 60, kExitGroup = 231;
constexpr u32 kPoints = trace_bit(Tracepoint::syscall_enter) | trace_bit(Tracepoint::syscall_exit)
    | trace_bit(Tracepoint::context_switch) | trace_bit(Tracepoint::signal)
    | trace_bit(Tracepoint::task_exit);

std::string prefix(Task const& task)
{
    char text[16];
    std::snprintf(text, sizeof text, "%-5d ", task.tid().value);
    return text;
}

std::string call_name(i64 number)
{
    SyscallText const* text = syscall_text(number);
    if (text) return std::string(text->name);
    char unknown[40];
    std::snprintf(unknown, sizeof unknown, "syscall_%#" PRIx64, u64(number));
    return unknown;
}

void append_siginfo(std::string& out, abi::SigInfo const& info)
{
    char text[96];
    out += "{si_signo=";
    append_signal(out, info.signo);
    out += ", si_code=";
    if (info.signo == abi::sigchld && info.code > 0) {
        append_name(out, info.code, kChildCodes);
        std::snprintf(text, sizeof text, ", si_pid=%d, si_uid=%u, si_status=%d}", info.child.pid,
            info.child.uid, info.child.status);
    } else if (info.signo == abi::sigsegv && info.code > 0) {
        append_name(out, info.code, kFaultCodes);
        std::snprintf(text, sizeof text, ", si_addr=%#" PRIx64 "}", info.fault.address);
    } else {
        append_name(out, info.code, kSignalCodes);
        bool has_sender
            = info.code == abi::si_user || info.code == abi::si_queue || info.code == abi::si_tkill;
        std::snprintf(
            text, sizeof text, has_sender ? ", si_pid=%d, si_uid=%u}" : "}", info.kill.pid, info.kill.uid);
    }
    out += text;
}
} // namespace

Strace::Strace(Tracepoints& points, TextSink& sink, std::vector<i64> const& calls, bool excluded)
    : points_(points)
    , sink_(sink)
{
    if (!calls.empty() && !excluded) hidden_.set();
    for (i64 number : calls)
        if (number >= 0 && number < i64(hidden_.size())) hidden_[size_t(number)] = excluded;
    points_.attach(*this, kPoints);
}

Strace::~Strace()
{
    points_.detach(*this);
    if (line_owner_) buffer_ += '\n';
    flush();
}

bool Strace::shows(i64 number) const
{
    return number < 0 || number >= i64(hidden_.size()) || !hidden_[size_t(number)];
}

void Strace::flush()
{
    if (!buffer_.empty()) sink_.write(buffer_);
    buffer_.clear();
}

/// Makes room for a line of `task`: a call of another task, or of itself when a signal comes, is cut off.
void Strace::begin_line(Task& task)
{
    if (line_owner_) {
        buffer_ += " <unfinished ...>\n";
        auto open = unfinished_.find(line_owner_);
        if (open != unfinished_.end()) open->second.interrupted = true;
        line_owner_ = 0;
    }
    buffer_ += prefix(task);
}

void Strace::end_line()
{
    buffer_ += '\n';
    flush();
}

void Strace::syscall_enter(Task& task, i64 number, u64 const args[6])
{
    if (!shows(number)) return;
    std::string text = call_name(number) + "(";
    // Reading arguments may wait, and others may print meanwhile: the line is begun afterwards.
    unsigned next = append_arguments(text, { task, number, args });
    begin_line(task);
    buffer_ += text;
    if (number == kExitGroup || number == kExit) {
        buffer_ += ")";
        if (text.size() + 1 < kResultColumn) buffer_.append(kResultColumn - text.size() - 1, ' ');
        buffer_ += " = ?";
        return end_line();
    }
    unfinished_[task.tid().value] = { next, text.size(), false };
    line_owner_ = task.tid().value;
}

void Strace::syscall_exit(Task& task, i64 number, u64 const args[6], SyscallResult const& result)
{
    auto at = unfinished_.find(task.tid().value);
    if (at == unfinished_.end()) {
        // It came into sight while the call was under way, or the thread that called execve was renamed to
        // the leader.
        return;
    }
    std::string rest;
    if (at->second.next_argument < 6)
        append_arguments_after(rest, { task, number, args }, result, at->second.next_argument);
    at = unfinished_.find(task.tid().value);
    Unfinished call = at->second;
    unfinished_.erase(at);
    rest += ')';
    if (line_owner_ == task.tid().value) {
        line_owner_ = 0;
    } else {
        std::string again = "<... " + call_name(number) + " resumed>";
        begin_line(task);
        buffer_ += again;
        call.width = again.size();
    }
    buffer_ += rest;
    size_t width = call.width + rest.size();
    if (width < kResultColumn) buffer_.append(kResultColumn - width, ' ');
    buffer_ += " = ";
    append_result(buffer_, number, result);
    end_line();
    sink_.wait_for_room();
}

void Strace::context_switch(Task* from, Task*)
{
    if (from && line_owner_ == from->tid().value) flush();
}

void Strace::signal(Task& task, abi::SigInfo const& info)
{
    begin_line(task);
    buffer_ += "--- ";
    append_signal(buffer_, info.signo);
    buffer_ += ' ';
    append_siginfo(buffer_, info);
    buffer_ += " ---";
    end_line();
}

void Strace::task_exit(Task& task, u32 wait_status)
{
    begin_line(task);
    unfinished_.erase(task.tid().value);
    if ((wait_status & 0x7f) == 0) {
        buffer_ += "+++ exited with " + std::to_string(wait_status >> 8 & 0xff) + " +++";
    } else {
        buffer_ += "+++ killed by ";
        append_signal(buffer_, wait_status & 0x7f);
        buffer_ += wait_status & 0x80 ? " (core dumped) +++" : " +++";
    }
    end_line();
}

} // namespace umbra::trace
