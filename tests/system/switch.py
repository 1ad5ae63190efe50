# SPDX-License-Identifier: GPL-2.0-or-later
"""--net switch:NAME: instances that reach each other. Each test has a switch of its own."""
import os
import subprocess
import textwrap

from harness import expect, test
import peers


def on_switch(t, script, name="umbra", impairments=""):
    return t.command("python3", "-c", textwrap.dedent(script),
                     options=["--net", f"switch:test-{os.getpid()}{impairments}", "--hostname", name])


@test
def stream(t):
    """A megabyte each way, closed each way on its own; a port that nobody has is refused."""
    server = t.start(on_switch(t, peers.server()))
    expect(server.stdout.readline() == b"ready\n", "the server listens")
    t.host(*on_switch(t, peers.client("10.0.3.1"))).expect("ECONNREFUSED\nTrue 10.0.3.2\n")
    out, err = server.communicate(timeout=150)
    expect((out, err) == (b"10.0.3.2 1048576\n", b""), (out, err))


ONE, OTHER = "fd75:6d62:7261:3::1", "fd75:6d62:7261:3::2"
SIX = """
    import socket, sys
    group = socket.inet_pton(socket.AF_INET6, "ff05::1234") + (2).to_bytes(4, sys.byteorder)
    datagrams = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
    datagrams.bind(("::", 5000))
    datagrams.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_JOIN_GROUP, group)
"""
SIX_SERVER = SIX + peers.server("::", "AF_INET6") + """
    for _ in range(2):
        data, sender = datagrams.recvfrom(70000)
        datagrams.sendto(b"%d" % len(data), sender)
    print(sender[0])
"""
SIX_CLIENT = SIX + peers.client(ONE) + """
    ping = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM, socket.IPPROTO_ICMPV6)
    ping.sendto(b"\\x80" + bytes(7) + b"hello", (there, 0))
    answer, sender = ping.recvfrom(100)
    print(answer[0], answer[8:], sender[0])
    datagrams.connect((there, 5001))
    datagrams.send(b"nobody")
    try: datagrams.recv(1)
    except OSError as problem: print(errno.errorcode[problem.errno])
    asking = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
    asking.sendto(bytes(8952), (there, 5000))
    print(*asking.recvfrom(100))
    try: asking.sendto(bytes(8953), (there, 5000))
    except OSError as problem: print(errno.errorcode[problem.errno])
    asking.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_IF, 2)
    asking.sendto(b"all", ("ff05::1234", 5000))
    print(*asking.recvfrom(100))
"""


@test
def six(t):
    """The same by IPv6: a stream, a ping, datagrams, a group, a port that nobody has."""
    server = t.start(on_switch(t, SIX_SERVER))
    expect(server.stdout.readline() == b"ready\n", "the server listens")
    answers = f"b'8952' ('{ONE}', 5000, 0, 0)\nEMSGSIZE\nb'3' ('{ONE}', 5000, 0, 0)\n"
    t.host(*on_switch(t, SIX_CLIENT)).expect(
        f"ECONNREFUSED\nTrue {OTHER}\n129 b'hello' {ONE}\nECONNREFUSED\n{answers}")
    expect(server.communicate(timeout=150) == (f"{OTHER} 1048576\n{OTHER}\n".encode(), b""), "what it saw")


LISTENERS = """
    import socket
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.bind(("", 5000))
    s.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, socket.inet_aton("239.1.2.3") + bytes(4))
    print("ready", flush=True)
    while True:
        data, peer = s.recvfrom(70000)
        s.sendto(b"%d" % len(data), peer)
        if data == b"end": break
"""
ASKER = """
    import errno, socket
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    def ask(data, name, answers=2):
        try:
            s.sendto(data, (name, 5000))
            print(sorted(s.recvfrom(100)[::-1] for _ in range(answers)))
        except OSError as problem: print(errno.errorcode[problem.errno])
    ask(bytes(60000), "10.0.3.1", 1)
    ask(b"all", "10.0.3.255")
    s.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
    ask(b"all", "10.0.3.255")
    ask(b"group", "239.1.2.3")
    for name in "10.0.3.77", "192.0.2.1", "fd75:6d62:7261:3::77", "2001:db8::1":
        try: socket.create_connection((name, 1))
        except OSError as problem: print(errno.errorcode[problem.errno])
    ask(b"end", "10.0.3.255")
"""


