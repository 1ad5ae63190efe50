# SPDX-License-Identifier: GPL-2.0-or-later
"""Exit statuses, and signals to the umbra command."""
import os
import signal

from harness import expect, expect_equal, read_until, test, wait_until


@test
def exit_status_is_the_commands(t):
    for status in (0, 1, 77, 255):
        t.sh(f"exit {status}").expect("", status=status)


@test
def exit_status_of_a_signal(t):
    for name in ("TERM", "KILL", "SEGV", "RTMIN"):
        number = {"RTMIN": 34}.get(name) or int(getattr(signal, "SIG" + name))
        t.run("bash", "-c", f"kill -{number} $$").expect("", status=128 + number, err=None)


@test
def command_that_cannot_run(t):
    t.run("/etc").expect("", status=126, err=lambda err: err.startswith("umbra: /etc: ") and err.count("\n") == 1)
    t.run("/etc/passwd").expect("", status=126, err=lambda err: err.startswith("umbra: /etc/passwd: ") and err.count("\n") == 1)


@test
def command_that_is_not_there(t):
    for name in ("no-such-command", "/no/such/command", "/etc/passwd/x"):
        t.run(name).expect("", status=127, err=lambda err: name in err and "no such command" in err and err.count("\n") == 1)


@test
def own_errors_are_125(t):
    t.run("true", options=["-w", "/no/such"]).expect("", status=125, err="umbra: -w /no/such: no such directory in the tree\n")
    t.run("true", options=["--memory", "lots"]).expect("", status=125, err=lambda err: err.count("\n") == 1)


def forwarded(t, name):
    number = getattr(signal, "SIG" + name)
    script = f"trap 'echo got {name}; exit 33' {name}; echo ready; while :; do sleep 1000 & wait; done"
    process = t.start(t.command("bash", "-c", script))
    read_until(process.stdout, b"ready\n")
    process.send_signal(number)
    result = t.ends(process)
    result.expect(f"got {name}\n", status=33, err=None)
    # Without a handler the command ends of it.
    process = t.start(t.command("bash", "-c", "echo ready; exec sleep 1000"))
    read_until(process.stdout, b"ready\n")
    process.send_signal(number)
    t.ends(process).expect("", status=128 + number, err=None)


@test
def sigint_is_forwarded(t):
    forwarded(t, "INT")


@test
def sigterm_is_forwarded(t):
    forwarded(t, "TERM")


@test
def sighup_is_forwarded(t):
    forwarded(t, "HUP")


@test
def ignored_by_the_caller_is_ignored_inside(t):
    """nohup(1): a signal that was ignored when umbra started stays so for the command."""
    process = t.start(["sh", "-c", 'trap "" HUP; exec "$@"', "sh", *t.command("sh", "-c", "echo ready; read line; echo $line")],
                      stdin=-1)
    read_until(process.stdout, b"ready\n")
    process.send_signal(signal.SIGHUP)
    process.stdin.write(b"alive\n")
    t.ends(process).expect("alive\n", status=0)


@test
def background_children_do_not_keep_it(t):
    """The instance ends with its command, whatever else runs."""
    process = t.start(t.command("bash", "-c", "sleep 1000 & nohup sleep 2000 & (trap '' TERM; while :; do :; done) & exit 5"))
    t.ends(process).expect(None, status=5, err=None)


@test
def stopped_and_continued(t):
    """SIGSTOP holds the whole instance, SIGCONT lets it go on."""
    process = t.start(t.command("bash", "-c", "i=0; while read line; do echo $line; done"), stdin=-1)
    process.stdin.write(b"one\n")
    process.stdin.flush()
    read_until(process.stdout, b"one\n")
    process.send_signal(signal.SIGSTOP)

    def state():
        with open(f"/proc/{process.pid}/stat") as stat:
            return stat.read().rpartition(")")[2].split()[0]
    wait_until(lambda: state() == "T", "the process to stop")
    process.stdin.write(b"two\n")
    process.stdin.flush()
    process.send_signal(signal.SIGCONT)
    read_until(process.stdout, b"two\n")
    expect_equal(t.ends(process).status, 0)


@test
def command_is_not_process_one(t):
    """A minimal init reaps orphans."""
    t.run("bash", "-c", "echo $$; (sh -c 'exit 3 &' ); sleep 0.1; ps -e -o stat= | grep -c Z").expect(
        lambda out: out.split()[0] != "1" and out.split()[-1] == "0", status=1)


@test
def own_init(t):
    """--init: /sbin/init is process 1, and its end the instance's."""
    init = t.file("tree/sbin/init", "#!/bin/busybox sh\necho \"init is $$\"\nexit 9\n", 0o755)
    root = init.parent.parent
    (root / "bin").mkdir()
    (root / "bin/busybox").write_bytes(open("/bin/busybox", "rb").read())
    (root / "bin/busybox").chmod(0o755)
    t.host(*[word for word in t.command(root=root, options=["--init"]) if word != "--"]).expect("init is 1\n", status=9)


@test
def exits_when_killed_while_starting(t):
    """A signal that comes before the command runs is not lost: the instance ends of it."""
    for delay in range(5):
        process = t.start(t.command("sleep", "1000"))
        for _ in range(delay * 20):
            os.sched_yield()
        process.send_signal(signal.SIGTERM)
        expect(t.ends(process).status in (143, -15), "ended of SIGTERM")
