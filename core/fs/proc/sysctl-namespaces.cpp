// SPDX-License-Identifier: GPL-2.0-or-later
// Files below /proc/sys that show a value of the namespace that the reader or writer is in: of IPC, of the network, and
// how many namespaces there may be. Root of the user namespace that owns such a namespace may write them.
#include "core/fs/proc/proc-file-system.h"
#include "core/fs/proc/sysctl.h"
#include "core/ipc/ipc-namespace.h"
#include "core/net/network-namespace.h"
#include "core/task/namespaces.h"
#include "core/task/permissions.h"

namespace umbra::fs {

namespace {

/// Whether somebody has the rights of a file's owner, who is not the same for all that read it.
using OwnerTest = bool (*)(Credentials const& who);

/// An open file of such a value. Who opened it was asked for rights in his namespaces: in others a descriptor that he handed
/// on changes nothing (EPERM; on Linux it would change his).
class NamespaceValueFile final : public TextFile {
public:
    NamespaceValueFile(vfs::Path const& path, u32 flags)
        : TextFile(path, flags)
        , ipc_(current().namespaces().ipc)
        , network_(current().namespaces().network)
        , user_(current().credentials().user_namespace)
    {
    }
    Result<u64> write(IoBuffer& buffer, u64 offset) override
    {
        Task& task = current();
        bool const same = task.namespaces().ipc == ipc_ && task.namespaces().network == network_
            && task.credentials().user_namespace == user_;
        return same ? TextFile::write(buffer, offset) : err::perm;
    }

private:
    Ref<ipc::IpcNamespace> ipc_;
    Ref<net::NetworkNamespace> network_;
    Ref<UserNamespace> user_;
};

/// A value of the namespace that the reader or writer is in.
class NamespaceInode final : public TextInode {
public:
    NamespaceInode(vfs::FileSystem& fs, OwnerTest is_owner, TextMaker make, TextTaker take)
        : TextInode(fs, { .mode = 0644 })
        , is_owner_(is_owner)
        , make_(std::move(make))
        , take_(std::move(take))
    {
    }
    Result<std::string> make_text() override { return make_(); }
    Result<void> take_text(std::string_view text) override { return take_(text); }
    Result<Ref<vfs::File>> open(vfs::Path const& path, u32 flags) override
    {
        TRY(check_open(flags));
        return Ref<vfs::File>(make_ref<NamespaceValueFile>(path, flags));
    }
    bool grants(Credentials const& who, u32 mask) const override
    {
        return !(mask & abi::x_ok) && is_owner_(who);
    }

private:
    OwnerTest is_owner_;
    TextMaker make_;
    TextTaker take_;
};

/// The same at a path below /proc/sys.
void add_of_namespace(
    StaticDirectory& sys, std::string_view path, OwnerTest is_owner, TextMaker make, TextTaker take)
{
    auto slash = path.rfind('/');
    auto inode = make_ref<NamespaceInode>(sys.file_system(), is_owner, std::move(make), std::move(take));
    sys.directory_at(path.substr(0, slash)).add(std::string(path.substr(slash + 1)), inode);
}

/// root of the user namespace that owns the IPC namespace, as Linux has it.
bool owns_ipc(Credentials const& who) { return who.euid == ipc::ipc_namespace(current()).owner()->uid_in(0); }

/// A number that the kernel obeys, of the writer's IPC namespace. `changed` runs after a write.
template <typename Number>
void add_ipc_number(StaticDirectory& sys, char const* path, Number& (*number)(ipc::IpcNamespace&),
    Number least, Number most, void (*changed)(ipc::IpcNamespace&) = nullptr)
{
    add_of_namespace(
        sys, path, owns_ipc,
        [number] {
            return Result<std::string>(std::to_string(number(ipc::ipc_namespace(current()))) + "\n");
        },
        [number, least, most, changed](std::string_view text) -> Result<void> {
            auto& ns = ipc::ipc_namespace(current());
            Number value = TRY(parse_number<Number>(text));
            if (value < least || value > most) return err::inval;
            number(ns) = value;
            if (changed) changed(ns);
            return {};
        });
}

void add_ipc(StaticDirectory& sys)
{
    using ipc::IpcNamespace;
    add_ipc_number<u64>(
        sys, "kernel/shmmax", [](IpcNamespace& ns) -> u64& { return ns.shm.max_bytes; }, 0, ~u64 { 0 });
    add_ipc_number<u64>(
        sys, "kernel/shmall", [](IpcNamespace& ns) -> u64& { return ns.shm.max_pages; }, 0, ~u64 { 0 });
    add_ipc_number<i64>(
        sys, "kernel/shmmni", [](IpcNamespace& ns) -> i64& { return ns.shm.max_segments; }, 0,
        ipc::IpcIndex::kMaxObjects);
    add_ipc_number<i64>(
        sys, "kernel/shm_rmid_forced", [](IpcNamespace& ns) -> i64& { return ns.shm.remove_unattached; }, 0,
        1, ipc::shm_remove_orphans);
    add_ipc_number<u64>(
        sys, "kernel/msgmax", [](IpcNamespace& ns) -> u64& { return ns.msg.max_message; }, 0, 1 << 20);
    add_ipc_number<u64>(
        sys, "kernel/msgmnb", [](IpcNamespace& ns) -> u64& { return ns.msg.max_queue; }, 0, 1 << 24);
    add_ipc_number<i64>(
        sys, "kernel/msgmni", [](IpcNamespace& ns) -> i64& { return ns.msg.max_queues; }, 0,
        ipc::IpcIndex::kMaxObjects);
    add_ipc_number<i32>(
        sys, "kernel/shm_next_id", [](IpcNamespace& ns) -> i32& { return ns.segments.wanted_id; }, 0,
        INT32_MAX);
    add_ipc_number<i32>(
        sys, "kernel/sem_next_id", [](IpcNamespace& ns) -> i32& { return ns.semaphore_sets.wanted_id; }, 0,
        INT32_MAX);
    add_ipc_number<i32>(
        sys, "kernel/msg_next_id", [](IpcNamespace& ns) -> i32& { return ns.queues.wanted_id; }, 0,
        INT32_MAX);
    // mq_overview(7) gives the bounds.
    add_ipc_number<i64>(
        sys, "fs/mqueue/queues_max", [](IpcNamespace& ns) -> i64& { return ns.mqueues.limits->queues_max; },
        INT32_MIN, INT32_MAX);
    add_ipc_number<i64>(
        sys, "fs/mqueue/msg_max", [](IpcNamespace& ns) -> i64& { return ns.mqueues.limits->msg_max; }, 1,
        65536);
    add_ipc_number<i64>(
        sys, "fs/mqueue/msgsize_max", [](IpcNamespace& ns) -> i64& { return ns.mqueues.limits->msgsize_max; },
        128, 16 << 20);
    add_ipc_number<i64>(
        sys, "fs/mqueue/msg_default", [](IpcNamespace& ns) -> i64& { return ns.mqueues.limits->msg_default; },
        1, 65536);
    add_ipc_number<i64>(
        sys, "fs/mqueue/msgsize_default",
        [](IpcNamespace& ns) -> i64& { return ns.mqueues.limits->msgsize_default; }, 128, 16 << 20);
}

/// root of the user namespace that owns the network, or who administers it.
bool owns_network(Credentials const& who)
{
    auto const& owner = *net::network_namespace(current()).owner();
    return who.euid == owner.uid_in(0) || is_capable(who, owner, Capability::net_admin);
}

struct NetworkRow {
    char const* path;
    i64 net::NetworkSettings::*first;
    i64 net::NetworkSettings::*last; ///< of a range; null: one number
    i64 least, most;
};
using Settings = net::NetworkSettings;
constexpr NetworkRow kNetwork[] = {
    { "net/core/somaxconn", &Settings::most_pending, nullptr, 0, INT32_MAX },
    { "net/ipv4/ip_local_port_range", &Settings::first_port, &Settings::last_port, 1, 65535 },
    { "net/ipv4/ip_unprivileged_port_start", &Settings::first_unprivileged_port, nullptr, 0, 65535 },
    { "net/ipv4/ping_group_range", &Settings::first_ping_group, &Settings::last_ping_group, 0, INT32_MAX },
};

Result<void> set_network(NetworkRow const& row, std::string_view text)
{
    auto& settings = net::network_namespace(current()).settings;
    i64 const first = TRY(parse_integer(trimmed(take_word(text))));
    if (first < row.least || first > row.most) return err::inval;
    if (!row.last) {
        settings.*row.first = first;
        return {};
    }
    i64 const last = TRY(parse_integer(trimmed(text)));
    if (last < row.least || last > row.most) return err::inval;
    // An empty range of groups means nobody; one of ports is none.
    if (last < first && row.first == &Settings::first_port) return err::inval;
    settings.*row.first = last < first ? 1 : first;
    settings.*row.last = last < first ? 0 : last;
    return {};
}

void add_network(StaticDirectory& sys)
{
    for (auto const& row : kNetwork) {
        add_of_namespace(
            sys, row.path, owns_network,
            [&row] {
                auto const& settings = net::network_namespace(current()).settings;
                std::string text = std::to_string(settings.*row.first);
                if (row.last) text += "\t" + std::to_string(settings.*row.last);
                return Result<std::string>(text + "\n");
            },
            [&row](std::string_view text) { return set_network(row, text); });
    }
}

struct NamespaceLimitRow {
    char const* path;
    vfs::NamespaceKind kind;
};
constexpr NamespaceLimitRow kNamespaceLimits[] = {
    { "user/max_cgroup_namespaces", vfs::NamespaceKind::cgroup },
    { "user/max_ipc_namespaces", vfs::NamespaceKind::ipc },
    { "user/max_mnt_namespaces", vfs::NamespaceKind::mount },
    { "user/max_net_namespaces", vfs::NamespaceKind::network },
    { "user/max_pid_namespaces", vfs::NamespaceKind::pid },
    { "user/max_time_namespaces", vfs::NamespaceKind::time },
    { "user/max_user_namespaces", vfs::NamespaceKind::user },
    { "user/max_uts_namespaces", vfs::NamespaceKind::uts },
};

/// Limits of the user namespace that the reader or writer is in.
void add_namespace_limits(StaticDirectory& sys)
{
    for (auto const& row : kNamespaceLimits) {
        auto limit
            = [&row]() -> u64& { return current().credentials().user_namespace->quota(row.kind).limit; };
        add_of_namespace(
            sys, row.path, [](Credentials const& who) { return who.holds(Capability::sys_resource); },
            [limit] { return Result<std::string>(std::to_string(limit()) + "\n"); },
            [limit](std::string_view text) -> Result<void> {
                i64 const wanted = TRY(parse_integer(text));
                if (wanted < 0 || wanted > INT32_MAX) return err::inval;
                limit() = u64(wanted);
                return {};
            });
    }
}

} // namespace

void add_namespace_sysctls(StaticDirectory& sys)
{
    add_namespace_limits(sys);
    add_ipc(sys);
    add_network(sys);
}

} // namespace umbra::fs