@test
def datagrams(t):
    """To one, to all and to a group, with two who listen; nobody beyond the switch is reached."""
    listeners = []
    for _ in range(2):
        listeners.append(t.start(on_switch(t, LISTENERS)))
        expect(listeners[-1].stdout.readline() == b"ready\n", "it listens")
    one, other = "(('10.0.3.1', 5000), b'%d')", "(('10.0.3.2', 5000), b'%d')"
    both = lambda size: f"[{one % size}, {other % size}]\n"
    t.host(*on_switch(t, ASKER)).expect(
        f"[{one % 60000}]\nEACCES\n{both(3)}{both(5)}EHOSTUNREACH\nENETUNREACH\nEHOSTUNREACH\nENETUNREACH\n{both(3)}")
    for listener in listeners:
        expect(listener.wait(150) == 0, "it ends")


NAMED = """
    import socket, sys
    print("ready", flush=True)
    sys.stdin.read()
"""
WHO = """
    import socket
    for name in "server", "Server", "client", "nobody":
        try: print(sorted({where[4][0] for where in socket.getaddrinfo(name, 80)}))
        except socket.gaierror as problem: print(problem.errno == socket.EAI_NONAME)
    for address in "10.0.3.1", "fd75:6d62:7261:3::1":
        print(socket.getnameinfo((address, 80), socket.NI_NUMERICSERV))
"""


@test
def names(t):
    """Everybody is found by the name that --hostname gave him, and nobody else is."""
    server = t.start(on_switch(t, NAMED, "server"), stdin=subprocess.PIPE)
    expect(server.stdout.readline() == b"ready\n", "it is there")
    t.host(*on_switch(t, WHO, "client")).expect(
        "['10.0.3.1', 'fd75:6d62:7261:3::1']\n" * 2 + "['10.0.3.2']\nTrue\n" + "('server', '80')\n" * 2)
    server.stdin.close()
    expect(server.wait(150) == 0, "it ends")


ECHO = """
    import socket
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.bind(("", 5000))
    print("ready", flush=True)
    while True:
        data, peer = s.recvfrom(70000)
        s.sendto(data, peer)
        if data == b"end": break
"""
LATE = """
    import socket, time
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    began = time.monotonic()
    for data in b"one", b"end":
        s.sendto(data, ("10.0.3.1", 5000))
        print(s.recv(100))
    print(time.monotonic() - began >= 0.08)
"""


@test
def latency(t):
    """What is sent arrives so much later, and what is sent last arrives though the instance is about to end."""
    echo = t.start(on_switch(t, ECHO, impairments=",latency=20ms"))
    expect(echo.stdout.readline() == b"ready\n", "it listens")
    # Each datagram is 20 ms on its way there and 20 ms on its way back.
    t.host(*on_switch(t, LATE, impairments=",latency=20ms")).expect("b'one'\nb'end'\nTrue\n")
    expect(echo.wait(150) == 0, "it ends")


@test
def loss(t):
    """A stream arrives as it was over a line that loses, delays and reorders."""
    bad = ",loss=3%,latency=2ms,reorder=10%,rate=20mbit,seed=5"
    server = t.start(on_switch(t, peers.server(), impairments=bad))
    expect(server.stdout.readline() == b"ready\n", "the server listens")
    t.host(*on_switch(t, peers.client("10.0.3.1", 512), impairments=bad)).expect("ECONNREFUSED\nTrue 10.0.3.2\n")
    out, err = server.communicate(timeout=150)
    expect((out, err) == (b"10.0.3.2 131072\n", b""), (out, err))
