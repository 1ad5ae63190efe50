// SPDX-License-Identifier: GPL-2.0-or-later
// device::HostFile over hostabi. Each operation first tries the form of the host call that cannot wait (a
// lookup in the host's dentry cache, a read from its page cache): about a microsecond instead of a trip
// through the ring. Only what the host would wait for goes to the ring, where the task sleeps.
#include "drivers-virtual/host-files/host-files.h"

#include <memory>

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/sysmacros.h>

#include "drivers-virtual/host-io.h"
#include "hostabi/file.h"
#include "hostabi/ring.h"

namespace umbra::drivers {

namespace {

using device::HostFound;
using device::HostStatus;
using hostabi::OwnedFd;

/// The guest asked for what the host refused: the host's errno is the answer.
Errno guest_errno(i64 result) { return hostabi::to_guest_errno(hostabi::HostErrno { i32(-result) }); }

Result<void> to_result(i64 result)
{
    if (result < 0) return guest_errno(result);
    return {};
}

abi::Timespec to_guest(struct statx_timestamp const& t) { return { t.tv_sec, i64(t.tv_nsec) }; }

HostStatus to_guest(struct statx const& s)
{
    HostStatus status;
    status.device = abi::make_dev(s.stx_dev_major, s.stx_dev_minor);
    status.inode = s.stx_ino;
    status.attributes = {
        .mode = s.stx_mode,
        .uid = s.stx_uid,
        .gid = s.stx_gid,
        .nlink = s.stx_nlink,
        .rdev = abi::make_dev(s.stx_rdev_major, s.stx_rdev_minor),
        .size = s.stx_size,
        .blocks = s.stx_blocks,
        .block_size = s.stx_blksize,
        .atime = to_guest(s.stx_atime),
        .mtime = to_guest(s.stx_mtime),
        .ctime = to_guest(s.stx_ctime),
        .btime = s.stx_mask & STATX_BTIME ? to_guest(s.stx_btime) : abi::Timespec {},
    };
    return status;
}

class RingFile final : public device::HostFile {
public:
    RingFile(OwnedFd fd, std::shared_ptr<AwaitRequest const> await)
        : fd_(std::move(fd))
        , await_(std::move(await))
    {
    }

    platform::HostHandle handle() const override { return platform::HostHandle(fd_.get()); }
    Result<HostStatus> status() override;

    Result<HostFound> find(std::string const& name) override;
    Result<Ref<HostFile>> open(std::string const& name, u32 flags, u32 mode) override;
    Result<std::vector<device::HostDirectoryEntry>> list() override;
    Result<void> make_directory(std::string const& name, u32 mode) override;
    Result<void> make_node(std::string const& name, u32 mode, u64 device) override;
    Result<void> make_symlink(std::string const& name, std::string const& target) override;
    Result<void> remove(std::string const& name, bool directory) override;
    Result<void> rename(
        std::string const& name, HostFile& new_directory, std::string const& new_name, u32 flags) override;
    Result<void> link(std::string const& name, HostFile& target) override;

    Result<std::string> read_link() override;

    Result<u64> read(std::span<u8> buffer, u64 offset) override;
    Result<u64> write(std::span<u8 const> buffer, u64 offset) override;
    Result<void> truncate(u64 size) override;
    Result<void> allocate(u32 mode, u64 offset, u64 length) override;
    Result<void> sync(bool data_only) override;
    Result<u64> seek(u64 offset, i32 whence) override;

    Result<void> set_mode(u32 mode) override;
    Result<void> set_owner(u32 uid, u32 gid) override;
    Result<void> set_times(abi::Timespec const* atime, abi::Timespec const* mtime) override;
    Result<std::vector<device::HostXattr>> xattrs(std::string_view name) override;
    Result<void> set_xattr(
        std::string_view name, std::string const& attribute, std::string_view value, u32 flags) override;
    Result<void> remove_xattr(std::string_view name, std::string const& attribute) override;
    Result<abi::Statfs> file_system_status() override;
    Result<void> sync_file_system() override;

private:
    int fd() const { return fd_.get(); }
    static int fd_of(HostFile const& file) { return file.handle().value; }
    Result<OwnedFd> open_fd(std::string const& name, u32 flags, u32 mode);
    /// submit(ring, completion) makes one request.
    template <typename Submit> i32 await(Submit const& submit) const { return (*await_)(std::cref(submit)); }
    /// call() runs on a helper thread.
    template <typename Call> i32 offload(Call call) const
    {
        return await([&call](hostabi::Ring& ring, hostabi::Completion& done) {
            ring.offload([](void* c) -> i32 { return (*static_cast<Call*>(c))(); }, &call, done);
        });
    }

