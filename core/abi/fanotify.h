// SPDX-License-Identifier: GPL-2.0-or-later
// The guest's ABI for fanotify(7): flags of groups and marks, event bits, the records that a read gives.
#pragma once

#include "core/base/types.h"

namespace umbra::abi {

// fanotify_init(2)
constexpr u32 fan_cloexec = 1, fan_nonblock = 2, fan_class_notif = 0, fan_class_content = 4,
              fan_class_pre_content = 8, fan_class_bits = 12;
constexpr u32 fan_unlimited_queue = 0x10, fan_unlimited_marks = 0x20, fan_report_pidfd = 0x80,
              fan_report_tid = 0x100;
constexpr u32 fan_report_fid = 0x200, fan_report_dir_fid = 0x400, fan_report_name = 0x800,
              fan_report_target_fid = 0x1000;
constexpr u32 fan_fid_bits = fan_report_fid | fan_report_dir_fid | fan_report_name | fan_report_target_fid;

// fanotify_mark(2)
constexpr u32 fan_mark_add = 1, fan_mark_remove = 2, fan_mark_flush = 0x80, fan_mark_commands = 0x83;
constexpr u32 fan_mark_inode = 0, fan_mark_mount = 0x10, fan_mark_filesystem = 0x100, fan_mark_types = 0x110;
constexpr u32 fan_mark_dont_follow = 4, fan_mark_onlydir = 8;
constexpr u32 fan_mark_ignored_mask = 0x20, fan_mark_ignored_surv_modify = 0x40, fan_mark_evictable = 0x200,
              fan_mark_ignore = 0x400, fan_mark_ignore_bits = 0x420;

// Events; those that inotify has too have its values.
constexpr u32 fan_access = 1, fan_modify = 2, fan_attrib = 4, fan_close_write = 8, fan_close_nowrite = 0x10;
constexpr u32 fan_open = 0x20, fan_moved_from = 0x40, fan_moved_to = 0x80, fan_create = 0x100,
              fan_delete = 0x200;
constexpr u32 fan_delete_self = 0x400, fan_move_self = 0x800, fan_open_exec = 0x1000, fan_q_overflow = 0x4000,
              fan_fs_error = 0x8000;
constexpr u32 fan_open_perm = 0x10000, fan_access_perm = 0x20000, fan_open_exec_perm = 0x40000;
constexpr u32 fan_event_on_child = 0x08000000, fan_rename = 0x10000000, fan_ondir = 0x40000000;

constexpr u32 fan_event_flags = fan_event_on_child | fan_ondir;
constexpr u32 fan_permission_events = fan_open_perm | fan_access_perm | fan_open_exec_perm;
/// Of an open file: these alone can come with a descriptor, and from a mark of a mount.
constexpr u32 fan_path_events = fan_access | fan_modify | fan_close_write | fan_close_nowrite | fan_open
    | fan_open_exec | fan_permission_events;
/// Of a directory's entries.
constexpr u32 fan_entry_events = fan_moved_from | fan_moved_to | fan_create | fan_delete | fan_rename;
constexpr u32 fan_inode_events = fan_entry_events | fan_attrib | fan_move_self | fan_delete_self;
/// What fanotify_mark(2) takes, without flags.
constexpr u32 fan_markable = fan_path_events | fan_inode_events | fan_fs_error;

constexpr i32 fan_no_fd = -1, fan_no_pidfd = -1, fan_error_pidfd = -2;

/// struct fanotify_event_metadata.
struct FanotifyMetadata {
    u32 length;
    u8 version, reserved;
    u16 metadata_length;
    u64 mask;
    i32 fd, pid;
};
static_assert(sizeof(FanotifyMetadata) == 24);
constexpr u8 fan_metadata_version = 3;

/// struct fanotify_event_info_header.
struct FanotifyInfoHeader {
    u8 type, padding;
    u16 length;
};
static_assert(sizeof(FanotifyInfoHeader) == 4);
constexpr u8 fan_info_fid = 1, fan_info_dfid_name = 2, fan_info_dfid = 3, fan_info_pidfd = 4,
             fan_info_old_dfid_name = 10, fan_info_new_dfid_name = 12;

/// struct fanotify_event_info_pidfd.
struct FanotifyInfoPidfd {
    FanotifyInfoHeader header;
    i32 pidfd;
};
static_assert(sizeof(FanotifyInfoPidfd) == 8);

/// struct fanotify_response: the answer to a permission event.
struct FanotifyResponse {
    i32 fd;
    u32 response;
};
static_assert(sizeof(FanotifyResponse) == 8);
constexpr u32 fan_allow = 1, fan_deny = 2, fan_audit = 0x10, fan_info = 0x20;

/// struct fanotify_response_info_audit_rule, which may follow a response with FAN_INFO.
struct FanotifyAuditRule {
    FanotifyInfoHeader header;
    u32 rule, subject_trust, object_trust;
};
static_assert(sizeof(FanotifyAuditRule) == 16);
constexpr u8 fan_response_info_audit_rule = 1;

} // namespace umbra::abi
