// SPDX-License-Identifier: GPL-2.0-or-later
// splice, tee, vmsplice.
#include "core/ipc/splice.h"

#include <algorithm>

#include "core/syscall/iovec.h"
#include "core/syscall/syscall.h"
#include "core/vfs/operations.h"

namespace umbra {

namespace {

constexpr u32 kNonblock = 2, kAllFlags = 15; // SPLICE_F_*

ipc::Blocking blocking_of(u32 flags) { return flags & kNonblock ? ipc::Blocking::no : ipc::Blocking::yes; }

/// Where a splice reads or writes a file: at an offset in guest memory, or at the file's own position.
class Place {
public:
    static Result<Place> at(Task& task, vfs::File& file, UserInOut<i64> argument)
    {
        if (argument.is_null()) return Place(file, argument, file.position);
        if (!file.is_seekable()) return err::inval;
        i64 offset = TRY(argument.copy_in(task));
        if (offset < 0) return err::inval;
        return Place(file, argument, u64(offset));
    }
    Result<void> write_back(Task& task) const
    {
        if (!argument_.is_null()) return argument_.copy_out(task, i64(offset));
        if (file_.is_seekable()) file_.position = offset;
        return {};
    }

    u64 offset;

private:
    Place(vfs::File& file, UserInOut<i64> argument, u64 start)
        : offset(start)
        , file_(file)
        , argument_(argument)
    {
    }
    vfs::File& file_;
    UserInOut<i64> argument_;
};

SyscallResult splice_out_of(
    Task& task, ipc::PipeFile& pipe, vfs::File& out, UserInOut<i64> offset, u64 length, u32 flags)
{
    // The position of an appending file is not the caller's to choose (Linux: EINVAL).
    if ((out.flags() & abi::o_append) || !out.can_splice()) return err::inval;
    Place place = TRY(Place::at(task, out, offset));
    u64 moved = TRY(ipc::splice_from_pipe(task, pipe, out, place.offset, length, blocking_of(flags)));
    TRY(place.write_back(task));
    return i64(moved);
}

SyscallResult splice_into(
    Task& task, vfs::File& in, UserInOut<i64> offset, ipc::PipeFile& pipe, u64 length, u32 flags)
{
    Place place = TRY(Place::at(task, in, offset));
    if (!in.can_splice() || in.inode().is_directory()) return err::inval;
    u64 moved = TRY(ipc::splice_to_pipe(task, in, place.offset, pipe, length, blocking_of(flags)));
    TRY(place.write_back(task));
    return i64(moved);
}

} // namespace

SyscallResult sys_splice(Task& task, GuestFd in_fd, UserInOut<i64> in_offset, GuestFd out_fd,
    UserInOut<i64> out_offset, u64 length, u32 flags)
{
    if (length == 0) return 0;
    if (flags & ~kAllFlags) return err::inval;
    auto in = TRY(task.files().get(in_fd));
    auto out = TRY(task.files().get(out_fd));
    if (!in->is_readable() || !out->is_writable()) return err::badf;
    length = std::min(length, vfs::kMaxIoCount);
    auto* in_pipe = ipc::as_pipe(*in);
    auto* out_pipe = ipc::as_pipe(*out);
    if ((in_pipe && !in_offset.is_null()) || (out_pipe && !out_offset.is_null())) return err::spipe;
    if (in_pipe && out_pipe)
        return i64(TRY(ipc::splice_pipes(*in_pipe, *out_pipe, length, blocking_of(flags))));
    if (in_pipe) return splice_out_of(task, *in_pipe, *out, out_offset, length, flags);
    if (out_pipe) return splice_into(task, *in, in_offset, *out_pipe, length, flags);
    return err::inval;
}

SyscallResult sys_tee(Task& task, GuestFd in_fd, GuestFd out_fd, u64 length, u32 flags)
{
    if (flags & ~kAllFlags) return err::inval;
    if (length == 0) return 0;
    auto in = TRY(task.files().get(in_fd));
    auto out = TRY(task.files().get(out_fd));
    if (!in->is_readable() || !out->is_writable()) return err::badf;
    auto* in_pipe = ipc::as_pipe(*in);
    auto* out_pipe = ipc::as_pipe(*out);
    if (!in_pipe || !out_pipe) return err::inval;
    return i64(TRY(ipc::tee(*in_pipe, *out_pipe, length, blocking_of(flags))));
}

SyscallResult sys_vmsplice(Task& task, GuestFd fd, UserIn<abi::Iovec> vector, u64 count, u32 flags)
{
    if (flags & ~kAllFlags) return err::inval;
    auto file = TRY(task.files().get(fd));
    auto* pipe = ipc::as_pipe(*file);
    if (!pipe) return err::badf;
    auto buffer = TRY(import_iovec(task, vector, count));
    if (buffer.remaining() == 0) return 0;
    // Pages are copied, gifts too: what the guest does to them afterwards is not seen.
    if (pipe->is_writable()) {
        TRY(ipc::wait_for_room(*pipe, blocking_of(flags)));
        auto result = pipe->write(buffer, 0);
        return i64(TRY(moved_or_error(buffer, result)));
    }
    TRY(ipc::wait_for_data(*pipe, blocking_of(flags)));
    auto result = pipe->read(buffer, 0);
    return i64(TRY(moved_or_error(buffer, result)));
}

} // namespace umbra
