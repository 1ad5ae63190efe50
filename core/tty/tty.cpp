// SPDX-License-Identifier: GPL-2.0-or-later
// The terminal itself: input and output between device, line discipline and files; hang-up; the session it
// controls.
#include "core/tty/tty.h"

#include <algorithm>

#include "core/kernel.h"
#include "core/task/process-table.h"
#include "core/task/task.h"
#include "core/tty/tty-file.h"

namespace umbra::tty {

Tty::Tty(Kernel& kernel, u64 device, std::string name)
    : kernel_(kernel)
    , device_(device)
    , name_(std::move(name))
{
}

Tty::~Tty() { UMBRA_ASSERT(files_.empty()); }

void Tty::set_termios(abi::Termios termios)
{
    auto const old = line_.termios();
    line_.set_termios(termios);
    termios_changed(old);
    pump(); // another mode may have room for what waits
    wake();
}

void Tty::set_window_size(abi::WindowSize size)
{
    if (size == window_) return;
    window_ = size;
    (void)signal_group(abi::sigwinch);
}

u64 Tty::receive(std::span<u8 const> bytes)
{
    u64 const taken = std::min<u64>(bytes.size(), input_room());
    backlog_.insert(backlog_.end(), bytes.begin(), bytes.begin() + i64(taken));
    pump();
    return taken;
}

void Tty::pump()
{
    // An echo can make the device drain and come back here.
    if (pumping_ || backlog_.empty()) return;
    pumping_ = true;
    u64 const taken = line_.receive(backlog_);
    backlog_.erase(backlog_.begin(), backlog_.begin() + i64(std::min<u64>(taken, backlog_.size())));
    pumping_ = false;
    if (taken > 0) input_drained();
}

void Tty::output_ready()
{
    line_.flush_echoes();
    wake();
}

u64 Tty::write(std::span<u8 const> bytes) { return line_.write(bytes); }

void Tty::input_available() { wake(); }

void Tty::flush_input()
{
    backlog_.clear();
    line_.flush_input();
    input_flushed();
    input_drained();
}

void Tty::flush_output()
{
    device_discard();
    wake();
}

void Tty::discard_output()
{
    flush_output();
    input_flushed();
}

void Tty::set_output_stopped(bool stopped)
{
    if (stopped == stopped_) return;
    stopped_ = stopped;
    if (suspended_) return;
    output_stop_changed(stopped);
    if (!stopped) wake();
}

void Tty::suspend_output(bool stop)
{
    if (stop == suspended_) return;
    suspended_ = stop;
    // tcflow(TCOON) also ends what ^S began (Linux: start_tty).
    stopped_ = false;
    output_stop_changed(stop);
    if (!stop) output_ready();
}

bool Tty::signal_group(int signal)
{
    if (!foreground_) return false;
    send_signal(*foreground_, kernel_signal(signal));
    return true;
}

void Tty::attach(TtyFile& file) { files_.push_back(&file); }

void Tty::detach(TtyFile& file)
{
    files_.erase(std::remove(files_.begin(), files_.end(), &file), files_.end());
    if (files_.empty()) {
        exclusive = false;
        last_file_closed();
    }
}

void Tty::take_session(Process& leader)
{
    session_ = RefPtr<Session>(&leader.session());
    foreground_ = leader.group;
    session_->terminal = this;
    session_->terminal_ref = RefPtr<RefCounted>(this);
}

void Tty::drop_session()
{
    RefPtr<Session> const session = std::exchange(session_, nullptr);
    foreground_ = nullptr;
    if (!session || session->terminal != this) return;
    session->terminal = nullptr;
    session->terminal_ref = nullptr; // may have been the last reference but the caller's
}

void Tty::hang_up(HangUp reason)
{
    Ref<Tty> const keep(*this);
    if (!survives_hang_up())
        for (TtyFile* file : files_)
            file->set_hung_up();
    if (RefPtr<Session> const session = session_) {
        if (Process* leader = kernel_.processes().find_process(session->id)) {
            (void)send_signal(*leader, kernel_signal(abi::sighup));
            (void)send_signal(*leader, kernel_signal(abi::sigcont));
        }
        // The leader's exit will tell the group that was in the foreground (session_leader_exits()).
        if (foreground_) session->former_foreground = foreground_->id;
        if (reason == HangUp::session_exit) (void)signal_group(abi::sighup);
        drop_session();
    }
    backlog_.clear();
    line_.flush_input();
    stopped_ = suspended_ = false;
    wake();
}

} // namespace umbra::tty
