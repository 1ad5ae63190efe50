// SPDX-License-Identifier: GPL-2.0-or-later
// The file of --pcap: every packet that passes an interface of one network namespace, as pcapng.
#pragma once

#include <string_view>
#include <vector>

#include "core/net/capture/packet-watcher.h"

namespace umbra::net {

class NetworkNamespace;

/// Where the file is written.
class CaptureOutput {
public:
    /// False: there is no room, nothing of it was taken. With `always` it is taken nevertheless.
    virtual bool offer(std::string_view bytes, bool always) = 0;

protected:
    ~CaptureOutput() = default;
};

class PacketFile final : private PacketWatcher {
public:
    /// Of the interfaces that there are now.
    PacketFile(NetworkNamespace& space, CaptureOutput& output);
    /// The file ends with what was lost.
    ~PacketFile();
    PacketFile(PacketFile const&) = delete;

    u64 lost() const;

private:
    struct Counts {
        u64 passed = 0, lost = 0;
    };
    void see(PacketSight const& sight) override;
    u64 now() const;

    NetworkNamespace& space_;
    CaptureOutput& output_;
    std::vector<Counts> counts_; ///< by interface
};

} // namespace umbra::net
