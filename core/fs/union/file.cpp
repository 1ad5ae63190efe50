// SPDX-License-Identifier: GPL-2.0-or-later
// Open regular files of a union: an open file of the real object, and after a copy-up one of the copy.
#include "core/fs/union/union-inode.h"
#include "core/mm/memory-object.h"

namespace umbra::fs {

namespace {

class UnionFile final : public vfs::File {
public:
    UnionFile(vfs::Path const& path, u32 flags, Ref<vfs::File> real)
        : File(path, flags)
        , real_(std::move(real))
    {
    }
    UnionInode& node() const { return static_cast<UnionInode&>(inode()); }

    bool is_seekable() const override { return true; }
    u64 end_offset() override { return node().real().attributes().size; }

    Result<u64> read(IoBuffer& buffer, u64 offset) override
    {
        Ref<vfs::File> const real = TRY(current_file());
        auto count = real->read(buffer, offset);
        vfs::update_access_time(*path(), flags());
        return count;
    }
    Result<u64> write(IoBuffer& buffer, u64 offset) override
    {
        return changing([&](vfs::File& real) { return real.write(buffer, offset); });
    }
    Result<void> fallocate(u32 mode, u64 offset, u64 length) override
    {
        return changing([&](vfs::File& real) { return real.fallocate(mode, offset, length); });
    }
    Result<u64> seek_special(i64 offset, i32 whence) override
    {
        return TRY(current_file())->seek_special(offset, whence);
    }
    Result<void> fsync(bool data_only) override
    {
        if (fs().options().is_volatile) return {};
        return TRY(current_file())->fsync(data_only);
    }
    Result<Ref<mm::MemoryObject>> mmap_object(u64 offset, u64 length, bool shared) override
    {
        return TRY(current_file())->mmap_object(offset, length, shared);
    }

private:
    UnionFileSystem& fs() const { return static_cast<UnionFileSystem&>(inode().file_system()); }

    /// What is open may have been copied up by somebody else since: then the copy is what there is to read.
    Result<Ref<vfs::File>> current_file()
    {
        if (&real_->inode() != &node().real()) {
            auto const mounter = fs().as_mounter();
            real_ = TRY(vfs::open_path(current(), node().real_path(), real_->flags()));
        }
        return real_;
    }

    template <typename Change> auto changing(Change&& change) -> decltype(change(std::declval<vfs::File&>()))
    {
        Ref<vfs::File> const real = TRY(current_file());
        MutexLock lock(real->inode().mutex);
        auto done = change(*real);
        node().copy_attributes();
        return done;
    }

    Ref<vfs::File> real_;
};

} // namespace

Result<Ref<vfs::File>> open_union_file(vfs::Path const& path, u32 flags)
{
    auto& node = static_cast<UnionInode&>(path.inode());
    if ((flags & abi::o_accmode) != abi::o_rdonly) TRY(node.copy_up());
    constexpr u32 not_again = abi::o_creat | abi::o_excl | abi::o_trunc | abi::o_nofollow | abi::o_noatime
        | abi::o_tmpfile_bit | abi::o_cloexec;
    auto const mounter = static_cast<UnionFileSystem&>(node.file_system()).as_mounter();
    auto real = TRY(vfs::open_path(current(), node.real_path(), flags & ~not_again));
    return Ref<vfs::File>(make_ref<UnionFile>(path, flags, std::move(real)));
}

} // namespace umbra::fs
