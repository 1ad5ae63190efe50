#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Feeds the fuzz targets for a fixed number of runs from a fixed seed: fuzz/run.py [--runs N] PROGRAM...

The seeds are made here: ELF images, tar archives, seccomp filters, netlink messages and what comes over a switch, good ones
and some that are wrong in a way that matters. Prints "ok NAME" or the sanitizer's report, the input that caused it in base64, and "FAILED NAME". To search longer:
run.py --runs 100000000 --seed N PROGRAM.
"""
import argparse
import base64
import io
import pathlib
import struct
import subprocess
import sys
import tarfile
import tempfile

ET_EXEC, ET_DYN, EM_X86_64 = 2, 3, 62
PT_LOAD, PT_INTERP, PT_GNU_STACK = 1, 3, 0x6474e551


def elf(segments, kind=ET_EXEC, machine=EM_X86_64, table=64, entry=0x400800):
    header = struct.pack("<16sHHIQQQIHHHHHH", b"\x7fELF\x02\x01\x01", kind, machine, 1, entry, table, 0, 0, 64, 56,
                         len(segments), 0, 0, 0)
    body = b"".join(struct.pack("<IIQQQQQQ", kind_, flags, offset, address, address, in_file, in_memory, align)
                    for kind_, flags, offset, address, in_file, in_memory, align in segments)
    return header + body


def elf_seeds():
    text = (PT_LOAD, 5, 0, 0x400000, 0x1000, 0x1000, 0x1000)
    data = (PT_LOAD, 6, 0x1ff0, 0x402ff0, 0x10, 0x5000, 0x1000)
    stack = (PT_GNU_STACK, 6, 0, 0, 0, 0, 16)
    interpreter = (PT_INTERP, 4, 0x200, 0x200, 0x1c, 0x1c, 1)
    yield elf([text])
    yield elf([interpreter, text, data, stack])
    yield elf([(PT_LOAD, 5, 0, 0, 0x1000, 0x1000, 0x200000), interpreter], ET_DYN)
    yield elf([text, text, data, data])
    yield elf([(PT_LOAD, 7, 0, (1 << 47) - 0x1000, 0, 0x1000, 0)])
    yield elf([(PT_LOAD, 7, (1 << 63) - 0x1000, 0, 0x1000, 0x1000, 0)])
    yield elf([(PT_LOAD, 7, 0, 0, (1 << 64) - 1, (1 << 64) - 1, 3)])
    yield elf([text])[:100]
    yield elf([text], table=(1 << 64) - 8)
    yield elf([text] * 1170)[:4096]


def archive(kind, entries):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=kind) as tar:
        for name, change, content in entries:
            info = tarfile.TarInfo(name)
            info.size = len(content)
            for key, value in change.items():
                setattr(info, key, value)
            tar.addfile(info, io.BytesIO(content))
    return out.getvalue()[:8 * 1024]


def pax_sparse():
    """A file of a megabyte with two pieces, as GNU tar's format 1.0 has it."""
    content = b"2\n0\n512\n1048064\n512\n".ljust(512, b"\0") + b"a" * 512 + b"b" * 512
    headers = {"GNU.sparse.major": "1", "GNU.sparse.minor": "0", "GNU.sparse.name": "hole",
               "GNU.sparse.realsize": "1048576"}
    return archive(tarfile.PAX_FORMAT, [("GNUSparseFile.0/hole", {"pax_headers": headers}, content)])


def tar_seeds():
    directory, link, symlink = {"type": tarfile.DIRTYPE, "mode": 0o755}, {"type": tarfile.LNKTYPE}, {"type": tarfile.SYMTYPE}
    tree = [("d", directory, b""), ("d/f", {"uid": 5, "mode": 0o4755}, b"content" * 100),
            ("h", dict(link, linkname="d/f"), b""), ("s", dict(symlink, linkname="d/../d/f"), b""),
            ("null", {"type": tarfile.CHRTYPE, "devmajor": 1, "devminor": 3}, b""), ("d/f", {}, b"again")]
    long_name = [("x" * 120 + "/" + "y" * 150, {"mtime": 1.5}, b"z")]
    for kind in (tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT):
        yield archive(kind, tree)
    for kind in (tarfile.GNU_FORMAT, tarfile.PAX_FORMAT):
        yield archive(kind, long_name)
    yield archive(tarfile.PAX_FORMAT, [("f", {"pax_headers": {"SCHILY.xattr.user.a": "b", "size": "3"}}, b"abc")])
    yield archive(tarfile.GNU_FORMAT, [("big-numbers", {"uid": 1 << 30, "mtime": -5}, b"")])
    yield pax_sparse()
    yield archive(tarfile.USTAR_FORMAT, [("../../up", {}, b"1"), ("/root", {}, b"2"), ("a/./b//c", {}, b"3")])
    yield b""


