// SPDX-License-Identifier: GPL-2.0-or-later
// Semaphore sets: atomic groups of operations, those that wait, and undoing.
#include "core/ipc/sem.h"

#include <algorithm>

#include "core/fs/pseudo/text.h"
#include "core/ipc/ipc-namespace.h"
#include "core/kernel.h"
#include "core/task/task.h"
#include "core/time/timekeeper.h"

namespace umbra::ipc {

using namespace abi;

namespace {

constexpr u64 kMemoryShare = 16; ///< values and undos may take a sixteenth of the memory limit beside it

Result<void> check_room(IpcNamespace const& ns, u64 bytes)
{
    u64 const most = ns.kernel.options().memory_limit / kMemoryShare;
    return ns.memory->semaphore_bytes + bytes > most ? Result<void>(err::nomem) : Result<void>();
}

} // namespace

u64 SemUndo::cost(SemSet const& set) { return kOverhead + set.semaphores.size() * sizeof(i32); }

SemUndo::SemUndo(SemSet& set)
    : owner(set.owner)
    , set(&set)
    , adjustments(set.semaphores.size())
{
    set.undos.push_back(this);
    owner.memory->semaphore_bytes += cost(set);
}

SemUndo::~SemUndo()
{
    owner.memory->semaphore_bytes -= kOverhead + adjustments.size() * sizeof(i32);
    if (set) std::erase(set->undos, this);
}

Result<SemUndo*> SemUndoList::of(SemSet& set)
{
    for (auto const& undo : undos_)
        if (undo->set == &set) return undo.get();
    std::erase_if(undos_, [](auto const& undo) { return !undo->set; });
    TRY(check_room(set.owner, SemUndo::cost(set)));
    undos_.push_back(std::make_unique<SemUndo>(set));
    return undos_.back().get();
}

void SemUndoList::apply(Pid by)
{
    for (auto const& undo : undos_) {
        if (!undo->set) continue;
        SemSet& set = *undo->set;
        for (size_t i = 0; i < undo->adjustments.size(); ++i) {
            if (!undo->adjustments[i]) continue;
            auto& semaphore = set.semaphores[i];
            semaphore.value = std::clamp(semaphore.value + undo->adjustments[i], 0, kMaxSemaphoreValue);
            ++semaphore.changes;
            semaphore.last = by;
        }
        set.operation_time = set.owner.kernel.time().realtime_timespec().sec;
        set.serve_waiting();
    }
    undos_.clear();
}

SemSet::SemSet(IpcNamespace& owner, u64 count)
    : owner(owner)
    , bytes(count * sizeof(Semaphore))
    , semaphores(count)
{
    owner.used_semaphores += i32(count);
    owner.memory->semaphore_bytes += bytes;
}

SemSet::~SemSet()
{
    end();
    owner.memory->semaphore_bytes -= bytes;
}

void SemSet::end()
{
    owner.used_semaphores -= i32(semaphores.size());
    semaphores.clear();
    for (SemUndo* undo : std::exchange(undos, {}))
        undo->set = nullptr;
    for (Waiting* request : std::exchange(waiting_, {})) {
        request->over = true;
        request->result = err::idrm;
        request->woken.wake_all();
    }
}

Result<SemSet::Outcome> SemSet::attempt(Waiting& request)
{
    auto const& operations = request.operations;
    size_t done = 0;
    Result<Outcome> outcome = Outcome::done;
    for (; done < operations.size(); ++done) {
        SemOperation const& op = operations[done];
        i32& value = semaphores[op.number].value;
        if ((op.change == 0 && value != 0) || value + op.change < 0) {
            request.blocking = done;
            request.changes = semaphores[op.number].changes;
            outcome = op.flags & ipc_nowait ? Result<Outcome>(err::again) : Outcome::blocked;
            break;
        }
        bool overflows = value + op.change > kMaxSemaphoreValue;
        if (op.flags & sem_undo && !overflows) {
            i32& adjustment = request.undo->adjustments[op.number];
            overflows = adjustment - op.change < -kMaxSemaphoreValue - 1
                || adjustment - op.change > kMaxSemaphoreValue;
            if (!overflows) adjustment -= op.change;
        }
        if (overflows) {
            outcome = err::range;
            break;
        }
        value += op.change;
    }
    if (outcome.ok() && outcome.value() == Outcome::done) {
        for (auto const& op : operations) {
            semaphores[op.number].last = request.by;
            if (op.change) ++semaphores[op.number].changes;
        }
        operation_time = owner.kernel.time().realtime_timespec().sec;
        return outcome;
    }
    while (done-- > 0) {
        SemOperation const& op = operations[done];
        semaphores[op.number].value -= op.change;
        if (op.flags & sem_undo) request.undo->adjustments[op.number] += op.change;
    }
    return outcome;
}

/// What stood in its way has changed since.
bool SemSet::may_be_possible(Waiting const& request) const
{
    return semaphores[request.operations[request.blocking].number].changes != request.changes;
}

/// Taking lets others go on only where it leaves nothing, for those who wait for that.
bool SemSet::helps_others(Waiting const& request) const
{
    return std::ranges::any_of(request.operations, [&](SemOperation const& op) {
        return op.change > 0 || (op.change < 0 && semaphores[op.number].value == 0);
    });
}

void SemSet::serve_waiting()
{
    for (auto at = waiting_.begin(); at != waiting_.end();) {
        Waiting& request = **at;
        if (!may_be_possible(request)) {
            ++at;
            continue;
        }
        auto outcome = attempt(request);
        if (outcome.ok() && outcome.value() == Outcome::blocked) {
            ++at;
            continue;
        }
        request.over = true;
        if (outcome.is_error()) request.result = outcome.error();
        bool const restarts = outcome.ok() && helps_others(request); // what came earlier may be possible now
        at = waiting_.erase(at);
        request.woken.wake_all();
        if (restarts) at = waiting_.begin();
    }
}

bool SemSet::alters_after(std::span<SemOperation const> operations) const
{
    return std::any_of(operations.begin(), operations.end(), [](auto const& op) { return op.change != 0; });
}

Result<void> SemSet::operate(Task& task, std::span<SemOperation const> operations, Nanoseconds deadline)
{
    SemUndo* undo = nullptr;
    RefPtr<SemUndoList> list; // whoever waits in it keeps it
    if (std::any_of(
            operations.begin(), operations.end(), [](auto const& op) { return op.flags & sem_undo; })) {
        list = static_cast<SemUndoList*>(shared_sem_undos(task).get());
        undo = TRY(list->of(*this));
    }
    Waiting request { operations, task.pid(), undo };
    if (TRY(attempt(request)) == Outcome::done) {
        if (alters_after(operations)) serve_waiting();
        return {};
    }
    waiting_.push_back(&request);
    auto waited = request.woken.wait_until([&] { return request.over; }, deadline);
    if (request.over) return request.result;
    waiting_.remove(&request);
    return waited.error() == err::timedout ? err::again : err::intr;
}

void SemSet::set(u64 number, i32 value, Pid by)
{
    semaphores[number] = { value, by, semaphores[number].changes + 1 };
    for (SemUndo* undo : undos)
        undo->adjustments[number] = 0;
}

i32 SemSet::waiting(u64 number, bool for_zero) const
{
    return i32(std::count_if(waiting_.begin(), waiting_.end(), [&](Waiting const* request) {
        SemOperation const& op = request->operations[request->blocking];
        return op.number == number && (op.change == 0) == for_zero;
    }));
}

SemStatus SemSet::status() const
{
    return { .permission = permission(),
        .operation_time = operation_time,
        .change_time = change_time,
        .count = semaphores.size() };
}

Result<i32> sem_get(Task& task, i32 key, i32 count, u32 flags)
{
    auto& ns = ipc_namespace(task);
    if (count < 0 || count > kMaxPerSet) return err::inval;
    auto check = [&](SemSet const& set) {
        return size_t(count) > set.semaphores.size() ? Result<void>(err::inval) : Result<void>();
    };
    auto create = [&]() -> Result<i32> {
        if (count == 0) return err::inval;
        if (ns.used_semaphores + count > kMaxSemaphores) return err::nospc;
        TRY(check_room(ns, u64(count) * sizeof(SemSet::Semaphore)));
        auto set = make_ref<SemSet>(ns, u64(count));
        TRY(ns.semaphore_sets.add(task, set, key, flags, kMaxSemaphoreSets));
        return set->id;
    };
    return get_or_create(task, ns.semaphore_sets, key, flags, check, create);
}

std::string sem_listing(IpcNamespace const& ns)
{
    std::string out
        = "       key      semid perms      nsems   uid   gid  cuid  cgid      otime      ctime\n";
    ns.semaphore_sets.for_each([&](SemSet const& set) {
        auto owner = set.permission();
        translate_permission(current(), owner);
        out += fs::format_text("%10d %10d  %4o %10zu %5u %5u %5u %5u %10lld %10lld\n", set.key, set.id,
            set.mode & 0777, set.semaphores.size(), owner.uid, owner.gid, owner.cuid, owner.cgid,
            static_cast<long long>(set.operation_time), static_cast<long long>(set.change_time));
    });
    return out;
}

RefPtr<RefCounted> shared_sem_undos(Task& task)
{
    if (!task.semaphore_undos)
        task.semaphore_undos = RefPtr<RefCounted>(Ref<RefCounted>(make_ref<SemUndoList>()));
    return task.semaphore_undos;
}

void leave_sem_undos(Task& task)
{
    RefPtr<RefCounted> list = std::exchange(task.semaphore_undos, nullptr);
    if (list && list->ref_count() == 1) static_cast<SemUndoList&>(*list).apply(task.pid());
}

} // namespace umbra::ipc
