# SPDX-License-Identifier: GPL-2.0-or-later
"""--net host: the guest's sockets are the host's."""
import os
import socket
import textwrap

from harness import expect, expect_equal, test
from network import Peer, echo

HOST = ["--net", "host"]


def guest(t, script, *arguments):
    """Python inside, to its end."""
    return t.run("python3", "-c", textwrap.dedent(script), *arguments, options=HOST)


@test
def out(t):
    """A guest reaches the host's loopback; a port that nobody has is refused, one that is taken is taken."""
    peer = Peer(echo)
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        script = """
            import errno, socket, sys
            port, nobody = map(int, sys.argv[1:])
            data = bytes(range(256)) * 4096
            s = socket.create_connection(("127.0.0.1", port))
            print(s.getpeername(), s.getsockname()[0])
            s.setblocking(False)
            sent, back = 0, b""
            import select
            while len(back) < len(data):
                readable, writable, _ = select.select([s], [s] if sent < len(data) else [], [])
                if readable: back += s.recv(1 << 16)
                if writable: sent += s.send(data[sent:])
            print(back == data)
            s.shutdown(socket.SHUT_WR)
            select.select([s], [], [])
            print(s.recv(1))
            for call in (lambda: socket.create_connection(("127.0.0.1", nobody)), lambda: socket.create_server(("127.0.0.1", port))):
                try: call()
                except OSError as problem: print(errno.errorcode[problem.errno])
        """
        guest(t, script, str(peer.port), str(nobody.getsockname()[1])).expect(
            f"('127.0.0.1', {peer.port}) 127.0.0.1\nTrue\nb''\nECONNREFUSED\nEADDRINUSE\n")
    expect_equal(peer.problems, [])


@test
def into(t):
    """A guest's listener and its datagram socket are reached on the host's own address, until the guest ends."""
    script = """
        import socket, threading
        listener, datagrams = socket.create_server(("127.0.0.1", 0)), socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        datagrams.bind(("127.0.0.1", 0))
        print(listener.getsockname()[1], datagrams.getsockname()[1], flush=True)
        connection, peer = listener.accept()
        while data := connection.recv(1000): connection.sendall(data.upper())
        data, sender = datagrams.recvfrom(100)
        datagrams.sendto(data[::-1], sender)
        print(peer[0], sender[0])
    """
    command = t.command("python3", "-c", textwrap.dedent(script), options=HOST)
    inside = t.start(command)
    port, datagram_port = map(int, inside.stdout.readline().split())
    with socket.create_connection(("127.0.0.1", port)) as s:
        s.sendall(b"hello")
        expect_equal(s.recv(100), b"HELLO")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.sendto(b"abc", ("127.0.0.1", datagram_port))
        expect_equal(s.recv(100), b"cba")
    expect_equal(inside.communicate(timeout=150), (b"127.0.0.1 127.0.0.1\n", b""))
    with socket.socket() as s:
        expect(s.connect_ex(("127.0.0.1", port)) != 0, "the listener went with the guest")


@test
def interfaces(t):
    """Names, indices and addresses are the host's; a network namespace of the guest's own has none of them."""
    script = """
        import os, socket
        print(socket.if_nameindex() == [tuple(x) for x in eval(os.environ["NAMES"])])
        print(open("/etc/resolv.conf").read() == os.environ["RESOLVER"])
        os.unshare(os.CLONE_NEWNET) if hasattr(os, "unshare") else __import__("ctypes").CDLL(None).unshare(0x40000000)
        print(socket.if_nameindex())
        s = socket.socket()
        print(s.connect_ex(("127.0.0.1", 1)))
    """
    with open("/etc/resolv.conf") as file:
        resolver = file.read()
    names = [list(pair) for pair in socket.if_nameindex()]
    t.run("python3", "-c", textwrap.dedent(script), options=[*HOST, "-u", "0:0", "-e", f"NAMES={names}", "-e", f"RESOLVER={resolver}"]).expect(
        "True\nTrue\n[(1, 'lo')]\n101\n")


@test
def privileges(t):
    """Whatever the host lets the instance's user do, the guest's capabilities decide for the guest's users."""
    script = """
        import errno, socket
        for call in (lambda: socket.socket().bind(("127.0.0.1", 81)),
                     lambda: socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_UDP),
                     lambda: socket.socket().setsockopt(socket.SOL_SOCKET, socket.SO_MARK, 1)):
            try: print(call())
            except OSError as problem: print(errno.errorcode[problem.errno])
    """
    t.run("python3", "-c", textwrap.dedent(script), options=[*HOST, "-u", "1000:1000"]).expect("EACCES\nEPERM\nEPERM\n")
