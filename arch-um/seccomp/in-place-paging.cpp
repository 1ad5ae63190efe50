// SPDX-License-Identifier: GPL-2.0-or-later
// See in-place-paging.h.
#include "arch-um/seccomp/in-place-paging.h"

#include <cerrno>

#include <linux/userfaultfd.h>
#include <sys/syscall.h>

#include "arch-um/seccomp/stub-process.h"
#include "arch-um/stub/operations.h"
#include "hostabi/userfaultfd.h"

namespace umbra::um {

using platform::Range;
namespace userfault = hostabi::userfault;

namespace {
u64 modes(StubEnvironment const& environment)
{
    // Missing too, or the first access to a page that the bank does not have would make one.
    u64 const modes = UFFDIO_REGISTER_MODE_MISSING | UFFDIO_REGISTER_MODE_MINOR;
    return environment.userfault_guard ? modes | UFFDIO_REGISTER_MODE_WP : modes;
}

/// Whatever the host says beside lack of memory means that the stub is not as it should be: dead, or dying.
Result<void> outcome(hostabi::HostResult<void> const& result)
{
    if (result.ok()) return {};
    return result.error().value == ENOMEM ? err::nomem : err::io;
}

template <typename Operation> Result<void> for_all(std::span<Range const> batch, Operation operation)
{
    for (Range const& range : batch) {
        if (!stub::is_guest_range(range.start, range.length)) return err::inval;
        TRY(operation(range));
    }
    return {};
}
} // namespace

hostabi::HostResult<void> enable_userfault(StubEnvironment const& environment, int fd)
{
    u64 features = UFFD_FEATURE_MINOR_SHMEM | UFFD_FEATURE_SIGBUS;
    if (environment.userfault_guard)
        features |= UFFD_FEATURE_PAGEFAULT_FLAG_WP | UFFD_FEATURE_WP_HUGETLBFS_SHMEM;
    return userfault::enable(fd, features);
}

Result<void> UserfaultAddressSpace::watch(Range const& range)
{
    return outcome(userfault::register_range(
        process().userfault(), range.start.value, range.length, modes(process().environment())));
}

Result<void> UserfaultAddressSpace::prepare(platform::VcpuContext& ctx, platform::Mapping const& mapping)
{
    stub::Op map = TRY(stub::operation(mapping));
    UmPort& port = port_of(ctx);
    // Until the range is watched, a thread that runs meanwhile could make the host add pages to the bank, of which
    // the kernel would not know.
    bool const closed = process().runs_guest_code();
    u64 const protection = map.args[2];
    if (closed) map.args[2] = PROT_NONE;
    TRY(process().execute(port, { &map, 1 }));
    Result<void> result = watch({ mapping.start, mapping.length });
    if (result.ok() && closed) {
        stub::Op const open { SYS_mprotect, { mapping.start.value, mapping.length, protection } };
        if (auto opened = process().execute(port, { &open, 1 }); opened.is_error()) result = opened.error();
    }
    if (result.ok()) return {};
    stub::Op const unmap { SYS_munmap, { mapping.start.value, mapping.length } };
    // Unwatched, it must not stay.
    if (process().execute(port, { &unmap, 1 }).is_error()) process().kill("a mapping that cannot be undone");
    return result;
}

Result<void> UserfaultAddressSpace::fill(std::span<Range const> batch)
{
    return for_all(batch, [&](Range const& range) {
        // Nobody sleeps in such a fault, so there is nobody to wake.
        return outcome(userfault::continue_range(
            process().userfault(), range.start.value, range.length, userfault::Wake::no));
    });
}

bool UserfaultAddressSpace::can_guard() const { return process().environment().userfault_guard; }

Result<void> UserfaultAddressSpace::guard(std::span<Range const> batch)
{
    return for_all(batch, [&](Range const& range) -> Result<void> {
        TRY(watch(range)); // an ordinary mapping is not watched yet
        return outcome(
            userfault::write_protect_range(process().userfault(), range.start.value, range.length));
    });
}

Result<void> UserfaultAddressSpace::unguard(std::span<Range const> batch)
{
    return for_all(batch, [&](Range const& range) {
        return outcome(userfault::allow_write_range(process().userfault(), range.start.value, range.length));
    });
}

} // namespace umbra::um
