// SPDX-License-Identifier: GPL-2.0-or-later
// NUMA policies (set_mempolicy(2) and kin) on a machine with one node, and protection keys (pkeys(7)) on a CPU
// without them.
#include "core/mm/address-space.h"
#include "core/syscall/syscall.h"
#include "core/task/permissions.h"
#include "core/task/pid-namespace.h"
#include "core/task/process-table.h"

namespace umbra {

namespace {

// clang-format off
enum : u32 { mpol_default = 0, mpol_preferred = 1, mpol_bind = 2, mpol_local = 4, mpol_preferred_many = 5, mpol_modes = 7 };
enum : u32 { mpol_numa_balancing = 1 << 13, mpol_relative_nodes = 1 << 14, mpol_static_nodes = 1 << 15 };
enum : u64 { mpol_f_node = 1, mpol_f_addr = 2, mpol_f_mems_allowed = 4 };
enum : u32 { mpol_mf_strict = 1, mpol_mf_move = 2, mpol_mf_move_all = 4 };
// clang-format on

constexpr u64 kNodes = 64; ///< that a mask may name
constexpr u64 kOnlineNodes = 1, kOnlineCount = 1; ///< bit 0: the one there is

/// The mask of `count - 1` bits at `from`, as set_mempolicy(2) takes it. EINVAL for nodes that cannot be, EFAULT.
Result<u64> copy_in_nodes(Task& task, GuestAddr from, u64 count)
{
    --count;
    if (count == 0 || from.is_null()) return u64 { 0 };
    if (count > kPageSize * 8) return err::inval;
    u64 words = (count + 63) / 64, nodes = 0;
    for (u64 i = 0; i < words; ++i) {
        u64 word = TRY(UserIn<u64> { from }.copy_in(task, i));
        if (i == words - 1 && count % 64) word &= (u64 { 1 } << count % 64) - 1;
        if (i == 0)
            nodes = word;
        else if (word)
            return err::inval;
    }
    return nodes;
}

/// copy_nodes_to_user: the words of a mask beyond the nodes there are, are zeroed. EINVAL, EFAULT.
Result<void> copy_out_nodes(Task& task, GuestAddr to, u64 count, u64 nodes)
{
    u64 bytes = (count - 1 + 63) / 64 * 8;
    if (bytes > sizeof nodes) {
        if (bytes > kPageSize) return err::inval;
        TRY(zero_user(task, to + sizeof nodes, bytes - sizeof nodes));
        bytes = sizeof nodes;
    }
    return copy_to_user(task, to, &nodes, bytes);
}

Result<MemoryPolicy> split_mode(u32 mode)
{
    constexpr u32 kFlags = mpol_numa_balancing | mpol_relative_nodes | mpol_static_nodes;
    MemoryPolicy policy { .mode = mode & ~kFlags, .flags = mode & kFlags };
    if (policy.mode >= mpol_modes) return err::inval;
    if ((policy.flags & mpol_static_nodes) && (policy.flags & mpol_relative_nodes)) return err::inval;
    if ((policy.flags & mpol_numa_balancing) && policy.mode != mpol_bind
        && policy.mode != mpol_preferred_many)
        return err::inval;
    return policy;
}

/// Whether mode and nodes go together (mpol_new). EINVAL.
Result<MemoryPolicy> complete_policy(MemoryPolicy policy, u64 nodes)
{
    bool remaps = policy.flags & (mpol_static_nodes | mpol_relative_nodes);
    if (policy.mode == mpol_default) return nodes ? Result<MemoryPolicy>(err::inval) : MemoryPolicy {};
    if (policy.mode == mpol_preferred && !nodes) policy.mode = mpol_local;
    if (policy.mode == mpol_local) {
        if (nodes || remaps) return err::inval;
        return policy;
    }
    bool reaches = policy.flags & mpol_relative_nodes ? nodes : nodes & kOnlineNodes;
    if (!reaches) return err::inval;
    policy.nodes = nodes;
    return policy;
}

Result<MemoryPolicy> copy_in_policy(Task& task, u32 mode, GuestAddr nodes, u64 count)
{
    auto policy = TRY(split_mode(mode));
    return complete_policy(policy, TRY(copy_in_nodes(task, nodes, count)));
}

/// What get_mempolicy(2) shows of a policy's nodes.
u64 shown_nodes(MemoryPolicy const& policy)
{
    bool remaps = policy.flags & (mpol_static_nodes | mpol_relative_nodes);
    return remaps ? policy.nodes : policy.nodes & kOnlineNodes;
}

} // namespace

SyscallResult sys_set_mempolicy(Task& task, i32 mode, GuestAddr nodes, u64 count)
{
    task.set_memory_policy(TRY(copy_in_policy(task, u32(mode), nodes, count)));
    return 0;
}

SyscallResult sys_get_mempolicy(
    Task& task, GuestAddr mode, GuestAddr nodes, u64 count, u64 address, u64 flags)
{
    if (!nodes.is_null() && count < kOnlineCount) return err::inval;
    if (flags & ~u64(mpol_f_node | mpol_f_addr | mpol_f_mems_allowed)) return err::inval;
    MemoryPolicy policy = task.memory_policy();
    if (mm::Vma const* area = flags & mpol_f_addr ? task.mm().find(address) : nullptr) policy = area->policy;
    u32 shown_mode = policy.mode | policy.flags;
    u64 shown = shown_nodes(policy);
    if (flags & mpol_f_mems_allowed) {
        if (flags & (mpol_f_node | mpol_f_addr)) return err::inval;
        shown_mode = 0, shown = kOnlineNodes;
    } else if (flags & mpol_f_addr) {
        if (!task.mm().find(address)) return err::fault;
        if (flags & mpol_f_node) {
            u8 byte;
            TRY(copy_from_user(task, &byte, GuestAddr(address), 1)); // Linux too brings the page in
            shown_mode = 0;
        }
    } else {
        constexpr u32 kInterleave = 3, kWeightedInterleave = 6;
        if (address) return err::inval;
        if (flags & mpol_f_node) {
            if (policy.mode != kInterleave && policy.mode != kWeightedInterleave) return err::inval;
            shown_mode = 0;
        }
    }
    if (!mode.is_null()) TRY((UserOut<u32> { mode }.copy_out(task, shown_mode)));
    if (!nodes.is_null()) TRY(copy_out_nodes(task, nodes, count, shown));
    return 0;
}

SyscallResult sys_mbind(Task& task, u64 start, u64 length, u32 mode, GuestAddr nodes, u64 count, u32 flags)
{
    auto policy = TRY(split_mode(mode));
    u64 mask = TRY(copy_in_nodes(task, nodes, count));
    if (flags & ~u32(mpol_mf_strict | mpol_mf_move | mpol_mf_move_all)) return err::inval;
    if ((flags & mpol_mf_move_all) && !task.credentials().has(Capability::sys_nice)) return err::perm;
    if (start & kPageMask) return err::inval;
    u64 end = start + page_up(length);
    if (end < start) return err::inval;
    if (end == start) return 0;
    policy = TRY(complete_policy(policy, mask));
    // Every page of the range must be mapped, save that the default policy may skip holes.
    for (u64 at = start; policy.mode != mpol_default && at < end;) {
        auto* vma = task.mm().find(at);
        if (!vma) return err::fault;
        at = vma->end;
    }
    TRY(task.mm().set_policy(start, end, policy));
    return 0;
}

SyscallResult sys_set_mempolicy_home_node(Task& task, u64 start, u64 length, u64 node, u64 flags)
{
    if (start & kPageMask) return err::inval;
    if (flags) return err::inval;
    if (node >= kNodes || !(kOnlineNodes >> node & 1)) return err::inval;
    u64 end = start + page_up(length);
    if (end < start) return err::inval;
    if (end == start) return 0;
    // The node is the one there is: nothing is to be kept.
    SyscallResult result = err::noent;
    for (auto const& [at, vma] : task.mm().areas()) {
        if (vma->end <= start || at >= end || vma->policy == MemoryPolicy {}) continue;
        if (vma->policy.mode != mpol_bind && vma->policy.mode != mpol_preferred_many) return err::opnotsupp;
        result = 0;
    }
    return result;
}

SyscallResult sys_migrate_pages(Task& task, i32 pid, u64 count, GuestAddr from, GuestAddr to)
{
    TRY(copy_in_nodes(task, from, count));
    u64 wanted = TRY(copy_in_nodes(task, to, count));
    Task* target = pid ? task.kernel().processes().find_task(pid_in(task, pid)) : &task;
    if (!target) return err::srch;
    TRY(check_may_inspect(task, *target));
    if ((wanted & ~kOnlineNodes) && !task.credentials().has(Capability::sys_nice)) return err::perm;
    if (!(wanted & kOnlineNodes)) return err::inval;
    if (!target->has_mm()) return err::inval;
    return 0; // all pages are on the one node
}

namespace {

/// What move_pages(2) says of one page: its node, or -ENOENT where there is none, -EFAULT where nothing is mapped.
i32 node_of_page(mm::AddressSpace& space, u64 address)
{
    u8 resident = 0;
    u64 page = address & ~kPageMask;
    if (space.resident(page, kPageSize, { &resident, 1 }).is_error()) return -i32(Errno::fault);
    return resident & 1 ? 0 : -i32(Errno::noent);
}

} // namespace

SyscallResult sys_move_pages(
    Task& task, i32 pid, u64 count, UserIn<u64> pages, UserIn<i32> nodes, UserOut<i32> status, i32 flags)
{
    if (u32(flags) & ~u32(mpol_mf_move | mpol_mf_move_all)) return err::inval;
    if ((u32(flags) & mpol_mf_move_all) && !task.credentials().has(Capability::sys_nice)) return err::perm;
    Task* target = pid ? task.kernel().processes().find_task(pid_in(task, pid)) : &task;
    if (!target) return err::srch;
    TRY(check_may_inspect(task, *target));
    if (!target->has_mm()) return err::inval;
    Ref<mm::AddressSpace> space(target->mm());
    for (u64 i = 0; i < count; ++i) {
        u64 address = TRY(pages.copy_in(task, i));
        if (!nodes.is_null()) {
            i32 node = TRY(nodes.copy_in(task, i));
            if (node < 0 || u64(node) >= kNodes || !(kOnlineNodes >> node & 1)) return err::nodev;
        }
        TRY(status.copy_out(task, node_of_page(*space, address), i));
        if (task.has_pending_signal() && task.is_dying()) return err::intr;
    }
    return 0;
}

SyscallResult sys_pkey_alloc(Task&, u64 flags, u64 rights)
{
    constexpr u64 kKnownRights = 3; // no access, no writing
    if (flags || (rights & ~kKnownRights)) return err::inval;
    return err::nospc;
}

SyscallResult sys_pkey_free(Task&, i32) { return err::inval; }

} // namespace umbra
