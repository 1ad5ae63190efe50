#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Programs that one works with, in a Debian tree: each script of programs/ runs outside of Umbra, with the tree as its root,
and inside.

Outside (--outside) what a script prints is kept in a file; inside it has to print the same. Prints "ok NAME" or what went
wrong and "FAILED NAME", and "time NAME .." with both durations. A script's head names what it needs:
    # user: root       runs as root (of the instance); otherwise as the user 1000
    # except: NAME: WHY    does not count, though it passes outside; NAME may be a pattern
    # passes           has to print each line "pass .." inside that it prints outside; otherwise all the same lines
    # long             runs only with --long
    # sources          finds Umbra's own sources at /sources
    # repository       finds a directory of Debian packages at /repository
$HOST_LACKS says what this machine keeps from the host, outside and inside.
"""
import argparse
import concurrent.futures
import fnmatch
import json
import os
import pathlib
import shlex
import signal
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
#: Only a hang takes longer, on however slow a machine: seconds.
LIMIT = 900
LONG_LIMIT = 3000
#: A namespace of mounts and processes of its own: nothing that a script starts or mounts outlives it.
OUTSIDE = """
set -e
mount --bind "$1" "$1"; cd "$1"
mkdir -p proc dev tmp workplace repository sources
mount -t proc proc proc; mount --rbind /dev dev; mount --rbind /sys sys; mount -t tmpfs -o mode=1777 tmp tmp
mount --bind "$2" workplace; [ -z "$3" ] || mount --bind "$3" repository; [ -z "$4" ] || mount --bind "$4" sources
cd "$1"; pivot_root . mnt; umount -l mnt # no chroot(2): from within one, nobody gets a user namespace
exec setpriv --reuid "$5" --regid "$5" --groups "$5" /bin/bash -c "$6"
"""


class Program:
    def __init__(self, path):
        self.name = f"programs.{path.stem}"
        self.head = [line[1:].strip() for line in path.read_text().splitlines() if line.startswith("#")]
        self.user = "0" if "user: root" in self.head else "1000"
        self.counts_passes = "passes" in self.head
        self.exceptions = [line.split(": ")[1] for line in self.head if line.startswith("except: ")]
        self.is_long = "long" in self.head
        self.wants = [name for name in ("repository", "sources") if name in self.head]
        self.limit = LONG_LIMIT if self.is_long else LIMIT
        self.script = f". /workplace/prelude.sh; . /workplace/programs/{path.name}"


def script(lane, program):
    """What bash runs: the same outside and inside, on one machine."""
    return f"export HOST_LACKS={shlex.quote(lane.host_lacks)}; {program.script}"


def programs(lane):
    found = [Program(path) for path in sorted((HERE / "programs").glob("*.sh"))]
    return [each for each in found if each.is_long == lane.long and
            (not lane.patterns or any(fnmatch.fnmatchcase(each.name, pattern) for pattern in lane.patterns))]


def outside(lane, program):
    repository, sources = (getattr(lane, name) if name in program.wants else "" for name in ("repository", "sources"))
    return ["unshare", "--mount", "--pid", "--uts", "--ipc", "--fork", "--kill-child", "sh", "-c", OUTSIDE, "outside",
            lane.tree, str(HERE), repository, sources, program.user, script(lane, program)]


def inside(lane, program):
    volumes = [word for name in program.wants for word in ("-v", f"{getattr(lane, name)}:/{name}:ro")]
    return [lane.umbra, "run", "-q", "--backend", lane.backend, "--rootfs", lane.tar, "--memory", "6G", "-u", program.user,
            "-v", f"{HERE}:/workplace:ro", *volumes, "--", "/bin/bash", "-c", script(lane, program)]


def run(command, limit):
    """Runs to the end of the command, or so many seconds. Returns its status, output and duration in seconds."""
    start = time.monotonic()
    with tempfile.TemporaryFile() as output:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT,
                                   start_new_session=True)
        try:
            status = process.wait(limit)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            status = f"still running after {limit} s"
        duration = time.monotonic() - start
        output.seek(0)
        return status, output.read().decode(errors="replace"), duration


def difference(wanted, have):
    """The first lines that differ, as a reader wants them."""
    wanted, have = wanted.splitlines(), have.splitlines()
    at = next((at for at, pair in enumerate(zip(wanted, have)) if pair[0] != pair[1]), min(len(wanted), len(have)))
    return "\n".join([f"from line {at + 1} on outside:", *wanted[at:at + 12], "inside:", *have[at:at + 12]])


def judge(program, status, output, expected):
    """None, or what is wrong."""
    if status != 0:
        return f"status {status}\n{output[-6000:]}"
    if program.counts_passes and not passes(output):
        return "nothing passed\n" + output[-6000:]
    if expected is not None and program.counts_passes:
        lost = [name for name in sorted(passes(expected["output"]) - passes(output))
                if not any(fnmatch.fnmatchcase(name, pattern) for pattern in program.exceptions)]
        rest = [line for line in output.splitlines() if not line.startswith("pass ")]
        return "\n".join(["passed outside, not inside:", *lost, "the rest of what it said:", *rest]) if lost else None
    if expected is not None and output != expected["output"]:
        return difference(expected["output"], output)
    return None


def passes(output):
    return {line for line in output.splitlines() if line.startswith("pass ")}


def run_one(lane, program, known):
    """Runs one program; returns the report, and what it printed if it ran outside and well."""
    status, output, duration = run((outside if lane.outside else inside)(lane, program), program.limit)
    expected = None if lane.outside else known.get(program.name)
    wrong = judge(program, status, output, expected)
    if not wrong and not expected and not lane.outside and not lane.alone:
        wrong = "it did not run outside: nothing to compare with"
    lines = ["  " + line for line in wrong.splitlines()] if wrong else []
    if expected:
        lines.append(f"time {program.name}: inside {duration:.2f} s, outside {expected['seconds']:.2f} s, "
                     f"{duration / expected['seconds']:.2f}x")
    if wrong or not lane.alone:
        lines.append(f"{'FAILED' if wrong else 'ok'} {program.name}")
    else:
        lines.append(f"skipped {program.name}: it ran, but without root there is no chroot to compare with")
    return program.name, lines, {"output": output, "seconds": duration} if lane.outside and not wrong else None


def run_all(lane, chosen):
    results = pathlib.Path(lane.results)
    known = json.loads(results.read_text()) if results.exists() else {}
    passed = True
    with concurrent.futures.ThreadPoolExecutor(lane.jobs) as pool:
        for name, lines, outcome in pool.map(lambda program: run_one(lane, program, known), chosen):
            print("\n".join(lines), flush=True)
            passed &= not lines[-1].startswith("FAILED ")
            if outcome:
                results.write_text(json.dumps(known := {**known, name: outcome}))
    return passed


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n", 1)[0])
    parser.add_argument("--list", action="store_true", help="print the names of the programs")
    parser.add_argument("--outside", action="store_true", help="run in a chroot, as root, and keep what the programs print")
    parser.add_argument("--tree", help="a Debian tree, unpacked")
    parser.add_argument("--tar", help="the same as an archive")
    parser.add_argument("--repository", help="directory of Debian packages, as a mirror has them")
    parser.add_argument("--umbra", help="the command to test")
    parser.add_argument("--backend", choices=["seccomp", "ptrace"], default="seccomp")
    parser.add_argument("--results", help="the file of what was printed outside")
    parser.add_argument("--sources", help="Umbra's own sources")
    parser.add_argument("--host-lacks", default="", metavar="LIST",
                        help="what this machine keeps from the host (abi-tests --lacks), for the programs in HOST_LACKS")
    parser.add_argument("--long", action="store_true", help="the programs that take minutes")
    parser.add_argument("--alone", action="store_true", help="without comparison: there is no chroot without root")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("patterns", nargs="*", help="of names of programs; all without")
    lane = parser.parse_args()
    chosen = programs(lane)
    if lane.list:
        print("\n".join(program.name for program in chosen))
        return 0
    return 0 if run_all(lane, chosen) else 1


if __name__ == "__main__":
    sys.exit(main())
