#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Measures host and guest side by side: tools/dev bench [NAME..]. Prints a table, or JSON with --json.

The same static program (bench.cpp) runs on the host and in the guest, alternately, and each figure is the median of the
runs (with --best the fastest: on a machine that is busy with other things, noise only ever adds); the raw costs of the host's mechanisms (mechanisms.cpp) stand below, then the start-up time, the memory that an
instance takes beyond its guest's pages, and how often an idle one wakes up. Only ratios mean anything on a busy machine.
"""
import argparse
import json
import os
import pathlib
import re
import select
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "tests/system"))
from resources import mapped, wake_ups  # noqa: E402
BUILD = ROOT / "build"
TIMEOUT = 300
# Guest over host.
TARGETS = {"clock_gettime": 1.3, "page-fault": 1.0, "copy-on-write": 1.0, "fork-exit": 2.0, "fork-exec": 1.5,
           "pipe-round-trip": 4.0, "file-read-64k": 1.2, "bash-200-true": 1.5}
SLEEPER = ["/bin/sleep", "1000"]


class Instance:
    """How to start a guest."""

    def __init__(self, options):
        self.umbra = str(BUILD / "umbra")
        self.arguments = ["--rootfs", options.rootfs, "--backend", options.backend, "-q"]

    def command(self, *command):
        return [self.umbra, "run", *self.arguments, "--", *map(str, command)]


def output_of(command):
    """Standard output, or None with the reason on standard error."""
    try:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              timeout=TIMEOUT, text=True)
    except subprocess.TimeoutExpired:
        print(f"bench: no end after {TIMEOUT} s: {' '.join(command)}", file=sys.stderr)
        return None
    if done.returncode != 0:
        print(f"bench: exit status {done.returncode}: {' '.join(command)}\n{done.stderr[-2000:]}", file=sys.stderr)
        return None
    return done.stdout


def figures(text):
    return {name: float(value) for name, value in (line.split() for line in (text or "").splitlines())}


def bench_command(directory, name):
    return [str(directory / "bench"), "--file", str(directory / "data"), name]


def compare(instance, names, scratch, inside, runs, pick):
    """{name: {"host": ns, "guest": ns or None}}"""
    (scratch / "data").write_bytes(os.urandom(1 << 20) * 16)
    result = {}
    for name in names:
        host, guest = [], []
        for _ in range(runs):
            host += figures(output_of(bench_command(scratch, name))).values()
            guest += figures(output_of(instance.command(*bench_command(inside, name)))).values()
        result[name] = {"host": pick(host) if host else None, "guest": pick(guest) if guest else None}
    return result


def mechanisms(runs, pick):
    """{name: ns}"""
    collected = {}
    for _ in range(runs):
        for name, value in figures(output_of([str(BUILD / "tests/bench/mechanisms")])).items():
            collected.setdefault(name, []).append(value)
    return {name: pick(values) for name, values in collected.items()}


def start_up(instance, inside, runs, pick):
    """Milliseconds from exec of umbra to its end, for a guest program that does nothing: start and end together."""
    times = []
    for _ in range(max(runs, 3) * 4):
        began = time.monotonic()
        if output_of(instance.command(inside / "bench", "--nothing")) is None:
            return None
        times.append((time.monotonic() - began) * 1e3)
    return pick(times)


def descendants(pid):
    """The process and all below it: stubs are children of the kernel's process."""
    found = [pid]
    for path in pathlib.Path("/proc").glob("[0-9]*/stat"):
        try:
            parent = int(path.read_text().rpartition(")")[2].split()[1])
        except OSError:
            continue
        if parent == pid:
            found += descendants(int(path.parent.name))
    return found


def idle(instance, seconds):
    """What a guest that sleeps costs: memory, and wake-ups of every host thread."""
    process = subprocess.Popen(instance.command(*SLEEPER), stdin=subprocess.DEVNULL, start_new_session=True)
    try:
        time.sleep(2)
        pids = descendants(process.pid)
        before = wake_ups(pids)
        time.sleep(seconds)
        after = wake_ups(pids)
        sizes = [mapped(pid) for pid in pids]
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    return {"pss-beyond-guest-mib": (sum(s[0] for s in sizes) - sum(s[1] for s in sizes)) / (1 << 20),
            "pss-guest-mib": sum(s[1] for s in sizes) / (1 << 20), "stubs": len(pids) - 1,
            "wake-ups": after - before, "seconds": seconds}


def read_until(fd, text, seconds):
    """Reads a terminal until `text` has come; False if it does not."""
    got, end = b"", time.monotonic() + seconds
    while text not in got:
        left = end - time.monotonic()
        if left <= 0 or not select.select([fd], [], [], left)[0]:
            return False
        got += os.read(fd, 4096)
    return True


