// SPDX-License-Identifier: GPL-2.0-or-later
// The guest side of a passed-through descriptor: its inode and its open files.
#include "drivers-virtual/stdio/stdio-file.h"

#include <cerrno>

#include <fcntl.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "core/abi/ioctl.h"
#include "core/kernel.h"
#include "core/task/task.h"
#include "core/vfs/file-system.h"
#include "drivers-virtual/stdio/stdio-stream.h"

namespace umbra::drivers {

namespace {

vfs::Attributes attributes_of(hostabi::StreamStatus const& status, StdioOwner owner)
{
    abi::Timespec const changed { status.mtime_seconds, status.mtime_nanoseconds };
    return { .mode = status.mode,
        .uid = owner.uid,
        .gid = owner.gid,
        .nlink = status.links,
        .rdev = status.rdev,
        .size = status.size,
        .blocks = status.blocks,
        .block_size = status.block_size,
        .atime = changed,
        .mtime = changed,
        .ctime = changed,
        .btime = changed };
}

/// Every open descriptor has a status; the defaults stand for a host that lost it (a stale network file).
hostabi::StreamStatus status_of(hostabi::HostStream const& host) { return host.status().value_or({}); }

class StdioInode final : public vfs::Inode {
public:
    StdioInode(vfs::FileSystem& fs, Ref<StdioStream> stream, StdioOwner owner)
        : Inode(fs, status_of(stream->host()).inode, attributes_of(status_of(stream->host()), owner))
        , stream_(std::move(stream))
    {
    }

    Result<void> refresh() override
    {
        // Owner and permission bits are the guest's own, see set_attributes().
        auto const status = status_of(stream_->host());
        attributes_.size = status.size;
        attributes_.blocks = status.blocks;
        attributes_.mtime = { status.mtime_seconds, status.mtime_nanoseconds };
        return {};
    }
    Result<void> set_attributes(vfs::AttributeChange const& change) override;
    Result<Ref<vfs::File>> open(vfs::Path const& path, u32 flags) override;

private:
    Ref<StdioStream> stream_;
};

class StdioFile final : public vfs::File {
public:
    StdioFile(vfs::Path path, u32 flags, Ref<StdioStream> stream)
        : File(std::move(path), flags)
        , stream_(std::move(stream))
    {
        stream_->opened();
        if (stream_->has_position()) position = vfs::kOwnPosition;
    }
    ~StdioFile() override { stream_->closed(); }

