// SPDX-License-Identifier: GPL-2.0-or-later
// Contexts of asynchronous I/O: places in the ring, polls, waiting for events, the end.
#include "core/ipc/aio.h"

#include <algorithm>

#include "core/abi/mman.h"
#include "core/ipc/eventfd.h"
#include "core/kernel.h"
#include "core/mm/address-space.h"
#include "core/task/scheduler.h"
#include "core/task/task.h"

namespace umbra::ipc {

/// A request of IOCB_CMD_POLL: waits on the file's queue, or is due, or is over.
class AioContext::Poll final : public Waiter {
public:
    Poll(AioContext& context, Ref<vfs::File> file, WaitQueue& queue, AioRequest request, u32 wanted)
        : context(context)
        , asker(current())
        , file(std::move(file))
        , queue(queue)
        , request(std::move(request))
        , wanted(wanted)
    {
    }

    void notify(u32 events) override
    {
        if (events != 0 && !(events & wanted)) return;
        unlink();
        ready = events & wanted;
        context.become_due(*this);
    }

    AioContext& context;
    Ref<Task> asker; ///< whose signals a signalfd tells of
    Ref<vfs::File> file;
    WaitQueue& queue; ///< the file's, or the asker's
    AioRequest request;
    u32 wanted;
    u32 ready = 0; ///< what the file's wake-up said; 0: to be asked for
    std::list<Poll>::iterator self {};
};

Result<Ref<AioContext>> AioContext::create(Kernel& kernel, u32 requests)
{
    // Linux hands places to its CPUs in batches, and so makes twice as many, and four a CPU at the least.
    constexpr u64 kMostRingBytes = 0x10000000;
    u64 const events = std::max<u64>(requests, u64(kernel.scheduler().vcpu_count()) * 4) * 2;
    if (events > kMostRingBytes / sizeof(abi::IoEvent)) return err::inval;
    if (requests > kernel.aio_limit) return err::again;
    auto ring = TRY(AioRing::create(kernel.memory(), events + 2));
    if (kernel.aio_requests + requests > kernel.aio_limit) return err::again;
    kernel.aio_requests += requests;
    return Ref<AioContext>(*new AioContext(kernel, requests, std::move(ring)), AdoptTag::adopt);
}

AioContext::AioContext(Kernel& kernel, u32 requests, Ref<AioRing> ring)
    : kernel_(kernel)
    , requests_(requests)
    , ring_(std::move(ring))
{
}

AioContext::~AioContext() { end(); }

Result<void> AioContext::reserve()
{
    if (ended_) return err::inval;
    if (in_flight_ + ring_->unread() >= ring_->capacity() - 1) return err::again;
    ++in_flight_;
    return {};
}

void AioContext::unreserve()
{
    if (--in_flight_ == 0) drained_.wake_all();
}

void AioContext::complete(AioRequest const& request, i64 result)
{
    ring_->push({ .data = request.data, .object = request.object, .result = result, .result2 = 0 });
    unreserve();
    if (request.event_file) signal_eventfd(*request.event_file);
    completed_.wake_all();
}

void AioContext::poll(Ref<vfs::File> file, AioRequest request, u32 wanted)
{
    wanted |= abi::pollerr | abi::pollhup;
    WaitQueue* queue = file->wait_queue();
    u32 const ready = file->readiness() & wanted;
    // Nothing would end a poll that a context takes up after its own end: io_submit(2) may have waited in between.
    if (ready || !queue || ended_) {
        complete(request, ready);
        return;
    }
    Poll& poll = polls_.emplace_back(*this, std::move(file), *queue, std::move(request), wanted);
    poll.self = std::prev(polls_.end());
    queue->add(poll);
}

void AioContext::become_due(Poll& poll)
{
    // A completion wakes other queues, and this runs within a wake-up: it is left for later.
    due_.push_back(&poll);
    if (std::exchange(scheduled_, true)) return;
    kernel_.scheduler().active().run_soon([self = Ref<AioContext>(*this)] { self->run_due(); });
}

void AioContext::run_due()
{
    scheduled_ = false;
    if (ended_) return;
    for (Poll* poll : std::exchange(due_, {})) {
        if (!poll->ready) poll->ready = poll->file->readiness_for(*poll->asker) & poll->wanted;
        if (poll->ready)
            finish(*poll, poll->ready);
        else
            poll->queue.add(*poll);
    }
}

void AioContext::finish(Poll& poll, u32 ready)
{
    // It may have been told of its file already, by the completion of another.
    poll.unlink();
    std::erase(due_, &poll);
    spent_.splice(spent_.end(), polls_, poll.self);
    complete(poll.request, ready);
}

Errno AioContext::cancel(u64 object)
{
    run_due();
    spent_.clear();
    auto found = std::find_if(
        polls_.begin(), polls_.end(), [object](Poll const& p) { return p.request.object == object; });
    if (found == polls_.end()) return err::inval;
    finish(*found, 0);
    spent_.clear();
    return err::inprogress;
}

Result<u64> AioContext::copy_events(Task& task, u64 most, UserOut<abi::IoEvent> out)
{
    MutexLock lock(reading_);
    auto const events = ring_->peek(most);
    TRY(out.copy_out_array(task, events));
    ring_->take(events.size());
    return events.size();
}

Result<u64> AioContext::get_events(
    Task& task, u64 least, u64 most, UserOut<abi::IoEvent> out, Nanoseconds deadline)
{
    u64 done = 0;
    for (Result<void> waited;;) {
        if (ended_) return done ? Result<u64>(done) : err::inval;
        run_due();
        auto copied = copy_events(
            task, most - done, UserOut<abi::IoEvent> { out.address + done * sizeof(abi::IoEvent) });
        if (copied.is_error()) return done ? Result<u64>(done) : copied.error();
        done += copied.value();
        spent_.clear();
        if (done >= least || deadline == 0) return done;
        if (waited.is_error())
            return done || waited.error() == err::timedout ? Result<u64>(done) : waited.error();
        u64 const needed = std::min<u64>(least - done, ring_->capacity() - 1);
        waited = completed_.wait_until([&] { return ended_ || ring_->unread() >= needed; }, deadline);
    }
}

void AioContext::end()
{
    if (std::exchange(ended_, true)) return;
    // A completion signals an eventfd, and that may be what another of these polls: none is to hear of it.
    for (Poll& poll : polls_)
        poll.unlink();
    due_.clear();
    while (!polls_.empty())
        finish(polls_.front(), 0);
    spent_.clear();
    kernel_.aio_requests -= requests_;
    completed_.wake_all();
}

void AioContext::drain()
{
    // A signal that ends this task ends what it waits for, too, if that is its own process's.
    (void)drained_.wait_until([this] { return in_flight_ == 0; }, kNever, Interruption::killable).ok();
}

AioContexts::~AioContexts()
{
    for (auto& [ring, context] : by_ring)
        context->end();
}

Result<u64> aio_setup(Task& task, u32 requests)
{
    auto context = TRY(AioContext::create(task.kernel(), requests));
    mm::AddressSpace& space = task.mm();
    GuestAddr const at = TRY(space.map({ .length = context->ring().size(),
        .prot = abi::prot_read | abi::prot_write,
        .shared = true,
        .object = Ref<mm::MemoryObject>(context->ring()),
        .path = vfs::make_anonymous_path(task.kernel(), "/[aio] (deleted)", 0600) }));
    if (!space.aio_contexts) space.aio_contexts = make_ref<AioContexts>();
    auto& contexts = static_cast<AioContexts&>(*space.aio_contexts);
    contexts.by_ring.emplace(&context->ring(), context);
    return at.value;
}

Result<Ref<AioContext>> aio_context(Task& task, u64 id)
{
    // By what is mapped there, so that mremap(2) takes the context along, and a child's copy of the ring is nobody's.
    auto* contexts = static_cast<AioContexts*>(task.mm().aio_contexts.get());
    mm::Vma const* area = task.mm().find(id);
    if (!contexts || !area || area->start != id || area->object_page != 0) return err::inval;
    auto found = contexts->by_ring.find(area->object.get());
    if (found == contexts->by_ring.end()) return err::inval;
    return found->second;
}

Result<void> aio_destroy(Task& task, u64 id)
{
    auto context = TRY(aio_context(task, id));
    auto& contexts = static_cast<AioContexts&>(*task.mm().aio_contexts);
    contexts.by_ring.erase(&context->ring());
    u64 const length = context->ring().size();
    context->end();
    TRY(task.mm().unmap(id, length));
    context->drain();
    return {};
}

} // namespace umbra::ipc
