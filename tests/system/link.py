# SPDX-License-Identifier: GPL-2.0-or-later
"""--net passt:PATH and --net tap:NAME: wires that the host offers. Frames of passt's protocol pass through a hub of the test's
own, with another instance at its other end; a tap device is in a network namespace of the test's own."""
import os
import pathlib
import shutil
import socket
import subprocess
import textwrap
import threading

from harness import expect, test
import peers

ADDRESS = "192.168.77.{}/24"


class Hub:
    """Takes two peers, each at a socket of its own, and hands on to each the bytes that the other sends."""

    def __init__(self, directory):
        self.paths = [directory / name for name in ("one.socket", "other.socket")]
        self.listeners = []
        for path in self.paths:
            self.listeners.append(socket.socket(socket.AF_UNIX))
            self.listeners[-1].bind(str(path))
            self.listeners[-1].listen()
        threading.Thread(target=self.run, daemon=True).start()

    def run(self):
        peers = [listener.accept()[0] for listener in self.listeners]
        for source, target in (peers, peers[::-1]):
            threading.Thread(target=self.copy, args=(source, target), daemon=True).start()

    @staticmethod
    def copy(source, target):
        try:
            while piece := source.recv(1 << 16):
                # In pieces that cut lengths and frames anywhere.
                for at in range(0, len(piece), 1001):
                    target.sendall(piece[at:at + 1001])
        except OSError:
            pass  # one of them has gone
        target.shutdown(socket.SHUT_RDWR)


def on_wire(t, path, number, script, more=""):
    net = f"passt:{path},address={ADDRESS.format(number)},gateway=192.168.77.1,dns=192.168.77.1{more}"
    return t.command("python3", "-c", textwrap.dedent(script), options=["--net", net])


SERVER = """
    import socket
    datagrams = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    datagrams.bind(("", 5000))
""" + peers.server() + """
    for _ in range(2):
        data, peer = datagrams.recvfrom(70000)
        datagrams.sendto(b"%d" % len(data), peer)
"""
CLIENT = """
    print(open("/etc/resolv.conf").read().split()[-1], [line.split()[1:3] for line in open("/proc/net/route")][1:])
""" + peers.client("192.168.77.1") + """
    ping = socket.socket(socket.AF_INET, socket.SOCK_DGRAM, socket.IPPROTO_ICMP)
    ping.sendto(b"\\x08" + bytes(7) + b"hello", (there, 0))
    answer, sender = ping.recvfrom(100)
    print(answer[0], answer[8:], sender[0])
    datagrams = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    for size in 10, 10000: # the other in many frames
        datagrams.sendto(bytes(size), (there, 5000))
        print(*datagrams.recvfrom(100))
    six = socket.socket(socket.AF_INET6, socket.SOCK_STREAM)
    try: six.connect(("2001:db8::1", 80))
    except OSError as problem: print(errno.errorcode[problem.errno])
"""
SEEN = ("192.168.77.1 [['00000000', '014DA8C0'], ['004DA8C0', '00000000']]\nECONNREFUSED\nTrue 192.168.77.2\n"
        "0 b'hello' 192.168.77.1\nb'10' ('192.168.77.1', 5000)\nb'10000' ('192.168.77.1', 5000)\nENETUNREACH\n")


@test
def passt(t):
    """Two instances at the ends of one wire: a stream, datagrams, an echo; what nobody has is refused."""
    hub = Hub(t.scratch)
    server = t.start(on_wire(t, hub.paths[0], 1, SERVER))
    expect(server.stdout.readline() == b"ready\n", "the server listens")
    t.host(*on_wire(t, hub.paths[1], 2, CLIENT)).expect(SEEN)
    out, err = server.communicate(timeout=150)
    expect((out, err) == (b"192.168.77.2 1048576\n", b""), (out, err))


@test
def passt_goes(t):
    """A peer that goes, or that does not speak in frames, is a cable that was pulled: nothing hangs but what waits for it."""
    script = """
        import socket
        s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        s.sendto(b"question", ("192.168.77.1", 53))
        print("sent", flush=True)
        s.settimeout(0.5)
        try: s.recv(10)
        except TimeoutError: print("nothing")
        s.sendto(b"question", ("192.168.77.1", 53))
        print(len(open("/proc/net/dev").readlines()))
    """
    for answer in b"", b"\0\0\0\1x", b"\xff" * 100000, bytes(100):
        path = t.scratch / f"{len(answer)}.socket"
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(str(path))
            listener.listen()
            guest = t.start(on_wire(t, path, 2, script))
            peer, _ = listener.accept()
            with peer:
                length = int.from_bytes(peer.recv(4, socket.MSG_WAITALL), "big")
                request = peer.recv(length, socket.MSG_WAITALL)
                expect(request[12:14] == b"\x08\x06" or request[23] == 2, ("ARP or IGMP comes first", request))
                try:
                    peer.sendall(answer)
                except BrokenPipeError:
                    pass
            t.ends(guest, 0)
            expect(guest.returncode == 0, "it ends")


@test
def not_there(t):
    """What the host has not is named, with what would help; exit 125."""
    t.run("true", options=["--net", "passt:/no/such,address=10.0.0.2/24"]).expect(
        "", 125, lambda text: "/no/such: No such file or directory: start passt first" in text)
    t.run("true", options=["--net", f"passt:{t.file('plain')},address=10.0.0.2/24"]).expect(
        "", 125, lambda text: "Connection refused: start passt first" in text)
    t.run("true", options=["--net", "tap:no-such-tap,address=10.0.0.2/24"]).expect(
        "", 125, lambda text: "no such device" in text or "no /dev/net/tun" in text)
    t.run("true", options=["--net", "tap:lo,address=10.0.0.2/24"]).expect(
        "", 125, lambda text: "root makes one" in text or "root gives it" in text or "no /dev/net/tun" in text)


#: In namespaces of its own, where a user is root: a device, the host's end of it, and then the command.
DEVICE = """
set -e
ip link set lo up
ip tuntap add um0 mode tap
ip addr add 192.168.77.1/24 dev um0
ip link set um0 up
"$1" -c "$2" &
for _ in $(seq 500); do ! ss -ltn | grep -q :7000 || break; sleep 0.02; done
shift 2
"$@"
wait
"""


@test
def tap(t):
    """The host is the peer: its own TCP/IP at the other end of the device."""
    if not pathlib.Path("/dev/net/tun").exists() or not os.access("/dev/net/tun", os.R_OK | os.W_OK):
        t.run("true", options=["--net", "tap:um0,address=10.0.0.2/24"]).expect("", 125, lambda text: "--net tap:um0" in text)
        return
    guest = t.command("python3", "-c", textwrap.dedent(CLIENT),
                      options=["--net", "tap:um0,address=192.168.77.2/24,gateway=192.168.77.1,dns=192.168.77.1"])
    how = ["unshare", "--net"] if t.user == "root" else ["unshare", "--net", "--user", "--map-root-user"]
    outcome = t.host(*how, "sh", "-c", DEVICE, "device", shutil.which("python3"), textwrap.dedent(SERVER), *guest)
    expect(outcome.status == 0 and sorted(outcome.out.splitlines()) == sorted(
        ("ready\n192.168.77.2 1048576\n" + SEEN).splitlines()), outcome)
