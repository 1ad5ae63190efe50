// SPDX-License-Identifier: GPL-2.0-or-later
// Descriptors and identities in control messages.
#include "core/net/control-message.h"

#include <algorithm>

#include "core/abi/inet.h"
#include "core/abi/netlink.h"
#include "core/kernel.h"
#include "core/task/process-table.h"
#include "core/task/task.h"

namespace umbra::net {

namespace {

constexpr u64 kHeader = sizeof(abi::ControlHeader);

Result<void> import_files(Task& task, GuestAddr data, u64 length, Ancillary& out)
{
    u64 count = length / sizeof(i32);
    if (out.files.size() + count > abi::scm_max_fds) return err::inval;
    for (i32 fd : TRY(UserIn<i32> { data }.copy_in_array(task, count)))
        out.files.push_back(TRY(task.files().get(GuestFd(fd), true)));
    return {};
}

/// Makes kernel's ids of those that the sender gives. EINVAL: his user namespace has no such ones.
Result<void> from_guest(Task const& sender, abi::Ucred& identity)
{
    auto const& ids = *sender.credentials().user_namespace;
    auto const uid = ids.uid_in(identity.uid), gid = ids.gid_in(identity.gid);
    if (!uid || !gid) return err::inval;
    identity.pid = pid_in(sender, identity.pid).value;
    identity.uid = *uid, identity.gid = *gid;
    return {};
}

} // namespace

Result<Ancillary> import_control(Task& task, GuestAddr address, u64 length)
{
    Ancillary out;
    u64 offset = 0;
    while (length - offset >= kHeader) {
        auto header = TRY(UserIn<abi::ControlHeader> { address + offset }.copy_in(task));
        if (header.length < kHeader || header.length > length - offset) return err::inval;
        GuestAddr data = address + offset + kHeader;
        u64 size = header.length - kHeader;
        if (header.level == abi::sol_socket && header.type == abi::scm_rights) {
            TRY(import_files(task, data, size, out));
        } else if (header.level == abi::sol_socket && header.type == abi::scm_credentials) {
            if (size != sizeof(abi::Ucred)) return err::inval;
            auto claimed = TRY(UserIn<abi::Ucred> { data }.copy_in(task));
            TRY(from_guest(task, claimed));
            out.credentials = claimed;
        } else if (header.level == abi::sol_socket) {
            return err::inval;
        } else if (header.level == abi::ipproto_ip || header.level == abi::ipproto_ipv6) {
            constexpr u64 most = 256, most_messages = 64; // more than any of them has
            if (size > most || out.messages.size() >= most_messages) return err::inval;
            out.messages.push_back(
                { header.level, header.type, TRY(UserIn<u8> { data }.copy_in_array(task, size)) });
        }
        offset += std::min(abi::control_align(header.length), length - offset);
    }
    return out;
}

namespace {

/// Writes control messages one behind the other.
class ControlWriter {
public:
    ControlWriter(Task& task, GuestAddr address, u64 length)
        : task_(task)
        , address_(address)
        , room_(address.is_null() ? 0 : length)
    {
    }

    /// Bytes of data that the next message can have.
    u64 room() const { return room_ > kHeader ? room_ - kHeader : 0; }
    Result<void> put(i32 level, i32 type, void const* data, u64 size)
    {
        // What does not fit is cut, and the reader is told.
        u64 kept = std::min(size, room());
        if (kept < size) result.flags |= abi::msg_ctrunc;
        if (room_ < kHeader) return {};
        abi::ControlHeader header { kHeader + kept, level, type };
        TRY(copy_to_user(task_, address_, &header, kHeader));
        TRY(copy_to_user(task_, address_ + kHeader, data, kept));
        u64 used = std::min(abi::control_align(header.length), room_);
        address_ = address_ + used;
        room_ -= used;
        result.length += used;
        return {};
    }

    ExportedControl result;

private:
    Task& task_;
    GuestAddr address_;
    u64 room_;
};

/// Installs as many as there is room for; a full table ends it too, as on Linux.
Result<void> export_files(
    Task& task, std::vector<Ref<vfs::File>> files, bool close_on_exec, ControlWriter& writer)
{
    std::vector<i32> fds;
    u64 fitting = std::min<u64>(files.size(), writer.room() / sizeof(i32));
    for (u64 i = 0; i < fitting; i++) {
        auto fd = task.files().add(
            files[i], close_on_exec, task.limit(Resource::nofile), 0, FdTable::For::existing_file);
        if (fd.is_error()) break;
        fds.push_back(fd.value().value);
    }
    if (fds.size() < files.size()) writer.result.flags |= abi::msg_ctrunc;
    if (fds.empty()) return {};
    return writer.put(abi::sol_socket, abi::scm_rights, fds.data(), fds.size() * sizeof(i32));
}

} // namespace

void to_guest(Task const& reader, abi::Ucred& identity)
{
    auto const& ids = *reader.credentials().user_namespace;
    // Without a sender -1 stands for nobody, in every namespace.
    if (identity.uid != kNoId) identity.uid = ids.uid_out(identity.uid);
    if (identity.gid != kNoId) identity.gid = ids.gid_out(identity.gid);
    if (identity.pid > 0) identity.pid = pid_out(reader, Pid(identity.pid));
}

Result<ExportedControl> export_control(
    Task& task, Ancillary& ancillary, bool with_credentials, GuestAddr address, u64 length, u32 flags)
{
    ControlWriter writer(task, address, length);
    for (ControlMessage const& one : ancillary.messages)
        TRY(writer.put(one.level, one.type, one.data.data(), one.data.size()));
    if (auto const group = ancillary.netlink_group) // a struct nl_pktinfo is nothing else
        TRY(writer.put(abi::sol_netlink, abi::netlink_pktinfo, &*group, sizeof *group));
    if (with_credentials) {
        auto identity = ancillary.credentials.value_or(abi::Ucred { 0, ~0u, ~0u });
        to_guest(task, identity);
        TRY(writer.put(abi::sol_socket, abi::scm_credentials, &identity, sizeof identity));
    }
    if (!ancillary.files.empty())
        TRY(export_files(task, std::move(ancillary.files), flags & abi::msg_cmsg_cloexec, writer));
    return writer.result;
}

} // namespace umbra::net
