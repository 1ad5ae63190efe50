# SPDX-License-Identifier: GPL-2.0-or-later
"""--pcap: the file is read here by the specification of pcapng, and its packets by the RFCs, with every checksum counted."""
import collections
import ipaddress
import os
import socket
import struct
import textwrap
import time

from harness import expect, expect_equal, test
from network import GATEWAY, GUEST, PING, Peer, echo

FIN, SYN, RST, PSH, ACK = 1, 2, 4, 8, 16
Packet = collections.namedtuple("Packet", "interface time source target protocol body")
Segment = collections.namedtuple("Segment", "source target sequence acknowledgement flags data")


def checksum_is_right(data):
    words = struct.unpack(f"!{(len(data) + 1) // 2}H", data + b"\0" * (len(data) % 2))
    return sum(words) % 0xffff == 0


def options_of(data):
    found = {}
    while data:
        code, size = struct.unpack_from("<HH", data)
        if code == 0:
            break
        found[code] = data[4:4 + size]
        data = data[4 + (size + 3) // 4 * 4:]
    return found


def parse_ip(interface, stamp, raw):
    if raw[0] >> 4 == 4:
        size, protocol, ends, head = struct.unpack_from("!H", raw, 2)[0], raw[9], raw[12:20], 20
        expect(raw[0] == 0x45 and checksum_is_right(raw[:20]), f"header {raw[:20].hex()}")
    else:
        size, protocol, ends, head = struct.unpack_from("!H", raw, 4)[0] + 40, raw[6], raw[8:40], 40
        expect(raw[0] >> 4 == 6, "version")
    expect_equal(size, len(raw))
    body = raw[head:]
    pseudo = ends + struct.pack("!II", len(body), protocol)
    expect(checksum_is_right(body if protocol == 1 else pseudo + body), f"checksum of {raw.hex()[:200]}")
    half = len(ends) // 2
    source, target = (str(ipaddress.ip_address(end)) for end in (ends[:half], ends[half:]))
    return Packet(interface, stamp, source, target, protocol, body)


def read_capture(path):
    """Names of interfaces, packets, and by interface how many passed and were lost."""
    data, names, packets, counts = path.read_bytes(), [], [], {}
    while data:
        kind, size = struct.unpack_from("<II", data)
        expect_equal(struct.unpack_from("<I", data, size - 4)[0], size)
        body, data = data[8:size - 4], data[size:]
        if kind == 0x0a0d0d0a:
            expect_equal(struct.unpack_from("<IHH", body), (0x1a2b3c4d, 1, 0))
        elif kind == 1:
            expect_equal(struct.unpack_from("<HHI", body), (101, 0, 0))
            expect_equal(options_of(body[8:])[9], b"\x09")
            names.append(options_of(body[8:])[2].decode())
        elif kind == 6:
            interface, high, low, kept, whole = struct.unpack_from("<5I", body)
            expect_equal(kept, whole)
            packets.append(parse_ip(names[interface], (high << 32 | low) / 1e9, body[20:20 + kept]))
        elif kind == 5:
            numbers = options_of(body[12:])
            counts[names[struct.unpack_from("<I", body)[0]]] = tuple(int.from_bytes(numbers[n], "little") for n in (4, 5))
        else:
            expect(False, f"block {kind}")
    return names, packets, counts


def segments_of(packets):
    """By connection: the segments, of both directions. A key is (interface, the two names)."""
    flows = collections.defaultdict(list)
    for packet in packets:
        if packet.protocol != 6:
            continue
        source_port, target_port, sequence, acknowledgement, length, flags = struct.unpack_from("!HHIIBB", packet.body)
        source, target = (packet.source, source_port), (packet.target, target_port)
        segment = Segment(source, target, sequence, acknowledgement, flags, packet.body[length // 16 * 4:])
        flows[packet.interface, frozenset((source, target))].append(segment)
    return flows


def streams_of(flow):
    """Goes through a connection as its two ends would: what the asker sent, what it got, and who finished."""
    first, second, third = flow[:3]
    expect_equal((first.flags, second.flags, third.flags), (SYN, SYN | ACK, ACK))
    sent, following, finished = {first.source: b"", first.target: b""}, {}, []
    for segment in flow:
        own, other = segment.source, segment.target
        if own in following:
            expect_equal(segment.sequence, following[own], f"sequence of {segment}")
        if segment.flags & ACK:
            expect_equal(segment.acknowledgement, following[other], f"acknowledgement of {segment}")
        sent[own] += segment.data
        following[own] = (segment.sequence + len(segment.data) + bool(segment.flags & (SYN | FIN))) % (1 << 32)
        if segment.flags & FIN:
            finished.append(own)
    return sent[first.source], sent[first.target], finished


INSIDE = PING + """
    import threading
    data = bytes(range(256)) * 1200
    def serve(listener):
        connection = listener.accept()[0]
        with connection:
            got = b""
            while len(got) < len(data): got += connection.recv(1 << 16)
            connection.sendall(got[::-1])
            print(connection.recv(1))
    for family, host in (socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1"):
        with socket.socket(family) as listener:
            listener.bind((host, 0))
            listener.listen()
            server = threading.Thread(target=serve, args=(listener,))
            server.start()
            with socket.create_connection(listener.getsockname()[:2]) as client:
                client.sendall(data)
                back = b""
                while len(back) < len(data): back += client.recv(1 << 16)
                client.shutdown(socket.SHUT_WR)
                print(back == data[::-1], client.recv(1))
            server.join()
            name = listener.getsockname()
        try: socket.create_connection(name[:2])
        except ConnectionRefusedError: print("refused")
        a, b = socket.socket(family, socket.SOCK_DGRAM), socket.socket(family, socket.SOCK_DGRAM)
        b.bind((host, 0))
        a.sendto(b"question", b.getsockname())
        question, peer = b.recvfrom(100)
        b.sendto(question + b"!", peer)
        print(a.recv(100))
    print(ping("127.0.0.1"))
"""


@test
def loopback(t):
    path, data = t.scratch / "lo.pcapng", bytes(range(256)) * 1200
    before = time.time()
    result = t.run("python3", "-c", textwrap.dedent(INSIDE), options=["--net=none", "--pcap", path])
    result.expect("b''\nTrue b''\nrefused\nb'question!'\n" * 2 + "127.0.0.1 True\n")
    names, packets, counts = read_capture(path)
    expect_equal(names, ["lo"])
    expect_equal(counts, {"lo": (len(packets), 0)})
    times = [packet.time for packet in packets]
    expect(times == sorted(times) and before - 1 < times[0] and times[-1] < time.time() + 1, "times")
    flows = segments_of(packets)
    whole = [flow for flow in flows.values() if len(flow) > 2]
    expect_equal([streams_of(flow)[:2] == (data, data[::-1]) for flow in whole], [True, True])
    for flow in whole:
        expect_equal(streams_of(flow)[2], [flow[0].source, flow[0].target])
        expect_equal({segment.flags & RST for segment in flow}, {0})
    refused = [flow for flow in flows.values() if len(flow) == 2]
    expect_equal([[segment.flags for segment in flow] for flow in refused], [[SYN, RST | ACK]] * 2)
    expect_equal([flow[1].acknowledgement for flow in refused], [(flow[0].sequence + 1) % (1 << 32) for flow in refused])
    datagrams = [(packet.source, packet.body[8:]) for packet in packets if packet.protocol == 17]
    expect_equal(datagrams, [(host, text) for host in ("127.0.0.1", "::1") for text in (b"question", b"question!")])
    echoes = [packet.body for packet in packets if packet.protocol == 1]
    expect_equal([(body[0], body[8:]) for body in echoes], [(8, b"abcd"), (0, b"abcd")])
    expect_equal(echoes[0][4:8], echoes[1][4:8])


@test
def the_outside(t):
    """Through eth0: segments of its size, a refusal, a reset, a datagram with its answer, an echo."""
    peer, path = Peer(echo), t.scratch / "eth0.pcapng"
    closed = socket.create_server(("127.0.0.1", 0))
    port = closed.getsockname()[1]
    closed.close()
    datagrams = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    datagrams.bind(("127.0.0.1", 0))
    script = PING + """
    host, port, closed, datagrams = sys.argv[1], *map(int, sys.argv[2:])
    data = bytes(range(256)) * 40
    with socket.create_connection((host, port)) as s:
        s.sendall(data)
        s.shutdown(socket.SHUT_WR)
        back = b""
        while piece := s.recv(1 << 16): back += piece
        print(back == data)
    try: socket.create_connection((host, closed))
    except ConnectionRefusedError: print("refused")
    s = socket.create_connection((host, port))
    s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    s.close()
    d = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    d.sendto(b"question", (host, datagrams))
    print(d.recv(100))
    print(ping(host))
    """
    command = t.command("python3", "-c", textwrap.dedent(script), GATEWAY, peer.port, port, datagrams.getsockname()[1],
                        options=["--host-loopback", "--pcap", path])
    process = t.start(command)
    datagrams.settimeout(60)
    question, sender = datagrams.recvfrom(100)
    datagrams.sendto(question + b"!", sender)
    out = process.communicate(timeout=60)[0]
    expect_equal((out.decode(), process.returncode), (f"True\nrefused\nb'question!'\n{GATEWAY} True\n", 0))
    names, packets, counts = read_capture(path)
    expect_equal(names, ["lo", "eth0"])
    packets = [packet for packet in packets if packet.interface == "eth0"]
    expect_equal(counts["eth0"], (len(packets), 0))
    expect_equal({frozenset((packet.source, packet.target)) for packet in packets}, {frozenset((GUEST, GATEWAY))})
    whole, refused, reset = segments_of(packets).values()
    data = bytes(range(256)) * 40
    expect_equal(streams_of(whole), (data, data, [(GUEST, whole[0].source[1]), (GATEWAY, peer.port)]))
    expect_equal(max(len(segment.data) for segment in whole), 1460)
    expect_equal([segment.flags for segment in refused], [SYN, RST | ACK])
    expect_equal([segment.flags for segment in reset], [SYN, SYN | ACK, ACK, RST | ACK])
    streams_of(reset)
    others = [(packet.source, packet.protocol, packet.body[8:]) for packet in packets if packet.protocol != 6]
    expect_equal(others, [(GUEST, 17, b"question"), (GATEWAY, 17, b"question!"), (GUEST, 1, b"abcd"), (GATEWAY, 1, b"abcd")])


@test
def a_file_that_cannot_be_written(t):
    t.run("true", options=["--pcap", "/no/such/file"]).expect(
        "", 125, "umbra: --pcap /no/such/file: No such file or directory: give a file that can be written\n")


@test
def a_full_disk_stops_nobody(t):
    if not os.path.exists("/dev/full"):
        print("not here: /dev/full")
        return
    script = textwrap.dedent(INSIDE)
    t.run("python3", "-c", script, options=["--net=none", "--pcap", "/dev/full"]).expect(
        "b''\nTrue b''\nrefused\nb'question!'\n" * 2 + "127.0.0.1 True\n")
