// SPDX-License-Identifier: GPL-2.0-or-later
// A program of the host's at the other end of a TCP connection: `bench --serve` is that program, and the rows speak to it.
#include "bench.h"

#include <arpa/inet.h>
#include <csignal>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/prctl.h>
#include <sys/socket.h>

namespace bench {
namespace {

sockaddr_in peer_address;

constexpr size_t kBlock = 64 << 10;
constexpr int kBlocks = 500;

/// What an exchange is: so many bytes to the server, and so many back. The first byte of a connection says which.
struct Exchange {
    char name;
    size_t there, back;
};
constexpr Exchange kEcho = { 'e', 1, 1 };
constexpr Exchange kSend = { 's', kBlocks* kBlock, 1 };
constexpr Exchange kReceive = { 'r', 1, kBlocks* kBlock };

/// False at the end of the stream.
bool take(int socket, size_t size)
{
    static char buffer[kBlock];
    while (size > 0) {
        ssize_t const got = check(recv(socket, buffer, std::min(size, sizeof buffer), 0), "recv");
        if (got == 0) return false;
        size -= size_t(got);
    }
    return true;
}

void give(int socket, size_t size)
{
    static char buffer[kBlock];
    while (size > 0)
        size -= size_t(check(send(socket, buffer, std::min(size, sizeof buffer), MSG_NOSIGNAL), "send"));
}

void do_not_delay(int socket)
{
    int const one = 1;
    check(setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one), "TCP_NODELAY");
}

void converse(int socket)
{
    char name;
    if (check(recv(socket, &name, 1, 0), "recv") == 0) return;
    do_not_delay(socket);
    for (auto const& exchange : { kEcho, kSend, kReceive })
        while (name == exchange.name && take(socket, exchange.there))
            give(socket, exchange.back);
}

/// Nanoseconds for one exchange.
double exchange_each(Exchange const& exchange, int count)
{
    if (!peer_address.sin_family) {
        fprintf(stderr, "bench: this one speaks to `bench --serve`: say where by --peer ADDRESS:PORT\n");
        exit(2);
    }
    int const to = int(check(socket(AF_INET, SOCK_STREAM, 0), "socket"));
    check(connect(to, reinterpret_cast<sockaddr*>(&peer_address), sizeof peer_address), "connect");
    do_not_delay(to);
    check(send(to, &exchange.name, 1, 0), "send");
    double const result = each(
        count,
        [&] {
            give(to, exchange.there);
            take(to, exchange.back);
        },
        5);
    close(to);
    return result;
}

double outside_round_trip() { return exchange_each(kEcho, 500); }
double outside_send() { return exchange_each(kSend, 1) / kBlocks; }
double outside_receive() { return exchange_each(kReceive, 1) / kBlocks; }

} // namespace

/// "ADDRESS:PORT" of IPv4.
bool set_peer(char const* text)
{
    char address[INET_ADDRSTRLEN];
    unsigned short port;
    if (sscanf(text, "%15[0-9.]:%hu", address, &port) != 2) return false;
    peer_address.sin_port = htons(port);
    if (inet_pton(AF_INET, address, &peer_address.sin_addr) != 1) return false;
    peer_address.sin_family = AF_INET;
    return true;
}

void serve()
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    signal(SIGCHLD, SIG_IGN);
    int const listener = int(check(socket(AF_INET, SOCK_STREAM, 0), "socket"));
    sockaddr_in address = {};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t length = sizeof address;
    check(bind(listener, reinterpret_cast<sockaddr*>(&address), length), "bind");
    check(listen(listener, 64), "listen");
    check(getsockname(listener, reinterpret_cast<sockaddr*>(&address), &length), "getsockname");
    printf("%d\n", ntohs(address.sin_port));
    fflush(stdout);
    for (;;) {
        int const connection = int(check(accept(listener, nullptr, nullptr), "accept"));
        if (fork_or_fail() == 0) {
            converse(connection);
            _exit(0);
        }
        close(connection);
    }
}

Benchmarks outside()
{
    return {
        { "outside-round-trip", outside_round_trip },
        { "outside-send-64k", outside_send },
        { "outside-receive-64k", outside_receive },
    };
}

} // namespace bench
