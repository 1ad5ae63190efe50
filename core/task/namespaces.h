// SPDX-License-Identifier: GPL-2.0-or-later
// Which namespaces a task is in (Linux: nsproxy). Its mounts are elsewhere, in vfs::FsContext, and its user namespace is
// in its credentials. A set is never changed while others share it: unshare(2) and setns(2) give a task another one.
#pragma once

#include "core/base/error.h"
#include "core/task/credentials.h"
#include "core/task/pid-namespace.h"
#include "core/vfs/path.h"

namespace umbra {

class Process;
class Task;
class TimeNamespace;
namespace ipc {
class IpcNamespace;
}
namespace net {
class NetworkNamespace;
}

struct UtsNamespace final : vfs::Namespace {
    UtsNamespace(vfs::NamespaceOrigin origin, std::string hostname, std::string domainname)
        : Namespace(vfs::NamespaceKind::uts, std::move(origin))
        , hostname(std::move(hostname))
        , domainname(std::move(domainname))
    {
    }
    std::string hostname, domainname;
};

struct NamespaceSet final : RefCounted {
    /// The first of each kind; "umbra" or what --hostname says.
    explicit NamespaceSet(Kernel& kernel);
    NamespaceSet(NamespaceSet const& other);
    ~NamespaceSet() override;

    Ref<UtsNamespace> uts;
    Ref<ipc::IpcNamespace> ipc;
    Ref<net::NetworkNamespace> network;
    Ref<vfs::Namespace> cgroup; ///< a cgroup::CgroupNamespace
    Ref<TimeNamespace> time;
    Ref<TimeNamespace>
        time_for_children; ///< entered by children with memory of their own, and by the next program
    Ref<PidNamespace> pid; ///< of children to come; a process stays in the one that it was born in
};

/// The namespace of a kind that `task` is in. ENOENT: none, as it is on its way out.
Result<Ref<vfs::Namespace>> namespace_of(Task& task, vfs::NamespaceKind kind);
/// A new close-on-exec descriptor for a namespace. EMFILE, ENFILE.
Result<GuestFd> open_namespace(Task& task, Ref<vfs::Namespace> space);

/// What a task is given in one step, so that a failure leaves it as it was.
struct Belongings {
    /// Those that it has.
    explicit Belongings(Task& task);
    /// The set, as one that may be changed.
    NamespaceSet& own_set();
    void give_to(Task& task) const;
    /// Moves into the time namespace for children, whose offsets are final from now on.
    void enter_time();

    Ref<Credentials> credentials;
    Ref<NamespaceSet> set;
    RefPtr<vfs::FsContext> fs; ///< null: what it has stays
    bool is_new_set = false;
};

/// New namespaces of the kinds that `flags` (CLONE_NEW*) names, copies of those that `maker` is in, for itself or for a
/// child of it. A new user namespace owns the others. EINVAL: a kind of which there is one only; EPERM; ENOSPC: too deep
/// or too many.
Result<Belongings> new_namespaces(Task& maker, u64 flags);
/// What of that can be known before: EINVAL, EPERM.
Result<void> check_new_namespaces(Task& task, u64 flags);
/// execve(2): the time namespace that the program is to run in, whose offsets are final from now on.
Ref<TimeNamespace> time_of_next_program(Task& task);
/// The program has started: its task moves there.
void enter_time_for_children(Task& task);
/// setns(2) with the file of a namespace: EPERM, EINVAL, EUSERS: the memory is shared.
Result<void> enter_namespace(Task& task, vfs::Namespace& space);
/// setns(2) with a pidfd: those of `process` whose kinds `flags` names; all or none. EPERM, EINVAL, ESRCH, EUSERS.
Result<void> enter_namespaces_of(Task& task, Process& process, u32 flags);

} // namespace umbra
