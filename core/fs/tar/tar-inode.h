// SPDX-License-Identifier: GPL-2.0-or-later
// The objects of a tar file system: thin inodes over the index, made when somebody looks one up. Internal to
// core/fs/tar.
#pragma once

#include <unordered_map>

#include "core/fs/tar/tar-tree.h"
#include "core/mm/backed-pages.h"
#include "core/vfs/file.h"
#include "core/vfs/inode.h"

namespace umbra::fs {

class TarInode;

class TarFileSystem final : public vfs::FileSystem {
public:
    TarFileSystem(Kernel& kernel, Ref<TarSource> source, std::unique_ptr<TarTree> tree);
    ~TarFileSystem() override;
    void open_root();

    Ref<vfs::Inode> root() override;
    Result<abi::Statfs> statfs() override;
    bool is_read_only() const override { return true; }

    TarTree const& tree() const { return *tree_; }
    Ref<TarSource> const& source() const { return source_; }
    /// The one inode of a node while somebody uses it.
    Ref<vfs::Inode> inode_for(u32 node);
    void forget(u32 node) { inodes_.erase(node); }
    static u64 inode_number(u32 node) { return u64 { node } + 2; }

private:
    Ref<TarSource> source_;
    std::unique_ptr<TarTree> tree_;
    std::unordered_map<u32, TarInode*> inodes_;
    RefPtr<vfs::Inode> root_;
};

/// What all kinds share, and all there is to devices, FIFOs and symbolic links.
class TarInode : public vfs::Inode {
public:
    TarInode(TarFileSystem& fs, u32 node);
    ~TarInode() override;

    TarFileSystem& tar() const { return static_cast<TarFileSystem&>(fs_); }
    TarNode const& node() const { return tar().tree().node(index_); }

    Result<std::string> read_link() override;
    Result<std::string> get_xattr(std::string_view name) override;
    Result<std::vector<std::string>> list_xattrs() override;

private:
    u32 index_;
};

class TarDirectory final : public TarInode {
public:
    using TarInode::TarInode;
    Result<Ref<vfs::Inode>> lookup(std::string_view name) override;
    Result<Ref<vfs::File>> open(vfs::Path const& path, u32 flags) override;
};

/// What a file's bytes are, without the inode: pages may outlive it.
struct TarData {
    Ref<TarSource> source;
    TarNode node;
    /// Any range below the size; holes are left as they are.
    Result<void> read(u64 offset, std::span<u8> out) const;
};

class TarPages final : public mm::BackedPages {
public:
    TarPages(mm::PhysicalMemory& memory, TarData data)
        : BackedPages(memory, data.node.size)
        , data_(std::move(data))
    {
    }

protected:
    Result<void> read_backing(u64 offset, std::span<u8> out) override { return data_.read(offset, out); }

private:
    TarData data_;
};

class TarRegular final : public TarInode {
public:
    using TarInode::TarInode;
    Result<Ref<vfs::File>> open(vfs::Path const& path, u32 flags) override;
    mm::MemoryObject* memory_object() override;
    Result<u64> read(IoBuffer& out, u64 offset);

private:
    RefPtr<TarPages> pages_; ///< made when somebody maps or runs the file
};

} // namespace umbra::fs
