// SPDX-License-Identifier: GPL-2.0-or-later
// Host files over the ring: makes the device::HostFile of a directory or file that the composition has
// opened.
#pragma once

#include <functional>

#include "core/device/host-file.h"
#include "hostabi/fd.h"

namespace umbra::hostabi {
class Completion;
class Ring;
} // namespace umbra::hostabi

namespace umbra::drivers {

class HostIo;

/// Submits one request: gets the ring and the completion for it.
using SubmitRequest = std::function<void(hostabi::Ring&, hostabi::Completion&)>;
/// Runs a request to its end and returns its result: a value or a negative host errno.
using AwaitRequest = std::function<i32(SubmitRequest const&)>;

/// `fd` is a directory (O_PATH will do) or a regular file open for reading. Everything opened below it awaits
/// through the same `await`.
Ref<device::HostFile> make_host_file(hostabi::OwnedFd fd, AwaitRequest await);
/// For tasks: the request goes to the current vCPU's ring and the task sleeps.
Ref<device::HostFile> make_host_file(hostabi::OwnedFd fd, HostIo& io);

} // namespace umbra::drivers
