// SPDX-License-Identifier: GPL-2.0-or-later
// epoll(7): items, the ready list, and waiting. Everything runs under the kernel lock; only the copy to the
// guest can wait, so events are gathered in a kernel array first.
#include "core/ipc/epoll.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <vector>

#include "core/kernel.h"
#include "core/task/task.h"
#include "core/vfs/file-system.h"

namespace umbra::ipc {

namespace {

constexpr u32 kReadable = abi::pollin | abi::pollrdnorm;
constexpr u32 kAlwaysReported = abi::pollerr | abi::pollhup;
constexpr u32 kPrivateBits = abi::epollwakeup | abi::epolloneshot | abi::epollet | abi::epollexclusive;
constexpr u32 kExclusiveAllowed = abi::pollin | abi::pollout | abi::pollrdnorm | abi::pollwrnorm
    | abi::pollrdband | abi::pollwrband | abi::pollerr | abi::pollhup | abi::epollwakeup | abi::epollet
    | abi::epollexclusive;
constexpr u32 kMaxDepth = 5; ///< sets in a chain (Linux: EP_MAX_NESTS)
constexpr u64 kInlineEvents = 32; ///< events that need no allocation on their way to the guest

} // namespace

/// A file in a set. Waits on the file's queue, watches for its end, and is on the ready list while it may be
/// ready.
class EventPoll::Item final : public Waiter, public vfs::FileWatcher, public TaggedNode<EventPoll::ReadyTag> {
public:
    Item(EventPoll& set, vfs::File& watched, GuestFd fd_number, abi::EpollEvent const& wanted)
        : owner(set)
        , file(watched)
        , fd(fd_number)
        , event(wanted)
    {
        exclusive = wanted.events & abi::epollexclusive;
    }

    void notify(u32 events) override
    {
        if (is_disabled()) return;
        if (events != 0 && !(events & event.events)) return;
        owner.make_ready(*this, events);
    }
    void file_released() override { owner.erase(*this); }

    /// A one-shot item that has fired waits for epoll_ctl's MOD.
    bool is_disabled() const { return (event.events & ~kPrivateBits) == 0; }
    u32 ready_events() const { return file.readiness() & event.events & ~kPrivateBits; }
    bool is_queued() const { return TaggedNode<ReadyTag>::is_linked(); }
    Key key() const { return { &file, fd.value }; }

