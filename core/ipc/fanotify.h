// SPDX-License-Identifier: GPL-2.0-or-later
// The file of fanotify_init(2): reading events, with descriptors where the group asked for those, and answering
// permission events by writing.
#pragma once

#include "core/ipc/fanotify-group.h"
#include "core/vfs/file.h"

namespace umbra::ipc {

class Fanotify final : public vfs::File {
public:
    Fanotify(vfs::Path path, u32 flags, Ref<FanotifyGroup> group);
    ~Fanotify() override;

    FanotifyGroup& group() const { return *group_; }

    bool can_splice() const override { return false; }
    Result<u64> read(IoBuffer& buffer, u64 offset) override;
    /// One response of fanotify(7). EINVAL, ENOENT.
    Result<u64> write(IoBuffer& buffer, u64 offset) override;
    u32 readiness() override;
    WaitQueue* wait_queue() override { return &group_->readers(); }
    Result<i64> ioctl(Task& task, u32 command, u64 argument) override;
    std::string fdinfo() override;

private:
    Result<u64> deliver(Task& task, FanotifyEvent const& event, IoBuffer& buffer);

    Ref<FanotifyGroup> group_;
};

/// EMFILE where the user has as many groups as there may be.
Result<Ref<vfs::File>> make_fanotify(Task& task, FanotifyOptions const& options);
/// The fanotify file that `file` is, or null.
Fanotify* as_fanotify(vfs::File& file);

} // namespace umbra::ipc
