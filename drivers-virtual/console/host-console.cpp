// SPDX-License-Identifier: GPL-2.0-or-later
// Keys in, output out, and the manners of a program with a terminal.
#include "drivers-virtual/console/host-console.h"

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstring>

#include <poll.h>

namespace umbra::drivers {

namespace {

/// How long a terminal may take nothing at the end before what is left is given up.
constexpr Nanoseconds kPatience = 3 * kNanosecondsPerSecond;

} // namespace

std::unique_ptr<HostConsole> HostConsole::create(ConsolePlan const& plan)
{
    if (plan.use == TerminalUse::none) return nullptr;
    int const some = plan.input >= 0 ? plan.input : plan.output;
    auto input = hostabi::HostStream::duplicate(some);
    auto output = hostabi::HostStream::duplicate(plan.output >= 0 ? plan.output : some);
    if (input.is_error() || output.is_error()) return nullptr;
    return std::unique_ptr<HostConsole>(
        new HostConsole(plan, std::move(input).value(), std::move(output).value()));
}

HostConsole::HostConsole(ConsolePlan const& plan, hostabi::HostStream input, hostabi::HostStream output)
    : plan_(plan)
    , input_(std::move(input))
    , output_(std::move(output))
{
}

HostConsole::~HostConsole() = default;

abi::WindowSize HostConsole::size() const
{
    auto const size = hostabi::window_size(output_.fd()).value_or({});
    return { size.rows, size.columns, size.x_pixels, size.y_pixels };
}

abi::Termios HostConsole::initial_termios() const
{
    abi::Termios t = abi::standard_termios;
    auto const mode = hostabi::terminal_mode(input_.fd());
    if (mode.is_error()) return t;
    // Flags and characters have the same values for guest and host; the rest of the modes is what login would
    // set.
    constexpr u32 kKept = abi::iutf8 | abi::ixon | abi::ixany;
    t.iflag = (t.iflag & ~kKept) | (mode.value().input & kKept);
    static_assert(sizeof t.cc == sizeof(hostabi::TerminalMode::characters));
    std::memcpy(t.cc, mode.value().characters, sizeof t.cc);
    return t;
}

/// Stops as a background user of the terminal does; true once it is this process's again.
bool HostConsole::is_foreground_after_stop(int signal)
{
    hostabi::stop_process(signal);
    in_background_ = hostabi::is_background(input_.fd());
    return !in_background_;
}

bool HostConsole::take_terminal()
{
    if (raw_) return true;
    if (lost_ || in_background_ || plan_.input < 0) return false;
    if (hostabi::is_background(input_.fd()) && !is_foreground_after_stop(SIGTTIN)) return false;
    auto raw = hostabi::RawTerminal::enter(input_.fd());
    // Without raw mode the host's line editing stays in between; better than no input.
    if (raw.ok()) raw_.emplace(std::move(raw).value());
    return true;
}

void HostConsole::want_input()
{
    // While the guest is being told of input, it need not ask for more.
    if (delivering_ || !take_terminal()) return;
    if (!lost_ && !in_background_ && !input_request_.in_flight) read_input();
}

void HostConsole::read_input()
{
    while (u64 const room = std::min<u64>(user_->console_input_room(), keys_.size())) {
        auto const got = input_.read_now({ keys_.data(), room });
        if (got.ok()) {
            if (got.value() == 0) return lose();
            deliver(got.value());
            continue;
        }
        if (got.error().value != EAGAIN && got.error().value != EOPNOTSUPP) {
            // EIO in the background is no loss: the keys are meant for somebody else.
            if (!hostabi::is_background(input_.fd())) return lose();
            if (!is_foreground_after_stop(SIGTTIN)) return;
            if (raw_) raw_->resume();
            continue;
        }
        // A descriptor that cannot be tried is read by the ring, after the poll that says that there is
        // something.
        bool const must_read = got.error().value == EOPNOTSUPP && input_.poll_now(POLLIN) != 0;
        reading_ = must_read;
        input_request_.in_flight = true;
        if (must_read)
            io_->ring().read(input_.fd(), { keys_.data(), room }, -1, input_request_);
        else
            io_->ring().poll(input_.fd(), POLLIN, input_request_);
        return;
    }
    // No room: the guest calls want_input() when it has read.
}

void HostConsole::deliver(u64 count)
{
    delivering_ = true;
    user_->console_input({ keys_.data(), count });
    delivering_ = false;
}

void HostConsole::input_done(i32 result)
{
    if (result == -ECANCELED || lost_ || in_background_) return;
    if (std::exchange(reading_, false)) {
        if (result <= 0) return lose();
        deliver(u64(result));
    }
    read_input();
}

void HostConsole::write(std::span<u8 const> bytes)
{
    if (lost_) return;
    if (waiting_.empty() && in_ring_.empty()) {
        auto const shown = output_.write_now(bytes);
        if (shown.ok()) bytes = bytes.subspan(shown.value());
        if (bytes.empty()) return;
    }
    waiting_.insert(waiting_.end(), bytes.begin(), bytes.end());
    show_output();
}

void HostConsole::show_output()
{
    while (!waiting_.empty() && !output_request_.in_flight) {
        auto const shown = output_.write_now(waiting_);
        if (shown.is_error()) return wait_for_output(shown.error());
        waiting_.erase(waiting_.begin(), waiting_.begin() + i64(shown.value()));
    }
}

void HostConsole::wait_for_output(hostabi::HostErrno why)
{
    if (why.value == EAGAIN) {
        output_request_.in_flight = true;
        io_->ring().poll(output_.fd(), POLLOUT, output_request_);
    } else if (why.value == EOPNOTSUPP) {
        output_request_.in_flight = true;
        in_ring_.swap(waiting_);
        io_->ring().write(output_.fd(), in_ring_, -1, output_request_);
    } else {
        lose(); // the terminal is gone: output has nowhere to go
    }
}

void HostConsole::output_done(i32 result)
{
    if (!in_ring_.empty()) {
        u64 const shown = result > 0 ? u64(result) : 0;
        waiting_.insert(waiting_.begin(), in_ring_.begin() + i64(shown), in_ring_.end());
        in_ring_.clear();
        if (result < 0 && result != -EAGAIN && result != -EINTR && result != -ECANCELED) return lose();
    }
    if (result == -ECANCELED || lost_) return;
    show_output();
    user_->console_output_ready();
}

void HostConsole::discard() { waiting_.clear(); }

void HostConsole::lose()
{
    if (std::exchange(lost_, true)) return;
    waiting_.clear();
    user_->console_lost();
}

/// The process runs again: the terminal may look different and be somebody else's.
void HostConsole::return_to_terminal()
{
    in_background_ = false;
    if (!raw_ && plan_.use == TerminalUse::when_wanted) return;
    if (hostabi::is_background(input_.fd()) && !is_foreground_after_stop(SIGTTIN)) return;
    if (raw_) raw_->resume();
    user_->console_resized(size());
    want_input();
}

void HostConsole::host_signal(int signal)
{
    if (lost_ || !user_) return;
    switch (signal) {
    case SIGWINCH:
        return user_->console_resized(size());
    case SIGTSTP:
        if (raw_) raw_->suspend();
        hostabi::stop_process(SIGTSTP);
        return return_to_terminal();
    case SIGCONT:
        return return_to_terminal();
    default:
        return;
    }
}

void HostConsole::finish()
{
    while (!waiting_.empty() && !lost_) {
        auto const shown = output_.write_now(waiting_);
        if (shown.ok())
            waiting_.erase(waiting_.begin(), waiting_.begin() + i64(shown.value()));
        else if (shown.error().value != EAGAIN || !output_.poll_within(POLLOUT, kPatience))
            break;
    }
    raw_.reset();
}

} // namespace umbra::drivers
