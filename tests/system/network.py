# SPDX-License-Identifier: GPL-2.0-or-later
"""--net, -p, --host-loopback: what a guest reaches, and what reaches it. The peers are sockets on the host's loopback."""
import hashlib
import os
import random
import shlex
import socket
import struct
import textwrap
import threading

from harness import LIMIT, expect, expect_equal, test, wait_until

GATEWAY, GUEST = "10.0.2.2", "10.0.2.15"
BLOCK = bytes(range(256)) * 4096


def guest(t, script, *arguments, options=()):
    """Python inside, to its end."""
    return t.run("python3", "-c", textwrap.dedent(script), *arguments, options=options)


class Peer:
    """A listener on the host's loopback; `serve` has each connection, in a thread."""

    def __init__(self, serve):
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]
        self.problems, self.count = [], 0
        threading.Thread(target=self.run, args=(serve,), daemon=True).start()

    def run(self, serve):
        while True:
            connection, _ = self.socket.accept()
            self.count += 1
            connection.settimeout(LIMIT)
            threading.Thread(target=self.one, args=(serve, connection), daemon=True).start()

    def one(self, serve, connection):
        try:
            with connection:
                serve(connection)
        except Exception as problem:  # the test tells
            self.problems.append(repr(problem))


def echo(connection):
    while data := connection.recv(1 << 16):
        connection.sendall(data)


def reset(connection):
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


@test
def interfaces_and_files(t):
    script = """
        import socket, uuid
        print(socket.if_nameindex())
        for line in open("/proc/net/route").read().splitlines(): print(*line.split()[:4])
        print(open("/etc/resolv.conf").read().split()[-1], socket.gethostname(), socket.gethostbyname(socket.gethostname()))
        address = open("/sys/class/net/eth0/address").read().strip()
        print(address == ":".join(f"{uuid.getnode():012x}"[i:i + 2] for i in range(0, 12, 2)), address[:8])
    """
    guest(t, script).expect(
        "[(1, 'lo'), (2, 'eth0')]\nIface Destination Gateway Flags\neth0 00000000 0202000A 0003\neth0 0002000A 00000000 0001\n"
        f"10.0.2.3 umbra {GUEST}\nTrue 02:75:6d\n")


PING = """
    import errno, socket, struct, sys
    def ping(name, kind=socket.SOCK_DGRAM):
        with socket.socket(socket.AF_INET, kind, socket.IPPROTO_ICMP) as s:
            s.settimeout(20)
            try:
                if kind == socket.SOCK_RAW: s.setsockopt(255, 1, struct.pack("I", 0xfffffffe))  # answers only
                head = struct.pack("!BBHHH", 8, 0, 0, 77, 5)
                total = sum(struct.unpack("!6H", head + b"abcd"))
                total = (total & 0xffff) + (total >> 16)
                s.sendto(head[:2] + struct.pack("!H", 0xffff - total) + head[4:] + b"abcd", (name, 0))
                data, peer = s.recvfrom(100)
            except OSError as problem:
                return errno.errorcode[problem.errno]
            if kind == socket.SOCK_RAW: data = data[20:]
            own = s.getsockname()[1] if kind == socket.SOCK_DGRAM else 77
            return "%s %s" % (peer[0], (data[0], struct.unpack("!HH", data[4:8]) == (own, 5), data[8:]) == (0, True, b"abcd"))
"""


@test
def ping(t):
    """The guest itself and the machines of its network answer; nobody else is there."""
    names = "127.0.0.1", GUEST, GATEWAY, "10.0.2.3"
    script = textwrap.dedent(PING) + "for name in sys.argv[1:]: print(ping(name))\n"
    answers = "".join(f"{name} True\n" for name in names) + "EHOSTUNREACH\n"
    t.run("python3", "-c", script, *names, "10.0.2.77").expect(answers)
    t.run("python3", "-c", script, "127.0.0.1", GATEWAY, options=["--net=none"]).expect("127.0.0.1 True\nENETUNREACH\n")
    script = textwrap.dedent(PING) + "for name in sys.argv[1:]: print(ping(name, socket.SOCK_RAW))\n"
    t.run("python3", "-c", script, *names, "10.0.2.77", options=["-u", "0"]).expect(answers)


