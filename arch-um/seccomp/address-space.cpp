// SPDX-License-Identifier: GPL-2.0-or-later
// See address-space.h.
#include "arch-um/seccomp/address-space.h"

#include "arch-um/common/stub-pool.h"
#include "arch-um/seccomp/guest-thread.h"
#include "arch-um/stub/operations.h"

namespace umbra::um {

SeccompAddressSpace::~SeccompAddressSpace()
{
    process_.set_call_sites(nullptr);
    pool_.release(process_);
}

Result<void> SeccompAddressSpace::map(platform::VcpuContext& ctx, std::span<platform::Mapping const> batch)
{
    return stub::execute_all(process_, port_of(ctx), batch);
}

Result<void> SeccompAddressSpace::unmap(platform::VcpuContext& ctx, std::span<platform::Range const> batch)
{
    return stub::execute_all(process_, port_of(ctx), batch);
}

Result<void> SeccompAddressSpace::protect(
    platform::VcpuContext& ctx, std::span<platform::ProtectRange const> batch)
{
    return stub::execute_all(process_, port_of(ctx), batch);
}

Result<std::unique_ptr<platform::GuestThread>> SeccompAddressSpace::create_thread(platform::VcpuContext& ctx)
{
    StubThread* thread = TRY(process_.take_thread(port_of(ctx)));
    return std::unique_ptr<platform::GuestThread>(std::make_unique<SeccompGuestThread>(process_, *thread));
}

} // namespace umbra::um
