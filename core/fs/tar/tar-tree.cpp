// SPDX-License-Identifier: GPL-2.0-or-later
// From the entries of an archive to a tree.
#include "core/fs/tar/tar-tree.h"

#include <algorithm>
#include <cstring>

namespace umbra::fs {

namespace {

constexpr size_t kTextChunk = 64 << 10;
constexpr unsigned kMaxLinks = 40; ///< symbolic links on the way to a parent directory
constexpr u32 kNoNode = ~u32 { 0 };

/// Takes the first component off a path; empty at its end.
std::string_view take_component(std::string_view& path)
{
    auto from = std::min(path.find_first_not_of('/'), path.size());
    auto to = std::min(path.find('/', from), path.size());
    auto component = path.substr(from, to - from);
    path.remove_prefix(to);
    return component;
}

struct NameKey {
    u32 directory;
    std::string_view name;
    bool operator==(NameKey const&) const = default;
};
struct NameKeyHash {
    size_t operator()(NameKey const& key) const
    {
        return std::hash<std::string_view>()(key.name) ^ (size_t(key.directory) * 0x9e3779b97f4a7c15);
    }
};

} // namespace

class TarTreeBuilder {
public:
    explicit TarTreeBuilder(TarTree& tree)
        : tree_(tree)
    {
        make_node({ .mode = abi::s_ifdir | 0755, .nlink = 2 });
    }
    /// EINVAL with problem() set.
    Result<void> add(TarEntry const& entry);
    void finish();
    std::string const& problem() const { return problem_; }

private:
    u32 make_node(TarNode const& node)
    {
        tree_.nodes_.push_back(node);
        return u32(tree_.nodes_.size() - 1);
    }
    TarNode& node(u32 index) { return tree_.nodes_[index]; }
    u32 find(u32 directory, std::string_view name) const
    {
        auto it = names_.find({ directory, name });
        return it == names_.end() ? kNoNode : it->second;
    }
    Errno bad(std::string what)
    {
        problem_ = std::move(what);
        return err::inval;
    }
    void put(u32 directory, std::string_view name, u32 child);
    Result<u32> directory_at(u32 from, std::string_view path, unsigned& links);
    Result<std::pair<u32, std::string_view>> place_of(std::string_view path);
    Result<u32> hard_link_target(TarEntry const& entry);
    void describe(TarEntry const& entry, TarNode& node);

