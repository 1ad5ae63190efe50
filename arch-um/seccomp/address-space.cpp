// SPDX-License-Identifier: GPL-2.0-or-later
// See address-space.h.
#include "arch-um/seccomp/address-space.h"

#include <algorithm>

#include "arch-um/common/stub-pool.h"
#include "arch-um/seccomp/guest-thread.h"
#include "arch-um/stub/operations.h"

namespace umbra::um {

namespace {
constexpr u64 kOpsAtOnce = 16; // on the kernel stack

template <typename Item> Result<void> execute(StubProcess& process, UmPort& port, std::span<Item const> batch)
{
    while (!batch.empty()) {
        stub::Op ops[kOpsAtOnce];
        auto const chunk = batch.first(std::min<u64>(batch.size(), kOpsAtOnce));
        for (u64 i = 0; i < chunk.size(); ++i)
            ops[i] = TRY(stub::operation(chunk[i]));
        TRY(process.execute(port, { ops, chunk.size() }));
        batch = batch.subspan(chunk.size());
    }
    return {};
}
} // namespace

SeccompAddressSpace::~SeccompAddressSpace() { pool_.release(process_); }

Result<void> SeccompAddressSpace::map(platform::VcpuContext& ctx, std::span<platform::Mapping const> batch)
{
    return execute(process_, port_of(ctx), batch);
}

Result<void> SeccompAddressSpace::unmap(platform::VcpuContext& ctx, std::span<platform::Range const> batch)
{
    return execute(process_, port_of(ctx), batch);
}

Result<void> SeccompAddressSpace::protect(
    platform::VcpuContext& ctx, std::span<platform::ProtectRange const> batch)
{
    return execute(process_, port_of(ctx), batch);
}

Result<std::unique_ptr<platform::GuestThread>> SeccompAddressSpace::create_thread(platform::VcpuContext& ctx)
{
    StubThread* thread = TRY(process_.take_thread(port_of(ctx)));
    return std::unique_ptr<platform::GuestThread>(std::make_unique<SeccompGuestThread>(process_, *thread));
}

} // namespace umbra::um
