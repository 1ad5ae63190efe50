// SPDX-License-Identifier: GPL-2.0-or-later
// Identifiers and permissions of System V IPC.
#include "core/ipc/ipc-object.h"

#include <algorithm>
#include <utility>

#include "core/ipc/ipc-namespace.h"
#include "core/kernel.h"
#include "core/task/namespaces.h"
#include "core/task/permissions.h"
#include "core/task/task.h"
#include "core/time/timekeeper.h"

namespace umbra::ipc {

namespace {
constexpr u32 kPermissionBits = 0777;
constexpr i32 kLeastRound = 64; ///< slots that are used in turn before one comes back
constexpr u16 kLastSequence = 0xffff;
} // namespace

bool rules_ipc(Task const& task, Capability capability)
{
    return is_capable(task.credentials(), *task.namespaces().ipc->owner(), capability);
}

void translate_permission(Task const& reader, abi::IpcPermission& permission)
{
    auto const& space = *reader.credentials().user_namespace;
    permission.uid = space.uid_out(permission.uid), permission.gid = space.gid_out(permission.gid);
    permission.cuid = space.uid_out(permission.cuid), permission.cgid = space.gid_out(permission.cgid);
}

Result<void> check_ipc_access(Task const& task, IpcObject const& object, u32 flags)
{
    auto const& who = task.credentials();
    u32 wanted = ((flags >> 6) | (flags >> 3) | flags) & 7;
    u32 granted = object.mode;
    if (who.euid == object.cuid || who.euid == object.uid)
        granted >>= 6;
    else if (who.in_group(object.cgid) || who.in_group(object.gid))
        granted >>= 3;
    if ((wanted & ~granted) && !rules_ipc(task, Capability::ipc_owner)) return err::acces;
    return {};
}

Result<void> check_ipc_owner(Task const& task, IpcObject const& object)
{
    auto const& who = task.credentials();
    bool const may
        = who.euid == object.cuid || who.euid == object.uid || rules_ipc(task, Capability::sys_admin);
    return may ? Result<void>() : err::perm;
}

Result<void> set_ipc_permission(Task const& task, IpcObject& object, abi::IpcPermission const& wanted)
{
    auto const& space = *task.credentials().user_namespace;
    auto const uid = space.uid_in(wanted.uid), gid = space.gid_in(wanted.gid);
    if (!uid || !gid) return err::inval;
    object.uid = *uid, object.gid = *gid;
    object.mode = (object.mode & ~kPermissionBits) | (wanted.mode & kPermissionBits);
    return {};
}

i64 ipc_time(Task const& task) { return task.kernel().time().realtime_timespec().sec; }

IpcObject* IpcIndex::at_slot(i32 slot) const
{
    auto it = objects_.find(slot);
    return it == objects_.end() ? nullptr : it->second.get();
}

IpcObject* IpcIndex::find(i32 id) const
{
    IpcObject* object = at_slot(id & (kMaxObjects - 1));
    return object && object->id == id ? object : nullptr;
}

IpcObject* IpcIndex::find_key(i32 key) const
{
    for (auto const& [slot, object] : objects_)
        if (object->key == key) return object.get();
    return nullptr;
}

Result<i32> IpcIndex::free_slot(i32 limit)
{
    limit = std::min(limit, kMaxObjects);
    if (size() >= limit) return err::nospc;
    i32 round = std::min(std::max(size() * 3 / 2, kLeastRound), kMaxObjects);
    for (i32 slot = next_slot_; slot < round; ++slot)
        if (!at_slot(slot)) return slot;
    for (i32 slot = 0; slot < round; ++slot)
        if (!at_slot(slot)) return slot;
    return err::nospc;
}

Result<void> IpcIndex::choose_number(IpcObject& object, i32 limit)
{
    i32 slot = TRY(free_slot(limit));
    if (i32 const wanted = std::exchange(wanted_id, -1); wanted >= 0) {
        slot = wanted & (kMaxObjects - 1);
        while (at_slot(slot))
            if (++slot == kMaxObjects) return err::nospc;
        object.sequence = u16(wanted >> kSlotBits);
    } else {
        if (slot <= last_slot_) sequence_ = sequence_ == kLastSequence ? 0 : sequence_ + 1;
        last_slot_ = slot;
        next_slot_ = slot + 1;
        object.sequence = sequence_;
    }
    object.id = i32(object.sequence) << kSlotBits | slot;
    return {};
}

Result<void> IpcIndex::add(Task const& task, Ref<IpcObject> object, i32 key, u32 flags, i32 limit)
{
    TRY(choose_number(*object, limit));
    auto const& who = task.credentials();
    object->key = key;
    object->uid = object->cuid = who.euid;
    object->gid = object->cgid = who.egid;
    object->mode = flags & kPermissionBits;
    object->change_time = ipc_time(task);
    objects_.emplace(object->id & (kMaxObjects - 1), object);
    return {};
}

void IpcIndex::remove(IpcObject& object)
{
    object.removed = true;
    objects_.erase(object.id & (kMaxObjects - 1)); // may be the last reference
}

} // namespace umbra::ipc
