// SPDX-License-Identifier: GPL-2.0-or-later
// The master's file. Most of ioctl_tty(2) through it is about the slave, as on Linux.
#include <algorithm>

#include "core/abi/ioctl.h"
#include "core/kernel.h"
#include "core/task/task.h"
#include "core/tty/pty.h"

namespace umbra::tty {

PtyMaster::PtyMaster(vfs::Path path, u32 flags, Ref<PtySlave> slave, PeerOpener open_peer)
    : File(std::move(path), flags)
    , slave_(std::move(slave))
    , open_peer_(std::move(open_peer))
{
}

PtyMaster::~PtyMaster() { slave_->master_closed(); }

Result<u64> PtyMaster::write(IoBuffer& buffer, u64)
{
    constexpr u64 piece_size = 2048;
    u64 const before = buffer.transferred();
    while (buffer.remaining() > 0) {
        u8 piece[piece_size];
        u64 const wanted = std::min<u64>(buffer.remaining(), sizeof piece);
        if (slave_->input_room() == 0) return err::again;
        u64 const count = TRY(buffer.take(piece, wanted));
        u64 const taken = slave_->receive({ piece, count });
        if (taken < count) buffer.rewind(count - taken);
    }
    return buffer.transferred() - before;
}

Result<i64> PtyMaster::open_peer(Task& task, u64 flags)
{
    auto const access = u32(flags) & (abi::o_accmode | abi::o_nonblock | abi::o_noctty);
    auto file = TRY(open_peer_(access));
    GuestFd const fd = TRY(task.files().add(file, flags & abi::o_cloexec, task.limit(Resource::nofile)));
    return i64 { fd.value };
}

Result<i64> PtyMaster::ioctl(Task& task, u32 command, u64 argument)
{
    auto give_int = [&](i32 value) -> Result<i64> {
        TRY(UserOut<i32> { GuestAddr(argument) }.copy_out(task, value));
        return i64 { 0 };
    };
    auto take_int = [&] { return UserIn<i32> { GuestAddr(argument) }.copy_in(task); };
    switch (command) {
    case abi::tiocgptn:
        return give_int(i32(slave_->index()));
    case abi::tiocgptlck:
        return give_int(slave_->locked);
    case abi::tiocsptlck:
        slave_->locked = TRY(take_int()) != 0;
        return i64 { 0 };
    case abi::tiocgpkt:
        return give_int(slave_->packet_mode());
    case abi::tiocpkt:
        slave_->set_packet_mode(TRY(take_int()) != 0);
        return i64 { 0 };
    case abi::tiocgptpeer:
        return open_peer(task, argument);
    case abi::tiocsig:
        if (i64(argument) < 1 || argument > u64(abi::signal_count)) return err::inval;
        (void)slave_->signal_group(int(argument));
        return i64 { 0 };
    case abi::tiocinq:
        return give_int(i32(slave_->master_bytes()));
    case abi::tiocoutq:
        return give_int(0);
    case abi::tcflsh: // of this side's queues: what was written is the slave's input
        if (argument > abi::tcioflush) return err::inval;
        if (argument != abi::tcoflush) slave_->discard_to_master();
        if (argument != abi::tciflush) slave_->flush_input();
        return i64 { 0 };
    default:
        return tty_ioctl(task, *slave_, *this, command, argument, true);
    }
}

} // namespace umbra::tty
