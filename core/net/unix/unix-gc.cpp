// SPDX-License-Identifier: GPL-2.0-or-later
// Sockets sent through sockets can end up where no process reaches them: each in another's queue. Those are
// found by marking from the sockets that somebody else refers to, and their queues are emptied (Linux:
// net/unix/garbage.c).
#include <unordered_map>
#include <unordered_set>

#include "core/net/unix/unix-socket.h"

namespace umbra::net {

namespace {

/// Calls visit(packet) for all that waits at an endpoint, connections not yet accepted included.
template <typename Visit> void for_each_packet(UnixEndpoint& end, Visit visit)
{
    for (auto& packet : end.queue)
        visit(*packet);
    for (auto& connection : end.pending)
        for (auto& packet : connection->queue)
            visit(*packet);
}

template <typename Visit> void for_each_socket(UnixEndpoint& end, Visit visit)
{
    for_each_packet(end, [&](Packet& packet) {
        for (auto& file : packet.ancillary.files)
            if (auto* socket = dynamic_cast<UnixSocket*>(file.get())) visit(*socket);
    });
}

using Marked = std::unordered_set<UnixSocket*>;

Marked mark_reachable(Network& network)
{
    std::unordered_map<UnixSocket*, u32> references;
    for (UnixEndpoint& end : network.endpoints)
        for_each_socket(end, [&](UnixSocket& socket) { references[&socket]++; });
    Marked marked;
    std::vector<UnixSocket*> to_visit;
    auto mark = [&](UnixSocket& socket) {
        if (marked.insert(&socket).second) to_visit.push_back(&socket);
    };
    for (UnixEndpoint& end : network.endpoints)
        if (end.file->ref_count() > references[end.file]) mark(*end.file);
    while (!to_visit.empty()) {
        UnixSocket& socket = *to_visit.back();
        to_visit.pop_back();
        for_each_socket(socket.endpoint(), mark);
    }
    return marked;
}

} // namespace

void collect_unreachable_sockets(Network& network)
{
    if (network.files_in_flight == 0 || network.collecting) return;
    // A collection looks at every socket: one for each close would make closing n of them cost n squared.
    constexpr u64 kPart = 16;
    if (network.closed_since_collection * kPart < network.endpoint_count) return;
    network.closed_since_collection = 0;
    network.collecting = true;
    auto reachable = mark_reachable(network);
    std::vector<std::unique_ptr<Packet>> garbage;
    for (UnixEndpoint& end : network.endpoints) {
        if (reachable.contains(end.file)) continue;
        while (!end.queue.empty())
            garbage.push_back(end.dequeue());
    }
    // Taken out of all queues first: what is dropped here closes the sockets that were just looked at.
    for (auto& packet : garbage)
        network.discard(std::move(packet));
    network.collecting = false;
}

} // namespace umbra::net
