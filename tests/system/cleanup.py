# SPDX-License-Identifier: GPL-2.0-or-later
"""Nothing is left on the host: no process, file or mount, however an instance ends."""
import os
import pathlib
import signal
import time

from harness import children_of, expect, expect_equal, is_alive, mappings_of, read_until, test, wait_until


def busy_guest(t, *options):
    """A guest with several processes, threads and files; its host processes."""
    script = "for i in 1 2 3 4 5 6; do sleep 1000 & done; (while :; do :; done) & yes >/dev/null & echo x > /tmp/file; " \
             "mkfifo /tmp/fifo; cat /tmp/fifo & mount -t tmpfs none /mnt; echo ready; wait"
    process = t.start(t.command("bash", "-c", script, options=options))
    read_until(process.stdout, b"ready\n")
    stubs = children_of(process.pid)
    expect(len(stubs) >= 8, f"stubs: {stubs}")
    return process, stubs


def places():
    """Where an instance could leave a file."""
    return {directory: set(os.listdir(directory)) for directory in ("/dev/shm", "/dev/mqueue", "/run")
            if os.access(directory, os.R_OK)}


def mounts():
    return pathlib.Path("/proc/self/mountinfo").read_text()


def nothing_left(t, process, stubs, before):
    for pid in stubs:
        wait_until(lambda: not is_alive(pid), f"stub {pid} to end")
    expect_equal(mounts(), before[1], "mounts")
    # Others may work beside us: only what has the instance's name or number counts.
    for directory, names in places().items():
        new = names - before[0].get(directory, set())
        expect(not [name for name in new if "umbra" in name or str(process.pid) in name], f"{directory}: {new}")
    expect_equal(list(t.scratch.iterdir()), [], "files in the current directory")


def ended_by(t, number):
    before = places(), mounts()
    process, stubs = busy_guest(t)
    process.send_signal(number)
    t.ends(process)
    nothing_left(t, process, stubs, before)


@test
def killed(t):
    ended_by(t, signal.SIGKILL)


@test
def terminated(t):
    ended_by(t, signal.SIGTERM)


@test
def aborted(t):
    ended_by(t, signal.SIGABRT)


@test
def ended_normally(t):
    before = places(), mounts()
    process = t.start(t.command("bash", "-c", "sleep 1000 & (while :; do :; done) & echo ready; read line"), stdin=-1)
    read_until(process.stdout, b"ready\n")
    stubs = children_of(process.pid)
    t.ends(process)
    nothing_left(t, process, stubs, before)


@test
def killed_while_starting(t):
    """At whatever point of its start."""
    for turn in range(8):
        process = t.start(t.command("sleep", "1000"))
        for _ in range(turn * 200):
            os.sched_yield()
        stubs = children_of(process.pid)
        process.kill()
        t.ends(process)
        for pid in stubs:
            wait_until(lambda: not is_alive(pid), f"stub {pid} to end")


@test(user="root")
def stub_that_is_killed(t):
    """A stub that somebody kills takes its guest process with it, and nothing else: at work, and while it starts."""
    # It does something time and again: a stub that is not needed is not missed.
    busy = "perl -e 'select undef, undef, undef, 0.01 while 1'"
    script = f"while read line && [ $line = go ]; do {busy} & echo ready; wait $!; echo status $?; done; echo $line"
    process = t.start(t.command("bash", "-c", script, root=t.tree), stdin=-1)

    def stub_of_perl():
        # Its program is mapped from the host's file.
        return [pid for pid in children_of(process.pid) if "/bin/perl" in mappings_of(pid)]
    for delay in range(12):
        process.stdin.write(b"go\n")
        process.stdin.flush()
        read_until(process.stdout, b"ready\n")
        victim = wait_until(stub_of_perl, "the stub of perl", pause=0)[0]
        time.sleep(0.002 * delay)
        os.kill(victim, signal.SIGKILL)
        read_until(process.stdout, b"status 137\n")
    process.stdin.write(b"alive\n")
    t.ends(process).expect("alive\n", err=None)


@test
def no_helper_is_needed(t):
    """No set-user-ID program, no user namespace: the instance's processes are in the caller's namespaces, as the caller."""
    process, stubs = busy_guest(t)
    mine = {name: os.readlink(f"/proc/self/ns/{name}") for name in ("user", "mnt", "pid", "net", "ipc", "uts")}
    theirs = {name: os.readlink(f"/proc/{process.pid}/ns/{name}") for name in mine}
    expect_equal(theirs, mine, "namespaces")
    status = pathlib.Path(f"/proc/{stubs[0]}/status").read_text()
    expect_equal([line.split()[1:] for line in status.splitlines() if line.startswith("Uid:")], [[str(os.geteuid())] * 4])
