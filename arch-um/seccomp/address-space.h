// SPDX-License-Identifier: GPL-2.0-or-later
// core's AddressSpace on a seccomp stub: mappings become operations of the stub's leader.
#pragma once

#include "arch-um/seccomp/stub-process.h"
#include "core/platform/platform.h"

namespace umbra::um {

class StubPool;

class SeccompAddressSpace : public platform::AddressSpace {
public:
    SeccompAddressSpace(StubPool& pool, StubProcess& process)
        : pool_(pool)
        , process_(process)
    {
    }
    ~SeccompAddressSpace() override;

    Result<void> map(platform::VcpuContext& ctx, std::span<platform::Mapping const> batch) override;
    Result<void> unmap(platform::VcpuContext& ctx, std::span<platform::Range const> batch) override;
    Result<void> protect(platform::VcpuContext& ctx, std::span<platform::ProtectRange const> batch) override;
    Result<std::unique_ptr<platform::GuestThread>> create_thread(platform::VcpuContext& ctx) override;
    i32 host_pid() const override { return process_.pid(); }
    void set_call_sites(std::shared_ptr<platform::CallSites const> sites) override
    {
        process_.set_call_sites(std::move(sites));
    }

protected:
    StubProcess& process() const { return process_; }

private:
    StubPool& pool_;
    StubProcess& process_;
};

} // namespace umbra::um
