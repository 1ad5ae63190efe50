// SPDX-License-Identifier: GPL-2.0-or-later
// open, openat, openat2, creat, memfd_create.
#include "core/fs/tmpfs/tmpfs.h"
#include "core/syscall/path-argument.h"
#include "core/vfs/walker.h"

namespace umbra {

namespace {

constexpr u32 kValidOpenFlags = abi::o_accmode | abi::o_creat | abi::o_excl | abi::o_noctty | abi::o_trunc
    | abi::o_append | abi::o_nonblock | abi::o_sync | abi::o_async | abi::o_direct | abi::o_largefile
    | abi::o_directory | abi::o_nofollow | abi::o_noatime | abi::o_cloexec | abi::o_path | abi::o_tmpfile;

SyscallResult open_at(Task& task, GuestFd directory, UserCString path, vfs::OpenHow const& how)
{
    auto name = TRY(path.copy_in(task));
    FdTable& files = task.files();
    GuestFd fd = TRY(files.reserve(task.limit(Resource::nofile)));
    auto opened = [&]() -> Result<Ref<vfs::File>> {
        // With these an absolute path starts at the descriptor too.
        bool scoped = how.resolve & (vfs::kResolveBeneath | vfs::kResolveInRoot);
        auto base = TRY(task.path_base(directory, scoped ? "." : std::string_view(name)));
        return vfs::open(task, { base, name }, how);
    }();
    if (opened.is_error()) {
        files.release(fd);
        return opened.error();
    }
    files.install(fd, opened.value(), how.flags & abi::o_cloexec);
    return fd.value;
}

/// open(2) and openat(2) ignore what openat2(2) refuses: unknown flags, a mode that is not used.
vfs::OpenHow lenient_how(Task& task, u32 flags, u32 mode)
{
    flags &= kValidOpenFlags;
    // A program on a 64-bit kernel always gets O_LARGEFILE; F_GETFL shows it.
    return { .flags = flags | abi::o_largefile, .mode = mode & 07777 & ~task.umask() };
}

} // namespace

SyscallResult sys_openat(Task& task, GuestFd directory, UserCString path, u32 flags, u32 mode)
{
    return open_at(task, directory, path, lenient_how(task, flags, mode));
}

SyscallResult sys_open(Task& task, UserCString path, u32 flags, u32 mode)
{
    return open_at(task, kWorkingDirectory, path, lenient_how(task, flags, mode));
}

SyscallResult sys_creat(Task& task, UserCString path, u32 mode)
{
    return sys_open(task, path, abi::o_creat | abi::o_wronly | abi::o_trunc, mode);
}

SyscallResult sys_openat2(
    Task& task, GuestFd directory, UserCString path, UserIn<abi::OpenHow> how_in, u64 size)
{
    constexpr u64 known_resolve = vfs::kResolveNoXdev | vfs::kResolveNoMagiclinks | vfs::kResolveNoSymlinks
        | vfs::kResolveBeneath | vfs::kResolveInRoot | vfs::kResolveCached;
    if (size < sizeof(abi::OpenHow)) return err::inval;
    if (size > kPageSize) return err::too_big;
    // A newer program's longer structure is fine as long as what we do not know is zero
    // (copy_struct_from_user).
    for (u64 i = sizeof(abi::OpenHow); i < size; ++i) {
        if (TRY(UserIn<u8> { how_in.address }.copy_in(task, i)) != 0) return err::too_big;
    }
    auto how = TRY(how_in.copy_in(task));
    u64 flags = how.flags;
    bool creates = flags & (abi::o_creat | abi::o_tmpfile_bit);
    if ((flags & ~u64(kValidOpenFlags)) || (how.resolve & ~known_resolve)) return err::inval;
    if ((how.resolve & vfs::kResolveBeneath) && (how.resolve & vfs::kResolveInRoot)) return err::inval;
    if (how.mode & (creates ? ~u64 { 07777 } : ~u64 { 0 })) return err::inval;
    constexpr u64 with_path = abi::o_directory | abi::o_nofollow | abi::o_path | abi::o_cloexec;
    if ((flags & abi::o_path) && (flags & ~with_path)) return err::inval;
    bool modifies = creates || (flags & abi::o_trunc);
    if ((how.resolve & vfs::kResolveCached) && modifies) return err::again;
    return open_at(task, directory, path,
        { .flags = u32(flags) | abi::o_largefile,
            .mode = u32(how.mode) & ~task.umask(),
            .resolve = how.resolve });
}

SyscallResult sys_memfd_create(Task& task, UserCString name_in, u32 flags)
{
    constexpr u32 cloexec = 1, allow_sealing = 2, hugetlb = 4, noexec_seal = 8, exec = 16;
    constexpr u64 name_max = vfs::kNameMax - 6; // without "memfd:"
    constexpr u32 seal_exec = 32;
    if (flags & ~(cloexec | allow_sealing | hugetlb | noexec_seal | exec)) return err::inval;
    if ((flags & exec) && (flags & noexec_seal)) return err::inval;
    if (flags & hugetlb) return err::nosys;
    auto name = TRY(name_in.copy_in(task, name_max + 1, err::inval));
    u32 mode = flags & noexec_seal ? 0666 : 0777;
    auto file = TRY(fs::make_shared_memory_file(task.kernel(), "/memfd:" + name, 0, mode));
    using C = vfs::AttributeChange;
    auto const& who = task.credentials();
    TRY(file->inode().set_attributes({ .mask = C::kUid | C::kGid, .uid = who.fsuid, .gid = who.fsgid }));
    if (flags & (allow_sealing | noexec_seal)) fs::allow_sealing(*file);
    if (flags & noexec_seal) TRY(fs::add_seals(*file, seal_exec));
    auto fd = TRY(task.files().add(file, flags & cloexec, task.limit(Resource::nofile)));
    return fd.value;
}

} // namespace umbra