    TarTree& tree_;
    std::unordered_map<NameKey, u32, NameKeyHash> names_;
    std::string last_parent_; ///< the path of the directory that the last entry was in
    u32 last_parent_node_ = kNoNode;
    std::string problem_;
};

/// Enters a name; what had it loses it.
void TarTreeBuilder::put(u32 directory, std::string_view name, u32 child)
{
    auto it = names_.find({ directory, name });
    if (it != names_.end()) {
        if (node(it->second).nlink > 0) --node(it->second).nlink;
        it->second = child;
        last_parent_node_ = kNoNode; // it may be what is remembered
    } else {
        names_.emplace(NameKey { directory, tree_.store(name) }, child);
    }
    if (abi::is_directory(node(child).mode)) node(child).parent = directory;
}

/// The directory of that path below `from`; what is missing is made, and symbolic links are followed as
/// unpacking would.
Result<u32> TarTreeBuilder::directory_at(u32 from, std::string_view path, unsigned& links)
{
    u32 at = from;
    for (auto name = take_component(path); !name.empty(); name = take_component(path)) {
        if (name == ".") continue;
        if (name == "..") {
            at = node(at).parent;
            continue;
        }
        u32 next = find(at, name);
        if (next == kNoNode) {
            next = make_node({ .mode = abi::s_ifdir | 0755, .nlink = 2 });
            put(at, name, next);
        }
        if (abi::is_symlink(node(next).mode)) {
            if (++links > kMaxLinks) return bad("too many symbolic links on the way to a file");
            auto target = node(next).target;
            next = TRY(directory_at(target.starts_with('/') ? TarTree::kRoot : at, target, links));
        }
        if (!abi::is_directory(node(next).mode))
            return bad("an entry below " + std::string(name) + ", which is no directory");
        at = next;
    }
    return at;
}

/// Directory and name of an entry; the name is empty for the root itself.
Result<std::pair<u32, std::string_view>> TarTreeBuilder::place_of(std::string_view path)
{
    while (path.ends_with('/') || path.ends_with("/.") || path == ".")
        path.remove_suffix(1);
    auto slash = path.rfind('/');
    auto parent = slash == path.npos ? std::string_view() : path.substr(0, slash);
    auto name = slash == path.npos ? path : path.substr(slash + 1);
    if (name == "..") return bad("an entry named " + std::string(path));
    if (last_parent_node_ == kNoNode || last_parent_ != parent) {
        unsigned links = 0;
        u32 found = TRY(directory_at(TarTree::kRoot, parent, links));
        last_parent_ = parent;
        last_parent_node_ = found;
    }
    return std::pair(last_parent_node_, name);
}

void TarTreeBuilder::describe(TarEntry const& entry, TarNode& n)
{
    n.mode = entry.mode, n.uid = entry.uid, n.gid = entry.gid;
    n.mtime = entry.mtime;
    n.size = entry.size, n.position = entry.position;
    bool is_device = abi::is_character_device(n.mode) || abi::is_block_device(n.mode);
    if (is_device) n.position = abi::make_dev(entry.device_major, entry.device_minor);
    if (abi::is_symlink(n.mode)) {
        n.target = tree_.store(entry.link);
        n.size = n.target.size();
    }
    if (entry.xattrs.empty() && !entry.pieces && !entry.atime && !entry.ctime) return;
    auto extra = std::make_unique<TarExtra>();
    extra->xattrs = entry.xattrs;
    extra->is_sparse = entry.pieces.has_value();
    if (entry.pieces) extra->pieces = *entry.pieces;
    extra->atime = entry.atime.value_or(entry.mtime);
    extra->ctime = entry.ctime.value_or(entry.mtime);
    n.extra = extra.get();
    tree_.extras_.push_back(std::move(extra));
}

Result<u32> TarTreeBuilder::hard_link_target(TarEntry const& entry)
{
    auto [directory, name] = TRY(place_of(entry.link));
    u32 target = name.empty() ? TarTree::kRoot : find(directory, name);
    if (target == kNoNode)
        return bad(entry.path + " is a hard link to " + entry.link + ", which is not in the archive");
    if (abi::is_directory(node(target).mode)) return bad(entry.path + " is a hard link to a directory");
    return target;
}

Result<void> TarTreeBuilder::add(TarEntry const& entry)
{
    u32 linked = entry.is_hard_link ? TRY(hard_link_target(entry)) : kNoNode;
    auto [directory, name] = TRY(place_of(entry.path));
    u32 existing = name.empty() ? u32 { TarTree::kRoot } : find(directory, name);
    bool is_directory = linked == kNoNode && abi::is_directory(entry.mode);
    bool was_directory = existing != kNoNode && abi::is_directory(node(existing).mode);
    if (was_directory && !is_directory)
        return bad(entry.path + " is a directory first and something else later");
    if (linked != kNoNode) {
        if (linked == existing) return {};
        put(directory, name, linked);
        ++node(linked).nlink;
        return {};
    }
    if (was_directory) {
        u32 parent = node(existing).parent; // a directory again: its attributes change, its names stay
        describe(entry, node(existing));
        node(existing).parent = parent;
        return {};
    }
    TarNode made { .nlink = is_directory ? 2u : 1u };
    describe(entry, made);
    put(directory, name, make_node(made));
    return {};
}

/// Groups the names by directory, sorted, and counts subdirectories.
void TarTreeBuilder::finish()
{
    std::vector<std::pair<u32, TarName>> all;
    all.reserve(names_.size());
    for (auto const& [key, child] : names_)
        all.emplace_back(key.directory, TarName { key.name, child });
    std::sort(all.begin(), all.end(), [](auto const& a, auto const& b) {
        return a.first != b.first ? a.first < b.first : a.second.name < b.second.name;
    });
    tree_.children_.reserve(all.size());
    for (auto const& [directory, name] : all) {
        TarNode& parent = node(directory);
        if (parent.child_count++ == 0) parent.first_child = u32(tree_.children_.size());
        if (abi::is_directory(node(name.node).mode)) ++parent.nlink;
        tree_.children_.push_back(name);
    }
    tree_.nodes_.shrink_to_fit();
}

std::string_view TarTree::store(std::string_view text)
{
    if (text.empty()) return {};
    if (text.size() > text_free_) {
        size_t size = std::max(kTextChunk, text.size());
        text_.push_back(std::make_unique<char[]>(size));
        text_free_ = size;
    }
    // The chunk is used from its end downwards, so that only what is free need be known.
    char* to = text_.back().get() + text_free_ - text.size();
    text_free_ -= text.size();
    std::memcpy(to, text.data(), text.size());
    return { to, text.size() };
}

Result<std::unique_ptr<TarTree>> TarTree::build(TarSource& source, std::string& problem)
{
    auto tree = std::make_unique<TarTree>();
    TarReader reader(source);
    TarTreeBuilder builder(*tree);
    for (;;) {
        auto entry = reader.next();
        if (entry.is_error()) {
            problem = reader.problem().empty() ? "cannot be read" : reader.problem();
            return entry.error();
        }
        if (!entry.value()) break;
        if (auto added = builder.add(*entry.value()); added.is_error()) {
            problem = builder.problem();
            return added.error();
        }
    }
    builder.finish();
    return tree;
}

TarName const* TarTree::find(TarNode const& directory, std::string_view name) const
{
    auto names = children(directory);
    auto it = std::lower_bound(
        names.begin(), names.end(), name, [](TarName const& a, std::string_view b) { return a.name < b; });
    return it != names.end() && it->name == name ? &*it : nullptr;
}

} // namespace umbra::fs
