#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Makes the root tree that `umbra run` boots without --rootfs: Debian's static busybox and what it needs around it.

usage: make-image.py BUSYBOX IMAGE.tar IMAGE.S
The second output puts the first into the program as the bytes from umbra_root_image to umbra_root_image_end.
"""
import io
import os
import struct
import subprocess
import sys
import tarfile

PASSWD = """\
root:x:0:0:root:/root:/bin/sh
daemon:x:1:1:daemon:/usr/sbin:/bin/false
nobody:x:65534:65534:nobody:/nonexistent:/bin/false
"""
GROUP = """\
root:x:0:
daemon:x:1:
tty:x:5:
disk:x:6:
nogroup:x:65534:
"""
HOSTS = """\
127.0.0.1 localhost
::1 localhost
"""
PROFILE = """\
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
export PS1='\\w \\$ '
"""
OS_RELEASE = """\
NAME="Umbra"
ID=umbra
PRETTY_NAME="Umbra (busybox)"
"""
FILES = {"etc/passwd": PASSWD, "etc/group": GROUP, "etc/hosts": HOSTS, "etc/profile": PROFILE,
         "etc/os-release": OS_RELEASE, "etc/shells": "/bin/sh\n", "etc/hostname": "umbra\n"}
DIRECTORIES = {".": 0o755, "bin": 0o755, "sbin": 0o755, "usr": 0o755, "usr/bin": 0o755, "usr/sbin": 0o755,
               "usr/local": 0o755, "usr/local/bin": 0o755, "etc": 0o755, "root": 0o700, "home": 0o755,
               "tmp": 0o1777, "proc": 0o555, "sys": 0o555, "dev": 0o755, "run": 0o755, "mnt": 0o755,
               "var": 0o755, "var/log": 0o755, "var/tmp": 0o1777}
LINKS = {"etc/mtab": "../proc/self/mounts", "var/run": "../run"}


def is_static(program):
    """Whether an ELF file has no interpreter."""
    with open(program, "rb") as f:
        header = f.read(64)
        if header[:4] != b"\x7fELF":
            return False
        offset, = struct.unpack_from("<Q", header, 32)
        size, count = struct.unpack_from("<HH", header, 54)
        f.seek(offset)
        headers = f.read(size * count)
    pt_interp = 3
    return all(struct.unpack_from("<I", headers, i * size)[0] != pt_interp for i in range(count))


class Image:
    def __init__(self, path, mtime):
        self.tar = tarfile.open(path, "w", format=tarfile.USTAR_FORMAT)
        self.mtime = mtime

    def add(self, name, kind, mode, data=b"", target=""):
        info = tarfile.TarInfo("./" + name if name != "." else "./")
        info.type, info.mode, info.mtime = kind, mode, self.mtime
        info.uname = info.gname = "root"
        info.size, info.linkname = len(data), target
        self.tar.addfile(info, io.BytesIO(data))


def make_image(busybox, output):
    # The package's date, so that the same package makes the same image.
    image = Image(output, int(os.stat(busybox).st_mtime))
    for name, mode in DIRECTORIES.items():
        image.add(name, tarfile.DIRTYPE, mode)
    with open(busybox, "rb") as f:
        image.add("bin/busybox", tarfile.REGTYPE, 0o755, f.read())
    applets = subprocess.run([busybox, "--list-full"], check=True, capture_output=True, text=True).stdout.split()
    for applet in sorted(set(applets) - {"bin/busybox"}):
        image.add(applet, tarfile.SYMTYPE, 0o777, target="/bin/busybox")
    for name, target in LINKS.items():
        image.add(name, tarfile.SYMTYPE, 0o777, target=target)
    for name, text in FILES.items():
        image.add(name, tarfile.REGTYPE, 0o644, text.encode())
    image.tar.close()


def make_assembly(image, output):
    with open(output, "w") as f:
        f.write(f"""\
# Written by make-image.py.
    .section .rodata
    .balign 4096
    .global umbra_root_image
    .hidden umbra_root_image
umbra_root_image:
    .incbin "{os.path.abspath(image)}"
    .global umbra_root_image_end
    .hidden umbra_root_image_end
umbra_root_image_end:
    .section .note.GNU-stack,"",@progbits
""")


def main():
    busybox, image, assembly = sys.argv[1:]
    if not is_static(busybox):
        sys.exit(f"{busybox} is not statically linked: install Debian's busybox-static")
    make_image(busybox, image)
    make_assembly(image, assembly)


main()
