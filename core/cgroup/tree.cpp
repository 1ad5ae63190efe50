// SPDX-License-Identifier: GPL-2.0-or-later
// The tree of groups: birth and end of a group, which controllers it has, and the rules of resource domains and threaded
// groups (Linux's Documentation/admin-guide/cgroup-v2.rst, "Threads" and "Controlling Controllers").
#include <algorithm>
#include <vector>

#include "core/cgroup/cpu.h"
#include "core/cgroup/memory.h"
#include "core/fs/pseudo/text.h"
#include "core/kernel.h"
#include "core/mm/frame.h"
#include "core/vfs/inode.h"

namespace umbra::cgroup {

char const* name_of(Controller controller)
{
    static constexpr char const* names[kControllers] = { "cpu", "memory", "pids" };
    return names[size_t(controller)];
}

Cgroup::Cgroup(Hierarchy& of, RefPtr<Cgroup> above, std::string its_name)
    : hierarchy(of)
    , parent(std::move(above))
    , name(std::move(its_name))
    , level(parent ? parent->level + 1 : 0)
    , id(of.next_id())
{
    if (parent) freezers = parent->freezers;
}

Cgroup::~Cgroup()
{
    if (!dead) return;
    for (Cgroup* above = parent.get(); above; above = above->parent.get())
        --above->dying_descendants;
}

bool Cgroup::is_within(Cgroup const& top) const
{
    for (Cgroup const* at = this; at; at = at->parent.get())
        if (at == &top) return true;
    return false;
}

ControllerSet Cgroup::available() const
{
    if (is_root()) return kAllControllers;
    return threaded ? parent->subtree_control & kThreadedControllers : parent->subtree_control;
}

bool Cgroup::has(Controller controller) const { return !is_root() && (available() & bit(controller)); }

Cgroup& Cgroup::domain()
{
    Cgroup* at = this;
    while (at->threaded)
        at = at->parent.get();
    return *at;
}

namespace {

bool has_threaded_child(Cgroup const& group)
{
    return std::any_of(group.children.begin(), group.children.end(),
        [](auto const& entry) { return entry.second->threaded; });
}

bool has_populated_domain_child(Cgroup const& group)
{
    return std::any_of(group.children.begin(), group.children.end(),
        [](auto const& entry) { return !entry.second->threaded && entry.second->is_populated(); });
}

} // namespace

bool Cgroup::is_thread_root() const
{
    if (threaded) return false;
    return has_threaded_child(*this) || (own_tasks > 0 && (subtree_control & kThreadedControllers));
}

bool Cgroup::can_be_thread_root() const
{
    if (is_root()) return true;
    return !has_populated_domain_child(*this) && !(subtree_control & ~kThreadedControllers);
}

bool Cgroup::is_valid_domain() const
{
    if (threaded) return false;
    for (Cgroup const* above = parent.get(); above; above = above->parent.get())
        if (above->threaded || (!above->is_root() && above->is_thread_root())) return false;
    return true;
}

void Cgroup::reset(Controller controller)
{
    switch (controller) {
    case Controller::pids:
        pids.limit = kNoLimit;
        pids.peak = pids.current;
        pids.refusals = pids.local_refusals = 0;
        break;
    case Controller::cpu:
        reset_cpu(*this);
        break;
    case Controller::memory:
        reset_memory(*this);
        break;
    }
}

Hierarchy::Hierarchy(Kernel& kernel)
    : kernel_(kernel)
{
    root_ = make_ref<Cgroup>(*this, nullptr, "");
}

Hierarchy::~Hierarchy()
{
    kernel_.memory().set_accounts(nullptr);
    // Parents and children hold each other.
    std::vector<Ref<Cgroup>> all;
    for_each_below(*root_, [&](Cgroup& group) { all.push_back(Ref<Cgroup>(group)); });
    for (auto& group : all) {
        group->directory = nullptr;
        group->cpu.bandwidth = nullptr;
        group->children.clear();
    }
    memory_accounts = nullptr; // holds groups, which refer to this
}

u64 Hierarchy::most_groups() const
{
    // As many as Linux's memory controller can tell apart, or a fortieth of the guest's memory in what they cost the host.
    constexpr u64 kMost = 65535, kMemoryOfEach = 64 << 10;
    return std::min(kMost, kernel_.options().memory_limit / kMemoryOfEach);
}

Result<Ref<Cgroup>> make_child(Cgroup& parent, std::string_view name, Owner owner, u32 mode)
{
    // It would make /proc/PID/cgroup ambiguous.
    if (name.find('\n') != name.npos) return err::inval;
    if (parent.dead) return err::nodev;
    u64 depth = 1;
    for (Cgroup* above = &parent; above; above = above->parent.get(), ++depth)
        if (above->descendants >= above->max_descendants || depth > above->max_depth) return err::again;
    if (parent.level >= Hierarchy::kMostLevels) return err::again;
    Hierarchy& hierarchy = parent.hierarchy;
    if (hierarchy.groups() >= hierarchy.most_groups()) return err::nospc;
    auto made = make_ref<Cgroup>(hierarchy, RefPtr<Cgroup>(&parent), std::string(name));
    made->owner = owner;
    made->controller_owners.fill(owner);
    made->mode = mode;
    parent.children.emplace(made->name, made);
    for (Cgroup* above = &parent; above; above = above->parent.get())
        ++above->descendants;
    update_frozen(*made);
    return made;
}

Result<void> remove(Cgroup& group)
{
    if (group.is_populated() || !group.children.empty()) return err::busy;
    Ref<Cgroup> keep(group);
    end_bandwidth(group);
    group.dead = true;
    group.directory = nullptr;
    Cgroup& parent = *group.parent;
    parent.children.erase(parent.children.find(group.name));
    for (Cgroup* above = &parent; above; above = above->parent.get())
        --above->descendants, ++above->dying_descendants;
    update_frozen(parent);
    release_account(group);
    return {};
}

namespace {

struct ControlChange {
    ControllerSet enable = 0, disable = 0;
};

std::optional<Controller> find_controller(std::string_view name)
{
    for (size_t i = 0; i < kControllers; ++i)
        if ((kAllControllers & bit(Controller(i))) && name == name_of(Controller(i))) return Controller(i);
    return std::nullopt;
}

/// Later words win over earlier ones.
Result<ControlChange> parse_control_change(std::string_view text)
{
    ControlChange change;
    for (auto word = fs::take_word(text); !word.empty(); word = fs::take_word(text)) {
        auto const controller = find_controller(word.substr(1));
        if (!controller || (word[0] != '+' && word[0] != '-')) return err::inval;
        ControllerSet const one = bit(*controller);
        change.enable &= ControllerSet(~one), change.disable &= ControllerSet(~one);
        (word[0] == '+' ? change.enable : change.disable) |= one;
    }
    return change;
}

/// Whether children may be given these: cgroup-v2's rule that tasks live in the leaves, and its exceptions.
Result<void> check_enable(Cgroup& group, ControllerSet enable)
{
    if (!enable) return {};
    if (!group.domain().is_valid_domain()) return err::opnotsupp;
    if (group.is_root()) return {};
    bool const only_threaded = !(enable & ~kThreadedControllers);
    if (!only_threaded && (group.threaded || group.is_thread_root())) return err::opnotsupp;
    if (only_threaded && (group.threaded || group.can_be_thread_root())) return {};
    return group.own_tasks > 0 ? err::busy : Result<void>();
}

void apply_control(Cgroup& group, ControlChange change, Owner owner)
{
    bool const changes_cpu = (change.enable | change.disable) & bit(Controller::cpu);
    if (changes_cpu) suspend_shares(group);
    group.subtree_control = ControllerSet((group.subtree_control | change.enable) & ~change.disable);
    for (auto& [name, child] : group.children)
        for (size_t i = 0; i < kControllers; ++i) {
            if ((change.enable | change.disable) & bit(Controller(i))) child->reset(Controller(i));
            if (change.enable & bit(Controller(i))) child->controller_owners[i] = owner;
        }
    if (changes_cpu) resume_shares(group);
    if (change.enable & bit(Controller::memory)) start_counting_memory(group.hierarchy);
}

} // namespace

Result<void> change_subtree_control(Cgroup& group, std::string_view text, Owner owner)
{
    auto change = TRY(parse_control_change(text));
    if (group.dead) return err::nodev;
    change.enable &= ControllerSet(~group.subtree_control);
    change.disable &= group.subtree_control;
    if (change.enable & ~group.available()) return err::noent;
    for (auto& [name, child] : group.children)
        if (child->subtree_control & change.disable) return err::busy;
    TRY(check_enable(group, change.enable));
    apply_control(group, change, owner);
    return {};
}

Result<void> make_threaded(Cgroup& group)
{
    if (group.threaded) return {};
    if (group.is_populated() || (group.subtree_control & ~kThreadedControllers)) return err::opnotsupp;
    Cgroup& domain = group.parent->domain();
    if (!domain.is_valid_domain() || !domain.can_be_thread_root()) return err::opnotsupp;
    group.threaded = true;
    return {};
}

std::string path_of(Cgroup const& group, Cgroup const& from)
{
    Cgroup const* common = &from;
    std::string path;
    for (; !group.is_within(*common); common = common->parent.get())
        path += "/..";
    std::string below;
    for (Cgroup const* at = &group; at != common; at = at->parent.get())
        below = "/" + at->name + below;
    path += below;
    return path.empty() ? "/" : path;
}

} // namespace umbra::cgroup
