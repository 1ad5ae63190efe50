// SPDX-License-Identifier: GPL-2.0-or-later
// See guest-thread.h.
#include "arch-um/seccomp/guest-thread.h"

#include <cstring>
#include <utility>

#include "arch-um/common/attention.h"
#include "arch-um/common/patience.h"
#include "arch-um/seccomp/stub-process.h"
#include "arch-um/x86-64/patched-call.h"
#include "arch-um/x86-64/trap.h"

namespace umbra::um {

using platform::Trap;
using platform::TrapKind;
using State = StubThread::State;

SeccompGuestThread::~SeccompGuestThread() { process_.give_back_thread(thread_); }

Trap SeccompGuestThread::enter(platform::VcpuContext& ctx)
{
    if (thread_.state() == State::dead) return { .kind = TrapKind::died };
    if (ctx.attention()) return { .kind = TrapKind::interrupted };
    // The trap flag is in the frame, which a plain call does not have.
    if ((single_step_ || thread_.goes_on_in_patch()) && !registers(ctx)) return { .kind = TrapKind::died };
    UmPort& port = port_of(ctx);
    if (watch_.is_on())
        process_.receive(port); // it may have gone to sleep over its call
    else
        thread_.follow(port);
    watch_.prepare(port);
    thread_.resume(single_step_);
    // It goes round on the CPU that this one needs. Not before: so that CPU does not fall idle in between.
    if (watch_.is_on() && port.guest_in_call) std::exchange(port.guest_in_call, nullptr)->make_room();
    return wait_for_trap(ctx);
}

Trap SeccompGuestThread::wait_for_trap(platform::VcpuContext& ctx)
{
    UmPort& port = port_of(ctx);
    thread_.waiting_port = &port;
    port.runs_guest = true;
    Trap trap;
    bool wanted = false;
    Patience patience(process_.pid());
    for (;;) {
        process_.arm(port);
        port.busy_wait = watch_.is_on() ? &watch_ : nullptr;
        ctx.wait(wanted ? patience.deadline() : ctx.attention_deadline());
        process_.receive(port);
        if (thread_.state() == State::in_syscall || thread_.take_patched_call()) {
            trap = trap_of_call();
            break;
        }
        if (thread_.state() == State::dead) {
            trap.kind = TrapKind::died;
            break;
        }
        if (thread_.state() == State::in_report) {
            auto const reported = trap_of_report();
            // A kick whose cause is gone, or a signal from some other process of the host, is nobody's
            // business.
            if (reported && (reported->kind != TrapKind::interrupted || core_wants_the_vcpu(ctx))) {
                trap = *reported;
                break;
            }
            thread_.resume(single_step_);
            // It has answered: until core wants it again, nothing is awaited of it.
            wanted = false;
            patience.renew();
            continue;
        }
        if (wanted) {
            if (patience.is_over()) process_.kill("a thread does not answer");
        } else if (core_wants_the_vcpu(ctx)) {
            wanted = true;
            thread_.kick();
        }
    }
    thread_.waiting_port = nullptr;
    port.busy_wait = nullptr;
    port.runs_guest = false;
    watch_.note_trap(port);
    return trap;
}

Trap SeccompGuestThread::trap_of_call() const
{
    auto const& call = thread_.call();
    Trap trap { .kind = TrapKind::syscall, .number = call.nr, .instruction = call.instruction_pointer };
    if (auto const* sites = process_.call_sites())
        trap.instruction = x86_64::leave_gate(*sites, trap.instruction).value_or(trap.instruction);
    std::memcpy(trap.args, call.args, sizeof trap.args);
    return trap;
}

std::optional<Trap> SeccompGuestThread::trap_of_report() const
{
    if (thread_.signal() == stub::kKickSignal) return Trap { .kind = TrapKind::interrupted };
    return x86_64::trap_of_frame(thread_.signal(), thread_.frame_snapshot());
}

void SeccompGuestThread::set_syscall_result(u64 value)
{
    if (thread_.state() == State::dead) return;
    thread_.set_result(value);
}

platform::Registers* SeccompGuestThread::registers(platform::VcpuContext& ctx)
{
    if (thread_.state() == State::in_syscall || thread_.state() == State::in_patched_call) {
        UmPort& port = port_of(ctx);
        thread_.request_frame();
        thread_.waiting_port = &port;
        Patience patience(process_.pid());
        while (thread_.state() == State::running) {
            process_.arm(port);
            ctx.wait(patience.deadline());
            process_.receive(port);
            if (thread_.state() == State::running && patience.is_over())
                process_.kill("a thread does not answer");
        }
        thread_.waiting_port = nullptr;
    }
    return thread_.state() == State::in_report ? &thread_.registers() : nullptr;
}

std::span<u8> SeccompGuestThread::fp_state(platform::VcpuContext& ctx)
{
    if (!registers(ctx)) return {};
    return thread_.fp_image();
}

void SeccompGuestThread::reset_fp_state(platform::VcpuContext& ctx)
{
    if (registers(ctx)) thread_.reset_fp_image();
}

Result<void> SeccompGuestThread::set_time_stamp_counter(platform::VcpuContext& ctx, bool readable)
{
    if (!registers(ctx)) return err::srch;
    return process_.set_counter(port_of(ctx), thread_, readable);
}

Result<void> SeccompGuestThread::copy_state(platform::VcpuContext& ctx, platform::GuestThread& from)
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

} // namespace umbra::um
