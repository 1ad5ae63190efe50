// SPDX-License-Identifier: GPL-2.0-or-later
// Namespaces as files, and what ioctl(2) tells of them (ioctl_ns(2)).
#include "core/vfs/namespace.h"

#include <iterator>

#include "core/kernel.h"
#include "core/task/namespaces.h"
#include "core/task/pid-namespace.h"
#include "core/task/task.h"
#include "core/vfs/file.h"

namespace umbra::vfs {

namespace {

constexpr NamespaceKindInfo kKinds[] = {
    { NamespaceKind::cgroup, "cgroup", 0x02000000, 0xeffffffb },
    { NamespaceKind::ipc, "ipc", 0x08000000, 0xefffffff },
    { NamespaceKind::mount, "mnt", 0x00020000, 0xf0000000 },
    { NamespaceKind::network, "net", 0x40000000, 0xf0000001 },
    { NamespaceKind::pid, "pid", 0x20000000, 0xeffffffc },
    { NamespaceKind::time, "time", 0x00000080, 0xeffffffa },
    { NamespaceKind::user, "user", 0x10000000, 0xeffffffd },
    { NamespaceKind::uts, "uts", 0x04000000, 0xeffffffe },
};

/// Behind the first ones, which Linux numbers up to 0xf0000001.
constexpr u64 kFirstFree = 0xf0001000;

class NamespaceFile final : public File {
public:
    NamespaceFile(Path path, u32 flags, Ref<Namespace> space)
        : File(std::move(path), flags)
        , space_(std::move(space))
    {
    }
    Ref<Namespace> const& space() const { return space_; }
    Result<i64> ioctl(Task& task, u32 command, u64 argument) override;

private:
    Ref<Namespace> space_;
};

class NamespaceInode final : public Inode {
public:
    NamespaceInode(Kernel& kernel, Ref<Namespace> space)
        : Inode(kernel.anonymous_files(), space->number(), Attributes { .mode = abi::s_ifreg | 0444 })
        , space_(std::move(space))
    {
    }
    Result<Ref<File>> open(Path const& path, u32 flags) override
    {
        return Ref<File>(make_ref<NamespaceFile>(path, flags, space_));
    }

    Ref<Namespace> const& space() const { return space_; }

private:
    Ref<Namespace> space_;
};

/// A descriptor for a user namespace. EPERM: it is neither the task's own nor one below that.
Result<i64> open_visible(Task& task, UserNamespace* space)
{
    if (!space || !space->is_within(*task.credentials().user_namespace)) return err::perm;
    return TRY(open_namespace(task, Ref<Namespace>(*space))).value;
}

/// A descriptor for what `pids` is in. EPERM: the task cannot see it.
Result<i64> open_parent(Task& task, PidNamespace const& pids)
{
    PidNamespace* parent = pids.parent();
    if (!parent || !parent->is_within(pid_namespace(task))) return err::perm;
    return TRY(open_namespace(task, Ref<Namespace>(*parent))).value;
}

Result<i64> NamespaceFile::ioctl(Task& task, u32 command, u64 argument)
{
    constexpr u32 get_user_namespace = 0xb701, get_parent = 0xb702, get_type = 0xb703, get_owner = 0xb704;
    bool const is_user = space_->kind() == NamespaceKind::user;
    switch (command) {
    case get_type:
        return info_of(space_->kind()).clone_flag;
    case get_user_namespace:
        return open_visible(task, space_->owner());
    case get_parent:
        if (is_user) return open_visible(task, space_->owner());
        if (space_->kind() != NamespaceKind::pid) return err::inval;
        return open_parent(task, static_cast<PidNamespace&>(*space_));
    case get_owner: {
        if (!is_user) return err::inval;
        u32 const uid = static_cast<UserNamespace&>(*space_).owner_uid();
        TRY(UserOut<u32> { GuestAddr(argument) }.copy_out(
            task, task.credentials().user_namespace->uid_out(uid)));
        return 0;
    }
    default:
        return File::ioctl(task, command, argument);
    }
}

} // namespace

NamespaceKindInfo const& info_of(NamespaceKind kind)
{
    static_assert(std::size(kKinds) == kNamespaceKinds);
    return kKinds[size_t(kind)];
}

namespace {

/// One namespace less of `kind` in `space` and all above it, as charge() counted it.
void uncharge(UserNamespace* space, NamespaceKind kind, u32 uid, UserNamespace const* end)
{
    for (; space != end; uid = space->owner_uid(), space = space->parent()) {
        auto& used = space->quota(kind).used;
        auto it = used.find(uid);
        if (--it->second == 0) used.erase(it);
    }
}

/// inc_ucount() of Linux: each namespace counts those below it as of the user who made the one on the way there.
Result<void> charge(UserNamespace& space, NamespaceKind kind, u32 uid)
{
    u32 user = uid;
    for (UserNamespace* at = &space; at; user = at->owner_uid(), at = at->parent()) {
        auto& quota = at->quota(kind);
        u64& used = quota.used[user];
        if (used < quota.limit) {
            ++used;
            continue;
        }
        if (used == 0) quota.used.erase(user);
        uncharge(&space, kind, uid, at);
        return err::nospc;
    }
    return {};
}

} // namespace

Namespace::Namespace(NamespaceKind kind, NamespaceOrigin origin)
    : kind_(kind)
    , origin_(std::move(origin))
{
}

// Only user namespaces become owners.
NamespaceOrigin::~NamespaceOrigin()
{
    if (counted_as_) uncharge(static_cast<UserNamespace*>(owner.get()), *counted_as_, uid, nullptr);
}

// Only user namespaces become owners.
UserNamespace* Namespace::owner() const { return static_cast<UserNamespace*>(origin_.owner.get()); }

Result<NamespaceOrigin> new_namespace_origin(
    Kernel& kernel, NamespaceKind kind, UserNamespace& owner, u32 uid)
{
    TRY(charge(owner, kind, uid));
    return NamespaceOrigin(kind, kFirstFree + kernel.next_unique(), &owner, uid);
}

NamespaceOrigin first_namespace_origin(NamespaceKind kind, UserNamespace& owner)
{
    return { info_of(kind).first_number, &owner };
}

Path namespace_path(Kernel& kernel, Ref<Namespace> space)
{
    std::string name
        = std::string(info_of(space->kind()).name) + ":[" + std::to_string(space->number()) + "]";
    return make_anonymous_path(kernel, std::move(name), make_ref<NamespaceInode>(kernel, std::move(space)));
}

RefPtr<Namespace> namespace_of_file(File& file)
{
    auto* open = dynamic_cast<NamespaceFile*>(&file);
    return open ? RefPtr<Namespace>(open->space()) : nullptr;
}

RefPtr<Namespace> namespace_of_inode(Inode const& inode)
{
    auto* file = dynamic_cast<NamespaceInode const*>(&inode);
    return file ? RefPtr<Namespace>(file->space()) : nullptr;
}

} // namespace umbra::vfs
