// SPDX-License-Identifier: GPL-2.0-or-later
// core's GuestThread and AddressSpace on a stub under ptrace.
#pragma once

#include "arch-um/ptrace/traced-process.h"
#include "core/platform/platform.h"

namespace umbra::um {

class PtraceGuestThread final : public platform::GuestThread {
public:
    PtraceGuestThread(TracedProcess& process, TracedThread& thread)
        : process_(process)
        , thread_(thread)
    {
    }
    ~PtraceGuestThread() override { process_.give_back_thread(thread_); }

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
    bool is_stopped() const { return thread_.state() == TracedThread::State::stopped; }

    TracedProcess& process_;
    TracedThread& thread_;
    bool single_step_ = false;
};

class PtraceAddressSpace final : public platform::AddressSpace {
public:
    PtraceAddressSpace(StubPool& pool, TracedProcess& process)
        : pool_(pool)
        , process_(process)
    {
    }
    ~PtraceAddressSpace() override { pool_.release(process_); }

    Result<void> map(platform::VcpuContext& ctx, std::span<platform::Mapping const> batch) override;
    Result<void> unmap(platform::VcpuContext& ctx, std::span<platform::Range const> batch) override;
    Result<void> protect(platform::VcpuContext& ctx, std::span<platform::ProtectRange const> batch) override;
    Result<std::unique_ptr<platform::GuestThread>> create_thread(platform::VcpuContext& ctx) override;
    i32 host_pid() const override { return process_.pid(); }

private:
    StubPool& pool_;
    TracedProcess& process_;
};

} // namespace umbra::um
