// SPDX-License-Identifier: GPL-2.0-or-later
// The userfaultfd operations.
#include "hostabi/userfaultfd.h"

#include <cerrno>

#include <linux/userfaultfd.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>

#include "hostabi/host-call.h"

namespace umbra::hostabi::userfault {

namespace {

template <typename Argument> i64 operate(int fd, unsigned long operation, Argument& argument)
{
    return host_call(SYS_ioctl, fd, operation, &argument);
}

/// Repeats `fill(start, length)`, which fills in how much it did, until all of the range is done. The host
/// stops early with EAGAIN when the address space changes meanwhile, or in front of the first page that it
/// cannot do.
template <typename Fill> HostResult<void> fill_all(u64 start, u64 length, Fill fill)
{
    while (length != 0) {
        i64 done = 0;
        i64 const result = fill(start, length, done);
        if (result == 0) return {};
        if (result != -EAGAIN && result != -EINTR) return host_status(result);
        if (done > 0) {
            start += static_cast<u64>(done);
            length -= static_cast<u64>(done);
        }
    }
    return {};
}

} // namespace

HostResult<u64> offered_features(int fd)
{
    uffdio_api api { .api = UFFD_API, .features = 0, .ioctls = 0 };
    TRY(host_status(operate(fd, UFFDIO_API, api)));
    return u64 { api.features };
}

HostResult<void> enable(int fd, u64 features)
{
    uffdio_api api { .api = UFFD_API, .features = features, .ioctls = 0 };
    return host_status(operate(fd, UFFDIO_API, api));
}

HostResult<void> register_range(int fd, u64 start, u64 length, u64 modes)
{
    uffdio_register argument { .range = { start, length }, .mode = modes, .ioctls = 0 };
    return host_status(operate(fd, UFFDIO_REGISTER, argument));
}

HostResult<void> unregister_range(int fd, u64 start, u64 length)
{
    uffdio_range range { start, length };
    return host_status(operate(fd, UFFDIO_UNREGISTER, range));
}

HostResult<void> read_event(int fd, uffd_msg& out)
{
    i64 const count = TRY(host_value(host_call(SYS_read, fd, &out, sizeof out)));
    if (count != sizeof out) return HostErrno { EIO };
    return {};
}

HostResult<void> continue_range(int fd, u64 start, u64 length, Wake wake)
{
    bool skipped = false;
    auto fill = [&](u64 at, u64 left, i64& done) -> i64 {
        uffdio_continue argument { .range = { at, left }, .mode = 0, .mapped = 0 };
        if (wake == Wake::no) argument.mode = UFFDIO_CONTINUE_MODE_DONTWAKE;
        i64 const result = operate(fd, UFFDIO_CONTINUE, argument);
        done = argument.mapped;
        if (result != -EEXIST) return result;
        skipped = true;
        done = kPageSize;
        return -EAGAIN;
    };
    TRY(fill_all(start, length, fill));
    // Somebody else mapped a page; its waiter may have begun to wait after that one's wake-up.
    if (skipped && wake == Wake::yes) return wake_range(fd, start, length);
    return {};
}

HostResult<void> copy_range(int fd, u64 start, void const* from, u64 length, Wake wake)
{
    u64 const source = reinterpret_cast<u64>(from); // the ABI passes pointers as words
    return fill_all(start, length, [&](u64 at, u64 left, i64& done) -> i64 {
        uffdio_copy argument { .dst = at, .src = source + (at - start), .len = left, .mode = 0, .copy = 0 };
        if (wake == Wake::no) argument.mode = UFFDIO_COPY_MODE_DONTWAKE;
        i64 const result = operate(fd, UFFDIO_COPY, argument);
        done = argument.copy;
        return result;
    });
}

HostResult<void> zero_range(int fd, u64 start, u64 length, Wake wake)
{
    return fill_all(start, length, [&](u64 at, u64 left, i64& done) -> i64 {
        uffdio_zeropage argument { .range = { at, left }, .mode = 0, .zeropage = 0 };
        if (wake == Wake::no) argument.mode = UFFDIO_ZEROPAGE_MODE_DONTWAKE;
        i64 const result = operate(fd, UFFDIO_ZEROPAGE, argument);
        done = argument.zeropage;
        return result;
    });
}

namespace {
HostResult<void> set_write_protection(int fd, u64 start, u64 length, u64 mode)
{
    i64 result;
    do {
        uffdio_writeprotect argument { .range = { start, length }, .mode = mode };
        result = operate(fd, UFFDIO_WRITEPROTECT, argument);
    } while (result == -EAGAIN); // the address space was changing
    return host_status(result);
}
} // namespace

HostResult<void> write_protect_range(int fd, u64 start, u64 length)
{
    return set_write_protection(fd, start, length, UFFDIO_WRITEPROTECT_MODE_WP);
}

HostResult<void> allow_write_range(int fd, u64 start, u64 length)
{
    return set_write_protection(fd, start, length, 0);
}

HostResult<void> wake_range(int fd, u64 start, u64 length)
{
    uffdio_range range { start, length };
    return host_status(operate(fd, UFFDIO_WAKE, range));
}

} // namespace umbra::hostabi::userfault
