# SPDX-License-Identifier: GPL-2.0-or-later
"""--net switch:NAME: instances that reach each other. Each test has a switch of its own."""
import os
import subprocess
import textwrap

from harness import expect, test

SERVER = """
    import socket
    s = socket.create_server(("", 7000))
    print(s and "ready", flush=True)
    connection, peer = s.accept()
    data = b""
    while piece := connection.recv(1 << 16): data += piece
    connection.sendall(bytes(reversed(data)))
    connection.close()
    print(peer[0], len(data))
"""
CLIENT = """
    import errno, socket
    try: socket.create_connection(("10.0.3.1", 7001))
    except OSError as problem: print(errno.errorcode[problem.errno])
    data = bytes(range(256)) * 4096
    s = socket.create_connection(("10.0.3.1", 7000))
    s.sendall(data)
    s.shutdown(socket.SHUT_WR)
    back = b""
    while piece := s.recv(1 << 16): back += piece
    print(back == bytes(reversed(data)), s.getsockname()[0])
"""


def on_switch(t, script, name="umbra", impairments=""):
    return t.command("python3", "-c", textwrap.dedent(script),
                     options=["--net", f"switch:test-{os.getpid()}{impairments}", "--hostname", name])


@test
def stream(t):
    """A megabyte each way, closed each way on its own; a port that nobody has is refused."""
    server = t.start(on_switch(t, SERVER))
    expect(server.stdout.readline() == b"ready\n", "the server listens")
    t.host(*on_switch(t, CLIENT)).expect("ECONNREFUSED\nTrue 10.0.3.2\n")
    out, err = server.communicate(timeout=150)
    expect((out, err) == (b"10.0.3.2 1048576\n", b""), (out, err))


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
    for name in "10.0.3.77", "192.0.2.1":
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
        f"[{one % 60000}]\nEACCES\n{both(3)}{both(5)}EHOSTUNREACH\nENETUNREACH\n{both(3)}")
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
"""


@test
def names(t):
    """Everybody is found by the name that --hostname gave him, and nobody else is."""
    server = t.start(on_switch(t, NAMED, "server"), stdin=subprocess.PIPE)
    expect(server.stdout.readline() == b"ready\n", "it is there")
    t.host(*on_switch(t, WHO, "client")).expect("['10.0.3.1']\n['10.0.3.1']\n['10.0.3.2']\nTrue\n")
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
    server = t.start(on_switch(t, SERVER, impairments=bad))
    expect(server.stdout.readline() == b"ready\n", "the server listens")
    t.host(*on_switch(t, CLIENT.replace("4096", "512"), impairments=bad)).expect("ECONNREFUSED\nTrue 10.0.3.2\n")
    out, err = server.communicate(timeout=150)
    expect((out, err) == (b"10.0.3.2 131072\n", b""), (out, err))
