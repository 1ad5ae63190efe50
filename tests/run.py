#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
# size: every lane, and what it needs, stands in one table
"""Builds and runs every test, lane by lane, and closes with one line: "N passed, N failed".

A lane is a program (or script) that runs many cases: unit tests, the same under sanitizers, the platform suite as root
and as an ordinary user, the ABI tests on the host and in the guest on each backend, the system tests, the style checks.
Each case is counted. What cannot pass yet is listed in tests/system/not-yet.txt, printed as such, and counted as
neither. Lanes that take many minutes run where they are named, and the report says so; nothing else is left out. `tools/dev test LANE..` runs the lanes whose names match.
"""
import argparse
import contextlib
import fnmatch
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
NOT_YET = ROOT / "tests/system/not-yet.txt"
JOBS = str(os.cpu_count() or 1)
NOBODY = 65534
AS_NOBODY = ["setpriv", "--reuid", str(NOBODY), "--regid", str(NOBODY), "--clear-groups", "--no-new-privs",
             "--bounding-set", "-all", "--inh-caps", "-all"]
BACKENDS = ["seccomp", "ptrace"]
IS_ROOT = os.geteuid() == 0
SANITIZED = "build-sanitized"
# The system's: one in somebody's home is closed to others.
PYTHON = shutil.which("python3", path="/usr/bin:/bin") or sys.executable
SANDBOX = None  # made by main()


class Results:
    """Counts cases by their full names, LANE/TEST."""

    def __init__(self, not_yet):
        self.not_yet_patterns = not_yet
        self.passed = 0
        self.failed = []
        self.skipped = []
        self.not_yet = []

    def expected_to_fail(self, name):
        return any(fnmatch.fnmatchcase(name, pattern) for pattern in self.not_yet_patterns)

    def record(self, name, outcome, detail=""):
        if self.expected_to_fail(name):
            if outcome == "passed" and name in self.not_yet_patterns:
                self.fail(name, "passes, but is listed in tests/system/not-yet.txt: take it out")
            else:
                self.not_yet.append(name)
        elif outcome == "passed":
            self.passed += 1
        elif outcome == "skipped":
            self.skipped.append((name, detail))
        else:
            self.fail(name, detail)

    def fail(self, name, detail):
        self.failed.append(name)
        print(f"FAILED {name}")
        for line in detail.splitlines()[-60:]:
            print(f"    {line}")
        sys.stdout.flush()


def parse_gtest(output, names):
    """Yields (test, outcome, detail) for gtest's own output; tests of `names` that never ended have failed."""
    left = dict.fromkeys(names)
    current, lines = None, []
    for line in output.splitlines():
        match = re.match(r"\[ (?:RUN     |      OK| FAILED | SKIPPED) \] (\S+?)(?:, where .*?)?(?: \(\d+ ms\))?$", line)
        if not match:
            lines.append(line)
            continue
        name = match.group(1)
        if "RUN" in line[:12]:
            current, lines = name, []
        elif name == current:
            outcome = "passed" if "OK" in line[:12] else "failed" if "FAILED" in line[:12] else "skipped"
            left.pop(name, None)
            yield name, outcome, "\n".join(lines)
            current, lines = None, []
    for name in left:
        yield name, "failed", "did not end" + ("\n" + "\n".join(lines) if name == current else "")


def parse_lines(output, names):
    """The same for programs that print "ok NAME", "FAILED NAME", "skipped NAME" after indented details."""
    left = dict.fromkeys(names)
    lines = []
    for line in output.splitlines():
        match = re.match(r"(ok|FAILED|skipped) (\S+?):?( .*)?$", line)
        if not match:
            lines.append(line)
            continue
        word, name, rest = match.groups()
        outcome = {"ok": "passed", "FAILED": "failed", "skipped": "skipped"}[word]
        left.pop(name, None)
        yield name, outcome, "\n".join(lines + ([rest.strip()] if rest else []))
        lines = []
    for name in left:
        yield name, "failed", "did not run\n" + "\n".join(lines)


