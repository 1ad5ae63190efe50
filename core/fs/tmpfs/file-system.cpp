// SPDX-License-Identifier: GPL-2.0-or-later
// A tmpfs instance: its options, limits and statfs, and the making of inodes.
#include <algorithm>

#include "core/fs/tmpfs/tmpfs-inode.h"
#include "core/kernel.h"
#include "core/task/task.h"
#include "core/vfs/operations.h"

namespace umbra::fs {

namespace {

constexpr i64 kRamfsMagic = 0x858458f6;

Result<u64> parse_pages(std::string_view text, Kernel& kernel)
{
    if (text.ends_with('%')) {
        text.remove_suffix(1);
        return page_up(u64(TRY(vfs::parse_number(text, 10))) * kernel.options().memory_limit / 100)
            >> kPageShift;
    }
    return page_up(TRY(vfs::parse_size(text))) >> kPageShift;
}

/// "" for never.
Result<std::string> parse_huge(std::string_view text)
{
    for (std::string_view known : { "always", "within_size", "advise" })
        if (text == known) return std::string(text);
    return text == "never" ? Result<std::string>(std::string()) : err::inval;
}

/// set_mempolicy(2) in words: there is one node.
Result<void> check_policy(std::string_view text)
{
    std::string_view const mode = text.substr(0, text.find_first_of("=:"));
    std::string_view const nodes = text.substr(std::min(text.find(':'), text.size()));
    for (std::string_view known : { "default", "local", "prefer", "bind", "interleave" })
        if (mode == known) return nodes.empty() || nodes == ":0" ? Result<void>() : err::inval;
    return err::inval;
}

u64 or_unlimited(u64 value) { return value == 0 ? TmpfsOptions::kUnlimited : value; }

Result<void> parse_options(std::string_view text, vfs::MountRequest const& request, TmpfsOptions& options)
{
    for (auto const& [name, value] : vfs::split_options(text)) {
        if (name == "size")
            options.max_pages = or_unlimited(TRY(parse_pages(value, request.kernel)));
        else if (name == "nr_blocks")
            options.max_pages = or_unlimited(TRY(vfs::parse_size(value)));
        else if (name == "nr_inodes")
            options.max_inodes = or_unlimited(TRY(vfs::parse_size(value)));
        else if (name == "mode")
            options.mode = TRY(vfs::parse_number(value, 8)) & 07777;
        else if (name == "uid")
            options.uid = TRY(request.uid(TRY(vfs::parse_number(value, 10))));
        else if (name == "gid")
            options.gid = TRY(request.gid(TRY(vfs::parse_number(value, 10))));
        else if (name == "huge")
            options.huge = TRY(parse_huge(value));
        else if (name == "mpol")
            TRY(check_policy(value));
        else if (name == "noswap" && value.empty())
            options.no_swap = true;
        else if ((name == "inode32" || name == "inode64") && value.empty())
            options.long_inode_numbers = name == "inode64";
        else
            return err::inval;
    }
    return {};
}

} // namespace

using Kind = vfs::MountParameter::Kind;
static constexpr vfs::MountParameter kParameters[] = { { "gid", Kind::number }, { "huge", Kind::text },
    { "inode32", Kind::flag }, { "inode64", Kind::flag }, { "mode", Kind::octal }, { "mpol", Kind::text },
    { "noswap", Kind::flag }, { "nr_blocks", Kind::size }, { "nr_inodes", Kind::size },
    { "size", Kind::size_or_share }, { "uid", Kind::number } };
std::span<vfs::MountParameter const> const kTmpfsParameters = kParameters;

Ref<vfs::FileSystem> make_tmpfs(Kernel& kernel, TmpfsOptions const& options)
{
    return make_ref<TmpfsFileSystem>(kernel, options);
}

Result<Ref<vfs::FileSystem>> mount_tmpfs(vfs::MountRequest const& request)
{
    u64 half = (request.kernel.options().memory_limit >> kPageShift) / 2;
    TmpfsOptions options { .max_pages = half,
        .max_inodes = half,
        .most_inodes = half,
        .default_pages = half,
        .default_inodes = half };
    if (request.who) options.uid = request.who->fsuid, options.gid = request.who->fsgid;
    TRY(parse_options(request.options, request, options));
    auto fs = make_tmpfs(request.kernel, options);
    fs->set_user_namespace(Ref<UserNamespace>(request.user_namespace()));
    return fs;
}

Result<Ref<vfs::FileSystem>> mount_ramfs(vfs::MountRequest const& request)
{
    TmpfsOptions options { .most_inodes = (request.kernel.options().memory_limit >> kPageShift) / 2,
        .mode = 0755,
        .type = "ramfs",
        .magic = kRamfsMagic };
    for (auto const& [name, value] : vfs::split_options(request.options))
        if (name == "mode") options.mode = TRY(vfs::parse_number(value, 8)) & 07777;
    auto fs = make_tmpfs(request.kernel, options);
    fs->set_user_namespace(Ref<UserNamespace>(request.user_namespace()));
    return fs;
}

TmpfsFileSystem::TmpfsFileSystem(Kernel& kernel, TmpfsOptions const& options)
    : FileSystem(kernel, options.type)
    , options_(options)
    , account_(make_ref<TmpfsAccount>())
{
    magic_ = options.magic;
    account_->max_pages = options.max_pages;
    account_->max_inodes = std::min(options.max_inodes, options.most_inodes);
    account_->used_inodes = 1; // the root
    vfs::NewInode root { .mode = abi::s_ifdir | options.mode, .uid = options.uid, .gid = options.gid };
    root_ = make_ref<TmpfsDirectory>(*this, initial(root));
}

TmpfsFileSystem::~TmpfsFileSystem()
{
    // Level by level: a tree may be deeper than a kernel stack can recurse.
    std::vector<Ref<TmpfsInode>> doomed { Ref<TmpfsInode>(RefPtr<TmpfsInode>(root_)) };
    root_ = nullptr;
    while (!doomed.empty()) {
        Ref<TmpfsInode> next = doomed.back();
        doomed.pop_back();
        if (!next->is_directory()) continue;
        for (auto& child : static_cast<TmpfsDirectory&>(*next).take_children())
            doomed.push_back(child);
    }
}

Ref<vfs::Inode> TmpfsFileSystem::root() { return Ref<vfs::Inode>(*root_); }

Result<abi::Statfs> TmpfsFileSystem::statfs()
{
    auto s = TRY(FileSystem::statfs());
    auto const& a = *account_;
    if (a.max_pages != TmpfsOptions::kUnlimited) {
        s.blocks = a.max_pages;
        s.bfree = s.bavail = a.max_pages - std::min(a.max_pages, a.used_pages);
    }
    if (a.max_inodes != TmpfsOptions::kUnlimited) {
        s.files = a.max_inodes;
        s.ffree = a.max_inodes - std::min(a.max_inodes, a.used_inodes);
    }
    return s;
}

std::string TmpfsFileSystem::show_options() const
{
    std::string text;
    auto add = [&](char const* name, std::string const& value) { text.append(name).append(value); };
    auto shown = [](u64 limit) { return limit == TmpfsOptions::kUnlimited ? 0 : limit; };
    if (options_.max_pages != options_.default_pages)
        add(",size=", std::to_string(shown(options_.max_pages) << (kPageShift - 10)) + "k");
    if (options_.max_inodes != options_.default_inodes)
        add(",nr_inodes=", std::to_string(shown(options_.max_inodes)));
    if (options_.mode != (options_.type == "ramfs" ? 0755 : 01777)) {
        text += ",mode=";
        for (int shift = options_.mode > 0777 ? 9 : 6; shift >= 0; shift -= 3)
            text += char('0' + (options_.mode >> shift & 7));
    }
    if (options_.uid) add(",uid=", std::to_string(options_.uid));
    if (options_.gid) add(",gid=", std::to_string(options_.gid));
    if (options_.long_inode_numbers) text += ",inode64";
    if (!options_.huge.empty()) add(",huge=", options_.huge);
    if (options_.no_swap) text += ",noswap";
    return text;
}

namespace {

/// A limit can be moved but not below what is used, and what had none gets none.
Result<void> check_limit(u64 now, u64 wanted, u64 used)
{
    if (wanted == now || wanted == TmpfsOptions::kUnlimited) return {};
    return now == TmpfsOptions::kUnlimited || wanted < used ? Result<void>(err::inval) : Result<void>();
}

} // namespace

Result<void> TmpfsFileSystem::reconfigure(std::string_view text)
{
    if (options_.type == "ramfs") return {};
    TmpfsOptions wanted = options_;
    TRY(parse_options(text, { kernel_, {}, {}, 0, current().credentials_ref() }, wanted));
    TRY(check_limit(options_.max_pages, wanted.max_pages, account_->used_pages));
    TRY(check_limit(options_.max_inodes, wanted.max_inodes, account_->used_inodes));
    if (wanted.no_swap != options_.no_swap) return err::inval;
    account_->max_pages = options_.max_pages = wanted.max_pages;
    options_.max_inodes = wanted.max_inodes;
    account_->max_inodes = std::min(wanted.max_inodes, options_.most_inodes);
    options_.huge = wanted.huge;
    options_.long_inode_numbers = wanted.long_inode_numbers;
    return {};
}

vfs::Attributes TmpfsFileSystem::initial(vfs::NewInode const& what) const
{
    auto now = vfs::current_time(kernel_);
    return { .mode = what.mode,
        .uid = what.uid,
        .gid = what.gid,
        .nlink = abi::is_directory(what.mode) ? 2u : 1u,
        .rdev = what.rdev,
        .atime = now,
        .mtime = now,
        .ctime = now,
        .btime = now };
}

Result<Ref<vfs::Inode>> TmpfsFileSystem::make(vfs::NewInode const& what)
{
    if (!account_->take_inodes(1)) return err::nospc;
    auto attributes = initial(what);
    if (abi::is_directory(what.mode)) return Ref<vfs::Inode>(make_ref<TmpfsDirectory>(*this, attributes));
    if (abi::is_regular(what.mode)) return Ref<vfs::Inode>(make_ref<TmpfsRegular>(*this, attributes));
    return Ref<vfs::Inode>(make_ref<TmpfsInode>(*this, attributes));
}

Result<Ref<vfs::Inode>> TmpfsFileSystem::make_symlink(std::string_view target, vfs::NewInode const& what)
{
    if (!account_->take_inodes(1)) return err::nospc;
    auto attributes = initial(what);
    attributes.size = target.size();
    return Ref<vfs::Inode>(make_ref<TmpfsSymlink>(*this, attributes, target));
}

} // namespace umbra::fs
