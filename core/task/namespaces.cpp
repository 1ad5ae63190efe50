// SPDX-License-Identifier: GPL-2.0-or-later
// Entering namespaces: unshare(2), setns(2), and clone(2) on behalf of the child.
#include "core/task/namespaces.h"

#include "core/kernel.h"
#include "core/task/lifecycle.h"
#include "core/task/task-access.h"

namespace umbra {

using vfs::NamespaceKind;

namespace {

Ref<vfs::Namespace> first(NamespaceKind kind)
{
    return make_ref<vfs::Namespace>(kind, vfs::info_of(kind).first_number);
}

constexpr u64 kSeveral = abi::clone_newns | abi::clone_newuts; ///< kinds of which there can be more than one

} // namespace

NamespaceSet::NamespaceSet(std::string hostname)
    : uts(
        make_ref<UtsNamespace>(vfs::info_of(NamespaceKind::uts).first_number, std::move(hostname), "(none)"))
    , cgroup(first(NamespaceKind::cgroup))
    , ipc(first(NamespaceKind::ipc))
    , network(first(NamespaceKind::network))
    , pid(first(NamespaceKind::pid))
    , time(first(NamespaceKind::time))
    , user(first(NamespaceKind::user))
{
}

NamespaceSet::NamespaceSet(NamespaceSet const& other)
    : RefCounted()
    , uts(other.uts)
    , cgroup(other.cgroup)
    , ipc(other.ipc)
    , network(other.network)
    , pid(other.pid)
    , time(other.time)
    , user(other.user)
{
}

Result<Ref<vfs::Namespace>> namespace_of(Task& task, NamespaceKind kind)
{
    NamespaceSet const& set = task.namespaces();
    switch (kind) {
    case NamespaceKind::mount:
        if (!task.has_fs()) return err::noent;
        return Ref<vfs::Namespace>(*task.fs().mounts);
    case NamespaceKind::uts:
        return Ref<vfs::Namespace>(*set.uts);
    case NamespaceKind::cgroup:
        return set.cgroup;
    case NamespaceKind::ipc:
        return set.ipc;
    case NamespaceKind::network:
        return set.network;
    case NamespaceKind::pid:
        return set.pid;
    case NamespaceKind::time:
        return set.time;
    case NamespaceKind::user:
        break;
    }
    return set.user;
}

Result<GuestFd> open_namespace(Task& task, Ref<vfs::Namespace> space)
{
    auto path = vfs::namespace_path(task.kernel(), std::move(space));
    auto file = TRY(path.inode().open(path, abi::o_rdonly));
    return task.files().add(std::move(file), true, task.limit(Resource::nofile));
}

Result<void> check_new_namespaces(Task& task, u64 flags)
{
    if (!(flags & abi::kAllNamespaces)) return {};
    if (!task.credentials().has(Capability::sys_admin)) return err::perm;
    // Linux's answer of a kernel built without that kind.
    return flags & abi::kAllNamespaces & ~kSeveral ? err::inval : Result<void>();
}

Result<void> enter_new_namespaces(Task& task, u64 flags)
{
    TRY(check_new_namespaces(task, flags));
    auto access = TaskAccess(task);
    if (flags & abi::clone_newuts) {
        auto set = make_ref<NamespaceSet>(task.namespaces());
        u64 const number = vfs::new_namespace_number(task.kernel());
        set->uts = make_ref<UtsNamespace>(number, set->uts->hostname, set->uts->domainname);
        access.namespaces() = set;
    }
    if (flags & abi::clone_newns) {
        if (task.fs().ref_count() > 1) access.fs() = task.fs().clone();
        vfs::FsContext& fs = task.fs();
        fs.mounts = fs.mounts->clone({ &fs.root, &fs.cwd });
    }
    return {};
}

Result<void> enter_namespace(Task& task, vfs::Namespace& space)
{
    // Nobody enters the user namespace he is in again: it would give all capabilities.
    if (space.kind() == NamespaceKind::user) return err::inval;
    if (!task.credentials().has(Capability::sys_admin)) return err::perm;
    if (space.kind() == NamespaceKind::uts) {
        auto set = make_ref<NamespaceSet>(task.namespaces());
        set->uts = Ref<UtsNamespace>(static_cast<UtsNamespace&>(space));
        TaskAccess(task).namespaces() = set;
    } else if (space.kind() == NamespaceKind::mount) {
        if (!task.credentials().has(Capability::sys_chroot)) return err::perm;
        if (task.fs().ref_count() > 1) return err::inval;
        auto& mounts = static_cast<vfs::MountNamespace&>(space);
        vfs::Path root { mounts.root(), mounts.root()->root() };
        vfs::cross_mounts(mounts, root);
        task.fs().mounts = Ref<vfs::MountNamespace>(mounts);
        task.fs().root = task.fs().cwd = root;
    }
    // Of each other kind there is one, and everybody is in it.
    return {};
}

} // namespace umbra
