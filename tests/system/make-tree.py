#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""make-tree.py [--umbra COMMAND] [system|network|work|packages]: makes a Debian tree as a tar archive, or finds the one
made earlier; prints its path. "system" is the tree of the system tests, "network" one with the servers that they run,
"work" one with all that tests/workplace uses; "packages" is a directory with what build-essential needs and a minimal
system, as a mirror has it, and Perl's sources.

The archives lie in the user's cache directory, named by what is in them. Root makes one with mmdebstrap. So does anybody
else, as root of an instance: apt fetches the packages as the user, and mmdebstrap runs inside of Umbra.
"""
import argparse
import fcntl
import hashlib
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import urllib.parse

SUITE = "bookworm"
OPTIONS = ["--variant=minbase", "--aptopt=Acquire::Retries \"5\""]


def without(*names):
    return [f"--dpkgopt=path-exclude=/usr/share/{name}/*" for name in names]


class Kind:
    """What a tree has: packages, options of mmdebstrap, and the memory (bytes, as --memory takes it) to make it inside;
    and the source packages that a directory has."""

    def __init__(self, packages, options=(), memory="4G", sources=()):
        self.packages, self.options, self.memory = packages.split(), [*OPTIONS, *options], memory
        self.sources = sources


KINDS = {
    "system": Kind("gcc less libc6-dev make perl procps python3 vim-tiny", without("doc", "info", "locale", "man")),
    "work": Kind("""
        acl apt-utils attr bc bsdextrautils bubblewrap bzip2 ca-certificates clang cmake cpio cron dpkg-dev file g++ gcc gdb git golang-go
        iproute2 iputils-ping less libc6-dev libcap2-bin libpython3.11-testsuite locales lsof ltrace make man-db manpages meson mmdebstrap
        musl-tools ninja-build nodejs openjdk-17-jdk-headless openssl perl pkg-config procps psmisc python3 python3-venv rsync
        rustc sqlite3 strace stress-ng sudo tmux uidmap valgrind vim xz-utils zstd
        libabsl-dev libarchive-dev libboost-context-dev libcli11-dev libelf-dev libgmock-dev libgtest-dev liblwip-dev liburing-dev
        busybox-static""",
                 [*without("doc", "info"), '--customize-hook=echo "127.0.0.1 localhost" >"$1/etc/hosts"', '--customize-hook=chroot "$1" useradd -M -d /tmp -s /bin/bash -u 1000 user'], "10G"),
    "network": Kind("""
        ca-certificates curl git iperf3 iproute2 iputils-ping libpython3.11-testsuite netbase nginx-light openssh-client openssh-server
        postgresql procps python3 redis-server redis-tools wrk""",
                    [*without("doc", "info", "locale", "man"), '--customize-hook=chroot "$1" useradd -m -s /bin/bash -u 1000 user']),
    "packages": Kind("build-essential", sources=["perl"]),
}
# What a minbase tree has beside the packages named, for apt as a pattern.
BASE = ["apt", "?essential", "?priority(required)"]
MIRROR = os.environ.get("UMBRA_DEBIAN_MIRROR") or "http://deb.debian.org/debian"
KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"


class Failure(Exception):
    """The tree cannot be made; the text says why."""


def cache_directory():
    return pathlib.Path(os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache") / "umbra"


def run(command, cwd=None):
    """What it prints goes to our standard error. Raises Failure."""
    try:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=sys.stderr, cwd=cwd)
    except FileNotFoundError:
        raise Failure(f"{command[0]} is missing: tools/dev setup installs it") from None
    if done.returncode != 0:
        raise Failure(f"cannot make a Debian tree: {' '.join(command[:2])}.. ended with {done.returncode}")


def mmdebstrap(kind, target, source):
    return ["mmdebstrap", "--mode=root", "--quiet", *kind.options, "--include=" + ",".join(kind.packages), SUITE, str(target),
            source]


def fetch(kind, work):
    """Packages and their signed index, as apt gets them for a system that has nothing yet."""
    for name in ("state/lists/partial", "cache/archives/partial"):
        (work / name).mkdir(parents=True)
    (work / "status").touch()
    lines = [f"{what} [signed-by={KEYRING}] {MIRROR} {SUITE} main\n" for what in ("deb", "deb-src")]
    (work / "sources").write_text("".join(lines[:2 if kind.sources else 1]))
    settings = {"Dir::State": work / "state", "Dir::State::status": work / "status", "Dir::Cache": work / "cache",
                "Dir::Etc::sourcelist": work / "sources", "Dir::Etc::sourceparts": "-", "APT::Architecture": "amd64",
                "APT::Install-Recommends": "false", "Acquire::Languages": "none", "Acquire::GzipIndexes": "false",
                "Acquire::Retries": "5"}
    apt = ["apt-get", "-qq", *(word for key, value in settings.items() for word in ("-o", f"{key}={value}"))]
    run([*apt, "update"])
    run([*apt, "--download-only", "--yes", "install", *BASE, *kind.packages])


    for name in kind.sources:
        run([*apt, "--download-only", "source", name], cwd=work)


def arrange_as_mirror(work):
    """Lays what fetch() got out as the mirror has it; the rest of the index's files are just not there."""
    mirror, lists = work / "mirror", work / "state/lists"
    indexes = mirror / "dists" / SUITE
    (indexes / "main/binary-amd64").mkdir(parents=True)
    next(lists.glob("*_InRelease")).rename(indexes / "InRelease")
    packages = next(lists.glob("*_Packages")).rename(indexes / "main/binary-amd64/Packages")
    fetched = {urllib.parse.unquote(path.name): path for path in (work / "cache/archives").glob("*.deb")}
    for paragraph in packages.read_text().split("\n\n"):
        field = dict(re.findall(r"^(Package|Version|Architecture|Filename): (.*)$", paragraph, re.MULTILINE))
        path = fetched.get("{Package}_{Version}_{Architecture}.deb".format(**field)) if len(field) == 4 else None
        if path:
            (mirror / field["Filename"]).parent.mkdir(parents=True, exist_ok=True)
            path.rename(mirror / field["Filename"])
    return mirror


