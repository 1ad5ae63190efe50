// SPDX-License-Identifier: GPL-2.0-or-later
// Directories and files of cgroup2, and what watches them.
#include "core/cgroup/file-system.h"

#include <algorithm>
#include <vector>

#include "core/cgroup/namespace.h"
#include "core/fs/pseudo/pseudo.h"
#include "core/fs/pseudo/text.h"
#include "core/kernel.h"
#include "core/task/permissions.h"
#include "core/task/task.h"
#include "core/vfs/names.h"
#include "core/vfs/notify.h"
#include "core/vfs/operations.h"

namespace umbra::cgroup {

namespace {

constexpr i64 kCgroup2Magic = 0x63677270;

constexpr auto kAllRows
    = std::to_array<std::span<Row const> (*)()>({ core_rows, cpu_rows, memory_rows, pids_rows });

/// In the order of their names in the sources, with a number each that stays.
template <typename Visit> void for_each_row(Visit visit)
{
    u64 number = 0;
    for (auto rows : kAllRows)
        for (Row const& row : rows())
            visit(row, number++);
}

vfs::Attributes attributes_of(Kernel& kernel, u32 mode, Owner owner)
{
    auto const now = vfs::current_time(kernel);
    return { .mode = mode,
        .uid = owner.uid,
        .gid = owner.gid,
        .atime = now,
        .mtime = now,
        .ctime = now,
        .btime = now };
}

class GroupFileInode final : public vfs::Inode {
public:
    GroupFileInode(vfs::FileSystem& fs, Cgroup& group, Row const& row, Owner owner)
        : Inode(fs, fs.next_inode_number(), attributes_of(fs.kernel(), abi::s_ifreg | row.mode(), owner))
        , group_(group)
        , row_(row)
    {
    }
    Cgroup& group() const { return *group_; }
    Row const& row() const { return row_; }
    Result<Ref<vfs::File>> open(vfs::Path const& path, u32 flags) override;
    /// O_TRUNC does nothing, so that `echo x > file` works.
    Result<void> set_attributes(vfs::AttributeChange const& change) override
    {
        apply_change(change);
        return {};
    }

private:
    Ref<Cgroup> group_;
    Row const& row_;
};

class GroupDirectory final : public vfs::Inode {
public:
    GroupDirectory(vfs::FileSystem& fs, Cgroup& group)
        : Inode(
            fs, fs.next_inode_number(), attributes_of(fs.kernel(), abi::s_ifdir | group.mode, group.owner))
        , group_(group)
    {
        attributes_.nlink = 2 + u32(group.children.size());
    }
    Cgroup& group() const { return *group_; }
    Result<Ref<vfs::Inode>> lookup(std::string_view name) override;
    Result<Ref<vfs::Inode>> create(std::string_view name, vfs::NewInode const& what) override;
    Result<void> rmdir(std::string_view name, vfs::Inode& victim) override;
    Result<Ref<vfs::File>> open(vfs::Path const& path, u32 flags) override;
    /// Files come and go with controllers.
    bool cacheable_children() const override { return false; }

