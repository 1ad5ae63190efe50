// SPDX-License-Identifier: GPL-2.0-or-later
#include "drivers-virtual/net/switch/port.h"

#include <poll.h>

#include "drivers-virtual/net/host-errors.h"
#include "drivers-virtual/net/switch/name-query.h"

namespace umbra::drivers {

namespace {

constexpr int kMostInARow = 64; ///< then others get their turn
constexpr u64 kMostWaiting = 1 << 20; ///< bytes that wait for a peer to take them
constexpr u64 kRoom = 16 << 10;
static_assert(kMostMessage <= kRoom);

u8 const kFrameMark[] = { u8(MessageKind::frame) };
u8 const kGreetingMark[] = { u8(MessageKind::greeting) };

std::span<u8 const> bytes_of(std::string const& text)
{
    return { reinterpret_cast<u8 const*>(text.data()), text.size() }; // chars are bytes
}

bool is_same_name(std::string_view one, std::string_view other)
{
    auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? char(c + 'a' - 'A') : c; };
    return std::equal(one.begin(), one.end(), other.begin(), other.end(),
        [&](char a, char b) { return lower(a) == lower(b); });
}

} // namespace

/// The connection with one other port.
class SwitchPort::Link final : public WatchUser {
public:
    Link(SwitchPort& owner, hostabi::LocalSocket socket, PortNumber port)
        : port(port)
        , owner_(owner)
        , socket_(std::move(socket))
        , readable_(owner.io_, *this)
        , writable_(owner.io_, *this)
    {
    }
    void start() { readable_.wait_for(socket_.fd(), POLLIN); }
    void greet()
    {
        (void)socket_.send(kGreetingMark, bytes_of(owner_.greeting_));
    } // gone: the next read says so
    void close()
    {
        is_closed_ = true;
        readable_.stop();
        writable_.stop();
        socket_.close();
    }
    void send(std::span<u8 const> frame)
    {
        if (is_closed_) return;
        if (waiting_.empty()) {
            auto const sent = socket_.send(kFrameMark, frame);
            if (!sent.is_error() || !is_not_now(sent.error())) return;
        }
        if (waiting_bytes_ + frame.size() > kMostWaiting) {
            ++owner_.counters_.lost;
            return;
        }
        waiting_.emplace_back(frame.begin(), frame.end());
        waiting_bytes_ += frame.size();
        writable_.wait_for(socket_.fd(), POLLOUT);
    }

    PortNumber port; ///< 0: has called, and not yet said who he is
    bool has_greeted = false;
    std::string host_name;

private:
    void ready(HostWatch& watch, u32) override
    {
        if (is_closed_) return;
        if (&watch == &writable_) return send_waiting();
        bool is_gone = false;
        for (int i = 0; i < kMostInARow && !is_gone; ++i) {
            auto const got = socket_.receive({ owner_.room_.get(), kRoom });
            if (got.is_error() && is_not_now(got.error())) break;
            is_gone = got.is_error() || got.value() == 0 || !take({ owner_.room_.get(), got.value() });
        }
        Ref<Link> const alive(*this);
        if (is_gone)
            owner_.forget(*this);
        else
            start();
        owner_.user_->all_arrived();
    }
    /// False: he does not speak as a port does.
    bool take(std::span<u8 const> message)
    {
        auto const rest = message.subspan(1);
        if (message[0] == u8(MessageKind::frame)) {
            if (rest.size() < kEthernetHeader || rest.size() > kMostFrame || port == 0) return false;
            owner_.user_->frame_arrived(rest);
            return true;
        }
        if (message[0] != u8(MessageKind::greeting) || has_greeted) return false;
        auto const greeting = decode_greeting(rest);
        bool const is_right
            = greeting && greeting->port != owner_.number_ && (port == 0 || port == greeting->port);
        if (!is_right) return false;
        port = greeting->port;
        host_name = greeting->host_name;
        has_greeted = true;
        owner_.user_->may_answer();
        return true;
    }
    void send_waiting()
    {
        while (!waiting_.empty()) {
            auto const sent = socket_.send(kFrameMark, waiting_.front());
            if (sent.is_error() && is_not_now(sent.error())) return writable_.wait_for(socket_.fd(), POLLOUT);
            waiting_bytes_ -= waiting_.front().size();
            waiting_.pop_front();
        }
    }

    SwitchPort& owner_;
    hostabi::LocalSocket socket_;
    HostWatch readable_, writable_;
    std::deque<std::vector<u8>> waiting_; ///< frames that the host had no room for
    u64 waiting_bytes_ = 0;
    bool is_closed_ = false;
};

/// Where others call.
class SwitchPort::Door final : public WatchUser {
public:
    Door(SwitchPort& owner, hostabi::LocalSocket socket)
        : owner_(owner)
        , socket_(std::move(socket))
        , readable_(owner.io_, *this)
    {
    }
    void start() { readable_.wait_for(socket_.fd(), POLLIN); }
    void close()
    {
        readable_.stop();
        socket_.close();
    }

private:
    void ready(HostWatch&, u32) override
    {
        for (int i = 0; i < kMostInARow; ++i) {
            auto caller = socket_.accept();
            if (caller.is_error() && caller.error().value == EPERM) continue; // another user's
            if (caller.is_error()) break; // none, or the host's descriptors are used up: they wait
            owner_.admit(std::move(caller).value());
        }
        start();
    }

