// SPDX-License-Identifier: GPL-2.0-or-later
// Namespaces as files, and what ioctl(2) tells of them (ioctl_ns(2)).
#include "core/vfs/namespace.h"

#include <iterator>

#include "core/kernel.h"
#include "core/task/namespaces.h"
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

private:
    Ref<Namespace> space_;
};

Result<i64> NamespaceFile::ioctl(Task& task, u32 command, u64 argument)
{
    constexpr u32 get_user_namespace = 0xb701, get_parent = 0xb702, get_type = 0xb703, get_owner = 0xb704;
    bool const is_user = space_->kind() == NamespaceKind::user;
    switch (command) {
    case get_type:
        return info_of(space_->kind()).clone_flag;
    case get_user_namespace:
        // The one that owns the first user namespace is out of sight, as is a parent of the first ones.
        if (is_user) return err::perm;
        return TRY(open_namespace(task, task.namespaces().user)).value;
    case get_parent:
        return is_user || space_->kind() == NamespaceKind::pid ? err::perm : err::inval;
    case get_owner:
        if (!is_user) return err::inval;
        TRY(UserOut<u32> { GuestAddr(argument) }.copy_out(task, 0u));
        return 0;
    default:
        return File::ioctl(task, command, argument);
    }
}

} // namespace

NamespaceKindInfo const& info_of(NamespaceKind kind)
{
    static_assert(std::size(kKinds) == size_t(NamespaceKind::uts) + 1);
    return kKinds[size_t(kind)];
}

u64 new_namespace_number(Kernel& kernel) { return kFirstFree + kernel.next_unique(); }

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

} // namespace umbra::vfs
