# SPDX-License-Identifier: GPL-2.0-or-later
"""What the system tests share: tests by name, guests to run, and what to expect of them.

A test is a function `def name(t)` with @test above it; `t` (Bench) knows the lane: backend, user, tree. Tests stand for
themselves, may run beside each other, leave nothing behind, and take no time for an answer: they wait for conditions.
"""
import contextlib
import fcntl
import os
import pathlib
import shutil
import signal
import subprocess
import tempfile
import time

#: Only a hang takes longer, on however slow a machine.
LIMIT = 150
TESTS = {}


class Failure(Exception):
    pass


def test(function=None, *, backend=None, user=None):
    """Registers a test, as MODULE.FUNCTION. `backend` and `user` name the only ones that it makes sense for."""
    def register(function):
        TESTS[f"{function.__module__}.{function.__name__}"] = (function, backend, user)
        return function
    return register(function) if function else register


def names_for(backend, user):
    return [name for name, (_, only_backend, only_user) in TESTS.items()
            if only_backend in (None, backend) and only_user in (None, user)]


class Outcome:
    """How a command ended, and what it said."""

    def __init__(self, command, status, out, err):
        self.command, self.status, self.raw, self.raw_err = command, status, out, err
        self.out, self.err = out.decode(errors="replace"), err.decode(errors="replace")

    def __str__(self):
        return (f"command: {' '.join(self.command)}\nstatus: {self.status}\n"
                f"stdout: {self.out[-3000:]!r}\nstderr: {self.err[-3000:]!r}")

    def expect(self, out=None, status=0, err=""):
        """Each of `out` and `err` is the whole text, a function that judges it, or None for anything."""
        for what, have, wanted in (("status", self.status, status), ("stdout", self.out, out), ("stderr", self.err, err)):
            if wanted is not None and not (wanted(have) if callable(wanted) else have == wanted):
                raise Failure(f"{what}: {'refused' if callable(wanted) else f'wanted {wanted!r}'}\n{self}")
        return self


def expect(condition, what):
    if not condition:
        raise Failure(str(what))


def expect_equal(have, wanted, what=""):
    if have != wanted:
        raise Failure(f"{what}: {have!r} instead of {wanted!r}")


def wait_until(condition, what, limit=LIMIT, pause=0.02):
    """Returns the first true value of condition(), asked for every `pause` seconds."""
    end = time.monotonic() + limit
    while time.monotonic() < end:
        value = condition()
        if value:
            return value
        time.sleep(pause)
    raise Failure(f"waited in vain: {what}")


def mappings_of(pid):
    """The text of its maps; empty if it has ended."""
    with contextlib.suppress(OSError):
        return pathlib.Path(f"/proc/{pid}/maps").read_text()
    return ""


def children_of(pid):
    """Host processes whose parent `pid` is. Stubs are children of the kernel's process."""
    found = []
    for name in os.listdir("/proc"):
        if name.isdigit():
            with contextlib.suppress(OSError, IndexError):
                stat = pathlib.Path(f"/proc/{name}/stat").read_text()
                if int(stat.rpartition(")")[2].split()[1]) == pid:
                    found.append(int(name))
    return found


def is_alive(pid):
    """A zombie is nobody's process any more."""
    with contextlib.suppress(OSError, IndexError):
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    return False


class Bench:
    """One test's place: the lane's parameters, a directory of its own, and the processes that it started."""

    def __init__(self, lane):
        self.lane = lane
        self.umbra, self.backend, self.user = lane.umbra, lane.backend, lane.user
        self.network = lane.network
        self.tree, self.tar, self.programs = lane.tree, lane.tar, pathlib.Path(lane.programs)
        #: root's lane has a directory, as root unpacked it; an ordinary user's has the archive, which shows root's files.
        self.root = self.tree if self.user == "root" else self.tar
        self.scratch = pathlib.Path(tempfile.mkdtemp(prefix="umbra-system-"))
        self.started = []

    def close(self):
        for process in self.started:
            if process.poll() is None:
                process.kill()
                process.wait()
        for root, directories, _ in os.walk(self.scratch):
            for name in directories:
                with contextlib.suppress(OSError):
                    os.chmod(os.path.join(root, name), 0o755, follow_symlinks=False)
        shutil.rmtree(self.scratch, ignore_errors=True)

    def command(self, *arguments, root="", options=()):
        """The argv for a guest that runs `arguments` in the Debian tree (root=None: in the built-in tree)."""
        tree = [] if root is None else ["--rootfs", str(root or self.root)]
        return [self.umbra, "run", "-q", "--backend", self.backend, *tree, *map(str, options), "--", *map(str, arguments)]

    def start(self, command, **how):
        """Popen with pipes unless `how` says otherwise. Ended with the test."""
        how = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **how}
        process = subprocess.Popen(list(map(str, command)), **how)
        self.started.append(process)
        return process

    def host(self, *command, input=None, limit=LIMIT, **how):
        """Runs a command on the host to its end."""
        how.setdefault("stdin", subprocess.PIPE if input is not None else subprocess.DEVNULL)
        process = self.start(command, **how)
        try:
            out, err = process.communicate(input, timeout=limit)
        except subprocess.TimeoutExpired:
            process.kill()
            out, err = process.communicate()
            raise Failure(f"did not end\n{Outcome(process.args, 'killed', out, err)}") from None
        status = process.returncode
        return Outcome(process.args, status, out or b"", err or b"")

    def run(self, *arguments, root="", options=(), **how):
        """Runs a guest to its end."""
        return self.host(*self.command(*arguments, root=root, options=options), **how)

    def sh(self, script, **how):
        """Runs a shell script in a guest."""
        return self.run("/bin/sh", "-c", script, **how)

    def do(self, *arguments, options=(), **how):
        return self.host(self.umbra, "do", "-q", "--backend", self.backend, *options, "--", *arguments, **how)

    def file(self, name, content="", mode=0o644):
        path = self.scratch / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        path.chmod(mode)
        return path

    def directory(self, name, mode=0o755):
        path = self.scratch / name
        path.mkdir(parents=True)
        path.chmod(mode)
        return path

    def ends(self, process, status=None, limit=LIMIT):
        """Closes a started process's input and waits for it to end; its output."""
        if process.stdin:
            process.stdin.close()
            process.stdin = None
        try:
            out, err = process.communicate(timeout=limit)
        except subprocess.TimeoutExpired:
            raise Failure(f"did not end: {process.args}") from None
        outcome = Outcome(process.args, process.returncode, out or b"", err or b"")
        if status is not None and outcome.status != status:
            raise Failure(f"status: wanted {status}\n{outcome}")
        return outcome


def read_until(stream, wanted, limit=LIMIT):
    """Reads from a pipe until `wanted` has come; all that came."""
    descriptor = stream.fileno()
    flags = fcntl.fcntl(descriptor, fcntl.F_GETFL)
    fcntl.fcntl(descriptor, fcntl.F_SETFL, flags | os.O_NONBLOCK)
    got = b""
    end = time.monotonic() + limit
    try:
        while wanted not in got:
            if time.monotonic() > end:
                raise Failure(f"{wanted!r} did not come, but {got[-2000:]!r}")
            try:
                block = os.read(descriptor, 65536)
            except BlockingIOError:
                time.sleep(0.01)
                continue
            if not block:
                raise Failure(f"{wanted!r} did not come before the end of file, but {got[-2000:]!r}")
            got += block
    finally:
        fcntl.fcntl(descriptor, fcntl.F_SETFL, flags)
    return got


def signal_status(number):
    return 128 + int(getattr(signal, number) if isinstance(number, str) else number)
