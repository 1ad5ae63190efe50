// SPDX-License-Identifier: GPL-2.0-or-later
// The guest's ABI for files: open flags, modes, seek, poll bits, stat structures, directory entries.
// Values are Linux's for x86-64 (fcntl.h, stat.h, poll.h); sizes and offsets are asserted.
#pragma once

#include <cstddef>

#include "core/base/types.h"

namespace umbra::abi {

// open(2)
constexpr u32 o_accmode = 3, o_rdonly = 0, o_wronly = 1, o_rdwr = 2;
constexpr u32 o_creat = 0100, o_excl = 0200, o_noctty = 0400, o_trunc = 01000, o_append = 02000;
constexpr u32 o_nonblock = 04000, o_dsync = 010000, o_async = 020000, o_direct = 040000,
              o_largefile = 0100000;
constexpr u32 o_directory = 0200000, o_nofollow = 0400000, o_noatime = 01000000, o_cloexec = 02000000;
constexpr u32 o_sync = 04010000, o_path = 010000000, o_tmpfile = 020000000 | o_directory;
constexpr u32 o_tmpfile_bit = 020000000;

// *at(2)
constexpr i32 at_fdcwd = -100;
constexpr u32 at_symlink_nofollow = 0x100, at_removedir = 0x200, at_eaccess = 0x200,
              at_symlink_follow = 0x400;
constexpr u32 at_no_automount = 0x800, at_empty_path = 0x1000;
constexpr u32 at_statx_sync_type = 0x6000;

// mode bits
constexpr u32 s_ifmt = 0170000, s_ifsock = 0140000, s_iflnk = 0120000, s_ifreg = 0100000, s_ifblk = 0060000;
constexpr u32 s_ifdir = 0040000, s_ifchr = 0020000, s_ififo = 0010000;
constexpr u32 s_isuid = 04000, s_isgid = 02000, s_isvtx = 01000, s_ixgrp = 010;
constexpr bool is_directory(u32 mode) { return (mode & s_ifmt) == s_ifdir; }
constexpr bool is_regular(u32 mode) { return (mode & s_ifmt) == s_ifreg; }
constexpr bool is_symlink(u32 mode) { return (mode & s_ifmt) == s_iflnk; }
constexpr bool is_fifo(u32 mode) { return (mode & s_ifmt) == s_ififo; }
constexpr bool is_character_device(u32 mode) { return (mode & s_ifmt) == s_ifchr; }
constexpr bool is_block_device(u32 mode) { return (mode & s_ifmt) == s_ifblk; }
constexpr bool is_socket(u32 mode) { return (mode & s_ifmt) == s_ifsock; }

constexpr u32 r_ok = 4, w_ok = 2, x_ok = 1, f_ok = 0;

constexpr i32 seek_set = 0, seek_cur = 1, seek_end = 2, seek_data = 3, seek_hole = 4;

// poll(2)
constexpr u32 pollin = 0x1, pollpri = 0x2, pollout = 0x4, pollerr = 0x8, pollhup = 0x10, pollnval = 0x20;
constexpr u32 pollrdnorm = 0x40, pollrdband = 0x80, pollwrnorm = 0x100, pollwrband = 0x200,
              pollrdhup = 0x2000;

// getdents64(2) d_type
constexpr u8 dt_unknown = 0, dt_fifo = 1, dt_chr = 2, dt_dir = 4, dt_blk = 6, dt_reg = 8, dt_lnk = 10,
             dt_sock = 12;
constexpr u8 dt_from_mode(u32 mode) { return (mode & s_ifmt) >> 12; }

// renameat2(2)
/// Flags of a file, FS_*_FL of ioctl_iflags(2).
constexpr u32 fs_immutable = 0x10, fs_append = 0x20, fs_nodump = 0x40, fs_noatime = 0x80;
constexpr u32 rename_noreplace = 1, rename_exchange = 2, rename_whiteout = 4;

struct Timespec {
    i64 sec;
    i64 nsec;
    constexpr bool operator==(Timespec const&) const = default;
};
struct Timeval {
    i64 sec;
    i64 usec;
};

struct Stat {
    u64 dev, ino, nlink;
    u32 mode, uid, gid, pad0;
    u64 rdev;
    i64 size, blksize, blocks;
    Timespec atime, mtime, ctime;
    i64 unused[3];
};
static_assert(sizeof(Stat) == 144 && offsetof(Stat, size) == 48);

struct StatxTimestamp {
    i64 sec;
    u32 nsec;
    i32 reserved;
};
struct Statx {
    u32 mask, blksize;
    u64 attributes;
    u32 nlink, uid, gid;
    u16 mode, pad1;
    u64 ino, size, blocks, attributes_mask;
    StatxTimestamp atime, btime, ctime, mtime;
    u32 rdev_major, rdev_minor, dev_major, dev_minor;
    u64 mnt_id;
    u32 dio_mem_align, dio_offset_align;
    u64 spare[12];
};
static_assert(sizeof(Statx) == 256 && offsetof(Statx, mnt_id) == 144);

struct Statfs {
    i64 type, bsize;
    u64 blocks, bfree, bavail, files, ffree;
    i32 fsid[2];
    i64 namelen, frsize, flags, spare[4];
};
static_assert(sizeof(Statfs) == 120);

/// ustat(2)
struct Ustat {
    i32 free_blocks, pad;
    u64 free_inodes;
    char name[6], pack[6];
    i32 end;
};
static_assert(sizeof(Ustat) == 32 && offsetof(Ustat, name) == 16);

/// openat2(2)
struct OpenHow {
    u64 flags, mode, resolve;
};
static_assert(sizeof(OpenHow) == 24);

/// utime(2)
struct Utimbuf {
    i64 access, modification;
};

/// A device number in the kernel's own form; encode_dev gives the user ABI's (makedev(3)).
constexpr u64 make_dev(u32 major, u32 minor)
{
    return (u64(major & 0xfff) << 8) | (minor & 0xff) | (u64(minor & ~0xffu) << 12)
        | (u64(major & ~0xfffu) << 32);
}
constexpr u32 dev_major(u64 dev) { return ((dev >> 8) & 0xfff) | (u32(dev >> 32) & ~0xfffu); }
constexpr u32 dev_minor(u64 dev) { return (dev & 0xff) | (u32(dev >> 12) & ~0xffu); }

} // namespace umbra::abi
