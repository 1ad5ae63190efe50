// SPDX-License-Identifier: GPL-2.0-or-later
// The one place where a vCPU thread sleeps (law 2): asynchronous host I/O with completions.
// Two engines stand behind this interface, chosen once at start: io_uring, and epoll with a small thread pool
// for hosts that refuse io_uring. One Ring belongs to one vCPU thread: all calls but wake() are made on that
// thread.
#pragma once

#include <memory>
#include <span>
#include <string_view>

#include "core/base/types.h"
#include "hostabi/host-result.h"

struct statx;
struct open_how;
struct iovec;

namespace umbra::hostabi {

/// Receives the result of one request. The object and every buffer of the request live until complete() is
/// called. complete() runs inside Ring::dispatch(), on the ring's thread, exactly once for each request; it
/// may submit new ones.
class Completion {
public:
    /// `result` is the host call's: a count or 0, or a negative errno (-ECANCELED after cancel()).
    virtual void complete(i32 result) = 0;

protected:
    ~Completion() = default;
};

enum class RingEngine : u8 { io_uring, epoll };

class Ring {
public:
    /// Fails with the host's error where the engine cannot work on this host.
    /// The ring belongs to the thread that first waits in it, which may be another one than its creator.
    static HostResult<std::unique_ptr<Ring>> create(RingEngine engine);
    /// On the ring's thread, or after that thread has ended. Ends what is in flight: afterwards the host
    /// touches no buffer any more, but complete() is not called. For an orderly end, cancel and dispatch
    /// until in_flight() is 0.
    virtual ~Ring() = default;

    /// One-shot readiness: result is the poll(2) revents mask.
    virtual void poll(int fd, u32 events, Completion& done) = 0;
    /// offset -1: the file's own position (pipes, terminals, sockets).
    virtual void read(int fd, std::span<u8> buffer, i64 offset, Completion& done) = 0;
    virtual void write(int fd, std::span<u8 const> buffer, i64 offset, Completion& done) = 0;
    virtual void readv(int fd, std::span<iovec const> parts, i64 offset, Completion& done) = 0;
    virtual void writev(int fd, std::span<iovec const> parts, i64 offset, Completion& done) = 0;
    virtual void fsync(int fd, bool data_only, Completion& done) = 0;
    virtual void fallocate(int fd, int mode, i64 offset, i64 length, Completion& done) = 0;
    /// Path arguments are NUL-terminated and live until completion. The new descriptor is close-on-exec.
    virtual void openat(int dir, char const* path, int flags, u32 mode, Completion& done) = 0;
    virtual void statx(int dir, char const* path, int flags, u32 mask, struct statx& out, Completion& done)
        = 0;
    virtual void unlinkat(int dir, char const* path, int flags, Completion& done) = 0;
    virtual void mkdirat(int dir, char const* path, u32 mode, Completion& done) = 0;
    virtual void renameat2(
        int old_dir, char const* old_path, int new_dir, char const* new_path, u32 flags, Completion& done)
        = 0;
    virtual void symlinkat(char const* target, int dir, char const* path, Completion& done) = 0;
    virtual void linkat(
        int old_dir, char const* old_path, int new_dir, char const* new_path, int flags, Completion& done)
        = 0;
    /// Any other blocking host call, run where it cannot block the vCPU (a helper thread). `call` returns the
    /// result or a negative errno and must touch nothing but what it captured.
    virtual void offload(i32 (*call)(void*), void* argument, Completion& done) = 0;

    /// Asks for the request of `done` to end early; complete() still comes, with -ECANCELED if it was in
    /// time.
    virtual void cancel(Completion& done) = 0;

    /// Submits what is queued and sleeps until a completion is there, wake() is called, or CLOCK_MONOTONIC
    /// reaches `deadline` (ns; kNever: none; 0: do not sleep). Runs no completions.
    virtual void wait(Nanoseconds deadline) = 0;
    /// Submits what is queued and sleeps until wake() is called, whatever completions lie there already. May return
    /// early: once for each completion that arrives meanwhile. Runs no completions.
    virtual void wait_for_wake() = 0;
    /// Submits what is queued. Never sleeps.
    virtual void flush() = 0;
    /// Whether wait() would return at once; looks at memory only. True where the engine cannot tell.
    virtual bool has_events() const = 0;
    /// Runs the completions that have arrived. Returns how many. Never sleeps.
    virtual unsigned dispatch() = 0;
    /// Makes the current or next wait() or wait_for_wake() return. From any thread.
    virtual void wake() = 0;

    /// Requests that were made since the start. On the ring's thread, or while that stands still.
    u64 requests() const { return requests_; }
    /// Host calls that submitted, waited or looked for completions; the same.
    u64 entries() const { return entries_; }
    virtual RingEngine engine() const = 0;
    /// Requests submitted and not completed, for tests and for an orderly end.
    virtual unsigned in_flight() const = 0;

protected:
    u64 requests_ = 0, entries_ = 0;
};

} // namespace umbra::hostabi