    Ref<GroupFileInode> file(Row const& row);
    /// The file, if anybody has asked for it.
    GroupFileInode* known_file(Row const& row) const
    {
        auto const found = files_.find(&row);
        return found == files_.end() ? nullptr : found->second.get();
    }

private:
    Ref<Cgroup> group_;
    std::map<Row const*, Ref<GroupFileInode>> files_;
};

class Cgroup2 final : public vfs::FileSystem {
public:
    explicit Cgroup2(Kernel& kernel)
        : FileSystem(kernel, "cgroup2")
    {
        magic_ = kCgroup2Magic;
    }
    Ref<vfs::Inode> root() override;
    Result<Ref<vfs::Dentry>> mount_root() override;
    std::string shown_root(vfs::Dentry const& dentry) const override;
    std::string show_options() const override;
    Result<void> reconfigure(std::string_view options) override;
};

GroupDirectory& directory_of(Cgroup& group)
{
    if (!group.directory) {
        auto& fs = static_cast<Cgroup2&>(*group.hierarchy.file_system); // nobody else sets it
        group.directory = make_ref<GroupDirectory>(fs, group);
    }
    return static_cast<GroupDirectory&>(*group.directory); // nobody else sets it
}

/// An open interface file. Who opened it counts, not who writes: so a descriptor can be handed on as a permission.
class GroupFile final : public vfs::File {
public:
    GroupFile(vfs::Path path, u32 flags)
        : File(std::move(path), flags)
        , credentials_(current().credentials_ref())
        , space_(namespace_of(current()))
        , seen_(changes())
    {
    }
    Result<u64> read(IoBuffer& buffer, u64 offset) override;
    Result<u64> write(IoBuffer& buffer, u64 offset) override;
    bool is_seekable() const override { return true; }
    u64 end_offset() override { return 0; }
    u32 readiness() override
    {
        constexpr u32 kAlways = abi::pollin | abi::pollrdnorm | abi::pollout | abi::pollwrnorm;
        return kAlways | (seen_ != changes() ? abi::pollerr | abi::pollpri : 0);
    }
    /// Without one, EAGAIN of memory.reclaim is an answer, and nothing to wait for.
    WaitQueue* wait_queue() override { return row().show ? &group().watchers : nullptr; }

private:
    GroupFileInode& file_inode() const { return static_cast<GroupFileInode&>(inode()); } // it made this
    Cgroup& group() const { return file_inode().group(); }
    Row const& row() const { return file_inode().row(); }
    u32 changes() const { return row().notice ? group().changes[size_t(*row().notice)] : 0; }
    bool is_gone() const { return group().dead || !row().is_in(group()); }
    Result<void> store(std::string_view text);

