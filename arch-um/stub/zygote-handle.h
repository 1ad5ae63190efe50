// SPDX-License-Identifier: GPL-2.0-or-later
// The kernel's side of the zygote: starts it, orders stubs from it, takes its answers. Nothing but start()
// waits.
#pragma once

#include <memory>

#include "arch-um/stub/layout.h"
#include "hostabi/fd.h"
#include "hostabi/memory.h"

namespace umbra::stub {

class HostVdso;

struct ZygoteOptions {
    StubKind kind;
    u32 filter_flags;
    bool fsgsbase;
    bool userfault = false;
    int area_fd; ///< the file of service pages and thread areas
};

class ZygoteHandle {
public:
    /// Clones the zygote and waits until it has emptied its address space. The calling thread must live as
    /// long as the handle: when it ends, the host kills the zygote and its stubs. `boot_step` tells where it
    /// failed.
    static hostabi::HostResult<std::unique_ptr<ZygoteHandle>> start(
        ZygoteOptions const& options, HostVdso const& vdso, int& boot_step);
    ~ZygoteHandle();

    i32 pid() const { return pid_; }
    /// Readable when answers are there.
    int done_event() const { return done_event_.get(); }

    /// Ends the zygote after its open orders; waits for it. take_answer() still gives the last answers.
    void stop();
    /// False when all places are taken.
    bool order(u64 service_offset);
    /// Hands over the next answer: true while there are any.
    bool take_answer(StubOrder& out);

private:
    ZygoteHandle() = default;
    hostabi::HostResult<void> prepare(ZygoteOptions const& options, HostVdso const& vdso);
    hostabi::HostResult<void> launch(int& boot_step);
    [[noreturn]] void enter_staging();
    Control& control() const { return *reinterpret_cast<Control*>(control_.data()); } // page-aligned, zeroed

    hostabi::OwnedFd image_fd_, control_fd_, order_event_, done_event_;
    hostabi::OwnedMapping control_;
    i32 pid_ = 0;
    u32 taken_ = 0;
};

} // namespace umbra::stub
