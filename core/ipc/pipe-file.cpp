// SPDX-License-Identifier: GPL-2.0-or-later
// Open ends of pipes and FIFOs: opening, closing, readiness, SIGPIPE, and the sizes that fcntl(2) sets.
#include <bit>

#include "core/abi/ioctl.h"
#include "core/ipc/pipe.h"
#include "core/kernel.h"
#include "core/task/task.h"
#include "core/vfs/file-system.h"

namespace umbra::ipc {

PipeFile::PipeFile(vfs::Path path, u32 flags, Ref<Pipe> pipe)
    : File(std::move(path), flags)
    , pipe_(std::move(pipe))
{
    if (is_readable()) {
        pipe_->readers++;
        pipe_->reader_openings++;
    }
    if (is_writable()) {
        pipe_->writers++;
        pipe_->writer_openings++;
    }
}

PipeFile::~PipeFile()
{
    if (is_readable()) pipe_->readers--;
    if (is_writable()) pipe_->writers--;
    if (pipe_->readers == 0 || pipe_->writers == 0) pipe_->wake_everyone();
    // What is left in a FIFO is dropped with its last end (fifo(7)).
    if (pipe_->readers == 0 && pipe_->writers == 0 && inode().attachment == pipe_.get())
        inode().attachment = nullptr;
}

Result<u64> PipeFile::read(IoBuffer& buffer, u64) { return pipe_->read(buffer); }

Result<u64> PipeFile::write(IoBuffer& buffer, u64)
{
    auto result = pipe_->write(buffer, flags() & abi::o_direct);
    if (result.is_error() && result.error() == err::pipe) signal_broken_pipe();
    return result;
}

void PipeFile::signal_broken_pipe()
{
    // A signal that cannot be queued is no error of the write's.
    (void)send_signal(current(), user_signal(abi::sigpipe, current()));
}

u32 PipeFile::readiness()
{
    pipe_->polled = true;
    u32 ready = 0;
    if (is_readable()) {
        if (!pipe_->is_empty()) ready |= abi::pollin | abi::pollrdnorm;
        if (pipe_->writers == 0 && pipe_->writer_openings != writers_before_) ready |= abi::pollhup;
    }
    if (is_writable()) {
        if (!pipe_->is_full()) ready |= abi::pollout | abi::pollwrnorm;
        // Linux: most Unices do not set POLLERR for FIFOs but on Linux they behave exactly like pipes for
        // poll().
        if (pipe_->readers == 0) ready |= abi::pollerr;
    }
    return ready;
}

WaitQueue* PipeFile::wait_queue()
{
    if (!is_writable()) return &pipe_->readable;
    return is_readable() ? &pipe_->either : &pipe_->writable;
}

Result<i64> PipeFile::ioctl(Task& task, u32 command, u64 argument)
{
    if (command != abi::fionread) return File::ioctl(task, command, argument);
    TRY(UserOut<i32> { GuestAddr(argument) }.copy_out(task, i32(pipe_->bytes())));
    return 0;
}

Result<i64> PipeFile::set_size(Task const& task, u64 bytes)
{
    if (bytes > u64 { 1 } << 31) return err::inval;
    u64 rounded = std::bit_ceil(std::max(bytes, kPageSize));
    bool grows = rounded > u64(size());
    if (grows && rounded > kPipeMaxSize && !task.credentials().has(Capability::sys_resource))
        return err::perm;
    TRY(pipe_->resize(u32(rounded / kPageSize)));
    return i64(rounded);
}

PipeFile* as_pipe(vfs::File& file) { return dynamic_cast<PipeFile*>(&file); }

Result<PipeEnds> make_pipe(Kernel& kernel, u32 flags)
{
    auto pipe = make_ref<Pipe>(kernel.memory());
    u64 number = kernel.next_unique();
    auto path = vfs::make_owned_anonymous_path(
        kernel, "pipe:[" + std::to_string(number) + "]", abi::s_ififo | 0600, number);
    path.inode().attachment = RefPtr<RefCounted>(Ref<RefCounted>(pipe)); // for opening /proc/pid/fd/N
    auto read_end = make_ref<PipeFile>(path, (flags & abi::o_nonblock) | abi::o_rdonly, pipe);
    auto write_end
        = make_ref<PipeFile>(path, (flags & (abi::o_nonblock | abi::o_direct)) | abi::o_wronly, pipe);
    return PipeEnds { std::move(read_end), std::move(write_end) };
}

namespace {

Ref<Pipe> fifo_of(vfs::Inode& inode)
{
    // The attachment of a FIFO's inode is never anything but its pipe.
    if (inode.attachment) return Ref<Pipe>(static_cast<Pipe&>(*inode.attachment));
    auto pipe = make_ref<Pipe>(inode.file_system().kernel().memory());
    inode.attachment = RefPtr<RefCounted>(Ref<RefCounted>(pipe));
    return pipe;
}

} // namespace

Result<Ref<vfs::File>> open_fifo(vfs::Path const& path, u32 flags)
{
    auto pipe = fifo_of(path.inode());
    bool nonblocking = flags & abi::o_nonblock;
    u32 access = flags & abi::o_accmode;
    if (access == abi::o_wronly && nonblocking && pipe->readers == 0) {
        if (pipe->writers == 0) path.inode().attachment = nullptr;
        return err::nxio;
    }
    auto file = make_ref<PipeFile>(path, flags, pipe);
    pipe->openers.wake_all();

    // Waits for an opening of the other kind, which may be over again by the time this task runs.
    u64& awaited = access == abi::o_rdonly ? pipe->writer_openings : pipe->reader_openings;
    bool partner = access == abi::o_rdwr || (access == abi::o_rdonly ? pipe->writers : pipe->readers) > 0;
    // A pipe opened again by /proc/pid/fd/N waits for nobody, as on Linux.
    if (&path.inode().file_system() == &path.inode().file_system().kernel().anonymous_files()) partner = true;
    if (!partner && nonblocking) file->ignore_hangup_until_writer();
    if (!partner && !nonblocking)
        TRY(pipe->openers.wait_until([&awaited, before = awaited] { return awaited != before; }));
    return Ref<vfs::File>(file);
}

} // namespace umbra::ipc
