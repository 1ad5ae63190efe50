// SPDX-License-Identifier: GPL-2.0-or-later
// What the three kinds of System V IPC have in common: keys, identifiers, owners and permissions (sysvipc(7)).
// References: a table holds its objects, and whoever waits on one or maps it holds it too. Guarded by the kernel lock.
#pragma once

#include <map>

#include "core/abi/ipc.h"
#include "core/base/error.h"
#include "core/base/ref.h"

namespace umbra {
class Task;
enum class Capability : u8;
} // namespace umbra

namespace umbra::ipc {

/// What the objects of all namespaces take together: it is the kernel's memory, not the instance's.
struct IpcMemory : RefCounted {
    u64 semaphore_bytes = 0; ///< values and undos
    u64 message_bytes = 0; ///< queued System V messages, with overhead
    u64 mqueue_bytes = 0; ///< POSIX messages that are queued or wait for room
    std::map<u32, u64>
        mqueue_room; ///< by uid, what RLIMIT_MSGQUEUE counts: room of the queues that a user made
};

class IpcObject : public RefCounted {
public:
    i32 key = abi::ipc_private;
    i32 id = -1;
    u32 uid = 0, gid = 0; ///< owner
    u32 cuid = 0, cgid = 0; ///< creator
    u32 mode = 0; ///< permission bits, and what a kind keeps above them
    u16 sequence = 0;
    bool removed = false; ///< IPC_RMID: no table knows it any more
    i64 change_time = 0; ///< seconds of CLOCK_REALTIME

    abi::IpcPermission permission() const
    {
        return {
            .key = key, .uid = uid, .gid = gid, .cuid = cuid, .cgid = cgid, .mode = mode, .sequence = sequence
        };
    }
};

/// What of `flags`, permission bits as in shmget(2)'s, the task may do. EACCES; CAP_IPC_OWNER may do all.
Result<void> check_ipc_access(Task const& task, IpcObject const& object, u32 flags);
/// IPC_SET and IPC_RMID: owner, creator or CAP_SYS_ADMIN. EPERM.
Result<void> check_ipc_owner(Task const& task, IpcObject const& object);
/// Makes the kernel's ids the reader's.
void translate_permission(Task const& reader, abi::IpcPermission& permission);
/// Whether the task has the capability in the owner of its IPC namespace.
bool rules_ipc(Task const& task, Capability capability);
/// IPC_SET's change of owner and permission bits. EINVAL for an id of -1, or one that the task's namespace lacks.
Result<void> set_ipc_permission(Task const& task, IpcObject& object, abi::IpcPermission const& wanted);
/// Seconds of CLOCK_REALTIME.
i64 ipc_time(Task const& task);

/// The objects of one kind by identifier and by key. An identifier is a slot and, above it, a sequence number that
/// grows with every round through the slots, so that an old one does not name a new object.
class IpcIndex {
public:
    static constexpr i32 kMaxObjects = 32768;
    static constexpr u32 kSlotBits = 15;

    /// The identifier that the next object shall have, if it is free; -1 for none (kernel.shm_next_id and the like).
    i32 wanted_id = -1;

    /// Null for an identifier of nothing, and for one whose object has gone.
    IpcObject* find(i32 id) const;
    IpcObject* find_key(i32 key) const;
    IpcObject* at_slot(i32 slot) const;
    /// Makes `task` the creator and gives an identifier. ENOSPC when there are `limit` objects.
    Result<void> add(Task const& task, Ref<IpcObject> object, i32 key, u32 flags, i32 limit);
    void remove(IpcObject& object);
    i32 size() const { return i32(objects_.size()); }
    /// 0 for none, as the INFO commands give it.
    i32 highest_slot() const { return objects_.empty() ? 0 : objects_.rbegin()->first; }
    std::map<i32, Ref<IpcObject>> const& objects() const { return objects_; } ///< by slot

private:
    Result<i32> free_slot(i32 limit);
    Result<void> choose_number(IpcObject& object, i32 limit);

    std::map<i32, Ref<IpcObject>> objects_;
    i32 next_slot_ = 0, last_slot_ = -1;
    u16 sequence_ = 0;
};

/// The same with its type.
template <typename T> class IpcTable : public IpcIndex {
public:
    /// EINVAL.
    Result<Ref<T>> get(i32 id) const
    {
        IpcObject* object = id < 0 ? nullptr : find(id);
        if (!object) return err::inval;
        return Ref<T>(static_cast<T&>(*object));
    }
    /// For the *_STAT commands that take a slot. EINVAL.
    Result<Ref<T>> get_slot(i32 slot) const
    {
        IpcObject* object = at_slot(slot);
        if (!object) return err::inval;
        return Ref<T>(static_cast<T&>(*object));
    }
    template <typename Visit> void for_each(Visit&& visit) const
    {
        for (auto const& [slot, object] : objects())
            visit(static_cast<T&>(*object));
    }
};

/// shmget, semget and msgget: the identifier of the object with `key`, or of one that `create` makes.
/// `check(object)` says what is wrong with one that exists. ENOENT, EEXIST, EACCES and theirs.
template <typename T, typename Check, typename Create>
Result<i32> get_or_create(
    Task const& task, IpcTable<T> const& table, i32 key, u32 flags, Check check, Create create)
{
    if (key == abi::ipc_private) return create();
    IpcObject* found = table.find_key(key);
    if (!found) {
        if (!(flags & abi::ipc_creat)) return err::noent;
        return create();
    }
    if ((flags & abi::ipc_creat) && (flags & abi::ipc_excl)) return err::exist;
    TRY(check(static_cast<T&>(*found)));
    TRY(check_ipc_access(task, *found, flags));
    return found->id;
}

} // namespace umbra::ipc
