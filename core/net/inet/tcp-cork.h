// SPDX-License-Identifier: GPL-2.0-or-later
// Bytes that wait for more to be sent with (MSG_MORE, TCP_CORK). Under the kernel lock.
#pragma once

#include <vector>

#include "core/kernel.h"
#include "core/net/inet/tcp-end.h"
#include "core/net/network-namespace.h"
#include "core/net/unix/endpoint.h"
#include "core/time/timekeeper.h"

namespace umbra::net {

/// What this end has not sent yet, though it was written: less than a segment. As in Linux not for longer than 200 ms.
class TcpEnd::Cork final : public Timer {
public:
    explicit Cork(TcpEnd& end)
        : Timer(end.kernel)
        , end_(end)
    {
    }
    ~Cork() override { drop(bytes.size()); }
    void add(std::span<u8 const> more)
    {
        bytes.insert(bytes.end(), more.begin(), more.end());
        Network::of(kernel_).queued_bytes += more.size();
    }
    void drop(u64 count)
    {
        bytes.erase(bytes.begin(), bytes.begin() + i64(count));
        Network::of(kernel_).queued_bytes -= count;
    }
    /// Sends whole segments; with 0 all.
    void release(u64 segment)
    {
        u64 const ready = segment ? bytes.size() / segment * segment : bytes.size();
        drop(end_.peer ? end_.deliver(std::span(bytes).first(ready)) : bytes.size());
        if (bytes.empty()) return cancel();
        if (!is_armed()) arm(kernel_.time().monotonic() + kLongest);
    }

    std::vector<u8> bytes {};

private:
    static constexpr Nanoseconds kLongest = 200'000'000;
    void expired() override { release(0); }

    TcpEnd& end_;
};

} // namespace umbra::net
