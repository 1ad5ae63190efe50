// SPDX-License-Identifier: GPL-2.0-or-later
// Regular host files: reading straight from the host, and pages for mappings.
#include <algorithm>
#include <memory>

#include "core/fs/host/host-inode.h"
#include "core/kernel.h"
#include "core/vfs/operations.h"

namespace umbra::fs {

namespace {

constexpr u64 kReadPiece = 128 << 10; ///< one host read of a guest's read(2)

class HostRegularFile final : public vfs::File {
public:
    HostRegularFile(vfs::Path const& path, u32 flags, HostRegular& file)
        : File(path, flags)
        , file_(file)
    {
    }
    bool is_seekable() const override { return true; }
    u64 end_offset() override { return file_->attributes().size; }
    Result<u64> read(IoBuffer& buffer, u64 offset) override
    {
        auto count = file_->read(buffer, offset);
        vfs::update_access_time(*path(), flags());
        return count;
    }
    Result<u64> seek_special(i64 offset, i32 whence) override
    {
        if (whence != abi::seek_data && whence != abi::seek_hole) return err::inval;
        if (offset < 0) return err::nxio;
        return file_->seek(u64(offset), whence);
    }
    Result<Ref<mm::MemoryObject>> mmap_object(u64, u64, bool) override
    {
        return Ref<mm::MemoryObject>(*file_->memory_object());
    }

private:
    Ref<HostRegular> file_;
};

} // namespace

HostRegular::~HostRegular()
{
    if (pages_) pages_->detach();
}

Result<Ref<vfs::File>> HostRegular::open(vfs::Path const& path, u32 flags)
{
    // Opened now, so that the host's refusal (EACCES) is the answer to open(2) and a mapping finds the
    // descriptor.
    TRY(handle());
    return Ref<vfs::File>(make_ref<HostRegularFile>(path, flags, *this));
}

Result<Ref<device::HostFile>> HostRegular::open_handle(device::HostFile& parent)
{
    return parent.open(name_, abi::o_rdonly);
}

mm::MemoryObject* HostRegular::memory_object()
{
    if (!pages_) pages_ = make_ref<HostPages>(fs_.kernel().memory(), *this);
    return pages_.get();
}

Result<u64> HostRegular::read(IoBuffer& out, u64 offset)
{
    auto file = TRY(handle());
    u64 size = std::min(out.remaining(), kReadPiece);
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

Result<u64> HostRegular::seek(u64 offset, i32 whence)
{
    // The descriptor's position is shared by all users of the handle, and used by nobody else.
    return TRY(handle())->seek(offset, whence);
}

HostPages::HostPages(mm::PhysicalMemory& memory, HostRegular& file)
    : BackedPages(memory, file.attributes().size)
    , file_(&file)
{
}

platform::HostHandle HostPages::host_handle() const
{
    return file_ ? file_->mappable_handle() : platform::kNoHandle;
}

Result<void> HostPages::read_backing(u64 offset, std::span<u8> out)
{
    if (!file_) return err::io;
    Ref<HostRegular> keep(*file_);
    auto file = TRY(keep->handle());
    TRY(file->read(out, offset));
    return {};
}

} // namespace umbra::fs
