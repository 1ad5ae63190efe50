// SPDX-License-Identifier: GPL-2.0-or-later
// inotify(7): watches on inodes and a queue of what happened to them. References: a watch holds its inode;
// the inotify file owns its watches.
#pragma once

#include <deque>
#include <map>
#include <memory>
#include <string>

#include "core/vfs/notify.h"

#include "core/vfs/file.h"

namespace umbra::ipc {

class Inotify final : public vfs::File {
public:
    Inotify(vfs::Path path, u32 flags);
    ~Inotify() override;

    /// inotify_add_watch(2) on an inode that the caller may read. Returns the watch's number. EEXIST, ENOSPC.
    Result<i32> add_watch(vfs::Inode& inode, u32 mask);
    /// EINVAL where there is no such watch.
    Result<void> remove_watch(i32 number);

    bool can_splice() const override { return false; }
    Result<u64> read(IoBuffer& buffer, u64 offset) override;
    u32 readiness() override;
    WaitQueue* wait_queue() override { return &queue_waiters_; }
    Result<i64> ioctl(Task& task, u32 command, u64 argument) override;
    std::string fdinfo() override;

    static constexpr size_t kMaxQueued = 16384; ///< fs.inotify.max_queued_events
    static constexpr size_t kMaxWatches = 65536; ///< fs.inotify.max_user_watches, here for each instance

private:
    class Watch;
    struct Queued {
        i32 watch;
        u32 mask, cookie;
        std::string name;
        bool operator==(Queued const&) const = default;
        /// Bytes of name with its NUL, padded as Linux does; none for no name.
        u32 name_space() const { return name.empty() ? 0 : u32(name.size() / 16 + 1) * 16; }
        u64 size() const { return sizeof(abi::InotifyEvent) + name_space(); }
    };

    void enqueue(Queued event);
    /// Removes the watch and says so (IN_IGNORED).
    void drop(i32 number);

    std::map<i32, std::unique_ptr<Watch>> watches_;
    i32 last_number_ = 0;
    std::deque<Queued> queue_;
    WaitQueue queue_waiters_;
};

/// `flags`: O_NONBLOCK.
Ref<Inotify> make_inotify(Kernel& kernel, u32 flags);
/// The inotify file that `file` is, or null.
Inotify* as_inotify(vfs::File& file);

} // namespace umbra::ipc