def make_inside(kind, umbra, target):
    """Without root on the host: the tree's owners, devices and chroots are an instance's own."""
    with tempfile.TemporaryDirectory(prefix="umbra-tree-") as scratch:
        work = pathlib.Path(scratch)
        fetch(kind, work)
        mirror = arrange_as_mirror(work)
        (work / "out").mkdir()
        source = f"deb [signed-by={KEYRING}] copy:{mirror} {SUITE} main"
        run([umbra, "do", "-q", "-u", "0", "--memory", kind.memory, "-v", f"{work}/out:{work}/out", "--",
             *mmdebstrap(kind, work / "out/tree.tar", source)])
        run(["mv", str(work / "out/tree.tar"), str(target)])


def make_packages(kind, target):
    """The directory moves to its name when it is whole."""
    with tempfile.TemporaryDirectory(prefix="partial-", dir=target.parent) as scratch:
        work = pathlib.Path(scratch)
        fetch(kind, work)
        mirror = arrange_as_mirror(work)
        (mirror / "sources").mkdir()
        for archive in work.glob("*.orig.tar.*"):
            archive.rename(mirror / "sources" / archive.name)
        mirror.rename(target)


def make(kind, umbra, target):
    """Under another name first, so that what has the name is whole."""
    partial = target.with_suffix(".partial.tar")
    try:
        if os.geteuid() == 0:
            run(mmdebstrap(kind, partial, MIRROR))
        elif umbra:
            make_inside(kind, umbra, partial)
        else:
            raise Failure("who is not root gives --umbra COMMAND, in which mmdebstrap can be root")
        partial.rename(target)
    finally:
        partial.unlink(missing_ok=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n", 1)[0])
    parser.add_argument("--umbra", help="the command; needed where one is not root")
    parser.add_argument("kind", nargs="?", choices=KINDS, default="system")
    options = parser.parse_args()
    kind = KINDS[options.kind]
    key = hashlib.sha256("\n".join([SUITE, *kind.packages, *kind.options, *kind.sources]).encode()).hexdigest()[:12]
    target = cache_directory() / (f"packages-{key}" if options.kind == "packages" else f"debian-{key}.tar")
    target.parent.mkdir(parents=True, exist_ok=True)
    with open(target.with_suffix(".lock"), "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        try:
            if not target.exists():
                make_packages(kind, target) if options.kind == "packages" else make(kind, options.umbra, target)
        except Failure as why:
            print(f"make-tree: {why}", file=sys.stderr)
            return 1
    print(target)
    return 0


if __name__ == "__main__":
    sys.exit(main())
