// SPDX-License-Identifier: GPL-2.0-or-later
// System V semaphores (semget(2), semop(2), semctl(2)). Operations that cannot be done wait in the order in which they
// came; whoever changes a value does those that have become possible on behalf of the waiting tasks.
#pragma once

#include <list>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "core/ipc/ipc-object.h"
#include "core/sync/wait-queue.h"

namespace umbra::ipc {

class IpcNamespace;
class SemSet;

constexpr i32 kMaxSemaphoreSets = 32000, kMaxSemaphores = 1'024'000'000, kMaxPerSet = 32000,
              kMaxOperations = 500;
constexpr i32 kMaxSemaphoreValue = 32767;

/// What SEM_UNDO has to take back of one set when its owners end.
struct SemUndo {
    explicit SemUndo(SemSet& set); ///< the caller has asked for room
    ~SemUndo();
    SemUndo(SemUndo const&) = delete;
    static constexpr u64 kOverhead = 128; ///< bytes of the object and of what refers to it
    static u64 cost(SemSet const& set);

    IpcNamespace& owner;
    SemSet* set; ///< null once it was removed
    std::vector<i32> adjustments; ///< by semaphore
};

/// The undos of a task, shared by those made with CLONE_SYSVSEM. The last one that goes applies them.
class SemUndoList final : public RefCounted {
public:
    /// ENOMEM.
    Result<SemUndo*> of(SemSet& set);
    void apply(Pid by);

private:
    std::vector<std::unique_ptr<SemUndo>> undos_;
};

class SemSet final : public IpcObject {
public:
    struct Semaphore {
        i32 value = 0;
        Pid last {}; ///< whose operation was the last
        u64 changes = 0; ///< how often the value was set
    };

    SemSet(IpcNamespace& owner, u64 count);
    ~SemSet() override;

    /// All operations or none. EAGAIN with IPC_NOWAIT, EAGAIN after `deadline` (CLOCK_MONOTONIC), EIDRM, EINTR, ERANGE.
    Result<void> operate(Task& task, std::span<abi::SemOperation const> operations, Nanoseconds deadline);
    /// SETVAL, SETALL: also forgets what is to be undone of the semaphore.
    void set(u64 number, i32 value, Pid by);
    /// Does what has become possible.
    void serve_waiting();
    /// Everybody who waits gets EIDRM.
    void end();
    /// GETNCNT (`for_zero` false) and GETZCNT: tasks that wait for this one.
    i32 waiting(u64 number, bool for_zero) const;
    abi::SemStatus status() const;
    bool alters_after(std::span<abi::SemOperation const> operations) const;

    IpcNamespace& owner;
    u64 const bytes; ///< of the values, counted in the namespace
    std::vector<Semaphore> semaphores;
    std::vector<SemUndo*> undos;
    i64 operation_time = 0;

private:
    enum class Outcome : u8 { done, blocked };
    struct Waiting {
        std::span<abi::SemOperation const> operations;
        Pid by;
        SemUndo* undo;
        size_t blocking = 0; ///< the operation that cannot be done
        u64 changes = 0; ///< of the semaphore that it is about, when it could not be done
        bool over = false;
        Result<void> result {};
        WaitQueue woken {};
    };
    Result<Outcome> attempt(Waiting& request);
    bool may_be_possible(Waiting const& request) const;
    bool helps_others(Waiting const& request) const;

    std::list<Waiting*> waiting_;
};

/// semget(2). EINVAL, ENOSPC and those of get_or_create().
Result<i32> sem_get(Task& task, i32 key, i32 count, u32 flags);
/// The text of /proc/sysvipc/sem.
std::string sem_listing(IpcNamespace const& ns);
/// The list of a task, made if it has none, for a child that shares it.
RefPtr<RefCounted> shared_sem_undos(Task& task);
/// Leaves the task's undo list; the last one applies it.
void leave_sem_undos(Task& task);

} // namespace umbra::ipc
