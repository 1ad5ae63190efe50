// SPDX-License-Identifier: GPL-2.0-or-later
// mq_open, mq_unlink, mq_timedsend, mq_timedreceive, mq_notify, mq_getsetattr.
#include "core/ipc/mqueue.h"
#include "core/net/netlink/netlink-socket.h"
#include "core/syscall/syscall.h"
#include "core/task/task.h"
#include "core/time/timekeeper.h"

namespace umbra {

using namespace abi;

namespace {

/// An open queue; the file is held meanwhile. EBADF for other descriptors too.
struct OpenQueue {
    Ref<vfs::File> file;
    ipc::MessageQueue& queue;
};

Result<OpenQueue> get_queue(Task& task, GuestFd fd)
{
    auto file = TRY(task.files().get(fd));
    auto* queue = ipc::as_message_queue(*file);
    if (!queue) return err::badf;
    return OpenQueue { file, *queue };
}

/// A timeout on CLOCK_REALTIME as an instant of CLOCK_MONOTONIC; kNever without one. EINVAL.
Result<Nanoseconds> deadline_of(Task& task, UserIn<Timespec> timeout)
{
    if (timeout.is_null()) return kNever;
    auto const t = TRY(timeout.copy_in(task));
    if (!Timekeeper::is_valid(t)) return err::inval;
    auto& time = task.kernel().time();
    return Timekeeper::add(time.monotonic(), Timekeeper::from_timespec(t) - time.realtime());
}

} // namespace

SyscallResult sys_mq_open(Task& task, UserCString name_in, u32 flags, u32 mode, UserIn<MqAttributes> shape_in)
{
    MqAttributes shape {};
    if (!shape_in.is_null()) shape = TRY(shape_in.copy_in(task));
    auto const name = TRY(name_in.copy_in(task));
    if (name.empty()) return err::noent;
    u64 const limit = task.limit(Resource::nofile);
    auto const fd = TRY(task.files().reserve(limit));
    auto file = ipc::open_message_queue(
        task, name, flags, mode & ~task.umask(), shape_in.is_null() ? nullptr : &shape);
    if (file.is_error()) {
        task.files().release(fd);
        return file.error();
    }
    task.files().install(fd, file.value(), true);
    return fd.value;
}

SyscallResult sys_mq_unlink(Task& task, UserCString name_in)
{
    auto const name = TRY(name_in.copy_in(task));
    if (name.empty()) return err::noent;
    TRY(ipc::unlink_message_queue(task, name));
    return 0;
}

SyscallResult sys_mq_timedsend(
    Task& task, GuestFd fd, GuestAddr text, u64 size, u32 priority, UserIn<Timespec> timeout)
{
    auto const deadline = TRY(deadline_of(task, timeout));
    if (priority >= mq_priorities) return err::inval;
    auto [file, queue] = TRY(get_queue(task, fd));
    if (!file->is_writable()) return err::badf;
    if (size > u64(queue.message_size())) return err::msgsize;
    ipc::QueuedMessage message { priority, TRY(UserIn<u8> { text }.copy_in_array(task, size)) };
    TRY(queue.send(task, std::move(message), file->is_nonblocking(), deadline));
    return 0;
}

SyscallResult sys_mq_timedreceive(
    Task& task, GuestFd fd, GuestAddr text, u64 size, UserOut<u32> priority, UserIn<Timespec> timeout)
{
    auto const deadline = TRY(deadline_of(task, timeout));
    auto [file, queue] = TRY(get_queue(task, fd));
    if (!file->is_readable()) return err::badf;
    if (size < u64(queue.message_size())) return err::msgsize;
    auto const message = TRY(queue.receive(task, file->is_nonblocking(), deadline));
    if (!priority.is_null()) TRY(priority.copy_out(task, message.priority));
    TRY(copy_to_user(task, text, message.data.data(), message.data.size()));
    return i64(message.data.size());
}

namespace {

/// SIGEV_THREAD tells through an AF_NETLINK socket, whose number stands where a signal's would. EFAULT, EBADF, EINVAL.
Result<ipc::MessageQueue::Cookie> import_cookie(Task& task, SigEvent const& event)
{
    auto bytes
        = TRY(UserIn<u8> { GuestAddr(event.value) }.copy_in_array(task, ipc::MessageQueue::kCookieSize));
    auto file = TRY(task.files().get(GuestFd(event.signo)));
    TRY(net::as_socket(*file));
    auto* socket = net::as_netlink_socket(*file);
    if (!socket) return err::inval;
    if (socket->is_full()) return err::again;
    return ipc::MessageQueue::Cookie { std::move(file), std::move(bytes) };
}

} // namespace

SyscallResult sys_mq_notify(Task& task, GuestFd fd, UserIn<SigEvent> event_in)
{
    SigEvent event {};
    std::optional<ipc::MessageQueue::Cookie> cookie;
    if (!event_in.is_null()) {
        event = TRY(event_in.copy_in(task));
        if (event.notify < sigev_signal || event.notify > sigev_thread) return err::inval;
        if (event.notify == sigev_signal && u32(event.signo) > u32(signal_count)) return err::inval;
        if (event.notify == sigev_thread) cookie = TRY(import_cookie(task, event));
    }
    auto [file, queue] = TRY(get_queue(task, fd));
    if (event_in.is_null())
        queue.unregister_notification(task.process());
    else
        TRY(queue.register_notification(task, event, std::move(cookie)));
    return 0;
}

SyscallResult sys_mq_getsetattr(
    Task& task, GuestFd fd, UserIn<MqAttributes> wanted_in, UserOut<MqAttributes> previous_out)
{
    MqAttributes wanted {};
    if (!wanted_in.is_null()) {
        wanted = TRY(wanted_in.copy_in(task));
        if (wanted.flags & ~i64(o_nonblock)) return err::inval;
    }
    auto [file, queue] = TRY(get_queue(task, fd));
    MqAttributes const previous { .flags = i64(file->flags() & o_nonblock),
        .max_messages = queue.max_messages(),
        .message_size = queue.message_size(),
        .messages = queue.count() };
    if (!wanted_in.is_null()) file->set_status_flags((file->flags() & ~o_nonblock) | u32(wanted.flags));
    if (!previous_out.is_null()) TRY(previous_out.copy_out(task, previous));
    return 0;
}

} // namespace umbra
