// SPDX-License-Identifier: GPL-2.0-or-later
// Host directories: lookups and listings.
#include "core/fs/host/host-inode.h"
#include "core/vfs/operations.h"

namespace umbra::fs {

namespace {

constexpr i64 kFirstEntry = 2; ///< positions 0 and 1 are "." and ".."

class HostDirectoryFile final : public vfs::File {
public:
    HostDirectoryFile(vfs::Path const& path, u32 flags, HostDirectory& directory)
        : File(path, flags)
        , directory_(directory)
    {
    }
    bool is_seekable() const override { return true; }

    /// One listing serves a whole pass over the directory; rewinding takes a new one.
    Result<void> read_directory(i64 from, vfs::DirectoryEmitter const& emit) override
    {
        if (!vfs::emit_dots(*this, from, emit)) return {};
        if (!listing_ || from == 0) listing_ = TRY(directory_->listing());
        auto const& entries = listing_->entries;
        u64 device = directory_->key().device;
        for (u64 i = from <= kFirstEntry ? 0 : u64(from - kFirstEntry); i < entries.size(); ++i) {
            u64 number = directory_->host_fs().inode_number({ device, entries[i].inode });
            if (!emit(entries[i].name, number, entries[i].type, i64(i) + 1 + kFirstEntry)) break;
        }
        vfs::update_access_time(*path(), flags());
        return {};
    }

private:
    Ref<HostDirectory> directory_;
    RefPtr<HostListing> listing_;
};

} // namespace

Result<Ref<vfs::Inode>> HostDirectory::lookup(std::string_view name)
{
    std::string text(name);
    auto place = TRY(handle());
    auto found = place->find(text);
    if (found.is_error() && (found.error() == err::mfile || found.error() == err::nfile)) {
        host_fs().handles().shrink();
        found = place->find(text);
    }
    auto [file, status] = TRY(std::move(found));
    auto inode = host_fs().inode_for(*this, name, status);
    // A directory that was looked up is looked into next, and a link is read; a regular file needs another
    // handle.
    if (inode->is_directory() || inode->is_symlink()) inode->keep_handle(file);
    return Ref<vfs::Inode>(inode);
}

Result<Ref<vfs::File>> HostDirectory::open(vfs::Path const& path, u32 flags)
{
    return Ref<vfs::File>(make_ref<HostDirectoryFile>(path, flags, *this));
}

Result<Ref<HostListing>> HostDirectory::listing()
{
    if (listing_) return Ref<HostListing>(listing_);
    auto listing = make_ref<HostListing>();
    listing->entries = TRY(TRY(handle())->list());
    if (host_fs().is_read_only()) listing_ = listing;
    return listing;
}

} // namespace umbra::fs
