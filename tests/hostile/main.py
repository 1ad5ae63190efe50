#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""main.py UMBRA GUEST LANE: attacks on Umbra, from inside and by a host that refuses things.

Lane `hostile` runs each attack of the hostile guest on each backend. The attack ends by itself and says what it found; the
instance goes on or ends with a status, never with a panic; a second instance beside it goes on with its own work; and the
host keeps no process, file or mount. Then the same with kill -9 of the kernel in the middle of the attack.
Lane `denied` runs Umbra below a seccomp filter that refuses what container profiles refuse.
Lane `waits` looks at the host calls of the kernel's vCPU threads: see waits.py.

Prints "ok NAME" or "FAILED NAME" for each case, details before it.
"""
import argparse
import ctypes
import json
import os
import pathlib
import resource
import selectors
import shutil
import signal
import subprocess
import sys
import tempfile
import time

import waits

HERE = pathlib.Path(__file__).resolve().parent
BACKENDS = ["seccomp", "ptrace"]
LIMIT = 120  # seconds that nothing here takes, even on a loaded machine
PANIC = "umbra: panic"
PR_SET_PDEATHSIG = 1
LIBC = ctypes.CDLL(None)

ATTACKS = {  # and the memory of the instance
    "host-numbers": "256M", "reach-for-the-stub": "256M", "jump-into-the-stub": "256M", "scribble-over-the-stub": "256M",
    "junk-as-root": "256M", "junk-as-user": "256M", "flip-paths": "256M", "signal-storm": "256M", "timer-storm": "256M",
    "many-descriptors": "128M", "deep-directories": "64M", "many-files": "64M", "hoard-buffers": "64M",
    "leave-out-operations": "256M", "forge-calls": "128M", "memory-bomb": "64M", "thread-bomb": "256M", "fork-bomb": "256M",
}


# What common container profiles refuse.
CONTAINER = ["io_uring_setup", "io_uring_enter", "io_uring_register", "userfaultfd"]


def deny(calls, error):
    """The words before a command that run it with these calls refused."""
    return [sys.executable, str(HERE / "deny.py"), *(f"{call}={error}" for call in calls), "--"]


class Wrong(Exception):
    """A case that failed; the text says what was seen."""


def expect(good, what):
    if not good:
        raise Wrong(what)


class Cases:
    kept = ()  # instances that live longer than a case

    def __init__(self, pattern, listing):
        self.pattern, self.listing, self.failed = pattern, listing, 0

    def run(self, name, body):
        if self.pattern not in name:
            return
        if self.listing:
            print(name)
            return
        try:
            body()
            print(f"ok {name}")
        except (Wrong, OSError, ValueError, subprocess.SubprocessError) as problem:
            self.failed += 1
            print("\n".join("    " + line for line in f"{problem}".splitlines()[-40:]))
            print(f"FAILED {name}")
        finally:
            Instance.end_all_but(self.kept)
        sys.stdout.flush()


def processes_of(program):
    """The host's processes that run a program, threads not counted; zombies have no program any more."""
    found = []
    for entry in os.listdir("/proc"):
        if not entry.isdigit():
            continue
        try:
            if os.readlink(f"/proc/{entry}/exe") == str(program):
                found.append(int(entry))
        except OSError:
            pass  # gone, or somebody else's
    return found


class Host:
    """What an instance must leave as it was."""

    def __init__(self, program, scratch):
        self.program, self.scratch = program, scratch
        self.before = self.look()

    def look(self):
        return {"mounts": pathlib.Path("/proc/self/mountinfo").read_text(),
                "files": sorted(os.listdir(self.scratch))}

    def expect_unchanged(self):
        deadline = time.monotonic() + LIMIT
        while processes_of(self.program):
            expect(time.monotonic() < deadline, f"processes are left: {processes_of(self.program)}")
            time.sleep(0.01)
        after = self.look()
        for what, value in self.before.items():
            expect(after[what] == value, f"{what} changed:\n{value}\n->\n{after[what]}")


