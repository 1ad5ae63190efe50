// SPDX-License-Identifier: GPL-2.0-or-later
// The io_uring engine. liburing sets the ring up and fills in requests; submitting and waiting is one
// io_uring_enter made here, because that call is on the path of every guest trap. A request costs no memory
// of ours: its user_data is the address of its Completion. Needs Linux 5.19 (cancelling everything, for the
// destructor).
#include "hostabi/ring-engines.h"

#include <algorithm>
#include <cerrno>
#include <utility>
#include <vector>

#include <fcntl.h>
#include <liburing.h>
#include <poll.h>
#include <sched.h>
#include <sys/syscall.h>

#include "core/base/panic.h"
#include "hostabi/clock.h"
#include "hostabi/fd.h"
#include "hostabi/helper-pool.h"
#include "hostabi/host-call.h"
#include "hostabi/wake-flag.h"

namespace umbra::hostabi {

namespace {

constexpr unsigned kSubmissions = 128;
constexpr unsigned kCompletions = 1024;
constexpr std::size_t kMaxTransfer = 0x7ffff000; // MAX_RW_COUNT: what one read or write moves at most

// Linux 6.15; Debian 12's headers are older.
constexpr unsigned kFeatureNoIowait = 1u << 17;
constexpr unsigned kEnterNoIowait = 1u << 7;

// user_data values that are no Completion's address.
constexpr u64 kIgnoreTag = 0;
constexpr u64 kWakeTag = 1;

class UringRing final : public Ring {
public:
    UringRing(OwnedFd wake_event, io_uring const& ring)
        : ring_(ring)
        , wake_(std::move(wake_event))
        , helpers_(wake_)
    {
        for (unsigned i = 0; i < ring_.sq.ring_entries; i++)
            ring_.sq.array[i] = i; // so that submitting is one store of the tail
        io_uring_ring_dontfork(&ring_);
    }
    ~UringRing() override;

    void poll(int fd, u32 events, Completion& done) override;
    void read(int fd, std::span<u8> buffer, i64 offset, Completion& done) override;
    void write(int fd, std::span<u8 const> buffer, i64 offset, Completion& done) override;
    void readv(int fd, std::span<iovec const> parts, i64 offset, Completion& done) override;
    void writev(int fd, std::span<iovec const> parts, i64 offset, Completion& done) override;
    void fsync(int fd, bool data_only, Completion& done) override;
    void fallocate(int fd, int mode, i64 offset, i64 length, Completion& done) override;
    void openat(int dir, char const* path, int flags, u32 mode, Completion& done) override;
    void statx(int dir, char const* path, int flags, u32 mask, struct statx& out, Completion& done) override;
    void unlinkat(int dir, char const* path, int flags, Completion& done) override;
    void mkdirat(int dir, char const* path, u32 mode, Completion& done) override;
    void renameat2(int old_dir, char const* old_path, int new_dir, char const* new_path, u32 flags,
        Completion& done) override;
    void symlinkat(char const* target, int dir, char const* path, Completion& done) override;
    void linkat(int old_dir, char const* old_path, int new_dir, char const* new_path, int flags,
        Completion& done) override;
    void offload(i32 (*call)(void*), void* argument, Completion& done) override;
    void cancel(Completion& done) override;

    void wait(Nanoseconds deadline) override;
    void wait_for_wake() override;
    void flush() override
    {
        if (unsubmitted() != 0) submit(0);
    }
    bool has_events() const override
    {
        return has_completions() || must_enter_to_see_completions() || wake_.is_notified()
            || helpers_.has_results();
    }
    unsigned dispatch() override;
    void wake() override { wake_.notify(); }

    RingEngine engine() const override { return RingEngine::io_uring; }
    unsigned in_flight() const override { return in_flight_ + helpers_.in_flight(); }

private:
    void take_ownership();
    io_uring_sqe& prepare();
    void queue(io_uring_sqe& request, Completion& done);
    void watch_wake_event();
    void complete(io_uring_cqe const& entry);
    void put_aside();
    template <typename Function> void take_completions(Function const& function);
    void submit(Nanoseconds deadline);
    i64 enter(unsigned to_submit, unsigned minimum, unsigned flags, io_uring_getevents_arg const* argument);
    void end_requests();