def run(command, timeout, env=None, cwd=None):
    """Runs a command in a session of its own, with standard input closed. Returns (status, output)."""
    # A file, not a pipe: nothing that outlives the command can keep us waiting.
    with tempfile.TemporaryFile() as output:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT,
                                   env=env, cwd=cwd, start_new_session=True)
        try:
            status = process.wait(timeout)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            status = process.wait()
            output.seek(0, os.SEEK_END)
            output.write(f"\nkilled after {timeout} s\n".encode())
        output.seek(0)
        return status, output.read().decode(errors="replace")


def describe(status):
    return f"killed by {signal.Signals(-status).name}" if status < 0 else f"exit status {status}"


class Sandbox:
    """A directory that an ordinary user can read, with copies of the programs: the tree may be closed to them."""

    def __init__(self):
        self.path = pathlib.Path(tempfile.mkdtemp(prefix="umbra-test-"))
        self.path.chmod(0o755)
        self.scratch = self.path / "scratch"
        self.scratch.mkdir()
        self.scratch.chmod(0o1777)

    def add(self, source):
        target = self.path / pathlib.Path(source).name
        shutil.copy(source, target)
        target.chmod(0o755)
        return target

    def remove(self):
        shutil.rmtree(self.path, ignore_errors=True)


class NotMade(Exception):
    """A tree could not be made; the text says why."""


class Lane:
    """A named set of cases. `prepare` builds what it needs; `command` gives the argv; `names` lists the cases."""

    def __init__(self, name, targets, command, parse, listing=None, user="self", timeout=600, build="build", env=None,
                 needs=None):
        self.name, self.targets, self.command, self.parse = name, targets, command, parse
        self.listing, self.user, self.timeout, self.build, self.env = listing, user, timeout, build, env or {}
        #: What prepare_ function of TREES has to have run.
        self.needs = needs
        self.only_by_name = False
        #: Lines of the last run that belong into the report.
        self.remarks = []

    def run(self, results, log_directory):
        environment = dict(os.environ, TMPDIR=str(SANDBOX.scratch), **self.env)
        environment.pop("HOME", None) if self.user == "nobody" else None
        prefix = AS_NOBODY if self.user == "nobody" else []
        names = []
        if self.listing:
            status, text = run(prefix + self.listing(), 60, environment, SANDBOX.path)
            names = listed(text)
            if status != 0 or not names:
                results.record(f"{self.name}/start", "failed", f"cannot list the tests: {describe(status)}\n{text}")
                return
        status, output = run(prefix + self.command(), self.timeout, environment, SANDBOX.path)
        (log_directory / f"{self.name}.log").write_text(output)
        self.remarks = re.findall(r"^time .*", output, re.MULTILINE)
        failures = 0
        for test, outcome, detail in self.parse(output, names):
            failures += outcome == "failed"
            results.record(f"{self.name}/{test}", outcome, detail)
        if status != 0 and failures == 0:
            results.record(f"{self.name}/exit", "failed", f"{describe(status)}\n{output[-4000:]}")


def listed(text):
    """Test names from gtest's indented list, or from one name a line."""
    names, suite = [], ""
    for line in text.splitlines():
        line = line.split("#")[0].rstrip()
        if line.endswith(".") and not line.startswith(" "):
            suite = line
        elif line.startswith("  ") and suite:
            names.append(suite + line.strip())
        elif re.fullmatch(r"[\w/-]+\.[\w/.-]+", line):
            names.append(line)
    return names


def gtest_lane(name, program, build="build", user="self", timeout=300, extra=()):
    binary = pathlib.Path(program).name
    return Lane(name, [program], lambda: [str(SANDBOX.path / (build + "-" + binary)), *extra], parse_gtest,
                lambda: [str(SANDBOX.path / (build + "-" + binary)), "--gtest_list_tests", *extra], user, timeout, build)


def abi_host_lane(name, user):
    program = lambda: str(SANDBOX.path / "build-abi-tests")
    return Lane(name, ["tests/abi/abi-tests"], lambda: [program()], parse_lines, lambda: [program(), "--list"], user)


def hostile_lane(name, user):
    """Attacks, denied features and the trace of waits: tests/hostile."""
    def command():
        path = SANDBOX.path
        return [PYTHON, str(path / "hostile/main.py"), str(path / "build-umbra"), str(path / "build-hostile-guest"),
                name.split("-")[0]]
    return Lane(name, ["umbra", "tests/hostile/hostile-guest"], command, parse_lines, lambda: command() + ["--list"], user,
                timeout=900)


