// SPDX-License-Identifier: GPL-2.0-or-later
// The index of an archive: objects (inodes) and names, packed, since a distribution has tens of thousands of
// them. Built once by TarTree::build(), immutable afterwards.
#pragma once

#include <memory>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "core/fs/tar/tar-reader.h"

namespace umbra::fs {

/// What few objects have.
struct TarExtra {
    std::vector<std::pair<std::string, std::string>> xattrs;
    std::vector<TarPiece> pieces; ///< of a sparse file
    bool is_sparse = false;
    abi::Timespec atime {}, ctime {};
};

struct TarNode {
    u32 mode = 0, uid = 0, gid = 0, nlink = 0;
    u64 size = 0;
    u64 position = 0; ///< of a file's data; of a device, its number
    abi::Timespec mtime {};
    std::string_view target; ///< of a symbolic link
    TarExtra* extra = nullptr;
    u32 parent = 0; ///< of a directory
    u32 first_child = 0, child_count = 0; ///< of a directory: in TarTree::children()
};

struct TarName {
    std::string_view name;
    u32 node;
};

class TarTree {
public:
    static constexpr u32 kRoot = 0;
    /// `problem` says what an error is about.
    static Result<std::unique_ptr<TarTree>> build(TarSource& source, std::string& problem);

    TarNode const& node(u32 index) const { return nodes_[index]; }
    u32 node_count() const { return u32(nodes_.size()); }
    /// A directory's names, sorted.
    std::span<TarName const> children(TarNode const& directory) const
    {
        return std::span(children_).subspan(directory.first_child, directory.child_count);
    }
    TarName const* find(TarNode const& directory, std::string_view name) const;

private:
    friend class TarTreeBuilder;
    /// Text that lives as long as the tree.
    std::string_view store(std::string_view text);

    std::vector<TarNode> nodes_;
    std::vector<TarName> children_; ///< grouped by directory
    std::vector<std::unique_ptr<TarExtra>> extras_;
    std::vector<std::unique_ptr<char[]>> text_;
    size_t text_free_ = 0;
};

} // namespace umbra::fs
