// SPDX-License-Identifier: GPL-2.0-or-later
// Groups of fanotify: changes of marks, which events are told, the queue.
#include "core/ipc/fanotify-group.h"

#include <algorithm>
#include <utility>

#include "core/abi/poll.h"
#include "core/kernel.h"
#include "core/task/task.h"

namespace umbra::ipc {

using namespace abi;

Result<Ref<FanotifyGroup>> FanotifyGroup::create(Task& task, FanotifyOptions const& options)
{
    Kernel& kernel = task.kernel();
    u32 const user = task.credentials().euid;
    if (kernel.fanotify_use[user].groups >= kernel.fanotify_group_limit) return err::mfile;
    return Ref<FanotifyGroup>(*new FanotifyGroup(kernel, user, options), AdoptTag::adopt);
}

FanotifyGroup::FanotifyGroup(Kernel& kernel, u32 user, FanotifyOptions const& options)
    : MarkGroup(options.flags & fan_class_bits) // whoever decides on content hears of it first
    , kernel_(kernel)
    , user_(user)
    , options_(options)
    , event_limit_(options.flags & fan_unlimited_queue ? ~u64 { 0 } : u64(kernel.fanotify_event_limit))
{
    ++kernel_.fanotify_use[user_].groups;
}

FanotifyGroup::~FanotifyGroup()
{
    shut_down();
    auto use = kernel_.fanotify_use.find(user_);
    if (--use->second.groups == 0) kernel_.fanotify_use.erase(use);
}

Result<void> FanotifyGroup::add_to_mark(
    vfs::Path const& place, vfs::MarkKind kind, FanotifyMarkChange const& change)
{
    // Of what somebody is writing all would be heard again with the next write.
    bool const lasts = !change.ignores || change.survives_modify;
    if (kind == vfs::MarkKind::inode && !lasts && place.inode().write_count > 0) return {};
    auto* mark = find(place, kind);
    if (!mark) {
        auto& marks = kernel_.fanotify_use[user_].marks;
        bool const limited = !(options_.flags & fan_unlimited_marks);
        if (limited && marks >= kernel_.fanotify_mark_limit) return err::nospc;
        ++marks;
        mark = &add(place, kind, change.evictable);
    }
    if (change.evictable && !mark->is_evictable()) return err::exist;
    if (change.ignores && !change.has_ignore_flags && mark->has_ignore_flags) return err::exist;
    if (change.has_ignore_flags && !change.survives_modify && mark->ignored_survives_modify)
        return err::exist;
    (change.ignores ? mark->ignored : mark->mask) |= change.mask;
    mark->has_ignore_flags |= change.has_ignore_flags;
    mark->ignored_survives_modify |= change.ignores && change.survives_modify;
    if (!change.evictable) mark->hold();
    return {};
}

Result<void> FanotifyGroup::remove_from_mark(
    vfs::Path const& place, vfs::MarkKind kind, FanotifyMarkChange const& change)
{
    auto* mark = find(place, kind);
    if (!mark) return err::noent;
    (change.ignores ? mark->ignored : mark->mask) &= ~(change.mask & ~change.kernels);
    if (!((mark->mask | mark->ignored) & ~change.kernels)) remove(*mark);
    return {};
}

void FanotifyGroup::remove(vfs::Mark& mark)
{
    --kernel_.fanotify_use[user_].marks;
    MarkGroup::remove(mark);
}

u32 FanotifyGroup::mask_for(vfs::Happening const& what, vfs::MarkInterest const& interest) const
{
    u32 const told = what.mask & interest.mask & ~interest.ignored;
    if (!reports_handles()) {
        // There must be something that a descriptor can be of.
        if (!what.path || !(what.inode->is_regular() || what.inode->is_directory())) return 0;
        return told & ~fan_event_flags;
    }
    bool const of_directory = what.mask & fan_ondir;
    if (!(options_.flags & fan_report_fid) && !what.directory && !of_directory) return 0;
    return told & ~fan_event_on_child;
}

Result<void> FanotifyGroup::happened(vfs::Happening const& what, vfs::MarkInterest const& interest)
{
    u32 const mask = mask_for(what, interest);
    if (shut_down_ || !(mask & ~fan_event_flags)) return {};
    FanotifyEvent event(what, interest, mask, options_.flags);
    auto const question = event.question();
    if (!enqueue(std::move(event)) || !question) return {};
    auto verdict = question->wait();
    forget(*question); // unless it was answered, the asker is killed
    return verdict;
}

bool FanotifyGroup::enqueue(FanotifyEvent event)
{
    bool const fits = queue_.size() < event_limit_ && kernel_.fanotify_events < kernel_.max_fanotify_events();
    if (!fits && overflowed_) return false;
    if (auto same = by_key_.find(event.key()); fits && same != by_key_.end()) {
        same->second->merge(event.mask());
        return false;
    }
    auto& queued = queue_.emplace_back(fits ? std::move(event) : FanotifyEvent());
    ++kernel_.fanotify_events;
    overflowed_ |= !fits;
    if (!queued.key().empty()) by_key_.emplace(queued.key(), &queued);
    readers_.wake_all(pollin | pollrdnorm);
    return fits;
}

FanotifyEvent FanotifyGroup::take()
{
    FanotifyEvent event = std::move(queue_.front());
    queue_.pop_front();
    --kernel_.fanotify_events;
    by_key_.erase(event.key());
    if (event.is_overflow()) overflowed_ = false;
    return event;
}

u64 FanotifyGroup::queued_bytes() const
{
    u64 bytes = 0;
    for (auto const& event : queue_)
        bytes += event.size(options_.flags);
    return bytes;
}

void FanotifyGroup::asked(Ref<FanotifyQuestion> question)
{
    if (shut_down_) return question->answer({});
    asked_.push_back(std::move(question));
}

Result<void> FanotifyGroup::answer(i32 fd, Result<void> verdict)
{
    auto const found = std::ranges::find_if(asked_, [&](auto& question) { return question->fd == fd; });
    if (found == asked_.end()) return err::noent;
    Ref<FanotifyQuestion> const question = *found;
    asked_.erase(found);
    question->answer(verdict);
    return {};
}

void FanotifyGroup::forget(FanotifyQuestion const& question)
{
    // One that was read stays until the listener answers, as on Linux: he knows its descriptor.
    kernel_.fanotify_events
        -= queue_.remove_if([&](auto& event) { return event.question().get() == &question; });
}

void FanotifyGroup::shut_down()
{
    if (shut_down_) return;
    shut_down_ = true;
    for (auto const& event : queue_)
        if (event.question()) event.question()->answer({});
    for (auto const& question : asked_)
        question->answer({});
    asked_.clear();
    by_key_.clear();
    // What goes with the places may itself be an event.
    auto const events = std::exchange(queue_, {});
    kernel_.fanotify_events -= events.size();
    while (auto* mark = marks().front())
        remove(*mark);
}

} // namespace umbra::ipc
