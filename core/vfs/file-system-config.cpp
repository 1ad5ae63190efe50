// SPDX-License-Identifier: GPL-2.0-or-later
// Parameters of a file system that is being set up, and the steps of its setting up.
#include "core/vfs/file-system-config.h"

#include <algorithm>

#include "core/kernel.h"
#include "core/task/permissions.h"
#include "core/vfs/mount-table.h"

namespace umbra::vfs {

FileSystemConfig::FileSystemConfig(Kernel& kernel, FileSystemType const& type)
    : kernel_(kernel)
    , type_(&type)
    , phase_(Phase::parameters)
{
}

FileSystemConfig::FileSystemConfig(Kernel& kernel, FileSystemType const* type, Ref<FileSystem> fs)
    : kernel_(kernel)
    , type_(type)
    , phase_(Phase::changing)
    , fs_(std::move(fs))
{
}

Result<void> FileSystemConfig::complain(std::string text)
{
    if (log_.size() == kLogSize) log_.pop_front();
    log_.push_back("e " + std::move(text) + "\n");
    return err::inval;
}

Result<std::string> FileSystemConfig::next_message() const
{
    if (log_.empty()) return err::nodata;
    return log_.front();
}

/// What has been mounted takes changes from the next call on.
Result<void> FileSystemConfig::begin_change()
{
    if (phase_ == Phase::mounted) {
        phase_ = Phase::changing;
        options_.clear();
        source_.reset();
        read_only_.reset();
    }
    return phase_ == Phase::parameters || phase_ == Phase::changing ? Result<void>() : err::busy;
}

bool FileSystemConfig::set_common_flag(std::string_view name)
{
    if (name == "ro" || name == "rw") {
        read_only_ = name == "ro";
        return true;
    }
    // Everything is written at once here, and there are no mandatory locks.
    static constexpr std::string_view without_effect[]
        = { "sync", "async", "dirsync", "lazytime", "nolazytime", "mand", "nomand" };
    return std::find(std::begin(without_effect), std::end(without_effect), name) != std::end(without_effect);
}

Result<void> FileSystemConfig::set(std::string const& name, std::optional<std::string> const& value)
{
    TRY(begin_change());
    if (name.empty()) return complain("Unnamed parameter");
    if (set_common_flag(name)) return {};
    std::string const type = type_ ? type_->name : fs_->type();
    auto const* parameter = type_ ? type_->find_parameter(name) : nullptr;
    if (!parameter && name == "source") {
        if (!value) return complain("Non-string source");
        if (source_) return complain("Multiple sources");
        source_ = *value;
        return {};
    }
    if (!parameter && type_ && type_->ignores_unknown_parameters) return {};
    if (!parameter) return complain(type + ": Unknown parameter '" + name + "'");
    // A comma would end the value in the text that it becomes part of.
    bool const fits = value ? value->find(',') == std::string::npos : true;
    if (!fits || !parameter->accepts(value ? std::optional<std::string_view>(*value) : std::nullopt))
        return complain(type + ": Bad value for '" + name + "'");
    // As Linux bounds what mount(2) takes.
    if (options_.size() + name.size() + (value ? value->size() : 0) + 2 > kPageSize)
        return complain(type + ": Cumulative options too large");
    if (!options_.empty()) options_ += ',';
    options_ += value ? name + "=" + *value : name;
    return {};
}

Result<void> FileSystemConfig::set_other(std::string const& name)
{
    TRY(begin_change());
    std::string const type = type_ ? type_->name : fs_->type();
    if (name == "source") return complain("Non-string source");
    bool const known = type_ && type_->find_parameter(name);
    return complain(type + (known ? ": Bad value for '" : ": Unknown parameter '") + name + "'");
}

Result<void> FileSystemConfig::create(Sharing sharing)
{
    (void)begin_change();
    if (phase_ != Phase::parameters) return err::busy;
    auto const& who = current().credentials();
    bool const may
        = type_->in_user_namespaces ? who.holds(Capability::sys_admin) : who.has(Capability::sys_admin);
    if (!may) return err::perm;
    phase_ = Phase::failed;
    u32 const flags = read_only_.value_or(false) ? u32 { kMountReadOnly } : 0;
    auto fs = TRY(
        type_->make({ kernel_, source_.value_or("none"), options_, flags, current().credentials_ref() }));
    if (fs->mount_count > 0 && sharing == Sharing::refused) return err::busy;
    if (fs->mount_count == 0 && flags) fs->set_read_only(true);
    fs_ = fs;
    phase_ = Phase::awaiting_mount;
    return {};
}

Result<void> FileSystemConfig::reconfigure()
{
    (void)begin_change();
    if (phase_ != Phase::changing) return err::busy;
    phase_ = Phase::failed;
    if (!is_capable(current().credentials(), fs_->user_namespace(), Capability::sys_admin)) return err::perm;
    TRY(fs_->remount(options_, read_only_.value_or(fs_->is_read_only())));
    phase_ = Phase::mounted;
    return {};
}

Result<Ref<Mount>> FileSystemConfig::mount(u32 flags)
{
    if (!fs_) return err::inval;
    if (phase_ != Phase::awaiting_mount) return err::busy;
    TRY(kernel_.mount_table().check_room(1));
    phase_ = Phase::mounted;
    Ref<FileSystem> fs(fs_);
    return make_ref<Mount>(fs, TRY(fs->mount_root()), flags, source_.value_or("none"));
}

} // namespace umbra::vfs