@test
def ping_through_the_host(t):
    """On a host, which is a namespace here, that lets the user have ping sockets, and on one that does not."""
    there = "192.0.2.1"
    allow = "echo 0 0 >/proc/sys/net/ipv4/ping_group_range && "
    prepare = f"/bin/busybox ip addr add {there}/32 dev lo && /bin/busybox ip link set lo up && "
    unshare = ["unshare", "-rn", "sh", "-c"]
    if t.host(*unshare, f"{allow}{prepare}true").status != 0:
        print("not here: namespaces of the user's own")
        return
    script = textwrap.dedent(PING) + "for name in sys.argv[1:]: print(ping(name), ping(name, socket.SOCK_RAW))\n"
    command = shlex.join(t.command("python3", "-c", script, there, options=["-u", "0"]))
    t.host(*unshare, prepare + command).expect("EACCES EACCES\n")
    t.host(*unshare, allow + prepare + command).expect(f"{there} True {there} True\n")


@test
def groups(t):
    """By eth0, as the routes have it: who has joined there hears, unless the sender does not want his own machine to."""
    script = """
        import socket
        group, out = ("239.1.2.3", 5000), socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        member = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        member.bind(("", 5000))
        member.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, socket.inet_aton(group[0]) + bytes(4))
        out.sendto(b"hello", group)
        text, sender = member.recvfrom(100)
        print(text, sender[0])
        out.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_LOOP, 0)
        out.sendto(b"lost", group)
        member.setblocking(False)
        try: print(member.recv(100))
        except BlockingIOError: print("nothing")
    """
    path = t.scratch / "groups.pcapng"
    guest(t, script, options=["--pcap", path]).expect(f"b'hello' {GUEST}\nnothing\n")
    expect(all(text in path.read_bytes() for text in (b"hello", b"lost")), "both pass eth0")
    guest(t, script, options=["--net=none"]).expect(None, 1, lambda err: "No such device" in err)


@test
def without_a_network_there_is_loopback(t):
    peer = Peer(echo)
    script = """
        import errno, socket, sys
        print(socket.if_nameindex(), socket.gethostbyname(socket.gethostname()))
        for kind in socket.SOCK_STREAM, socket.SOCK_DGRAM:
            try: socket.socket(socket.AF_INET, kind).connect((sys.argv[1], int(sys.argv[2])))
            except OSError as problem: print(errno.errorcode[problem.errno])
    """
    guest(t, script, GATEWAY, peer.port, options=["--net=none"]).expect("[(1, 'lo')] 127.0.1.1\nENETUNREACH\nENETUNREACH\n")
    expect_equal(peer.count, 0)


@test
def loopback_of_the_host_is_closed(t):
    """Whatever name it has, and if the guest's own is down: nothing reaches the host's."""
    peer = Peer(echo)
    datagrams = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    datagrams.bind(("127.0.0.1", peer.port))
    script = """
        import errno, fcntl, socket, struct, sys
        port = int(sys.argv[1])
        names = ["10.0.2.2", "127.0.0.1", "127.1.2.3", "0.0.0.0", "10.0.2.3", "10.0.2.77", "169.254.169.254", "224.0.0.1",
                 "255.255.255.255", "::1", "::ffff:127.0.0.1", "::ffff:10.0.2.2", "::127.0.0.1", "fe80::1", "ff02::1"]
        def tries():
            for name in names:
                family = socket.AF_INET6 if ":" in name else socket.AF_INET
                with socket.socket(family, socket.SOCK_STREAM) as s:
                    s.settimeout(60)
                    try:
                        s.connect((name, port))
                        print("reached", name)
                    except OSError as problem:
                        assert problem.errno in (errno.ECONNREFUSED, errno.ENETUNREACH, errno.EHOSTUNREACH,
                                                 errno.EADDRNOTAVAIL, errno.EINVAL), (name, problem)
                with socket.socket(family, socket.SOCK_DGRAM) as s:
                    try: s.sendto(b"hello", (name, port))
                    except OSError: pass
        tries()
        with socket.socket() as s:
            fcntl.ioctl(s, 0x8914, struct.pack("16sH22x", b"lo", 0))  # SIOCSIFFLAGS: down
        tries()
        print("all tried")
    """
    guest(t, script, peer.port).expect("all tried\n")
    expect_equal(peer.count, 0)
    datagrams.setblocking(False)
    try:
        expect(False, datagrams.recv(100))
    except BlockingIOError:
        pass


@test
def stream_both_ways(t):
    """Much data at once, each way closed on its own."""
    def serve(connection):
        got = b""
        while data := connection.recv(1 << 16):
            got += data
        connection.sendall(hashlib.sha256(got).digest() + got)
    peer = Peer(serve)
    script = """
        import hashlib, os, socket, sys, threading
        def one():
            data = os.urandom(3 << 20)
            with socket.create_connection((sys.argv[1], int(sys.argv[2]))) as s:
                s.sendall(data)
                s.shutdown(socket.SHUT_WR)
                got = b""
                while piece := s.recv(1 << 16): got += piece
            assert got == hashlib.sha256(data).digest() + data
            print("same")
        threads = [threading.Thread(target=one) for i in range(8)]
        for thread in threads: thread.start()
        for thread in threads: thread.join()
    """
    guest(t, script, GATEWAY, peer.port, options=["--host-loopback"]).expect("same\n" * 8)
    expect_equal(peer.problems, [])