# What common container profiles refuse.
AS_IN_A_CONTAINER = ["io_uring_setup=EPERM", "io_uring_enter=EPERM", "io_uring_register=EPERM", "userfaultfd=EPERM"]


def denied(lane):
    """The lane on a host that refuses io_uring and userfaultfd."""
    plain = lane.command
    lane.command = lambda: [PYTHON, str(SANDBOX.path / "hostile/deny.py"), *AS_IN_A_CONTAINER, "--", *plain()]
    return lane


# With --net host a guest's socket is the host's: what tests/abi asks of sockets must hold for those as well, but for what the
# host allows the privileged only (raw sockets, pings, another interface), /proc/net/tcp, which has our own alone, and what
# becomes of a corked datagram when the next piece cannot be read.
SOCKETS = ("--gtest_filter=BoundInterface.*:Epoll*.*:Inet*.*:LowWaterTcp.*:Multicast.*:Poll.*:Select.*:Streams/*:TcpOption.*"
           ":UrgentStream.*:Splice.*:AsyncOwner.*-BoundInterface.Names:BoundInterface.Indices:InetDatagram.corked"
           ":InetSocket.listed_in_proc")


def machine_lacks():
    """What the machine keeps from the host: tests/abi/machine.h."""
    program = str(SANDBOX.path / "build-abi-tests")
    status, text = run([program, "--lacks"], 60)
    if status != 0:
        raise RuntimeError(f"{program} --lacks: {describe(status)}\n{text}")
    return text.strip()


def abi_guest_lane(name, backend, user, guest_user, extra=(), tests=()):
    program = lambda: str(SANDBOX.path / "build-abi-tests")

    def command():
        return [str(SANDBOX.path / "build-umbra"), "run", "--backend", backend, *extra, "-q", "-u", guest_user,
                "-e", "UMBRA_ABI_STRICT=1", "-e", "UMBRA_ABI_HOST_LACKS=" + machine_lacks(),
                "-v", f"{SANDBOX.path}:/tests:ro", "--", "/tests/build-abi-tests", *tests]
    return Lane(name, ["umbra", "tests/abi/abi-tests"], command, parse_lines, lambda: [program(), "--list", *tests], user, 900)


SYSTEM_PROGRAMS = [f"tests/system/{name}-{library}" for name in ("hello", "storms") for library in ("glibc", "musl")]


def system_lane(name, backend, user):
    """Real programs in a Debian tree, run as a user would run them: tests/system."""
    def command():
        path = SANDBOX.path
        return [PYTHON, str(path / "system/main.py"), "--umbra", str(path / "build-umbra"), "--backend", backend,
                "--tree", str(path / "debian"), "--tar", str(path / "debian.tar"),
                "--network", str(path / "network.tar"), "--programs", str(path / "programs"),
                "--sources", str(path / "sources"), "--jobs", JOBS]
    return Lane(name, ["umbra", *SYSTEM_PROGRAMS], command, parse_lines, lambda: command() + ["--list"], user,
                needs="debian")


def workplace_lane(name, where, user, long=False):
    """Programs that one works with: tests/workplace. `where` is a backend, or "outside" for the chroot to compare with."""
    def command():
        path = SANDBOX.path
        how = ["--outside"] if where == "outside" else ["--umbra", str(path / "build-umbra"), "--backend", where]
        return [PYTHON, str(path / "workplace/main.py"), *how, "--tree", str(path / "work"), "--tar", str(path / "work.tar"),
                "--repository", str(path / "packages"), "--sources", str(path / "sources"), "--jobs", JOBS,
                "--results", str(path / "outside.json"), "--host-lacks", machine_lacks(), *(["--long"] if long else []),
                *([] if IS_ROOT else ["--alone"])]
    lane = Lane(name, ["umbra", "tests/abi/abi-tests"], command, parse_lines, lambda: command() + ["--list"], user,
                timeout=3600, needs="work")
    lane.only_by_name = long
    return lane


def make_tree(kind):
    """The path of a tree or directory that make-tree.py made. Raises NotMade."""
    status, output = run([PYTHON, str(ROOT / "tests/system/make-tree.py"), "--umbra", str(ROOT / "build/umbra"), kind], 1800)
    made = pathlib.Path(output.splitlines()[-1] if output else "nothing")
    if status != 0 or not made.exists():
        raise NotMade(output)
    return made