class Instance:
    """A running Umbra whose output is read as it comes."""
    running = []

    def __init__(self, program, options, command, limits=(), prefix=()):
        def set_limits():
            LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)  # if the lane is ended, so are its instances
            for which, value in limits:
                resource.setrlimit(which, (value, value))
        self.process = subprocess.Popen([*prefix, str(program), "run", "-q", *options, "--", *command], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True,
                                        preexec_fn=set_limits)
        self.output = b""
        Instance.running.append(self)
        os.set_blocking(self.process.stdout.fileno(), False)
        self.selector = selectors.DefaultSelector()
        self.selector.register(self.process.stdout, selectors.EVENT_READ)

    def text(self):
        return self.output.decode(errors="replace")

    def read_once(self, timeout):
        """False at the end of the output."""
        if not self.selector.select(timeout):
            return True
        data = self.process.stdout.read()
        self.output += data or b""
        return data is None or data != b""

    def wait_until(self, condition, what):
        deadline = time.monotonic() + LIMIT
        while not condition():
            ended = not self.read_once(1)
            if condition():
                return
            if ended or time.monotonic() > deadline:
                raise Wrong(f"{what} {'did not come' if ended else 'takes too long'}; the output:\n{self.text()}")

    def finish(self):
        """Waits for the end; the exit status."""
        deadline = time.monotonic() + LIMIT
        while self.read_once(1):
            if time.monotonic() > deadline:
                self.kill()
                raise Wrong(f"does not end; the output:\n{self.text()}")
        return self.process.wait(LIMIT)

    def kill(self):
        self.process.kill()
        self.process.wait()

    @staticmethod
    def end_all_but(kept):
        """A case that failed leaves its instance as it was: it must not disturb the next one."""
        for instance in [one for one in Instance.running if one not in kept]:
            Instance.running.remove(instance)
            if instance.process.poll() is None:
                instance.kill()


class Bystander:
    """A second instance with work of its own, all the while."""

    def __init__(self, program, guest):
        self.instance = Instance(program, ["--memory", "256M", "-v", f"{guest.parent}:/guest:ro"],
                                 ["/guest/" + guest.name, "bystander"])
        self.expect_progress()

    def rounds(self):
        return self.instance.output.count(b"\n")

    def expect_progress(self):
        while self.instance.selector.select(0) and self.instance.read_once(0):
            pass
        goal = self.rounds() + 2
        self.instance.wait_until(lambda: self.rounds() >= goal, "a round of the bystander")

    def finish(self):
        self.instance.process.stdin.close()
        status = self.instance.finish()
        expect(status == 0 and "saw" not in self.instance.text(),
               f"the bystander ended with {status}:\n{self.instance.text()[-2000:]}")


class World:
    """Where a lane runs: programs in a directory that is told apart from all others by its name."""

    def __init__(self, umbra, guest):
        self.root = pathlib.Path(tempfile.mkdtemp(prefix="umbra-hostile-"))
        self.root.chmod(0o755)
        self.umbra = self.copy(umbra, "umbra")
        self.other_umbra = self.copy(umbra, "umbra-bystander")
        (self.root / "guest").mkdir()
        self.guest = self.copy(guest, "guest/hostile-guest")
        self.scratch = self.root / "scratch"
        self.scratch.mkdir()
        self.host_files = self.root / "host-files"
        self.host_files.mkdir()
        self.host = Host(self.umbra, self.scratch)

    def copy(self, source, name):
        shutil.copy(source, self.root / name)
        (self.root / name).chmod(0o755)
        return self.root / name

    def close(self):
        for process in processes_of(self.umbra):
            os.kill(process, signal.SIGKILL)
        shutil.rmtree(self.root, ignore_errors=True)

    def start(self, backend, attack, memory="256M", limits=(), extra=()):
        # What happens if the kernel's own ceiling should not hold: the host's ends it.
        guard = [(resource.RLIMIT_NPROC, 3000)]
        options = ["--backend", backend, "--memory", memory, "-e", f"HOSTILE_PATH={self.scratch}/made-by-a-guest",
                   "-v", f"{self.root}/guest:/guest:ro", *extra]
        return Instance(self.umbra, options, ["/guest/hostile-guest", attack], [*guard, *limits])

    def expect_good_end(self, instance):
        status = instance.finish()
        expect(PANIC not in instance.text(), f"the kernel panicked:\n{instance.text()}")
        expect(status == 0 and instance.text().endswith("done\n"), f"status {status}; the output:\n{instance.text()}")


