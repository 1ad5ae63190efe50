// SPDX-License-Identifier: GPL-2.0-or-later
// Asynchronous I/O (io_setup(2) and its kin): a context with its ring of events. Reads and writes are done before
// io_submit(2) returns, as Linux does them on files that it buffers; only polls are outstanding.
// References: an address space holds its contexts, a context the files that it polls.
#pragma once

#include <list>
#include <map>
#include <vector>

#include "core/abi/aio.h"
#include "core/mm/memory-object.h"
#include "core/sync/mutex.h"
#include "core/vfs/file.h"

namespace umbra {
class Kernel;
}

namespace umbra::ipc {

/// The pages of a context's ring: there from the start, since a completion cannot wait for memory.
class AioRing final : public mm::MemoryObject {
public:
    /// At least `events` fit. ENOMEM.
    static Result<Ref<AioRing>> create(mm::PhysicalMemory& memory, u64 events);
    ~AioRing() override;

    Result<mm::Frame> page(u64 index, mm::PageUse) override
    {
        return index < frames_.size() ? Result<mm::Frame>(frames_[index]) : err::nxio;
    }
    mm::Frame resident_page(u64 index) override
    {
        return index < frames_.size() ? frames_[index] : mm::Frame();
    }
    u64 size() const override { return frames_.size() << kPageShift; }

    u32 capacity() const { return capacity_; } ///< one more than it can hold unread
    u32 unread() const;
    void push(abi::IoEvent const& event);
    /// Up to `most` events, as they lie; take() then moves the guest's head past them.
    std::vector<abi::IoEvent> peek(u64 most) const;
    void take(u64 count);

private:
    AioRing(mm::PhysicalMemory& memory, u64 pages);
    abi::AioRingHead& head() const;
    abi::IoEvent& event(u32 index) const;
    u32 first() const;

    mm::PhysicalMemory& memory_;
    std::vector<mm::Frame> frames_;
    u32 capacity_;
    u32 tail_ = 0; ///< the guest may scribble over its own
};

/// What a request's end is told with.
struct AioRequest {
    u64 object; ///< address of the control block
    u64 data;
    RefPtr<vfs::File> event_file; ///< IOCB_FLAG_RESFD
};

class AioContext final : public RefCounted {
public:
    /// EAGAIN where fs.aio-max-nr would be passed, EINVAL for absurd sizes, ENOMEM.
    static Result<Ref<AioContext>> create(Kernel& kernel, u32 requests);
    ~AioContext() override;

    AioRing& ring() const { return *ring_; }

    /// A place in the ring for one more event. EAGAIN.
    Result<void> reserve();
    void unreserve();
    /// A request that has a place is over: `result` is bytes, poll bits or a negative errno. Does not wait.
    void complete(AioRequest const& request, i64 result);
    /// Completes once with those of `wanted` (poll(2) bits) that hold. Does not wait.
    void poll(Ref<vfs::File> file, AioRequest request, u32 wanted);
    /// io_cancel(2): EINPROGRESS (the event comes as any other), EINVAL if nothing is outstanding for the block.
    Errno cancel(u64 object);
    /// io_getevents(2): writes events to the guest until there are `least`, at most `most`. What is there at the deadline
    /// or at a signal counts; err::restart_sys for a signal before the first. EFAULT; EINVAL for a context that ended.
    Result<u64> get_events(Task& task, u64 least, u64 most, UserOut<abi::IoEvent> out, Nanoseconds deadline);

    /// No more events: outstanding polls are cancelled. Does not wait.
    void end();
    /// Waits until no thread is within io_submit(2) any more.
    void drain();

private:
    class Poll;
    friend class Poll;
    AioContext(Kernel& kernel, u32 requests, Ref<AioRing> ring);
    void become_due(Poll& poll);
    void run_due();
    void finish(Poll& poll, u32 ready);
    Result<u64> copy_events(Task& task, u64 most, UserOut<abi::IoEvent> out);

    Kernel& kernel_;
    u32 requests_; ///< what it counts for in fs.aio-nr
    Ref<AioRing> ring_;
    u64 in_flight_ = 0; ///< requests that have a place in the ring
    std::list<Poll> polls_;
    /// Polls that are over. A completion may come where nothing can wait, and the last reference to a file may not go
    /// there: these go with the next call.
    std::list<Poll> spent_;
    std::vector<Poll*> due_; ///< of polls_: their files say that they may be ready
    bool scheduled_ = false; ///< run_due() will come by itself
    bool ended_ = false;
    WaitQueue completed_, drained_;
    Mutex reading_; ///< held over the copies of events to the guest
};

/// The contexts of an address space, by their rings.
struct AioContexts : RefCounted {
    ~AioContexts() override;
    std::map<mm::MemoryObject const*, Ref<AioContext>> by_ring;
};

/// io_setup(2): makes a context and maps its ring; returns the ring's address, which is the context's id.
Result<u64> aio_setup(Task& task, u32 requests);
/// EINVAL.
Result<Ref<AioContext>> aio_context(Task& task, u64 id);
/// io_destroy(2). EINVAL. May wait.
Result<void> aio_destroy(Task& task, u64 id);

} // namespace umbra::ipc
