// SPDX-License-Identifier: GPL-2.0-or-later
// Namespaces (namespaces(7)): what a group of tasks sees of one kind of thing. Each has a number, by which programs tell
// it from others, and can be had as a file: /proc/PID/ns/KIND leads to its inode, setns(2) takes it open.
#pragma once

#include "core/base/ref.h"
#include "core/base/types.h"

namespace umbra {
class Kernel;
}

namespace umbra::vfs {

class File;
struct Path;

enum class NamespaceKind : u8 { cgroup, ipc, mount, network, pid, time, user, uts };

struct NamespaceKindInfo {
    NamespaceKind kind;
    char const* name; ///< of the file in /proc/PID/ns
    u32 clone_flag; ///< CLONE_NEW*
    u32 first_number; ///< of the one that the first process is in, as on Linux
};
NamespaceKindInfo const& info_of(NamespaceKind kind);

class Namespace : public RefCounted {
public:
    Namespace(NamespaceKind kind, u64 number)
        : kind_(kind)
        , number_(number)
    {
    }
    NamespaceKind kind() const { return kind_; }
    u64 number() const { return number_; }

private:
    NamespaceKind kind_;
    u64 number_;
};

/// A number for a namespace beside the first ones.
u64 new_namespace_number(Kernel& kernel);
/// Where a namespace's link in /proc leads: "uts:[4026531838]".
Path namespace_path(Kernel& kernel, Ref<Namespace> space);
/// The namespace that an open file stands for; null if it is something else.
RefPtr<Namespace> namespace_of_file(File& file);

} // namespace umbra::vfs
