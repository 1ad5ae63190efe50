// SPDX-License-Identifier: GPL-2.0-or-later
// statmount and listmount: mounts by their unique numbers.
#include "core/abi/mount.h"
#include "core/syscall/mount-attributes.h"
#include "core/syscall/path-argument.h"
#include "core/syscall/versioned.h"
#include "core/task/permissions.h"
#include "core/task/process-table.h"
#include "core/vfs/mount-names.h"
#include "core/vfs/mount-table.h"

namespace umbra {

namespace {

constexpr u64 kFirstUnique = u64 { 1 } << 31; ///< numbers up to it are old ones, which nobody may ask by

Result<abi::MountIdRequest> copy_in_request(Task& task, GuestAddr address)
{
    u32 const size = TRY(UserIn<u32> { address }.copy_in(task));
    if (size > kPageSize) return err::too_big;
    if (size < abi::mount_id_request_v0) return err::inval;
    auto const request = TRY(copy_in_versioned<abi::MountIdRequest>(task, address, size));
    if (request.spare || request.mount_id <= kFirstUnique) return err::inval;
    return request;
}

/// That of the caller, or one that some task is in and the caller may look into. ENOENT.
Result<Ref<vfs::MountNamespace>> namespace_by_number(Task& task, u64 number)
{
    if (!number) return task.fs().mounts;
    for (auto const& [id, other] : task.kernel().processes().tasks()) {
        if (!other->has_fs() || other->fs().mounts->number() != number) continue;
        bool const is_own = other->fs().mounts == task.fs().mounts;
        bool const may
            = is_own || is_capable(task.credentials(), *other->fs().mounts->owner(), Capability::sys_admin);
        if (!may) return err::noent;
        return other->fs().mounts;
    }
    return err::noent;
}

Result<Ref<vfs::Mount>> find(vfs::MountNamespace const& space, u64 id)
{
    auto it = space.by_id().find(id);
    if (it == space.by_id().end()) return err::noent;
    return it->second;
}

/// What the task cannot reach only the privileged see.
Result<void> check_sight(Task& task, vfs::MountNamespace const& space, vfs::Path const& place)
{
    bool const may = vfs::is_below(place, task.fs().root)
        || is_capable(task.credentials(), *space.owner(), Capability::sys_admin);
    return may ? Result<void>() : err::perm;
}

/// The structure and the strings behind it.
class Description {
public:
    /// `space`: whose mount it is; it may be detached while the file system is asked.
    Description(Task& task, vfs::MountNamespace const& space, vfs::Mount& mount, u64 wanted)
        : task_(task)
        , space_(space)
        , mount_(mount)
        , wanted_(wanted)
    {
        add_super_block();
        add_mount();
        add_strings();
    }
    abi::StatMount const& fixed() const { return out_; }
    std::string const& strings() const { return strings_; }

private:
    bool wants(u64 what)
    {
        if (!(wanted_ & what)) return false;
        out_.mask |= what;
        return true;
    }
    u32 add(std::string const& text)
    {
        u32 const offset = u32(strings_.size());
        strings_.append(text.c_str(), text.size() + 1);
        return offset;
    }
    void add_super_block()
    {
        if (!wants(abi::statmount_sb_basic)) return;
        auto& fs = mount_.file_system();
        auto const status = fs.statfs();
        out_.device_major = abi::dev_major(fs.device());
        out_.device_minor = abi::dev_minor(fs.device());
        out_.magic = status.ok() ? u64(status.value().type) : 0;
        out_.super_flags = fs.is_read_only() ? u32 { vfs::kMountReadOnly } : 0;
    }
    void add_mount()
    {
        if (wants(abi::statmount_mnt_basic)) {
            vfs::Mount const& parent = mount_.parent() ? *mount_.parent() : mount_;
            out_.mount_id = mount_.unique_id(), out_.parent_id = parent.unique_id();
            out_.old_id = mount_.id(), out_.old_parent_id = parent.id();
            out_.attributes = attributes_of_mount_flags(mount_.flags());
            out_.propagation = propagation();
            out_.peer_group = mount_.peers() ? mount_.peers()->id() : 0;
            out_.master = mount_.master() ? mount_.master()->id() : 0;
        }
        if (wants(abi::statmount_propagate_from) && mount_.master())
            out_.propagate_from = vfs::dominating_group(mount_, space_, task_.fs().root);
        if (wants(abi::statmount_mnt_ns_id)) out_.namespace_id = space_.number();
    }
    u64 propagation() const
    {
        u64 kind = mount_.is_shared() ? u64(vfs::Propagation::shared) : 0;
        if (mount_.master()) kind |= u64(vfs::Propagation::slave);
        if (!kind) kind = u64(vfs::Propagation::private_);
        return mount_.is_unbindable() ? kind | u64(vfs::Propagation::unbindable) : kind;
    }
    void add_strings()
    {
        if (wants(abi::statmount_fs_type)) out_.type = add(mount_.file_system().type());
        if (wants(abi::statmount_mnt_root)) out_.root = add(vfs::root_within_file_system(mount_));
        if (wants(abi::statmount_mnt_point)) out_.point = add(vfs::mount_point(mount_, task_.fs().root));
        if (wants(abi::statmount_mnt_opts)) {
            auto const options = mount_.file_system().show_options();
            out_.mount_options = add(options.empty() ? options : options.substr(1));
        }
    }

