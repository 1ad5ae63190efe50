// SPDX-License-Identifier: GPL-2.0-or-later
// The instance, its directory, its nodes, and the making of pairs.
#include "core/fs/devpts/devpts.h"

#include <map>

#include "core/abi/termios.h"
#include "core/kernel.h"
#include "core/task/task.h"
#include "core/tty/pty.h"
#include "core/vfs/operations.h"

namespace umbra::fs {

namespace {

constexpr i64 kDevptsMagic = 0x1cd1;
constexpr u32 kDefaultLimit = 4096; ///< kernel.pty.max
constexpr u64 kRootNumber = 1, kPtmxNumber = 2, kFirstSlaveNumber = 3; ///< of inodes, as Linux has them

struct DevptsOptions {
    u32 mode = 0600, ptmx_mode = 0, limit = kDefaultLimit;
    std::optional<u32> uid, gid;
};

Result<DevptsOptions> parse_options(
    std::string_view text, vfs::MountRequest const& request, DevptsOptions options)
{
    for (auto const& [name, value] : vfs::split_options(text)) {
        if (name == "mode")
            options.mode = TRY(vfs::parse_number(value, 8)) & 0777;
        else if (name == "ptmxmode")
            options.ptmx_mode = TRY(vfs::parse_number(value, 8)) & 0777;
        else if (name == "uid")
            options.uid = TRY(request.uid(TRY(vfs::parse_number(value, 10))));
        else if (name == "gid")
            options.gid = TRY(request.gid(TRY(vfs::parse_number(value, 10))));
        else if (name == "max")
            options.limit = TRY(vfs::parse_number(value, 10));
        else if (name != "newinstance")
            return err::inval;
    }
    return options;
}

std::string octal(u32 mode)
{
    return { char('0' + (mode >> 6 & 7)), char('0' + (mode >> 3 & 7)), char('0' + (mode & 7)) };
}

vfs::Attributes new_attributes(Kernel& kernel, u32 mode)
{
    auto const now = vfs::current_time(kernel);
    return { .mode = mode, .block_size = 1024, .atime = now, .mtime = now, .ctime = now, .btime = now };
}

class SlaveInode final : public vfs::Inode {
public:
    SlaveInode(vfs::FileSystem& fs, vfs::Attributes const& attributes, Ref<tty::PtySlave> slave)
        : Inode(fs, kFirstSlaveNumber + slave->index(), attributes)
        , slave_(std::move(slave))
    {
    }
    Result<Ref<vfs::File>> open(vfs::Path const& path, u32 flags) override
    {
        return tty::open_tty(*slave_, path, flags);
    }
    tty::PtySlave& slave() const { return *slave_; }

private:
    Ref<tty::PtySlave> slave_;
};

class PtmxInode final : public vfs::Inode {
public:
    using Inode::Inode;
    Result<Ref<vfs::File>> open(vfs::Path const& path, u32 flags) override { return open_ptmx(path, flags); }
};

class Devpts final : public vfs::FileSystem {
public:
    Devpts(Kernel& kernel, DevptsOptions options, RefPtr<Credentials> const& who);

    Ref<vfs::Inode> root() override;
    std::string show_options() const override;
    bool devices_are_dead() const override { return false; }
    Result<void> reconfigure(std::string_view text) override;

