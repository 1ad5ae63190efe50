// SPDX-License-Identifier: GPL-2.0-or-later
// An open terminal: the console, a pty's slave, or /dev/tty.
#pragma once

#include "core/tty/tty.h"
#include "core/vfs/file.h"

namespace umbra::tty {

class TtyFile final : public vfs::File {
public:
    TtyFile(vfs::Path path, u32 flags, Ref<Tty> tty);
    ~TtyFile() override;

    Tty& tty() const { return *tty_; }
    bool is_hung_up() const { return hung_up_; }
    void set_hung_up() { hung_up_ = true; }

    /// May wait where VTIME runs (raw mode): the one case in which a deadline belongs to the file, not to the
    /// caller.
    Result<u64> read(IoBuffer& buffer, u64 offset) override;
    Result<u64> write(IoBuffer& buffer, u64 offset) override;
    u32 readiness() override;
    WaitQueue* wait_queue() override { return &tty_->queue(); }
    Result<i64> ioctl(Task& task, u32 command, u64 argument) override;

private:
    Result<u64> wait_for_input(u64 wanted);
    Result<bool> wait_for_change(Nanoseconds timeout);
    bool is_ended() const { return hung_up_ || tty_->is_other_end_closed(); }

    Ref<Tty> tty_;
    bool hung_up_ = false;
};

/// The terminal that `file` is open on, or null.
Tty* as_tty(vfs::File& file);

} // namespace umbra::tty
