// SPDX-License-Identifier: GPL-2.0-or-later
// All stubs of a platform: ready ones, those in use, those on their way out. Orders new ones from the zygote
// ahead of need, so that fork and exec do not wait for the host to clone. Under the kernel lock.
#pragma once

#include <memory>
#include <vector>

#include "arch-um/seccomp/stub-process.h"
#include "arch-um/stub/zygote-handle.h"
#include "core/platform/platform.h"

namespace umbra::um {

class StubPool {
public:
    StubPool(StubEnvironment const& environment, std::unique_ptr<stub::ZygoteHandle> zygote,
        hostabi::OwnedFd child_signal, bool synchronous_wake_up);
    /// No completion may run any more.
    ~StubPool();

    /// An empty stub. May wait. EAGAIN, ENOMEM: the host refuses another process.
    Result<StubProcess*> acquire(platform::VcpuContext& ctx);
    /// Nothing refers to the stub but unfinished completions.
    void release(StubProcess& process);

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
    void reap_ended();
    void bury();

    StubEnvironment const& environment_;
    std::unique_ptr<stub::ZygoteHandle> zygote_;
    hostabi::OwnedFd child_signal_;
    bool synchronous_wake_up_;

    std::vector<std::unique_ptr<StubProcess>> processes_; ///< all but those being buried
    std::vector<StubProcess*> ready_;
    struct Grave {
        std::unique_ptr<StubProcess> process;
        bool reaped;
    };
    std::vector<Grave> graves_;
    unsigned ordered_ = 0; ///< orders not answered yet
    Errno order_error_ = err::again;
    unsigned refused_ = 0; ///< orders that the host refused
    DonePoll done_poll_;
    ChildSignalPoll child_poll_;
    std::vector<UmPort*> waiting_ports_;
};

} // namespace umbra::um
