// SPDX-License-Identifier: GPL-2.0-or-later
// The two makers behind Ring::create(), and what hostabi/probe asks them.
#pragma once

#include "hostabi/ring.h"

namespace umbra::hostabi {

HostResult<std::unique_ptr<Ring>> create_uring_ring();
HostResult<std::unique_ptr<Ring>> create_epoll_ring();

struct UringSupport {
    i32 error = 0; ///< why the engine cannot work; ENOSYS also when only an operation is missing
    bool deferred = false; ///< task work runs when we ask for it (IORING_SETUP_DEFER_TASKRUN)
};
/// Sets a ring up and takes it down again.
UringSupport probe_uring();

} // namespace umbra::hostabi
