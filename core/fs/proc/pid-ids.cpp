// SPDX-License-Identifier: GPL-2.0-or-later
// Who a process is beyond its credentials: audit ids, which nobody sets, and the maps of its user namespace, which are
// written here once (user_namespaces(7)).
#include "core/fs/proc/pid-directory.h"
#include "core/fs/pseudo/text.h"
#include "core/task/permissions.h"

namespace umbra::fs {

namespace {

enum class Kind : u8 { users, groups, projects };

IdMap& map_of(UserNamespace& space, Kind kind)
{
    switch (kind) {
    case Kind::users:
        return space.uids;
    case Kind::groups:
        return space.gids;
    case Kind::projects:
        break;
    }
    return space.projects;
}

/// Whether the map gives the parent's root to nobody, or by who may give it: who could set file capabilities there.
bool may_map_root(Credentials const& opener, UserNamespace const& space, IdMap const& map)
{
    bool maps_root = false;
    for (auto const& range : map.ranges())
        maps_root = maps_root || range.outside == 0;
    if (!maps_root) return true;
    if (opener.user_namespace == &space) return space.maker_could_setfcap;
    return is_capable(opener, *space.parent(), Capability::setfcap);
}

/// Somebody without capabilities in the parent: to map his own id, and a group only once setgroups(2) is denied.
bool maps_only_oneself(Credentials const& opener, UserNamespace const& space, Kind kind, IdMap const& map)
{
    auto const& range = map.ranges().front();
    if (map.ranges().size() != 1 || range.count != 1 || space.owner_uid() != opener.euid) return false;
    if (kind == Kind::users) return space.parent()->uid_in(range.outside) == opener.euid;
    return kind == Kind::groups && !space.setgroups_allowed
        && space.parent()->gid_in(range.outside) == opener.egid;
}

/// new_idmap_permitted() of Linux: the rules of user_namespaces(7).
bool may_map(Credentials const& opener, UserNamespace const& space, Kind kind, IdMap const& map)
{
    if (kind == Kind::users && !may_map_root(opener, space, map)) return false;
    if (maps_only_oneself(opener, space, kind, map) || kind == Kind::projects) return true;
    auto const needed = kind == Kind::users ? Capability::setuid : Capability::setgid;
    return is_capable(opener, *space.parent(), needed)
        && is_capable(current().credentials(), *space.parent(), needed);
}

Result<void> write_map(Credentials const& opener, UserNamespace& space, Kind kind, std::string_view text)
{
    if (space.is_first()) return err::perm;
    UserNamespace const* from = opener.user_namespace.get();
    if (from != &space && from != space.parent()) return err::perm;
    IdMap& map = map_of(space, kind);
    if (map.is_set()) return err::perm; // once only
    if (kind != Kind::projects && !is_capable(opener, space, Capability::sys_admin)) return err::perm;
    auto const wanted = TRY(IdMap::parse(text));
    if (!may_map(opener, space, kind, wanted)) return err::perm;
    map = TRY(wanted.through(map_of(*space.parent(), kind)));
    return {};
}

/// Ids outside are shown as the reader has them, or as the parent has them to a reader within.
std::string map_text(UserNamespace& reader, UserNamespace& space, Kind kind)
{
    UserNamespace& outside = &reader == &space && reader.parent() ? *reader.parent() : reader;
    std::string out;
    for (auto const& range : map_of(space, kind).ranges())
        append_format(out, "%10u %10u %10u\n", range.inside,
            map_of(outside, kind).to_inside(range.outside).value_or(kNoId), range.count);
    return out;
}

Result<void> write_setgroups(UserNamespace& space, std::string_view text)
{
    constexpr size_t kLongest = 8;
    if (text.size() >= kLongest) return err::inval;
    bool const allow = text.starts_with("allow");
    if (!allow && !text.starts_with("deny")) return err::inval;
    if (!trimmed(text.substr(allow ? 5 : 4)).empty()) return err::inval;
    if (allow) return space.setgroups_allowed ? Result<void>() : err::perm;
    // Too late: groups may have been dropped already.
    if (space.gids.is_set()) return err::perm;
    space.setgroups_allowed = false;
    return {};
}

/// The user namespace of a process and one thing about it. Who opens the file counts besides who writes to it.
class UserNamespaceInode : public TextInode {
public:
    UserNamespaceInode(vfs::FileSystem& fs, PidReference const& reference, PseudoAttributes const& attributes)
        : TextInode(fs, attributes)
        , reference_(reference)
    {
    }
    Result<Ref<vfs::File>> open(vfs::Path const& path, u32 flags) override;
    virtual Result<void> write(Credentials const& opener, std::string_view text) = 0;

protected:
    Result<Ref<UserNamespace>> space()
    {
        return TRY(live_task(TRY(find_subject(fs_.kernel(), reference_))))->credentials().user_namespace;
    }

private:
    PidReference reference_;
};

class UserNamespaceFile final : public TextFile {
public:
    using TextFile::TextFile;
    Result<u64> write(IoBuffer& buffer, u64 offset) override
    {
        char text[TextInode::kWriteMax];
        if (offset != 0 || buffer.remaining() > sizeof text) return err::inval;
        u64 const count = TRY(buffer.take(text, buffer.remaining()));
        auto written = static_cast<UserNamespaceInode&>(inode()).write(*opener_, { text, count });
        if (written.ok()) return count;
        buffer.rewind(count); // nothing was written
        return written.error();
    }

private:
    Ref<Credentials> opener_ = current().credentials_ref();
};

Result<Ref<vfs::File>> UserNamespaceInode::open(vfs::Path const& path, u32 flags)
{
    TRY(check_open(flags));
    return Ref<vfs::File>(make_ref<UserNamespaceFile>(path, flags));
}

template <Kind kind> class IdMapInode final : public UserNamespaceInode {
public:
    using UserNamespaceInode::UserNamespaceInode;
    Result<std::string> make_text() override
    {
        return map_text(*current().credentials().user_namespace, *TRY(space()), kind);
    }
    Result<void> write(Credentials const& opener, std::string_view text) override
    {
        return write_map(opener, *TRY(space()), kind, text);
    }
};

class SetgroupsInode final : public UserNamespaceInode {
public:
    using UserNamespaceInode::UserNamespaceInode;
    Result<void> check_open(u32 flags) override
    {
        if ((flags & abi::o_accmode) == abi::o_rdonly) return {};
        return is_capable(current().credentials(), *TRY(space()), Capability::sys_admin) ? Result<void>()
                                                                                         : err::acces;
    }
    Result<std::string> make_text() override
    {
        return std::string(TRY(space())->setgroups_allowed ? "allow\n" : "deny\n");
    }
    Result<void> write(Credentials const&, std::string_view text) override
    {
        return write_setgroups(*TRY(space()), text);
    }
};

} // namespace

Ref<vfs::Inode> make_uid_map(
    vfs::FileSystem& fs, PidReference const& reference, PseudoAttributes const& attributes)
{
    return make_ref<IdMapInode<Kind::users>>(fs, reference, attributes);
}

Ref<vfs::Inode> make_gid_map(
    vfs::FileSystem& fs, PidReference const& reference, PseudoAttributes const& attributes)
{
    return make_ref<IdMapInode<Kind::groups>>(fs, reference, attributes);
}

Ref<vfs::Inode> make_project_map(
    vfs::FileSystem& fs, PidReference const& reference, PseudoAttributes const& attributes)
{
    return make_ref<IdMapInode<Kind::projects>>(fs, reference, attributes);
}

Ref<vfs::Inode> make_setgroups(
    vfs::FileSystem& fs, PidReference const& reference, PseudoAttributes const& attributes)
{
    return make_ref<SetgroupsInode>(fs, reference, attributes);
}

} // namespace umbra::fs
