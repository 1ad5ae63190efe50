// SPDX-License-Identifier: GPL-2.0-or-later
// userfaultfd(2), one function an operation. The descriptor is bound to the address space of the process that
// made it (OwnedFd::userfaultfd in the stub); whoever holds it may use it on that address space. Ranges are
// whole pages.
#pragma once

#include "core/base/types.h"
#include "hostabi/host-result.h"

struct uffd_msg;

namespace umbra::hostabi::userfault {

/// UFFD_FEATURE_* that the host offers; asked of a descriptor that is then good for nothing else.
HostResult<u64> offered_features(int fd);
/// The handshake, once for each descriptor. EINVAL when the host lacks one of the features.
HostResult<void> enable(int fd, u64 features);

/// `modes`: UFFDIO_REGISTER_MODE_*. EINVAL: the kind of memory cannot be served so.
HostResult<void> register_range(int fd, u64 start, u64 length, u64 modes);
HostResult<void> unregister_range(int fd, u64 start, u64 length);

/// Reads the next event of a non-blocking descriptor. EAGAIN: there is none.
HostResult<void> read_event(int fd, uffd_msg& out);

enum class Wake : u8 { no, yes };

/// Maps the pages that the file already has (minor faults) in all of the range and wakes who waits for them.
/// Pages that are mapped already stay. EFAULT: the file has no page there; the pages before it are mapped.
/// ENOENT: the range is not registered (any more). ESRCH: the process has died.
HostResult<void> continue_range(int fd, u64 start, u64 length, Wake wake = Wake::yes);
/// Fills missing pages with a copy. EEXIST: a page is there.
HostResult<void> copy_range(int fd, u64 start, void const* from, u64 length, Wake wake = Wake::yes);
/// Fills missing pages with zeroes. EEXIST: a page is there.
HostResult<void> zero_range(int fd, u64 start, u64 length, Wake wake = Wake::yes);
HostResult<void> write_protect_range(int fd, u64 start, u64 length);
/// Lifts the write protection and wakes who waits for it.
HostResult<void> allow_write_range(int fd, u64 start, u64 length);
HostResult<void> wake_range(int fd, u64 start, u64 length);

} // namespace umbra::hostabi::userfault
