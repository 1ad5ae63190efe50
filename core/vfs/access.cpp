// SPDX-License-Identifier: GPL-2.0-or-later
// Permission checks: generic_permission(), may_create(), may_delete() and check_sticky() of Linux's
// fs/namei.c.
#include "core/vfs/access.h"

namespace umbra::vfs {

bool is_capable_over(Credentials const& who, Attributes const& attributes, Capability capability)
{
    return who.holds(capability) && who.user_namespace->knows(attributes.uid, attributes.gid);
}

bool mode_allows(Credentials const& who, Attributes const& attributes, u32 mask)
{
    u32 mode = attributes.mode;
    u32 granted = who.fsuid == attributes.uid ? mode >> 6 : who.in_group(attributes.gid) ? mode >> 3 : mode;
    if ((mask & ~granted & 7) == 0) return true;
    if (abi::is_directory(mode)) {
        if (!(mask & abi::w_ok) && is_capable_over(who, attributes, Capability::dac_read_search)) return true;
        return is_capable_over(who, attributes, Capability::dac_override);
    }
    if (mask == abi::r_ok && is_capable_over(who, attributes, Capability::dac_read_search)) return true;
    // Even root executes only what somebody may execute.
    bool may_override = !(mask & abi::x_ok) || (mode & 0111);
    return may_override && is_capable_over(who, attributes, Capability::dac_override);
}

Result<void> check_permission(Credentials const& who, Inode& inode, u32 mask)
{
    bool stored = inode.is_regular() || inode.is_directory() || inode.is_symlink();
    if ((mask & abi::w_ok) && stored && inode.file_system().is_read_only()) return err::rofs;
    if ((mask & abi::w_ok) && inode.is_immutable()) return err::perm;
    if (!mode_allows(who, inode.attributes(), mask) && !inode.grants(who, mask)) return err::acces;
    return inode.check_access(who, mask);
}

Result<void> check_writable_mount(Mount const& mount)
{
    if (mount.is_read_only()) return err::rofs;
    return {};
}

bool is_owner_or_capable(Credentials const& who, Inode const& inode)
{
    if (who.fsuid == inode.attributes().uid) return true;
    // Of the group nothing is asked here.
    return who.holds(Capability::fowner) && who.user_namespace->uids.to_inside(inode.attributes().uid);
}

bool in_group_or_capable(Credentials const& who, Inode const& inode)
{
    auto const& attributes = inode.attributes();
    return who.in_group(attributes.gid) || is_capable_over(who, attributes, Capability::fsetid);
}

Result<void> check_create(Credentials const& who, Dentry const& directory)
{
    if (directory.is_unlinked()) return err::noent;
    if (!directory.file_system().user_namespace().knows(who.fsuid, who.fsgid)) return err::overflow;
    return check_permission(who, directory.inode(), abi::w_ok | abi::x_ok);
}

Result<void> check_delete(
    Credentials const& who, Dentry const& directory, Dentry const& victim, bool as_directory)
{
    if (victim.is_negative()) return err::noent;
    TRY(check_permission(who, directory.inode(), abi::w_ok | abi::x_ok));
    if (directory.inode().is_append_only()) return err::perm;
    auto const& owner = directory.inode().attributes();
    bool sticky = (owner.mode & abi::s_isvtx) && who.fsuid != victim.inode().attributes().uid
        && who.fsuid != owner.uid && !is_capable_over(who, victim.inode().attributes(), Capability::fowner);
    if (sticky || victim.inode().is_append_only() || victim.inode().is_immutable()) return err::perm;
    if (as_directory && !victim.inode().is_directory()) return err::notdir;
    if (!as_directory && victim.inode().is_directory()) return err::isdir;
    if (directory.is_unlinked()) return err::noent;
    return {};
}

} // namespace umbra::vfs
