// SPDX-License-Identifier: GPL-2.0-or-later
// getdents, getdents64, the working directory, chroot, umask.
#include <algorithm>
#include <cstring>

#include "core/syscall/path-argument.h"
#include "core/vfs/notify.h"

namespace umbra {

namespace {

/// Entries laid out as the guest wants them; both forms begin with inode and offset.
class EntryBuffer {
public:
    enum class Form : u8 { dents, dents64 };
    EntryBuffer(Form form, u64 capacity)
        : form_(form)
        , bytes_(capacity)
    {
    }

    bool add(std::string_view name, u64 inode, u8 type, i64 next)
    {
        // dents64 has the type before the name, dents in the record's last byte, behind the name's NUL.
        u64 header = form_ == Form::dents64 ? 19 : 18;
        u64 length = (header + name.size() + 1 + (form_ == Form::dents ? 1 : 0) + 7) & ~u64 { 7 };
        if (length > bytes_.size() - used_) return false;
        u8* record = bytes_.data() + used_;
        u16 stored_length = u16(length);
        std::memset(record, 0, length);
        std::memcpy(record, &inode, 8);
        std::memcpy(record + 8, &next, 8);
        std::memcpy(record + 16, &stored_length, 2);
        std::memcpy(record + header, name.data(), name.size());
        record[form_ == Form::dents64 ? 18 : length - 1] = type;
        used_ += length;
        return true;
    }
    std::span<u8 const> filled() const { return { bytes_.data(), used_ }; }

private:
    Form form_;
    std::vector<u8> bytes_;
    u64 used_ = 0;
};

SyscallResult list(Task& task, GuestFd fd, UserOut<u8> out, u32 size, EntryBuffer::Form form)
{
    constexpr u64 most_at_once = 64 << 10;
    auto file = TRY(task.files().get(fd));
    if (!file->inode().is_directory()) return err::notdir;
    TRY(vfs::ask_to_read(*file));
    MutexLock lock(file->position_mutex);
    if (file->path()->dentry->is_unlinked()) return err::noent;
    EntryBuffer entries(form, std::min<u64>(size, most_at_once));
    i64 next = i64(file->position);
    bool refused = false;
    TRY(file->read_directory(next, [&](std::string_view name, u64 inode, u8 type, i64 following) {
        refused = !entries.add(name, inode, type, following);
        if (!refused) next = following;
        return !refused;
    }));
    vfs::notify_file(*file, abi::in_access);
    if (entries.filled().empty()) return refused ? SyscallResult(err::inval) : 0;
    TRY(out.copy_out_array(task, entries.filled()));
    file->position = u64(next);
    return i64(entries.filled().size());
}

} // namespace

SyscallResult sys_getdents64(Task& task, GuestFd fd, UserOut<u8> out, u32 size)
{
    return list(task, fd, out, size, EntryBuffer::Form::dents64);
}

SyscallResult sys_getdents(Task& task, GuestFd fd, UserOut<u8> out, u32 size)
{
    return list(task, fd, out, size, EntryBuffer::Form::dents);
}

namespace {

Result<void> check_enter(Task& task, vfs::Path const& place)
{
    if (!place.inode().is_directory()) return err::notdir;
    return vfs::check_permission(task.credentials(), place.inode(), abi::x_ok);
}

} // namespace

SyscallResult sys_chdir(Task& task, UserCString path)
{
    auto place = TRY(resolve(task, kWorkingDirectory, path));
    TRY(check_enter(task, place));
    task.fs().cwd = place;
    return 0;
}

SyscallResult sys_fchdir(Task& task, GuestFd fd)
{
    auto file = TRY(task.files().get(fd, true));
    TRY(check_enter(task, *file->path()));
    task.fs().cwd = *file->path();
    return 0;
}

SyscallResult sys_chroot(Task& task, UserCString path)
{
    auto place = TRY(resolve(task, kWorkingDirectory, path));
    TRY(check_enter(task, place));
    if (!task.credentials().holds(Capability::sys_chroot)) return err::perm;
    task.fs().root = place;
    return 0;
}

SyscallResult sys_getcwd(Task& task, UserOut<char> out, u64 size)
{
    auto const& fs = task.fs();
    if (fs.cwd.dentry->is_unlinked()) return err::noent;
    auto text = vfs::path_to_string(fs.cwd, fs.root);
    u64 length = text.size() + 1;
    if (length > kPathMax) return err::nametoolong;
    if (length > size) return err::range;
    TRY(out.copy_out_array(task, { text.c_str(), length }));
    return i64(length);
}

SyscallResult sys_umask(Task& task, u32 mask)
{
    u32 old = task.fs().umask;
    task.fs().umask = mask & 0777;
    return old;
}

} // namespace umbra