def place_tree(archive, name):
    """The archive as NAME.tar, and unpacked as NAME, in the sandbox. Raises NotMade."""
    place_archive(archive, name)
    (SANDBOX.path / name).mkdir(mode=0o755)
    # The devices are not needed, and an ordinary user cannot make them.
    status, output = run(["tar", "-xpf", str(archive), "--exclude", "./dev/*", "-C", str(SANDBOX.path / name)], 900)
    if status != 0:
        raise NotMade(output)


def place_archive(archive, name):
    """The archive as NAME.tar in the sandbox."""
    try:
        os.link(archive, SANDBOX.path / f"{name}.tar")
    except OSError:
        shutil.copy(archive, SANDBOX.path / f"{name}.tar")


def place_sources():
    shutil.copytree(ROOT, SANDBOX.path / "sources", dirs_exist_ok=True, ignore=lambda directory, names: [
        name for name in names if name == "__pycache__" or directory == str(ROOT) and re.match(r"build|\.", name)])


def prepare_work():
    place_tree(make_tree("work"), "work")
    shutil.copytree(make_tree("packages"), SANDBOX.path / "packages")
    place_sources()


def prepare_debian():
    place_tree(make_tree("system"), "debian")
    place_archive(make_tree("network"), "network")
    (SANDBOX.path / "programs").mkdir()
    for program in SYSTEM_PROGRAMS:
        binary = ROOT / "build" / program
        shutil.copy(binary, SANDBOX.path / "programs" / binary.name)
    place_sources()


#: By what a lane needs: how it is put in place, and of what it is made.
TREES = {"debian": prepare_debian, "work": prepare_work}
KINDS = {"debian": ["system", "network"], "work": ["work", "packages"]}


def style_lane():
    script = str(ROOT / "tests/style/check.py")
    return Lane("style", ["libcore.a"], lambda: [sys.executable, script], parse_lines)


def check_lane(name, *arguments, build="build", targets=(), timeout=600):
    """One of the checks of tests/check.py."""
    command = [sys.executable, str(ROOT / "tests/check.py"), name, *arguments]
    return Lane(name, list(targets), lambda: command, parse_lines, build=build, timeout=timeout)


def sanitized_lane():
    lane = gtest_lane("unit-sanitized", "tests/unit-tests", build=SANITIZED)
    # What clang's undefined-behaviour sanitizer finds ends the test as what the address sanitizer finds does.
    lane.env = {"UBSAN_OPTIONS": "halt_on_error=1:print_stacktrace=1"}
    return lane


def fuzz_lane():
    programs = ["tests/fuzz/elf-fuzz", "tests/fuzz/tar-fuzz", "tests/fuzz/seccomp-fuzz",
                "tests/fuzz/netlink-fuzz", "tests/fuzz/switch-fuzz"]

    def command():
        return [sys.executable, str(ROOT / "tests/fuzz/run.py"),
                *(str(SANDBOX.path / f"{SANITIZED}-{pathlib.Path(program).name}") for program in programs)]
    return Lane("fuzz", programs, command, parse_lines, build=SANITIZED,
                env={"UBSAN_OPTIONS": "halt_on_error=1:print_stacktrace=1"})


def workplace_lanes(users, as_user):
    """Root's run outside first, for the others to compare with. The long ones take many minutes, and run if they are named."""
    lanes = []
    for long in (False, True):
        prefix = "long-" if long else ""
        if IS_ROOT:
            lanes.append(workplace_lane(f"{prefix}workplace-outside", "outside", "self", long))
        for backend in BACKENDS:
            lanes.append(workplace_lane(f"{prefix}workplace-{backend}-{users[-1]}", backend, as_user[users[-1]], long))
    return lanes