@test
def refusals_and_resets(t):
    def serve(connection):
        connection.recv(1)
        reset(connection)
    peer = Peer(serve)
    gone = []

    def watch(connection):
        connection.sendall(b"x")
        try:
            while connection.recv(100):
                pass
        except ConnectionResetError:
            gone.append("reset")
    watcher = Peer(watch)
    closed = socket.create_server(("127.0.0.1", 0))
    port = closed.getsockname()[1]
    closed.close()
    script = """
        import select, socket, struct, sys
        host, closed, resets, watches = sys.argv[1], *map(int, sys.argv[2:])
        try: socket.create_connection((host, closed))
        except ConnectionRefusedError: print("refused")
        s = socket.socket()
        s.setblocking(False)
        print(s.connect_ex((host, closed)) in (111, 115))
        select.select([], [s], [])
        print(s.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) in (0, 111))
        s = socket.create_connection((host, resets))
        s.sendall(b"go")
        try: s.recv(1)
        except ConnectionResetError: print("reset")
        s = socket.create_connection((host, watches))
        print(s.recv(1))
        s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        s.close()
        d = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        d.connect((host, closed))
        d.send(b"anybody?")
        select.select([d], [], [])
        try: d.recv(1)
        except ConnectionRefusedError: print("refused")
    """
    guest(t, script, GATEWAY, port, peer.port, watcher.port, options=["--host-loopback"]).expect(
        "refused\nTrue\nTrue\nreset\nb'x'\nrefused\n")
    wait_until(lambda: gone, "the guest's reset")


@test
def slow_readers_hold_the_sender(t):
    """Nothing is lost, and neither side's kernel keeps more than its queues."""
    turn = threading.Event()

    def serve(connection):
        turn.wait(LIMIT)
        size = 0
        while data := connection.recv(1 << 16):
            size += len(data)
        connection.sendall(b"%d" % size)
    peer = Peer(serve)
    script = """
        import select, socket, sys
        s = socket.create_connection((sys.argv[1], int(sys.argv[2])))
        s.setblocking(False)
        sent = 0
        try:
            while sent < 1 << 30: sent += s.send(bytes(1 << 16))
            print("never full")
        except BlockingIOError: pass
        print("full", flush=True)
        sys.stdin.readline()
        s.setblocking(True)
        for i in range(100): s.sendall(bytes(1 << 16))
        s.shutdown(socket.SHUT_WR)
        print(int(s.recv(100)) - sent)
    """
    process = t.start(t.command("python3", "-c", textwrap.dedent(script), GATEWAY, peer.port, options=["--host-loopback"]),
                      stdin=-1)
    expect_equal(process.stdout.readline(), b"full\n")
    turn.set()
    process.stdin.write(b"\n")
    process.stdin.flush()
    expect_equal(t.ends(process, 0).out, f"{100 << 16}\n")


@test
def datagrams(t):
    peer = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    peer.bind(("127.0.0.1", 0))

    def serve():
        while True:
            data, address = peer.recvfrom(1 << 16)
            peer.sendto(data[::-1], address)
    threading.Thread(target=serve, daemon=True).start()
    script = """
        import socket, sys
        to = (sys.argv[1], int(sys.argv[2]))
        s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        s.settimeout(60)
        for data in b"", b"abc", bytes(range(256)) * 100:
            s.sendto(data, to)
            print(s.recvfrom(1 << 16) == (data[::-1], to))
        s.connect(to)
        s.send(b"xyz")
        print(s.recv(10), s.getsockname()[0], s.getpeername() == to)
        with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as six:
            six.settimeout(60)
            six.sendto(b"six", ("::ffff:" + to[0], to[1]))
            print(six.recvfrom(10)[0])
    """
    guest(t, script, GATEWAY, peer.getsockname()[1], options=["--host-loopback"]).expect(
        f"True\nTrue\nTrue\nb'zyx' {GUEST} True\nb'xis'\n")


def free_port(kind=socket.SOCK_STREAM):
    """Below those that the host gives to anybody who asks for none."""
    while True:
        port = random.randrange(10000, 32000)
        with socket.socket(socket.AF_INET, kind) as s:
            try:
                s.bind(("127.0.0.1", port))
                return port
            except OSError:
                pass


