// SPDX-License-Identifier: GPL-2.0-or-later
// Regular host files: reading and writing straight on the host.
#include <algorithm>
#include <memory>

#include "core/fs/host/host-inode.h"
#include "core/kernel.h"
#include "core/vfs/operations.h"

namespace umbra::fs {

namespace {

constexpr u64 kPiece = 128 << 10; ///< one host call of a guest's read(2) or write(2)

class HostRegularFile final : public vfs::File {
public:
    /// `writable`: null unless opened for writing. Held, because the host may refuse to open it so again.
    HostRegularFile(vfs::Path const& path, u32 flags, HostRegular& file, RefPtr<device::HostFile> writable)
        : File(path, flags)
        , file_(file)
        , writable_(std::move(writable))
    {
    }
    bool is_seekable() const override { return true; }
    u64 end_offset() override { return file_->attributes().size; }
    Result<u64> read(IoBuffer& buffer, u64 offset) override
    {
        auto count = file_->read(buffer, offset);
        // Of a write-through tree the host keeps access times as it likes.
        if (file_->host_fs().is_read_only()) vfs::update_access_time(*path(), flags());
        return count;
    }
    Result<u64> write(IoBuffer& buffer, u64 offset) override
    {
        return writable_ ? file_->write(buffer, offset, *writable_) : err::badf;
    }
    Result<u64> seek_special(i64 offset, i32 whence) override
    {
        if (whence != abi::seek_data && whence != abi::seek_hole) return err::inval;
        if (offset < 0) return err::nxio;
        return file_->seek(u64(offset), whence);
    }
    Result<Ref<mm::MemoryObject>> mmap_object(u64, u64, bool shared) override
    {
        if (shared && is_writable()) file_->pages().share_for_writing();
        return Ref<mm::MemoryObject>(file_->pages());
    }
    Result<void> fsync(bool data_only) override { return file_->sync_data(data_only); }
    Result<void> fallocate(u32 mode, u64 offset, u64 length) override
    {
        return file_->allocate(mode, offset, length);
    }

private:
    Ref<HostRegular> file_;
    RefPtr<device::HostFile> writable_;
};

} // namespace

HostRegular::~HostRegular()
{
    if (pages_) pages_->detach();
}

HostPages& HostRegular::pages()
{
    if (!pages_) pages_ = make_ref<HostPages>(fs_.kernel().memory(), *this);
    return *pages_;
}

Result<Ref<vfs::File>> HostRegular::open(vfs::Path const& path, u32 flags)
{
    // Opened now, so that the host's refusal (EACCES) is the answer to open(2) and a mapping finds the
    // descriptor.
    RefPtr<device::HostFile> writable;
    if ((flags & abi::o_accmode) == abi::o_rdonly)
        TRY(handle());
    else
        writable = TRY(writable_handle());
    TRY(refresh());
    return Ref<vfs::File>(make_ref<HostRegularFile>(path, flags, *this, std::move(writable)));
}

Result<Ref<device::HostFile>> HostRegular::open_handle(device::HostFile& parent)
{
    handle_is_writable_ = false;
    if (!host_fs().is_read_only()) {
        auto both = parent.open(name_, abi::o_rdwr);
        if (both.ok()) {
            handle_is_writable_ = true;
            return both;
        }
        why_not_writable_ = both.error();
        if (both.error() == err::mfile || both.error() == err::nfile || both.error() == err::noent)
            return both;
    }
    return parent.open(name_, abi::o_rdonly);
}

Result<Ref<device::HostFile>> HostRegular::writable_handle()
{
    auto file = TRY(handle());
    if (handle_is_writable_) return file;
    // The host may have changed its mind since.
    if (parent_ && why_not_writable_ != err::rofs) {
        drop_handle();
        file = TRY(handle());
        if (handle_is_writable_) return file;
    }
    return why_not_writable_;
}

void HostRegular::adopt(device::HostStatus const& status)
{
    auto before = attributes_;
    HostInode::adopt(status);
    if (!pages_ || host_fs().is_read_only()) return;
    bool same = before.mtime == attributes_.mtime && before.size == attributes_.size;
    if (!same && !pages_->is_dirty()) pages_->host_changed(attributes_.size);
}

Result<void> HostRegular::set_attributes(vfs::AttributeChange const& change)
{
    using C = vfs::AttributeChange;
    auto rest = change;
    if (change.mask & C::kSize) {
        auto file = TRY(writable_handle());
        TRY(file->truncate(change.size));
        if (pages_) pages_->resize(change.size);
        attributes_.size = change.size;
        rest.mask &= ~u32 { C::kSize | C::kMtime | C::kCtime }; // the host has set its own
        mark_stale();
    }
    return rest.mask ? HostInode::set_attributes(rest) : Result<void>();
}

Result<u64> HostRegular::read(IoBuffer& out, u64 offset)
{
    // Pages that guests write through mappings are newer than the host's file.
    if (pages_ && pages_->is_dirty()) return pages_->read(out, offset);
    auto file = TRY(handle());
    u64 size = std::min(out.remaining(), kPiece);
    // new[] without initialisation: the host overwrites it.
    std::unique_ptr<u8[]> piece(new u8[size]);
    u64 moved = 0;
    while (out.remaining() > 0) {
        u64 want = std::min(out.remaining(), size);
        auto got = file->read({ piece.get(), want }, offset + moved);
        if (got.is_error()) return moved ? Result<u64>(moved) : got;
        auto put = out.put(piece.get(), got.value());
        if (put.is_error()) return moved ? Result<u64>(moved) : put;
        moved += put.value();
        if (put.value() < want) break;
    }
    return moved;
}

Result<u64> HostRegular::write(IoBuffer& in, u64 offset, device::HostFile& file)
{
    u64 size = std::min(in.remaining(), kPiece);
    std::unique_ptr<u8[]> piece(new u8[size]);
    u64 moved = 0;
    while (in.remaining() > 0) {
        auto taken = in.take(piece.get(), std::min(in.remaining(), size));
        if (taken.is_error()) return moved ? Result<u64>(moved) : taken;
        auto put = file.write({ piece.get(), taken.value() }, offset + moved);
        u64 count = put.ok() ? put.value() : 0;
        if (count < taken.value()) in.rewind(taken.value() - count);
        if (pages_) pages_->wrote(offset + moved, { piece.get(), count });
        moved += count;
        attributes_.size = std::max(attributes_.size, offset + moved);
        if (put.is_error()) return moved ? Result<u64>(moved) : put;
        if (count < taken.value()) break;
    }
    touch(false, true, true); // until the host is asked
    mark_stale();
    return moved;
}

Result<u64> HostRegular::seek(u64 offset, i32 whence)
{
    // The descriptor's position is shared by all users of the handle, and used by nobody else.
    return TRY(handle())->seek(offset, whence);
}

Result<void> HostRegular::allocate(u32 mode, u64 offset, u64 length)
{
    auto file = TRY(writable_handle());
    TRY(write_back());
    TRY(file->allocate(mode, offset, length));
    auto status = TRY(file->status());
    if (pages_) pages_->host_changed(status.attributes.size);
    adopt(status);
    return {};
}

Result<void> HostRegular::write_back() { return pages_ ? pages_->write_back() : Result<void>(); }

Result<void> HostRegular::sync_data(bool data_only)
{
    if (host_fs().is_read_only()) return {};
    TRY(write_back());
    return TRY(handle())->sync(data_only);
}

} // namespace umbra::fs
