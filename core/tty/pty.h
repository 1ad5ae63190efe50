// SPDX-License-Identifier: GPL-2.0-or-later
// Pseudo-terminals, pty(7): a terminal whose device is a program that holds the master side. References: the
// devpts instance holds the slave while the master is open; the master's file and the slave's files hold it
// too.
#pragma once

#include <functional>

#include "core/tty/tty.h"
#include "core/vfs/file.h"

namespace umbra::tty {

/// The slave side, with what the master side needs to know of the pair.
class PtySlave final : public Tty {
public:
    /// `released` is called once, when the master is closed: the number is free, the node goes.
    PtySlave(Kernel& kernel, u32 index, std::function<void()> released);

    u32 index() const { return index_; }

    // The master's side
    Result<u64> master_read(IoBuffer& buffer);
    u32 master_readiness() const;
    void master_closed();
    u64 master_bytes() const { return to_master_.size(); }
    void discard_to_master();
    void set_packet_mode(bool on);
    bool packet_mode() const { return packet_mode_; }
    WaitQueue& master_queue() { return master_queue_; }

    bool locked = true; ///< TIOCSPTLCK: the slave cannot be opened yet

    // Tty
    u64 device_room() const override;
    void device_write(std::span<u8 const> bytes) override;
    void device_discard() override;
    bool is_other_end_closed() const override { return !master_open_; }
    Result<void> opening() override;
    void last_file_closed() override;
    void input_drained() override { master_queue_.wake_all(abi::pollout); }
    void input_flushed() override { tell_master(abi::tiocpkt_flushread); }
    void output_stop_changed(bool stopped) override;
    void termios_changed(abi::Termios const& old) override;

private:
    static constexpr u64 kBufferSize = 16 << 10;

    void tell_master(u8 status);

    u32 index_;
    std::function<void()> released_;
    std::vector<u8> to_master_; ///< what the slave wrote, not yet read
    WaitQueue master_queue_;
    bool master_open_ = true;
    bool slave_closed_ = false; ///< it was open, and nobody has it any more
    bool packet_mode_ = false;
    u8 packet_status_ = 0; ///< TIOCPKT_* bits for the master's next read
};

/// An open master.
class PtyMaster final : public vfs::File {
public:
    /// Opens the slave by its place in the file system (TIOCGPTPEER).
    using PeerOpener = std::function<Result<Ref<vfs::File>>(u32 flags)>;

    PtyMaster(vfs::Path path, u32 flags, Ref<PtySlave> slave, PeerOpener open_peer);
    ~PtyMaster() override;

    PtySlave& slave() const { return *slave_; }
    Result<u64> read(IoBuffer& buffer, u64 offset) override { return slave_->master_read(buffer); }
    Result<u64> write(IoBuffer& buffer, u64 offset) override;
    u32 readiness() override { return slave_->master_readiness(); }
    WaitQueue* wait_queue() override { return &slave_->master_queue(); }
    Result<i64> ioctl(Task& task, u32 command, u64 argument) override;

private:
    Result<i64> open_peer(Task& task, u64 flags);

    Ref<PtySlave> slave_;
    PeerOpener open_peer_;
};

} // namespace umbra::tty
