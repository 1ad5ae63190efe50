// SPDX-License-Identifier: GPL-2.0-or-later
// All stubs of a platform: ready ones, those in use, those on their way out. Orders new ones from the zygote
// ahead of need, so that fork and exec do not wait for the host to clone. Under the kernel lock.
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "arch-um/common/area-file.h"
#include "arch-um/common/vcpu-port.h"
#include "arch-um/stub/zygote-handle.h"
#include "core/platform/platform.h"
#include "hostabi/fd.h"

namespace umbra::um {

/// What all stubs of a platform share.
struct StubEnvironment {
    AreaFile& areas;
    unsigned vcpu_count;
    bool fsgsbase;
    bool pin_threads; ///< wake-ups across CPUs are dear: a guest thread follows its vCPU's CPU
    u64 xsave_features;
    u32 fp_image_size;
    bool userfault_guard; ///< the host's userfaultfd can take write permission away from shared memory
    bool patched_calls; ///< vCPUs may watch for calls that are handed over
    CpuUse* cpu_use;
};

/// A stub as the pool sees it; each backend has its own.
class PooledStub {
public:
    virtual ~PooledStub() = default;
    virtual i32 pid() const = 0;
    virtual bool alive() const = 0;
    /// Ends the stub. `reason` is a literal, for the log.
    virtual void kill(char const* reason) = 0;
    /// SIGCHLD came: looks whether the process has ended by itself, and does what follows from it.
    virtual void look_after() = 0;
    /// Ended, out of the host's process table, and no completion refers to it any more.
    virtual bool is_buried() = 0;
    /// After kill(): waits for that. No completion can come any more.
    virtual void wait_for_burial() = 0;
    /// Worth keeping: all of its threads are parked.
    virtual bool is_reusable() const = 0;
    /// The guest's part of the address space is to be emptied before it is used again.
    virtual void require_clearing() = 0;
};

class StubPool {
public:
    /// Makes the backend's stub of an answered order.
    using Maker = std::function<std::unique_ptr<PooledStub>(stub::StubOrder const&)>;

    StubPool(StubEnvironment const& environment, std::unique_ptr<stub::ZygoteHandle> zygote,
        hostabi::OwnedFd child_signal, Maker maker);
    /// No completion may run any more.
    ~StubPool();

    /// An empty stub. May wait. EAGAIN, ENOMEM: the host refuses another process.
    Result<PooledStub*> acquire(platform::VcpuContext& ctx);
    /// Nothing refers to the stub but unfinished completions.
    void release(PooledStub& stub);
    /// Called before the stubs look after themselves when SIGCHLD came.
    std::function<void()> on_child_signal;

private:
    struct DonePoll final : hostabi::Completion {
        StubPool* pool = nullptr;
        bool armed = false;
        void complete(i32 result) override;
    };
    struct ChildSignalPoll final : hostabi::Completion {
        StubPool* pool = nullptr;
        UmPort* port = nullptr; ///< where it is armed
        void complete(i32 result) override;
    };

    void order();
    void arm(UmPort& port);
    void take_answers();
    void adopt(stub::StubOrder const& answer);
    void look_after_children();
    void bury();

    StubEnvironment const& environment_;
    std::unique_ptr<stub::ZygoteHandle> zygote_;
    hostabi::OwnedFd child_signal_;
    Maker make_;

    std::vector<std::unique_ptr<PooledStub>> stubs_; ///< all but those being buried
    std::vector<PooledStub*> ready_;
    std::vector<std::unique_ptr<PooledStub>> graves_;
    unsigned ordered_ = 0; ///< orders not answered yet
    Errno order_error_ = err::again;
    unsigned refused_ = 0; ///< orders that the host refused
    DonePoll done_poll_;
    ChildSignalPoll child_poll_;
    std::vector<UmPort*> waiting_ports_;
};

} // namespace umbra::um
