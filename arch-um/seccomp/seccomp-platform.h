// SPDX-License-Identifier: GPL-2.0-or-later
// The default backend: guest calls are trapped by seccomp user notification, everything that needs the
// register file by signals that the stub reports. SMP.
#pragma once

#include <memory>

#include "arch-um/common/area-file.h"
#include "arch-um/common/make-platform.h"
#include "arch-um/common/stub-pool.h"
#include "arch-um/common/um-platform.h"
#include "arch-um/seccomp/stub-process.h"
#include "arch-um/x86-64/patched-call.h"
#include "hostabi/host-result.h"

namespace umbra::um {

class SeccompPlatform final : public UmPlatform, public platform::PatchedCalls {
public:
    /// `problem` says in words why the backend cannot work here.
    static std::unique_ptr<SeccompPlatform> create(
        PlatformOptions const& options, std::vector<std::unique_ptr<UmPort>> ports, std::string& problem);
    ~SeccompPlatform() override;

    Result<std::unique_ptr<platform::AddressSpace>> create_address_space(platform::VcpuContext& ctx) override;

    bool are_useful() const override { return environment_.patched_calls; }
    u64 displaced_length(std::span<u8 const> code, u64 at) const override
    {
        return x86_64::displaced_length(code, at);
    }
    void make_gate(
        std::span<u8, platform::kGateSize> out, u64 gate, platform::CallSite const& site) const override
    {
        x86_64::make_gate(out, gate, site);
    }
    std::vector<u8> make_jump(u64 gate) const override { return x86_64::make_jump(gate); }

private:
    SeccompPlatform(PlatformOptions const& options, std::vector<std::unique_ptr<UmPort>> ports,
        std::unique_ptr<AreaFile> areas);

    std::unique_ptr<AreaFile> areas_;
    StubEnvironment environment_;
    std::unique_ptr<StubPool> pool_;
};

} // namespace umbra::um
