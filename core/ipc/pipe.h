// SPDX-License-Identifier: GPL-2.0-or-later
// Pipes and FIFOs (pipe(7), fifo(7)): a ring of page-sized slots between read ends and write ends. As on
// Linux the capacity counts slots, not bytes: a write that does not fit behind the last one's bytes takes a
// fresh slot. References: an open end (PipeFile) holds the Pipe; a FIFO's inode holds it too
// (Inode::attachment) while any end is open. The ends are counted here, so that the last one of a kind is
// noticed.
#pragma once

#include <vector>

#include "core/base/error.h"
#include "core/base/ref.h"
#include "core/mm/frame.h"
#include "core/sync/mutex.h"
#include "core/vfs/file.h"

namespace umbra::ipc {

constexpr u32 kPipeDefaultSlots = 16;
constexpr u64 kPipeBuf = 4096; ///< PIPE_BUF: writes up to this size are atomic
constexpr u64 kPipeMaxSize = 1 << 20; ///< what an unprivileged F_SETPIPE_SZ can ask for (fs.pipe-max-size)

/// A page with some bytes in it. The frame may be shared with another pipe (tee(2)) and is never written
/// then.
struct PipeSlot {
    mm::Frame frame;
    u32 offset = 0;
    u32 length = 0;
    bool packet = false; ///< one write(2) of a pipe in packet mode (O_DIRECT): reads end here
    bool mergeable = false; ///< later writes may go behind its bytes
};

class Pipe : public RefCounted {
public:
    explicit Pipe(mm::PhysicalMemory& memory, u32 slots = kPipeDefaultSlots);
    ~Pipe() override;

    /// Moves what is there, up to the buffer's size. 0 at end of file (no writers), err::again when empty.
    /// The copy may fault and so wait, on the pipe's own mutex then.
    Result<u64> read(IoBuffer& buffer);
    /// Moves as much as there is room for. err::again when bytes remain (see vfs::File::write), err::pipe
    /// when there are no readers. `packets`: each page of it becomes a packet.
    Result<u64> write(IoBuffer& buffer, bool packets);

    bool is_empty() const { return used_ == 0; }
    bool is_full() const { return used_ >= capacity(); }
    u32 capacity() const { return u32(ring_.size()); } ///< in slots
    u32 used() const { return used_; }
    u64 bytes() const;
    /// F_SETPIPE_SZ: a power of two of slots. EBUSY when more than that are in use.
    Result<void> resize(u32 slots);

    // For splice and tee, with mutex() held.
    PipeSlot& front() { return slot(0); }
    PipeSlot& slot(u32 index) { return ring_[(head_ + index) & (capacity() - 1)]; }
    /// Appends a slot, taking over its reference on the frame; there must be room. bytes_arrived() is the
    /// caller's duty.
    void push(PipeSlot const& slot);
    /// Drops the first slot; bytes_taken() is the caller's duty, here and below.
    void pop();
    /// Gives away the first slot with its reference on the frame.
    PipeSlot detach_front();
    /// A slot for another pipe that shows the first `count` bytes of slot `index`.
    PipeSlot share(u32 index, u32 count);
    /// Takes `count` bytes off the first slot, popping it when it is used up.
    void consume(u32 count);
    /// A frame to fill, from the spare ones if possible; not zeroed. ENOMEM.
    Result<mm::Frame> take_frame();
    void give_frame(mm::Frame frame);
    u8* data(mm::Frame frame) const { return memory_.data(frame); }
    Mutex& mutex() { return mutex_; }

    /// To be called after bytes were added or removed, with what held before: wakes whom that concerns.
    void bytes_arrived(bool was_empty);
    void bytes_taken(bool was_full);
    /// An end went, or the size changed.
    void wake_everyone();

    u32 readers = 0, writers = 0; ///< open ends
    u64 reader_openings = 0,
        writer_openings = 0; ///< how often an end of that kind was ever opened, for FIFO opens
    WaitQueue readable, writable; ///< where read ends and write ends wait
    WaitQueue either; ///< where ends opened for both wait
    WaitQueue openers; ///< opens of a FIFO that wait for the other end
    /// Set once somebody polls: edge-triggered epoll counts on a wake-up per write, not only per
    /// empty-to-filled change (Linux: poll_usage).
    bool polled = false;

private:
    Result<u64> merge_into_last(IoBuffer& buffer);
    Result<void> append_page(IoBuffer& buffer, bool packet);
    void wake_readers();
    void wake_writers();

    mm::PhysicalMemory& memory_;
    Mutex mutex_; ///< guards the ring and the spare frames across copies
    std::vector<PipeSlot> ring_; ///< a power of two
    u32 head_ = 0, used_ = 0;
    /// Drained frames, last one on top, kept for the next write: a busy pipe neither allocates nor zeroes.
    std::vector<mm::Frame> spare_;
};

/// An open end of a pipe or FIFO.
class PipeFile final : public vfs::File {
public:
    /// Counts itself among the pipe's ends, by the access mode in `flags`.
    PipeFile(vfs::Path path, u32 flags, Ref<Pipe> pipe);
    ~PipeFile() override;

    Pipe& pipe() const { return *pipe_; }
    /// SIGPIPE to the current task.
    void signal_broken_pipe();
    Result<u64> read(IoBuffer& buffer, u64 offset) override;
    Result<u64> write(IoBuffer& buffer, u64 offset) override;
    u32 readiness() override;
    WaitQueue* wait_queue() override;
    Result<i64> ioctl(Task& task, u32 command, u64 argument) override;

    /// F_SETPIPE_SZ and F_GETPIPE_SZ of fcntl(2), in bytes. EPERM, EBUSY, EINVAL.
    Result<i64> set_size(Task const& task, u64 bytes);
    i64 size() const { return i64(pipe_->capacity()) * i64(kPageSize); }
    /// A FIFO opened for reading without waiting: no hang-up is shown before the first writer comes.
    void ignore_hangup_until_writer() { writers_before_ = pipe_->writer_openings; }

private:
    Ref<Pipe> pipe_;
    u64 writers_before_ = ~u64 { 0 };
};

struct PipeEnds {
    Ref<PipeFile> read_end, write_end;
};
/// pipe2(2): both ends of a new pipe. `flags`: O_NONBLOCK, O_DIRECT. ENOMEM.
Result<PipeEnds> make_pipe(Kernel& kernel, u32 flags);
/// Opens the FIFO at `path` as fifo(7) says; waits for the other end unless O_NONBLOCK or O_RDWR. ENXIO;
/// restart_sys. File systems call it from Inode::open of an object of type s_ififo.
Result<Ref<vfs::File>> open_fifo(vfs::Path const& path, u32 flags);
/// The pipe end that `file` is, or null.
PipeFile* as_pipe(vfs::File& file);

} // namespace umbra::ipc
