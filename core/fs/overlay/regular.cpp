// SPDX-License-Identifier: GPL-2.0-or-later
// Regular files of an overlay.
#include <algorithm>

#include "core/fs/overlay/overlay-inode.h"
#include "core/kernel.h"
#include "core/mm/frame.h"
#include "core/vfs/operations.h"

namespace umbra::fs {

namespace {

constexpr u32 kFallocKeepSize = 1, kFallocPunchHole = 2;
constexpr u64 kSectorsPerPage = kPageSize / 512;

class OverlayFile final : public vfs::File {
public:
    OverlayFile(vfs::Path const& path, u32 flags)
        : File(path, flags)
    {
    }
    OverlayRegular& regular() const { return static_cast<OverlayRegular&>(inode()); }

    bool is_seekable() const override { return true; }
    Result<u64> read(IoBuffer& buffer, u64 offset) override
    {
        auto count = regular().read(buffer, offset);
        vfs::update_access_time(*path(), flags());
        return count;
    }
    Result<u64> write(IoBuffer& buffer, u64 offset) override { return regular().write(buffer, offset); }
    Result<u64> seek_special(i64 offset, i32 whence) override { return regular().seek(offset, whence); }
    Result<void> fallocate(u32 mode, u64 offset, u64 length) override
    {
        return regular().allocate(mode, offset, length);
    }
    Result<Ref<mm::MemoryObject>> mmap_object(u64, u64, bool shared) override
    {
        // Writes through the mapping cannot be foreseen, and must not find a page of the lower file.
        if (shared && is_writable()) regular().pages().diverge();
        return Ref<mm::MemoryObject>(regular().pages());
    }
};

} // namespace

OverlayRegular::OverlayRegular(OverlayFileSystem& fs, Ref<vfs::Inode> lower)
    : OverlayInode(fs, lower)
    , pages_(make_ref<OverlayPages>(fs.kernel().memory(), *this, lower.get(), lower->attributes().size))
{
}

OverlayRegular::OverlayRegular(OverlayFileSystem& fs, vfs::Attributes const& attributes)
    : OverlayInode(fs, attributes)
    , pages_(make_ref<OverlayPages>(fs.kernel().memory(), *this, nullptr, 0))
{
}

OverlayRegular::~OverlayRegular() { pages_->detach(); }

Result<void> OverlayRegular::refresh()
{
    if (pages_->has_diverged()) attributes_.blocks = pages_->pages_in_use() * kSectorsPerPage;
    return {};
}

Result<void> OverlayRegular::set_attributes(vfs::AttributeChange const& change)
{
    if (change.mask & vfs::AttributeChange::kSize) {
        TRY(pages_->set_size(change.size));
        attributes_.size = change.size;
    }
    apply_change(change);
    keep();
    return {};
}

Result<Ref<vfs::File>> OverlayRegular::open(vfs::Path const& path, u32 flags)
{
    // Opened even for writing only: most writes keep a part of what is there.
    if (pages_->needs_lower_file())
        pages_->set_lower_file(TRY(lower_->open(overlay().lower_path(*lower_), abi::o_rdonly)));
    return Ref<vfs::File>(make_ref<OverlayFile>(path, flags));
}

Result<u64> OverlayRegular::write(IoBuffer& in, u64 offset)
{
    pages_->diverge();
    auto count = pages_->write(in, offset);
    attributes_.size = std::max(attributes_.size, pages_->size());
    keep();
    if (count.ok() && count.value() > 0) touch(false, true, true);
    return count;
}

Result<void> OverlayRegular::allocate(u32 mode, u64 offset, u64 length)
{
    if (mode & ~(kFallocKeepSize | kFallocPunchHole)) return err::opnotsupp;
    if (mode & kFallocPunchHole) {
        TRY(pages_->punch_hole(offset, length));
    } else {
        u64 const old_size = attributes_.size;
        bool const grows = !(mode & kFallocKeepSize) && offset + length > old_size;
        TRY(pages_->set_size(grows ? offset + length : old_size));
        // As in tmpfs: pages beyond the end cannot be kept without a size that covers them.
        u64 const end = std::min(offset + length, page_up(pages_->size()));
        auto populated = offset < end ? pages_->populate(offset, end - offset) : Result<void>();
        if (populated.is_error()) {
            if (grows) TRY(pages_->set_size(old_size));
            return populated;
        }
        attributes_.size = pages_->size();
    }
    keep();
    touch(false, true, true);
    return {};
}

Result<u64> OverlayRegular::seek(i64 offset, i32 whence) const
{
    if (whence != abi::seek_data && whence != abi::seek_hole) return err::inval;
    u64 size = attributes_.size;
    if (offset < 0 || u64(offset) >= size) return err::nxio;
    if (whence == abi::seek_hole) return pages_->next_hole(u64(offset));
    u64 data = pages_->next_data(u64(offset));
    if (data >= size) return err::nxio;
    return data;
}

} // namespace umbra::fs