def all_lanes():
    lanes = [
        check_lane("format", "--all"),
        style_lane(),
        gtest_lane("unit", "tests/unit-tests"),
        sanitized_lane(),
        fuzz_lane(),
        # The rest of the tree: what unit-sanitized needs has been through clang by then.
        check_lane("clang", "--beyond", SANITIZED, build=SANITIZED, targets=["tests/unit-tests"], timeout=1800),
    ]
    users = (["root", "user"] if IS_ROOT else ["user"])
    as_user = {"root": "self", "user": "nobody" if IS_ROOT else "self"}
    for user in users:
        lanes.append(gtest_lane(f"platform-{user}", "tests/platform/platform-tests", user=as_user[user]))
        lanes.append(abi_host_lane(f"abi-host-{user}", as_user[user]))
    for backend in BACKENDS:
        for user in users:
            lanes.append(abi_guest_lane(f"abi-{backend}-{user}", backend, as_user[user], "0:0"))
        # Within the guest an ordinary user, too: what is refused to others is part of the ABI.
        lanes.append(abi_guest_lane(f"abi-{backend}-{users[-1]}-unprivileged", backend, as_user[users[-1]], "1000:1000"))
        lanes.append(abi_guest_lane(f"abi-{backend}-host-network", backend, as_user[users[-1]], "0:0", ("--net", "host"),
                                    (SOCKETS,)))
        if backend == "seccomp":  # as on a host without userfaultfd, which the other lanes use
            lanes.append(abi_guest_lane("abi-seccomp-fault-signals", backend, as_user[users[-1]], "0:0",
                                        ("--fault-path", "signal", "--without", "image-faults",
                                         "--without", "patched-calls")))
        for user in users:
            lanes.append(system_lane(f"system-{backend}-{user}", backend, as_user[user]))
        lanes.append(denied(abi_guest_lane(f"denied-abi-{backend}-{users[-1]}", backend, as_user[users[-1]], "0:0")))
        lanes.append(denied(system_lane(f"denied-system-{backend}-{users[-1]}", backend, as_user[users[-1]])))
    lanes += workplace_lanes(users, as_user)
    for name in ("denied", "waits", "hostile"):
        # As the user whose processes the host limits: a bomb that goes off hits that user alone.
        lanes.append(hostile_lane(f"{name}-{users[-1]}", as_user[users[-1]]))
    return lanes


OPTIONS_STAMP = "configured-by-tests"


def discard_unless_made_with(path, options):
    """meson keeps the compiler and the options of the first set-up, and earlier versions of this file chose others."""
    stamp = path / OPTIONS_STAMP
    if path.exists() and (not stamp.exists() or stamp.read_text() != " ".join(options)):
        shutil.rmtree(path)


def build(directory, targets, options):
    """Builds the targets; returns an error text or None."""
    path = ROOT / directory
    environment = dict(os.environ)
    if directory == SANITIZED:
        ccache = "ccache " if shutil.which("ccache") else ""
        environment.update(CC=ccache + "clang", CXX=ccache + "clang++")
        discard_unless_made_with(path, options)
    if not (path / "build.ninja").exists():
        status, output = run(["meson", "setup", str(path), str(ROOT), *options], 600, environment)
        if status != 0:
            return output
        (path / OPTIONS_STAMP).write_text(" ".join(options))
    for step in (["ninja", "-C", str(path), "-j", JOBS, *targets],):
        status, output = run(step, 1800, environment)
        if status != 0:
            return "\n".join(line for line in output.splitlines() if not line.startswith("["))[-6000:]
    return None


# The sanitized build is clang's, with its warnings and -Wthread-safety, all of them errors. Without optimisation it
# compiles in half the time, and the tests in it are over in seconds either way.
BUILD_OPTIONS = {
    "build": [],
    SANITIZED: ["-Doptimization=0", "-Db_sanitize=address,undefined", "-Db_lundef=false"],
}


def make_trees_beside(lanes):
    """As root trees need nothing that is built: most of the time they wait for packages, and what is compiled meanwhile costs
    nothing. Who needs a tree asks for it again, and hears then what was wrong."""
    kinds = [kind for tree, kinds in KINDS.items() if any(lane.needs == tree for lane in lanes) for kind in kinds]

    def make_all():
        for kind in kinds:
            with contextlib.suppress(NotMade):
                make_tree(kind)
    if IS_ROOT:
        threading.Thread(target=make_all, daemon=True).start()


