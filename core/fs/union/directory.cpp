// SPDX-License-Identifier: GPL-2.0-or-later
// Directories of a union: looking up and listing names through the layers. The VFS holds the directory's mutex over both.
#include <map>
#include <set>

#include "core/fs/union/union-inode.h"

namespace umbra::fs {

namespace {

constexpr i64 kFirstEntry = 2; ///< positions 0 and 1 are "." and ".."

class UnionDirectoryFile final : public vfs::File {
public:
    UnionDirectoryFile(vfs::Path const& path, u32 flags)
        : File(path, flags)
    {
    }
    bool is_seekable() const override { return true; }

    /// One listing serves a whole pass, so positions hold whatever is removed meanwhile; rewinding takes a new one.
    Result<void> read_directory(i64 from, vfs::DirectoryEmitter const& emit) override
    {
        if (!vfs::emit_dots(*this, from, emit)) return {};
        if (!is_listed_ || from == 0) {
            MutexLock lock(inode().mutex);
            listing_ = TRY(static_cast<UnionDirectory&>(inode()).list());
            is_listed_ = true;
        }
        for (u64 i = from <= kFirstEntry ? 0 : u64(from - kFirstEntry); i < listing_.size(); ++i)
            if (!emit(listing_[i].name, listing_[i].number, listing_[i].type, i64(i) + 1 + kFirstEntry))
                break;
        vfs::update_access_time(*path(), flags());
        return {};
    }

private:
    std::vector<UnionDirectory::Entry> listing_;
    bool is_listed_ = false;
};

} // namespace

Result<Ref<vfs::File>> UnionDirectory::open(vfs::Path const& path, u32 flags)
{
    return Ref<vfs::File>(make_ref<UnionDirectoryFile>(path, flags));
}

/// What a layer has under the name, a whiteout too; nothing if it has none.
Result<std::optional<vfs::Path>> UnionDirectory::child_in(vfs::Path const& layer, std::string_view name)
{
    TRY(vfs::check_permission(overlay().mounter(), layer.inode(), abi::x_ok));
    auto child = TRY(vfs::lookup_child(layer, name));
    if (child->is_negative()) return std::optional<vfs::Path>();
    return std::optional<vfs::Path>(vfs::Path { layer.mount, child });
}

Result<Ref<vfs::Inode>> UnionDirectory::lookup(std::string_view name)
{
    auto const& fs = overlay();
    std::optional<vfs::Path> upper;
    std::vector<vfs::Path> lower;
    if (upper_) {
        upper = TRY(child_in(*upper_, name));
        if (upper && fs.is_whiteout(upper->inode())) return err::noent;
    }
    bool complete = upper && (!upper->inode().is_directory() || fs.is_opaque(upper->inode()));
    for (auto layer = lower_.begin(); layer != lower_.end() && !complete; ++layer) {
        auto child = TRY(child_in(*layer, name));
        if (!child) continue;
        bool const found = upper || !lower.empty();
        bool const is_directory = child->inode().is_directory();
        // What is no directory hides what is below it, and is hidden by what is above.
        if (fs.is_whiteout(child->inode()) || (found && !is_directory)) break;
        complete = !is_directory || fs.is_opaque(child->inode());
        lower.push_back(*child);
    }
    if (!upper && lower.empty()) return err::noent;
    return Ref<Inode>(overlay().inode_for(std::move(upper), std::move(lower), this, name));
}

Result<void> UnionDirectory::list_layer(
    vfs::Path const& layer, bool is_upper, std::map<std::string, Entry, std::less<>>& seen)
{
    auto file = TRY(vfs::open_path(current(), layer, abi::o_rdonly | abi::o_directory));
    auto const& layer_fs = layer.mount->file_system();
    i64 position = kFirstEntry;
    std::vector<std::string> devices;
    auto emit = [&](std::string_view name, u64 number, u8 type, i64 next) {
        position = next;
        if (seen.contains(name)) return true;
        if (type == abi::dt_chr || type == abi::dt_unknown) devices.emplace_back(name);
        seen.emplace(
            name, Entry { std::string(name), overlay().number_of(layer_fs, number, is_upper), type });
        return true;
    };
    // A file system may stop early without a reason of ours; it is done when it has nothing to add.
    for (i64 before = -1; before != position;) {
        before = position;
        TRY(file->read_directory(position, emit));
    }
    // A whiteout stays among those seen, without a name: it hides what is below.
    for (auto const& name : devices) {
        auto child = TRY(child_in(layer, name));
        if (child && overlay().is_whiteout(child->inode())) seen.at(name).name.clear();
    }
    return {};
}

Result<std::vector<UnionDirectory::Entry>> UnionDirectory::list()
{
    auto const mounter = overlay().as_mounter();
    std::map<std::string, Entry, std::less<>> seen;
    if (upper_) TRY(list_layer(*upper_, true, seen));
    for (auto const& layer : lower_)
        TRY(list_layer(layer, false, seen));
    std::vector<Entry> entries;
    for (auto& [name, entry] : seen)
        if (!entry.name.empty()) entries.push_back(std::move(entry));
    return entries;
}

} // namespace umbra::fs