def hostile_lane(world, cases):
    if not cases.listing:
        bystander = Bystander(world.other_umbra, world.guest)
        cases.kept = (bystander.instance,)
        for name in range(3000):
            (world.host_files / f"file-{name}").touch()

    def attack(backend, name, memory):
        extra = ["-v", f"{world.host_files}:/host-files:ro"] if name == "many-descriptors" else []
        world.expect_good_end(world.start(backend, name, memory, extra=extra))
        world.host.expect_unchanged()
        bystander.expect_progress()

    def killed(backend, name, memory, after):
        instance = world.start(backend, name, memory)
        instance.wait_until(lambda: b"under way\n" in instance.output, "the attack")
        time.sleep(after)  # somewhere in the middle, wherever that is
        instance.kill()
        world.host.expect_unchanged()
        bystander.expect_progress()

    def few_descriptors(backend):
        # The kernel's own descriptors end before the guest's do: that is the guest's error, not the kernel's end.
        limits = [(resource.RLIMIT_NOFILE, 256)]
        extra = ["-v", f"{world.host_files}:/host-files:ro"]
        world.expect_good_end(world.start(backend, "many-descriptors", "128M", limits, extra))
        world.expect_good_end(world.start(backend, "fork-bomb", "128M", limits))
        world.host.expect_unchanged()
        bystander.expect_progress()

    for backend in BACKENDS:
        for number, (name, memory) in enumerate(ATTACKS.items()):
            cases.run(f"{backend}.{name}", lambda: attack(backend, name, memory))
            cases.run(f"{backend}.{name}.killed", lambda: killed(backend, name, memory, 0.05 * (number % 5)))
        cases.run(f"{backend}.few-descriptors", lambda: few_descriptors(backend))
    cases.run("bystander", lambda: bystander.finish())


# What makes the kernel work: files of both layers, pipes, processes, sleep, output.
LOAD = r"""
echo ready; read go
ls -lR /etc >/tmp/list; wc -l </tmp/list; sort /tmp/list | tail -1
cat /usr/bin/perl >/tmp/copy; dd if=/dev/zero of=/tmp/file bs=64k count=50 2>/dev/null; rm /tmp/file
(sleep 0.2; echo later) & sleep 0.1; wait
seq 1 500
sync
echo the end
"""


def waits_lane(world, cases):
    def trace(options, prefix):
        log = world.root / "strace.log"
        instance = Instance(world.umbra, ["--rootfs", "/", *options], ["sh", "-c", LOAD], prefix=prefix)
        instance.wait_until(lambda: b"ready\n" in instance.output, "the guest")
        strace = subprocess.Popen(["strace", "-f", "-y", "-Y", "-o", str(log), "-p", str(instance.process.pid)],
                                  stdin=subprocess.DEVNULL, stderr=subprocess.PIPE)
        expect("attached" in (line := strace.stderr.readline().decode()), f"strace: {line}")
        instance.process.stdin.write(b"go\n")
        instance.process.stdin.flush()
        status = instance.finish()
        strace.communicate(timeout=LIMIT)
        expect(status == 0 and b"the end\n" in instance.output, f"status {status}; the output:\n{instance.text()[-2000:]}")
        # Law 2 is about a kernel that runs guests: how it ends is another matter.
        text, mark, _ = log.read_text(errors="replace").partition('"the end\\n"')
        expect(mark, "the trace does not show the guest's last words")
        return text.rpartition("\n")[0]

    def no_other_wait(options, prefix=()):
        text = trace(options, list(prefix))
        expect(waits.waits_seen(text) > 100, "the trace shows no wait of the ring")
        found = waits.offenders(text)
        expect(not found, "calls that may block:\n" + "\n".join(
            f"{count} x {call}, such as {line[:200]}" for call, (line, count) in sorted(found.items())))
        world.host.expect_unchanged()

    cases.run("seccomp.io_uring", lambda: no_other_wait(["--backend", "seccomp"]))
    cases.run("ptrace.io_uring", lambda: no_other_wait(["--backend", "ptrace"]))
    cases.run("seccomp.epoll", lambda: no_other_wait(["--backend", "seccomp"], deny(CONTAINER, "EPERM")))
    cases.run("ptrace.epoll", lambda: no_other_wait(["--backend", "ptrace"], deny(CONTAINER, "EPERM")))


# Real programs that fork, wait, sleep, read and write, in a tree of the host's and in the built-in one.
SMOKE = r"""
set -e
test "$(seq 1 1000 | sort -n | tail -1)" = 1000
test "$(dd if=/dev/zero bs=64k count=40 2>/dev/null | wc -c)" = 2621440
for i in 1 2 3 4 5; do (echo $i >/tmp/$i) & done; wait
test "$(cat /tmp/1 /tmp/5 | tr '\n' ' ')" = "1 5 "
sleep 0.05
test "$(perl -e 'print 6 * 7')" = 42
test "$(perl -MSocket -e 'socketpair(A, B, AF_UNIX, SOCK_STREAM, 0); syswrite A, "x"; sysread B, $b, 1; print $b')" = x
ls -lR /usr/share/perl >/tmp/list
echo well
"""


