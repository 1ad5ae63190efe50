// SPDX-License-Identifier: GPL-2.0-or-later
// Where the kernel's log, the trace of system calls and the numbers at the end go, by the options -q, --log, --strace,
// --strace-output, --stats and --stats-output; and the packets of --pcap.
#pragma once

#include "arch-um/boot/host-text.h"
#include "arch-um/boot/options.h"
#include "core/net/capture/packet-file.h"
#include "core/trace/stats.h"

namespace umbra {
class Kernel;
}

namespace umbra::boot {

/// Outlives the kernel that it is attached to.
class Outputs {
public:
    /// Opens the files; what is wrong in one sentence, or nothing.
    std::string open(RunOptions const& options);
    /// From here on the kernel is heard.
    void attach(Kernel& kernel, RunOptions const& options);
    /// The vCPUs are about to run: text goes out through the main thread's ring.
    void start(Kernel& kernel, hostabi::Ring& ring);
    /// On the main thread, once the vCPUs have stopped, and before the kernel is destroyed: writes what is left.
    void detach();
    /// --pcap, once the interfaces are there.
    void capture(net::NetworkNamespace& space);

private:
    void end_capture();

    HostText standard_error_ { 2 };
    std::unique_ptr<HostText> log_, trace_, stats_text_, packets_;
    std::unique_ptr<net::PacketFile> capture_;
    std::unique_ptr<trace::Strace> strace_;
    std::unique_ptr<trace::Stats> stats_;
    Kernel* kernel_ = nullptr;
};

} // namespace umbra::boot
