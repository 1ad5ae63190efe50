// SPDX-License-Identifier: GPL-2.0-or-later
// The two makers behind Ring::create().
#pragma once

#include "hostabi/ring.h"

namespace umbra::hostabi {

HostResult<std::unique_ptr<Ring>> create_uring_ring();
HostResult<std::unique_ptr<Ring>> create_epoll_ring();

} // namespace umbra::hostabi
