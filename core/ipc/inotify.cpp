// SPDX-License-Identifier: GPL-2.0-or-later
// inotify: watches, the event queue, reading.
#include "core/ipc/inotify.h"

#include <algorithm>
#include <cstdio>
#include <cstring>

#include "core/abi/ioctl.h"
#include "core/kernel.h"
#include "core/vfs/file-system.h"

namespace umbra::ipc {

class Inotify::Watch final : public vfs::InodeWatch {
public:
    Watch(Inotify& owner, i32 number, vfs::Inode& watched, u32 mask)
        : file_system(watched.file_system())
        , inode(watched)
        , mask_(mask)
        , owner_(owner)
        , number_(number)
    {
        inode->watches.push_back(*this);
        file_system->watches.push_back(*this);
    }

    void happened(Event const& event) override
    {
        // Told whether it was asked for or not.
        u32 what = event.mask & abi::in_unmount ? abi::in_unmount : event.mask & abi::in_all_events & mask_;
        if (event.entry_is_unlinked && mask_ & abi::in_excl_unlink) what = 0;
        if (what)
            owner_.enqueue(
                { number_, what | (event.mask & abi::in_isdir), event.cookie, std::string(event.name) });
        // `this` is gone after drop().
        if (event.mask & (abi::in_delete_self | abi::in_unmount) || (what && mask_ & abi::in_oneshot))
            owner_.drop(number_);
    }

    i32 number() const { return number_; }
    u32 mask() const { return mask_; }
    void set_mask(u32 mask) { mask_ = mask; }

    Ref<vfs::FileSystem> file_system; ///< an inode does not hold it
    Ref<vfs::Inode> inode;

private:
    u32 mask_;
    Inotify& owner_;
    i32 number_;
};

Inotify::Inotify(vfs::Path path, u32 flags)
    : File(std::move(path), (flags & abi::o_nonblock) | abi::o_rdonly)
{
}

Inotify::~Inotify() = default;

Result<i32> Inotify::add_watch(vfs::Inode& inode, u32 mask)
{
    constexpr u32 kept = abi::in_all_events | abi::in_excl_unlink | abi::in_oneshot;
    auto existing
        = std::ranges::find_if(watches_, [&](auto& entry) { return entry.second->inode == &inode; });
    if (existing != watches_.end()) {
        if (mask & abi::in_mask_create) return err::exist;
        Watch& watch = *existing->second;
        watch.set_mask((mask & abi::in_mask_add ? watch.mask() : 0) | (mask & kept));
        return watch.number();
    }
    if (watches_.size() >= kMaxWatches) return err::nospc;
    i32 number = ++last_number_;
    watches_.emplace(number, std::make_unique<Watch>(*this, number, inode, mask & kept));
    return number;
}

Result<void> Inotify::remove_watch(i32 number)
{
    if (!watches_.contains(number)) return err::inval;
    drop(number);
    return {};
}

void Inotify::drop(i32 number)
{
    watches_.erase(number);
    enqueue({ number, abi::in_ignored, 0, {} });
}

void Inotify::enqueue(Queued event)
{
    if (!queue_.empty() && queue_.back() == event) return;
    if (queue_.size() > kMaxQueued) return;
    if (queue_.size() == kMaxQueued) event = { -1, abi::in_q_overflow, 0, {} };
    queue_.push_back(std::move(event));
    queue_waiters_.wake_all(abi::pollin | abi::pollrdnorm);
}

Result<u64> Inotify::read(IoBuffer& buffer, u64)
{
    if (queue_.empty()) return err::again;
    u64 moved = 0;
    while (!queue_.empty() && queue_.front().size() <= buffer.remaining()) {
        // Taken out first: the copy may wait, and another reader must not get the same event.
        Queued event = std::move(queue_.front());
        queue_.pop_front();
        abi::InotifyEvent record { event.watch, event.mask, event.cookie, event.name_space() };
        std::string bytes(event.size(), '\0');
        std::memcpy(bytes.data(), &record, sizeof record);
        std::ranges::copy(event.name, bytes.begin() + sizeof record);
        if (buffer.put_all(bytes.data(), bytes.size()).is_error())
            return moved > 0 ? Result<u64>(moved) : err::fault;
        moved += bytes.size();
    }
    return moved > 0 ? Result<u64>(moved) : err::inval;
}

u32 Inotify::readiness() { return queue_.empty() ? 0 : abi::pollin | abi::pollrdnorm; }

Result<i64> Inotify::ioctl(Task& task, u32 command, u64 argument)
{
    if (command != abi::fionread) return File::ioctl(task, command, argument);
    u64 bytes = 0;
    for (Queued const& event : queue_)
        bytes += event.size();
    TRY(UserOut<i32> { GuestAddr(argument) }.copy_out(task, i32(bytes)));
    return 0;
}

std::string Inotify::fdinfo()
{
    std::string text;
    for (auto const& [number, watch] : watches_) {
        char line[128];
        std::snprintf(line, sizeof line, "inotify wd:%x ino:%llx sdev:%llx mask:%x ignored_mask:0\n", number,
            static_cast<unsigned long long>(watch->inode->number()),
            static_cast<unsigned long long>(watch->inode->file_system().device()), watch->mask());
        text += line;
    }
    return text;
}

Ref<Inotify> make_inotify(Kernel& kernel, u32 flags)
{
    return make_ref<Inotify>(vfs::make_anonymous_path(kernel, "anon_inode:inotify", 0600), flags);
}

Inotify* as_inotify(vfs::File& file) { return dynamic_cast<Inotify*>(&file); }

} // namespace umbra::ipc
