// SPDX-License-Identifier: GPL-2.0-or-later
// Text of the kernel's for the host: log records and trace lines on standard error or in a file. It goes out
// through the ring, as all I/O does: a reader that is slow, or a full pipe, never holds a vCPU up.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "core/net/capture/packet-file.h"
#include "core/printk/printk.h"
#include "core/trace/strace.h"
#include "hostabi/ring.h"

namespace umbra::boot {

/// One write at a time is in the ring; what comes meanwhile is kept and goes out together. All calls under the
/// kernel lock, or before and after the vCPUs run.
class HostText final : public LogSink,
                       public trace::TextSink,
                       public net::CaptureOutput,
                       private hostabi::Completion {
public:
    /// Text that is kept while the host takes none: beyond it records are dropped and counted, and tracers wait.
    static constexpr size_t kRoom = 1 << 20;
    /// The same for packets, beyond which they are lost.
    static constexpr size_t kCaptureRoom = 16 << 20;

    /// Takes the descriptor over unless it is standard error.
    explicit HostText(int fd);
    ~HostText();
    HostText(HostText const&) = delete;
    /// Creates or empties the file; null with errno where that fails.
    static std::unique_ptr<HostText> create(std::string const& path);

    /// Runs what it is given on the thread of the ring, soon, under the kernel lock.
    using RunThere = std::function<void(std::function<void()>)>;
    /// From here on text goes out through `ring`, which is the main thread's: it is there until the end. What
    /// came before was kept.
    void start(hostabi::Ring& ring, RunThere run_there);
    /// On the main thread, once the vCPUs have stopped: waits for what is in the ring and writes the rest.
    void finish();
    /// What has not gone out, for a panic: plain writes, and no heap. A piece that the host was writing just
    /// then comes twice.
    void write_rest_at_panic() const;

    void log(LogRecord const& record) override;
    void write(std::string_view text) override;
    void wait_for_room() override;
    bool offer(std::string_view bytes, bool always) override;

private:
    void complete(i32 result) override;
    void submit();
    void submit_soon();
    void append(std::string_view text);

    int fd_;
    bool is_terminal_; ///< perhaps in raw mode, where a newline does not go back to the first column
    hostabi::Ring* ring_ = nullptr;
    RunThere run_there_;
    enum class Request : u8 { none, ordered, write, poll };
    Request request_ = Request::none; ///< at most one: to be submitted soon, or in flight
    bool broken_ = false; ///< the host refused to write: a full disk or a lost reader must not stop the guest
    std::string flying_, kept_;
    u64 dropped_records_ = 0;
    WaitQueue room_;
};

} // namespace umbra::boot
