// SPDX-License-Identifier: GPL-2.0-or-later
#include "drivers-virtual/net/link/link-port.h"

#include <poll.h>

#include <array>

#include "drivers-virtual/net/host-errors.h"
#include "drivers-virtual/net/link/frame-stream.h"

namespace umbra::drivers {

namespace {

constexpr int kMostInARow = 64; ///< reads; then others get their turn
constexpr u64 kMostWaiting = 1 << 20; ///< bytes that wait for a peer to take them

} // namespace

/// This end of it. A peer that is gone stays gone, as a cable that was pulled: frames are lost.
class LinkPort::Side final : public WatchUser {
public:
    Side(HostIo& io, hostabi::FrameChannel channel)
        : channel_(std::move(channel))
        , readable_(io, *this)
        , writable_(io, *this)
    {
    }
    void start(WireUser& user)
    {
        user_ = &user;
        readable_.wait_for(channel_.fd(), POLLIN);
    }
    void close()
    {
        is_gone_ = true;
        readable_.stop();
        writable_.stop();
        channel_.close();
    }
    void send(std::span<u8 const> frame)
    {
        if (is_gone_) return;
        if (channel_.keeps_bounds()) return (void)channel_.write(frame); // no room, or down: lost
        if (waiting_.size() + frame.size() > kMostWaiting) return;
        bool const is_first = waiting_.empty();
        append_frame(waiting_, frame);
        if (is_first) send_waiting();
    }

private:
    void ready(HostWatch& watch, u32) override
    {
        if (is_gone_) return;
        if (&watch == &writable_) return send_waiting();
        bool is_over = false;
        for (int i = 0; i < kMostInARow && !is_over; ++i) {
            auto const got = channel_.read(stream_.room());
            if (got.is_error() && is_not_now(got.error())) break;
            is_over = got.is_error() || got.value() == 0 || !take(got.value());
        }
        if (!is_over) readable_.wait_for(channel_.fd(), POLLIN);
        if (is_over) close();
        user_->all_arrived();
    }
    /// False: the peer does not speak in frames.
    bool take(u64 count)
    {
        if (channel_.keeps_bounds()) {
            user_->frame_arrived(stream_.room().first(count));
            return true;
        }
        stream_.received(count);
        for (auto frame = stream_.next(); !frame.empty(); frame = stream_.next())
            user_->frame_arrived(frame);
        return !stream_.is_broken();
    }
    void send_waiting()
    {
        auto const taken = channel_.write(waiting_);
        if (taken.is_error() && !is_not_now(taken.error())) return waiting_.clear(); // gone: a read says so
        if (!taken.is_error()) waiting_.erase(waiting_.begin(), waiting_.begin() + i64(taken.value()));
        if (!waiting_.empty()) writable_.wait_for(channel_.fd(), POLLOUT);
    }

    hostabi::FrameChannel channel_;
    HostWatch readable_, writable_;
    WireUser* user_ = nullptr; ///< from start() on
    FrameStream stream_; ///< of a device: only its room
    std::vector<u8> waiting_; ///< a part of the stream that the host had no room for
    bool is_gone_ = false;
};

LinkPort::LinkPort(HostIo& io, hostabi::FrameChannel channel, LinkAddresses addresses,
    net::Interface::HardwareAddress const& hardware_address)
    : addresses_(std::move(addresses))
    , hardware_address_(hardware_address)
    , side_(make_ref<Side>(io, std::move(channel)))
{
}

LinkPort::~LinkPort() { side_->close(); }

void LinkPort::start(WireUser& user) { side_->start(user); }

void LinkPort::send(std::span<u8 const> frame) { side_->send(frame); }

net::Interface LinkPort::make_interface() const
{
    net::Interface eth0 {
        .name = "eth0", .index = kEthernetIndex, .mtu = i32(kUsualPayload), .is_loopback = false
    };
    eth0.hardware_address = hardware_address_;
    eth0.is_up = eth0.was_up = true;
    eth0.addresses.push_back({ addresses_.address, addresses_.prefix, 0, eth0.name });
    eth0.gateway = addresses_.gateway;
    return eth0;
}

Result<void> LinkPort::check_destination(net::IpAddress const& address) const
{
    if (!address.is_v4()) return err::netunreach;
    net::InterfaceAddress const own { addresses_.address, addresses_.prefix };
    return own.covers(address) || addresses_.gateway ? Result<void>() : err::netunreach;
}

net::Interface::HardwareAddress make_hardware_address(std::array<u8, 6> const& random)
{
    constexpr u8 local = 2, group = 1;
    auto address = random;
    address[0] = u8((address[0] & ~group) | local);
    return address;
}

} // namespace umbra::drivers
