// SPDX-License-Identifier: GPL-2.0-or-later
// A group of fanotify(7): its marks, the queue of what they saw, and the questions that wait for an answer.
// References: the file of fanotify_init(2) holds the group and shuts it down when it is closed. Tasks that wait for an
// answer hold it too. Its marks hold inodes, its events hold places.
#pragma once

#include <list>
#include <unordered_map>

#include "core/ipc/fanotify-event.h"

namespace umbra {
class Kernel;
}

namespace umbra::ipc {

struct FanotifyOptions {
    u32 flags = 0; ///< of fanotify_init(2)
    u32 event_flags = 0; ///< O_* of descriptors in events
    bool is_unprivileged
        = false; ///< made without CAP_SYS_ADMIN: inodes only, and no numbers of other processes
};

/// How fanotify_mark(2) changes a mark.
struct FanotifyMarkChange {
    u32 mask; ///< FAN_*
    bool ignores = false; ///< FAN_MARK_IGNORE or FAN_MARK_IGNORED_MASK
    bool has_ignore_flags = false; ///< the former
    bool survives_modify = false; ///< FAN_MARK_IGNORED_SURV_MODIFY
    bool evictable = false;
    u32 kernels = 0; ///< bits of the mask that the caller did not choose: they stay, and alone keep no mark
};

class FanotifyGroup final : public vfs::MarkGroup {
public:
    /// EMFILE where the user has as many as there may be.
    static Result<Ref<FanotifyGroup>> create(Task& task, FanotifyOptions const& options);
    ~FanotifyGroup() override;

    FanotifyOptions const& options() const { return options_; }
    bool reports_handles() const { return options_.flags & abi::fan_fid_bits; }
    bool is_for_notification() const { return !(options_.flags & abi::fan_class_bits); }

    /// FAN_MARK_ADD. ENOSPC, and EEXIST for what a mark cannot become again.
    Result<void> add_to_mark(vfs::Path const& place, vfs::MarkKind kind, FanotifyMarkChange const& change);
    /// FAN_MARK_REMOVE. ENOENT.
    Result<void> remove_from_mark(
        vfs::Path const& place, vfs::MarkKind kind, FanotifyMarkChange const& change);
    void remove(vfs::Mark& mark) override;

    Result<void> happened(vfs::Happening const& what, vfs::MarkInterest const& interest) override;
    FanotifyEvent const* front() const { return queue_.empty() ? nullptr : &queue_.front(); }
    /// Takes the oldest event out; there is one.
    FanotifyEvent take();
    u64 queued_bytes() const;
    WaitQueue& readers() { return readers_; }

    /// A question that was read waits for the answer.
    void asked(Ref<FanotifyQuestion> question);
    /// ENOENT where no question goes by that descriptor.
    Result<void> answer(i32 fd, Result<void> verdict);
    /// Nobody listens any more: whoever waits goes on, the marks go.
    void shut_down();

private:
    FanotifyGroup(Kernel& kernel, u32 user, FanotifyOptions const& options);
    u32 mask_for(vfs::Happening const& what, vfs::MarkInterest const& interest) const;
    /// False where it was merged or lost.
    bool enqueue(FanotifyEvent event);
    void forget(FanotifyQuestion const& question);

    Kernel& kernel_;
    u32 user_; ///< whose groups and marks these count among
    FanotifyOptions options_;
    u64 event_limit_;
    std::list<FanotifyEvent> queue_;
    std::unordered_map<std::string, FanotifyEvent*> by_key_;
    bool overflowed_ = false; ///< FAN_Q_OVERFLOW is in the queue
    bool shut_down_ = false;
    std::list<Ref<FanotifyQuestion>> asked_;
    WaitQueue readers_;
};

} // namespace umbra::ipc
