#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Runs the system tests of one lane: real programs in a Debian tree, as a user would run them.

Each test is a process of its own, a few at a time. Prints "ok NAME", or what went wrong and "FAILED NAME".
"""
import argparse
import fnmatch
import os
import pathlib
import signal
import sys
import tempfile
import time
import traceback

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
sys.dont_write_bytecode = True

import harness  # noqa: E402
import capture, cgroups, cleanup, command, connections, direct, faults, link, loads, network, programs, resources, services, signals, storms, streams, switch, terminal, trees, volumes  # noqa: E402,E401,F401


def arguments():
    parser = argparse.ArgumentParser()
    parser.add_argument("--list", action="store_true", help="print the names of the lane's tests")
    parser.add_argument("--umbra", help="the command to test")
    parser.add_argument("--tree", help="a Debian tree, unpacked")
    parser.add_argument("--tar", help="the same as an archive")
    parser.add_argument("--network", help="an archive of a tree with network programs")
    parser.add_argument("--programs", help="directory of the compiled guest programs")
    parser.add_argument("--sources", help="Umbra's own sources")
    parser.add_argument("--backend", choices=["seccomp", "ptrace"], default="seccomp")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("patterns", nargs="*", help="of names of tests; all without")
    lane = parser.parse_args()
    lane.user = "root" if os.geteuid() == 0 else "user"
    return lane


def run_one(lane, function):
    """In the test's own process: runs it and exits 0, or prints what was wrong and exits 1."""
    bench = None
    try:
        bench = harness.Bench(lane)
        function(bench)
        status = 0
    except BaseException:
        traceback.print_exc()
        status = 1
    finally:
        if bench:
            bench.close()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)


def start(lane, name):
    report = tempfile.TemporaryFile()
    sys.stdout.flush()
    pid = os.fork()
    if pid == 0:
        os.setsid()
        os.dup2(report.fileno(), 1)
        os.dup2(report.fileno(), 2)
        run_one(lane, harness.TESTS[name][0])
    return pid, (name, report, time.monotonic() + 4 * harness.LIMIT)


def finish(name, report, status):
    report.seek(0)
    text = report.read().decode(errors="replace")
    report.close()
    if status == 0:
        print(f"ok {name}", flush=True)
        return True
    for line in text.splitlines() or [f"ended with wait status {status}"]:
        print(f"  {line}")
    print(f"FAILED {name}", flush=True)
    return False


def run_all(lane, names):
    waiting, running, passed = list(names), {}, True
    while waiting or running:
        while waiting and len(running) < lane.jobs:
            pid, entry = start(lane, waiting.pop(0))
            running[pid] = entry
        pid, status = os.waitpid(-1, os.WNOHANG)
        if pid in running:
            name, report, _ = running.pop(pid)
            passed &= finish(name, report, status)
            continue
        for pid, (_, _, end) in running.items():
            if time.monotonic() > end:
                os.killpg(pid, signal.SIGKILL)
        time.sleep(0.01)
    return passed


def main():
    lane = arguments()
    names = harness.names_for(lane.backend, lane.user)
    if lane.patterns:
        names = [name for name in names if any(fnmatch.fnmatchcase(name, pattern) for pattern in lane.patterns)]
    if lane.list:
        print("\n".join(names))
        return 0
    return 0 if run_all(lane, names) else 1


if __name__ == "__main__":
    sys.exit(main())
