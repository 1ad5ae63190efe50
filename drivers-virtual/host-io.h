// SPDX-License-Identifier: GPL-2.0-or-later
// How drivers and host-backed files reach the ring of the vCPU that they run on, and how a task sleeps in it.
// The composition implements HostIo, for it alone knows which ring belongs to which vCPU thread.
#pragma once

#include "core/sync/wait-queue.h"
#include "hostabi/ring.h"

namespace umbra::drivers {

class HostIo {
public:
    virtual ~HostIo() = default;
    /// The ring of the vCPU thread that calls: from a task, or from inside Completion::complete(). A task may
    /// be on another vCPU after each wait, so nobody keeps the reference across one.
    virtual hostabi::Ring& ring() = 0;
    /// Ring::cancel() of a request that was submitted to `ring`, from any vCPU, under the kernel lock. On
    /// another vCPU's ring it happens when that vCPU dispatches next, and the request may have completed by
    /// then: that is no error.
    virtual void cancel(hostabi::Ring& ring, hostabi::Completion& request) = 0;
};

/// One ring request that a task sleeps for. Lives on the task's kernel stack.
class AwaitedRequest final : public hostabi::Completion {
public:
    void complete(i32 result) override
    {
        result_ = result;
        done_ = true;
        wake_task(task_);
    }
    /// Sleeps until the request has completed, whatever signals come: only for requests that the host ends
    /// soon, such as I/O on regular files. Returns the count or a negative host errno.
    i32 wait()
    {
        while (!done_)
            // Interruption::refused without a deadline has no error to return.
            (void)sleep_current(kNever, Interruption::refused);
        return result_;
    }

private:
    Task& task_ = current();
    i32 result_ = 0;
    bool done_ = false;
};

/// Submits one request by submit(ring, completion) and sleeps until it has completed. Buffers and path
/// strings of the request must stay valid meanwhile; the caller's stack frame does.
template <typename Submit> i32 await_request(HostIo& io, Submit submit)
{
    AwaitedRequest request;
    submit(io.ring(), request);
    return request.wait();
}

} // namespace umbra::drivers
