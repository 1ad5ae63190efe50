// SPDX-License-Identifier: GPL-2.0-or-later
// dnotify on the watches that inotify uses too.
#include "core/vfs/directory-notice.h"

#include <algorithm>

#include "core/kernel.h"
#include "core/task/task.h"
#include "core/vfs/fd-table.h"
#include "core/vfs/file-system.h"
#include "core/vfs/notify.h"

namespace umbra::vfs {

namespace {

constexpr u32 dn_access = 1, dn_modify = 2, dn_create = 4, dn_delete = 8, dn_rename = 16, dn_attrib = 32;
constexpr u32 dn_multishot = 0x80000000;

/// What DN_* asks for, in the events of core/vfs/notify.h.
u32 to_watched(u32 events)
{
    u32 watched = 0;
    if (events & dn_access) watched |= abi::in_access;
    if (events & dn_modify) watched |= abi::in_modify;
    if (events & dn_create) watched |= abi::in_create | abi::in_moved_to;
    if (events & dn_delete) watched |= abi::in_delete | abi::in_moved_from;
    if (events & dn_rename) watched |= kRenamedWithin;
    if (events & dn_attrib) watched |= abi::in_attrib;
    return watched;
}

} // namespace

class DirectoryNotices::Notice final : public InodeWatch {
public:
    Notice(DirectoryNotices& owner, File& watched)
        : file(watched)
        , owner_(owner)
    {
        file.inode().watches.push_back(*this);
    }

    void happened(Event const& event) override
    {
        if (!(event.mask & watched_)) return;
        auto& kernel = file.inode().file_system().kernel();
        send_async_event(kernel, file.async_owner, fd_, AsyncEvent::message);
        if (!repeats_) owner_.remove(file); // `this` is gone
    }

    void add(i32 fd, u32 events)
    {
        fd_ = fd;
        watched_ |= to_watched(events);
        repeats_ = repeats_ || (events & dn_multishot);
    }

    File& file; ///< open in the table for as long as this lives

private:
    DirectoryNotices& owner_;
    i32 fd_ = -1;
    u32 watched_ = 0;
    bool repeats_ = false;
};

DirectoryNotices::DirectoryNotices() = default;
DirectoryNotices::~DirectoryNotices() = default;

void DirectoryNotices::add(File& file, i32 fd, u32 events)
{
    auto found = std::ranges::find_if(notices_, [&](auto& notice) { return &notice->file == &file; });
    auto& notice
        = found != notices_.end() ? *found : notices_.emplace_back(std::make_unique<Notice>(*this, file));
    notice->add(fd, events);
}

void DirectoryNotices::remove(File const& file)
{
    std::erase_if(notices_, [&](auto& notice) { return &notice->file == &file; });
}

Result<void> set_directory_notice(Task& task, File& file, GuestFd fd, u32 events)
{
    auto& notices = task.files().directory_notices;
    if (!(events & ~dn_multishot)) {
        if (notices) notices->remove(file);
        return {};
    }
    if (!file.inode().is_directory()) return err::notdir;
    if (!notices) notices = std::make_unique<DirectoryNotices>();
    notices->add(file, fd.value, events);
    if (!file.async_owner.id) set_async_owner(file, task, AsyncOwner::process, task.pid().value);
    return {};
}

} // namespace umbra::vfs
