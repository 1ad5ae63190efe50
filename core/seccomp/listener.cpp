// SPDX-License-Identifier: GPL-2.0-or-later
// The listener's file and its ioctls, and the waiting of the calls that a supervisor decides.
#include "core/seccomp/listener.h"

#include <algorithm>

#include "core/kernel.h"
#include "core/task/pid-namespace.h"
#include "core/task/task.h"

namespace umbra::seccomp {

using namespace abi;
using State = Notification::State;

namespace {
constexpr u32 kCallReady = pollin | pollrdnorm, kAnswerable = pollout | pollwrnorm;
} // namespace

Result<SeccompNotifResponse> Notifications::ask(Task& task, SeccompData const& data)
{
    if (closed_) return SeccompNotifResponse { .id = 0, .value = 0, .error = -i32(Errno::nosys), .flags = 0 };
    Notification call { .id = next_id_++, .task = &task, .data = data, .changed = {} };
    notifications_.push_back(&call);
    queue_.wake_all(kCallReady);
    while (call.state != State::replied) {
        bool const received = call.state == State::received;
        auto const mode = wait_killable_ && received ? Interruption::killable : Interruption::allowed;
        auto waited = call.changed.wait_until(
            [&] {
                return call.state == State::replied
                    || (wait_killable_ && (call.state == State::received) != received);
            },
            kNever, mode);
        if (waited.ok()) continue;
        forget(call);
        return waited.error();
    }
    forget(call);
    return call.response;
}

void Notifications::forget(Notification& notification)
{
    notifications_.erase(
        std::remove(notifications_.begin(), notifications_.end(), &notification), notifications_.end());
}

Notification* Notifications::first_waiting() const
{
    auto it = std::find_if(notifications_.begin(), notifications_.end(),
        [](Notification const* n) { return n->state == State::waiting; });
    return it == notifications_.end() ? nullptr : *it;
}

Notification* Notifications::find(u64 id) const
{
    auto it = std::find_if(
        notifications_.begin(), notifications_.end(), [&](Notification const* n) { return n->id == id; });
    return it == notifications_.end() ? nullptr : *it;
}

Result<Notification*> Notifications::receive()
{
    TRY(queue_.wait_until([&] { return orphaned_ || first_waiting(); }));
    Notification* call = first_waiting();
    if (!call) return err::noent;
    call->state = State::received;
    call->changed.wake_all();
    queue_.wake_all(kAnswerable);
    return call;
}

void Notifications::reply(Notification& notification, SeccompNotifResponse const& response)
{
    notification.response = response;
    notification.state = State::replied;
    notification.changed.wake_all();
}

void Notifications::take_back(Notification& notification)
{
    if (notification.state != State::received) return;
    notification.state = State::waiting;
    notification.changed.wake_all();
    queue_.wake_all(kCallReady);
}

void Notifications::close()
{
    closed_ = true;
    for (Notification* call : notifications_)
        if (call->state != State::replied)
            reply(*call, { .id = call->id, .value = 0, .error = -i32(Errno::nosys), .flags = 0 });
}

void Notifications::orphan()
{
    orphaned_ = true;
    queue_.wake_all(pollhup);
}

u32 Notifications::readiness() const
{
    u32 ready = orphaned_ ? pollhup : 0;
    for (Notification const* call : notifications_) {
        if (call->state == State::waiting) ready |= kCallReady;
        if (call->state == State::received) ready |= kAnswerable;
    }
    return ready;
}

namespace {

/// An ioctl's number without its direction and size: for those that may grow.
constexpr u32 kCommandMask = 0xffff;
constexpr u32 size_of_command(u32 command) { return command >> 16 & 0x3fff; }

class ListenerFile final : public vfs::File {
public:
    ListenerFile(vfs::Path path, Ref<Notifications> notifications)
        : File(std::move(path), o_rdwr)
        , notifications_(std::move(notifications))
    {
    }
    ~ListenerFile() override { notifications_->close(); }

    u32 readiness() override { return notifications_->readiness(); }
    WaitQueue* wait_queue() override { return &notifications_->queue(); }
    // It has neither a read nor a write.
    Result<u64> read(IoBuffer&, u64) override { return err::inval; }
    Result<u64> write(IoBuffer&, u64) override { return err::inval; }

