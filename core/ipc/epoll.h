// SPDX-License-Identifier: GPL-2.0-or-later
// epoll(7): a set of files and the list of those that may be ready. A file's wake-up puts its item on the
// ready list (Waiter::notify); epoll_wait asks each item on it what really holds. Items do not keep their
// file alive: they go with its last reference (FileWatcher). An epoll file can itself be in a set; loops and
// chains over five are refused.
#pragma once

#include <memory>
#include <span>
#include <unordered_map>

#include "core/abi/epoll.h"
#include "core/vfs/file.h"

namespace umbra::ipc {

class EventPoll final : public vfs::File {
public:
    EventPoll(vfs::Path path, u32 flags);
    ~EventPoll() override;

    /// epoll_ctl(2). EEXIST, ENOENT, EPERM (the file cannot be polled), ELOOP, EINVAL.
    Result<void> add(vfs::File& file, GuestFd fd, abi::EpollEvent const& event);
    Result<void> modify(vfs::File& file, GuestFd fd, abi::EpollEvent const& event);
    Result<void> remove(vfs::File& file, GuestFd fd);

    /// epoll_wait(2): copies up to `limit` events to the guest; waits until there is one. 0 at the deadline
    /// (CLOCK_MONOTONIC), EINTR on a signal.
    Result<i64> wait(Task& task, UserOut<abi::EpollEvent> out, u64 limit, Nanoseconds deadline);
    /// What wait() hands out, into kernel memory; returns how many. Never waits.
    u64 collect(std::span<abi::EpollEvent> out);

    /// The file behind the item of that number, the `nth` where descriptors were made anew under it; null.
    vfs::File* target(i32 fd, u32 nth) const;

    /// Readable while an item is ready, for nested sets and poll(2).
    bool can_splice() const override { return false; }
    u32 readiness() override;
    WaitQueue* wait_queue() override { return &pollers_; }
    std::string fdinfo() override;

private:
    class Item;
    struct Key {
        vfs::File* file;
        i32 fd;
        bool operator==(Key const&) const = default;
    };
    struct KeyHash {
        size_t operator()(Key const& key) const;
    };

    Item* find(vfs::File& file, GuestFd fd) const;
    /// Puts an item on the ready list and wakes whoever waits for one.
    void make_ready(Item& item, u32 events);
    void erase(Item& item);
    Result<u64> hand_out(Task& task, UserOut<abi::EpollEvent> out, u64 limit);

    /// Sets in the longest chain that `file` heads, itself included: 0 for a plain file. ELOOP if `avoid` is
    /// among them. `walk` is a fresh number: each set is visited once per walk, however many ways lead to it.
    static Result<u32> depth_below(vfs::File& file, EventPoll const& avoid, u64 walk);
    /// The same upwards, over the sets that contain this one.
    u32 depth_above(u64 walk);

    std::unordered_map<Key, std::unique_ptr<Item>, KeyHash> items_;
    struct ReadyTag;
    List<Item, TaggedNode<ReadyTag>> ready_;
    u64 ready_count_ = 0;
    u64 walk_ = 0; ///< the last walk that came here, and the depth it found
    u32 walk_depth_ = 0;
    WaitQueue sleepers_; ///< tasks in epoll_wait
    WaitQueue pollers_; ///< poll(2), and items of sets that contain this one
};

/// epoll_create1(2).
Ref<EventPoll> make_epoll(Kernel& kernel);
/// The epoll file that `file` is, or null.
EventPoll* as_epoll(vfs::File& file);

} // namespace umbra::ipc
