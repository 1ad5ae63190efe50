// SPDX-License-Identifier: GPL-2.0-or-later
// mount(2) of a union: its options, the layers that they name, and what Linux demands of those.
#include <array>

#include "core/fs/union/union-inode.h"
#include "core/vfs/dentry-cache.h"

namespace umbra::fs {

namespace {

using Kind = vfs::MountParameter::Kind;

constexpr size_t kMostLayers = 500; ///< OVL_MAX_STACK
constexpr u32 kMostDepth = 2; ///< FILESYSTEM_MAX_STACK_DEPTH

constexpr std::array<vfs::MountParameter, 13> kParameters { {
    { "lowerdir", Kind::text },
    { "lowerdir+", Kind::text },
    { "upperdir", Kind::text },
    { "workdir", Kind::text },
    { "default_permissions", Kind::flag },
    { "redirect_dir", Kind::text },
    { "index", Kind::text },
    { "nfs_export", Kind::text },
    { "metacopy", Kind::text },
    { "xino", Kind::text },
    { "uuid", Kind::text },
    { "volatile", Kind::flag },
    { "userxattr", Kind::flag },
} };

/// "a:b:c" with "\:" for a colon and "\\" for a backslash. EINVAL for an empty name.
Result<std::vector<std::string>> split_layers(std::string_view text)
{
    std::vector<std::string> result(1);
    for (size_t i = 0; i < text.size(); ++i) {
        if (text[i] == '\\' && i + 1 < text.size())
            result.back() += text[++i];
        else if (text[i] == ':')
            result.emplace_back();
        else
            result.back() += text[i];
    }
    for (auto const& name : result)
        if (name.empty()) return err::inval;
    return result;
}

/// Features that change the format of what is stored, which there are not here: only "off" is taken.
Result<void> check_feature(std::string_view name, std::string_view value)
{
    if (name == "redirect_dir") return value == "off" || value == "nofollow" ? Result<void>() : err::inval;
    if (name == "xino")
        return value == "off" || value == "auto" || value == "on" ? Result<void>() : err::inval;
    if (name == "uuid")
        return value == "off" || value == "null" || value == "auto" ? Result<void>() : err::inval;
    bool const known = name == "index" || name == "nfs_export" || name == "metacopy";
    return known && value == "off" ? Result<void>() : err::inval;
}

Result<UnionOptions> parse(std::string_view text)
{
    UnionOptions options;
    for (auto const& [name, value] : vfs::split_options(text)) {
        if (name == "lowerdir") {
            options.lower = TRY(split_layers(value)), options.lower_one_by_one = false;
        } else if (name == "lowerdir+") {
            if (!options.lower.empty() && !options.lower_one_by_one) return err::inval;
            options.lower.emplace_back(value), options.lower_one_by_one = true;
        } else if (name == "upperdir") {
            options.upper = value;
        } else if (name == "workdir") {
            options.work = value;
        } else if (name == "volatile") {
            options.is_volatile = true;
        } else if (name == "userxattr") {
            options.user_xattrs = true;
        } else if (name != "default_permissions") {
            TRY(check_feature(name, value));
        }
        if ((name == "upperdir" || name == "workdir") && value.empty()) return err::inval;
    }
    return options;
}

/// ENOTDIR is EINVAL here.
Result<vfs::Path> find_directory(Task& task, std::string_view name)
{
    auto path = TRY(vfs::walk(task, task.fs().cwd, name));
    if (!path.inode().is_directory()) return err::inval;
    if (UnionFileSystem::depth_of(path.mount->file_system()) >= kMostDepth) return err::inval;
    return path;
}

/// The place under a mount of its own, which stays as it is whatever becomes of the place in the tree.
vfs::Path private_place(vfs::Path const& place, u32 flags)
{
    auto mount = make_ref<vfs::Mount>(
        Ref<vfs::FileSystem>(place.mount->file_system()), place.dentry, flags, place.mount->source());
    return { mount, place.dentry };
}

bool contains(vfs::Path const& a, vfs::Path const& b)
{
    return &a.mount->file_system() == &b.mount->file_system() && a.dentry->is_ancestor_of(*b.dentry);
}
bool overlap(vfs::Path const& a, vfs::Path const& b) { return contains(a, b) || contains(b, a); }

/// Removes what is below a directory in the upper file system, level by level. What cannot be removed stays.
void empty_directory(Task& task, vfs::Path const& directory)
{
    std::vector<vfs::Path> open { directory };
    RefPtr<vfs::Dentry> emptied; ///< was open last: if it cannot be removed now, it never can
    while (!open.empty()) {
        vfs::Path const top = open.back();
        std::vector<std::string> names;
        auto file = vfs::open_path(task, top, abi::o_rdonly | abi::o_directory);
        if (file.is_error()) return;
        auto emit = [&](std::string_view name, u64, u8, i64) {
            names.emplace_back(name);
            return names.size() < 1000;
        };
        if (file.value()->read_directory(2, emit).is_error()) return;
        bool deeper = false;
        for (auto const& name : names) {
            auto child = vfs::lookup_child(top, name);
            if (child.is_error() || child.value()->is_negative()) return;
            if (!child.value()->inode().is_directory()) {
                if (vfs::unlink(task, { top, name }).is_error()) return;
            } else if (vfs::rmdir(task, { top, name }).is_error()) {
                if (emptied == child.value().operator->()) return;
                open.push_back({ top.mount, child.value() });
                deeper = true;
                break;
            }
        }
        if (deeper || !names.empty()) continue;
        emptied = RefPtr<vfs::Dentry>(top.dentry);
        open.pop_back();
    }
}

/// The empty directory "work" in the one that was given; what an earlier mount left there goes.
Result<vfs::Path> prepare_work(Task& task, vfs::Path const& given)
{
    auto found = TRY(vfs::lookup_child(given, "work"));
    if (!found->is_negative() && found->inode().is_directory()) {
        empty_directory(task, { given.mount, found });
        TRY(vfs::rmdir(task, { given, "work" }));
    } else if (!found->is_negative()) {
        TRY(vfs::unlink(task, { given, "work" }));
    }
    // Linux gives it no mode at all; in a directory of the host that would keep the user of the instance out.
    TRY(vfs::mkdir(task, { given, "work" }, 0700));
    return vfs::Path { given.mount, TRY(vfs::lookup_child(given, "work")) };
}

Result<UnionFileSystem::Layers> find_layers(Task& task, UnionOptions const& options)
{
    UnionFileSystem::Layers layers;
    std::vector<vfs::Path> all;
    for (auto const& name : options.lower)
        all.push_back(TRY(find_directory(task, name)));
    if (!options.upper.empty()) {
        if (options.work.empty()) return err::inval;
        auto const upper = TRY(find_directory(task, options.upper)),
                   work = TRY(find_directory(task, options.work));
        if (upper.mount->is_read_only() || !(upper.mount == work.mount) || overlap(upper, work))
            return err::inval;
        layers.upper = private_place(upper, 0);
        layers.work = vfs::Path { layers.upper->mount, work.dentry };
        all.push_back(upper);
        all.push_back(work);
    }
    size_t const least = layers.upper ? 1 : 2;
    if (options.lower.size() < least || options.lower.size() > kMostLayers) return err::inval;
    for (size_t i = 0; i < all.size(); ++i)
        for (size_t j = 0; j < i; ++j)
            if (overlap(all[i], all[j])) return err::loop;
    for (size_t i = 0; i < options.lower.size(); ++i)
        layers.lower.push_back(private_place(all[i], vfs::kMountReadOnly | vfs::kMountNoAtime));
    if (layers.work) layers.work = TRY(prepare_work(task, *layers.work));
    return layers;
}

} // namespace

std::span<vfs::MountParameter const> const kUnionParameters(kParameters);

Result<Ref<vfs::FileSystem>> mount_union(vfs::MountRequest const& request)
{
    if (!request.who) return err::inval;
    auto options = TRY(parse(request.options));
    // Marks that need a privilege of the machine cannot be set from a user namespace.
    if (!request.who->user_namespace->is_first()) options.user_xattrs = true;
    auto layers = TRY(find_layers(current(), options));
    auto fs = make_ref<UnionFileSystem>(
        request.kernel, std::move(options), Ref<Credentials>(request.who->clone()), std::move(layers));
    fs->set_user_namespace(Ref<UserNamespace>(request.user_namespace()));
    return Ref<vfs::FileSystem>(fs);
}

} // namespace umbra::fs
