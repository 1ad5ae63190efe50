// SPDX-License-Identifier: GPL-2.0-or-later
// Control groups, version 2 (cgroups(7)): one tree of groups, each task in one of them. A controller's state is part of the
// group and has an effect where the parent's cgroup.subtree_control names the controller. Guarded by the kernel lock.
//
// References: the hierarchy holds the root; a group holds its children while they have names, and its parent for good; a
// task, an open file and a namespace hold their group. So a removed group lives on, `dead`, as long as somebody needs it.
#pragma once

#include <array>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "core/base/error.h"
#include "core/base/ref.h"
#include "core/cgroup/controllers.h"
#include "core/cgroup/membership.h"
#include "core/sync/wait-queue.h"

namespace umbra {
class Kernel;
class Process;
class Task;
namespace vfs {
class Inode;
}
} // namespace umbra

namespace umbra::cgroup {

class Hierarchy;

/// Files that others may watch and that change by themselves.
enum class Notice : u8 { events, pids_events, pids_events_local, memory_events, memory_events_local };
constexpr size_t kNotices = 5;

/// Who owns files that came into being at one time: those of every group, and each controller's.
struct Owner {
    u32 uid = 0, gid = 0;
};

class Cgroup final : public RefCounted {
public:
    /// The root, or a child of `parent` that is not among its children yet.
    Cgroup(Hierarchy& hierarchy, RefPtr<Cgroup> parent, std::string name);
    ~Cgroup() override;

    Hierarchy& hierarchy;
    RefPtr<Cgroup> const parent; ///< null of the root
    std::string const name;
    u32 const level; ///< 0 of the root
    u64 const id;
    std::map<std::string, Ref<Cgroup>, std::less<>> children;
    bool dead = false; ///< rmdir(2) has taken its name

    bool is_root() const { return !parent; }
    /// Whether this is `top` or below it.
    bool is_within(Cgroup const& top) const;

    // --- shape (tree.cpp) ---
    bool threaded = false; ///< shares the resource domain of its parent
    ControllerSet subtree_control = 0; ///< what children have
    /// What may be given to children: all for the root.
    ControllerSet available() const;
    /// Whether this group itself has the controller's files. The root has none of its own.
    bool has(Controller controller) const;
    /// The group whose resources those of this one are (dom_cgrp of Linux).
    Cgroup& domain();
    bool is_thread_root() const;
    bool can_be_thread_root() const;
    bool is_valid_domain() const;
    u64 max_descendants = kNoLimit, max_depth = kNoLimit;
    u64 descendants = 0, dying_descendants = 0;

    // --- tasks (attach.cpp) ---
    u64 own_tasks = 0; ///< that have not exited
    u64 subtree_tasks = 0; ///< the same with those below
    bool is_populated() const { return subtree_tasks > 0; }

    // --- freezer (freezer.cpp) ---
    bool freeze = false; ///< as written to cgroup.freeze
    u32 freezers = 0; ///< how many of this group and those above it are to be frozen
    u64 frozen_tasks = 0; ///< of subtree_tasks
    bool frozen = false; ///< what cgroup.events says

    // --- controllers ---
    PidsState pids;
    CpuState cpu;
    MemoryState memory;
    /// Back to the start, as the controller is taken away from the group.
    void reset(Controller controller);

    // --- files (file-system.cpp) ---
    RefPtr<vfs::Inode> directory; ///< made when first asked for; null again in a dead group
    Owner owner; ///< of the directory and the files of every group
    u32 mode = 0755; ///< of the directory
    std::array<Owner, kControllers> controller_owners {};
    WaitQueue watchers; ///< woken with each Notice
    std::array<u32, kNotices> changes {}; ///< how often each Notice was given: poll(2) compares
};

class Hierarchy {
public:
    explicit Hierarchy(Kernel& kernel);
    ~Hierarchy();

    Kernel& kernel() const { return kernel_; }
    Cgroup& root() const { return *root_; }
    u64 groups() const { return root_->descendants + 1; }
    u64 most_groups() const; ///< ENOSPC beyond
    u64 next_id() { return ++last_id_; }
    /// Groups below each other at most: walks of the tree recurse on kernel stacks, and so does the end of a dead branch.
    static constexpr u32 kMostLevels = 128;

