# SPDX-License-Identifier: GPL-2.0-or-later
"""The two ends of a conversation between instances, for the tests of every network that joins them: programs, indented by four."""

def server(host="", family="AF_INET"):
    """Takes one connection at port 7000, reads to the end and answers with the same bytes, the last first."""
    return f"""
    import socket
    listener = socket.create_server(({host!r}, 7000), family=socket.{family})
    print("ready", flush=True)
    connection, peer = listener.accept()
    data = b""
    while piece := connection.recv(1 << 16): data += piece
    connection.sendall(bytes(reversed(data)))
    connection.close()
    print(peer[0], len(data))
"""


def client(there, pieces=4096):
    """Is refused at port 7001, then sends so many times 256 bytes and has them back."""
    return f"""
    import errno, socket
    there = {there!r}
    try: socket.create_connection((there, 7001))
    except OSError as problem: print(errno.errorcode[problem.errno])
    data = bytes(range(256)) * {pieces}
    s = socket.create_connection((there, 7000))
    s.sendall(data)
    s.shutdown(socket.SHUT_WR)
    back = b""
    while piece := s.recv(1 << 16): back += piece
    print(back == bytes(reversed(data)), s.getsockname()[0])
"""
