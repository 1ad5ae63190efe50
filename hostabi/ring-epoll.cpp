// SPDX-License-Identifier: GPL-2.0-or-later
// The engine for hosts that refuse io_uring. Readiness comes from epoll, each descriptor registered one-shot
// for all that wait for it. Reads and writes are tried without blocking, then when the descriptor is ready,
// and what can not be done that way (files, path operations, odd devices) is done by the helper threads.
// Slower, the same to its users.
#include "hostabi/ring-engines.h"

#include <algorithm>
#include <cerrno>
#include <unordered_map>
#include <vector>

#include <fcntl.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/syscall.h>
#include <sys/uio.h>

#include "core/base/list.h"
#include "core/base/panic.h"
#include "hostabi/clock.h"
#include "hostabi/fd.h"
#include "hostabi/helper-pool.h"
#include "hostabi/host-call.h"
#include "hostabi/wake-flag.h"

namespace umbra::hostabi {

namespace {

constexpr u32 kAlways = POLLERR | POLLHUP; // poll(2) reports these unasked
constexpr u64 kWakeTag = ~u64 { 0 };
constexpr int kEventBatch = 64;

/// What a request does once its descriptor is ready.
enum class Action : u8 { poll, read, write };

struct Request : ListNode {
    Action action = Action::poll;
    int fd = -1;
    u32 events = 0;
    i64 offset = -1;
    iovec single {}; ///< for read() and write(), which have no iovec of their own
    iovec const* parts = nullptr;
    unsigned part_count = 0;
    Completion* done = nullptr;
};

/// One descriptor number and all that wait for it.
struct Watch {
    List<Request> requests;
    u32 generation = 0; ///< tells events of an earlier file with this number from those of the present one
};

class EpollRing final : public Ring {
public:
    EpollRing(OwnedFd epoll, OwnedFd wake_event)
        : epoll_(std::move(epoll))
        , wake_(std::move(wake_event))
        , helpers_(wake_)
    {
        // Edge-triggered, so that nobody has to read the eventfd.
        epoll_event event { .events = EPOLLIN | EPOLLET, .data = { .u64 = kWakeTag } };
        if (host_call(SYS_epoll_ctl, epoll_.get(), EPOLL_CTL_ADD, wake_.fd(), &event) < 0)
            panic("hostabi: an eventfd cannot be watched");
    }

    void poll(int fd, u32 events, Completion& done) override;
    void read(int fd, std::span<u8> buffer, i64 offset, Completion& done) override;
    void write(int fd, std::span<u8 const> buffer, i64 offset, Completion& done) override;
    void readv(int fd, std::span<iovec const> parts, i64 offset, Completion& done) override;
    void writev(int fd, std::span<iovec const> parts, i64 offset, Completion& done) override;

    void fsync(int fd, bool data_only, Completion& done) override
    {
        help(done, data_only ? SYS_fdatasync : SYS_fsync, fd);
    }
    void fallocate(int fd, int mode, i64 offset, i64 length, Completion& done) override
    {
        help(done, SYS_fallocate, fd, mode, offset, length);
    }
    void openat(int dir, char const* path, int flags, u32 mode, Completion& done) override
    {
        help(done, SYS_openat, dir, path, flags | O_CLOEXEC, mode);
    }
    void statx(int dir, char const* path, int flags, u32 mask, struct statx& out, Completion& done) override
    {
        help(done, SYS_statx, dir, path, flags, mask, &out);
    }
    void unlinkat(int dir, char const* path, int flags, Completion& done) override
    {
        help(done, SYS_unlinkat, dir, path, flags);
    }
    void mkdirat(int dir, char const* path, u32 mode, Completion& done) override
    {
        help(done, SYS_mkdirat, dir, path, mode);
    }
    void renameat2(int old_dir, char const* old_path, int new_dir, char const* new_path, u32 flags,
        Completion& done) override
    {
        help(done, SYS_renameat2, old_dir, old_path, new_dir, new_path, flags);
    }
    void symlinkat(char const* target, int dir, char const* path, Completion& done) override
    {
        help(done, SYS_symlinkat, target, dir, path);
    }
    void linkat(int old_dir, char const* old_path, int new_dir, char const* new_path, int flags,
        Completion& done) override
    {
        help(done, SYS_linkat, old_dir, old_path, new_dir, new_path, flags);
    }
    void offload(i32 (*call)(void*), void* argument, Completion& done) override
    {
        helpers_.post({ .function = call, .argument = argument }, done);
    }
    void cancel(Completion& done) override;

