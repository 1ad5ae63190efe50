// SPDX-License-Identifier: GPL-2.0-or-later
// Parts for file systems that store nothing: files whose text a function makes when it is read, directories
// that are fixed or computed, links. proc and sysfs are built of these. References: a StaticDirectory holds
// its children; an open file holds its inode by way of its path.
#pragma once

#include <algorithm>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/vfs/file-system.h"
#include "core/vfs/file.h"
#include "core/vfs/inode.h"

namespace umbra::fs {

struct PseudoAttributes {
    u32 mode = 0444; ///< permission bits
    u32 uid = 0, gid = 0;
    u64 number = 0; ///< inode number; 0: the next free one of the file system
    u64 size = 0; ///< what stat(2) shows: 0 in proc, 4096 in sysfs
};

/// What all of them share: times of the moment they were made, owner and mode that cannot be changed (EPERM).
class PseudoInode : public vfs::Inode {
public:
    PseudoInode(vfs::FileSystem& fs, u32 type, PseudoAttributes const& attributes);
    /// O_TRUNC does nothing, so that `echo x > file` works.
    Result<void> set_attributes(vfs::AttributeChange const& change) override;
};

/// A regular file of text.
class TextInode : public PseudoInode {
public:
    TextInode(vfs::FileSystem& fs, PseudoAttributes const& attributes)
        : PseudoInode(fs, abi::s_ifreg, attributes)
    {
    }
    Result<Ref<vfs::File>> open(vfs::Path const& path, u32 flags) override;

    /// The whole text as of now. Called when a reader starts at the beginning. May wait.
    virtual Result<std::string> make_text() = 0;
    /// What one write(2) gave, at most kWriteMax bytes. EIO by default (Linux: no write operation gives
    /// EINVAL or EIO).
    virtual Result<void> take_text(std::string_view text);
    /// Refuses an open beyond what the mode bits say.
    virtual Result<void> check_open(u32 flags)
    {
        (void)flags;
        return {};
    }

    static constexpr u64 kWriteMax = kPageSize - 1;
};

using TextMaker = std::function<Result<std::string>()>;
using TextTaker = std::function<Result<void>(std::string_view)>;

/// A TextInode out of functions.
class FunctionInode final : public TextInode {
public:
    FunctionInode(
        vfs::FileSystem& fs, PseudoAttributes const& attributes, TextMaker make, TextTaker take = {})
        : TextInode(fs, attributes)
        , make_(std::move(make))
        , take_(std::move(take))
    {
    }
    Result<std::string> make_text() override { return make_ ? make_() : Result<std::string>(err::inval); }
    Result<void> take_text(std::string_view text) override
    {
        return take_ ? take_(text) : TextInode::take_text(text);
    }

private:
    TextMaker make_;
    TextTaker take_;
};

/// The text that an open file shows: made anew when somebody reads from the start, kept for reads in pieces. A reader keeps
/// the one that he copies from, since copying may wait and another may begin anew meanwhile.
class Snapshot {
public:
    /// `make` gives a Result<std::string>. May wait.
    template <typename Make> Result<u64> read(IoBuffer& buffer, u64 offset, Make make)
    {
        if (offset == 0 || !text_) text_ = std::make_shared<std::string const>(TRY(make()));
        auto const text = text_;
        if (offset >= text->size()) return u64 { 0 };
        return buffer.put(text->data() + offset, std::min<u64>(text->size() - offset, buffer.remaining()));
    }

private:
    std::shared_ptr<std::string const> text_;
};

/// An open TextInode: keeps the text from its first read on, so that reads in pieces fit together.
class TextFile : public vfs::File {
public:
    using File::File;
    Result<u64> read(IoBuffer& buffer, u64 offset) override;
    Result<u64> write(IoBuffer& buffer, u64 offset) override;
    bool is_seekable() const override { return true; }
    u64 end_offset() override { return 0; }

private:
    TextInode& text_inode() const { return static_cast<TextInode&>(inode()); }

    Snapshot text_;
};

class LinkInode final : public PseudoInode {
public:
    LinkInode(vfs::FileSystem& fs, TextMaker target)
        : PseudoInode(fs, abi::s_iflnk, { .mode = 0777 })
        , target_(std::move(target))
    {
    }
    Result<std::string> read_link() override { return target_(); }

private:
    TextMaker target_;
};

/// A directory whose entries are computed.
class PseudoDirectory : public PseudoInode {
public:
    PseudoDirectory(vfs::FileSystem& fs, PseudoAttributes const& attributes)
        : PseudoInode(fs, abi::s_ifdir, attributes)
    {
        attributes_.nlink = 2;
    }
    Result<Ref<vfs::File>> open(vfs::Path const& path, u32 flags) override;
    /// Entries from `position` on (2 is the first after the dots), until emit returns false.
    virtual Result<void> list(i64 position, vfs::DirectoryEmitter const& emit) = 0;
    /// Refuses listing beyond what the mode bits say.
    virtual Result<void> check_open() { return {}; }
};

/// A directory that is filled once.
class StaticDirectory : public PseudoDirectory {
public:
    using PseudoDirectory::PseudoDirectory;
    Result<Ref<Inode>> lookup(std::string_view name) override;
    Result<void> list(i64 position, vfs::DirectoryEmitter const& emit) override;

    void add(std::string name, Ref<Inode> inode);
    void add_text(
        std::string name, TextMaker make, PseudoAttributes const& attributes = {}, TextTaker take = {});
    void add_link(std::string name, std::string target);
    /// A subdirectory, made unless it is there.
    StaticDirectory& directory(std::string_view name);
    /// The subdirectory at a path of several names.
    StaticDirectory& directory_at(std::string_view path);
    size_t size() const { return entries_.size(); }

private:
    struct Entry {
        std::string name;
        Ref<Inode> inode;
    };
    std::vector<Entry> entries_;
};

} // namespace umbra::fs
