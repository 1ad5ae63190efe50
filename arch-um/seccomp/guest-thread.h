// SPDX-License-Identifier: GPL-2.0-or-later
// core's GuestThread on a thread of a seccomp stub: runs it until it waits for an answer, and says why.
#pragma once

#include <optional>

#include "arch-um/seccomp/call-watch.h"
#include "arch-um/seccomp/stub-thread.h"
#include "core/platform/platform.h"

namespace umbra::um {

class StubProcess;

class SeccompGuestThread final : public platform::GuestThread {
public:
    SeccompGuestThread(StubProcess& process, StubThread& thread)
        : process_(process)
        , thread_(thread)
        , watch_(process, thread)
    {
    }
    ~SeccompGuestThread() override;

    platform::Trap enter(platform::VcpuContext& ctx) override;
    void set_syscall_result(u64 value) override;
    platform::Registers* registers(platform::VcpuContext& ctx) override;
    std::span<u8> fp_state(platform::VcpuContext& ctx) override;
    void reset_fp_state(platform::VcpuContext& ctx) override;
    Result<void> copy_state(platform::VcpuContext& ctx, platform::GuestThread& from) override;
    void set_single_step(bool on) override { single_step_ = on; }
    Result<void> set_time_stamp_counter(platform::VcpuContext& ctx, bool readable) override;
    i32 host_id() const override { return thread_.tid(); }

private:
    platform::Trap wait_for_trap(platform::VcpuContext& ctx);
    std::optional<platform::Trap> trap_of_report() const;
    platform::Trap trap_of_call() const;

    StubProcess& process_;
    StubThread& thread_;
    CallWatch watch_;
    bool single_step_ = false;
};

} // namespace umbra::um