    EventPoll& owner;
    vfs::File& file;
    GuestFd fd;
    abi::EpollEvent event;
};

size_t EventPoll::KeyHash::operator()(Key const& key) const
{
    return std::hash<void const*>()(key.file) * 31 + size_t(u32(key.fd));
}

EventPoll::EventPoll(vfs::Path path, u32 flags)
    : File(std::move(path), flags)
{
}

EventPoll::~EventPoll() = default;

EventPoll::Item* EventPoll::find(vfs::File& file, GuestFd fd) const
{
    auto found = items_.find(Key { &file, fd.value });
    return found == items_.end() ? nullptr : found->second.get();
}

vfs::File* EventPoll::target(i32 fd, u32 nth) const
{
    // By address, as Linux orders them, so that who asks for one after the other sees all.
    std::vector<vfs::File*> same;
    for (auto const& [key, item] : items_)
        if (key.fd == fd) same.push_back(key.file);
    std::sort(same.begin(), same.end());
    return nth < same.size() ? same[nth] : nullptr;
}

void EventPoll::make_ready(Item& item, u32 events)
{
    if (!item.is_queued()) {
        ready_.push_back(item);
        ready_count_++;
    }
    sleepers_.wake_one(events);
    if (pollers_.has_waiters()) pollers_.wake_all(kReadable);
}

void EventPoll::erase(Item& item)
{
    if (item.is_queued()) ready_count_--;
    items_.erase(item.key());
}

Result<void> EventPoll::add(vfs::File& file, GuestFd fd, abi::EpollEvent const& event)
{
    WaitQueue* queue = file.wait_queue();
    if (!queue) return err::perm;
    if (&file == this) return err::inval;
    bool nested = as_epoll(file) != nullptr;
    if (event.events & abi::epollexclusive && (nested || event.events & ~kExclusiveAllowed))
        return err::inval;
    if (find(file, fd)) return err::exist;
    if (nested) {
        Kernel& kernel = inode().file_system().kernel();
        u32 below = TRY(depth_below(file, *this, kernel.next_unique()));
        if (below + depth_above(kernel.next_unique()) > kMaxDepth) return err::loop;
    }

    auto wanted = event;
    wanted.events |= kAlwaysReported;
    auto owned = std::make_unique<Item>(*this, file, fd, wanted);
    Item& item = *owned;
    items_.emplace(item.key(), std::move(owned));
    queue->add(item);
    file.watchers.push_back(item);
    if (u32 ready = item.ready_events()) make_ready(item, ready);
    return {};
}

Result<void> EventPoll::modify(vfs::File& file, GuestFd fd, abi::EpollEvent const& event)
{
    if (&file == this) return err::inval;
    if (event.events & abi::epollexclusive) return err::inval;
    Item* item = find(file, fd);
    if (!item) return err::noent;
    if (item->event.events & abi::epollexclusive) return err::inval;
    item->event = event;
    item->event.events |= kAlwaysReported;
    if (u32 ready = item->ready_events()) make_ready(*item, ready);
    return {};
}

Result<void> EventPoll::remove(vfs::File& file, GuestFd fd)
{
    if (&file == this) return err::inval;
    Item* item = find(file, fd);
    if (!item) return err::noent;
    erase(*item);
    return {};
}

u64 EventPoll::collect(std::span<abi::EpollEvent> out)
{
    u64 count = 0;
    // Level-triggered items go back to the end: each one that was there at the start is looked at once.
    for (u64 left = ready_count_; left > 0 && count < out.size(); left--) {
        Item* item = ready_.pop_front();
        if (!item) break;
        ready_count_--;
        u32 ready = item->ready_events();
        if (!ready) continue;
        out[count++] = { ready, item->event.data };
        if (item->event.events & abi::epolloneshot) {
            item->event.events &= kPrivateBits;
        } else if (!(item->event.events & abi::epollet)) {
            ready_.push_back(*item);
            ready_count_++;
        }
    }
    return count;
}

Result<u64> EventPoll::hand_out(Task& task, UserOut<abi::EpollEvent> out, u64 limit)
{
    std::array<abi::EpollEvent, kInlineEvents> few;
    std::vector<abi::EpollEvent> many;
    limit = std::min(limit, ready_count_);
    std::span<abi::EpollEvent> events(few.data(), std::min(limit, kInlineEvents));
    if (limit > kInlineEvents) {
        many.resize(limit);
        events = many;
    }
    u64 count = collect(events);
    if (count == 0) return 0;
    TRY(copy_to_user(task, out.address, events.data(), count * sizeof(abi::EpollEvent)));
    // Level-triggered items stay ready: another sleeper can serve the next one.
    if (!ready_.is_empty()) sleepers_.pass_on();
    return count;
}

Result<i64> EventPoll::wait(Task& task, UserOut<abi::EpollEvent> out, u64 limit, Nanoseconds deadline)
{
    // A queue wait may end for an item that turns out not to be ready: then collect() finds nothing and it
    // goes on.
    for (;;) {
        if (u64 count = TRY(hand_out(task, out, limit))) return i64(count);
        if (deadline == 0) return 0;
        auto slept = sleepers_.wait_until([this] { return !ready_.is_empty(); }, deadline);
        if (slept.is_error()) {
            if (slept.error() == err::timedout) return 0;
            return err::intr; // never restarted (signal(7))
        }
    }
}

u32 EventPoll::readiness()
{
    for (Item& item : ready_) {
        if (item.ready_events()) return kReadable;
        static_cast<TaggedNode<ReadyTag>&>(item).unlink();
        ready_count_--;
    }
    return 0;
}

std::string EventPoll::fdinfo()
{
    std::string text;
    for (auto const& [key, item] : items_) {
        char line[128];
        std::snprintf(line, sizeof line, "tfd: %8d events: %8x data: %16llx  pos:%lld ino:%llx sdev:%llx\n",
            key.fd, item->event.events, static_cast<unsigned long long>(item->event.data),
            static_cast<long long>(key.file->position),
            static_cast<unsigned long long>(key.file->inode().number()),
            static_cast<unsigned long long>(key.file->inode().file_system().device()));
        text += line;
    }
    return text;
}

Result<u32> EventPoll::depth_below(vfs::File& file, EventPoll const& avoid, u64 walk)
{
    auto* set = as_epoll(file);
    if (!set) return 0;
    if (set == &avoid) return err::loop;
    if (set->walk_ == walk) return set->walk_depth_;
    u32 deepest = 0;
    for (auto& entry : set->items_)
        deepest = std::max(deepest, TRY(depth_below(*entry.first.file, avoid, walk)));
    set->walk_ = walk;
    return set->walk_depth_ = deepest + 1;
}

u32 EventPoll::depth_above(u64 walk)
{
    if (walk_ == walk) return walk_depth_;
    u32 highest = 0;
    // Only epoll items watch files.
    for (vfs::FileWatcher& watcher : watchers)
        highest = std::max(highest, static_cast<Item&>(watcher).owner.depth_above(walk));
    walk_ = walk;
    return walk_depth_ = highest + 1;
}

Ref<EventPoll> make_epoll(Kernel& kernel)
{
    return make_ref<EventPoll>(vfs::make_anonymous_path(kernel, "anon_inode:[eventpoll]", 0600), abi::o_rdwr);
}

EventPoll* as_epoll(vfs::File& file) { return dynamic_cast<EventPoll*>(&file); }

} // namespace umbra::ipc
