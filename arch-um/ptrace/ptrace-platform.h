// SPDX-License-Identifier: GPL-2.0-or-later
// The backend that works wherever ptrace does: PTRACE_SYSEMU for system calls, signals for the rest. One
// vCPU, because all requests have to come from the thread that traces.
#pragma once

#include "arch-um/common/make-platform.h"
#include "arch-um/common/stub-pool.h"
#include "arch-um/common/um-platform.h"
#include "arch-um/ptrace/tracer.h"

namespace umbra::um {

class PtracePlatform final : public UmPlatform {
public:
    /// `problem` says in words why the backend cannot work here.
    static std::unique_ptr<PtracePlatform> create(
        PlatformOptions const& options, std::vector<std::unique_ptr<UmPort>> ports, std::string& problem);
    ~PtracePlatform() override;

    Result<std::unique_ptr<platform::AddressSpace>> create_address_space(platform::VcpuContext& ctx) override;

private:
    PtracePlatform(PlatformOptions const& options, std::vector<std::unique_ptr<UmPort>> ports,
        std::unique_ptr<AreaFile> areas);

    std::unique_ptr<AreaFile> areas_;
    StubEnvironment environment_;
    Tracer tracer_;
    std::unique_ptr<StubPool> pool_;
};

} // namespace umbra::um