def seccomp_seeds():
    """A call, then a program: eight bytes an instruction."""
    call = struct.pack("<iIQ6Q", 39, 0xc000003e, 0x401000, 1, 2, 3, 4, 5, 6)
    load_number, load_argument, allow, result = (0x20, 0, 0, 0), (0x20, 0, 0, 16), (6, 0, 0, 0x7fff0000), (0x16, 0, 0, 0)
    arithmetic = [(0x04 | operation | source, 0, 0, 3) for operation in range(0, 0xb0, 0x10) for source in (0, 8)
                  if (operation, source) not in ((0x80, 8), (0x90, 0), (0x90, 8))]  # NEG has no operand, MOD is refused
    jumps = [(0x05 | test | source, 1, 0, 39) for test in (0x10, 0x20, 0x30, 0x40) for source in (0, 8)]
    memory = [(0x02, 0, 0, 5), (0x03, 0, 0, 15), (0x60, 0, 0, 5), (0x61, 0, 0, 15), (0x80, 0, 0, 0), (0x81, 0, 0, 0)]
    for program in ([allow], [load_number, (0x15, 0, 1, 39), (6, 0, 0, 0x50001), allow], [load_argument, (7, 0, 0, 0)]
                    + arithmetic + [result], jumps + [allow, result], memory + [(0x87, 0, 0, 0), result],
                    [(0x05, 0, 0, 0)] * 9 + [result], [load_number]):
        yield call + b"".join(struct.pack("<HBBI", *instruction) for instruction in program)


def netlink_seeds():
    """Messages with attributes, whole and cut."""
    attribute = struct.pack("<HH4s", 8, 3, b"lo\0\0") + struct.pack("<HHI", 8, 4, 65536) + struct.pack("<HHBxxx", 5, 1, 7)
    link = struct.pack("<BxHiII", 0, 772, 1, 1, 1)
    for payload in (b"", link, link + attribute, link + attribute[:-5], link + struct.pack("<HH", 3, 1),
                    link + struct.pack("<HH", 65535, 1)):
        message = struct.pack("<IHHII", 16 + len(payload), 16, 0x305, 1, 0) + payload
        yield message
        yield message + bytes(-len(message) % 4) + message
        yield message[:-1]


def switch_seeds():
    """Greetings, frames, packets of IPv4 with UDP, TCP's first segment and ICMP's refusal, and questions about names."""
    yield b"\1\7server"
    yield b"\1\xfe" + b"x" * 70
    yield b"\x02\x75\x6d\x73\x77\x03" + b"\x02\x75\x6d\x73\x77\x01" + b"\x08\0" + b"E" * 46
    yield b"\xff" * 6 + b"\x02\x75\x6d\x73\x77\x01" + b"\x08\x06\0\1\x08\0\6\4\0\1" + b"a" * 20

    def ip(protocol, payload):
        return struct.pack(">BBHHHBBH4s4s", 0x45, 0, 20 + len(payload), 1, 0, 64, protocol, 0, b"\n\0\3\1",
                           b"\n\0\3\2") + payload
    datagram = ip(17, struct.pack(">HHHH", 1000, 2000, 12, 0) + b"text")
    yield datagram
    yield ip(6, struct.pack(">HHIIBBHHH", 1000, 80, 1, 0, 0x50, 2, 0xffff, 0, 0))
    yield ip(1, b"\3\3" + bytes(6) + datagram[:28])
    yield b"\x124\1\0\0\1\0\0\0\0\0\0\2db\3lab\0\0\1\0\1"
    yield b"\x124\1\0\0\1\0\0\0\0\0\1\xc0\x0c\0\1\0\1"


# Seeds, how many runs suffice to touch all that the seeds lead to, and the longest input.
TARGETS = {"elf-fuzz": (elf_seeds, 100_000, 8192), "tar-fuzz": (tar_seeds, 30_000, 8192),
           "seccomp-fuzz": (seccomp_seeds, 100_000, 2048), "netlink-fuzz": (netlink_seeds, 100_000, 2048),
           "switch-fuzz": (switch_seeds, 100_000, 2048)}


def fuzz(program, options):
    seeds, runs, longest = TARGETS[program.name.split("build-sanitized-")[-1]]
    with tempfile.TemporaryDirectory(prefix="umbra-fuzz-") as place:
        corpus, found = pathlib.Path(place) / "corpus", pathlib.Path(place) / "found"
        corpus.mkdir(), found.mkdir()
        for number, seed in enumerate(seeds()):
            (corpus / f"seed-{number}").write_bytes(seed)
        result = subprocess.run(
            [str(program), f"-runs={options.runs or runs}", f"-seed={options.seed}", f"-max_len={longest}", "-timeout=60",
             "-rss_limit_mb=2048", "-malloc_limit_mb=512", "-verbosity=0", "-print_final_stats=1",
             f"-artifact_prefix={found}/", str(corpus)],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace")
        if result.returncode == 0:
            return []
        inputs = [f"{path.name}: {base64.b64encode(path.read_bytes()).decode()}" for path in sorted(found.iterdir())]
        return result.stdout.splitlines()[-60:] + inputs


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("programs", nargs="+", type=pathlib.Path, metavar="PROGRAM")
    parser.add_argument("--runs", type=int)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    failed = False
    for program in options.programs:
        report = fuzz(program, options)
        for line in report:
            print(f"  {line}")
        print(f"{'FAILED' if report else 'ok'} {program.name.split('build-sanitized-')[-1]}", flush=True)
        failed = failed or bool(report)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
