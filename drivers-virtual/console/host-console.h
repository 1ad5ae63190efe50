// SPDX-License-Identifier: GPL-2.0-or-later
// The console's backend: the host's terminal. In raw mode while the guest uses it, so that the guest's own
// terminal does echo, line editing and signals, ^C and ^Z included. Input comes by one poll in the ring and a
// read that does not wait; output goes out at once if the terminal takes it, else waits here, and the guest's
// writers behind it.
//
// Job control on the host: Umbra holds SIGTTIN and SIGTTOU back and looks for itself. Whenever it would use
// the terminal from the background it stops, as an editor does, and goes on when `fg` has brought it back.
// Where nobody could continue it (an orphaned process group) it goes on without input.
#pragma once

#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include "core/device/console.h"
#include "drivers-virtual/console/plan.h"
#include "drivers-virtual/host-io.h"
#include "hostabi/stream.h"
#include "hostabi/terminal.h"

namespace umbra::drivers {

class HostConsole final : public device::Console {
public:
    /// Null where the plan has no terminal. Must outlive the rings: it is the completion of requests in them.
    static std::unique_ptr<HostConsole> create(ConsolePlan const& plan);
    ~HostConsole() override;

    /// Before the first call of device::Console that is made on a vCPU.
    void set_io(HostIo& io) { io_ = &io; }

    // device::Console
    void attach(device::ConsoleUser& user) override { user_ = &user; }
    abi::WindowSize size() const override;
    abi::Termios initial_termios() const override;
    u64 room() const override { return kOutputSize - waiting_.size(); }
    void write(std::span<u8 const> bytes) override;
    u64 pending() const override { return waiting_.size() + in_ring_.size(); }
    void discard() override;
    void want_input() override;

    /// A signal of the host's to Umbra: SIGWINCH, SIGCONT, SIGTSTP. On a vCPU, under the kernel lock.
    void host_signal(int signal);
    /// The guest has the terminal: keys are its own business. Until then the host's ^C arrives as a signal.
    bool has_terminal() const { return raw_.has_value(); }

    /// After the last vCPU has stopped: shows what is pending (waits for the terminal, not for ever), gives
    /// the terminal back. No call may follow.
    void finish();

private:
    static constexpr u64 kOutputSize = 64 << 10;

    /// At most one request each way: a poll, or where the host cannot try without waiting, the transfer
    /// itself.
    template <void (HostConsole::*Done)(i32)> struct Request final : hostabi::Completion {
        explicit Request(HostConsole& c)
            : console(c)
        {
        }
        void complete(i32 result) override
        {
            in_flight = false;
            (console.*Done)(result);
        }
        HostConsole& console;
        bool in_flight = false;
    };

    HostConsole(ConsolePlan const& plan, hostabi::HostStream input, hostabi::HostStream output);
    bool take_terminal();
    void return_to_terminal();
    bool is_foreground_after_stop(int signal);
    void read_input();
    void deliver(u64 count);
    void input_done(i32 result);
    void show_output();
    void wait_for_output(hostabi::HostErrno why);
    void output_done(i32 result);
    void lose();

    ConsolePlan plan_;
    HostIo* io_ = nullptr;
    device::ConsoleUser* user_ = nullptr;
    hostabi::HostStream input_, output_;
    std::optional<hostabi::RawTerminal> raw_;
    Request<&HostConsole::input_done> input_request_ { *this };
    Request<&HostConsole::output_done> output_request_ { *this };
    std::array<u8, 4096> keys_;
    bool reading_ = false; ///< the input request is a read into keys_, not a poll
    bool delivering_ = false;
    std::vector<u8> waiting_; ///< output that the terminal did not take
    std::vector<u8> in_ring_; ///< output that the ring is writing
    bool in_background_ = false; ///< no use of the terminal until SIGCONT
    bool lost_ = false;
};

} // namespace umbra::drivers