    /// A new pair; its node appears.
    Result<Ref<tty::PtySlave>> make_pair();
    RefPtr<vfs::Inode> find(std::string_view name) const;
    std::map<u32, Ref<SlaveInode>> const& slaves() const { return slaves_; }

private:
    DevptsOptions options_;
    RefPtr<vfs::Inode> root_, ptmx_;
    std::map<u32, Ref<SlaveInode>> slaves_;
};

class RootFile final : public vfs::File {
public:
    using File::File;
    bool is_seekable() const override { return true; }
    Result<void> read_directory(i64 position, vfs::DirectoryEmitter const& emit) override;
};

class RootInode final : public vfs::Inode {
public:
    using Inode::Inode;
    Devpts& instance() const { return static_cast<Devpts&>(fs_); } // it makes no inode elsewhere
    Result<Ref<vfs::Inode>> lookup(std::string_view name) override
    {
        auto found = instance().find(name);
        return found ? Result<Ref<vfs::Inode>>(Ref<vfs::Inode>(found)) : err::noent;
    }
    Result<Ref<vfs::File>> open(vfs::Path const& path, u32 flags) override
    {
        return Ref<vfs::File>(make_ref<RootFile>(path, flags));
    }
    /// Slaves come and go without the VFS being asked.
    bool cacheable_children() const override { return false; }
};

constexpr i64 kPtmxPosition = 2, kFirstSlavePosition = 3;

Result<void> RootFile::read_directory(i64 position, vfs::DirectoryEmitter const& emit)
{
    if (!vfs::emit_dots(*this, position, emit)) return {};
    if (position <= kPtmxPosition && !emit("ptmx", kPtmxNumber, abi::dt_chr, kFirstSlavePosition)) return {};
    auto const& slaves = static_cast<RootInode&>(inode()).instance().slaves();
    u32 const first = position <= kFirstSlavePosition ? 0 : u32(position - kFirstSlavePosition);
    for (auto it = slaves.lower_bound(first); it != slaves.end(); ++it) {
        i64 const next = kFirstSlavePosition + it->first + 1;
        if (!emit(std::to_string(it->first), it->second->number(), abi::dt_chr, next)) return {};
    }
    return {};
}

Devpts::Devpts(Kernel& kernel, DevptsOptions options, RefPtr<Credentials> const& who)
    : FileSystem(kernel, "devpts")
    , options_(options)
{
    magic_ = kDevptsMagic;
    auto root = new_attributes(kernel, abi::s_ifdir | 0755);
    root.nlink = 2;
    root_ = make_ref<RootInode>(*this, kRootNumber, root);
    auto ptmx = new_attributes(kernel, abi::s_ifchr | options_.ptmx_mode);
    if (who) ptmx.uid = who->fsuid, ptmx.gid = who->fsgid;
    ptmx.rdev = abi::make_dev(abi::tty_auxiliary_major, 2);
    ptmx_ = make_ref<PtmxInode>(*this, kPtmxNumber, ptmx);
}

Ref<vfs::Inode> Devpts::root() { return Ref<vfs::Inode>(*root_); }

std::string Devpts::show_options() const
{
    std::string text;
    if (options_.uid) text += ",uid=" + std::to_string(*options_.uid);
    if (options_.gid) text += ",gid=" + std::to_string(*options_.gid);
    text += ",mode=" + octal(options_.mode) + ",ptmxmode=" + octal(options_.ptmx_mode);
    if (options_.limit != kDefaultLimit) text += ",max=" + std::to_string(options_.limit);
    return text;
}

Result<void> Devpts::reconfigure(std::string_view text)
{
    options_ = TRY(parse_options(text, { kernel_, {}, {}, 0, current().credentials_ref() }, options_));
    return ptmx_->set_attributes(
        { .mask = vfs::AttributeChange::kMode, .mode = abi::s_ifchr | options_.ptmx_mode });
}

RefPtr<vfs::Inode> Devpts::find(std::string_view name) const
{
    if (name == "ptmx") return ptmx_;
    auto const number = vfs::parse_number(name, 10);
    if (number.is_error() || std::to_string(number.value()) != name) return nullptr;
    auto const it = slaves_.find(number.value());
    return it == slaves_.end() ? nullptr : RefPtr<vfs::Inode>(it->second.get());
}

Result<Ref<tty::PtySlave>> Devpts::make_pair()
{
    u32 index = 0;
    while (slaves_.count(index))
        ++index;
    if (index >= options_.limit) return err::nospc;
    auto slave = make_ref<tty::PtySlave>(
        kernel_, index, [instance = Ref<Devpts>(*this), index] { instance->slaves_.erase(index); });
    auto const& who = current().credentials();
    auto attributes = new_attributes(kernel_, abi::s_ifchr | options_.mode);
    attributes.uid = options_.uid.value_or(who.fsuid);
    attributes.gid = options_.gid.value_or(who.fsgid);
    attributes.rdev = slave->device();
    slaves_.emplace(index, make_ref<SlaveInode>(*this, attributes, slave));
    return slave;
}

/// The mount of the instance that a ptmx node belongs to.
Result<Ref<vfs::Mount>> devpts_mount_of(vfs::Path const& ptmx)
{
    if (dynamic_cast<Devpts*>(&ptmx.inode().file_system())) return ptmx.mount;
    if (!ptmx.dentry->parent()) return err::nodev;
    Ref<vfs::Dentry> const directory(*ptmx.dentry->parent());
    vfs::Path pts { ptmx.mount, TRY(vfs::lookup_child({ ptmx.mount, directory }, "pts")) };
    vfs::cross_mounts(pts);
    if (!dynamic_cast<Devpts*>(&pts.mount->file_system())) return err::nodev;
    return pts.mount;
}

Result<Ref<vfs::File>> open_slave(Ref<vfs::Mount> const& mount, u32 index, u32 flags)
{
    auto const dentry
        = TRY(vfs::lookup_child({ mount, Ref<vfs::Dentry>(mount->root()) }, std::to_string(index)));
    if (dentry->is_negative()) return err::io; // the master is being closed
    return dentry->inode().open({ mount, dentry }, flags);
}

} // namespace

using Kind = vfs::MountParameter::Kind;
static constexpr vfs::MountParameter kParameters[]
    = { { "gid", Kind::number }, { "max", Kind::number }, { "mode", Kind::octal },
          { "newinstance", Kind::flag }, { "ptmxmode", Kind::octal }, { "uid", Kind::number } };
std::span<vfs::MountParameter const> const kDevptsParameters = kParameters;

Result<Ref<vfs::FileSystem>> mount_devpts(vfs::MountRequest const& request)
{
    auto const options = TRY(parse_options(request.options, request, {}));
    auto fs = make_ref<Devpts>(request.kernel, options, request.who);
    fs->set_user_namespace(Ref<UserNamespace>(request.user_namespace()));
    return Ref<vfs::FileSystem>(fs);
}

Result<Ref<vfs::File>> open_ptmx(vfs::Path const& path, u32 flags)
{
    auto mount = TRY(devpts_mount_of(path));
    auto slave = TRY(static_cast<Devpts&>(mount->file_system()).make_pair());
    u32 const index = slave->index();
    auto open_peer = [mount, index](u32 peer_flags) { return open_slave(mount, index, peer_flags); };
    return Ref<vfs::File>(make_ref<tty::PtyMaster>(path, flags, std::move(slave), std::move(open_peer)));
}

} // namespace umbra::fs
