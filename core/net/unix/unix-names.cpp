// SPDX-License-Identifier: GPL-2.0-or-later
// Names and identities of local sockets: sun_path, abstract names, binding, looking up; who a sender is.
#include <algorithm>
#include <cstdio>

#include "core/kernel.h"
#include "core/net/unix/unix-socket.h"
#include "core/task/namespaces.h"
#include "core/task/permissions.h"
#include "core/task/process-table.h"
#include "core/task/task.h"
#include "core/vfs/operations.h"

namespace umbra::net {

Result<std::string> name_of(SocketAddress const& address)
{
    if (address.length <= abi::unix_path_offset) return err::inval;
    if (address.length > abi::unix_path_offset + abi::unix_path_max) return err::inval;
    if (address.family() != abi::af_unix) return err::inval;
    auto const* start = reinterpret_cast<char const*>(address.bytes) + abi::unix_path_offset;
    std::string name(start, address.length - abi::unix_path_offset);
    // A path ends at its NUL, if it has one; an abstract name is all that the length covers.
    if (name[0] != '\0') name.resize(std::min(name.size(), name.find('\0')));
    return name;
}

SocketAddress address_of(std::string const& name)
{
    SocketAddress address;
    u16 family = abi::af_unix;
    std::memcpy(address.bytes, &family, sizeof family);
    std::memcpy(address.bytes + abi::unix_path_offset, name.data(), name.size());
    bool is_path = !name.empty() && name[0] != '\0';
    address.length = u32(abi::unix_path_offset + name.size() + (is_path ? 1 : 0));
    return address;
}

Result<Ref<UnixEndpoint>> find_endpoint(
    Task& task, NetworkNamespace& space, std::string const& name, i32 type)
{
    RefPtr<UnixEndpoint> found;
    if (name[0] == '\0') {
        auto& names = space.abstract_names;
        auto entry = names.find(name);
        if (entry == names.end()) return err::connrefused;
        found = entry->second;
    } else {
        auto base = TRY(task.path_base(GuestFd(abi::at_fdcwd), name));
        auto path = TRY(vfs::walk(task, base, name));
        TRY(vfs::check_permission(task.credentials(), path.inode(), abi::w_ok));
        if (!abi::is_socket(path.inode().mode()) || !path.inode().attachment) return err::connrefused;
        // What is attached to a socket's inode is the endpoint bound to it.
        found = static_cast<UnixEndpoint*>(path.inode().attachment.get());
    }
    if (found->type != type) return err::prototype;
    return Ref<UnixEndpoint>(found);
}

Result<void> UnixSocket::bind(Task& task, SocketAddress const& address)
{
    if (address.family() == abi::af_unix && address.length == abi::unix_path_offset) return autobind();
    auto name = TRY(name_of(address));
    MutexLock lock(endpoint_->bind_mutex);
    if (!endpoint_->name.empty()) return err::inval;
    return name[0] == '\0' ? bind_to_abstract(name) : bind_to_path(task, name);
}

Result<void> UnixSocket::bind_to_path(Task& task, std::string const& name)
{
    auto base = TRY(task.path_base(GuestFd(abi::at_fdcwd), name));
    u32 mode = abi::s_ifsock | (0777 & ~task.umask());
    auto made = vfs::make_node(task, { base, name }, mode, 0);
    if (made.is_error()) return made.error() == err::exist ? err::addrinuse : made.error();
    endpoint_->place = made.release_value();
    endpoint_->place->inode().attachment = RefPtr<RefCounted>(Ref<RefCounted>(endpoint_));
    endpoint_->name = name;
    return {};
}

Result<void> UnixSocket::bind_to_abstract(std::string const& name)
{
    if (!space().abstract_names.try_emplace(name, endpoint_.get()).second) return err::addrinuse;
    endpoint_->name = name;
    return {};
}

Result<void> UnixSocket::autobind()
{
    constexpr u32 kNames = 1 << 20; // five hexadecimal digits
    MutexLock lock(endpoint_->bind_mutex);
    if (!endpoint_->name.empty()) return {};
    for (u32 tries = 0; tries < kNames; tries++) {
        char digits[8];
        std::snprintf(digits, sizeof digits, "%05x", space().last_autobind++ % kNames);
        if (bind_to_abstract(std::string(1, '\0') + digits).ok()) return {};
    }
    return err::nospc;
}

Result<void> UnixSocket::autobind_for_credentials()
{
    return wants_credentials() && endpoint_->name.empty() ? autobind() : Result<void>();
}

abi::Ucred credentials_of(Task const& task)
{
    return { task.pid().value, task.credentials().euid, task.credentials().egid };
}

std::string describe_unix_sockets(NetworkNamespace const& space)
{
    constexpr u32 accepts_connections = 0x10000; // __SO_ACCEPTCON
    constexpr u32 is_unconnected = 1, is_connected = 3, is_disconnecting = 4; // SS_*
    std::string out;
    for (UnixEndpoint const& end : Network::of(space.kernel).endpoints) {
        if (end.space.get() != &space || end.is_closed()) continue;
        bool const listens = end.state == UnixEndpoint::State::listening;
        bool const connected = end.state == UnixEndpoint::State::connected;
        u32 const state = connected ? is_connected : end.file ? is_unconnected : is_disconnecting;
        char line[100];
        std::snprintf(line, sizeof line, "%016x: %08X %08X %08X %04X %02X %5llu", 0, connected ? 3u : 2u, 0,
            listens ? accepts_connections : 0, u32(end.type), state,
            static_cast<unsigned long long>(end.file ? end.file->inode().number() : 0));
        out += line;
        std::string name = end.name;
        std::ranges::replace(name, '\0', '@'); // an abstract one begins with it
        out += name.empty() ? "\n" : " " + name + "\n";
    }
    return out;
}

namespace {

/// Whether the task may send this identity (unix(7), SCM_CREDENTIALS).
bool may_claim(Task const& task, abi::Ucred const& claimed)
{
    Credentials const& mine = task.credentials();
    UserNamespace const& pids = *task.namespaces().pid->owner();
    bool pid = claimed.pid == task.pid().value || is_capable(mine, pids, Capability::sys_admin);
    bool uid = claimed.uid == mine.uid || claimed.uid == mine.euid || claimed.uid == mine.suid
        || mine.holds(Capability::setuid);
    bool gid = claimed.gid == mine.gid || claimed.gid == mine.egid || claimed.gid == mine.sgid
        || mine.holds(Capability::setgid);
    return pid && uid && gid;
}

} // namespace

Result<void> prepare_ancillary(Task& task, Ancillary& ancillary)
{
    Credentials const& mine = task.credentials();
    if (!ancillary.credentials)
        ancillary.credentials = abi::Ucred { task.pid().value, mine.uid, mine.gid };
    else if (!may_claim(task, *ancillary.credentials))
        return err::perm;
    else if (!task.kernel().processes().find_task(Pid(ancillary.credentials->pid)))
        return err::srch;
    if (ancillary.files.empty()) return {};
    bool privileged = mine.has(Capability::sys_resource) || mine.has(Capability::sys_admin);
    bool too_many = Network::of(task.kernel()).files_in_flight > task.limit(Resource::nofile);
    return too_many && !privileged ? err::toomanyrefs : Result<void>();
}

} // namespace umbra::net
