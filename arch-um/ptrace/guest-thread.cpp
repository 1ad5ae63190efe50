// SPDX-License-Identifier: GPL-2.0-or-later
// See guest-thread.h.
#include "arch-um/ptrace/guest-thread.h"

#include <cstring>

#include "arch-um/common/attention.h"
#include "arch-um/stub/operations.h"

namespace umbra::um {

using platform::Trap;
using platform::TrapKind;

Trap PtraceGuestThread::enter(platform::VcpuContext& ctx)
{
    if (!is_stopped()) return { .kind = TrapKind::died };
    if (ctx.attention()) return { .kind = TrapKind::interrupted };
    thread_.follow(port_of(ctx));
    thread_.resume(single_step_);
    bool wanted = false;
    Patience patience(process_.pid());
    for (;;) {
        ctx.wait(wanted ? patience.deadline() : ctx.attention_deadline());
        if (thread_.state() == TracedThread::State::dead) return { .kind = TrapKind::died };
        if (is_stopped()) {
            auto const& trap = thread_.trap();
            // A kick whose cause is gone, or a signal from some other process of the host, is nobody's
            // business.
            if (trap && (trap->kind != TrapKind::interrupted || core_wants_the_vcpu(ctx))) return *trap;
            thread_.resume(single_step_);
            // It has answered: until core wants it again, nothing is awaited of it.
            wanted = false;
            patience.renew();
        } else if (wanted) {
            if (patience.is_over()) process_.kill("a thread does not stop");
        } else if (core_wants_the_vcpu(ctx)) {
            wanted = true;
            thread_.kick();
        }
    }
}

void PtraceGuestThread::set_syscall_result(u64 value)
{
    if (is_stopped()) thread_.set_result(value);
}

platform::Registers* PtraceGuestThread::registers(platform::VcpuContext&)
{
    return is_stopped() ? thread_.registers() : nullptr;
}

std::span<u8> PtraceGuestThread::fp_state(platform::VcpuContext&)
{
    return is_stopped() ? thread_.fp_image() : std::span<u8> {};
}

void PtraceGuestThread::reset_fp_state(platform::VcpuContext&)
{
    if (is_stopped()) thread_.reset_fp_image();
}

Result<void> PtraceGuestThread::set_time_stamp_counter(platform::VcpuContext& ctx, bool readable)
{
    if (!is_stopped() || !thread_.registers()) return err::srch;
    return process_.set_counter(port_of(ctx), thread_, readable);
}

Result<void> PtraceGuestThread::copy_state(platform::VcpuContext& ctx, platform::GuestThread& from)
{
    auto const* source = from.registers(ctx);
    auto const source_fp = from.fp_state(ctx);
    auto* target = registers(ctx);
    auto const target_fp = fp_state(ctx);
    if (!source || !target || source_fp.size() != target_fp.size() || target_fp.empty()) return err::srch;
    *target = *source;
    std::memcpy(target_fp.data(), source_fp.data(), target_fp.size());
    return {};
}

Result<void> PtraceAddressSpace::map(platform::VcpuContext& ctx, std::span<platform::Mapping const> batch)
{
    return stub::execute_all(process_, port_of(ctx), batch);
}

Result<void> PtraceAddressSpace::unmap(platform::VcpuContext& ctx, std::span<platform::Range const> batch)
{
    return stub::execute_all(process_, port_of(ctx), batch);
}

Result<void> PtraceAddressSpace::protect(
    platform::VcpuContext& ctx, std::span<platform::ProtectRange const> batch)
{
    return stub::execute_all(process_, port_of(ctx), batch);
}

Result<std::unique_ptr<platform::GuestThread>> PtraceAddressSpace::create_thread(platform::VcpuContext& ctx)
{
    TracedThread* thread = TRY(process_.take_thread(port_of(ctx)));
    return std::unique_ptr<platform::GuestThread>(std::make_unique<PtraceGuestThread>(process_, *thread));
}

} // namespace umbra::um
