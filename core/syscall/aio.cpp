// SPDX-License-Identifier: GPL-2.0-or-later
// Asynchronous I/O: io_setup, io_destroy, io_submit, io_cancel, io_getevents, io_pgetevents.
#include "core/ipc/aio.h"

#include "core/ipc/eventfd.h"
#include "core/syscall/read-write.h"
#include "core/syscall/scheduling.h"
#include "core/syscall/wait-options.h"

namespace umbra {

using namespace abi;

SyscallResult sys_io_setup(Task& task, u32 requests, UserInOut<u64> id)
{
    if (TRY(id.copy_in(task)) != 0 || requests == 0) return err::inval;
    u64 const made = TRY(ipc::aio_setup(task, requests));
    if (auto told = id.copy_out(task, made); told.is_error()) {
        (void)ipc::aio_destroy(task, made).ok(); // another thread may have been quicker
        return told.error();
    }
    return 0;
}

SyscallResult sys_io_destroy(Task& task, u64 id)
{
    TRY(ipc::aio_destroy(task, id));
    return 0;
}

namespace {

bool is_read(Iocb const& block) { return block.opcode == iocb_cmd_pread || block.opcode == iocb_cmd_preadv; }

/// Checks what Linux checks before it reads or writes: EOPNOTSUPP, EBADF, EINVAL, EFAULT, EPERM.
Result<IoBuffer> prepare_transfer(Task& task, vfs::File const& file, Iocb const& block)
{
    if (block.flags & iocb_flag_ioprio) TRY(check_io_priority(task, u16(block.priority)));
    constexpr u32 kKnown = kRwfHipri | kRwfDsync | kRwfSync | kRwfNowait | kRwfAppend | kRwfNoappend;
    if (block.rw_flags & ~kKnown) return err::opnotsupp;
    if (is_read(block) ? !file.is_readable() : !file.is_writable()) return err::badf;
    if (file.inode().is_directory()) return err::inval;
    bool const is_vector = block.opcode == iocb_cmd_preadv || block.opcode == iocb_cmd_pwritev;
    auto buffer = is_vector
        ? TRY(import_vector(task, UserIn<IoBuffer::Segment> { GuestAddr(block.buffer) }, block.length))
        : TRY(import_buffer(task, GuestAddr(block.buffer), block.length));
    if (block.offset < 0) return err::inval;
    return buffer;
}

SyscallResult transfer(Task& task, vfs::File& file, Iocb const& block, IoBuffer buffer)
{
    bool const no_wait = block.rw_flags & kRwfNowait;
    u64 offset = u64(block.offset);
    if (is_read(block)) return read_from(file, std::move(buffer), offset, no_wait);
    auto const appending = TRY(appending_of(file, block.rw_flags));
    bool const appends = (block.rw_flags & kRwfAppend) && appending == vfs::Appending::as_opened;
    if (appends && file.is_seekable()) offset = file.end_offset();
    i64 const written = TRY(write_to(task, file, std::move(buffer), offset, no_wait, appending));
    if (block.rw_flags & (kRwfDsync | kRwfSync)) TRY(file.fsync(!(block.rw_flags & kRwfSync)));
    return written;
}

/// What an event says of a finished call. One that a signal ended is not restarted: it has been submitted.
i64 event_result(SyscallResult const& result)
{
    if (result.ok()) return result.value();
    return -i64(result.error() >= err::restart_sys ? err::intr : result.error());
}

bool has_no_range(Iocb const& block) { return !block.offset && !block.length && !block.rw_flags; }

Result<void> sync_file(
    ipc::AioContext& context, vfs::File& file, Iocb const& block, ipc::AioRequest const& request)
{
    if (block.buffer || !has_no_range(block)) return err::inval;
    vfs::Inode const& inode = file.inode();
    if (!inode.is_regular() && !inode.is_directory() && !is_block_device(inode.mode())) return err::inval;
    auto synced = file.fsync(block.opcode == iocb_cmd_fdsync);
    context.complete(request, synced.ok() ? 0 : -i64(synced.error()));
    return {};
}

/// Errors are of the block; what goes wrong from then on is told by its event.
Result<void> start_request(Task& task, ipc::AioContext& context, Iocb const& block, GuestAddr address)
{
    auto file = TRY(task.files().get(GuestFd(i32(block.fd))));
    ipc::AioRequest request { .object = address.value, .data = block.data, .event_file = nullptr };
    if (block.flags & iocb_flag_resfd) {
        request.event_file = TRY(task.files().get(GuestFd(i32(block.event_fd))));
        if (!ipc::is_eventfd(*request.event_file)) return err::inval;
    }
    constexpr u32 kKey = 0;
    TRY(UserOut<u32> { address + offsetof(Iocb, key) }.copy_out(task, kKey));
    switch (block.opcode) {
    case iocb_cmd_pread:
    case iocb_cmd_pwrite:
    case iocb_cmd_preadv:
    case iocb_cmd_pwritev: {
        auto buffer = TRY(prepare_transfer(task, *file, block));
        context.complete(request, event_result(transfer(task, *file, block, std::move(buffer))));
        return {};
    }
    case iocb_cmd_fsync:
    case iocb_cmd_fdsync:
        return sync_file(context, *file, block, request);
    case iocb_cmd_poll:
        if (block.buffer > UINT16_MAX || !has_no_range(block)) return err::inval;
        context.poll(std::move(file), std::move(request), u32(block.buffer));
        return {};
    default:
        return err::inval; // IOCB_CMD_NOOP, too
    }
}

Result<void> submit(Task& task, ipc::AioContext& context, GuestAddr address)
{
    auto block = TRY(UserIn<Iocb> { address }.copy_in(task));
    if (block.reserved2 || i64(block.length) < 0) return err::inval;
    TRY(context.reserve());
    auto started = start_request(task, context, block, address);
    if (started.is_error()) context.unreserve();
    return started;
}

} // namespace

SyscallResult sys_io_submit(Task& task, u64 id, i64 count, UserIn<u64> blocks)
{
    if (count < 0) return err::inval;
    auto context = TRY(ipc::aio_context(task, id));
    count = std::min<i64>(count, context->ring().capacity());
    for (i64 i = 0; i < count; i++) {
        auto address = blocks.copy_in(task, u64(i));
        auto submitted = address.ok() ? submit(task, *context, GuestAddr(address.value())) : address.error();
        if (submitted.is_error()) return i ? SyscallResult(i) : submitted.error();
    }
    return count;
}

SyscallResult sys_io_cancel(Task& task, u64 id, UserIn<Iocb> block, UserOut<IoEvent>)
{
    u32 const key = TRY(UserIn<u32> { block.address + offsetof(Iocb, key) }.copy_in(task));
    if (key != 0) return err::inval;
    auto context = TRY(ipc::aio_context(task, id));
    return context->cancel(block.address.value);
}

namespace {

/// A timeout as Linux takes it here: what is no proper time counts as it stands.
Result<Nanoseconds> events_deadline(Task& task, UserIn<Timespec> timeout)
{
    if (timeout.is_null()) return kNever;
    auto const time = TRY(timeout.copy_in(task));
    i64 wait;
    if (__builtin_mul_overflow(time.sec, kNanosecondsPerSecond, &wait)
        || __builtin_add_overflow(wait, time.nsec, &wait))
        return time.sec < 0 ? kAtOnce : kNever;
    return deadline_after(task, wait);
}

SyscallResult get_events(
    Task& task, u64 id, i64 least, i64 most, UserOut<IoEvent> events, Nanoseconds deadline)
{
    auto context = TRY(ipc::aio_context(task, id));
    if (least < 0 || least > most) return err::inval;
    return i64(TRY(context->get_events(task, u64(least), u64(most), events, deadline)));
}

} // namespace

SyscallResult sys_io_getevents(
    Task& task, u64 id, i64 least, i64 most, UserOut<IoEvent> events, UserIn<Timespec> timeout)
{
    Nanoseconds const deadline = TRY(events_deadline(task, timeout));
    auto result = get_events(task, id, least, most, events, deadline);
    return result.is_error() && result.error() == err::restart_sys ? SyscallResult(err::intr) : result;
}

SyscallResult sys_io_pgetevents(Task& task, u64 id, i64 least, i64 most, UserOut<IoEvent> events,
    UserIn<Timespec> timeout, UserIn<AioSigset> signals)
{
    Nanoseconds const deadline = TRY(events_deadline(task, timeout));
    AioSigset const set = signals.is_null() ? AioSigset {} : TRY(signals.copy_in(task));
    auto mask = TRY(TemporaryMask::apply(task, UserIn<u64> { GuestAddr(set.mask) }, set.size));
    auto result = get_events(task, id, least, most, events, deadline);
    bool const interrupted = result.is_error() && result.error() == err::restart_sys;
    mask.finish(interrupted || (result.ok() && task.has_pending_signal()));
    return interrupted ? SyscallResult(err::restart_nohand) : result;
}

} // namespace umbra