def keystrokes(instance, count):
    """Milliseconds from a key to the answer of a program that reads a raw terminal, beside twice as many spinning
    processes as there are CPUs. (median, slowest); None where it does not answer."""
    script = (f"stty raw -echo; for i in $(seq {2 * os.cpu_count()}); do while :; do :; done & done; "
              "echo ready; exec cat")
    master, slave = os.openpty()
    process = subprocess.Popen(instance.command("/bin/sh", "-c", script), stdin=slave, stdout=slave, stderr=slave,
                               start_new_session=True)
    os.close(slave)
    try:
        if not read_until(master, b"ready", 20):
            return None
        times = []
        for i in range(count):
            time.sleep(0.05)
            key = bytes([ord("a") + i % 26])
            began = time.monotonic()
            os.write(master, key)
            if not read_until(master, key, 20):
                return None
            times.append((time.monotonic() - began) * 1e3)
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        os.close(master)
    return {"median-ms": statistics.median(times), "slowest-ms": max(times)}


def nanoseconds(value):
    if value is None:
        return "-"
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}"


def table(report):
    print(f"{'ns':<20}{'host':>14}{'guest':>14}{'ratio':>8}{'target':>8}")
    for name, pair in report["work"].items():
        ratio = pair["guest"] / pair["host"] if pair["guest"] and pair["host"] else None
        print(f"{name:<20}{nanoseconds(pair['host']):>14}{nanoseconds(pair['guest']):>14}"
              f"{f'{ratio:.2f}' if ratio else '-':>8}{TARGETS.get(name, ''):>8}")
    if report["mechanisms"]:
        print("\nthe host's own, ns")
    for name, value in report["mechanisms"].items():
        print(f"{name:<20}{nanoseconds(value):>14}")
    floor = report["mechanisms"].get("notify-ring-sync") or report["mechanisms"].get("notify-ring")
    call = report["work"].get("getppid", {}).get("guest")
    if floor and call:
        print(f"\ngetppid in the guest over the bare round trip: {call / floor:.2f} (target 1.3)")
    if report["start-ms"] is not None:
        print(f"start and end of an instance: {report['start-ms']:.1f} ms (target: first instruction within 20 ms)")
    if report["keystroke"]:
        k = report["keystroke"]
        print(f"a key's answer beside spinning processes: {k['median-ms']:.1f} ms, the slowest {k['slowest-ms']:.1f} ms "
              "(target: delayed by at most 20 ms)")
    if report["idle"]:
        i = report["idle"]
        print(f"idle: {i['pss-beyond-guest-mib']:.1f} MiB Pss beyond the guest's pages (target 8), of which the guest has "
              f"{i['pss-guest-mib']:.1f}; {i['stubs']} stubs; {i['wake-ups']} wake-ups in {i['seconds']} s (target 0)")


def main():
    parser = argparse.ArgumentParser(prog="tools/dev bench", description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", help="benchmarks; all, and everything else, without")
    parser.add_argument("--rootfs", default="/", help="the guest's tree (default: the host's own)")
    parser.add_argument("--backend", default="auto", choices=["auto", "seccomp", "ptrace"])
    parser.add_argument("--runs", type=int, default=3, help="of each program, on each side")
    parser.add_argument("--best", action="store_true", help="the fastest run instead of the median")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    instance = Instance(options)
    pick = min if options.best else statistics.median
    rootfs = pathlib.Path(options.rootfs).resolve()
    report = {"work": {}, "mechanisms": {}, "start-ms": None, "keystroke": None, "idle": None}
    # The same files for both: `scratch` as the host names them, `inside` as the guest does.
    scratch = pathlib.Path(tempfile.mkdtemp(prefix="umbra-bench-", dir=rootfs / "tmp"))
    scratch.chmod(0o755)
    inside = pathlib.Path("/") / scratch.relative_to(rootfs)
    try:
        shutil.copy(BUILD / "tests/bench/bench", scratch / "bench")
        known = output_of([str(scratch / "bench"), "--list"]).split()
        unknown = set(options.names) - set(known)
        if unknown:
            print(f"bench: no benchmark {' '.join(unknown)}; there are {' '.join(known)}", file=sys.stderr)
            return 2
        report["work"] = compare(instance, options.names or known, scratch, inside, options.runs, pick)
        if not options.names:
            report["mechanisms"] = mechanisms(options.runs, pick)
            report["start-ms"] = start_up(instance, inside, options.runs, pick)
            report["keystroke"] = keystrokes(instance, 50)
            report["idle"] = idle(instance, 10)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    print(json.dumps(report, indent=2)) if options.json else table(report)
    return 0


if __name__ == "__main__":
    sys.exit(main())
