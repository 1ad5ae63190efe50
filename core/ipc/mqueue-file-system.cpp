// SPDX-License-Identifier: GPL-2.0-or-later
// The file system of message queues: one directory, and a file for each queue.
#include <algorithm>

#include "core/ipc/ipc-namespace.h"
#include "core/ipc/mqueue.h"
#include "core/kernel.h"
#include "core/task/namespaces.h"
#include "core/task/task.h"
#include "core/vfs/dentry-cache.h"
#include "core/vfs/file-system.h"
#include "core/vfs/names.h"
#include "core/vfs/notify.h"

namespace umbra::ipc {

namespace {

constexpr i64 kMqueueMagic = 0x19800202;
constexpr u64 kStatusSize = 80, kDirectoryEntrySize = 20; ///< what stat(2) shows, as Linux has them
constexpr i64 kHardMaxMessages = 65536, kHardMaxSize = 16 << 20;
constexpr u64 kMessageOverhead = 48, kPriorityOverhead = 48; ///< of Linux's structures, for RLIMIT_MSGQUEUE

vfs::Attributes new_attributes(Kernel& kernel, u32 mode)
{
    auto const now = vfs::current_time(kernel);
    return { .mode = mode, .atime = now, .mtime = now, .ctime = now, .btime = now };
}

/// The room that a queue may come to need, overhead included. EINVAL, EOVERFLOW.
Result<u64> room_of(Task& task, MqueueLimits const& limits, abi::MqAttributes const& shape)
{
    i64 const messages = shape.max_messages, size = shape.message_size;
    if (messages <= 0 || size <= 0) return err::inval;
    bool const privileged = task.credentials().has(Capability::sys_resource);
    if (messages > (privileged ? kHardMaxMessages : limits.msg_max)) return err::inval;
    if (size > (privileged ? kHardMaxSize : limits.msgsize_max)) return err::inval;
    // At most 2^16 messages of 2^24 bytes: no overflow.
    return u64(messages) * u64(size) + u64(messages) * kMessageOverhead
        + std::min<u64>(u64(messages), abi::mq_priorities) * kPriorityOverhead;
}

class Directory;

class MqueueFileSystem final : public vfs::FileSystem {
public:
    MqueueFileSystem(Kernel& kernel, Ref<UserNamespace> ruler, Ref<MqueueLimits> limits);
    Ref<vfs::Inode> root() override;
    MqueueLimits& limits() const { return *limits_; }
    Ref<MqueueLimits> const& limits_ref() const { return limits_; }

private:
    Ref<MqueueLimits> limits_;
    RefPtr<vfs::Inode> root_;
};

class Directory final : public vfs::Inode {
public:
    using Inode::Inode;

    Result<Ref<vfs::Inode>> lookup(std::string_view name) override
    {
        auto found = queues_.find(name);
        return found == queues_.end() ? err::noent : Result<Ref<vfs::Inode>>(Ref<vfs::Inode>(*found->second));
    }
    Result<Ref<vfs::Inode>> create(std::string_view name, vfs::NewInode const& what) override
    {
        if (!abi::is_regular(what.mode)) return err::perm;
        return create_queue(name, what, nullptr);
    }
    Result<void> unlink(std::string_view name, vfs::Inode& victim) override
    {
        queues_.erase(queues_.find(name));
        attributes_.size -= kDirectoryEntrySize;
        touch(true, true, true);
        (void)victim.set_attributes({ .mask = vfs::AttributeChange::kCtime, .ctime = attributes_.ctime })
            .ok();
        return {};
    }
    Result<Ref<vfs::File>> open(vfs::Path const& path, u32 flags) override;

    Result<Ref<vfs::Inode>> create_queue(
        std::string_view name, vfs::NewInode const& what, abi::MqAttributes const* shape);

