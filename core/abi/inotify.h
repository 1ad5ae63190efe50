// SPDX-License-Identifier: GPL-2.0-or-later
// The guest's ABI for inotify(7): event bits, flags of inotify_add_watch, the record that a read gives.
#pragma once

#include "core/base/types.h"

namespace umbra::abi {

constexpr u32 in_access = 0x1, in_modify = 0x2, in_attrib = 0x4, in_close_write = 0x8,
              in_close_nowrite = 0x10;
constexpr u32 in_open = 0x20, in_moved_from = 0x40, in_moved_to = 0x80, in_create = 0x100, in_delete = 0x200;
constexpr u32 in_delete_self = 0x400, in_move_self = 0x800, in_all_events = 0xfff;
constexpr u32 in_unmount = 0x2000, in_q_overflow = 0x4000, in_ignored = 0x8000, in_isdir = 0x40000000;
constexpr u32 in_onlydir = 0x01000000, in_dont_follow = 0x02000000, in_excl_unlink = 0x04000000;
constexpr u32 in_mask_create = 0x10000000, in_mask_add = 0x20000000, in_oneshot = 0x80000000;

/// struct inotify_event without the name; `length` bytes of name with padding follow.
struct InotifyEvent {
    i32 watch;
    u32 mask, cookie, length;
};
static_assert(sizeof(InotifyEvent) == 16);

} // namespace umbra::abi