    Ref<Credentials> credentials_;
    Ref<CgroupNamespace> space_;
    fs::Snapshot text_;
    u32 seen_; ///< changes that this reader knows of
};

Result<u64> GroupFile::read(IoBuffer& buffer, u64 offset)
{
    if (is_gone()) return err::nodev;
    if (!row().show) return err::inval;
    return text_.read(buffer, offset, [this] {
        seen_ = changes();
        return row().show(group());
    });
}

Result<void> GroupFile::store(std::string_view text)
{
    if (is_gone()) return err::nodev;
    Hierarchy& hierarchy = group().hierarchy;
    bool const is_boundary = space_->root && space_->root.get() == &group();
    if (hierarchy.delegates_to_namespaces && is_boundary && !(row().flags & Row::delegatable))
        return err::perm;
    if (!row().store) return err::inval;
    return row().store(
        group(), fs::trimmed(text), { Ref<RefCounted>(credentials_), root_of(*space_, hierarchy) });
}

Result<u64> GroupFile::write(IoBuffer& buffer, u64)
{
    char text[fs::TextInode::kWriteMax];
    u64 const count = TRY(buffer.take(text, std::min<u64>(buffer.remaining(), sizeof text)));
    auto const stored = store({ text, count });
    if (stored.ok()) return count;
    buffer.rewind(count); // what is refused has not moved
    return stored.error();
}

Result<Ref<vfs::File>> GroupFileInode::open(vfs::Path const& path, u32 flags)
{
    if (group_->dead || !row_.is_in(*group_)) return err::nodev;
    return Ref<vfs::File>(make_ref<GroupFile>(path, flags));
}

Ref<GroupFileInode> GroupDirectory::file(Row const& row)
{
    auto const found = files_.find(&row);
    if (found != files_.end()) return found->second;
    Owner const owner = row.controller ? group_->controller_owners[size_t(*row.controller)] : group_->owner;
    auto made = make_ref<GroupFileInode>(fs_, *group_, row, owner);
    files_.emplace(&row, made);
    return made;
}

Result<Ref<vfs::Inode>> GroupDirectory::lookup(std::string_view name)
{
    if (group_->dead) return err::noent;
    Row const* wanted = nullptr;
    for_each_row([&](Row const& row, u64) {
        if (name == row.name && row.is_in(*group_)) wanted = &row;
    });
    if (wanted) return Ref<vfs::Inode>(file(*wanted));
    auto const child = group_->children.find(name);
    if (child == group_->children.end()) return err::noent;
    return Ref<vfs::Inode>(directory_of(*child->second));
}

Result<Ref<vfs::Inode>> GroupDirectory::create(std::string_view name, vfs::NewInode const& what)
{
    if (!abi::is_directory(what.mode)) return Inode::create(name, what);
    auto const made = TRY(make_child(*group_, name, { what.uid, what.gid }, what.mode & 07777));
    ++attributes_.nlink;
    touch(false, true, true);
    return Ref<vfs::Inode>(directory_of(*made));
}

Result<void> GroupDirectory::rmdir(std::string_view, vfs::Inode& victim)
{
    auto& directory = static_cast<GroupDirectory&>(victim); // a name of a directory here is a group's
    TRY(remove(directory.group()));
    --attributes_.nlink;
    touch(false, true, true);
    directory.attributes_.nlink = 0;
    for (auto const& [row, file] : directory.files_)
        vfs::notify_inode(*file, abi::in_delete_self);
    return {};
}

class DirectoryFile final : public vfs::File {
public:
    using File::File;
    bool is_seekable() const override { return true; }
    Result<void> read_directory(i64 position, vfs::DirectoryEmitter const& emit) override;
};

/// Behind the dots come the files by their numbers, then the children by theirs.
Result<void> DirectoryFile::read_directory(i64 position, vfs::DirectoryEmitter const& emit)
{
    constexpr i64 kFirstFile = 2, kFirstChild = 1000;
    if (!vfs::emit_dots(*this, position, emit)) return {};
    auto& directory = static_cast<GroupDirectory&>(inode()); // it made this
    Cgroup& group = directory.group();
    if (group.dead) return {};
    bool full = false;
    for_each_row([&](Row const& row, u64 number) {
        i64 const here = kFirstFile + i64(number);
        if (full || here < position || !row.is_in(group)) return;
        full = !emit(row.name, directory.file(row)->number(), abi::dt_reg, here + 1);
    });
    if (full) return {};
    std::map<u64, Cgroup*> by_id;
    for (auto const& [name, child] : group.children)
        by_id.emplace(child->id, child.get());
    for (auto at = by_id.lower_bound(u64(std::max<i64>(position - kFirstChild, 0))); at != by_id.end();
         ++at) {
        Cgroup& child = *at->second;
        if (!emit(child.name, directory_of(child).number(), abi::dt_dir, kFirstChild + i64(at->first) + 1))
            break;
    }
    return {};
}

Result<Ref<vfs::File>> GroupDirectory::open(vfs::Path const& path, u32 flags)
{
    return Ref<vfs::File>(make_ref<DirectoryFile>(path, flags));
}

Ref<vfs::Inode> Cgroup2::root() { return Ref<vfs::Inode>(directory_of(kernel_.cgroups().root())); }

Result<Ref<vfs::Dentry>> Cgroup2::mount_root()
{
    std::vector<std::string_view> names;
    for (Cgroup const* at = &visible_root(current()); !at->is_root(); at = at->parent.get())
        names.push_back(at->name);
    Ref<vfs::Dentry> dentry = root_dentry();
    for (; !names.empty(); names.pop_back()) {
        MutexLock lock(dentry->inode().mutex);
        auto next = TRY(vfs::lookup_child_locked(*dentry, names.back()));
        if (next->is_negative()) return err::noent; // the namespace's root was removed
        dentry = next;
    }
    return dentry;
}

std::string Cgroup2::shown_root(vfs::Dentry const& dentry) const
{
    Cgroup* group = dentry.is_negative() ? nullptr : group_of_directory(dentry.inode());
    return group ? path_of(*group, visible_root(current())) : std::string();
}

struct Option {
    char const* name;
    bool Hierarchy::*value;
};
constexpr Option kOptions[] = { { "nsdelegate", &Hierarchy::delegates_to_namespaces },
    { "favordynmods", &Hierarchy::favours_moves }, { "memory_localevents", &Hierarchy::local_memory_events },
    { "memory_recursiveprot", &Hierarchy::recursive_protection },
    { "memory_hugetlb_accounting", &Hierarchy::counts_huge_pages },
    { "pids_localevents", &Hierarchy::local_pids_events } };

std::string Cgroup2::show_options() const
{
    std::string text;
    for (Option const& option : kOptions)
        if (kernel_.cgroups().*option.value) text += std::string(",") + option.name;
    return text;
}

Result<void> Cgroup2::reconfigure(std::string_view text)
{
    Hierarchy& hierarchy = kernel_.cgroups();
    for (auto const& given : vfs::split_options(text)) {
        bool const known = std::any_of(std::begin(kOptions), std::end(kOptions),
            [&](Option const& option) { return given.name == option.name; });
        if (!known || !given.value.empty()) return err::inval;
    }
    for (Option const& option : kOptions) {
        hierarchy.*option.value = false;
        for (auto const& given : vfs::split_options(text))
            if (given.name == option.name) hierarchy.*option.value = true;
    }
    return {};
}

constexpr auto kParameters = [] {
    std::array<vfs::MountParameter, std::size(kOptions)> parameters {};
    for (size_t i = 0; i < parameters.size(); ++i)
        parameters[i] = { kOptions[i].name, vfs::MountParameter::Kind::flag };
    return parameters;
}();

} // namespace

std::span<vfs::MountParameter const> const kCgroup2Parameters = kParameters;

Result<Ref<vfs::FileSystem>> mount_cgroup2(vfs::MountRequest const& request)
{
    auto& hierarchy = request.kernel.cgroups();
    if (!hierarchy.file_system) hierarchy.file_system = make_ref<Cgroup2>(request.kernel);
    Ref<Cgroup2> const fs(static_cast<Cgroup2&>(*hierarchy.file_system)); // nobody else sets it
    if (request.who) {
        auto const& space = namespace_of(current());
        if (!is_capable(*request.who, *space.owner(), Capability::sys_admin)) return err::perm;
        // Only whoever sees the whole tree says how it works.
        if (space.root) return Ref<vfs::FileSystem>(fs);
    }
    TRY(fs->reconfigure(request.options));
    return Ref<vfs::FileSystem>(fs);
}

Cgroup* group_of_directory(vfs::Inode& inode)
{
    auto* directory = dynamic_cast<GroupDirectory*>(&inode);
    return directory ? &directory->group() : nullptr;
}

vfs::Inode& procs_inode(Cgroup& group)
{
    Row const* procs = nullptr;
    for (Row const& row : core_rows())
        if (std::string_view(row.name) == "cgroup.procs") procs = &row;
    return *directory_of(group).file(*procs); // the directory holds it
}

bool Row::is_in(Cgroup const& group) const
{
    if (group.is_root() && (flags & not_on_root)) return false;
    if (!group.is_root() && (flags & only_on_root)) return false;
    return !controller || group.is_root() || group.has(*controller);
}

void give_notice(Cgroup& group, Notice notice)
{
    ++group.changes[size_t(notice)];
    group.watchers.wake_all();
    if (!group.directory || group.is_root()) return;
    auto& directory = static_cast<GroupDirectory&>(*group.directory); // nobody else sets it
    for_each_row([&](Row const& row, u64) {
        if (row.notice != notice || !row.is_in(group)) return;
        GroupFileInode* known = directory.known_file(row);
        if (!known && directory.watches.is_empty()) return;
        Ref<GroupFileInode> const file = directory.file(row);
        vfs::notify_entry(directory, row.name, *file, abi::in_modify);
        vfs::notify_inode(*file, abi::in_modify);
    });
}

} // namespace umbra::cgroup
