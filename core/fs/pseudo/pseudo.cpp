// SPDX-License-Identifier: GPL-2.0-or-later
// Generated files and directories.
#include "core/fs/pseudo/pseudo.h"

#include <algorithm>

#include "core/vfs/operations.h"

namespace umbra::fs {

namespace {
vfs::Attributes to_attributes(vfs::FileSystem& fs, u32 type, PseudoAttributes const& given)
{
    auto now = vfs::current_time(fs.kernel());
    return { .mode = type | given.mode,
        .uid = given.uid,
        .gid = given.gid,
        .size = given.size,
        .atime = now,
        .mtime = now,
        .ctime = now,
        .btime = now };
}

class DirectoryFile final : public vfs::File {
public:
    using File::File;
    bool is_seekable() const override { return true; }
    Result<void> read_directory(i64 position, vfs::DirectoryEmitter const& emit) override
    {
        if (!vfs::emit_dots(*this, position, emit)) return {};
        return static_cast<PseudoDirectory&>(inode()).list(std::max<i64>(position, 2), emit);
    }
};
} // namespace

PseudoInode::PseudoInode(vfs::FileSystem& fs, u32 type, PseudoAttributes const& attributes)
    : Inode(fs, attributes.number ? attributes.number : fs.next_inode_number(),
        to_attributes(fs, type, attributes))
{
}

Result<void> PseudoInode::set_attributes(vfs::AttributeChange const& change)
{
    using C = vfs::AttributeChange;
    if (change.mask & (C::kMode | C::kUid | C::kGid)) return err::perm;
    apply_change(change);
    return {};
}

Result<Ref<vfs::File>> TextInode::open(vfs::Path const& path, u32 flags)
{
    TRY(check_open(flags));
    return Ref<vfs::File>(make_ref<TextFile>(path, flags));
}

Result<void> TextInode::take_text(std::string_view) { return err::io; }

Result<u64> TextFile::read(IoBuffer& buffer, u64 offset)
{
    return text_.read(buffer, offset, [this] { return text_inode().make_text(); });
}

Result<u64> TextFile::write(IoBuffer& buffer, u64)
{
    char text[TextInode::kWriteMax];
    u64 count = TRY(buffer.take(text, std::min<u64>(buffer.remaining(), sizeof text)));
    auto taken = text_inode().take_text({ text, count });
    if (taken.ok()) return count;
    buffer.rewind(count); // what is refused has not moved
    return taken.error();
}

Result<Ref<vfs::File>> PseudoDirectory::open(vfs::Path const& path, u32 flags)
{
    TRY(check_open());
    return Ref<vfs::File>(make_ref<DirectoryFile>(path, flags));
}

Result<Ref<vfs::Inode>> StaticDirectory::lookup(std::string_view name)
{
    for (Entry const& entry : entries_)
        if (entry.name == name) return entry.inode;
    return err::noent;
}

Result<void> StaticDirectory::list(i64 position, vfs::DirectoryEmitter const& emit)
{
    for (u64 i = u64(position) - 2; i < entries_.size(); ++i) {
        Entry const& entry = entries_[i];
        if (!emit(entry.name, entry.inode->number(), abi::dt_from_mode(entry.inode->mode()), i64(i) + 3))
            break;
    }
    return {};
}

void StaticDirectory::add(std::string name, Ref<Inode> inode)
{
    if (inode->is_directory()) ++attributes_.nlink;
    entries_.push_back({ std::move(name), std::move(inode) });
}

void StaticDirectory::add_text(
    std::string name, TextMaker make, PseudoAttributes const& attributes, TextTaker take)
{
    add(std::move(name), make_ref<FunctionInode>(fs_, attributes, std::move(make), std::move(take)));
}

void StaticDirectory::add_link(std::string name, std::string target)
{
    add(std::move(name),
        make_ref<LinkInode>(fs_, [target = std::move(target)] { return Result<std::string>(target); }));
}

StaticDirectory& StaticDirectory::directory(std::string_view name)
{
    for (Entry const& entry : entries_)
        // Only StaticDirectory makes the directories that are looked for here.
        if (entry.name == name) return static_cast<StaticDirectory&>(*entry.inode);
    auto made = make_ref<StaticDirectory>(fs_, PseudoAttributes { .mode = 0555 });
    add(std::string(name), made);
    return *made;
}

StaticDirectory& StaticDirectory::directory_at(std::string_view path)
{
    auto slash = path.find('/');
    StaticDirectory& first = directory(path.substr(0, slash));
    return slash == path.npos ? first : first.directory_at(path.substr(slash + 1));
}

} // namespace umbra::fs
