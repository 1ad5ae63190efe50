// SPDX-License-Identifier: GPL-2.0-or-later
// Defaults of an open file description, writer counts, and files without a name in any directory.
#include "core/vfs/file.h"

#include "core/kernel.h"
#include "core/mm/memory-object.h"
#include "core/task/task.h"
#include "core/vfs/internal-mounts.h"
#include "core/vfs/locks.h"
#include "core/vfs/notify.h"
#include "core/vfs/operations.h"

namespace umbra::vfs {

File::File(std::optional<Path> path, u32 flags)
    : path_(std::move(path))
    , flags_(flags & ~(abi::o_creat | abi::o_excl | abi::o_noctty | abi::o_trunc | abi::o_cloexec))
{
    if (path_) ++inode().file_system().kernel().open_files;
}

File::~File()
{
    if (!path_) return;
    --inode().file_system().kernel().open_files;
    if (!is_path_only()) notify_file(*this, is_writable() ? abi::in_close_write : abi::in_close_nowrite);
    if (inode().has_locks()) locks_on_release(*this);
    if (counted_reader_) --inode().read_count;
    if (!counted_writer_) return;
    --inode().write_count;
    --path_->mount->writers;
    --inode().file_system().writers;
}

void File::set_status_flags(u32 flags)
{
    constexpr u32 changeable
        = abi::o_append | abi::o_async | abi::o_direct | abi::o_noatime | abi::o_nonblock;
    flags_ = (flags_ & ~changeable) | (flags & changeable);
}

Result<u64> File::read(IoBuffer&, u64) { return inode().is_directory() ? err::isdir : err::inval; }
Result<u64> File::write(IoBuffer&, u64) { return err::inval; }
Result<u64> File::seek_special(i64, i32) { return err::inval; }
u32 File::readiness() { return abi::pollin | abi::pollout | abi::pollrdnorm | abi::pollwrnorm; }
Result<i64> File::ioctl(Task&, u32, u64) { return err::notty; }
Result<void> File::read_directory(i64, DirectoryEmitter const&) { return err::notdir; }
Result<Ref<mm::MemoryObject>> File::mmap_object(u64, u64, bool) { return err::nodev; }

Result<void> File::fallocate(u32, u64, u64)
{
    // Linux: ESPIPE for pipes, ENODEV for what is neither a regular file nor a directory, see fallocate(2).
    if (abi::is_fifo(inode().mode())) return err::spipe;
    return inode().is_regular() || inode().is_directory() ? err::opnotsupp : err::nodev;
}

Result<void> File::truncate(u64 size)
{
    using C = AttributeChange;
    auto now = current_time(inode().file_system().kernel());
    return inode().set_attributes(
        { .mask = C::kSize | C::kMtime | C::kCtime, .size = size, .mtime = now, .ctime = now });
}

Result<void> File::count_writer()
{
    if (inode().write_count < 0) return err::txtbsy;
    ++inode().write_count;
    ++path_->mount->writers;
    ++inode().file_system().writers;
    counted_writer_ = true;
    return {};
}

void File::count_reader()
{
    ++inode().read_count;
    counted_reader_ = true;
}

Result<void> deny_write(Inode& inode)
{
    if (inode.write_count > 0) return err::txtbsy;
    --inode.write_count;
    return {};
}

void allow_write(Inode& inode)
{
    UMBRA_ASSERT(inode.write_count < 0);
    ++inode.write_count;
}

bool emit_dots(File& directory, i64 position, DirectoryEmitter const& emit)
{
    Dentry const& dentry = *directory.path()->dentry;
    Inode const& parent = dentry.parent() ? dentry.parent()->inode() : dentry.inode();
    if (position <= 0 && !emit(".", dentry.inode().number(), abi::dt_dir, 1)) return false;
    return position > 1 || emit("..", parent.number(), abi::dt_dir, 2);
}

namespace {

constexpr i64 kAnonymousInodeMagic = 0x09041934;

/// Holds the inodes of files that no directory names. Its own root is never shown.
class AnonymousFileSystem final : public FileSystem {
public:
    explicit AnonymousFileSystem(Kernel& kernel)
        : FileSystem(kernel, "anon_inodefs")
    {
        magic_ = kAnonymousInodeMagic;
    }
    Ref<Inode> root() override
    {
        return make_ref<Inode>(*this, 1, Attributes { .mode = abi::s_ifdir | 0500, .nlink = 2 });
    }
};

} // namespace

Ref<FileSystem> make_anonymous_file_system(Kernel& kernel) { return make_ref<AnonymousFileSystem>(kernel); }

namespace {

Path make_path(Kernel& kernel, std::string name, u64 inode_number, Attributes attributes)
{
    attributes.atime = attributes.mtime = attributes.ctime = attributes.btime = current_time(kernel);
    u64 number = inode_number ? inode_number : kernel.next_unique();
    return make_anonymous_path(
        kernel, std::move(name), make_ref<Inode>(kernel.anonymous_files(), number, attributes));
}

} // namespace

Path make_anonymous_path(Kernel& kernel, std::string name, u32 mode, u64 inode_number)
{
    return make_path(kernel, std::move(name), inode_number, { .mode = mode });
}

Path make_owned_anonymous_path(Kernel& kernel, std::string name, u32 mode, u64 inode_number)
{
    Credentials const& owner = current().credentials();
    return make_path(
        kernel, std::move(name), inode_number, { .mode = mode, .uid = owner.fsuid, .gid = owner.fsgid });
}

Path make_anonymous_path(Kernel& kernel, std::string name, Ref<Inode> inode)
{
    return Path { kernel.internal_mounts().anonymous,
        Dentry::make_anonymous(std::move(inode), std::move(name)) };
}

} // namespace umbra::vfs
