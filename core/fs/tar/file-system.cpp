// SPDX-License-Identifier: GPL-2.0-or-later
// A tar file system: instance, inodes, directories, reading.
#include <algorithm>
#include <memory>

#include "core/fs/tar/tar-inode.h"
#include "core/kernel.h"
#include "core/vfs/operations.h"

namespace umbra::fs {

namespace {

constexpr i64 kTarMagic = 0x75737461; // "usta"
constexpr i64 kFirstEntry = 2; ///< positions 0 and 1 are "." and ".."
constexpr u64 kReadPiece = 128 << 10;

class TarDirectoryFile final : public vfs::File {
public:
    TarDirectoryFile(vfs::Path const& path, u32 flags, TarDirectory& directory)
        : File(path, flags)
        , directory_(directory)
    {
    }
    bool is_seekable() const override { return true; }
    Result<void> read_directory(i64 from, vfs::DirectoryEmitter const& emit) override
    {
        if (!vfs::emit_dots(*this, from, emit)) return {};
        auto const& tree = directory_->tar().tree();
        auto children = tree.children(directory_->node());
        for (u64 i = from <= kFirstEntry ? 0 : u64(from - kFirstEntry); i < children.size(); ++i) {
            auto const& [name, node] = children[i];
            u8 type = abi::dt_from_mode(tree.node(node).mode);
            if (!emit(name, TarFileSystem::inode_number(node), type, i64(i) + 1 + kFirstEntry)) break;
        }
        return {};
    }

private:
    Ref<TarDirectory> directory_;
};

class TarFile final : public vfs::File {
public:
    TarFile(vfs::Path const& path, u32 flags, TarRegular& file)
        : File(path, flags)
        , file_(file)
    {
    }
    bool is_seekable() const override { return true; }
    Result<u64> read(IoBuffer& buffer, u64 offset) override { return file_->read(buffer, offset); }
    Result<Ref<mm::MemoryObject>> mmap_object(u64, u64, bool) override
    {
        return Ref<mm::MemoryObject>(*file_->memory_object());
    }

private:
    Ref<TarRegular> file_;
};

vfs::Attributes attributes_of(TarNode const& node)
{
    vfs::Attributes a { .mode = node.mode, .uid = node.uid, .gid = node.gid, .nlink = node.nlink };
    bool is_device = abi::is_character_device(node.mode) || abi::is_block_device(node.mode);
    if (is_device) a.rdev = node.position;
    if (!is_device) a.size = abi::is_directory(node.mode) ? kPageSize : node.size;
    u64 stored = node.size;
    if (node.extra && node.extra->is_sparse) {
        stored = 0;
        for (auto const& piece : node.extra->pieces)
            stored += piece.length;
    }
    if (abi::is_regular(node.mode)) a.blocks = (stored + 511) / 512;
    a.mtime = a.atime = a.ctime = a.btime = node.mtime;
    if (node.extra) a.atime = node.extra->atime, a.ctime = node.extra->ctime;
    return a;
}

} // namespace

Result<Ref<vfs::FileSystem>> make_tar_file_system(Kernel& kernel, Ref<TarSource> source, std::string& problem)
{
    auto tree = TRY(TarTree::build(*source, problem));
    auto fs = make_ref<TarFileSystem>(kernel, std::move(source), std::move(tree));
    fs->open_root();
    return Ref<vfs::FileSystem>(fs);
}

TarFileSystem::TarFileSystem(Kernel& kernel, Ref<TarSource> source, std::unique_ptr<TarTree> tree)
    : FileSystem(kernel, "tarfs")
    , source_(std::move(source))
    , tree_(std::move(tree))
{
    magic_ = kTarMagic;
}

TarFileSystem::~TarFileSystem()
{
    // The root unregisters itself from the table, which must still be there.
    root_ = nullptr;
}

void TarFileSystem::open_root() { root_ = inode_for(TarTree::kRoot); }

Ref<vfs::Inode> TarFileSystem::root() { return Ref<vfs::Inode>(root_); }

Result<abi::Statfs> TarFileSystem::statfs()
{
    auto s = TRY(FileSystem::statfs());
    s.blocks = page_up(source_->size()) >> kPageShift;
    s.files = tree_->node_count();
    return s;
}

Ref<vfs::Inode> TarFileSystem::inode_for(u32 node)
{
    if (auto it = inodes_.find(node); it != inodes_.end()) return Ref<vfs::Inode>(*it->second);
    auto make = [&]() -> Ref<TarInode> {
        switch (tree_->node(node).mode & abi::s_ifmt) {
        case abi::s_ifdir:
            return make_ref<TarDirectory>(*this, node);
        case abi::s_ifreg:
            return make_ref<TarRegular>(*this, node);
        default:
            return make_ref<TarInode>(*this, node);
        }
    };
    auto inode = make();
    inodes_[node] = inode.get();
    return inode;
}

TarInode::TarInode(TarFileSystem& fs, u32 node)
    : Inode(fs, TarFileSystem::inode_number(node), attributes_of(fs.tree().node(node)))
    , index_(node)
{
}

TarInode::~TarInode() { tar().forget(index_); }

Result<std::string> TarInode::read_link()
{
    if (!is_symlink()) return err::inval;
    return std::string(node().target);
}

Result<std::string> TarInode::get_xattr(std::string_view name)
{
    if (node().extra)
        for (auto const& [key, value] : node().extra->xattrs)
            if (key == name) return value;
    return err::nodata;
}

Result<std::vector<std::string>> TarInode::list_xattrs()
{
    std::vector<std::string> names;
    if (node().extra)
        for (auto const& [key, value] : node().extra->xattrs)
            names.push_back(key);
    return names;
}

Result<Ref<vfs::Inode>> TarDirectory::lookup(std::string_view name)
{
    auto const* found = tar().tree().find(node(), name);
    if (!found) return err::noent;
    return tar().inode_for(found->node);
}

Result<Ref<vfs::File>> TarDirectory::open(vfs::Path const& path, u32 flags)
{
    return Ref<vfs::File>(make_ref<TarDirectoryFile>(path, flags, *this));
}

Result<Ref<vfs::File>> TarRegular::open(vfs::Path const& path, u32 flags)
{
    return Ref<vfs::File>(make_ref<TarFile>(path, flags, *this));
}

mm::MemoryObject* TarRegular::memory_object()
{
    if (!pages_) pages_ = make_ref<TarPages>(fs_.kernel().memory(), TarData { tar().source(), node() });
    return pages_.get();
}

Result<u64> TarRegular::read(IoBuffer& out, u64 offset)
{
    u64 size = node().size;
    bool is_sparse = node().extra && node().extra->is_sparse;
    if (offset >= size) return u64 { 0 };
    if (auto memory = tar().source()->memory(); !memory.empty() && !is_sparse)
        return out.put(memory.data() + node().position + offset, std::min(out.remaining(), size - offset));
    TarData data { tar().source(), node() };
    u64 piece_size = std::min(out.remaining(), kReadPiece);
    std::unique_ptr<u8[]> piece(new u8[piece_size]);
    u64 moved = 0;
    while (out.remaining() > 0 && offset + moved < size) {
        u64 want = std::min({ out.remaining(), piece_size, size - offset - moved });
        if (is_sparse) std::fill_n(piece.get(), want, u8 { 0 });
        if (auto read = data.read(offset + moved, { piece.get(), want }); read.is_error())
            return moved ? Result<u64>(moved) : read.error();
        auto put = out.put(piece.get(), want);
        if (put.is_error()) return moved ? Result<u64>(moved) : put;
        moved += put.value();
        if (put.value() < want) break;
    }
    return moved;
}

Result<void> TarData::read(u64 offset, std::span<u8> out) const
{
    auto exactly = [&](std::span<u8> part, u64 position) -> Result<void> {
        // The archive was as long as this when it was indexed: somebody has cut it.
        return TRY(source->read(part, position)) == part.size() ? Result<void>() : err::io;
    };
    if (!node.extra || !node.extra->is_sparse) return exactly(out, node.position + offset);
    u64 end = offset + out.size();
    for (auto const& piece : node.extra->pieces) {
        u64 from = std::max(offset, piece.offset), to = std::min(end, piece.offset + piece.length);
        if (from < to)
            TRY(exactly(out.subspan(from - offset, to - from), piece.position + (from - piece.offset)));
    }
    return {};
}

} // namespace umbra::fs