    // Mount options.
    bool delegates_to_namespaces = false; ///< nsdelegate
    bool local_memory_events = false, local_pids_events = false;
    bool recursive_protection = false; ///< kept and shown: nothing is reclaimed that protection would save
    bool favours_moves = false, counts_huge_pages = false; ///< likewise without effect

    RefPtr<RefCounted> file_system; ///< made when first mounted
    RefPtr<RefCounted> memory_accounts; ///< MemoryAccounts; made when memory is first counted

private:
    Kernel& kernel_;
    u64 last_id_ = 0;
    RefPtr<Cgroup> root_;
};

// --- tree.cpp ---
/// mkdir(2): EAGAIN at a limit of cgroup.max.*, EINVAL for a name with a newline, ENODEV in a dead group, ENOSPC.
Result<Ref<Cgroup>> make_child(Cgroup& parent, std::string_view name, Owner owner, u32 mode);
/// rmdir(2): EBUSY with tasks or children.
Result<void> remove(Cgroup& group);
/// cgroup.subtree_control: "+pids -cpu". EINVAL, ENOENT, EBUSY, EOPNOTSUPP.
Result<void> change_subtree_control(Cgroup& group, std::string_view text, Owner owner);
/// cgroup.type. EOPNOTSUPP.
Result<void> make_threaded(Cgroup& group);
/// "/a/b" as seen from `from`, with "/.." where that is not above it.
std::string path_of(Cgroup const& group, Cgroup const& from);
template <typename Visit> void for_each_below(Cgroup& top, Visit visit) ///< with `top` itself, parents first
{
    visit(top);
    for (auto& [name, child] : top.children)
        for_each_below(*child, visit);
}

// --- attach.cpp ---
/// Who wants to move tasks: whoever has opened the file, not whoever writes to it.
struct Mover {
    Ref<RefCounted> credentials;
    Cgroup& visible_root; ///< of his cgroup namespace
};
enum class Moved : u8 { process, thread };
/// A new task enters the group of its parent, or the one that `directory` (of CLONE_INTO_CGROUP) is. Never waits. EAGAIN at
/// a pids.max; EACCES, EBADF, EBUSY, ENODEV, ENOENT, EOPNOTSUPP.
Result<void> enter_at_birth(Task& parent, Task& child, std::optional<GuestFd> directory);
/// The first task.
void enter_root(Task& first);
/// An exiting task no longer counts among its group's.
void leave(Task& task);
/// Its number is given back: a leader's charge stays with the process until it is reaped.
void forget(Task& task);
void forget(Process& process);
/// cgroup.procs and cgroup.threads. ESRCH, EACCES, EBUSY, ENOENT, EOPNOTSUPP.
Result<void> move(Cgroup& to, std::string_view number, Moved what, Mover const& mover);
/// Tasks in the subtree that have not exited.
std::vector<Task*> tasks_below(Cgroup const& top);
/// cgroup.kill.
void kill_all(Cgroup& group);
/// The group of a process, also of a zombie.
Cgroup& group_of(Process const& process);

// --- freezer.cpp ---
void set_freeze(Cgroup& group, bool freeze);
/// Brings the task in line with its group: marks it, and makes it look.
void apply_freeze(Task& task);
/// Whether the group has come to stand still may have changed, and that of those above it.
void update_frozen(Cgroup& group);
/// The task stands still while its group is frozen, unless it dies or its tracer wants it. May wait.
void freeze_here(Task& task);
/// While it lives, the task counts as frozen: it waits and will not run guest code before it has looked again.
class StandingStill {
public:
    explicit StandingStill(Task& task);
    ~StandingStill();
    StandingStill(StandingStill const&) = delete;

private:
    Task& task_;
    bool was_frozen_;
};

// --- notices (file-system.cpp) ---
/// A file changed by itself: inotify(7) and poll(2) are told.
void give_notice(Cgroup& group, Notice notice);

} // namespace umbra::cgroup
