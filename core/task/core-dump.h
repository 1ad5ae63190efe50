// SPDX-License-Identifier: GPL-2.0-or-later
// Core dumps, core(5): what a process leaves behind that dies of a signal. The thread that takes the signal writes; the
// others leave their registers on their way out and wait until the file is written. Processes that share the memory
// (CLONE_VM) run on: what they unmap meanwhile is a hole in the core.
#pragma once

#include <string>
#include <vector>

#include "core/abi/signal.h"
#include "core/base/error.h"
#include "core/base/ref.h"
#include "core/platform/registers.h"
#include "core/sync/wait-queue.h"

namespace umbra {

class Process;
class Task;
namespace vfs {
class File;
}

/// A thread as its notes show it.
struct CoreThread {
    i32 tid = 0;
    u64 pending = 0, blocked = 0;
    Nanoseconds user = 0, system = 0;
    platform::Registers registers {};
    std::vector<u8> fp_state; ///< the XSAVE image, XCR0 where Linux puts it; empty if it could not be had
};

/// One dump in progress, held by its process until it is over and by each thread that waits for that.
class CoreDump : public RefCounted {
public:
    std::vector<CoreThread> threads; ///< the one that writes comes first
    /// Another thread has come: it is there, and waits for the end.
    void add(Task& task);
    /// Waits for all others that have not passed by. Not interruptible: they come as soon as the host lets go of them.
    void wait_for_others(Task& writer);
    void finish();
    /// SIGKILL: what is not written yet stays unwritten.
    void abandon()
    {
        abandoned_ = true;
        if (writer_waits_on_) writer_waits_on_->wake_all();
    }
    bool is_abandoned() const { return abandoned_; }
    /// Waits on a queue until ready() or the dump is abandoned: EINTR.
    template <typename Ready> Result<void> wait_unless_abandoned(WaitQueue& queue, Ready ready)
    {
        writer_waits_on_ = &queue;
        auto waited = queue.wait_until([&] { return abandoned_ || ready(); }, kNever, Interruption::refused);
        writer_waits_on_ = nullptr;
        return abandoned_ ? Result<void>(err::intr) : waited;
    }

    bool is_piped = false; ///< to a program

private:
    WaitQueue* writer_waits_on_ = nullptr;
    bool finished_ = false, abandoned_ = false;
    WaitQueue changed_;
};

/// Writes the core of the current task's process, which `info` kills, if limits and dumpable allow; other threads are
/// told to end. True if there is one. May wait.
bool dump_core(Task& task, abi::SigInfo const& info);
/// A thread of a dying process ends: takes part in the dump, if there is one.
void join_core_dump(Task& task);

/// kernel.core_pattern with its % specifiers (core-name.cpp).
std::string core_file_name(Task& task, int signal);
/// Of a pattern "|program arguments": the words, each with its specifiers expanded.
std::vector<std::string> core_helper_command(Task& task, int signal);
/// Writes the ELF image (core-image.cpp).
Result<void> write_core_image(
    Task& task, vfs::File& file, std::vector<CoreThread> const& threads, abi::SigInfo const& info, u64 limit);

} // namespace umbra
