// SPDX-License-Identifier: GPL-2.0-or-later
// The pair: bytes from slave to master, packet mode, and what closing either side does to the other (Linux:
// drivers/tty/pty.c).
#include "core/tty/pty.h"

#include <algorithm>

#include "core/abi/file.h"
#include "core/kernel.h"

namespace umbra::tty {

PtySlave::PtySlave(Kernel& kernel, u32 index, std::function<void()> released)
    : Tty(kernel, abi::make_dev(abi::pty_slave_major, index), "pts/" + std::to_string(index))
    , index_(index)
    , released_(std::move(released))
{
}

u64 PtySlave::device_room() const { return master_open_ ? kBufferSize - to_master_.size() : 0; }

void PtySlave::device_write(std::span<u8 const> bytes)
{
    to_master_.insert(to_master_.end(), bytes.begin(), bytes.end());
    master_queue_.wake_all(abi::pollin);
}

void PtySlave::device_discard()
{
    to_master_.clear();
    tell_master(abi::tiocpkt_flushwrite);
}

void PtySlave::discard_to_master()
{
    to_master_.clear();
    output_ready();
}

void PtySlave::tell_master(u8 status)
{
    if (!packet_mode_) return;
    packet_status_ |= status;
    // A later start takes back a stop that the master has not seen, and the other way round.
    if (status & abi::tiocpkt_stop) packet_status_ &= u8(~abi::tiocpkt_start);
    if (status & abi::tiocpkt_start) packet_status_ &= u8(~abi::tiocpkt_stop);
    master_queue_.wake_all(abi::pollin | abi::pollpri);
}

void PtySlave::output_stop_changed(bool stopped)
{
    tell_master(stopped ? abi::tiocpkt_stop : abi::tiocpkt_start);
}

void PtySlave::termios_changed(abi::Termios const& old)
{
    abi::Termios now = termios();
    auto const flow = [](abi::Termios const& t) {
        return (t.iflag & abi::ixon) && t.cc[abi::vstop] == 023 && t.cc[abi::vstart] == 021;
    };
    if (packet_mode_ && flow(old) != flow(now)) {
        packet_status_ &= u8(~(abi::tiocpkt_dostop | abi::tiocpkt_nostop));
        tell_master(flow(now) ? abi::tiocpkt_dostop : abi::tiocpkt_nostop);
    }
    if (packet_mode_ && ((old.lflag | now.lflag) & abi::extproc)) tell_master(abi::tiocpkt_ioctl);
    u32 const cflag = (now.cflag & ~(abi::csize | abi::parenb)) | abi::cs8 | abi::cread;
    if (cflag == now.cflag) return;
    now.cflag = cflag;
    line().set_termios(now);
}

Result<u64> PtySlave::master_read(IoBuffer& buffer)
{
    if (packet_status_ != 0 && packet_mode_) {
        u8 const status = std::exchange(packet_status_, 0);
        return buffer.put(&status, 1);
    }
    if (to_master_.empty()) return slave_closed_ ? err::io : err::again;
    u64 moved = 0;
    if (packet_mode_) moved = TRY(buffer.put(&abi::tiocpkt_data, 1));
    // The copy may wait, and the slave may write meanwhile: what is being copied is taken out first.
    u64 const count = std::min<u64>(buffer.remaining(), to_master_.size());
    std::vector<u8> const piece(to_master_.begin(), to_master_.begin() + i64(count));
    to_master_.erase(to_master_.begin(), to_master_.begin() + i64(count));
    moved += TRY(buffer.put(piece.data(), count));
    output_ready();
    return moved;
}

u32 PtySlave::master_readiness() const
{
    u32 ready = 0;
    if (!to_master_.empty()) ready |= abi::pollin | abi::pollrdnorm;
    if (packet_mode_ && packet_status_ != 0) ready |= abi::pollpri | abi::pollin | abi::pollrdnorm;
    if (slave_closed_) ready |= abi::pollhup;
    if (input_room() > 0) ready |= abi::pollout | abi::pollwrnorm;
    return ready;
}

void PtySlave::set_packet_mode(bool on)
{
    if (on && !packet_mode_) packet_status_ = 0;
    packet_mode_ = on;
}

void PtySlave::master_closed()
{
    master_open_ = false;
    packet_mode_ = false;
    to_master_.clear();
    std::exchange(released_, nullptr)();
    hang_up();
}

Result<void> PtySlave::opening()
{
    if (!master_open_ || locked) return err::io;
    slave_closed_ = false;
    return {};
}

void PtySlave::last_file_closed()
{
    slave_closed_ = true;
    master_queue_.wake_all();
}

} // namespace umbra::tty