    Result<u64> read(IoBuffer& buffer, u64 offset) override
    {
        return offset >= vfs::kOwnPosition || !stream_->has_position() ? stream_->read(buffer)
                                                                       : stream_->read_at(buffer, offset);
    }
    Result<u64> write(IoBuffer& buffer, u64 offset) override;
    bool is_seekable() const override { return stream_->has_position(); }
    bool has_own_position() const override { return stream_->has_position(); }
    Result<u64> seek_special(i64 offset, i32 whence) override;
    u32 readiness() override;
    WaitQueue* wait_queue() override { return stream_->is_regular() ? nullptr : &stream_->queue(); }
    Result<i64> ioctl(Task& task, u32 command, u64 argument) override;
    Result<void> fsync(bool data_only) override;
    Result<void> fallocate(u32 mode, u64 offset, u64 length) override;

private:
    Ref<StdioStream> stream_;
};

Result<void> status_from_host(i32 result)
{
    if (result < 0) return Errno(-result);
    return {};
}

Result<u64> StdioFile::write(IoBuffer& buffer, u64 offset)
{
    bool const positioned = offset < vfs::kOwnPosition && stream_->has_position();
    bool const appends = (flags() & abi::o_append) && !(stream_->host().flags() & O_APPEND);
    if (appends && stream_->is_regular()) // the guest set it with fcntl; the description is not only ours
        (void)stream_->host().seek(0, SEEK_END);
    auto result = positioned ? stream_->write_at(buffer, offset) : stream_->write(buffer);
    if (result.is_error() && result.error() == err::pipe)
        // A signal that cannot be queued is no error of the write's.
        (void)send_signal(current(), user_signal(abi::sigpipe, current()));
    return result;
}

Result<u64> StdioFile::seek_special(i64 offset, i32 whence)
{
    auto result = stream_->host().seek(offset, whence); // SEEK_* are the same numbers for guest and host
    if (result.is_error()) return hostabi::to_guest_errno(result.error());
    return result.value();
}

u32 StdioFile::readiness()
{
    u32 const wanted = (is_readable() ? abi::pollin | abi::pollrdnorm : 0u)
        | (is_writable() ? abi::pollout | abi::pollwrnorm : 0u);
    u32 const others = abi::pollerr | abi::pollhup | abi::pollpri | abi::pollrdhup;
    return stream_->readiness(wanted) & (wanted | others);
}

Result<i64> StdioFile::ioctl(Task& task, u32 command, u64 argument)
{
    if (command != abi::fionread) return File::ioctl(task, command, argument);
    auto count = stream_->host().bytes_available();
    if (count.is_error()) return hostabi::to_guest_errno(count.error());
    TRY(UserOut<i32> { GuestAddr(argument) }.copy_out(task, count.value()));
    return 0;
}

Result<void> StdioFile::fsync(bool data_only)
{
    return status_from_host(await_request(stream_->io(), [&](hostabi::Ring& ring, hostabi::Completion& done) {
        ring.fsync(stream_->host().fd(), data_only, done);
    }));
}

Result<void> StdioFile::fallocate(u32 mode, u64 offset, u64 length)
{
    return status_from_host(await_request(stream_->io(), [&](hostabi::Ring& ring, hostabi::Completion& done) {
        ring.fallocate(stream_->host().fd(), int(mode), i64(offset), i64(length), done);
    }));
}

struct Truncation {
    int fd;
    u64 size;
    static i32 run(void* argument)
    {
        // offload() passes back what it was given.
        auto const& job = *static_cast<Truncation*>(argument);
        return hostabi::HostStream::truncate(job.fd, job.size);
    }
};

/// The size is the host's. Owner, mode and times are not: the guest sees its own changes, the host's file
/// stays.
Result<void> StdioInode::set_attributes(vfs::AttributeChange const& change)
{
    if (change.mask & vfs::AttributeChange::kSize) {
        if (!is_regular()) return err::inval;
        Truncation job { stream_->host().fd(), change.size };
        TRY(status_from_host(
            await_request(stream_->io(), [&](hostabi::Ring& ring, hostabi::Completion& done) {
                ring.offload(Truncation::run, &job, done);
            })));
        attributes_.size = change.size;
    }
    apply_change(change);
    return {};
}

/// As open("/proc/self/fd/N") on the host: a description of its own. Where the host refuses (the descriptor
/// came from somebody with more rights; sockets are ENXIO on Linux too), the inherited one serves if it
/// allows the access.
Result<Ref<vfs::File>> StdioInode::open(vfs::Path const& path, u32 flags)
{
    auto& io = stream_->io();
    u32 const access = flags & abi::o_accmode;
    auto again = stream_->host().reopen(int(access | (flags & abi::o_append) | O_NONBLOCK));
    if (again.ok()) {
        auto stream = make_ref<StdioStream>(io, std::move(again).value());
        return Ref<vfs::File>(make_ref<StdioFile>(path, flags, std::move(stream)));
    }
    u32 const granted = stream_->host().flags() & abi::o_accmode;
    if (again.error().value == ENXIO) return err::nxio;
    if (granted != abi::o_rdwr && granted != access) return err::acces;
    return Ref<vfs::File>(make_ref<StdioFile>(path, flags, stream_));
}

std::string name_of(hostabi::HostStream const& host)
{
    auto const number = std::to_string(status_of(host).inode);
    switch (host.kind()) {
    case hostabi::StreamKind::pipe:
        return "pipe:[" + number + "]";
    case hostabi::StreamKind::socket:
        return "socket:[" + number + "]";
    default:
        return "host:[" + number + "]";
    }
}

} // namespace

hostabi::HostResult<Ref<vfs::File>> make_stdio_file(Kernel& kernel, HostIo& io, int host_fd, StdioOwner owner)
{
    auto stream = make_ref<StdioStream>(io, TRY(hostabi::HostStream::duplicate(host_fd)));
    auto inode = make_ref<StdioInode>(kernel.anonymous_files(), stream, owner);
    auto path = vfs::make_anonymous_path(kernel, name_of(stream->host()), Ref<vfs::Inode>(inode));
    u32 const flags
        = stream->host().flags(); // O_ACCMODE and O_APPEND have the same values for guest and host
    return Ref<vfs::File>(make_ref<StdioFile>(std::move(path), flags, std::move(stream)));
}

} // namespace umbra::drivers