    SwitchPort& owner_;
    hostabi::LocalSocket socket_;
    HostWatch readable_;
};

SwitchPort::SwitchPort(HostIo& io)
    : io_(io)
    , room_(new u8[kRoom])
{
}

SwitchPort::~SwitchPort()
{
    if (door_) door_->close();
    for (auto& link : links_)
        link->close();
}

hostabi::HostResult<hostabi::LocalSocket> SwitchPort::take_number(std::string_view switch_name)
{
    for (PortNumber port = 1; port <= kLastPort; ++port) {
        auto taken = hostabi::LocalSocket::listen(socket_name(hostabi::own_user(), switch_name, port));
        if (taken.is_error() && taken.error().value == EADDRINUSE) continue;
        number_ = port;
        return taken;
    }
    return hostabi::HostErrno { EADDRINUSE };
}

void SwitchPort::connect_all(std::string_view switch_name)
{
    // Who comes later calls here; so of any two at least one calls the other.
    for (PortNumber port = 1; port <= kLastPort; ++port) {
        if (port == number_) continue;
        auto peer = hostabi::LocalSocket::connect(socket_name(hostabi::own_user(), switch_name, port));
        if (peer.is_error()) continue; // nobody, or not one of this user's
        links_.push_back(make_ref<Link>(*this, std::move(peer).value(), port));
        links_.back()->greet();
    }
}

hostabi::HostResult<void> SwitchPort::join(std::string_view switch_name, std::string_view host_name)
{
    auto door = take_number(switch_name);
    if (door.is_error()) return door.error();
    host_name_ = host_name.substr(0, kMostHostName);
    greeting_ = encode({ number_, host_name_ });
    door_ = make_ref<Door>(*this, std::move(door).value());
    connect_all(switch_name);
    return {};
}

void SwitchPort::start(WireUser& user)
{
    user_ = &user;
    door_->start();
    for (auto& link : links_)
        link->start();
}

SwitchPort::Link* SwitchPort::link_to(PortNumber port) const
{
    for (auto const& link : links_)
        if (port && link->port == port) return link.get();
    return nullptr;
}

void SwitchPort::admit(hostabi::LocalSocket socket)
{
    links_.push_back(make_ref<Link>(*this, std::move(socket), PortNumber(0)));
    links_.back()->greet();
    links_.back()->start();
}

void SwitchPort::forget(Link& link)
{
    link.close();
    std::erase_if(links_, [&](auto const& one) { return one.get() == &link; });
    if (link.port && !is_there(link.port))
        for (bool const is_v4 : { true, false })
            user_->address_gone(switch_address(link.port, is_v4));
    user_->may_answer(); // he could have had a name, and has not said it
}

void SwitchPort::send(std::span<u8 const> frame)
{
    auto const to = destination_of(frame);
    if (!to.is_everywhere) {
        if (Link* link = link_to(to.port)) link->send(frame);
        return;
    }
    for (auto const& link : links_)
        if (link->port && link_to(link->port) == link.get()) link->send(frame); // of two the first
}

Result<void> SwitchPort::check_destination(net::IpAddress const& address) const
{
    if (!is_on_switch(address)) return err::netunreach;
    PortNumber const port = port_of(address);
    return port && is_there(port) ? Result<void>() : err::hostunreach;
}

Result<std::optional<std::vector<u8>>> SwitchPort::answer(u16 port, std::span<u8 const> question) const
{
    if (port != kNamePort) return err::connrefused;
    auto const query = parse_name_query(question);
    if (!query) return std::vector<u8>(); // a resolver would ask again, and others get no answer
    std::optional<NameRecord> record;
    bool is_known = false;
    if (auto const address = address_asked_for(*query)) {
        auto const name = name_of(port_of(*address));
        is_known = !name.empty();
        if (is_known) record = NameRecord::of(name);
    } else if (PortNumber const named = find(query->name)) {
        is_known = true;
        if (query->type == kNameTypeV4 || query->type == kNameTypeV6)
            record = NameRecord::of(switch_address(named, query->type == kNameTypeV4));
    }
    if (!is_known && awaits_names()) return std::nullopt;
    return drivers::answer(*query, is_known, record);
}

bool SwitchPort::is_there(PortNumber port) const { return port == number_ || link_to(port) != nullptr; }

PortNumber SwitchPort::find(std::string_view host_name) const
{
    PortNumber found = is_same_name(host_name, host_name_) ? number_ : PortNumber(0);
    for (auto const& link : links_)
        if (link->has_greeted && is_same_name(host_name, link->host_name) && (!found || link->port < found))
            found = link->port;
    return found;
}

std::string SwitchPort::name_of(PortNumber port) const
{
    if (port == number_) return host_name_;
    for (auto const& link : links_)
        if (port && link->port == port && link->has_greeted) return link->host_name;
    return {};
}

bool SwitchPort::awaits_names() const
{
    return std::any_of(links_.begin(), links_.end(), [](auto const& link) { return !link->has_greeted; });
}

} // namespace umbra::drivers
