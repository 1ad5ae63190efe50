# SPDX-License-Identifier: GPL-2.0-or-later
"""Much of one thing, quickly; and that nothing of it stays."""
import os
import pathlib
import re

from harness import children_of, expect, expect_equal, read_until, test, wait_until
from programs import run_program

CPUS = {"seccomp": 2, "ptrace": 1}


def storm(t, kind):
    for library in ("glibc", "musl"):
        run_program(t, f"storms-{library}", kind, options=["--cpus", CPUS[t.backend]]).expect(f"{kind}: ok\n")


@test
def signals(t):
    storm(t, "signals")


@test
def pipes(t):
    storm(t, "pipes")


@test
def mappings(t):
    storm(t, "mappings")


@test
def forks(t):
    storm(t, "forks")


@test
def execs(t):
    storm(t, "execs")


@test
def thread_starts(t):
    storm(t, "threads")


class Observer:
    """A guest whose shell does one thing at a time, looked at from inside and outside in between."""

    def __init__(self, t):
        self.process = t.start(t.command("/bin/sh", options=["--cpus", CPUS[t.backend], "-v", f"{t.programs}:/programs:ro"]),
                               stdin=-1)
        self.count = 0

    def say(self, script):
        self.count += 1
        mark = f"done-{self.count}"
        self.process.stdin.write(f"{script}\necho {mark}\n".encode())
        self.process.stdin.flush()
        return read_until(self.process.stdout, f"{mark}\n".encode()).decode()

    def free_memory(self):
        return int(re.search(r"MemFree: +(\d+)", self.say("cat /proc/meminfo")).group(1))

    def guest_tasks(self):
        return len(self.say("ls -d /proc/[0-9]*").splitlines())

    def stubs(self):
        return len(children_of(self.process.pid))

    def descriptors(self):
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))

    def mappings(self):
        return len(pathlib.Path(f"/proc/{self.process.pid}/maps").read_text().splitlines())


@test
def thousand_forks_leave_nothing(t):
    observer = Observer(t)
    thousand = "/programs/storms-musl thousand"
    # Once to warm up: caches fill and pools reach the size they keep.
    expect("thousand: ok" in observer.say(thousand), "the first thousand")
    kinds = {"guest tasks": (observer.guest_tasks, 0), "stubs": (observer.stubs, 4), "descriptors": (observer.descriptors, 8),
             "mappings": (observer.mappings, 16)}
    memory = observer.free_memory()
    before = {name: measure() for name, (measure, _) in kinds.items()}
    expect("thousand: ok" in observer.say(thousand), "the second thousand")
    for name, (measure, slack) in kinds.items():
        # What is freed on another thread may be a moment late; what leaked never comes down.
        wait_until(lambda: measure() <= before[name] + slack, f"{name} to come down to {before[name]}, not {measure()}")
    # One frame for each fork would be 4,000 KiB.
    wait_until(lambda: observer.free_memory() >= memory - 2000, f"free memory to be {memory} KiB again")
    expect_equal(t.ends(observer.process).status, 0, "status")
