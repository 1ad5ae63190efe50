// SPDX-License-Identifier: GPL-2.0-or-later
// The calls that make and describe mounts: fsopen(2), fsmount(2), move_mount(2), mount_setattr(2), statmount(2).
#pragma once

#include <cstddef>

#include "core/base/types.h"

namespace umbra::abi {

// fsopen, fsmount, fspick
constexpr u32 fsopen_cloexec = 1, fsmount_cloexec = 1;
constexpr u32 fspick_cloexec = 1, fspick_symlink_nofollow = 2, fspick_no_automount = 4, fspick_empty_path = 8;
// fsconfig
enum class FsConfig : u32 {
    set_flag,
    set_string,
    set_binary,
    set_path,
    set_path_empty,
    set_fd,
    create,
    reconfigure,
    create_exclusive,
};
// open_tree, mount_setattr
constexpr u32 at_recursive = 0x8000;
constexpr u32 open_tree_clone = 1, open_tree_cloexec = 0x80000;
// move_mount
constexpr u32 move_from_symlinks = 1, move_from_automounts = 2, move_from_empty_path = 4;
constexpr u32 move_to_symlinks = 0x10, move_to_automounts = 0x20, move_to_empty_path = 0x40;
constexpr u32 move_set_group = 0x100, move_beneath = 0x200;
// fsmount and mount_setattr
constexpr u64 mount_attr_rdonly = 1, mount_attr_nosuid = 2, mount_attr_nodev = 4, mount_attr_noexec = 8;
constexpr u64 mount_attr_atime_mask = 0x70, mount_attr_relatime = 0, mount_attr_noatime = 0x10;
constexpr u64 mount_attr_strictatime = 0x20, mount_attr_nodiratime = 0x80, mount_attr_idmap = 0x100000;
constexpr u64 mount_attr_nosymfollow = 0x200000;

struct MountAttr {
    u64 attr_set, attr_clr, propagation, userns_fd;
};
static_assert(sizeof(MountAttr) == 32);

/// What statmount and listmount are asked (struct mnt_id_req).
struct MountIdRequest {
    u32 size, spare;
    u64 mount_id, parameter;
    u64 namespace_id; ///< from the second version on
};
static_assert(sizeof(MountIdRequest) == 32);
constexpr u64 mount_id_request_v0 = 24;
constexpr u64 listmount_root = ~u64 { 0 };
constexpr u32 listmount_reverse = 1;

constexpr u64 statmount_sb_basic = 1, statmount_mnt_basic = 2, statmount_propagate_from = 4;
constexpr u64 statmount_mnt_root = 8, statmount_mnt_point = 0x10, statmount_fs_type = 0x20;
constexpr u64 statmount_mnt_ns_id = 0x40, statmount_mnt_opts = 0x80;

/// Strings lie behind it; their fields are offsets from its end.
struct StatMount {
    u32 size, mount_options;
    u64 mask;
    u32 device_major, device_minor;
    u64 magic;
    u32 super_flags, type;
    u64 mount_id, parent_id;
    u32 old_id, old_parent_id;
    u64 attributes, propagation, peer_group, master, propagate_from;
    u32 root, point;
    u64 namespace_id;
    u64 spare[49];
};
static_assert(sizeof(StatMount) == 512 && offsetof(StatMount, namespace_id) == 112);

} // namespace umbra::abi
