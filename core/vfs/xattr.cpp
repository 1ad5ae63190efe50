// SPDX-License-Identifier: GPL-2.0-or-later
// Extended attributes: who may see and change which name space (xattr(7)); the values are the file system's.
#include "core/task/permissions.h"
#include "core/task/task.h"
#include "core/vfs/file-capabilities.h"
#include "core/vfs/notify.h"
#include "core/vfs/operations.h"

namespace umbra::vfs {

namespace {

constexpr std::string_view kCapabilities = "security.capability";

bool is_known_namespace(std::string_view name)
{
    for (std::string_view prefix : { "user.", "trusted.", "security.", "system." }) {
        if (name.starts_with(prefix)) return name.size() > prefix.size();
    }
    return false;
}

/// xattr_permission() and cap_inode_setxattr() of Linux.
Result<void> check_xattr(Credentials const& who, Inode& inode, std::string_view name, u32 mask)
{
    bool writes = mask & abi::w_ok;
    if (!is_known_namespace(name)) return err::opnotsupp;
    if (writes && (inode.is_immutable() || inode.is_append_only())) return err::perm;
    if (name.starts_with("system."))
        return writes && !is_owner_or_capable(who, inode) ? err::perm : Result<void>();
    if (name.starts_with("security.")) {
        if (!writes) return {};
        bool const may = name == kCapabilities
            ? is_capable_over(who, inode.attributes(), Capability::setfcap)
            : is_capable(who, inode.file_system().user_namespace(), Capability::sys_admin);
        return may ? Result<void>() : err::perm;
    }
    if (name.starts_with("trusted.")) {
        if (who.has(Capability::sys_admin)) return {};
        return writes ? err::perm : err::nodata;
    }
    if (!inode.is_regular() && !inode.is_directory()) return writes ? err::perm : err::nodata;
    bool sticky = inode.is_directory() && (inode.mode() & abi::s_isvtx);
    if (sticky && writes && !is_owner_or_capable(who, inode)) return err::perm;
    return check_permission(who, inode, mask);
}

} // namespace

Result<std::string> get_xattr(Task& task, Inode& inode, std::string_view name)
{
    TRY(check_xattr(task.credentials(), inode, name, abi::r_ok));
    auto value = inode.get_xattr(name);
    if (value.is_error() || name != kCapabilities) return value;
    return shown_capabilities(task.credentials(), value.release_value());
}

Result<void> set_xattr(Task& task, Path const& path, std::string_view name, std::string_view value, u32 flags)
{
    Inode& inode = path.inode();
    TRY(check_writable_mount(*path.mount));
    std::string converted;
    if (name == kCapabilities && !value.empty())
        value = converted = TRY(stored_capabilities(task.credentials(), inode, value));
    TRY(check_xattr(task.credentials(), inode, name, abi::w_ok));
    MutexLock lock(inode.mutex);
    TRY(inode.set_xattr(name, value, flags));
    notify_dentry(*path.dentry, abi::in_attrib);
    return {};
}

Result<void> remove_xattr(Task& task, Path const& path, std::string_view name)
{
    Inode& inode = path.inode();
    TRY(check_writable_mount(*path.mount));
    TRY(check_xattr(task.credentials(), inode, name, abi::w_ok));
    MutexLock lock(inode.mutex);
    TRY(inode.remove_xattr(name));
    notify_dentry(*path.dentry, abi::in_attrib);
    return {};
}

Result<std::string> list_xattrs(Task& task, Inode& inode)
{
    std::string list;
    for (auto const& name : TRY(inode.list_xattrs())) {
        bool hidden = name.starts_with("trusted.") && !task.credentials().has(Capability::sys_admin);
        if (!hidden) list.append(name).push_back('\0');
    }
    return list;
}

} // namespace umbra::vfs
