// SPDX-License-Identifier: GPL-2.0-or-later
// One event of fanotify(7): what a group makes of what happened, which others it is merged with, and the records that a
// read gives of it.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/abi/fanotify.h"
#include "core/abi/file-handle.h"
#include "core/sync/wait-queue.h"
#include "core/task/process.h"
#include "core/vfs/marks.h"

namespace umbra::ipc {

/// The question that a permission event puts. The task that wants to go on waits for the answer.
class FanotifyQuestion final : public RefCounted {
public:
    void answer(Result<void> verdict)
    {
        if (answered_) return;
        answered_ = true;
        verdict_ = verdict;
        waiters_.wake_all();
    }
    /// EPERM where it is denied. Only a fatal signal ends the wait.
    Result<void> wait()
    {
        TRY(waiters_.wait_until([this] { return answered_; }, kNever, Interruption::killable));
        return verdict_;
    }

    i32 fd = abi::fan_no_fd; ///< by which the listener names it

private:
    bool answered_ = false;
    Result<void> verdict_;
    WaitQueue waiters_;
};

class FanotifyEvent {
public:
    /// FAN_Q_OVERFLOW.
    FanotifyEvent() = default;
    /// `mask`: what of it the group is told; `group_flags`: FAN_* of fanotify_init(2).
    FanotifyEvent(vfs::Happening const& what, vfs::MarkInterest const& interest, u32 mask, u32 group_flags);

    u32 mask() const { return mask_; }
    Pid pid() const { return pid_; }
    bool is_overflow() const { return mask_ & abi::fan_q_overflow; }
    RefPtr<Process> const& process() const { return process_; } ///< with FAN_REPORT_PIDFD
    std::optional<vfs::Path> const& path() const { return path_; } ///< to open
    RefPtr<FanotifyQuestion> const& question() const { return question_; }
    /// Events with equal keys are one; empty where none may be merged with it.
    std::string const& key() const { return key_; }
    void merge(u32 mask) { mask_ |= mask; }

    /// Bytes that a read gives, descriptors aside.
    u64 size(u32 group_flags) const;
    /// The records of file handles, in Linux's order.
    std::vector<u8> handle_records(u32 group_flags) const;

private:
    /// A file system and an object of it.
    struct Id {
        u64 file_system;
        abi::WholeHandle handle;
    };
    struct Record {
        u8 type;
        Id const& id;
        std::string_view name;
    };
    static Id id_of(vfs::Inode const& inode);
    void set_ids(vfs::Happening const& what, vfs::MarkInterest const& interest, u32 flags);
    void set_rename_ids(vfs::Happening const& what, vfs::MarkInterest const& interest);
    void make_key();
    std::vector<Record> records(u32 group_flags) const;
    u8 lone_object_type(u32 group_flags) const;

    u32 mask_ = abi::fan_q_overflow;
    Pid pid_ {};
    RefPtr<Process> process_;
    std::optional<vfs::Path> path_;
    std::optional<Id> directory_, new_directory_, object_;
    std::string name_, new_name_;
    RefPtr<FanotifyQuestion> question_;
    std::string key_;
};

} // namespace umbra::ipc
