// SPDX-License-Identifier: GPL-2.0-or-later
// Reads a tar archive from entry to entry (tar(5) of libarchive, POSIX.1-2001 pax). Knows formats, not trees.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/fs/tar/tar.h"

namespace umbra::fs {

/// A piece of a sparse file: `length` bytes at `offset` of the file lie at `position` of the archive.
struct TarPiece {
    u64 offset, length, position;
};

struct TarEntry {
    std::string path; ///< as the archive has it
    std::string link; ///< target of a symbolic link, path of a hard link's other name
    bool is_hard_link = false;
    u32 mode = 0; ///< with the type
    u32 uid = 0, gid = 0;
    u32 device_major = 0, device_minor = 0;
    u64 size = 0; ///< of the file
    u64 position = 0; ///< of its data in the archive
    abi::Timespec mtime {};
    std::optional<abi::Timespec> atime, ctime;
    std::optional<std::vector<TarPiece>> pieces; ///< of a sparse file
    std::vector<std::pair<std::string, std::string>> xattrs;
};

class TarReader {
public:
    explicit TarReader(TarSource& source)
        : source_(source)
    {
    }
    /// The next entry, or nothing at the end. problem() tells what an error means. May wait.
    Result<std::optional<TarEntry>> next();
    std::string const& problem() const { return problem_; }

private:
    struct Block;
    /// What extended headers say about the next entry, or about all that follow.
    struct Extension {
        std::optional<std::string> path, link, sparse_name;
        std::optional<u64> size, uid, gid, sparse_size;
        std::optional<abi::Timespec> mtime, atime, ctime;
        std::vector<std::pair<std::string, std::string>> xattrs;
        std::vector<u64> sparse_numbers; ///< offset, length, offset, length, ...
        unsigned sparse_major = 0, sparse_minor = 0;
        bool is_sparse = false;
    };

    Result<Block const*> block_at(u64 position);
    Result<std::string> text_at(u64 position, u64 size);
    Errno bad(std::string what);
    Result<bool> is_end(u64 position);
    Result<void> read_extension(u64 position, u64 size, Extension& out);
    Result<void> apply_record(std::string_view key, std::string_view value, Extension& out);
    Result<bool> take_extension_header(Block const& header, u64 size);
    Result<TarEntry> make_entry(Block const& header, u64 size);
    void apply_extension(Extension const& extension, TarEntry& entry) const;
    Result<void> read_old_sparse(Block const& header, TarEntry& entry);
    Result<void> read_pax_sparse(Extension const& extension, u64 stored, TarEntry& entry);
    Result<void> set_pieces(std::vector<u64> const& numbers, u64 stored, TarEntry& entry);

    TarSource& source_;
    u64 position_ = 0; ///< of the next header
    u64 entry_position_ = 0; ///< of the header that is being read
    u64 data_position_ = 0; ///< behind the header
    Extension global_, local_;
    std::string problem_;
    std::vector<u8> window_; ///< what was read last: mostly holds the next header too
    u64 window_position_ = 0;
};

} // namespace umbra::fs
