#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Makes the Debian tree of the system tests as a tar archive, or finds the one made earlier; prints its path.

The archives lie in the user's cache directory, named by what is in them. Only root can make one everywhere; for
others mmdebstrap needs user namespaces and a range of subordinate ids.
"""
import fcntl
import hashlib
import os
import pathlib
import subprocess
import sys

SUITE = "bookworm"
PACKAGES = ["gcc", "less", "libc6-dev", "make", "perl", "procps", "python3", "vim-tiny"]
OPTIONS = ["--variant=minbase", "--aptopt=Acquire::Retries \"5\"",
           *(f"--dpkgopt=path-exclude=/usr/share/{name}/*" for name in ("doc", "info", "locale", "man"))]


def cache_directory():
    return pathlib.Path(os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache") / "umbra"


def make(target):
    """Under another name first, so that what has the name is whole."""
    partial = target.with_suffix(".partial.tar")
    mode = "root" if os.geteuid() == 0 else "unshare"
    command = ["mmdebstrap", f"--mode={mode}", "--quiet", *OPTIONS, "--include=" + ",".join(PACKAGES), SUITE, str(partial)]
    mirror = os.environ.get("UMBRA_DEBIAN_MIRROR")
    try:
        made = subprocess.run(command + ([mirror] if mirror else []), stdin=subprocess.DEVNULL, stdout=sys.stderr)
    except FileNotFoundError:
        return "mmdebstrap is missing: tools/dev setup installs it"
    if made.returncode != 0:
        partial.unlink(missing_ok=True)
        why = "" if mode == "root" else f"; root can make it: python3 {__file__}, and copy it to {target}"
        return f"mmdebstrap cannot make a Debian tree (exit status {made.returncode}){why}"
    partial.rename(target)
    return None


def main():
    key = hashlib.sha256("\n".join([SUITE, *PACKAGES, *OPTIONS]).encode()).hexdigest()[:12]
    target = cache_directory() / f"debian-{key}.tar"
    target.parent.mkdir(parents=True, exist_ok=True)
    with open(target.with_suffix(".lock"), "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        error = None if target.exists() else make(target)
    if error:
        print(f"make-tree: {error}", file=sys.stderr)
        return 1
    print(target)
    return 0


if __name__ == "__main__":
    sys.exit(main())