    void wait(Nanoseconds deadline) override;
    void wait_for_wake() override { sleep_until(kNever, wake_.begin_sleep()); }
    void flush() override { }
    bool has_events() const override { return true; } // only the host knows
    unsigned dispatch() override;
    void wake() override { wake_.notify(); }

    RingEngine engine() const override { return RingEngine::epoll; }
    unsigned in_flight() const override
    {
        return static_cast<unsigned>(waiting_.size() + ready_.size()) + helpers_.in_flight();
    }

private:
    struct Ready {
        Completion* done;
        i32 result;
    };

    template <typename... Args> void help(Completion& done, long number, Args... args)
    {
        helpers_.post({ .number = number, .args = { detail::as_word(args)... } }, done);
    }
    void transfer(std::unique_ptr<Request> request);
    i64 try_transfer(Request const& request);
    void help_with_transfer(Request const& request);
    void add_waiting(std::unique_ptr<Request> request);
    void remove_waiting(Request& request);
    void not_watchable(Request& request, i64 error);
    i64 arm(int fd, Watch& watch);
    void on_event(epoll_event const& event);
    void serve(Request& request, u32 events);
    void finish(Request& request, i32 result);
    void sleep_until(Nanoseconds deadline, bool sleep);
    int wait_for_events(epoll_event* events, Nanoseconds timeout);

