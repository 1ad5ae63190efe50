// SPDX-License-Identifier: GPL-2.0-or-later
// Namespaces (namespaces(7)): what a group of tasks sees of one kind of thing. Each has a number, by which programs tell
// it from others, and can be had as a file: /proc/PID/ns/KIND leads to its inode, setns(2) takes it open.
#pragma once

#include <optional>
#include <utility>

#include "core/base/error.h"
#include "core/base/ref.h"
#include "core/base/types.h"

namespace umbra {
class Kernel;
class UserNamespace;
} // namespace umbra

namespace umbra::vfs {

class File;
class Inode;
struct Path;

enum class NamespaceKind : u8 { cgroup, ipc, mount, network, pid, time, user, uts };

struct NamespaceKindInfo {
    NamespaceKind kind;
    char const* name; ///< of the file in /proc/PID/ns
    u32 clone_flag; ///< CLONE_NEW*
    u32 first_number; ///< of the one that the first process is in, as on Linux
};
NamespaceKindInfo const& info_of(NamespaceKind kind);

constexpr size_t kNamespaceKinds = size_t(NamespaceKind::uts) + 1;

/// What a namespace begins with.
class NamespaceOrigin {
public:
    NamespaceOrigin(u64 number, RefPtr<RefCounted> owner)
        : number(number)
        , owner(std::move(owner))
    {
    }
    /// One that counts against the limits of /proc/sys/user while it lives; the caller has charged it.
    NamespaceOrigin(NamespaceKind kind, u64 number, RefPtr<RefCounted> owner, u32 uid)
        : number(number)
        , owner(std::move(owner))
        , uid(uid)
        , counted_as_(kind)
    {
    }
    NamespaceOrigin(NamespaceOrigin&& from) noexcept
        : number(from.number)
        , owner(std::move(from.owner))
        , uid(from.uid)
        , counted_as_(std::exchange(from.counted_as_, std::nullopt))
    {
    }
    ~NamespaceOrigin();

    u64 number;
    RefPtr<RefCounted> owner; ///< a UserNamespace; null for the first one only
    u32 uid = 0; ///< of who made it

private:
    std::optional<NamespaceKind> counted_as_;
};

class Namespace : public RefCounted {
public:
    Namespace(NamespaceKind kind, NamespaceOrigin origin);
    NamespaceKind kind() const { return kind_; }
    u64 number() const { return origin_.number; }
    /// The user namespace whose capabilities rule it; of a user namespace, the parent.
    UserNamespace* owner() const;

protected:
    u32 maker_uid() const { return origin_.uid; }

private:
    NamespaceKind kind_;
    NamespaceOrigin origin_;
};

/// The origin of a namespace beside the first ones, which is to be made of it right away. `uid`: the effective one of who
/// makes it. ENOSPC: the user has as many as `owner` or one above it allows.
Result<NamespaceOrigin> new_namespace_origin(
    Kernel& kernel, NamespaceKind kind, UserNamespace& owner, u32 uid);
/// That of the first of a kind.
NamespaceOrigin first_namespace_origin(NamespaceKind kind, UserNamespace& owner);
/// Where a namespace's link in /proc leads: "uts:[4026531838]".
Path namespace_path(Kernel& kernel, Ref<Namespace> space);
/// The namespace that an open file stands for; null if it is something else.
RefPtr<Namespace> namespace_of_file(File& file);
/// The same of an inode, which may be mounted elsewhere.
RefPtr<Namespace> namespace_of_inode(Inode const& inode);

} // namespace umbra::vfs
