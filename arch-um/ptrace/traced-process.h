// SPDX-License-Identifier: GPL-2.0-or-later
// A stub under ptrace: the host process that holds a guest address space. Its leader executes the kernel's
// operations with registers that the kernel sets, so there is nothing to compare.
#pragma once

#include <memory>
#include <span>
#include <vector>

#include "arch-um/common/patience.h"
#include "arch-um/common/stub-pool.h"
#include "arch-um/ptrace/traced-thread.h"

namespace umbra::um {

class TracedProcess final : public PooledStub {
public:
    TracedProcess(StubEnvironment const& environment, Tracer& tracer, i32 pid, u32 service_slot);
    ~TracedProcess() override;

    StubEnvironment const& environment() const { return environment_; }
    Tracer& tracer() const { return tracer_; }

    /// As StubProcess::execute(): in order, until one fails; the kernel lock stays held.
    Result<u64> execute(UmPort& port, std::span<stub::Op const> batch);
    Result<TracedThread*> take_thread(UmPort& port);
    void give_back_thread(TracedThread& thread);
    /// Whether the stopped thread, whose registers are with us, may read the time stamp counter. err: the host's errno.
    Result<void> set_counter(UmPort& port, TracedThread& thread, bool readable);

    i32 pid() const override { return leader_.tid(); }
    bool alive() const override { return alive_; }
    void kill(char const* reason) override;
    void look_after() override { } // its tracer is told
    bool is_buried() override;
    void wait_for_burial() override;
    bool is_reusable() const override;
    void require_clearing() override { clearing_required_ = true; }
    char const* death_reason() const { return death_reason_; }

    /// A thread is gone: with the leader, all are.
    void note_end(TracedThread& thread);

private:
    bool wait_until_stopped(UmPort& port, TracedThread& thread);
    Result<u64> execute_one(UmPort& port, TracedThread& thread, stub::Op const& op);
    Result<TracedThread*> create_thread(UmPort& port);
    Result<void> clear_if_required(UmPort& port);

    StubEnvironment const& environment_;
    Tracer& tracer_;
    u32 service_slot_;
    bool alive_ = true;
    bool clearing_required_ = false;
    char const* death_reason_ = "";
    TracedThread leader_;
    std::vector<std::unique_ptr<TracedThread>> threads_;
    std::vector<TracedThread*> idle_;
};

} // namespace umbra::um