    unsigned unsubmitted() const
    {
        return ring_.sq.sqe_tail - __atomic_load_n(ring_.sq.khead, __ATOMIC_ACQUIRE);
    }
    unsigned completions_end() const { return __atomic_load_n(ring_.cq.ktail, __ATOMIC_ACQUIRE); }
    bool has_completions() const { return !aside_.empty() || completions_end() != *ring_.cq.khead; }
    /// The host holds completions back until it is entered: deferred task work, or what did not fit the ring.
    bool must_enter_to_see_completions() const
    {
        return __atomic_load_n(ring_.sq.kflags, __ATOMIC_RELAXED)
            & (IORING_SQ_TASKRUN | IORING_SQ_CQ_OVERFLOW);
    }

    io_uring ring_;
    WakeFlag wake_;
    HelperPool helpers_;
    std::vector<io_uring_cqe>
        aside_; ///< taken out of the ring by wait_for_wake(), older than what lies there
    i64 owner_ = 0; ///< the owner's thread id once it has used the ring
    unsigned in_flight_ = 0; ///< requests with a Completion
    int enter_fd_ = -1; ///< what io_uring_enter is given: an index when the ring's descriptor is registered
    unsigned enter_flags_ = 0;
};

/// The ring belongs to the thread that first waits in it, not to the one that made it: with SINGLE_ISSUER the
/// host binds it to the thread that enables it.
void UringRing::take_ownership()
{
    owner_ = host_call(SYS_gettid);
    // liburing 2.3 declares io_uring_enable_rings() but does not export it.
    i64 const error
        = host_call(SYS_io_uring_register, ring_.ring_fd, IORING_REGISTER_ENABLE_RINGS, nullptr, 0);
    if (error < 0) panic("hostabi: cannot enable io_uring: error %lld", static_cast<long long>(-error));
    enter_fd_ = ring_.ring_fd;
    // Saves the look-up of the descriptor in each enter. Not through liburing: it would undo it on whatever
    // thread destroys the ring, but the table of registered rings is the thread's.
    io_uring_rsrc_update registration { .offset = ~0u, .resv = 0, .data = static_cast<u64>(ring_.ring_fd) };
    if (host_call(SYS_io_uring_register, ring_.ring_fd, IORING_REGISTER_RING_FDS, &registration, 1) == 1) {
        enter_fd_ = static_cast<int>(registration.offset);
        enter_flags_ = IORING_ENTER_REGISTERED_RING;
    }
    // An idle guest is idle: without this the host accounts every sleep as waiting for a disk.
    if (ring_.features & kFeatureNoIowait) enter_flags_ |= kEnterNoIowait;
    watch_wake_event();
}

/// Multishot polls are edge-triggered: every write to the eventfd gives one completion and nobody reads it.
void UringRing::watch_wake_event()
{
    io_uring_sqe& request = prepare();
    io_uring_prep_poll_multishot(&request, wake_.fd(), POLLIN);
    request.user_data = kWakeTag;
}

/// A free submission entry. It becomes visible to the host with the next enter.
io_uring_sqe& UringRing::prepare()
{
    io_uring_sq& sq = ring_.sq;
    while (unsubmitted() == sq.ring_entries)
        [[unlikely]]
        {
            submit(0);
            // Still full: the host had no memory for a single request (EAGAIN).
            if (unsubmitted() == sq.ring_entries) sched_yield();
        }
    return sq.sqes[sq.sqe_tail++ & sq.ring_mask];
}

void UringRing::queue(io_uring_sqe& request, Completion& done)
{
    request.user_data = reinterpret_cast<u64>(&done);
    in_flight_++;
    requests_++;
}

i64 UringRing::enter(
    unsigned to_submit, unsigned minimum, unsigned flags, io_uring_getevents_arg const* argument)
{
    entries_++;
    if (argument) flags |= IORING_ENTER_EXT_ARG;
    i64 const result = host_call(SYS_io_uring_enter, enter_fd_, to_submit, minimum, flags | enter_flags_,
        argument, argument ? sizeof *argument : 0);
    switch (result) {
    case -ETIME:
    case -EINTR: // gdb, or a stop signal: the wait ends early
    case -EAGAIN: // no memory for requests, which stay queued
    case -EBUSY: // the same, because completions have overflowed
        return 0;
    case -EEXIST:
        panic("hostabi: a ring was used by two threads");
    default:
        if (is_host_error(result))
            panic("hostabi: io_uring_enter: error %lld", static_cast<long long>(-result));
        return result;
    }
}

/// Hands over what is queued and, in the same host call, sleeps until a completion is there or the deadline
/// passes.
void UringRing::submit(Nanoseconds deadline)
{
    if (owner_ == 0) [[unlikely]]
        take_ownership();
    io_uring_sq& sq = ring_.sq;
    unsigned const to_submit = unsubmitted();
    // release: the host sees the entries before it sees the tail.
    __atomic_store_n(sq.ktail, sq.sqe_tail, __ATOMIC_RELEASE);
    if (deadline == kNever) {
        enter(to_submit, 1, IORING_ENTER_GETEVENTS, nullptr);
        return;
    }
    Nanoseconds const left = deadline <= 0 ? 0 : deadline - monotonic_now();
    if (left <= 0) {
        if (to_submit != 0 || must_enter_to_see_completions())
            enter(to_submit, 0, IORING_ENTER_GETEVENTS, nullptr);
        return;
    }
    __kernel_timespec const timeout { .tv_sec = left / kNanosecondsPerSecond,
        .tv_nsec = left % kNanosecondsPerSecond };
    io_uring_getevents_arg const argument {
        .sigmask = 0, .sigmask_sz = 0, .pad = 0, .ts = reinterpret_cast<u64>(&timeout)
    };
    enter(to_submit, 1, IORING_ENTER_GETEVENTS, &argument);
}

void UringRing::wait(Nanoseconds deadline)
{
    bool const sleep = deadline > 0 && !has_completions() && !helpers_.has_results() && wake_.begin_sleep();
    submit(sleep ? deadline : 0);
    wake_.end_sleep();
}

/// The host sleeps only while the ring has room for one completion more than lies in it, so they are put aside.
void UringRing::wait_for_wake()
{
    put_aside();
    bool const sleep = wake_.begin_sleep();
    submit(sleep ? kNever : 0);
    wake_.end_sleep();
}

/// Calls `function` with each completion that is there now: one that submits more must not keep the kernel here.
template <typename Function> void UringRing::take_completions(Function const& function)
{
    io_uring_cq& cq = ring_.cq;
    for (unsigned const end = completions_end(); *cq.khead != end;) {
        io_uring_cqe const entry = cq.cqes[*cq.khead & cq.ring_mask];
        // release: the entry has been read. Before `function`, which may submit and so make the host write here.
        __atomic_store_n(cq.khead, *cq.khead + 1, __ATOMIC_RELEASE);
        if (entry.user_data == kWakeTag) {
            if (!(entry.flags & IORING_CQE_F_MORE))
                watch_wake_event(); // the host ended it: completions overflowed
        } else if (entry.user_data != kIgnoreTag) {
            function(entry);
        }
    }
}

void UringRing::put_aside()
{
    take_completions([this](io_uring_cqe const& entry) { aside_.push_back(entry); });
}

void UringRing::complete(io_uring_cqe const& entry)
{
    in_flight_--;
    // A request that a worker of the host was running when it was cancelled ends with EINTR.
    i32 const result = entry.res == -EINTR ? -ECANCELED : entry.res;
    reinterpret_cast<Completion*>(entry.user_data)->complete(result);
}

unsigned UringRing::dispatch()
{
    unsigned count = 0;
    auto const one = [&](io_uring_cqe const& entry) {
        count++;
        complete(entry);
    };
    if (!aside_.empty()) [[unlikely]] {
        for (io_uring_cqe const& entry : std::exchange(aside_, {}))
            one(entry);
    }
    take_completions(one);
    if (helpers_.has_results()) [[unlikely]]
        count += helpers_.dispatch();
    return count;
}

/// Closing a ring ends its requests only later, so their buffers would still be in use.
void UringRing::end_requests()
{
    in_flight_ -= static_cast<unsigned>(std::exchange(aside_, {}).size());
    while (in_flight_ != 0) {
        // Again in each round: a request that was just between two waits is not found.
        io_uring_sqe& request = prepare();
        io_uring_prep_cancel64(&request, 0, IORING_ASYNC_CANCEL_ANY | IORING_ASYNC_CANCEL_ALL);
        request.user_data = kIgnoreTag;
        submit(monotonic_now() + kNanosecondsPerSecond / 100);
        take_completions([this](io_uring_cqe const&) { in_flight_--; });
    }
}

UringRing::~UringRing()
{
    // Requests of an owner that has ended, the host ended with it; requests that were never submitted do not
    // exist.
    if (owner_ == host_call(SYS_gettid)) {
        end_requests();
        if (enter_flags_ & IORING_ENTER_REGISTERED_RING) {
            io_uring_rsrc_update registration { .offset = static_cast<u32>(enter_fd_), .resv = 0, .data = 0 };
            host_call(SYS_io_uring_register, ring_.ring_fd, IORING_UNREGISTER_RING_FDS, &registration, 1);
        }
    }
    io_uring_queue_exit(&ring_);
}

void UringRing::poll(int fd, u32 events, Completion& done)
{
    io_uring_sqe& request = prepare();
    io_uring_prep_poll_add(&request, fd, events);
    queue(request, done);
}

void UringRing::read(int fd, std::span<u8> buffer, i64 offset, Completion& done)
{
    io_uring_sqe& request = prepare();
    auto const length = static_cast<unsigned>(std::min(buffer.size(), kMaxTransfer));
    io_uring_prep_read(&request, fd, buffer.data(), length, static_cast<u64>(offset));
    queue(request, done);
}

void UringRing::write(int fd, std::span<u8 const> buffer, i64 offset, Completion& done)
{
    io_uring_sqe& request = prepare();
    auto const length = static_cast<unsigned>(std::min(buffer.size(), kMaxTransfer));
    io_uring_prep_write(&request, fd, buffer.data(), length, static_cast<u64>(offset));
    queue(request, done);
}

void UringRing::readv(int fd, std::span<iovec const> parts, i64 offset, Completion& done)
{
    io_uring_sqe& request = prepare();
    io_uring_prep_readv(
        &request, fd, parts.data(), static_cast<unsigned>(parts.size()), static_cast<u64>(offset));
    queue(request, done);
}

void UringRing::writev(int fd, std::span<iovec const> parts, i64 offset, Completion& done)
{
    io_uring_sqe& request = prepare();
    io_uring_prep_writev(
        &request, fd, parts.data(), static_cast<unsigned>(parts.size()), static_cast<u64>(offset));
    queue(request, done);
}

void UringRing::fsync(int fd, bool data_only, Completion& done)
{
    io_uring_sqe& request = prepare();
    io_uring_prep_fsync(&request, fd, data_only ? IORING_FSYNC_DATASYNC : 0);
    queue(request, done);
}

void UringRing::fallocate(int fd, int mode, i64 offset, i64 length, Completion& done)
{
    io_uring_sqe& request = prepare();
    io_uring_prep_fallocate(&request, fd, mode, offset, length);
    queue(request, done);
}

void UringRing::openat(int dir, char const* path, int flags, u32 mode, Completion& done)
{
    io_uring_sqe& request = prepare();
    io_uring_prep_openat(&request, dir, path, flags | O_CLOEXEC, mode);
    queue(request, done);
}

void UringRing::statx(int dir, char const* path, int flags, u32 mask, struct statx& out, Completion& done)
{
    io_uring_sqe& request = prepare();
    io_uring_prep_statx(&request, dir, path, flags, mask, &out);
    queue(request, done);
}

void UringRing::unlinkat(int dir, char const* path, int flags, Completion& done)
{
    io_uring_sqe& request = prepare();
    io_uring_prep_unlinkat(&request, dir, path, flags);
    queue(request, done);
}

void UringRing::mkdirat(int dir, char const* path, u32 mode, Completion& done)
{
    io_uring_sqe& request = prepare();
    io_uring_prep_mkdirat(&request, dir, path, mode);
    queue(request, done);
}

void UringRing::renameat2(
    int old_dir, char const* old_path, int new_dir, char const* new_path, u32 flags, Completion& done)
{
    io_uring_sqe& request = prepare();
    io_uring_prep_renameat(&request, old_dir, old_path, new_dir, new_path, flags);
    queue(request, done);
}

void UringRing::symlinkat(char const* target, int dir, char const* path, Completion& done)
{
    io_uring_sqe& request = prepare();
    io_uring_prep_symlinkat(&request, target, dir, path);
    queue(request, done);
}

void UringRing::linkat(
    int old_dir, char const* old_path, int new_dir, char const* new_path, int flags, Completion& done)
{
    io_uring_sqe& request = prepare();
    io_uring_prep_linkat(&request, old_dir, old_path, new_dir, new_path, flags);
    queue(request, done);
}

void UringRing::offload(i32 (*call)(void*), void* argument, Completion& done)
{
    helpers_.post({ .function = call, .argument = argument }, done);
}

void UringRing::cancel(Completion& done)
{
    if (helpers_.in_flight() != 0 && helpers_.cancel(done)) return;
    io_uring_sqe& request = prepare();
    io_uring_prep_cancel(&request, &done, 0);
    request.user_data = kIgnoreTag;
}

bool has_every_operation(io_uring& ring)
{
    io_uring_probe* const probe = io_uring_get_probe_ring(&ring);
    if (!probe) return false;
    bool all = true;
    for (int const operation : { IORING_OP_POLL_ADD, IORING_OP_READ, IORING_OP_WRITE, IORING_OP_READV,
             IORING_OP_WRITEV, IORING_OP_FSYNC, IORING_OP_FALLOCATE, IORING_OP_OPENAT, IORING_OP_STATX,
             IORING_OP_UNLINKAT, IORING_OP_MKDIRAT, IORING_OP_RENAMEAT, IORING_OP_SYMLINKAT, IORING_OP_LINKAT,
             IORING_OP_ASYNC_CANCEL,
             // Not used: it came with Linux 5.19, as did IORING_ASYNC_CANCEL_ANY, which cannot be asked for.
             IORING_OP_SOCKET })
        all = all && io_uring_opcode_supported(probe, operation);
    io_uring_free_probe(probe);
    return all && (ring.features & IORING_FEAT_EXT_ARG) && (ring.features & IORING_FEAT_NODROP);
}

/// Sets `ring` up in the best way that the host offers. Returns 0 or a positive errno.
i32 set_up(io_uring& ring)
{
    unsigned const common = IORING_SETUP_R_DISABLED | IORING_SETUP_CQSIZE | IORING_SETUP_SUBMIT_ALL;
    // Deferred task work (Linux 6.1) runs only inside our own enter, so nothing interrupts the owner.
    unsigned const choices[] = {
        IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_TASKRUN_FLAG,
        IORING_SETUP_COOP_TASKRUN | IORING_SETUP_TASKRUN_FLAG,
    };
    int error = -EINVAL;
    for (unsigned const choice : choices) {
        if (error != -EINVAL) break;
        io_uring_params parameters {};
        parameters.flags = common | choice;
        parameters.cq_entries = kCompletions;
        error = io_uring_queue_init_params(kSubmissions, &ring, &parameters);
    }
    if (error < 0) return -error;
    if (has_every_operation(ring)) return 0;
    io_uring_queue_exit(&ring);
    return ENOSYS;
}

} // namespace

UringSupport probe_uring()
{
    io_uring ring;
    if (i32 const error = set_up(ring)) return { .error = error };
    bool const deferred = ring.flags & IORING_SETUP_DEFER_TASKRUN;
    io_uring_queue_exit(&ring);
    return { .error = 0, .deferred = deferred };
}

HostResult<std::unique_ptr<Ring>> create_uring_ring()
{
    OwnedFd wake_event = TRY(OwnedFd::eventfd());
    io_uring ring;
    if (i32 const error = set_up(ring)) return HostErrno { error };
    return std::unique_ptr<Ring>(new UringRing(std::move(wake_event), ring));
}

} // namespace umbra::hostabi
