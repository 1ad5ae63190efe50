// SPDX-License-Identifier: GPL-2.0-or-later
// setsockopt and getsockopt at SOL_SOCKET (socket(7)).
#include <algorithm>

#include "core/abi/inet.h"
#include "core/net/control-message.h"
#include "core/net/network-namespace.h"
#include "core/net/option-value.h"
#include "core/net/socket.h"
#include "core/task/task.h"

namespace umbra::net {

namespace {

/// On-off options that change nothing here but are remembered, as on a family without the feature on Linux.
constexpr u64 kSimpleOptions = u64 { 1 } << abi::so_debug | u64 { 1 } << abi::so_reuseaddr
    | u64 { 1 } << abi::so_dontroute | u64 { 1 } << abi::so_broadcast | u64 { 1 } << abi::so_keepalive
    | u64 { 1 } << abi::so_oobinline | u64 { 1 } << abi::so_no_check | u64 { 1 } << abi::so_reuseport
    | u64 { 1 } << abi::so_timestamp | u64 { 1 } << abi::so_timestampns;

bool is_simple(i32 name) { return name > 0 && name < 64 && kSimpleOptions >> name & 1; }

std::vector<u8> timeout_bytes(Nanoseconds timeout)
{
    if (timeout == kNever) return bytes_of(abi::Timeval { 0, 0 });
    return bytes_of(abi::Timeval { timeout / kNanosecondsPerSecond, timeout % kNanosecondsPerSecond / 1000 });
}

/// With its end; empty for 0. ENODEV.
Result<std::vector<u8>> interface_name(NetworkNamespace& space, i32 index)
{
    if (!index) return std::vector<u8>();
    Interface const* const found = space.find_interface(index);
    if (!found) return err::nodev;
    char const* const text = found->name.c_str();
    return std::vector<u8>(text, text + found->name.size() + 1);
}

} // namespace

Result<void> Socket::set_timeout(i32 name, std::span<u8 const> value)
{
    auto time = TRY(value_from<abi::Timeval>(value));
    if (time.usec < 0 || time.usec >= 1'000'000) return err::dom;
    Nanoseconds timeout = kNever; // zero means none
    if (time.sec < 0)
        timeout = 0;
    else if ((time.sec || time.usec) && time.sec < kNever / kNanosecondsPerSecond - 1)
        timeout = time.sec * kNanosecondsPerSecond + time.usec * 1000;
    bool receive = name == abi::so_rcvtimeo || name == abi::so_rcvtimeo_new;
    (receive ? receive_timeout_ : send_timeout_) = timeout;
    return {};
}

Result<void> Socket::set_buffer_size(Task& task, i32 name, i32 value)
{
    bool forced = name == abi::so_sndbufforce || name == abi::so_rcvbufforce;
    if (forced && !task.credentials().has(Capability::net_admin))
        return err::perm; // of the first user namespace
    bool send = name == abi::so_sndbuf || name == abi::so_sndbufforce;
    u64 wanted = std::clamp<i64>(value, 0, forced ? INT32_MAX / 2 : kMaxBuffer / 2);
    // Doubled, since the kernel's own bookkeeping counts too (socket(7)).
    if (!send) {
        receive_buffer_ = std::max(wanted * 2, kMinReceiveBuffer);
        receive_buffer_changed();
        return {};
    }
    send_buffer_ = std::max(wanted * 2, kMinSendBuffer);
    send_buffer_changed();
    return {};
}

Result<void> Socket::bind_to_interface(Task& task, i32 index)
{
    // The first time is free, so that an ordinary user may have less than all.
    if (bound_interface_ && !rules(task, space(), Capability::net_raw)) return err::perm;
    if (index < 0) return err::inval;
    bound_interface_ = index;
    return {};
}

Result<void> Socket::set_integer_option(Task& task, i32 name, i32 value)
{
    if (is_simple(name)) {
        u64 bit = u64 { 1 } << name;
        simple_options_ = value ? simple_options_ | bit : simple_options_ & ~bit;
        switches_changed();
        return {};
    }
    switch (name) {
    case abi::so_sndbuf:
    case abi::so_rcvbuf:
    case abi::so_sndbufforce:
    case abi::so_rcvbufforce:
        return set_buffer_size(task, name, value);
    case abi::so_passcred:
        pass_credentials_ = value;
        return {};
    case abi::so_rcvlowat:
        receive_low_water_ = value > 0 ? value : 1;
        return {};
    case abi::so_priority:
        if ((value < 0 || value > 6) && !rules(task, space(), Capability::net_admin)) return err::perm;
        priority_ = value;
        return {};
    case abi::so_bindtoifindex: // an index that nobody has as well
        return bind_to_interface(task, value);
    case abi::so_mark:
        if (!rules(task, space(), Capability::net_admin)) return err::perm;
        mark_ = value;
        return {};
    }
    return err::noprotoopt;
}

Result<void> Socket::set_option(Task& task, i32 level, i32 name, std::span<u8 const> value)
{
    if (level != abi::sol_socket) return err::opnotsupp;
    if (name == abi::so_bindtodevice) {
        std::string_view wanted(reinterpret_cast<char const*>(value.data()), value.size());
        wanted = wanted.substr(0, abi::if_name_size - 1);
        wanted = wanted.substr(0, wanted.find('\0'));
        if (wanted.empty()) return bind_to_interface(task, 0);
        Interface const* const found = space().find_interface(wanted);
        return found ? bind_to_interface(task, found->index) : err::nodev;
    }
    i32 integer = TRY(value_from<i32>(value));
    switch (name) {
    case abi::so_rcvtimeo:
    case abi::so_sndtimeo:
    case abi::so_rcvtimeo_new:
    case abi::so_sndtimeo_new:
        return set_timeout(name, value);
    case abi::so_linger:
        linger_ = TRY(value_from<abi::Linger>(value));
        linger_.on = linger_.on != 0;
        return {};
    }
    return set_integer_option(task, name, integer);
}

Result<std::vector<u8>> Socket::get_option(Task& task, i32 level, i32 name)
{
    if (level != abi::sol_socket) return err::opnotsupp;
    if (is_simple(name)) return bytes_of(i32(simple_options_ >> name & 1));
    switch (name) {
    case abi::so_type:
        return bytes_of(type_);
    case abi::so_protocol:
        return bytes_of(protocol_);
    case abi::so_domain:
        return bytes_of(family_);
    case abi::so_error:
        return bytes_of(take_error());
    case abi::so_acceptconn:
        return bytes_of(i32(is_listening()));
    case abi::so_sndbuf:
        return bytes_of(i32(send_buffer_));
    case abi::so_rcvbuf:
        return bytes_of(i32(receive_buffer_));
    case abi::so_rcvlowat:
        return bytes_of(receive_low_water_);
    case abi::so_sndlowat:
        return bytes_of(i32(1));
    case abi::so_bindtoifindex:
        return bytes_of(bound_interface_);
    case abi::so_bindtodevice:
        return interface_name(space(), bound_interface_);
    case abi::so_priority:
        return bytes_of(priority_);
    case abi::so_mark:
        return bytes_of(mark_);
    case abi::so_linger:
        return bytes_of(linger_);
    case abi::so_passcred:
        return bytes_of(i32(pass_credentials_));
    case abi::so_rcvtimeo:
    case abi::so_rcvtimeo_new:
        return timeout_bytes(receive_timeout_);
    case abi::so_sndtimeo:
    case abi::so_sndtimeo_new:
        return timeout_bytes(send_timeout_);
    case abi::so_peercred: {
        auto identity = peer_credentials();
        to_guest(task, identity);
        return bytes_of(identity);
    }
    case abi::so_peergroups: {
        auto groups = peer_groups();
        for (u32& gid : groups)
            gid = task.credentials().user_namespace->gid_out(gid);
        auto const* start = reinterpret_cast<u8 const*>(groups.data());
        return std::vector<u8>(start, start + groups.size() * sizeof(u32));
    }
    case abi::so_peername: {
        auto address = TRY(peer_address());
        return std::vector<u8>(address.bytes, address.bytes + address.length);
    }
    }
    return err::noprotoopt;
}

} // namespace umbra::net