    OwnedFd fd_;
    std::shared_ptr<AwaitRequest const> await_; ///< shared by all files below one root; never changed
};

Result<HostStatus> RingFile::status()
{
    struct statx s { };
    i32 result = hostabi::file::status_cached(fd(), s);
    if (result < 0) return guest_errno(result);
    return to_guest(s);
}

Result<OwnedFd> RingFile::open_fd(std::string const& name, u32 flags, u32 mode)
{
    int host_flags = int(flags) | O_NOFOLLOW | O_CLOEXEC;
    // Should the name have become a FIFO or a terminal meanwhile, opening must neither wait nor have effects.
    if (!(flags & O_PATH)) host_flags |= O_NOCTTY | O_NONBLOCK;
    i32 result = flags & O_CREAT ? -EAGAIN : hostabi::file::open_cached(fd(), name.c_str(), host_flags);
    if (result == -EAGAIN)
        result = await([&](hostabi::Ring& ring, hostabi::Completion& done) {
            ring.openat(fd(), name.c_str(), host_flags, mode, done);
        });
    if (result < 0) return guest_errno(result);
    if (!(flags & O_PATH)) hostabi::file::clear_nonblocking(result);
    return OwnedFd::adopt(result);
}

Result<HostFound> RingFile::find(std::string const& name)
{
    auto file = make_ref<RingFile>(TRY(open_fd(name, O_PATH, 0)), await_);
    auto status = TRY(file->status());
    return HostFound { file, status };
}

Result<Ref<device::HostFile>> RingFile::open(std::string const& name, u32 flags, u32 mode)
{
    return Ref<HostFile>(make_ref<RingFile>(TRY(open_fd(name, flags, mode)), await_));
}

Result<std::vector<device::HostDirectoryEntry>> RingFile::list()
{
    // A descriptor of its own: place handles cannot be read, and a shared position would mix two listings.
    OwnedFd directory = TRY(open_fd(".", O_RDONLY | O_DIRECTORY, 0));
    std::vector<hostabi::file::DirectoryEntry> raw;
    TRY(to_result(offload([&] { return hostabi::file::list_directory(directory.get(), raw); })));
    std::vector<device::HostDirectoryEntry> entries;
    entries.reserve(raw.size());
    for (auto& entry : raw)
        entries.push_back({ std::move(entry.name), entry.inode, entry.type });
    return entries;
}

Result<void> RingFile::make_directory(std::string const& name, u32 mode)
{
    return to_result(await([&](hostabi::Ring& ring, hostabi::Completion& done) {
        ring.mkdirat(fd(), name.c_str(), mode, done);
    }));
}

Result<void> RingFile::make_node(std::string const& name, u32 mode, u64 device)
{
    u64 host_device = makedev(abi::dev_major(device), abi::dev_minor(device));
    return to_result(
        offload([&] { return hostabi::file::make_node(fd(), name.c_str(), mode, host_device); }));
}

Result<void> RingFile::make_symlink(std::string const& name, std::string const& target)
{
    return to_result(await([&](hostabi::Ring& ring, hostabi::Completion& done) {
        ring.symlinkat(target.c_str(), fd(), name.c_str(), done);
    }));
}

Result<void> RingFile::remove(std::string const& name, bool directory)
{
    return to_result(await([&](hostabi::Ring& ring, hostabi::Completion& done) {
        ring.unlinkat(fd(), name.c_str(), directory ? AT_REMOVEDIR : 0, done);
    }));
}

Result<void> RingFile::rename(
    std::string const& name, HostFile& new_directory, std::string const& new_name, u32 flags)
{
    return to_result(await([&](hostabi::Ring& ring, hostabi::Completion& done) {
        ring.renameat2(fd(), name.c_str(), fd_of(new_directory), new_name.c_str(), flags, done);
    }));
}

Result<void> RingFile::link(std::string const& name, HostFile& target)
{
    return to_result(offload([&] { return hostabi::file::link(fd_of(target), fd(), name.c_str()); }));
}

Result<std::string> RingFile::read_link()
{
    std::string target;
    TRY(to_result(offload([&] { return hostabi::file::read_link(fd(), target); })));
    return target;
}

Result<u64> RingFile::read(std::span<u8> buffer, u64 offset)
{
    u64 done_bytes = 0;
    while (done_bytes < buffer.size()) {
        auto rest = buffer.subspan(done_bytes);
        i64 result = hostabi::file::read_cached(fd(), rest, offset + done_bytes);
        if (result == -EAGAIN)
            result = await([&](hostabi::Ring& ring, hostabi::Completion& done) {
                ring.read(fd(), rest, i64(offset + done_bytes), done);
            });
        if (result < 0 && !done_bytes) return guest_errno(result);
        if (result <= 0) break;
        done_bytes += u64(result);
    }
    return done_bytes;
}

Result<u64> RingFile::write(std::span<u8 const> buffer, u64 offset)
{
    u64 done_bytes = 0;
    while (done_bytes < buffer.size()) {
        i32 result = await([&](hostabi::Ring& ring, hostabi::Completion& done) {
            ring.write(fd(), buffer.subspan(done_bytes), i64(offset + done_bytes), done);
        });
        if (result < 0 && !done_bytes) return guest_errno(result);
        if (result <= 0) break;
        done_bytes += u64(result);
    }
    return done_bytes;
}

Result<void> RingFile::truncate(u64 size)
{
    return to_result(offload([&] { return hostabi::file::truncate(fd(), size); }));
}

Result<void> RingFile::allocate(u32 mode, u64 offset, u64 length)
{
    return to_result(await([&](hostabi::Ring& ring, hostabi::Completion& done) {
        ring.fallocate(fd(), int(mode), i64(offset), i64(length), done);
    }));
}

Result<void> RingFile::sync(bool data_only)
{
    return to_result(
        await([&](hostabi::Ring& ring, hostabi::Completion& done) { ring.fsync(fd(), data_only, done); }));
}

Result<u64> RingFile::seek(u64 offset, i32 whence)
{
    // The result does not fit the 32 bits of a request's.
    i64 found = 0;
    (void)offload([&] {
        found = hostabi::file::seek(fd(), i64(offset), whence);
        return 0;
    });
    if (found < 0) return guest_errno(found);
    return u64(found);
}

Result<void> RingFile::set_mode(u32 mode)
{
    return to_result(offload([&] { return hostabi::file::set_mode(fd(), mode); }));
}

Result<void> RingFile::set_owner(u32 uid, u32 gid)
{
    return to_result(offload([&] { return hostabi::file::set_owner(fd(), uid, gid); }));
}

Result<void> RingFile::set_times(abi::Timespec const* atime, abi::Timespec const* mtime)
{
    auto to_host = [](abi::Timespec const* t) {
        return t ? timespec { t->sec, t->nsec } : timespec { 0, UTIME_OMIT };
    };
    timespec const times[2] = { to_host(atime), to_host(mtime) };
    return to_result(offload([&] { return hostabi::file::set_times(fd(), times); }));
}

Result<std::vector<device::HostXattr>> RingFile::xattrs(std::string_view name)
{
    std::vector<hostabi::file::Xattr> raw;
    TRY(to_result(offload([&] { return hostabi::file::list_xattrs(fd(), name, raw); })));
    std::vector<device::HostXattr> list;
    for (auto& x : raw)
        list.push_back({ std::move(x.name), std::move(x.value) });
    return list;
}

Result<void> RingFile::set_xattr(
    std::string_view name, std::string const& attribute, std::string_view value, u32 flags)
{
    return to_result(
        offload([&] { return hostabi::file::set_xattr(fd(), name, attribute.c_str(), value, int(flags)); }));
}

Result<void> RingFile::remove_xattr(std::string_view name, std::string const& attribute)
{
    return to_result(offload([&] { return hostabi::file::remove_xattr(fd(), name, attribute.c_str()); }));
}

Result<abi::Statfs> RingFile::file_system_status()
{
    struct statfs s { };
    TRY(to_result(offload([&] { return hostabi::file::file_system_status(fd(), s); })));
    abi::Statfs out {};
    out.type = s.f_type, out.bsize = s.f_bsize, out.frsize = s.f_frsize, out.namelen = s.f_namelen;
    out.blocks = s.f_blocks, out.bfree = s.f_bfree, out.bavail = s.f_bavail;
    out.files = s.f_files, out.ffree = s.f_ffree;
    return out;
}

Result<void> RingFile::sync_file_system()
{
    // syncfs(2) refuses place handles.
    OwnedFd directory = TRY(open_fd(".", O_RDONLY | O_DIRECTORY, 0));
    return to_result(offload([&] { return hostabi::file::sync_file_system(directory.get()); }));
}

} // namespace

Ref<device::HostFile> make_host_file(OwnedFd fd, AwaitRequest await)
{
    return make_ref<RingFile>(std::move(fd), std::make_shared<AwaitRequest const>(std::move(await)));
}

Ref<device::HostFile> make_host_file(OwnedFd fd, HostIo& io)
{
    return make_host_file(
        std::move(fd), [&io](SubmitRequest const& submit) { return await_request(io, std::cref(submit)); });
}

} // namespace umbra::drivers
