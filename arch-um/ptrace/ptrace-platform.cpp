// SPDX-License-Identifier: GPL-2.0-or-later
// See ptrace-platform.h.
#include "arch-um/ptrace/ptrace-platform.h"

#include "arch-um/common/stub-setup.h"
#include "arch-um/ptrace/guest-thread.h"
#include "arch-um/x86-64/cpu.h"

namespace umbra::um {

PtracePlatform::PtracePlatform(PlatformOptions const& options, std::vector<std::unique_ptr<UmPort>> ports,
    std::unique_ptr<AreaFile> areas)
    : UmPlatform(
        "ptrace", std::move(ports), Pinning::on) // a stop that wakes the other CPU costs ten times as much
    , areas_(std::move(areas))
    , environment_ {
        .areas = *areas_,
        .vcpu_count = vcpu_count(),
        .fsgsbase = options.fsgsbase,
        .pin_threads = true,
        .xsave_features = x86_64::xsave_features(),
        .fp_image_size = machine().xsave_size,
        .userfault_guard = false,
        .patched_calls = false,
        .cpu_use = &cpu_use(),
    }
{
}

std::unique_ptr<PtracePlatform> PtracePlatform::create(
    PlatformOptions const& options, std::vector<std::unique_ptr<UmPort>> ports, std::string& problem)
{
    if (ports.size() != 1) {
        problem = "the ptrace backend runs one CPU only";
        return nullptr;
    }
    auto setup = prepare_stubs(problem);
    if (!setup) return nullptr;
    std::unique_ptr<PtracePlatform> platform(
        new PtracePlatform(options, std::move(ports), std::move(setup->areas)));
    auto zygote = setup->start_zygote(
        {
            .kind = stub::StubKind::traced,
            .filter_flags = 0,
            .fsgsbase = options.fsgsbase,
            .area_fd = platform->areas_->fd(),
        },
        problem);
    if (!zygote) return nullptr;
    platform->set_vdso(setup->vdso_image());
    auto make = [&environment = platform->environment_, &tracer = platform->tracer_](
                    stub::StubOrder const& answer) {
        return std::make_unique<TracedProcess>(
            environment, tracer, answer.pid, AreaFile::slot_at(answer.service_offset));
    };
    platform->pool_ = std::make_unique<StubPool>(
        platform->environment_, std::move(zygote), std::move(setup->child_signal), std::move(make));
    platform->pool_->on_child_signal = [&tracer = platform->tracer_] { tracer.collect(); };
    return platform;
}

PtracePlatform::~PtracePlatform()
{
    drop_ports();
    pool_.reset();
}

Result<std::unique_ptr<platform::AddressSpace>> PtracePlatform::create_address_space(
    platform::VcpuContext& ctx)
{
    auto* process = static_cast<TracedProcess*>(TRY(pool_->acquire(ctx)));
    return std::unique_ptr<platform::AddressSpace>(std::make_unique<PtraceAddressSpace>(*pool_, *process));
}

} // namespace umbra::um
