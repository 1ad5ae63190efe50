// SPDX-License-Identifier: GPL-2.0-or-later
// Marks: which groups an event concerns.
#include "core/vfs/marks.h"

#include <algorithm>

#include "core/kernel.h"

namespace umbra::vfs {

namespace {

using abi::fan_event_on_child, abi::fan_ondir;
constexpr u32 kEvents = ~abi::fan_event_flags;

ObjectMarks& marks_on(Path const& place, MarkKind kind)
{
    if (kind == MarkKind::mount) return place.mount->marks;
    return kind == MarkKind::inode ? place.inode().marks : place.dentry->file_system().marks;
}

} // namespace

Mark::Mark(MarkGroup& group, Path const& place, MarkKind kind, bool evictable)
    : group_(group)
    , kind_(kind)
    , file_system_(place.dentry->file_system())
{
    if (kind == MarkKind::mount) mount_ = place.mount.get();
    if (kind == MarkKind::inode) inode_ = &place.inode();
    if (!evictable) hold();
    marks_on(place, kind).push_back(*this);
    file_system_.all_marks.push_back(*this);
}

Mark::~Mark()
{
    // Before the inode goes, which drops what marks it still has.
    static_cast<TaggedNode<MarkOnObject>*>(this)->unlink();
    static_cast<TaggedNode<MarkOfFileSystem>*>(this)->unlink();
}

bool Mark::is_on(Path const& place) const
{
    if (kind_ == MarkKind::mount) return mount_ == place.mount.get();
    return kind_ == MarkKind::inode ? inode_ == &place.inode()
                                    : &file_system_ == &place.dentry->file_system();
}

u32 Mark::ignored_of(bool of_directory, MarkedAs as) const
{
    // Without flags of their own, what is ignored of a directory is all of it, and of its children what is asked for.
    u32 const flags = has_ignore_flags ? ignored : fan_ondir | (mask & fan_event_on_child);
    if (of_directory && !(flags & fan_ondir)) return 0;
    if (as == kMarkedParent && !(flags & fan_event_on_child)) return 0;
    return ignored & kEvents;
}

MarkGroup::~MarkGroup()
{
    while (Mark* mark = marks_.front())
        delete mark;
}

Mark* MarkGroup::find(Path const& place, MarkKind kind) const
{
    for (Mark& mark : marks_on(place, kind))
        if (&mark.group() == this) return &mark;
    return nullptr;
}

Mark& MarkGroup::add(Path const& place, MarkKind kind, bool evictable)
{
    auto* mark = new Mark(*this, place, kind, evictable);
    marks_.push_front(*mark); // the newest first, as /proc/PID/fdinfo shows them
    return *mark;
}

void MarkGroup::remove(Mark& mark) { delete &mark; }

void MarkGroup::remove_all(MarkKind kind)
{
    // One by one: with an inode others may go that had evictable marks.
    auto first = [&]() -> Mark* {
        for (Mark& mark : marks_)
            if (mark.kind() == kind) return &mark;
        return nullptr;
    };
    while (Mark* mark = first())
        remove(*mark);
}

namespace {

MarkInterest& interest_of(std::vector<MarkInterest>& interests, MarkGroup& group)
{
    for (auto& interest : interests)
        if (interest.group.get() == &group) return interest;
    return interests.emplace_back(MarkInterest { .group = Ref<MarkGroup>(group) });
}

void collect(
    ObjectMarks const& marks, MarkedAs as, Happening const& what, std::vector<MarkInterest>& interests)
{
    bool const of_directory = what.mask & fan_ondir;
    for (Mark& mark : marks) {
        bool const sees = as != kMarkedParent || ((mark.mask | mark.ignored) & fan_event_on_child);
        if ((what.mask & abi::fan_modify) && sees && !mark.ignored_survives_modify) mark.ignored = 0;
        MarkInterest& interest = interest_of(interests, mark.group());
        interest.ignored |= mark.ignored_of(of_directory, as);
        if (of_directory && !(mark.mask & fan_ondir)) continue;
        if (as == kMarkedParent && !(mark.mask & fan_event_on_child)) continue;
        interest.mask |= mark.mask;
        interest.matched |= as;
    }
}

std::vector<MarkInterest> interests_in(Happening const& what)
{
    std::vector<MarkInterest> interests;
    Inode& subject = what.is_of_entry() ? *what.directory : *what.inode;
    collect(subject.file_system().marks, kMarkedFileSystem, what, interests);
    if (what.path) collect(what.path->mount->marks, kMarkedMount, what, interests);
    collect(subject.marks, kMarkedInode, what, interests);
    if (what.new_directory)
        collect(what.new_directory->marks, kMarkedNewDirectory, what, interests);
    else if (what.directory && !what.is_of_entry())
        collect(what.directory->marks, kMarkedParent, what, interests);
    std::erase_if(interests, [&](auto& i) { return !(what.mask & i.mask & ~i.ignored & kEvents); });
    std::ranges::stable_sort(interests, std::greater<> {}, [](auto const& i) { return i.group->priority(); });
    return interests;
}

u32 with_directory_flag(Inode const& inode, u32 mask)
{
    return inode.is_directory() ? mask | fan_ondir : mask;
}

} // namespace

Result<void> report(Happening const& what)
{
    for (auto const& interest : interests_in(what)) {
        auto result = interest.group->happened(what, interest);
        if (result.is_error() && what.mask & abi::fan_permission_events) return result;
    }
    return {};
}

void report_inode(Inode& inode, u32 mask)
{
    // A mark may hold the last reference but the caller's.
    Ref<Inode> const alive(inode);
    (void)report({ .mask = with_directory_flag(inode, mask), .inode = &inode });
    if (mask & abi::fan_delete_self) drop_marks(inode.marks);
}

void report_entry(Inode& directory, std::string_view name, Inode& entry, u32 mask)
{
    if (!(mask & abi::fan_entry_events)) return;
    (void)report(
        { .mask = with_directory_flag(entry, mask), .inode = &entry, .directory = &directory, .name = name });
}

Result<void> report_dentry(Dentry const& dentry, Path const* path, u32 mask)
{
    Inode& inode = dentry.inode();
    Dentry* parent = dentry.parent().get();
    return report({ .mask = with_directory_flag(inode, mask),
        .path = path,
        .inode = &inode,
        .directory = parent ? &parent->inode() : nullptr,
        .name = parent ? std::string_view(dentry.name()) : std::string_view() });
}

void report_rename(Inode& directory, std::string_view name, Dentry const& moved)
{
    (void)report({ .mask = with_directory_flag(moved.inode(), abi::fan_rename),
        .inode = &moved.inode(),
        .directory = &directory,
        .name = name,
        .new_directory = &moved.parent()->inode(),
        .new_name = moved.name() });
}

void drop_marks(ObjectMarks& marks)
{
    while (Mark* mark = marks.front())
        mark->group().remove(*mark);
}

void drop_all_marks(FileSystem& file_system)
{
    while (Mark* mark = file_system.all_marks.front())
        mark->group().remove(*mark);
}

} // namespace umbra::vfs