    std::map<std::string, Ref<MessageQueue>, std::less<>> const& queues() const { return queues_; }

private:
    std::map<std::string, Ref<MessageQueue>, std::less<>> queues_;
};

Result<Ref<vfs::Inode>> Directory::create_queue(
    std::string_view name, vfs::NewInode const& what, abi::MqAttributes const* shape)
{
    Task& task = current();
    // It is the file system that made this directory.
    auto& owner = static_cast<MqueueFileSystem&>(file_system());
    auto& limits = owner.limits();
    if (limits.ended) return err::acces;
    if (limits.queues >= limits.queues_max && !task.credentials().has(Capability::sys_resource))
        return err::nospc;
    abi::MqAttributes const usual { .max_messages = std::min(limits.msg_max, limits.msg_default),
        .message_size = std::min(limits.msgsize_max, limits.msgsize_default) };
    abi::MqAttributes const& wanted = shape ? *shape : usual;
    u64 const room = TRY(room_of(task, limits, wanted));
    auto const& rooms = limits.memory->mqueue_room;
    auto used = rooms.find(what.uid);
    if ((used == rooms.end() ? 0 : used->second) + room > task.limit(Resource::msgqueue)) return err::mfile;
    auto attributes = new_attributes(owner.kernel(), abi::s_ifreg | (what.mode & 07777));
    attributes.uid = what.uid;
    attributes.gid = what.gid;
    attributes.size = kStatusSize;
    auto queue = make_ref<MessageQueue>(
        owner, owner.next_inode_number(), attributes, owner.limits_ref(), wanted, room);
    queues_.emplace(std::string(name), queue);
    attributes_.size += kDirectoryEntrySize;
    touch(true, true, true);
    return Ref<vfs::Inode>(std::move(queue));
}

class DirectoryFile final : public vfs::File {
public:
    using File::File;
    bool is_seekable() const override { return true; }
    /// A position beyond the dots is an inode's number: queues may come and go between two reads.
    Result<void> read_directory(i64 position, vfs::DirectoryEmitter const& emit) override
    {
        if (!vfs::emit_dots(*this, position, emit)) return {};
        std::map<u64, std::string_view> by_number;
        for (auto const& [name, queue] : static_cast<Directory&>(inode()).queues())
            by_number.emplace(queue->number(), name);
        for (auto it = by_number.lower_bound(u64(position)); it != by_number.end(); ++it)
            if (!emit(it->second, it->first, abi::dt_reg, i64(it->first) + 1)) return {};
        return {};
    }
};

Result<Ref<vfs::File>> Directory::open(vfs::Path const& path, u32 flags)
{
    return Ref<vfs::File>(make_ref<DirectoryFile>(path, flags));
}

class QueueFile final : public vfs::File {
public:
    using File::File;
    MessageQueue& queue() const { return static_cast<MessageQueue&>(inode()); } // only queues make these
    bool is_seekable() const override { return true; }
    Result<u64> read(IoBuffer& buffer, u64 offset) override
    {
        std::string const text = queue().status();
        if (offset >= text.size()) return u64 { 0 };
        return buffer.put(text.data() + offset, std::min<u64>(text.size() - offset, buffer.remaining()));
    }
    u32 readiness() override { return queue().readiness(); }
    WaitQueue* wait_queue() override { return &queue().watchers; }
    void flush(Task& task) override { queue().unregister_notification(task.process()); }
};

constexpr u64 kRootNumber = 1, kLastReservedNumber = 2;

MqueueFileSystem::MqueueFileSystem(Kernel& kernel, Ref<UserNamespace> ruler, Ref<MqueueLimits> limits)
    : FileSystem(kernel, "mqueue")
    , limits_(std::move(limits))
{
    set_user_namespace(std::move(ruler));
    magic_ = kMqueueMagic;
    last_inode_ = kLastReservedNumber; // directory positions below are the dots'
    auto root = new_attributes(kernel, abi::s_ifdir | abi::s_isvtx | 0777);
    root.nlink = 2;
    root.size = 2 * kDirectoryEntrySize;
    root_ = make_ref<Directory>(*this, kRootNumber, root);
}

Ref<vfs::Inode> MqueueFileSystem::root() { return Ref<vfs::Inode>(*root_); }

/// Where a namespace has its queues, made when it is first asked for.
vfs::Mount& mount_of(IpcNamespace& ns)
{
    auto& space = ns.mqueues;
    if (!space.mount) {
        auto fs = make_ref<MqueueFileSystem>(ns.kernel, Ref<UserNamespace>(*ns.owner()), space.limits);
        space.mount = make_ref<vfs::Mount>(fs, 0, "mqueue");
    }
    return *space.mount;
}

/// The root of the file system of the task's namespace.
vfs::Path queue_root(Task& task)
{
    vfs::Mount& mount = mount_of(ipc_namespace(task));
    return { Ref<vfs::Mount>(mount), Ref<vfs::Dentry>(mount.root()) };
}

/// lookup_one_len(): a name is one component.
Result<vfs::LockedName> find_name(Task& task, std::string const& name)
{
    if (name == "." || name == ".." || name.find('/') != std::string::npos) return err::acces;
    if (name.size() > vfs::kNameMax) return err::nametoolong;
    vfs::Path root = queue_root(task);
    TRY(vfs::check_permission(task.credentials(), root.inode(), abi::x_ok));
    return vfs::lock_name({ .directory = root, .name = name, .trailing_slash = false });
}

Result<void> create_in(Task& task, vfs::LockedName& place, u32 mode, abi::MqAttributes const* shape)
{
    auto const& who = task.credentials();
    TRY(vfs::check_create(who, *place.directory.dentry));
    auto& root = static_cast<Directory&>(place.directory.inode()); // queue_root() gave it
    auto const what = vfs::new_inode_in(who, root, abi::s_ifreg | (mode & 07777));
    auto made = TRY(root.create_queue(place.name, what, shape));
    task.kernel().dentries().instantiate(*place.dentry, made);
    vfs::notify_entry(root, place.name, *made, abi::in_create);
    return {};
}

} // namespace

Result<Ref<vfs::File>> MessageQueue::open(vfs::Path const& path, u32 flags)
{
    return Ref<vfs::File>(make_ref<QueueFile>(path, flags));
}

Result<Ref<vfs::File>> open_message_queue(
    Task& task, std::string const& name, u32 flags, u32 mode, abi::MqAttributes const* shape)
{
    static constexpr u32 masks[] = { abi::r_ok, abi::w_ok, abi::r_ok | abi::w_ok };
    auto place = TRY(find_name(task, name));
    u32 const access = flags & abi::o_accmode;
    if (place.dentry->is_negative()) {
        if (!(flags & abi::o_creat)) return err::noent;
        TRY(create_in(task, place, mode, shape));
    } else {
        if ((flags & abi::o_creat) && (flags & abi::o_excl)) return err::exist;
        if (access > abi::o_rdwr) return err::inval;
        TRY(vfs::check_permission(task.credentials(), place.dentry->inode(), masks[access]));
    }
    vfs::Path const path { place.directory.mount, place.dentry };
    auto file = TRY(place.dentry->inode().open(path, flags));
    vfs::notify_path(path, abi::in_open);
    return file;
}

Result<void> unlink_message_queue(Task& task, std::string const& name)
{
    auto place = TRY(find_name(task, name));
    if (place.dentry->is_negative()) return err::noent;
    TRY(vfs::check_delete(task.credentials(), *place.directory.dentry, *place.dentry, false));
    Ref<vfs::Inode> queue(place.dentry->inode());
    TRY(place.directory.inode().unlink(name, *queue));
    task.kernel().dentries().unlinked(*place.dentry);
    vfs::notify_entry(place.directory.inode(), name, *queue, abi::in_delete);
    return {};
}

MessageQueue* as_message_queue(vfs::File& file)
{
    auto* queue = dynamic_cast<QueueFile*>(&file);
    return queue ? &queue->queue() : nullptr;
}

Result<Ref<vfs::FileSystem>> mount_message_queues(Kernel& kernel, Task* mounter)
{
    // The root's mounts are made before there is a task to ask.
    IpcNamespace& ns = mounter ? ipc_namespace(*mounter) : *kernel.first_namespaces().ipc;
    if (mounter && !rules_ipc(*mounter, Capability::sys_admin)) return err::perm;
    return Ref<vfs::FileSystem>(mount_of(ns).file_system());
}

} // namespace umbra::ipc
