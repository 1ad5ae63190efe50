# SPDX-License-Identifier: GPL-2.0-or-later
"""Thousands of connections at once, within a guest and through the host's sockets: all are served, nothing of them stays, and
idle ones wake nobody."""
import os
import pathlib
import re
import resource
import selectors
import socket
import textwrap
import threading
import time

from harness import expect, expect_equal, read_until, test, wait_until
from network import GATEWAY
from resources import MIB, settled, wake_ups

#: Connects many times, to a listener of its own or of the host's; has a byte there and back on each, with all open; says so,
#: and closes all when told to by a line.
CLIENT = """
    import resource, select, socket, sys

    def open_many(to, count, listener=None):
        waiting, many, others = select.epoll(), [], []
        for i in range(count):
            s = socket.create_connection(to)
            many.append(s)
            if listener:
                others.append(listener.accept()[0])
                others[-1].setblocking(False)
                waiting.register(others[-1], select.EPOLLIN)
        for i, s in enumerate(many): s.sendall(bytes([i % 251]))
        by_number, left = {s.fileno(): s for s in others}, len(others)
        while left:
            for number, _ in waiting.poll():
                by_number[number].sendall(by_number[number].recv(10))
                left -= 1
        for i, s in enumerate(many): assert s.recv(10) == bytes([i % 251]), i
        return many + others

    def free():
        return next(int(line.split()[1]) for line in open("/proc/meminfo") if line.startswith("MemFree"))

    inner, outer, port = map(int, sys.argv[1:4])
    resource.setrlimit(resource.RLIMIT_NOFILE, (2 * inner + outer + 100,) * 2)
    listener = socket.create_server(("127.0.0.1", 0), backlog=100)
    for s in open_many(listener.getsockname(), 1, listener): s.close()  # now all modules and tables are read
    print("ready", flush=True)
    for line in sys.stdin:
        kept = open_many(listener.getsockname(), inner, listener)
        if outer: kept += open_many((sys.argv[4], port), outer)
        print("open", len(kept), flush=True)
        sys.stdin.readline()
        for s in kept: s.close()
        kept = s = None
        print("closed", free(), flush=True)
"""


def limit_of_files():
    """Raised to what the host allows; instances inherit it."""
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    return most


class Echoes:
    """A listener on the host's loopback that has one thread for all its connections, and no time for two bytes of one."""

    def __init__(self):
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=100)
        self.port = self.listener.getsockname()[1]
        self.open = 0
        threading.Thread(target=self.run, daemon=True).start()

    def run(self):
        waiting = selectors.DefaultSelector()
        waiting.register(self.listener, selectors.EVENT_READ)
        while True:
            for key, _ in waiting.select():
                if key.fileobj is self.listener:
                    waiting.register(self.listener.accept()[0], selectors.EVENT_READ)
                    self.open += 1
                elif data := key.fileobj.recv(10):
                    key.fileobj.sendall(data)
                else:
                    waiting.unregister(key.fileobj)
                    key.fileobj.close()
                    self.open -= 1


class Crowd:
    """A guest with CLIENT, and its connections: `inner` within it, `outer` to the host."""

    def __init__(self, t, inner=0, outer=0):
        self.echoes = Echoes()
        self.inner, self.outer = inner, outer
        self.process = t.start(t.command("python3", "-c", textwrap.dedent(CLIENT), inner, outer, self.echoes.port, GATEWAY,
                                         options=["-u", "0", "--host-loopback"]), stdin=-1)
        read_until(self.process.stdout, b"ready\n")

    def say(self):
        self.process.stdin.write(b"\n")
        self.process.stdin.flush()
        return read_until(self.process.stdout, b"\n").decode()

    def open(self):
        expect_equal(self.say(), f"open {2 * self.inner + self.outer}\n")
        expect_equal(self.echoes.open, self.outer, "on the host")

    def close(self):
        """Returns the guest's free memory in KiB."""
        answer = self.say().split()
        expect_equal(answer[0], "closed")
        wait_until(lambda: not self.echoes.open, "the host to see all of them closed")
        return int(answer[1])

    def descriptors(self):
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))

    def memory(self):
        """Bytes of the kernel process's own."""
        text = pathlib.Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.search(r"^RssAnon:\s*(\d+) kB", text, re.M).group(1)) << 10


def come_and_go(t, crowd, turns):
    """All at once, time and again. Returns what memory the kernel had of its own each time that all were open."""
    descriptors = crowd.descriptors()
    memory, free = [], []
    for _ in range(turns):
        crowd.open()
        memory.append(crowd.memory())
        expect(crowd.descriptors() >= descriptors + crowd.outer, "each to the host has a socket of the host's")
        free.append(crowd.close())
        wait_until(lambda: crowd.descriptors() <= descriptors + 8, f"descriptors to come down to {descriptors}")
    expect(free[-1] >= free[0] - 1000, f"{free[0] - free[-1]} KiB of the guest's memory stay")
    t.ends(crowd.process, 0)
    return memory


@test
def ten_thousand_within_a_guest(t):
    """The second ten thousand take the place of the first. (How full the places are depends on which CPU frees what.)"""
    first, second = come_and_go(t, Crowd(t, inner=10000), 2)
    expect(second <= 1.5 * first, f"{first / MIB:.1f} MiB, then {second / MIB:.1f} MiB of the kernel's own")


@test
def thousand_to_the_host(t):
    count = min(1000, limit_of_files() - 200)
    first, second = come_and_go(t, Crowd(t, outer=count), 2)
    expect(second <= 1.5 * first, f"{first / MIB:.1f} MiB, then {second / MIB:.1f} MiB of the kernel's own")


@test
def nothing_of_them_stays(t):
    """What 200 bytes of each would come to, between the first turns and the last, is 3 MiB. The allocator's places for each
    thread are full after some turns only."""
    limit_of_files()
    memory = come_and_go(t, Crowd(t, inner=500, outer=500), 40)
    first, last = max(memory[:15]), min(memory[-10:])
    expect(last <= first + 3 * MIB, f"{first / MIB:.1f} MiB, then {last / MIB:.1f} MiB of the kernel's own")


@test
def idle_ones_wake_nobody(t):
    limit_of_files()
    crowd = Crowd(t, inner=1000, outer=200)
    crowd.open()
    pids = settled(crowd.process)
    before = wake_ups(pids)
    time.sleep(5)
    expect_equal(wake_ups(pids), before, "wake-ups in five seconds")
    crowd.close()
    t.ends(crowd.process, 0)
