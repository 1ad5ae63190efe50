// SPDX-License-Identifier: GPL-2.0-or-later
// Which namespaces a task is in (Linux: nsproxy). Its mounts are elsewhere, in vfs::FsContext. A set is never changed
// while others share it: unshare(2) and setns(2) give a task another one.
#pragma once

#include "core/base/error.h"
#include "core/vfs/namespace.h"

namespace umbra {

class Task;

struct UtsNamespace final : vfs::Namespace {
    UtsNamespace(u64 number, std::string hostname, std::string domainname)
        : Namespace(vfs::NamespaceKind::uts, number)
        , hostname(std::move(hostname))
        , domainname(std::move(domainname))
    {
    }
    std::string hostname, domainname;
};

struct NamespaceSet final : RefCounted {
    /// The first of each kind; "umbra" or what --hostname says.
    explicit NamespaceSet(std::string hostname);
    NamespaceSet(NamespaceSet const& other);

    Ref<UtsNamespace> uts;
    Ref<vfs::Namespace> cgroup, ipc, network, pid, time, user; ///< there is one of each
};

/// The namespace of a kind that `task` is in. ENOENT: none, as it is on its way out.
Result<Ref<vfs::Namespace>> namespace_of(Task& task, vfs::NamespaceKind kind);
/// A new close-on-exec descriptor for a namespace. EMFILE, ENFILE.
Result<GuestFd> open_namespace(Task& task, Ref<vfs::Namespace> space);

/// Gives `task` new namespaces of the kinds that `flags` (CLONE_NEW*) names, copies of those it is in. EINVAL: a kind of
/// which there is one only; EPERM.
Result<void> enter_new_namespaces(Task& task, u64 flags);
/// Whether `task` may have new ones: EPERM, or EINVAL as above.
Result<void> check_new_namespaces(Task& task, u64 flags);
/// setns(2): EPERM, EINVAL.
Result<void> enter_namespace(Task& task, vfs::Namespace& space);

} // namespace umbra
