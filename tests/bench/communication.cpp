// SPDX-License-Identifier: GPL-2.0-or-later
// Two tasks that talk: round trips on one CPU, where each waits for the other, and bandwidth.
#include "bench.h"

#include <atomic>
#include <linux/futex.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>

namespace bench {
namespace {

struct Ends {
    int read, write;
};

/// A byte there and one back, the partner echoing.
double round_trip(Ends here, Ends there)
{
    pid_t const child = fork_or_fail();
    if (child == 0) {
        close(here.write), close(here.read);
        char byte;
        while (read(there.read, &byte, 1) == 1)
            if (write(there.write, &byte, 1) != 1) _exit(1);
        _exit(0);
    }
    close(there.read), close(there.write);
    double const result = each(500, [&] {
        char byte = 0;
        check(write(here.write, &byte, 1), "write");
        check(read(here.read, &byte, 1), "read");
    });
    close(here.write), close(here.read);
    wait_for(child);
    return result;
}

double pipe_round_trip()
{
    return each_on_one_cpu([] {
        int there[2], back[2];
        check(pipe(there), "pipe");
        check(pipe(back), "pipe");
        return round_trip({ back[0], there[1] }, { there[0], back[1] });
    });
}

double unix_round_trip()
{
    return each_on_one_cpu([] {
        int ends[2];
        check(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), "socketpair");
        return round_trip({ ends[0], ends[0] }, { ends[1], ends[1] });
    });
}

/// Two ends of a connection over loopback, without Nagle's delay.
void connect_tcp(int ends[2])
{
    int const listener = int(check(socket(AF_INET, SOCK_STREAM, 0), "socket"));
    sockaddr_in address = {};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    auto* const generic = reinterpret_cast<sockaddr*>(&address);
    socklen_t length = sizeof address;
    check(bind(listener, generic, length), "bind");
    check(listen(listener, 1), "listen");
    check(getsockname(listener, generic, &length), "getsockname");
    ends[0] = int(check(socket(AF_INET, SOCK_STREAM, 0), "socket"));
    check(connect(ends[0], generic, length), "connect");
    ends[1] = int(check(accept(listener, nullptr, nullptr), "accept"));
    close(listener);
    int const one = 1;
    for (int i = 0; i < 2; ++i)
        check(setsockopt(ends[i], IPPROTO_TCP, TCP_NODELAY, &one, sizeof one), "TCP_NODELAY");
}

double tcp_round_trip()
{
    return each_on_one_cpu([] {
        int ends[2];
        connect_tcp(ends);
        return round_trip({ ends[0], ends[0] }, { ends[1], ends[1] });
    });
}

/// A word that two processes wait for and wake each other by.
double futex_round_trip()
{
    return each_on_one_cpu([] {
        auto* word = reinterpret_cast<std::atomic<int>*>(map_anonymous(kPage, MAP_SHARED));
        auto const pass
            = [word](int mine) { // waits until it is the other's turn no more, and gives the turn away
                  for (int turn; (turn = word->load()) != mine && turn >= 0;)
                      syscall(SYS_futex, word, FUTEX_WAIT, turn, nullptr);
                  if (word->load() < 0) return false;
                  word->store(1 - mine);
                  syscall(SYS_futex, word, FUTEX_WAKE, 1);
                  return true;
              };
        pid_t const child = fork_or_fail();
        if (child == 0) {
            while (pass(1))
                ;
            _exit(0);
        }
        double const result = each(500, [&] { pass(0); });
        while (word->load() != 0) // the partner's last turn
            syscall(SYS_futex, word, FUTEX_WAIT, 1, nullptr);
        word->store(-1);
        syscall(SYS_futex, word, FUTEX_WAKE, 1);
        wait_for(child);
        return result;
    });
}

/// A readiness that is there, told by epoll_wait of 100 descriptors.
double epoll_ready()
{
    constexpr int kPipes = 100;
    int const set = int(check(epoll_create1(0), "epoll_create1"));
    std::vector<Ends> pipes;
    for (int i = 0; i < kPipes; ++i) {
        int ends[2];
        check(pipe(ends), "pipe");
        pipes.push_back({ ends[0], ends[1] });
        epoll_event event = {};
        event.events = EPOLLIN;
        check(epoll_ctl(set, EPOLL_CTL_ADD, ends[0], &event), "epoll_ctl");
    }
    check(write(pipes[kPipes / 2].write, "x", 1), "write");
    double const result = each(1'000, [set] {
        epoll_event events[8];
        check(epoll_wait(set, events, 8, -1), "epoll_wait");
    });
    for (auto const& ends : pipes)
        close(ends.read), close(ends.write);
    close(set);
    return result;
}

/// Per 64 KiB block that one process writes and another one reads.
double bandwidth(Ends here, Ends there, int blocks)
{
    constexpr size_t kBlock = 64 << 10;
    pid_t const child = fork_or_fail();
    std::vector<char> buffer(kBlock);
    if (child == 0) {
        close(here.read), close(here.write);
        while (read(there.read, buffer.data(), kBlock) > 0)
            ;
        _exit(0);
    }
    close(there.read), close(there.write);
    double const result = each(
        blocks,
        [&] {
            for (size_t done = 0; done < kBlock;)
                done += size_t(check(write(here.write, buffer.data() + done, kBlock - done), "write"));
        },
        5);
    close(here.write), close(here.read);
    wait_for(child);
    return result;
}

double pipe_bandwidth()
{
    int ends[2];
    check(pipe(ends), "pipe");
    int const unused = int(check(open("/dev/null", O_RDWR), "/dev/null"));
    return bandwidth({ unused, ends[1] }, { ends[0], dup(unused) }, 500);
}

double tcp_bandwidth()
{
    int ends[2];
    connect_tcp(ends);
    return bandwidth({ ends[0], ends[0] }, { ends[1], ends[1] }, 500);
}

} // namespace

Benchmarks communication()
{
    return {
        { "pipe-round-trip", pipe_round_trip },
        { "unix-round-trip", unix_round_trip },
        { "tcp-round-trip", tcp_round_trip },
        { "futex-round-trip", futex_round_trip },
        { "epoll-wait", epoll_ready },
        { "pipe-64k", pipe_bandwidth },
        { "tcp-64k", tcp_bandwidth },
    };
}

} // namespace bench
