// SPDX-License-Identifier: GPL-2.0-or-later
// See seccomp-platform.h.
#include "arch-um/seccomp/seccomp-platform.h"

#include <linux/seccomp.h>

#include "arch-um/common/stub-setup.h"
#include "arch-um/seccomp/address-space.h"
#include "arch-um/seccomp/in-place-paging.h"
#include "arch-um/x86-64/cpu.h"
#include "hostabi/seccomp.h"

namespace umbra::um {

namespace {
u32 filter_flags(PlatformOptions const& options)
{
    u32 flags = SECCOMP_FILTER_FLAG_NEW_LISTENER | SECCOMP_FILTER_FLAG_SPEC_ALLOW;
    if (options.killable_notifications) flags |= SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV;
    return flags;
}
} // namespace

SeccompPlatform::SeccompPlatform(PlatformOptions const& options, std::vector<std::unique_ptr<UmPort>> ports,
    std::unique_ptr<AreaFile> areas)
    : UmPlatform("seccomp", std::move(ports), options.synchronous_wake_up ? Pinning::off : Pinning::on)
    , areas_(std::move(areas))
    , environment_ {
        .areas = *areas_,
        .vcpu_count = vcpu_count(),
        .fsgsbase = options.fsgsbase,
        .pin_threads = !options.synchronous_wake_up,
        .xsave_features = x86_64::xsave_features(),
        .fp_image_size = machine().xsave_size,
        .userfault_guard = options.userfault_guard,
        .patched_calls = options.patched_calls && options.synchronous_wake_up
            && options.ring == hostabi::RingEngine::io_uring && cpu_use().count() > 1,
        .cpu_use = &cpu_use(),
    }
{
}

std::unique_ptr<SeccompPlatform> SeccompPlatform::create(
    PlatformOptions const& options, std::vector<std::unique_ptr<UmPort>> ports, std::string& problem)
{
    auto setup = prepare_stubs(problem);
    if (!setup) return nullptr;
    std::unique_ptr<SeccompPlatform> platform(
        new SeccompPlatform(options, std::move(ports), std::move(setup->areas)));
    auto zygote = setup->start_zygote(
        {
            .kind = stub::StubKind::filtered,
            .filter_flags = filter_flags(options),
            .fsgsbase = options.fsgsbase,
            .userfault = options.userfault,
            .area_fd = platform->areas_->fd(),
        },
        problem);
    if (!zygote) return nullptr;
    platform->set_vdso(setup->vdso_image());
    auto make = [&environment = platform->environment_, synchronous = options.synchronous_wake_up](
                    stub::StubOrder const& answer) {
        auto listener = hostabi::OwnedFd::adopt(answer.listener);
        hostabi::OwnedFd userfault;
        if (answer.userfault != stub::kNoUserfault) userfault = hostabi::OwnedFd::adopt(answer.userfault);
        bool const refused = userfault && enable_userfault(environment, userfault.get()).is_error();
        // Without it wake-ups cost more, so the platform pins threads instead.
        if (synchronous) (void)hostabi::seccomp::set_synchronous_wake_up(listener.get());
        auto stub = std::make_unique<StubProcess>(environment, answer.pid, std::move(listener),
            std::move(userfault), AreaFile::slot_at(answer.service_offset));
        if (refused) stub->kill("its userfaultfd does not do what the probe's did");
        return stub;
    };
    platform->pool_ = std::make_unique<StubPool>(
        platform->environment_, std::move(zygote), std::move(setup->child_signal), std::move(make));
    return platform;
}

SeccompPlatform::~SeccompPlatform()
{
    drop_ports();
    pool_.reset();
}

Result<std::unique_ptr<platform::AddressSpace>> SeccompPlatform::create_address_space(
    platform::VcpuContext& ctx)
{
    auto* process = static_cast<StubProcess*>(TRY(pool_->acquire(ctx)));
    if (process->userfault() < 0) return std::make_unique<SeccompAddressSpace>(*pool_, *process);
    return std::make_unique<UserfaultAddressSpace>(*pool_, *process);
}

} // namespace umbra::um
