// SPDX-License-Identifier: GPL-2.0-or-later
// The instance's connection to whoever started it: stdin, stdout and stderr, the terminal among them, and signals. One
// object of the composition; it outlives the platform, whose rings complete its requests.
#pragma once

#include <memory>

#include "arch-um/boot/options.h"
#include "core/base/ref.h"
#include "drivers-virtual/console/host-console.h"
#include "drivers-virtual/console/host-signals.h"

namespace umbra {
class Kernel;
class Process;
class Task;
namespace tty {
class ConsoleTty;
}
namespace vfs {
class File;
}
} // namespace umbra

namespace umbra::boot {

class Terminal {
public:
    /// Before other threads are started: blocks the signals that will come by the ring. `closed`: bit n says that the
    /// caller's descriptor n was closed.
    explicit Terminal(u32 closed);
    ~Terminal();

    /// Once the kernel is there: makes /dev/console what the user's terminal is.
    void connect(Kernel& kernel, drivers::HostIo& io);
    /// On process 1's fiber: its descriptors 0, 1 and 2, each the console or what the host has there. Signals are
    /// delivered from now on.
    void open_stdio(Task& init, RunOptions const& options);
    /// On the command's fiber, before it has a program: the console becomes its controlling terminal, if there is one;
    /// signals to Umbra go to it.
    void adopt_command(Task& command);
    /// After the last vCPU has stopped.
    void finish();

private:
    RefPtr<vfs::File> open_console(Task& init, RunOptions const& options);
    void host_signal(int signal);
    void forward(int signal);

    u32 closed_;
    hostabi::SignalMask ignored_; ///< when Umbra was started
    drivers::ConsolePlan plan_;
    drivers::HostSignals signals_;
    std::unique_ptr<drivers::HostConsole> console_;
    Kernel* kernel_ = nullptr;
    drivers::HostIo* io_ = nullptr;
    RefPtr<tty::ConsoleTty> tty_;
    i32 command_ = 0; ///< the pid that signals are forwarded to
};

} // namespace umbra::boot
