// SPDX-License-Identifier: GPL-2.0-or-later
// The attribute security.capability: its words, and what they mean from within a user namespace.
#include "core/vfs/file-capabilities.h"

#include <array>
#include <cstring>

#include "core/vfs/file-system.h"

namespace umbra::vfs {

namespace {

constexpr u32 kRevisionMask = 0xff000000, kRevision1 = 0x01000000, kRevision2 = 0x02000000,
              kRevision3 = 0x03000000;
constexpr u32 kEffective = 1;

/// struct vfs_ns_cap_data, in the CPU's byte order: words 0 and 1 of each set in turn. Root is version 3's.
struct Stored {
    u32 magic;
    u32 permitted_low, inheritable_low, permitted_high, inheritable_high;
    u32 root;
};
constexpr u64 kSize1 = 12, kSize2 = 20, kSize3 = 24;
static_assert(sizeof(Stored) == kSize3);

std::string bytes_of(Stored const& data)
{
    u64 const size = (data.magic & kRevisionMask) == kRevision3 ? kSize3 : kSize2;
    return std::string(reinterpret_cast<char const*>(&data), size); // its bytes
}

/// EINVAL unless the size is the version's.
Result<Stored> parse(std::string_view text)
{
    Stored data {};
    if (text.size() < sizeof data.magic || text.size() > sizeof data) return err::inval;
    std::memcpy(&data, text.data(), text.size());
    u32 const revision = data.magic & kRevisionMask;
    u64 const size = revision == kRevision1 ? kSize1
        : revision == kRevision2            ? kSize2
        : revision == kRevision3            ? kSize3
                                            : 0;
    if (text.size() != size) return err::inval;
    return data;
}

/// The kernel's id is root in the namespace or in one above it.
bool is_root_of(u32 id, UserNamespace const& space)
{
    for (UserNamespace const* s = &space; s; s = s->parent())
        if (s->uids.to_inside(id) == 0u) return true;
    return false;
}

/// The kernel's id of the root that the attribute is for.
std::optional<u32> root_of(Stored const& data, UserNamespace const& file_system)
{
    return file_system.uid_in((data.magic & kRevisionMask) == kRevision3 ? data.root : 0);
}

} // namespace

Result<std::optional<FileCapabilities>> file_capabilities(Inode& inode, UserNamespace const& space)
{
    auto text = inode.get_xattr("security.capability");
    if (text.is_error())
        return std::optional<FileCapabilities>(); // none, or a file system without attributes
    auto const data = TRY(parse(text.value()));
    auto const root = root_of(data, inode.file_system().user_namespace());
    if (!root || !is_root_of(*root, space)) return std::optional<FileCapabilities>();
    u64 const permitted = data.permitted_low | u64(data.permitted_high) << 32;
    u64 const inheritable = data.inheritable_low | u64(data.inheritable_high) << 32;
    return std::optional(FileCapabilities {
        permitted & kAllCapabilities, inheritable & kAllCapabilities, bool(data.magic & kEffective) });
}

Result<std::string> stored_capabilities(Credentials const& who, Inode const& inode, std::string_view given)
{
    auto data = TRY(parse(given));
    u32 const revision = data.magic & kRevisionMask;
    if (revision == kRevision1) return err::inval; // is read still, and made no more
    auto const& file_system = inode.file_system().user_namespace();
    if (revision == kRevision2 && who.user_namespace.get() == &file_system) return bytes_of(data);
    auto const root = who.user_namespace->uid_in(revision == kRevision3 ? data.root : 0);
    auto const kept = root ? file_system.uids.to_inside(*root) : std::nullopt;
    if (!kept) return err::inval;
    data.magic = kRevision3 | (data.magic & kEffective);
    data.root = *kept;
    return bytes_of(data);
}

Result<std::string> shown_capabilities(Credentials const& who, std::string stored)
{
    auto parsed = parse(stored);
    if (parsed.is_error() || (parsed.value().magic & kRevisionMask) == kRevision1) return stored;
    auto data = parsed.value();
    bool const named = (data.magic & kRevisionMask) == kRevision3;
    auto const mapped = who.user_namespace->uids.to_inside(named ? data.root : 0);
    data.magic = kRevision2 | (data.magic & kEffective);
    if (mapped && *mapped != 0) {
        data.magic = kRevision3 | (data.magic & kEffective);
        data.root = *mapped;
    } else if (!is_root_of(named ? data.root : 0, *who.user_namespace)) {
        return err::overflow;
    }
    return bytes_of(data);
}

} // namespace umbra::vfs