def prepare(lanes, results):
    """Builds what the lanes need and copies it into the sandbox. Returns the lanes that can run."""
    broken = set()
    make_trees_beside(lanes)
    for directory, options in BUILD_OPTIONS.items():
        targets = sorted({target for lane in lanes if lane.build == directory for target in lane.targets})
        if not targets:
            continue
        print(f"building {directory}: {' '.join(targets)}", flush=True)
        began = time.monotonic()
        for target in targets:
            error = build(directory, [target], options)
            if error:
                broken.add((directory, target))
                results.record(f"build/{directory}/{target}", "failed", error)
            else:
                results.record(f"build/{directory}/{target}", "passed")
                binary = ROOT / directory / target
                shutil.copy(binary, SANDBOX.path / f"{directory}-{binary.name}")
        print(f"built {directory} ({time.monotonic() - began:.0f} s)", flush=True)
    for scripts in ("system", "hostile", "workplace"):
        shutil.copytree(ROOT / "tests" / scripts, SANDBOX.path / scripts, dirs_exist_ok=True)
    runnable = []
    for lane in lanes:
        missing = [target for target in lane.targets if (lane.build, target) in broken]
        if missing:
            results.record(f"{lane.name}/build", "failed", "not built: " + " ".join(missing))
        else:
            runnable.append(lane)
    for tree, place in TREES.items():
        if any(lane.needs == tree for lane in runnable):
            print(f"making a Debian tree: {tree}", flush=True)
            began = time.monotonic()
            try:
                place()
                print(f"made {tree} ({time.monotonic() - began:.0f} s)", flush=True)
                results.record(f"build/tree-{tree}", "passed")
            except NotMade as why:
                results.record(f"build/tree-{tree}", "failed", str(why))
                runnable = [lane for lane in runnable if lane.needs != tree]
    return runnable


def read_not_yet():
    patterns = []
    for line in NOT_YET.read_text().splitlines():
        line = line.split("#")[0].strip()
        if line:
            patterns.append(line)
    return patterns


def heed_signals():
    """What nohup or a shell's background job made us ignore would be ignored by all that the tests start, too."""
    for number in (signal.SIGINT, signal.SIGQUIT, signal.SIGHUP):
        if signal.getsignal(number) == signal.SIG_IGN:
            signal.signal(number, signal.SIG_DFL)


def main():
    parser = argparse.ArgumentParser(prog="tools/dev test")
    parser.add_argument("lanes", nargs="*", help="patterns of lane names; all without")
    parser.add_argument("--list", action="store_true", help="print the names of the lanes")
    options = parser.parse_args()
    lanes, left_out = all_lanes(), []
    if options.list:
        print("\n".join(lane.name for lane in lanes))
        return 0
    if options.lanes:
        lanes = [lane for lane in lanes if any(fnmatch.fnmatchcase(lane.name, p) for p in options.lanes)]
        if not lanes:
            print("tools/dev test: no such lane; --list names them", file=sys.stderr)
            return 2
    else:
        left_out = [lane.name for lane in lanes if lane.only_by_name]
        lanes = [lane for lane in lanes if not lane.only_by_name]
    heed_signals()
    global SANDBOX
    SANDBOX = Sandbox()
    results = Results(read_not_yet())
    log_directory = ROOT / "build/test-logs"
    try:
        lanes = prepare(lanes, results)
        log_directory.mkdir(parents=True, exist_ok=True)
        for lane in lanes:
            began, before = time.monotonic(), (results.passed, len(results.failed))
            lane.run(results, log_directory)
            print(f"{lane.name}: {results.passed - before[0]} passed, {len(results.failed) - before[1]} failed "
                  f"({time.monotonic() - began:.0f} s)", flush=True)
            for line in lane.remarks:
                print(f"  {line}", flush=True)
    finally:
        SANDBOX.remove()
    report(results, left_out)
    return 1 if results.failed else 0


def report(results, left_out):
    if not IS_ROOT:
        print("not run: the lanes that need root")
    if left_out:
        print("not run, since nobody named them:", *left_out)
    groups = {}
    for name, why in results.skipped:
        reason = why.strip().splitlines()[-1].split("skip: ")[-1].strip() if why.strip() else "no reason given"
        groups.setdefault((name.split("/")[0], reason), []).append(name)
    for (lane, reason), names in groups.items():
        print(f"skipped {len(names)} in {lane}: {reason}")
    for name in results.not_yet:
        print(f"not yet {name}")
    if results.failed:
        print("\nfailed:")
        for name in results.failed:
            print(f"  {name}")
    print(f"{results.passed} passed, {len(results.failed)} failed")


if __name__ == "__main__":
    sys.exit(main())
