// SPDX-License-Identifier: GPL-2.0-or-later
// Changes of a stub's pages from outside, by the userfaultfd of its address space: no thread of the stub has to do
// anything. In a registered range the host shows no page on its own, and an access to one that is not there raises
// SIGBUS (UFFD_FEATURE_SIGBUS), which travels as any other fault. The other way of userfaultfd, a message to a
// reader, was measured and not taken: see docs/design.md, "How a fault travels".
//
// The host forgets a registration with the mapping, so a stub that was emptied has none. The descriptor is of no
// use to guest code: it makes no host call that is not trapped.
#pragma once

#include "arch-um/seccomp/address-space.h"
#include "core/platform/in-place-paging.h"
#include "hostabi/host-result.h"

namespace umbra::um {

/// The handshake on a new stub's descriptor.
hostabi::HostResult<void> enable_userfault(StubEnvironment const& environment, int fd);

class UserfaultAddressSpace final : public SeccompAddressSpace, public platform::InPlacePaging {
public:
    using SeccompAddressSpace::SeccompAddressSpace;

    Result<void> prepare(platform::VcpuContext& ctx, platform::Mapping const& mapping) override;
    Result<void> fill(std::span<platform::Range const> batch) override;
    bool can_guard() const override;
    Result<void> guard(std::span<platform::Range const> batch) override;
    Result<void> unguard(std::span<platform::Range const> batch) override;

private:
    Result<void> watch(platform::Range const& range);
};

} // namespace umbra::um