    Result<i64> ioctl(Task& task, u32 command, u64 argument) override
    {
        GuestAddr const at(argument);
        switch (command) {
        case seccomp_ioctl_recv:
            return receive(task, at);
        case seccomp_ioctl_send:
            return send(task, at);
        case seccomp_ioctl_id_valid:
        case seccomp_ioctl_id_valid_old:
            return check_id(task, at);
        case seccomp_ioctl_set_flags:
            // Who runs where is the scheduler's business: a hand-over stays on one vCPU without being told.
            return argument & ~seccomp_listener_sync_wake_up ? SyscallResult(err::inval) : SyscallResult(0);
        default:
            if ((command & kCommandMask) == (seccomp_ioctl_addfd & kCommandMask))
                return add_fd(task, at, size_of_command(command));
            return err::inval;
        }
    }

private:
    SyscallResult receive(Task& task, GuestAddr out)
    {
        auto const old = TRY(UserIn<SeccompNotif> { out }.copy_in(task));
        auto const* bytes = reinterpret_cast<u8 const*>(&old); // its bytes
        if (std::any_of(bytes, bytes + sizeof old, [](u8 b) { return b != 0; })) return err::inval;
        Notification const& call = *TRY(notifications_->receive());
        SeccompNotif const told { call.id, u32(pid_out(task, call.task->tid())), 0, call.data };
        auto copied = UserOut<SeccompNotif> { out }.copy_out(task, told);
        if (copied.ok()) return 0;
        // The copy may have waited: the call is looked for anew.
        if (Notification* there = notifications_->find(told.id)) notifications_->take_back(*there);
        return err::fault;
    }

    SyscallResult send(Task& task, GuestAddr in)
    {
        auto const response = TRY(UserIn<SeccompNotifResponse> { in }.copy_in(task));
        if (response.flags & ~seccomp_response_continue) return err::inval;
        if ((response.flags & seccomp_response_continue) && (response.error || response.value))
            return err::inval;
        Notification* call = notifications_->find(response.id);
        if (!call) return err::noent;
        if (call->state != State::received) return err::inprogress;
        notifications_->reply(*call, response);
        return 0;
    }

    SyscallResult check_id(Task& task, GuestAddr in)
    {
        u64 const id = TRY(UserIn<u64> { in }.copy_in(task));
        Notification const* call = notifications_->find(id);
        return call && call->state == State::received ? SyscallResult(0) : SyscallResult(err::noent);
    }

    /// As Linux's structures that grow: what is beyond those known must be zero (E2BIG).
    Result<SeccompNotifAddFd> copy_request(Task& task, GuestAddr in, u64 size)
    {
        if (size < sizeof(SeccompNotifAddFd) || size >= kPageSize) return err::inval;
        for (u64 at = sizeof(SeccompNotifAddFd); at < size; ++at)
            if (TRY(UserIn<u8> { in }.copy_in(task, at))) return err::too_big;
        return UserIn<SeccompNotifAddFd> { in }.copy_in(task);
    }

    SyscallResult add_fd(Task& task, GuestAddr in, u64 size)
    {
        auto const request = TRY(copy_request(task, in, size));
        if (request.new_fd_flags & ~o_cloexec) return err::inval;
        if (request.flags & ~(seccomp_addfd_setfd | seccomp_addfd_send)) return err::inval;
        if (request.new_fd && !(request.flags & seccomp_addfd_setfd)) return err::inval;
        auto file = TRY(task.files().get(GuestFd(i32(request.source_fd))));
        Notification* call = notifications_->find(request.id);
        if (!call) return err::noent;
        if (call->state != State::received) return err::inprogress;
        i64 const fd = TRY(give(*call->task, request, std::move(file)));
        // Putting a descriptor in another's place may have waited.
        call = notifications_->find(request.id);
        if ((request.flags & seccomp_addfd_send) && call && call->state == State::received)
            notifications_->reply(*call, { .id = request.id, .value = fd, .error = 0, .flags = 0 });
        return fd;
    }

    /// The task waits in its call: its table is there, and stays while we hold it.
    Result<i64> give(Task& target, SeccompNotifAddFd const& request, Ref<vfs::File> file)
    {
        Ref<Task> keep(target);
        Ref<FdTable> files(target.files());
        bool const close_on_exec = request.new_fd_flags & o_cloexec;
        u64 const limit = target.limit(Resource::nofile);
        if (!(request.flags & seccomp_addfd_setfd))
            return TRY(files->add(std::move(file), close_on_exec, limit, 0, FdTable::For::existing_file))
                .value;
        TRY(files->replace(target, GuestFd(i32(request.new_fd)), std::move(file), close_on_exec, limit));
        return request.new_fd;
    }

    Ref<Notifications> notifications_;
};

} // namespace

Ref<vfs::File> make_listener(Kernel& kernel, Ref<Notifications> notifications)
{
    auto path = vfs::make_anonymous_path(kernel, "anon_inode:seccomp notify", 0600);
    return make_ref<ListenerFile>(std::move(path), std::move(notifications));
}

} // namespace umbra::seccomp
