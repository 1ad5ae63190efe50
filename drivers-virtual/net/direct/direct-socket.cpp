// SPDX-License-Identifier: GPL-2.0-or-later
#include "drivers-virtual/net/direct/direct-socket.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include "core/abi/inet.h"
#include "core/abi/ioctl.h"
#include "core/kernel.h"
#include "core/task/task.h"
#include "drivers-virtual/net/direct/direct-options.h"
#include "drivers-virtual/net/host-errors.h"

namespace umbra::drivers {

namespace {

constexpr u64 kPiece = 64 << 10; ///< bytes that are moved at once; no datagram is longer
constexpr u64 kControlRoom = 1024;
constexpr u64 kOptionRoom = 4096;
constexpr u32 kSendFlags
    = abi::msg_oob | abi::msg_dontroute | abi::msg_eor | abi::msg_confirm | abi::msg_more | MSG_FASTOPEN;
constexpr u32 kReceiveFlags = abi::msg_oob | abi::msg_peek | abi::msg_trunc | abi::msg_errqueue;
constexpr u32 kResultFlags
    = abi::msg_oob | abi::msg_trunc | abi::msg_ctrunc | abi::msg_eor | abi::msg_errqueue;

std::span<u8 const> bytes_of(net::SocketAddress const& address) { return { address.bytes, address.length }; }

net::SocketAddress as_guest(hostabi::PlainAddress const& address)
{
    net::SocketAddress result;
    result.length = std::min<u32>(address.length, sizeof result.bytes);
    std::copy_n(address.bytes.begin(), result.length, result.bytes);
    return result;
}

std::vector<u8> control_bytes(std::vector<net::ControlMessage> const& messages)
{
    std::vector<u8> bytes;
    for (auto const& one : messages) {
        cmsghdr header {};
        header.cmsg_len = CMSG_LEN(one.data.size());
        header.cmsg_level = one.level, header.cmsg_type = one.type;
        size_t const at = bytes.size();
        bytes.resize(at + CMSG_SPACE(one.data.size()));
        std::memcpy(&bytes[at], &header, sizeof header);
        std::copy(one.data.begin(), one.data.end(), bytes.begin() + long(at + CMSG_LEN(0)));
    }
    return bytes;
}

std::vector<net::ControlMessage> control_messages(std::vector<u8> const& bytes)
{
    std::vector<net::ControlMessage> messages;
    size_t at = 0;
    cmsghdr header;
    while (at + sizeof header <= bytes.size()) {
        std::memcpy(&header, &bytes[at], sizeof header);
        if (header.cmsg_len < CMSG_LEN(0) || header.cmsg_len > bytes.size() - at) break;
        messages.push_back({ header.cmsg_level, header.cmsg_type,
            { bytes.begin() + long(at + CMSG_LEN(0)), bytes.begin() + long(at + header.cmsg_len) } });
        at += CMSG_ALIGN(header.cmsg_len);
    }
    return messages;
}

/// The port of a name that somebody asks for; 0: any, or it is no name with a port.
u16 port_of(net::SocketAddress const& address)
{
    bool const has_port = address.family() == abi::af_inet || address.family() == abi::af_inet6;
    if (!has_port || address.length < 4) return 0;
    return u16(address.bytes[2] << 8 | address.bytes[3]);
}

template <typename T> Result<T> guest_result(hostabi::HostResult<T> result)
{
    if (result.is_error()) return direct_error(result.error());
    if constexpr (std::is_void_v<T>)
        return {};
    else
        return std::move(result).value();
}

} // namespace

Errno direct_error(hostabi::HostErrno error)
{
    if (error.value == EINTR) return err::again;
    return error.value == EMFILE ? err::nfile : to_guest_errno(error);
}

DirectSocket::DirectSocket(DirectNetwork& network, net::NetworkNamespace& space, vfs::Path path, u32 flags,
    i32 family, i32 type, i32 protocol, hostabi::PlainSocket socket)
    : Socket(space, std::move(path), flags, family, type, protocol)
    , network_(network)
    , socket_(std::move(socket))
{
}

DirectSocket::~DirectSocket() { network_.leave(*this); }

void DirectSocket::happened(u32 events)
{
    if (events & abi::pollpri) (void)vfs::send_urgent(network_.kernel(), async_owner);
    waiters_.wake_all(events);
}

bool DirectSocket::is_stream() const { return type() == abi::sock_stream; }

Result<void> DirectSocket::bind(Task& task, net::SocketAddress const& address)
{
    u16 const port = port_of(address);
    if (port && port < space().settings.first_unprivileged_port && type() != abi::sock_raw
        && !rules(task, space(), Capability::net_bind_service))
        return err::acces;
    return guest_result(socket_.bind(bytes_of(address)));
}

Result<void> DirectSocket::listen(Task&, i32 backlog)
{
    TRY(guest_result(socket_.listen(backlog)));
    is_listening_ = true;
    return {};
}

/// Events alone do not tell: one that was shut before it was connected hangs up from the beginning.
bool DirectSocket::is_connect_decided() const
{
    if (!(socket_.readiness() & (abi::pollout | abi::pollerr | abi::pollhup))) return false;
    u8 state = 0; // the first byte of struct tcp_info
    auto const known = socket_.get_option(IPPROTO_TCP, TCP_INFO, { &state, sizeof state });
    return known.is_error() || state != abi::tcp_syn_sent;
}

Result<void> DirectSocket::connect(Task& task, net::SocketAddress const& address)
{
    auto const begun = socket_.connect(bytes_of(address));
    if (begun.ok()) return {};
    bool const goes_on = begun.error().value == EINPROGRESS || begun.error().value == EALREADY;
    if (!goes_on || is_nonblocking()) return direct_error(begun.error());
    Nanoseconds const limit = wait_limit(abi::pollout);
    Nanoseconds const deadline = limit == kNever ? kNever : task.kernel().time().monotonic() + limit;
    u32 const shuts_before = shuts_;
    auto waited
        = waiters_.wait_until([&] { return shuts_ != shuts_before || is_connect_decided(); }, deadline);
    // Given up by another task; asked for again, it would begin anew.
    i32 const error = shuts_ != shuts_before ? socket_.error() : 0;
    if (error) return direct_error(hostabi::HostErrno { error });
    if (waited.is_error()) return waited.error() == err::timedout ? err::inprogress : waited.error();
    // Asked for again it tells what came of it, and a socket that was refused may try once more.
    return guest_result(socket_.connect(bytes_of(address)));
}

Result<Ref<net::Socket>> DirectSocket::accept(u32 flags)
{
    auto accepted = TRY(guest_result(socket_.accept()));
    auto made = make_ref<DirectSocket>(network_, space(), net::make_socket_path(network_.kernel()), flags,
        family(), type(), protocol(), std::move(accepted));
    made->take_over_simple_options(*this);
    TRY(network_.enter(*made));
    return Ref<net::Socket>(std::move(made));
}

Result<void> DirectSocket::shutdown(i32 how)
{
    TRY(guest_result(socket_.shutdown(how)));
    ++shuts_;
    waiters_.wake_all();
    return {};
}

net::SocketAddress DirectSocket::local_address()
{
    auto const name = socket_.name();
    return name.is_error() ? net::SocketAddress() : as_guest(name.value());
}

Result<net::SocketAddress> DirectSocket::peer_address()
{
    return as_guest(TRY(guest_result(socket_.peer())));
}

Result<u64> DirectSocket::send_piece(IoBuffer& data, u64 length, hostabi::PlainSocket::Sending const& how)
{
    auto const room = std::make_unique_for_overwrite<u8[]>(length);
    u64 const taken = length ? TRY(data.take(room.get(), length)) : 0;
    if (taken < length && !is_stream()) return err::fault;
    auto const sent = socket_.send({ room.get(), taken }, how);
    data.rewind(taken - (sent.is_error() ? 0 : sent.value()));
    if (sent.is_error()) return direct_error(sent.error());
    return sent.value();
}

Result<u64> DirectSocket::send(Task& task, IoBuffer& data, net::SendRequest& request)
{
    if (!is_stream() && data.remaining() > kPiece) return err::msgsize;
    auto control = control_bytes(request.ancillary.messages);
    hostabi::PlainSocket::Sending how { .control = control, .flags = request.flags & kSendFlags };
    if (request.to) how.to = bytes_of(*request.to);
    u64 moved = 0;
    do {
        u64 const length = std::min(data.remaining(), kPiece);
        bool const is_last = length == data.remaining();
        how.flags = request.flags & kSendFlags & ~(is_last ? 0 : abi::msg_oob);
        auto const sent = send_piece(data, length, how);
        if (sent.is_error()) {
            bool const is_silent
                = !is_stream() || data.transferred() > 0 || request.flags & abi::msg_nosignal;
            if (sent.error() == err::pipe && !is_silent)
                (void)send_signal(task, user_signal(abi::sigpipe, task)); // the error says it anyway
            return sent.error();
        }
        moved += sent.value();
    } while (is_stream() && data.remaining() > 0);
    return moved;
}

Result<u64> DirectSocket::receive(Task&, IoBuffer& data, net::ReceiveRequest& request)
{
    u64 const length = std::min(data.remaining(), kPiece);
    auto const room = std::make_unique_for_overwrite<u8[]>(length);
    hostabi::PlainSocket::Receiving how { .flags = request.flags & kReceiveFlags };
    how.control.resize(kControlRoom);
    u64 const received = TRY(guest_result(socket_.receive({ room.get(), length }, how)));
    request.from = as_guest(how.from);
    request.result_flags |= how.flags & kResultFlags;
    request.ancillary.messages = control_messages(how.control);
    // A stream's bytes that MSG_TRUNC asks for are thrown away.
    bool const is_thrown_away
        = is_stream() && request.flags & abi::msg_trunc && !(request.flags & abi::msg_errqueue);
    u64 const there = std::min(received, length);
    if (is_thrown_away) return received;
    TRY(data.put_all(room.get(), there));
    bool const may_come
        = is_stream() && received > 0 && !(request.flags & (abi::msg_oob | abi::msg_errqueue));
    if (may_come && wants_more(request, data.transferred(), data.remaining()) && !is_at_mark())
        return err::again;
    return is_stream() || request.flags & abi::msg_trunc ? received : there;
}

/// Data out of band is next.
bool DirectSocket::is_at_mark() const
{
    auto const answer = socket_.ask(abi::siocatmark);
    return answer.ok() && answer.value();
}

bool DirectSocket::names_interface(std::span<u8 const> name) const
{
    std::string_view const text(reinterpret_cast<char const*>(name.data()), name.size());
    return space().find_interface(text.substr(0, text.find('\0'))) != nullptr;
}

bool DirectSocket::is_tied() const
{
    i32 index = 0;
    auto const read = socket_.get_option(
        abi::sol_socket, abi::so_bindtoifindex, { reinterpret_cast<u8*>(&index), sizeof index });
    return read.ok() && index != 0;
}

Result<void> DirectSocket::set_option(Task& task, i32 level, i32 name, std::span<u8 const> value)
{
    OptionPlace const place = place_of_option(level, name);
    if (place == OptionPlace::nowhere) return err::noprotoopt;
    if (place == OptionPlace::kernel) return Socket::set_option(task, level, name, value);
    bool const is_tie
        = level == abi::sol_socket && (name == abi::so_bindtodevice || name == abi::so_bindtoifindex);
    if (is_tie && is_tied() && !rules(task, space(), Capability::net_raw)) { // the first time is free
        bool const is_nobody
            = name == abi::so_bindtodevice && !value.empty() && value[0] && !names_interface(value);
        return is_nobody ? err::nodev : err::perm;
    }
    if (place == OptionPlace::both) TRY(Socket::set_option(task, level, name, value));
    if (level == abi::sol_socket && name == abi::so_linger) {
        // To wait at its end is not the host's business: it would wait in the kernel's stead.
        abi::Linger const now { linger().on && linger().seconds == 0, 0 };
        return guest_result(
            socket_.set_option(level, name, { reinterpret_cast<u8 const*>(&now), sizeof now }));
    }
    return guest_result(socket_.set_option(level, name, value));
}

Result<std::vector<u8>> DirectSocket::get_option(Task& task, i32 level, i32 name)
{
    OptionPlace const place = place_of_option(level, name);
    if (place == OptionPlace::nowhere) return err::noprotoopt;
    if (place != OptionPlace::host) return Socket::get_option(task, level, name);
    std::vector<u8> value(kOptionRoom);
    value.resize(TRY(guest_result(socket_.get_option(level, name, value))));
    return value;
}

Result<i64> DirectSocket::ioctl(Task& task, u32 command, u64 argument)
{
    bool const is_question
        = command == abi::siocinq || command == abi::siocoutq || command == abi::siocatmark;
    if (!is_question) return Socket::ioctl(task, command, argument);
    TRY(UserOut<i32> { GuestAddr(argument) }.copy_out(task, TRY(guest_result(socket_.ask(command)))));
    return 0;
}

} // namespace umbra::drivers
