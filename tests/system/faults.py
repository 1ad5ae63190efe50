# SPDX-License-Identifier: GPL-2.0-or-later
"""Peers on the host that do not do what one hopes for, and a host whose network goes. What Linux says is asked of the host:
the same program runs there, and has to see the same."""
import signal
import socket
import sys
import textwrap

from harness import LIMIT, expect, expect_equal, read_until, test, wait_until
from network import GATEWAY, Peer

HEAD = """
    import errno, os, select, signal, socket, struct, sys, threading
    to = (sys.argv[1], int(sys.argv[2]))

    def name(call, *arguments):
        try: return call(*arguments)
        except OSError as problem: return errno.errorcode.get(problem.errno, problem)

    def events(s, wanted=0, wait=None):
        poll = select.poll()
        poll.register(s, wanted)
        return sorted(text for number, text in ((1, "in"), (4, "out"), (8, "err"), (16, "hup"), (0x2000, "rdhup"))
                      for _, mask in poll.poll(wait) if mask & number)
"""


def program(script):
    return textwrap.dedent(HEAD) + textwrap.dedent(script)


def same_as_the_host(t, script, port):
    """The program's output, here and inside."""
    there = t.host(sys.executable, "-c", program(script), "127.0.0.1", port).expect()
    inside = t.run("python3", "-c", program(script), GATEWAY, port, options=["--host-loopback"]).expect()
    expect_equal(inside.out, there.out, "inside, not as on the host")
    return there.out


class Deaf:
    """A listener that accepts nobody; with its queue filled, no connection to it comes about."""

    def __init__(self, full):
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=0 if full else 100)
        self.port = self.listener.getsockname()[1]
        self.filling = [socket.create_connection(("127.0.0.1", self.port))] if full else []


@test
def never_accepted(t):
    """Established all the same: what is written fits into queues, and nothing comes."""
    script = """
        s = socket.create_connection(to)
        print(name(s.send, bytes(1000)), s.getpeername() == to, events(s, 0x2005, 0))
        s.setblocking(False)
        print(name(s.recv, 1), name(s.connect, to))
        s.shutdown(socket.SHUT_WR)
        print(name(s.send, b"x"), events(s, 0x2005, 0))
    """
    deaf = Deaf(full=False)
    same_as_the_host(t, script, deaf.port)


PENDING = """
    s = socket.socket()
    s.setblocking(False)
    print(name(s.connect, to), name(s.connect, to), events(s, 0x2005, 200))
    print(s.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR), name(s.getpeername), name(s.recv, 1), name(s.send, b"x"))

    class Rung(Exception): pass
    def ring(*_):
        if blocking.getsockname()[1]: raise Rung  # the call has begun
    signal.signal(signal.SIGALRM, ring)
    blocking = socket.socket()
    signal.setitimer(signal.ITIMER_REAL, 0.1, 0.1)
    try: print(name(blocking.connect, to))
    except Rung: print("interrupted")
    signal.setitimer(signal.ITIMER_REAL, 0)
    blocking.setblocking(False)
    print(name(blocking.connect, to), events(blocking, 0x2005, 0))

    limited = socket.socket()
    limited.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, struct.pack("qq", 0, 200000))
    print(name(limited.connect, to))
    given_up = socket.socket()
    given_up.setblocking(False)
    print(name(given_up.connect, to), name(given_up.shutdown, socket.SHUT_RDWR), given_up.close())
"""


@test
def full_queue(t):
    """A pending connection: waiting for it can be given up by a poll, an alarm, a time limit and a close."""
    deaf = Deaf(full=True)
    out = same_as_the_host(t, PENDING, deaf.port)
    expect("EINPROGRESS EALREADY []" in out and "interrupted" in out, out)


@test
def full_queue_that_is_taken_up(t):
    """The pending connection comes about once there is room."""
    script = """
        s = socket.socket()
        s.setblocking(False)
        print(name(s.connect, to), events(s, 4, 100), flush=True)
        print(events(s, 4), name(s.connect, to), s.getpeername() == to)
        s.setblocking(True)
        print(s.recv(10))
    """
    deaf = Deaf(full=True)
    process = t.start(t.command("python3", "-c", program(script), GATEWAY, deaf.port, options=["--host-loopback"]))
    read_until(process.stdout, b"EINPROGRESS []\n")
    deaf.listener.accept()[0].close()
    connection = deaf.listener.accept()[0]
    connection.sendall(b"at last")
    expect_equal(t.ends(process, 0).out, "['out'] None True\nb'at last'\n")


@test
def ends_with_a_connection_pending(t):
    """By the guest's own exit, and by a signal to the instance: long before the host gives the connection up."""
    script = """
        threading.Thread(target=lambda: socket.create_connection(to), daemon=True).start()
        s = socket.socket()
        s.setblocking(False)
        print(name(s.connect, to), flush=True)
        os.read(0, 1)
        os._exit(0)
    """
    deaf = Deaf(full=True)
    for number, status in (None, 0), (signal.SIGTERM, None):
        process = t.start(t.command("python3", "-c", program(script), GATEWAY, deaf.port, options=["--host-loopback"]), stdin=-1)
        read_until(process.stdout, b"EINPROGRESS\n")
        if number:
            process.send_signal(number)
        t.ends(process, status, limit=LIMIT / 3)


