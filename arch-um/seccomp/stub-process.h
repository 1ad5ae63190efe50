// SPDX-License-Identifier: GPL-2.0-or-later
// One stub: the host process that holds a guest address space. Its leader executes the kernel's operations on
// the address space; its other threads run guest code. All of them are behind one seccomp filter with one
// listener.
//
// What the kernel believes, and why:
// - A notification's thread id, number, instruction pointer and arguments: they are the thread's registers,
// which
//   nobody can change while it waits.
// - A call from the operation address is let through only if the kernel ordered exactly this call of exactly
// this
//   thread. Everything else there, and a report with an impossible frame, kills the stub.
// - Nothing in the service page or in an area: see stub-thread.h.
#pragma once

#include <atomic>
#include <memory>
#include <span>
#include <vector>

#include <linux/seccomp.h>

#include "arch-um/common/patience.h"
#include "arch-um/common/stub-pool.h"
#include "arch-um/common/vcpu-port.h"
#include "arch-um/seccomp/stub-thread.h"
#include "arch-um/stub/layout.h"
#include "core/base/error.h"
#include "core/platform/patched-calls.h"
#include "hostabi/fd.h"

namespace umbra::um {

class CallWatch;

class StubProcess final : public PooledStub {
public:
    /// `userfault`: bound to the stub's address space and enabled; none where faults take signals only.
    StubProcess(StubEnvironment const& environment, i32 pid, hostabi::OwnedFd listener,
        hostabi::OwnedFd userfault, u32 service_slot);
    ~StubProcess() override;
    StubProcess(StubProcess const&) = delete;

    i32 pid() const override { return pid_; }
    bool alive() const override { return alive_; }
    StubEnvironment const& environment() const { return environment_; }
    int listener() const { return listener_.get(); }
    /// -1: there is none.
    int userfault() const { return userfault_.get(); }
    /// One guest thread, and none that is on its way.
    bool has_one_thread() const { return threads_.size() == idle_.size() + 1; }
    /// Whether no other thread executes guest code, or goes round in a call that it has handed over.
    bool runs_nobody_but(StubThread const& thread) const;
    /// Where a guest thread hands calls over: one for the process, whose user is the thread that is watched. No other
    /// thread of the process executes guest code meanwhile, or both might use it.
    stub::CallSlot& call_slot() const;
    /// Null: nobody watches. Set by the watch itself.
    std::atomic<CallWatch*> watch { nullptr };
    /// Before the thread goes on in guest code.
    void note_resume(StubThread const& thread);
    /// Null: nothing is patched.
    platform::CallSites const* call_sites() const { return call_sites_.get(); }
    void set_call_sites(std::shared_ptr<platform::CallSites const> sites)
    {
        call_sites_ = std::move(sites);
        ++call_sites_version_;
    }
    u64 call_sites_version() const { return call_sites_version_; }
    /// Whether any thread may be running guest code at this moment.
    bool runs_guest_code() const;

    /// Has the leader execute the operations, in order, until one fails. The kernel lock stays held. Returns
    /// the last one's result, or err: the host's errno; err::io if the stub died.
    Result<u64> execute(UmPort& port, std::span<stub::Op const> batch);

    /// A parked thread, a new one if there is none. The kernel lock stays held.
    Result<StubThread*> take_thread(UmPort& port);
    void give_back_thread(StubThread& thread);
    /// Of a thread in a report: whether it may read the time stamp counter. The kernel lock stays held. err: the
    /// host's errno; err::io if the stub died.
    Result<void> set_counter(UmPort& port, StubThread& thread, bool readable);

    /// Makes the port wake up when a notification is there.
    void arm(UmPort& port);
    /// After a wait: takes the notifications that are there to their threads.
    void receive(UmPort& port);

    void kill(char const* reason) override;
    char const* death_reason() const { return death_reason_; }
    void look_after() override;
    bool is_buried() override;
    void wait_for_burial() override;
    bool is_reusable() const override;
    void require_clearing() override { clearing_required_ = true; }

private:
    struct ListenerPoll final : hostabi::Completion {
        StubProcess* process = nullptr;
        bool armed = false;
        bool fired = false;
        u64 received_before = 0;
        void complete(i32 result) override;
    };

    void note_end();
    void deliver(seccomp_notif const& n);
    void receive_from_leader(seccomp_notif const& n);
    bool wait_locked(UmPort& port, Patience& patience);
    Result<void> clear_if_required(UmPort& port);
    Result<u64> execute_chunk(UmPort& port, std::span<stub::Op const> chunk);
    Result<StubThread*> create_thread(UmPort& port);
    StubThread* find(i32 tid);
    stub::ServicePage& service() const;

    StubEnvironment const& environment_;
    i32 pid_;
    hostabi::OwnedFd listener_, userfault_;
    u32 service_slot_;
    std::shared_ptr<platform::CallSites const> call_sites_;
    u64 call_sites_version_ = 0;
    bool alive_ = true;
    bool reaped_ = false;
    bool clearing_required_ = false;
    char const* death_reason_ = "";

    // The leader.
    bool leader_parked_ = false;
    u64 leader_id_ = 0;
    std::span<stub::Op const> batch_;
    u64 approved_ = 0; ///< operations of the batch that were let through
    u64 finished_ = 0;
    u64 last_result_ = 0;

    std::vector<std::unique_ptr<StubThread>> threads_;
    std::vector<StubThread*> idle_;
    StubThread* last_found_ = nullptr;
    StubThread* newborn_ = nullptr; ///< a thread whose id the leader has not told yet

    std::vector<ListenerPoll> polls_; ///< one for each vCPU
    unsigned armed_ = 0;
    u64 received_ = 0;
    UmPort* receiving_port_ = nullptr;

    friend class StubThread;
};

} // namespace umbra::um
