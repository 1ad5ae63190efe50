// SPDX-License-Identifier: GPL-2.0-or-later
// What every file-system instance has: its anonymous device number and the default statfs.
#include "core/vfs/file-system.h"

#include "core/kernel.h"
#include "core/vfs/path.h"

namespace umbra::vfs {

FileSystem::FileSystem(Kernel& kernel, std::string type)
    : kernel_(kernel)
    , type_(std::move(type))
    , device_(abi::make_dev(0, u32(kernel.next_unique())))
    , user_namespace_(kernel.first_user_namespace)
{
}

FileSystem::~FileSystem() = default;

Ref<Dentry> FileSystem::root_dentry()
{
    if (root_dentry_) return Ref<Dentry>(*root_dentry_);
    auto dentry = Dentry::make_root(root());
    root_dentry_ = dentry.get();
    return dentry;
}

Result<Ref<Dentry>> FileSystem::mount_root() { return root_dentry(); }

Result<void> FileSystem::remount(std::string_view options, bool read_only)
{
    if (read_only && !is_read_only() && writers) return err::busy;
    TRY(reconfigure(options));
    set_read_only(read_only);
    return {};
}

Result<abi::Statfs> FileSystem::statfs()
{
    abi::Statfs s {};
    s.type = magic_;
    s.bsize = s.frsize = i64(kPageSize);
    s.namelen = kNameMax;
    return s;
}

} // namespace umbra::vfs
