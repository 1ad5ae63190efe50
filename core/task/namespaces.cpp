// SPDX-License-Identifier: GPL-2.0-or-later
// Entering namespaces: unshare(2), setns(2), and clone(2) on behalf of the child.
#include "core/task/namespaces.h"

#include <iterator>

#include "core/cgroup/namespace.h"
#include "core/ipc/ipc-namespace.h"
#include "core/kernel.h"
#include "core/mm/address-space.h"
#include "core/mm/vdso.h"
#include "core/net/network-namespace.h"
#include "core/task/lifecycle.h"
#include "core/task/permissions.h"
#include "core/task/pid-namespace.h"
#include "core/task/task-access.h"
#include "core/time/time-namespace.h"

namespace umbra {

using vfs::NamespaceKind;

NamespaceSet::NamespaceSet(Kernel& kernel)
    : uts(
        make_ref<UtsNamespace>(vfs::first_namespace_origin(NamespaceKind::uts, *kernel.first_user_namespace),
            kernel.options().hostname, "(none)"))
    , ipc(make_ref<ipc::IpcNamespace>(
          kernel, vfs::first_namespace_origin(NamespaceKind::ipc, *kernel.first_user_namespace)))
    , network(make_ref<net::NetworkNamespace>(
          kernel, vfs::first_namespace_origin(NamespaceKind::network, *kernel.first_user_namespace)))
    , cgroup(make_ref<cgroup::CgroupNamespace>(
          vfs::first_namespace_origin(NamespaceKind::cgroup, *kernel.first_user_namespace), nullptr))
    , time(make_ref<TimeNamespace>(
          vfs::first_namespace_origin(NamespaceKind::time, *kernel.first_user_namespace), TimeOffsets {}))
    , time_for_children(time)
    , pid(make_ref<PidNamespace>(*kernel.first_user_namespace))
{
    // What a machine's boot scripts do.
    network->loopback().set_up(true);
    time->frozen = true;
}

NamespaceSet::NamespaceSet(NamespaceSet const& other)
    : RefCounted()
    , uts(other.uts)
    , ipc(other.ipc)
    , network(other.network)
    , cgroup(other.cgroup)
    , time(other.time)
    , time_for_children(other.time_for_children)
    , pid(other.pid)
{
}

NamespaceSet::~NamespaceSet() = default;

Result<Ref<vfs::Namespace>> namespace_of(Task& task, NamespaceKind kind)
{
    NamespaceSet const& set = task.namespaces();
    bool const keeps_until_reaped = kind == NamespaceKind::user || kind == NamespaceKind::pid;
    if (!task.has_fs() && !keeps_until_reaped) return err::noent;
    switch (kind) {
    case NamespaceKind::mount:
        return Ref<vfs::Namespace>(*task.fs().mounts);
    case NamespaceKind::uts:
        return Ref<vfs::Namespace>(*set.uts);
    case NamespaceKind::cgroup:
        return set.cgroup;
    case NamespaceKind::ipc:
        return Ref<vfs::Namespace>(*set.ipc);
    case NamespaceKind::network:
        return Ref<vfs::Namespace>(*set.network);
    case NamespaceKind::pid:
        return Ref<vfs::Namespace>(pid_namespace(task));
    case NamespaceKind::time:
        return Ref<vfs::Namespace>(*set.time);
    case NamespaceKind::user:
        break;
    }
    return Ref<vfs::Namespace>(*task.credentials().user_namespace);
}

Result<GuestFd> open_namespace(Task& task, Ref<vfs::Namespace> space)
{
    auto path = vfs::namespace_path(task.kernel(), std::move(space));
    auto file = TRY(path.inode().open(path, abi::o_rdonly));
    return task.files().add(std::move(file), true, task.limit(Resource::nofile));
}

namespace {

/// The task's root is not that of its mounts: an outer root directory could be reached with the capabilities of a new user
/// namespace.
bool is_chrooted(Task& task)
{
    vfs::FsContext& fs = task.fs();
    vfs::Path root { fs.mounts->root(), fs.mounts->root()->root() };
    vfs::cross_mounts(root);
    return !(root == fs.root);
}

/// All capabilities, but in `space` only.
Ref<Credentials> credentials_in(Credentials const& old, UserNamespace& space)
{
    auto now = old.clone();
    now->user_namespace = Ref<UserNamespace>(space);
    now->permitted = now->effective = now->bounding = kAllCapabilities;
    now->inheritable = now->ambient = 0;
    now->securebits = 0;
    return now;
}

/// create_user_ns() of Linux.
Result<Ref<Credentials>> with_new_user_namespace(Task& maker)
{
    Credentials const& who = maker.credentials();
    UserNamespace& parent = *who.user_namespace;
    if (parent.level() > UserNamespace::kMaxLevel) return err::nospc;
    auto origin = TRY(vfs::new_namespace_origin(maker.kernel(), NamespaceKind::user, parent, who.euid));
    auto space = make_ref<UserNamespace>(std::move(origin), who.egid);
    if (is_chrooted(maker)) return err::perm;
    if (!parent.knows(who.euid, who.egid)) return err::perm;
    space->maker_could_setfcap = who.holds(Capability::setfcap);
    return credentials_in(who, *space);
}

} // namespace

Result<void> check_new_namespaces(Task& task, u64 flags)
{
    u64 const wanted = flags & abi::kAllNamespaces;
    if (!wanted) return {};
    // The maker of a new user namespace may have the others too, in that one.
    bool const may = (wanted & abi::clone_newuser)
        || is_capable(task.credentials(), *task.credentials().user_namespace, Capability::sys_admin);
    return may ? Result<void>() : err::perm;
}

Belongings::Belongings(Task& task)
    : credentials(task.credentials_ref())
    , set(TaskAccess(task).namespaces())
{
}

NamespaceSet& Belongings::own_set()
{
    if (!is_new_set) set = make_ref<NamespaceSet>(*set);
    is_new_set = true;
    return *set;
}

void Belongings::give_to(Task& task) const
{
    auto access = TaskAccess(task);
    task.set_credentials(credentials);
    access.namespaces() = set;
    if (fs) access.fs() = fs;
}

void Belongings::enter_time()
{
    if (set->time == set->time_for_children) return;
    auto& own = own_set();
    own.time = own.time_for_children;
    own.time->frozen = true;
}

Ref<TimeNamespace> time_of_next_program(Task& task)
{
    auto time = task.namespaces().time_for_children;
    time->frozen = true;
    return time;
}

void enter_time_for_children(Task& task)
{
    Belongings now(task);
    now.enter_time();
    TaskAccess(task).namespaces() = now.set;
}

Result<Belongings> new_namespaces(Task& maker, u64 flags)
{
    Belongings now(maker);
    if (!(flags & abi::kAllNamespaces)) return now;
    TRY(check_new_namespaces(maker, flags));
    if (flags & abi::clone_newuser) now.credentials = TRY(with_new_user_namespace(maker));
    UserNamespace& owner = *now.credentials->user_namespace;
    auto origin = [&](NamespaceKind kind) {
        return vfs::new_namespace_origin(maker.kernel(), kind, owner, now.credentials->euid);
    };
    if (flags & abi::clone_newns) {
        now.fs = maker.fs().clone();
        now.fs->mounts
            = TRY(now.fs->mounts->clone({ &now.fs->root, &now.fs->cwd }, TRY(origin(NamespaceKind::mount))));
    }
    if (flags & abi::clone_newuts) {
        auto& uts = now.own_set().uts;
        uts = make_ref<UtsNamespace>(TRY(origin(NamespaceKind::uts)), uts->hostname, uts->domainname);
    }
    if (flags & abi::clone_newipc) {
        auto& space = now.own_set().ipc;
        space = make_ref<ipc::IpcNamespace>(maker.kernel(), TRY(origin(NamespaceKind::ipc)), *space);
    }
    if (flags & abi::clone_newcgroup)
        now.own_set().cgroup
            = make_ref<cgroup::CgroupNamespace>(TRY(origin(NamespaceKind::cgroup)), maker.membership.group);
    if (flags & abi::clone_newpid) {
        // Who has left for another one may not make one beside it.
        PidNamespace& above = *now.set->pid;
        if (&pid_namespace(maker) != &above) return err::inval;
        if (above.level() > PidNamespace::kMaxLevel) return err::nospc;
        now.own_set().pid = make_ref<PidNamespace>(TRY(origin(NamespaceKind::pid)), Ref<PidNamespace>(above));
    }
    if (flags & abi::clone_newnet)
        now.own_set().network
            = make_ref<net::NetworkNamespace>(maker.kernel(), TRY(origin(NamespaceKind::network)));
    if (flags & abi::clone_newtime) {
        auto& time = now.own_set().time_for_children;
        time = make_ref<TimeNamespace>(TRY(origin(NamespaceKind::time)), time->offsets);
    }
    return now;
}

namespace {

/// Whether who enters has the capability both in the namespace's owner and in his own user namespace.
Result<void> check_both(Credentials const& who, vfs::Namespace const& space, Capability capability)
{
    bool const may
        = is_capable(who, *space.owner(), capability) && is_capable(who, *who.user_namespace, capability);
    return may ? Result<void>() : err::perm;
}

Result<void> add_user_namespace(Task& task, Belongings& now, UserNamespace& space)
{
    // Nobody enters the one he is in again: it would give all capabilities.
    if (&space == now.credentials->user_namespace.get()) return err::inval;
    if (task.process().threads.size() > 1 || task.fs().ref_count() > 1) return err::inval;
    if (!is_capable(*now.credentials, space, Capability::sys_admin)) return err::perm;
    now.credentials = credentials_in(*now.credentials, space);
    return {};
}

Result<void> add_mount_namespace(Task& task, Belongings& now, vfs::MountNamespace& space)
{
    Credentials const& who = *now.credentials;
    TRY(check_both(who, space, Capability::sys_admin));
    if (!is_capable(who, *who.user_namespace, Capability::sys_chroot)) return err::perm;
    if (task.fs().ref_count() > 1) return err::inval;
    vfs::Path root { space.root(), space.root()->root() };
    vfs::cross_mounts(root);
    now.fs = task.fs().clone();
    now.fs->mounts = Ref<vfs::MountNamespace>(space);
    now.fs->root = now.fs->cwd = root;
    return {};
}

Result<void> add_time_namespace(Task& task, Belongings& now, TimeNamespace& space)
{
    // The clocks change under the whole program at once.
    if (task.process().threads.size() > 1 || task.mm().users > 1) return err::users;
    TRY(check_both(*now.credentials, space, Capability::sys_admin));
    now.own_set().time_for_children = Ref<TimeNamespace>(space);
    now.enter_time();
    return {};
}

Result<void> add_namespace(Task& task, Belongings& now, vfs::Namespace& space)
{
    if (space.kind() == NamespaceKind::user)
        return add_user_namespace(task, now, static_cast<UserNamespace&>(space));
    if (space.kind() == NamespaceKind::mount)
        return add_mount_namespace(task, now, static_cast<vfs::MountNamespace&>(space));
    if (space.kind() == NamespaceKind::time)
        return add_time_namespace(task, now, static_cast<TimeNamespace&>(space));
    TRY(check_both(*now.credentials, space, Capability::sys_admin));
    if (space.kind() == NamespaceKind::uts)
        now.own_set().uts = Ref<UtsNamespace>(static_cast<UtsNamespace&>(space));
    if (space.kind() == NamespaceKind::ipc)
        now.own_set().ipc = Ref<ipc::IpcNamespace>(static_cast<ipc::IpcNamespace&>(space));
    if (space.kind() == NamespaceKind::network)
        now.own_set().network = Ref<net::NetworkNamespace>(static_cast<net::NetworkNamespace&>(space));
    if (space.kind() == NamespaceKind::cgroup) now.own_set().cgroup = Ref<vfs::Namespace>(space);
    if (space.kind() == NamespaceKind::pid) {
        auto& pids = static_cast<PidNamespace&>(space);
        // Only downwards, and children only.
        if (!pids.is_within(pid_namespace(task))) return err::inval;
        now.own_set().pid = Ref<PidNamespace>(pids);
    }
    return {};
}

/// The last step, which can fail: the program's clocks are those of its new time namespace.
Result<void> give_entered(Task& task, Belongings const& now)
{
    if (now.set->time != TaskAccess(task).namespaces()->time)
        TRY(mm::change_vdso(task.kernel(), task.mm(), *now.set->time));
    now.give_to(task);
    return {};
}

/// The order of Linux: the capabilities of the user namespace help to enter the others.
constexpr NamespaceKind kInOrder[]
    = { NamespaceKind::user, NamespaceKind::mount, NamespaceKind::uts, NamespaceKind::ipc, NamespaceKind::pid,
          NamespaceKind::cgroup, NamespaceKind::network, NamespaceKind::time };
static_assert(std::size(kInOrder) == vfs::kNamespaceKinds);

} // namespace

Result<void> enter_namespace(Task& task, vfs::Namespace& space)
{
    Belongings now(task);
    TRY(add_namespace(task, now, space));
    if (space.kind() == NamespaceKind::ipc) ipc::exit_ipc(task);
    return give_entered(task, now);
}

Result<void> enter_namespaces_of(Task& task, Process& process, u32 flags)
{
    Task* other = process.any_thread();
    if (!other) return err::srch;
    TRY(check_may_inspect(task, *other));
    Belongings now(task);
    for (auto kind : kInOrder)
        if (flags & vfs::info_of(kind).clone_flag)
            TRY(add_namespace(task, now, *TRY(namespace_of(*other, kind))));
    TRY(give_entered(task, now));
    if (flags & abi::clone_newipc) ipc::exit_ipc(task);
    return {};
}

} // namespace umbra