@test
def half_open(t):
    """A peer that writes no more, and one that reads no more."""
    got = []

    def writes_no_more(connection):
        connection.sendall(b"last")
        connection.shutdown(socket.SHUT_WR)
        size = 0
        while data := connection.recv(1 << 16):
            size += len(data)
        got.append(size)
    script = """
        s = socket.create_connection(to)
        while "rdhup" not in events(s, 0x2000): pass
        print(events(s, 0x2005, 0), s.recv(10), s.recv(10), s.recv(10))
        s.sendall(bytes(5000000))
        print(events(s, 0x2001, 0))
        s.shutdown(socket.SHUT_WR)
        while "hup" not in events(s): pass
        print(events(s, 0x2005, 0), name(s.send, b"x"))
    """
    peer = Peer(writes_no_more)
    same_as_the_host(t, script, peer.port)
    expect_equal((got, peer.problems), ([5000000] * 2, []))

    kept = []

    def reads_no_more(connection):
        kept.append(connection.dup())
        connection.shutdown(socket.SHUT_RD)
        connection.sendall(b"ready")
    script = """
        s = socket.create_connection(to)
        print(s.recv(10), name(s.send, b"x"), name(s.send, b"x"), events(s, 0x2005, 0))
    """
    same_as_the_host(t, script, Peer(reads_no_more).port)


@test
def vanishes_with_unread_data(t):
    """A reset: to the guest from the host's peer, and to the host from the guest."""
    def vanish(connection):
        connection.sendall(b"hello")
        connection.recv(1)
    script = """
        signal.signal(signal.SIGPIPE, signal.SIG_IGN)
        s = socket.create_connection(to)
        print(s.recv(10))
        s.sendall(bytes(1000))
        print(events(s), events(s, 0x2005, 0))
        print(name(s.recv, 1), name(s.recv, 1), name(s.send, b"x"), events(s, 0x2005, 0), name(s.getpeername))
        s = socket.create_connection(to)
        print(s.recv(10))
        s.sendall(bytes(1000))
        print(events(s), s.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR), name(s.recv, 1), name(s.send, b"x"))
    """
    same_as_the_host(t, script, Peer(vanish).port)

    seen = []

    def watch(connection):
        connection.sendall(bytes(1000))
        try:
            seen.append(connection.recv(1))
        except OSError as problem:
            seen.append(type(problem))
    same_as_the_host(t, "s = socket.create_connection(to)\ns.recv(1)\ns.close()\nprint('closed')", Peer(watch).port)
    wait_until(lambda: len(seen) == 2, "the peer to see both")
    expect_equal(seen, [ConnectionResetError] * 2)


#: In a network namespace of its own, whose loopback is down: the host's part. Says what the guest says, with lo down, up,
#: down and up.
HOST = """
import errno, fcntl, socket, struct, subprocess, sys

def turn(flags):
    with socket.socket() as s: fcntl.ioctl(s, 0x8914, struct.pack("16sH22x", b"lo", flags))  # SIOCSIFFLAGS

def say(line):
    guest.stdin.write(line + b"\\n")
    guest.stdin.flush()
    print(guest.stdout.readline().decode(), end="", flush=True)

listener = socket.create_server(("", 7000))
try: print(socket.create_connection(("127.0.0.1", 7000)))
except OSError as problem: print("host", errno.errorcode[problem.errno])
guest = subprocess.Popen(sys.argv[1:], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
say(b"connect")
turn(1)
say(b"connect")
connection = listener.accept()[0]
connection.sendall(b"one")
say(b"read")
turn(0)
say(b"write")
say(b"wait")
say(b"begin")
connection.sendall(b"two")
turn(1)
print(connection.recv(10))
say(b"read")
listener.accept()[0].sendall(b"three")
say(b"finish")
guest.stdin.close()
print(guest.wait())
"""
GUEST = """
    for line in sys.stdin:
        word = line.strip()
        if word == "connect":
            s = socket.socket()
            print(word, name(s.connect, to))
        if word == "read": print(word, s.recv(10))
        if word == "write": print(word, s.send(b"there"))
        if word == "wait": print(word, events(s, 1, 300))
        if word == "begin":
            other = socket.socket()
            other.setblocking(False)
            print(word, name(other.connect, to), events(other, 4, 300))
        if word == "finish":
            other.setblocking(True)
            print(word, events(other, 4), other.recv(10))
        sys.stdout.flush()
"""


@test
def network_of_the_host_goes_and_comes(t):
    """Never up, the host's loopback is nowhere; down later, what is sent is lost, and comes when it is up again."""
    guest = t.command("python3", "-c", program(GUEST), GATEWAY, 7000, options=["--host-loopback"])
    how = ["unshare", "--net"] if t.user == "root" else ["unshare", "--net", "--user", "--map-root-user"]
    t.host(*how, sys.executable, "-c", HOST, *guest).expect(
        "host ENETUNREACH\nconnect ENETUNREACH\nconnect None\nread b'one'\nwrite 5\nwait []\nbegin EINPROGRESS []\nb'there'\n"
        "read b'two'\nfinish ['out'] b'three'\n0\n")