    OwnedFd epoll_;
    WakeFlag wake_;
    HelperPool helpers_;
    std::unordered_map<Completion*, std::unique_ptr<Request>> waiting_; ///< requests that wait for readiness
    std::unordered_map<int, Watch> watches_; ///< by descriptor
    std::vector<Ready> ready_; ///< results that the next dispatch() hands out
};

void EpollRing::poll(int fd, u32 events, Completion& done)
{
    auto request = std::make_unique<Request>();
    request->fd = fd;
    request->events = events;
    request->done = &done;
    add_waiting(std::move(request));
}

void EpollRing::read(int fd, std::span<u8> buffer, i64 offset, Completion& done)
{
    auto request = std::make_unique<Request>();
    request->single = { buffer.data(), buffer.size() };
    request->parts = &request->single;
    request->part_count = 1;
    request->action = Action::read;
    request->fd = fd;
    request->offset = offset;
    request->done = &done;
    transfer(std::move(request));
}

void EpollRing::write(int fd, std::span<u8 const> buffer, i64 offset, Completion& done)
{
    auto request = std::make_unique<Request>();
    // const_cast: iovec serves both directions; pwritev2 only reads.
    request->single = { const_cast<u8*>(buffer.data()), buffer.size() };
    request->parts = &request->single;
    request->part_count = 1;
    request->action = Action::write;
    request->fd = fd;
    request->offset = offset;
    request->done = &done;
    transfer(std::move(request));
}

void EpollRing::readv(int fd, std::span<iovec const> parts, i64 offset, Completion& done)
{
    auto request = std::make_unique<Request>();
    request->parts = parts.data();
    request->part_count = static_cast<unsigned>(parts.size());
    request->action = Action::read;
    request->fd = fd;
    request->offset = offset;
    request->done = &done;
    transfer(std::move(request));
}

void EpollRing::writev(int fd, std::span<iovec const> parts, i64 offset, Completion& done)
{
    auto request = std::make_unique<Request>();
    request->parts = parts.data();
    request->part_count = static_cast<unsigned>(parts.size());
    request->action = Action::write;
    request->fd = fd;
    request->offset = offset;
    request->done = &done;
    transfer(std::move(request));
}

/// Without blocking; EAGAIN when it would block, EOPNOTSUPP when the file cannot tell.
i64 EpollRing::try_transfer(Request const& request)
{
    long const number = request.action == Action::read ? SYS_preadv2 : SYS_pwritev2;
    return host_call(number, request.fd, request.parts, request.part_count, request.offset, 0, RWF_NOWAIT);
}

void EpollRing::help_with_transfer(Request const& request)
{
    bool const own_position = request.offset < 0;
    if (request.parts != &request.single) {
        long const number = request.action == Action::read ? SYS_preadv2 : SYS_pwritev2;
        help(*request.done, number, request.fd, request.parts, request.part_count, request.offset, 0, 0);
    } else if (request.action == Action::read) {
        help(*request.done, own_position ? SYS_read : SYS_pread64, request.fd, request.single.iov_base,
            request.single.iov_len, request.offset);
    } else {
        help(*request.done, own_position ? SYS_write : SYS_pwrite64, request.fd, request.single.iov_base,
            request.single.iov_len, request.offset);
    }
}

u64 total_length(Request const& request)
{
    u64 length = 0;
    for (unsigned i = 0; i < request.part_count; i++)
        length += request.parts[i].iov_len;
    return length;
}

void EpollRing::transfer(std::unique_ptr<Request> request)
{
    i64 const result = try_transfer(*request);
    if (result == -EAGAIN || result == -EOPNOTSUPP) {
        request->events = request->action == Action::read ? POLLIN : POLLOUT;
        add_waiting(std::move(request));
    } else if (request->action == Action::read && request->offset >= 0 && result > 0
        && static_cast<u64>(result) < total_length(*request)) {
        // The end of the file, or only the end of what the host has in memory: a helper reads it again and
        // knows.
        help_with_transfer(*request);
    } else {
        ready_.push_back({ request->done, static_cast<i32>(result) });
    }
}

void EpollRing::add_waiting(std::unique_ptr<Request> request)
{
    Request& r = *request;
    requests_++;
    Watch& watch = watches_[r.fd];
    watch.requests.push_back(r);
    waiting_.emplace(r.done, std::move(request));
    if (i64 const error = arm(r.fd, watch); error < 0) not_watchable(r, error);
}

/// EPERM: a file that is always ready, as poll(2) says; a transfer on it may block, so a helper does it.
void EpollRing::not_watchable(Request& request, i64 error)
{
    if (error != -EPERM) {
        finish(request, static_cast<i32>(error));
    } else if (request.action == Action::poll) {
        finish(request, static_cast<i32>(request.events & (POLLIN | POLLOUT | POLLRDNORM | POLLWRNORM)));
    } else {
        help_with_transfer(request);
        remove_waiting(request);
    }
}

/// Makes epoll watch for everything that the requests of `watch` wait for. Returns 0 or a negative errno.
i64 EpollRing::arm(int fd, Watch& watch)
{
    u32 wanted = 0;
    for (Request const& request : watch.requests)
        wanted |= request.events;
    // Even when epoll has been asked for all of it: the number may belong to another file by now.
    epoll_event event { .events = wanted | EPOLLONESHOT, .data = {} };
    event.data.u64 = u64 { watch.generation } << 32 | static_cast<u32>(fd);
    i64 result = host_call(SYS_epoll_ctl, epoll_.get(), EPOLL_CTL_MOD, fd, &event);
    if (result == -ENOENT) {
        event.data.u64 = u64 { ++watch.generation } << 32 | static_cast<u32>(fd);
        result = host_call(SYS_epoll_ctl, epoll_.get(), EPOLL_CTL_ADD, fd, &event);
    }
    return result;
}

void EpollRing::on_event(epoll_event const& event)
{
    if (event.data.u64 == kWakeTag) return;
    int const fd = static_cast<int>(event.data.u64 & 0xffff'ffff);
    auto const found = watches_.find(fd);
    if (found == watches_.end() || found->second.generation != event.data.u64 >> 32) return;
    Watch& watch = found->second;
    for (Request& request : watch.requests)
        serve(request, event.events);
    if (watch.requests.is_empty()) return;
    if (i64 const error = arm(fd, watch); error < 0) {
        for (Request& request : watch.requests)
            not_watchable(request, error);
    }
}

void EpollRing::serve(Request& request, u32 events)
{
    u32 const hits = events & (request.events | kAlways);
    if (hits == 0) return;
    if (request.action == Action::poll) {
        finish(request, static_cast<i32>(hits));
        return;
    }
    i64 const result = try_transfer(request);
    if (result == -EAGAIN) return; // another reader was faster
    if (result == -EOPNOTSUPP) {
        help_with_transfer(request);
        remove_waiting(request);
        return;
    }
    finish(request, static_cast<i32>(result));
}

/// Destroys the request.
void EpollRing::remove_waiting(Request& request)
{
    Completion* const key = request.done;
    request.unlink();
    waiting_.erase(key);
}

void EpollRing::finish(Request& request, i32 result)
{
    ready_.push_back({ request.done, result });
    remove_waiting(request);
}

void EpollRing::cancel(Completion& done)
{
    if (helpers_.in_flight() != 0 && helpers_.cancel(done)) return;
    auto const found = waiting_.find(&done);
    if (found != waiting_.end()) finish(*found->second, -ECANCELED);
}

int EpollRing::wait_for_events(epoll_event* events, Nanoseconds timeout)
{
    struct timespec const time = to_timespec(timeout);
    struct timespec const* const limit = timeout == kNever ? nullptr : &time;
    i64 count = host_call(SYS_epoll_pwait2, epoll_.get(), events, kEventBatch, limit, nullptr, 0);
    // Before Linux 5.11, or refused by a container's filter. epoll_pwait alone knows only milliseconds.
    if (count == -ENOSYS || count == -EPERM) {
        pollfd self { epoll_.get(), POLLIN, 0 };
        struct timespec left = time; // the host writes into it
        host_call(SYS_ppoll, &self, 1, limit ? &left : nullptr, nullptr, 0);
        count = host_call(SYS_epoll_pwait, epoll_.get(), events, kEventBatch, 0, nullptr, 0);
    }
    if (count == -EINTR) return 0;
    if (is_host_error(count)) panic("hostabi: epoll_wait: error %lld", static_cast<long long>(-count));
    return static_cast<int>(count);
}

void EpollRing::wait(Nanoseconds deadline)
{
    sleep_until(deadline, deadline > 0 && ready_.empty() && !helpers_.has_results() && wake_.begin_sleep());
}

/// Takes the events that are there; with `sleep`, which needs a begin_sleep() before, waits for the first.
void EpollRing::sleep_until(Nanoseconds deadline, bool sleep)
{
    Nanoseconds timeout = 0;
    if (sleep) timeout = deadline == kNever ? kNever : std::max<Nanoseconds>(deadline - monotonic_now(), 0);
    epoll_event events[kEventBatch];
    entries_++;
    int const count = wait_for_events(events, timeout);
    wake_.end_sleep();
    for (int i = 0; i < count; i++)
        on_event(events[i]);
}

unsigned EpollRing::dispatch()
{
    unsigned count = 0;
    for (Ready const& ready : std::exchange(ready_, {})) {
        count++;
        ready.done->complete(ready.result);
    }
    return count + helpers_.dispatch();
}

} // namespace

HostResult<std::unique_ptr<Ring>> create_epoll_ring()
{
    OwnedFd epoll = TRY(OwnedFd::epoll());
    OwnedFd wake_event = TRY(OwnedFd::eventfd());
    return std::unique_ptr<Ring>(new EpollRing(std::move(epoll), std::move(wake_event)));
}

} // namespace umbra::hostabi