@test
def published_port(t):
    """Who connects to the host gets to the guest, who sees where from."""
    script = """
        import socket
        listener = socket.create_server(("", 80))
        print("ready", flush=True)
        for i in range(3):
            connection, peer = listener.accept()
            with connection:
                got = b""
                while data := connection.recv(1 << 16): got += data
                connection.sendall(b"%d %s %s" % (len(got), peer[0].encode(), connection.getsockname()[0].encode()))
    """
    port = free_port()
    process = t.start(t.command("python3", "-c", textwrap.dedent(script), options=["-p", f"127.0.0.1:{port}:80"]))
    expect_equal(process.stdout.readline(), b"ready\n")
    for size in 0, 5, 1 << 20:
        with socket.create_connection(("127.0.0.1", port), timeout=LIMIT) as client:
            client.sendall(BLOCK[:size])
            client.shutdown(socket.SHUT_WR)
            expect_equal(client.recv(100), f"{size} {GATEWAY} {GUEST}".encode())
            expect_equal(client.recv(100), b"")
    t.ends(process, 0)


@test
def published_port_without_a_listener(t):
    """It is reset, as a port is that nobody listens on; and so is one that is only on the guest's loopback."""
    port, local = free_port(), free_port()
    script = 'import socket; l = socket.create_server(("127.0.0.1", 81)); print("ready", flush=True); input()'
    process = t.start(t.command("python3", "-c", script, options=["-p", f"127.0.0.1:{port}:80", "-p", f"127.0.0.1:{local}:81"]),
                      stdin=-1)
    expect_equal(process.stdout.readline(), b"ready\n")
    for one in port, local:
        try:
            with socket.create_connection(("127.0.0.1", one), timeout=LIMIT) as client:
                expect_equal(client.recv(1), "a reset")
        except ConnectionResetError:
            pass
    process.stdin.write(b"\n")
    t.ends(process, 0)


@test
def published_datagrams(t):
    script = """
        import socket
        s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        s.bind(("", 53))
        print("ready", flush=True)
        for i in range(2):
            data, peer = s.recvfrom(100)
            s.sendto(data.upper() + peer[0].encode(), peer)
    """
    port = free_port(socket.SOCK_DGRAM)
    process = t.start(t.command("python3", "-c", textwrap.dedent(script), options=["-p", f"127.0.0.1:{port}:53/udp"]))
    expect_equal(process.stdout.readline(), b"ready\n")
    for name in b"one ", b"two ":
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
            client.settimeout(LIMIT)
            client.sendto(name, ("127.0.0.1", port))
            expect_equal(client.recvfrom(100), (name.upper() + GATEWAY.encode(), ("127.0.0.1", port)))
    t.ends(process, 0)


@test
def published_port_that_is_taken(t):
    taken = socket.create_server(("127.0.0.1", 0))
    port = taken.getsockname()[1]
    t.run("true", options=["-p", f"127.0.0.1:{port}:80"]).expect(
        "", 125, f"umbra: -p 127.0.0.1:{port}:80: Address already in use: another program has this port: give another one\n")


@test
def many_connections(t):
    """More than a listener's queue has room for, all at once, and all idle but one."""
    peer = Peer(echo)
    script = """
        import resource, selectors, socket, sys
        to = (sys.argv[1], int(sys.argv[2]))
        many = []
        for i in range(300):
            s = socket.socket()
            s.setblocking(False)
            s.connect_ex(to)
            many.append(s)
        for s in many:
            s.settimeout(60)
            s.sendall(b"x")
        print(sum(s.recv(1) == b"x" for s in many))
        for i in range(200):
            many[7].sendall(b"%d" % i)
            assert many[7].recv(100) == b"%d" % i
        print("done")
    """
    guest(t, script, GATEWAY, peer.port, options=["--host-loopback"]).expect("300\ndone\n")


@test
def tree_that_is_written_through_keeps_its_files(t):
    tree = t.directory("tree")
    for name in "etc", "bin", "proc":
        (tree / name).mkdir()
    (tree / "etc/resolv.conf").write_text("nameserver 192.0.2.1\n")
    program = tree / "bin/cat"
    program.write_bytes(open("/bin/busybox", "rb").read())
    program.chmod(0o755)
    options = ["--rw", "--backend", t.backend, "--rootfs", tree]
    t.host(t.umbra, "run", "-q", *options, "--", "/bin/cat", "/etc/resolv.conf").expect(
        lambda out: out.endswith("nameserver 10.0.2.3\n"))
    expect_equal((tree / "etc/resolv.conf").read_text(), "nameserver 192.0.2.1\n")
    expect_equal(sorted(os.listdir(tree / "etc")), ["resolv.conf"])
