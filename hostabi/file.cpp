// SPDX-License-Identifier: GPL-2.0-or-later
// Host calls on files, as raw system calls.
#include "hostabi/file.h"

#include <climits>

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "hostabi/host-call.h"

#ifndef RESOLVE_CACHED
#define RESOLVE_CACHED 0x20
#endif

namespace umbra::hostabi::file {

namespace {

/// /proc/self/fd/N[/name]: the object of an O_PATH descriptor for calls that take paths only.
std::string descriptor_path(int fd, std::string_view name = {})
{
    std::string path = "/proc/self/fd/" + std::to_string(fd);
    if (!name.empty()) path.append("/").append(name);
    return path;
}

/// A file system without attributes and a host without /proc look the same to the guest: it has none.
i64 xattr_result(i64 result) { return result == -ENOSYS ? -EOPNOTSUPP : result; }

} // namespace

i32 open_cached(int dir, char const* name, int flags)
{
    struct open_how how { };
    how.flags = u32(flags) | O_CLOEXEC;
    how.resolve = RESOLVE_CACHED | RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS;
    i64 result = host_call(SYS_openat2, dir, name, &how, sizeof how);
    // ENOSYS and EPERM: no openat2 or a filter; EINVAL: no RESOLVE_CACHED. The ring's openat decides then.
    if (result == -ENOSYS || result == -EPERM || result == -EINVAL) return -EAGAIN;
    return i32(result);
}

i32 status_cached(int fd, struct statx& out)
{
    return i32(host_call(
        SYS_statx, fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_BASIC_STATS | STATX_BTIME, &out));
}

void clear_nonblocking(int fd)
{
    i64 flags = host_call(SYS_fcntl, fd, F_GETFL);
    if (flags >= 0) host_call(SYS_fcntl, fd, F_SETFL, flags & ~i64 { O_NONBLOCK });
}

i64 read_cached(int fd, std::span<u8> buffer, u64 offset)
{
    struct iovec part {
        buffer.data(), buffer.size()
    };
    i64 result = host_call(SYS_preadv2, fd, &part, 1, offset, 0, RWF_NOWAIT);
    return result == -EOPNOTSUPP || result == -ENOSYS || result == -EPERM ? -EAGAIN : result;
}

i32 list_directory(int fd, std::vector<DirectoryEntry>& out)
{
    struct RawEntry { // struct linux_dirent64
        u64 inode;
        i64 offset;
        u16 length;
        u8 type;
        char name[];
    };
    // A page multiple that malloc keeps on its heap; a thread's stack would do as well but may be small.
    constexpr size_t kBufferSize = 64 << 10;
    std::vector<u8> buffer(kBufferSize);
    for (;;) {
        i64 count = host_call(SYS_getdents64, fd, buffer.data(), buffer.size());
        if (count <= 0) return i32(count);
        for (i64 at = 0; at < count;) {
            // getdents64 aligns its records to 8 bytes, and operator new the buffer to 16.
            auto const* entry = reinterpret_cast<RawEntry const*>(buffer.data() + at);
            std::string_view name(entry->name);
            if (name != "." && name != "..") out.push_back({ std::string(name), entry->inode, entry->type });
            at += entry->length;
        }
    }
}

i32 read_link(int fd, std::string& target)
{
    target.resize(PATH_MAX);
    i64 length = host_call(SYS_readlinkat, fd, "", target.data(), target.size());
    target.resize(length < 0 ? 0 : size_t(length));
    return length < 0 ? i32(length) : 0;
}

i32 list_xattrs(int dir, std::string_view name, std::vector<Xattr>& out)
{
    auto path = descriptor_path(dir, name);
    // The last component must not be followed, but /proc/self/fd/N itself is a link to be followed.
    auto list_call = name.empty() ? SYS_listxattr : SYS_llistxattr;
    auto get_call = name.empty() ? SYS_getxattr : SYS_lgetxattr;
    constexpr size_t kListMax = 64 << 10, kValueMax = 64 << 10; // XATTR_LIST_MAX, XATTR_SIZE_MAX
    std::string names(256, '\0');
    i64 length = host_call(list_call, path.c_str(), names.data(), names.size());
    if (length == -ERANGE) {
        names.resize(kListMax);
        length = host_call(list_call, path.c_str(), names.data(), names.size());
    }
    if (length < 0) return i32(xattr_result(length));
    names.resize(size_t(length));
    for (size_t at = 0; at < names.size();) {
        std::string attribute(names.c_str() + at);
        at += attribute.size() + 1;
        std::string value(kValueMax, '\0');
        i64 size = host_call(get_call, path.c_str(), attribute.c_str(), value.data(), value.size());
        if (size < 0) continue; // gone meanwhile, or not ours to read
        value.resize(size_t(size));
        value.shrink_to_fit();
        out.push_back({ std::move(attribute), std::move(value) });
    }
    return 0;
}

i32 set_xattr(int dir, std::string_view name, char const* attribute, std::string_view value, int flags)
{
    auto path = descriptor_path(dir, name);
    return i32(xattr_result(host_call(name.empty() ? SYS_setxattr : SYS_lsetxattr, path.c_str(), attribute,
        value.data(), value.size(), flags)));
}

i32 remove_xattr(int dir, std::string_view name, char const* attribute)
{
    auto path = descriptor_path(dir, name);
    return i32(
        xattr_result(host_call(name.empty() ? SYS_removexattr : SYS_lremovexattr, path.c_str(), attribute)));
}

i32 set_mode(int fd, u32 mode)
{
    // fchmod(2) refuses O_PATH descriptors.
    return i32(host_call(SYS_fchmodat, AT_FDCWD, descriptor_path(fd).c_str(), mode));
}

i32 set_owner(int fd, u32 uid, u32 gid)
{
    return i32(host_call(SYS_fchownat, fd, "", uid, gid, AT_EMPTY_PATH));
}

i32 set_times(int fd, struct timespec const (&times)[2])
{
    i64 result = host_call(SYS_utimensat, fd, "", &times[0], AT_EMPTY_PATH);
    // AT_EMPTY_PATH came with Linux 5.8.
    if (result == -EINVAL)
        result = host_call(SYS_utimensat, AT_FDCWD, descriptor_path(fd).c_str(), &times[0], 0);
    return i32(result);
}

i32 truncate(int fd, u64 size) { return i32(host_call(SYS_ftruncate, fd, size)); }

i32 make_node(int dir, char const* name, u32 mode, u64 device)
{
    return i32(host_call(SYS_mknodat, dir, name, mode, device));
}

i32 link(int fd, int dir, char const* name)
{
    // linkat(fd, "", AT_EMPTY_PATH) needs a capability on most hosts; the way through /proc does not, see
    // open(2).
    return i32(host_call(SYS_linkat, AT_FDCWD, descriptor_path(fd).c_str(), dir, name, AT_SYMLINK_FOLLOW));
}

i32 file_system_status(int fd, struct statfs& out) { return i32(host_call(SYS_fstatfs, fd, &out)); }

i32 sync_file_system(int fd) { return i32(host_call(SYS_syncfs, fd)); }

i64 seek(int fd, i64 offset, int whence) { return host_call(SYS_lseek, fd, offset, whence); }

} // namespace umbra::hostabi::file
