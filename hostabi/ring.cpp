// SPDX-License-Identifier: GPL-2.0-or-later
// The choice of the engine.
#include "hostabi/ring.h"

#include "hostabi/ring-engines.h"

namespace umbra::hostabi {

HostResult<std::unique_ptr<Ring>> Ring::create(RingEngine engine)
{
    return engine == RingEngine::io_uring ? create_uring_ring() : create_epoll_ring();
}

} // namespace umbra::hostabi