    Task& task_;
    vfs::MountNamespace const& space_;
    vfs::Mount& mount_;
    u64 wanted_;
    abi::StatMount out_ {};
    std::string strings_;
};

} // namespace

SyscallResult sys_statmount(Task& task, GuestAddr request_in, GuestAddr buffer, u64 size, u32 flags)
{
    if (flags) return err::inval;
    auto const request = TRY(copy_in_request(task, request_in));
    auto space = TRY(namespace_by_number(task, request.namespace_id));
    auto mount = TRY(find(*space, request.mount_id));
    TRY(check_sight(task, *space, { mount, mount->root() }));
    Description const description(task, *space, *mount, request.parameter);
    auto fixed = description.fixed();
    auto const& strings = description.strings();
    u64 const fixed_size = std::min<u64>(size, sizeof fixed);
    if (!strings.empty() && size < sizeof fixed + strings.size()) return err::overflow;
    fixed.size = u32(fixed_size + strings.size());
    if (!strings.empty()) TRY(copy_to_user(task, buffer + sizeof fixed, strings.data(), strings.size()));
    TRY(copy_to_user(task, buffer, &fixed, fixed_size));
    return 0;
}

SyscallResult sys_listmount(Task& task, GuestAddr request_in, UserOut<u64> ids, u64 count, u32 flags)
{
    constexpr u64 most = 1'000'000;
    if (flags & ~abi::listmount_reverse) return err::inval;
    if (count > most) return err::overflow;
    auto const request = TRY(copy_in_request(task, request_in));
    if (request.parameter && request.parameter <= vfs::MountTable::kUniqueIdOffset) return err::inval;
    auto space = TRY(namespace_by_number(task, request.namespace_id));
    vfs::Path from = task.fs().root;
    if (request.mount_id != abi::listmount_root) {
        auto mount = TRY(find(*space, request.mount_id));
        from = { mount, mount->root() };
    }
    TRY(check_sight(task, *space, from));
    std::vector<u64> found;
    auto take = [&](vfs::Mount& mount) {
        vfs::Path const top { Ref<vfs::Mount>(mount), mount.root() };
        if (mount.unique_id() != request.mount_id && vfs::is_below(top, from))
            found.push_back(mount.unique_id());
        return found.size() < count;
    };
    auto const& all = space->by_id();
    if (flags & abi::listmount_reverse) {
        auto it = request.parameter ? all.lower_bound(request.parameter) : all.end();
        while (count && it != all.begin() && take(*(--it)->second)) { }
    } else {
        auto it = all.upper_bound(request.parameter);
        for (; count && it != all.end() && take(*it->second); ++it) { }
    }
    TRY(ids.copy_out_array(task, found));
    return i64(found.size());
}

} // namespace umbra