def denied_lane(world, cases):
    def umbra(denied, *arguments):
        done = subprocess.run([sys.executable, str(HERE / "deny.py"), *denied, "--", str(world.umbra), *arguments],
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=LIMIT)
        return done.returncode, done.stdout.decode(errors="replace")

    def runs(denied, backend):
        status, output = umbra(denied, "run", "-q", "--backend", backend, "--rootfs", "/", "--", "sh", "-c", SMOKE)
        expect((status, output) == (0, "well\n"), f"status {status}:\n{output}")
        world.host.expect_unchanged()

    def doctor(denied, backend, missing):
        status, output = umbra(denied, "doctor", "--json")
        expect(status == 0, f"status {status}:\n{output}")
        report = json.loads(output)
        expect(report["backend"] == backend, f"auto takes {report['backend']}")
        features = {feature["name"]: feature for feature in report["features"]}
        status, text = umbra(denied, "doctor")
        for name in missing:
            expect(features[name]["state"] == "missing", f"{name} is {features[name]['state']}")
            expect(features[name]["cost"], f"{name} costs nothing")
            expect(f"[--] {name} " in text and features[name]["cost"] in text, f"doctor's text:\n{text}")

    def refused(denied, backend, *words):
        status, output = umbra(denied, "run", "-q", "--backend", backend, "--", "true")
        expect(status == 125 and output.count("\n") == 1 and all(word in output for word in words),
               f"status {status}:\n{output}")
        world.host.expect_unchanged()

    for error in ("EPERM", "ENOSYS"):
        container = [f"{call}={error}" for call in CONTAINER]
        for backend in BACKENDS:
            cases.run(f"container.{error}.{backend}", lambda: runs(container, backend))
        cases.run(f"container.{error}.doctor", lambda: doctor(container, "seccomp", ["io_uring", "userfaultfd"]))
    # 8: SECCOMP_FILTER_FLAG_NEW_LISTENER
    no_notify, no_ptrace, no_memfd = ["seccomp:1=0x8&=EINVAL"], ["ptrace=EPERM"], ["memfd_create=ENOSYS"]
    cases.run("no-notify.auto", lambda: runs(no_notify, "auto"))
    cases.run("no-notify.refusal", lambda: refused(no_notify, "seccomp", "seccomp cannot run", "seccomp-notify"))
    cases.run("no-notify.doctor", lambda: doctor(no_notify, "ptrace", ["seccomp-notify"]))
    cases.run("no-ptrace.auto", lambda: runs(no_ptrace, "auto"))
    cases.run("no-ptrace.doctor", lambda: doctor(no_ptrace, "seccomp", ["ptrace-sysemu"]))
    cases.run("no-ptrace.refusal", lambda: refused(no_ptrace, "ptrace", "ptrace"))
    cases.run("neither.refusal", lambda: refused(no_notify + no_ptrace, "auto", "seccomp cannot run", "ptrace cannot run"))
    cases.run("neither.doctor", lambda: doctor(no_notify + no_ptrace, None, ["seccomp-notify", "ptrace-sysemu"]))
    cases.run("no-memfd.refusal", lambda: refused(no_memfd, "auto", "memfd"))


LANES = {"hostile": hostile_lane, "denied": denied_lane, "waits": waits_lane}


def main():
    parser = argparse.ArgumentParser(prog="tests/hostile/main.py")
    parser.add_argument("umbra")
    parser.add_argument("guest")
    parser.add_argument("lane", choices=LANES)
    parser.add_argument("pattern", nargs="?", default="", help="run only the cases whose name contains this")
    parser.add_argument("--list", action="store_true", help="print the names of the cases")
    options = parser.parse_args()
    cases = Cases(options.pattern, options.list)
    if options.list:
        LANES[options.lane](None, cases)
        return 0
    if os.geteuid() == 0 and options.lane == "hostile":
        sys.exit("main.py: not as root, whose processes the host does not limit")
    world = World(options.umbra, options.guest)
    try:
        LANES[options.lane](world, cases)
    finally:
        Instance.end_all_but(())
        world.close()
    return 1 if cases.failed else 0


if __name__ == "__main__":
    sys.exit(main())
