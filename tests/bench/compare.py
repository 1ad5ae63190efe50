#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Measures host and guest side by side: tools/dev bench [NAME..]. Prints a table, or JSON with --json.

The same static program (bench.cpp) runs on the host and in the guest, alternately, and each figure is the median of the
runs (with --best the fastest: on a machine that is busy with other things, noise only ever adds). Work of a day (work.py)
follows as scripts, then the raw costs of the host's mechanisms (mechanisms.cpp), the start-up time, the memory that an
instance takes beyond its guest's pages, how often an idle one wakes up, and 100 instances at once. With --against, a
command that runs another one (proot, runsc do ..) has a column of its own. --scale measures something else: what is paid
where there is much of something (scale.cpp, scale.py). Only ratios mean anything on a busy machine.
"""
import argparse
import collections
import json
import os
import pathlib
import re
import select
import shlex
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "tests/system"))
sys.path.insert(0, str(ROOT / "tests/bench"))
from resources import mapped, wake_ups  # noqa: E402
import scale  # noqa: E402
import work  # noqa: E402
BUILD = ROOT / "build"
TIMEOUT = 300
# Guest over host.
TARGETS = {"make-13-c-files": 1.3, "tcp-round-trip": 4.0, "clock_gettime": 1.3, "page-fault": 1.0, "copy-on-write": 1.0, "fork-exit": 2.0, "fork-exec": 1.5,
           "pipe-round-trip": 4.0, "tcp-64k": 1.43, "outside-send-64k": 2.0, "outside-receive-64k": 2.0, "redis-set-get": 2.5, "file-read-64k": 1.2, "bash-200-true": 1.5}
SLEEPER = ["/bin/sleep", "1000"]
#: By which a guest reaches the host's loopback.
GATEWAY = "10.0.2.2"


class Instance:
    """How to start a guest."""

    def __init__(self, options):
        self.umbra = str(BUILD / "umbra")
        self.arguments = ["--rootfs", options.rootfs, "--backend", options.backend, "-q", "--host-loopback"]

    def command(self, *command):
        return [self.umbra, "run", *self.arguments, "--", *map(str, command)]


#: Where a program runs: the directory of the benchmarks as it is named there, how a command is run there, and where
#: `bench --serve` is from there.
Side = collections.namedtuple("Side", "directory run peer")


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


def bench_command(side, name):
    return [str(side.directory / "bench"), "--file", str(side.directory / "data"), "--peer", side.peer, name]


def timed_work(side, name):
    """A shell command that prints what `bench --time` does."""
    prepare, timed = work.script(name)
    return ["/bin/sh", "-c", 'rm -rf "$1"; sh -c "$2" sh "$1" && exec "$0" --time sh -c "$3" sh "$1"', str(side.directory / "bench"),
            str(side.directory / "work"), prepare, timed]


def compare(sides, names, runs, pick):
    """{name: {side: ns or None}}; `sides`: {side: Side}"""
    result = {}
    for name in names:
        make = timed_work if name in work.WORK else bench_command
        times = {side: [] for side in sides}
        for _ in range(runs):
            for which, side in sides.items():
                times[which] += figures(output_of(side.run(*make(side, name)))).values()
        result[name] = {side: pick(values) if values else None for side, values in times.items()}
    return result


def crowd(instance, count):
    """So many instances at once: seconds until all have answered, and the memory of each."""
    began = time.monotonic()
    command = instance.command("/bin/sh", "-c", "echo ready; read line")
    processes = [subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True)
                 for _ in range(count)]
    try:
        answers = [process.stdout.readline() for process in processes]
        seconds = time.monotonic() - began
        if answers != [b"ready\n"] * count:
            return None
        sizes = [mapped(pid) for process in processes for pid in descendants(process.pid)]
    finally:
        for process in processes:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
    total, guest = (sum(size[i] for size in sizes) for i in range(2))
    return {"instances": count, "seconds": seconds, "pss-beyond-guest-mib-each": (total - guest) / count / (1 << 20)}


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


def ratio_of(pair, side):
    return f"{pair[side] / pair['host']:.2f}" if pair.get(side) and pair["host"] else "-"


def table(report):
    others = ["against"] if any("against" in pair for pair in report["work"].values()) else []
    print(f"{'ns':<20}{'host':>16}{'guest':>16}{'ratio':>8}{'target':>8}"
          + "".join(f"{side:>16}{'ratio':>8}" for side in others))
    for name, pair in report["work"].items():
        print(f"{name:<20}{nanoseconds(pair['host']):>16}{nanoseconds(pair['guest']):>16}"
              f"{ratio_of(pair, 'guest'):>8}{TARGETS.get(name, ''):>8}"
              + "".join(f"{nanoseconds(pair.get(side)):>16}{ratio_of(pair, side):>8}" for side in others))
    for name, programs in report["left-out"].items():
        print(f"{name:<20} needs {' '.join(programs)} on the host")
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
    if report["crowd"]:
        c = report["crowd"]
        print(f"{c['instances']} instances at once: {c['seconds']:.2f} s until all have answered (target 2), "
              f"{c['pss-beyond-guest-mib-each']:.1f} MiB Pss each beyond the guest's pages (target 4)")


def grown(sides, options, pick):
    """tools/dev bench --scale: prints its tables."""
    def runner(run):
        return lambda command: figures(output_of(run(*command)))

    programs = {}
    for which, side in sides.items():
        programs[which] = (str(side.directory / "scale"), runner(side.run))
    unknown = set(options.names) - set(scale.known(programs))
    if unknown:
        print(f"bench: no scale {' '.join(unknown)}; there are {' '.join(scale.known(programs))}", file=sys.stderr)
        return 2
    result = scale.report(programs, options.names, options.runs, pick)
    print(json.dumps(result, indent=2)) if options.json else scale.table(result)
    return 0


def main():
    parser = argparse.ArgumentParser(prog="tools/dev bench", description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", help="benchmarks; all, and everything else, without")
    parser.add_argument("--rootfs", default="/", help="the guest's tree (default: the host's own)")
    parser.add_argument("--backend", default="auto", choices=["auto", "seccomp", "ptrace"])
    parser.add_argument("--runs", type=int, default=3, help="of each program, on each side")
    parser.add_argument("--best", action="store_true", help="the fastest run instead of the median")
    parser.add_argument("--against", metavar="COMMAND", help="another runner, to be measured too: what it is given is run in it")
    parser.add_argument("--scale", action="store_true", help="what is paid where there is much, and with many at once (scale.py)")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    instance = Instance(options)
    pick = min if options.best else statistics.median
    if options.scale:
        instance.arguments += ["--memory", "16G"]  # a tmpfs has an inode for two pages of it
    rootfs = pathlib.Path(options.rootfs).resolve()
    report = {"work": {}, "left-out": {}, "mechanisms": {}, "start-ms": None, "keystroke": None, "idle": None, "crowd": None}
    # The same files for all: `scratch` as the host names them, `inside` as the guest does.
    scratch = pathlib.Path(tempfile.mkdtemp(prefix="umbra-bench-", dir=rootfs / "tmp"))
    scratch.chmod(0o755)
    inside = pathlib.Path("/") / scratch.relative_to(rootfs)
    server = subprocess.Popen([BUILD / "tests/bench/bench", "--serve"], stdout=subprocess.PIPE, text=True)
    port = server.stdout.readline().strip()
    sides = {"host": Side(scratch, lambda *command: command, f"127.0.0.1:{port}"),
             "guest": Side(inside, instance.command, f"{GATEWAY}:{port}")}
    if options.against:
        sides["against"] = Side(scratch, lambda *command: [*shlex.split(options.against), *command], f"127.0.0.1:{port}")
    try:
        shutil.copy(BUILD / "tests/bench/bench", scratch / "bench")
        shutil.copy(BUILD / "tests/bench/scale", scratch / "scale")
        if options.scale:
            return grown(sides, options, pick)
        shutil.copytree(ROOT / work.SOURCE, scratch / "source" / work.SOURCE)
        (scratch / "data").write_bytes(os.urandom(1 << 20) * 16)
        known = output_of([str(scratch / "bench"), "--list"]).split() + list(work.WORK)
        unknown = set(options.names) - set(known)
        if unknown:
            print(f"bench: no benchmark {' '.join(unknown)}; there are {' '.join(known)}", file=sys.stderr)
            return 2
        names = options.names or known
        report["left-out"] = {name: work.missing(name) for name in names if name in work.WORK and work.missing(name)}
        report["work"] = compare(sides, [name for name in names if name not in report["left-out"]], options.runs, pick)
        if not options.names:
            report["mechanisms"] = mechanisms(options.runs, pick)
            report["start-ms"] = start_up(instance, inside, options.runs, pick)
            report["keystroke"] = keystrokes(instance, 50)
            report["idle"] = idle(instance, 10)
            report["crowd"] = crowd(instance, 100)
    finally:
        server.kill()
        server.wait()
        shutil.rmtree(scratch, ignore_errors=True)
    print(json.dumps(report, indent=2)) if options.json else table(report)
    return 0


if __name__ == "__main__":
    sys.exit(main())
