// SPDX-License-Identifier: GPL-2.0-or-later
// Regular files of a tmpfs: bytes in a page cache that has nothing behind it, holes, allocation, seals.
#include <algorithm>

#include "core/fs/tmpfs/tmpfs-inode.h"
#include "core/kernel.h"
#include "core/vfs/operations.h"

namespace umbra::fs {

namespace {
constexpr u32 kFallocKeepSize = 1, kFallocPunchHole = 2;
constexpr u64 kSectorsPerPage = kPageSize / 512;
} // namespace

TmpfsRegular::TmpfsRegular(TmpfsFileSystem& fs, vfs::Attributes const& attributes)
    : TmpfsInode(fs, attributes)
    , pages_(make_ref<TmpfsPages>(fs.kernel().memory(), fs.account()))
{
}

Result<void> TmpfsRegular::refresh()
{
    attributes_.blocks = pages_->resident_pages() * kSectorsPerPage;
    return {};
}

Result<void> TmpfsRegular::set_attributes(vfs::AttributeChange const& change)
{
    if (change.mask & vfs::AttributeChange::kSize) {
        if (change.size < attributes_.size && (seals & kSealShrink)) return err::perm;
        if (change.size > attributes_.size && (seals & kSealGrow)) return err::perm;
        attributes_.size = change.size;
        pages_->resize(change.size);
    }
    if ((change.mask & vfs::AttributeChange::kMode) && (seals & kSealExec) && ((change.mode ^ mode()) & 0111))
        return err::perm;
    apply_change(change);
    return {};
}

Result<Ref<vfs::File>> TmpfsRegular::open(vfs::Path const& path, u32 flags)
{
    return Ref<vfs::File>(make_ref<TmpfsFile>(path, flags));
}

Result<u64> TmpfsFile::read(IoBuffer& buffer, u64 offset)
{
    auto count = regular().pages().read(buffer, offset);
    vfs::update_access_time(*path(), flags());
    return count;
}

Result<u64> TmpfsRegular::write(IoBuffer& buffer, u64 offset)
{
    if (seals & (kSealWrite | kSealFutureWrite)) return err::perm;
    if ((seals & kSealGrow) && offset + buffer.remaining() > attributes_.size) {
        if (offset >= attributes_.size) return err::perm;
        buffer.truncate(attributes_.size - offset);
    }
    auto count = pages_->write(buffer, offset);
    attributes_.size = std::max(attributes_.size, pages_->size());
    if (count.ok() && count.value() > 0) touch(false, true, true);
    return count;
}

Result<u64> TmpfsRegular::seek(i64 offset, i32 whence) const
{
    if (whence != abi::seek_data && whence != abi::seek_hole) return err::inval;
    u64 size = attributes_.size;
    if (offset < 0 || u64(offset) >= size) return err::nxio;
    u64 index = u64(offset) >> kPageShift;
    if (whence == abi::seek_data) {
        u64 next = pages_->next_resident(index);
        if (next == ~u64 { 0 } || next << kPageShift >= size) return err::nxio;
        return std::max(u64(offset), next << kPageShift);
    }
    while (pages_->next_resident(index) == index)
        ++index;
    return std::min(std::max(u64(offset), index << kPageShift), size);
}

Result<void> TmpfsRegular::allocate(u32 mode, u64 offset, u64 length)
{
    if (mode & ~(kFallocKeepSize | kFallocPunchHole)) return err::opnotsupp;
    u64 old_size = attributes_.size;
    if (mode & kFallocPunchHole) {
        if (seals & (kSealWrite | kSealFutureWrite)) return err::perm;
        if (offset < old_size) pages_->punch(offset, std::min(length, page_up(old_size) - offset));
        touch(false, true, true);
        return {};
    }
    bool grows = !(mode & kFallocKeepSize) && offset + length > old_size;
    if (grows && (seals & kSealGrow)) return err::perm;
    if (grows) pages_->resize(offset + length);
    // Pages beyond the end cannot be kept without a size that covers them: with KEEP_SIZE only those below
    // are added.
    u64 end = std::min(offset + length, page_up(pages_->size()));
    auto populated = offset < end ? pages_->populate(offset, end - offset) : Result<void>();
    if (populated.is_error()) {
        if (grows) pages_->resize(old_size);
        return populated;
    }
    attributes_.size = pages_->size();
    touch(false, grows, true);
    return {};
}

} // namespace umbra::fs
