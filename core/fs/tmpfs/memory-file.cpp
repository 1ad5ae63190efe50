// SPDX-License-Identifier: GPL-2.0-or-later
// Files without a name whose bytes are guest memory: memfds with their seals, shared anonymous memory
// (memfd_create(2), fcntl(2) F_ADD_SEALS).
#include "core/fs/tmpfs/tmpfs-inode.h"
#include "core/kernel.h"
#include "core/mm/vma.h"
#include "core/vfs/internal-mounts.h"
#include "core/vfs/operations.h"

namespace umbra::fs {

Result<Ref<vfs::File>> make_shared_memory_file(Kernel& kernel, std::string name, u64 size, u32 mode)
{
    if (size > vfs::kMaxFileSize) return err::inval;
    auto const& mount = kernel.internal_mounts().shared_memory;
    auto& fs = static_cast<TmpfsFileSystem&>(mount->file_system());
    auto inode = TRY(fs.make({ .mode = abi::s_ifreg | (mode & 0777) }));
    static_cast<TmpfsInode&>(*inode).set_link_count(0);
    auto dentry = vfs::Dentry::make_anonymous(inode, std::move(name) + " (deleted)");
    auto file = make_ref<TmpfsFile>(vfs::Path { mount, dentry }, abi::o_rdwr | abi::o_largefile);
    if (size > 0) TRY(file->truncate(size));
    TRY(file->count_writer());
    return Ref<vfs::File>(file);
}

namespace {

/// A memfd or another regular file of a tmpfs; anything else has no seals.
TmpfsRegular* sealable(vfs::File& file)
{
    auto* tmpfs_file = dynamic_cast<TmpfsFile*>(&file);
    return tmpfs_file ? &tmpfs_file->regular() : nullptr;
}

bool has_writable_shared_mapping(TmpfsRegular const& file)
{
    for (mm::Vma& vma : file.pages().mappings) {
        if (vma.shared && vma.may_write) return true;
    }
    return false;
}

} // namespace

void allow_sealing(vfs::File& file)
{
    if (TmpfsRegular* regular = sealable(file)) regular->seals &= ~kSealSeal;
}

Result<void> add_seals(vfs::File& file, u32 seals)
{
    TmpfsRegular* regular = sealable(file);
    constexpr u32 known = kSealSeal | kSealShrink | kSealGrow | kSealWrite | kSealFutureWrite | kSealExec;
    if (!regular) return err::inval;
    if (!file.is_writable()) return err::perm;
    if (seals & ~known) return err::inval;
    if (regular->seals & kSealSeal) return err::perm;
    if ((seals & kSealWrite) && !(regular->seals & kSealWrite) && has_writable_shared_mapping(*regular))
        return err::busy;
    // A file that nobody may make executable any more must not change otherwise either, see F_SEAL_EXEC.
    if ((seals & kSealExec) && (regular->mode() & 0111))
        seals |= kSealShrink | kSealGrow | kSealWrite | kSealFutureWrite;
    regular->seals |= seals;
    return {};
}

Result<u32> get_seals(vfs::File& file)
{
    TmpfsRegular* regular = sealable(file);
    if (!regular) return err::inval;
    return regular->seals;
}

bool is_write_sealed(vfs::File& file)
{
    TmpfsRegular* regular = sealable(file);
    return regular && (regular->seals & (kSealWrite | kSealFutureWrite));
}

} // namespace umbra::fs
