# SPDX-License-Identifier: GPL-2.0-or-later
"""A user's terminal: raw while Umbra has it and as before afterwards, with job control and full-screen programs inside."""
import fcntl
import os
import pty
import re
import select
import signal
import struct
import termios
import time

from harness import LIMIT, Failure, Outcome, expect, expect_equal, test, wait_until

PROMPT = "READY> "


class Terminal:
    """A pseudo-terminal with a program on it, typed at and read as a person would."""

    def __init__(self, t, command, rows=24, columns=80, **how):
        self.t = t
        self.master, self.slave = pty.openpty()
        self.resize(rows, columns)
        self.before = termios.tcgetattr(self.slave)
        self.seen = ""

        def take_terminal():
            fcntl.ioctl(self.slave, termios.TIOCSCTTY, 0)
        self.process = t.start(command, **{"stdin": self.slave, "stdout": self.slave, "stderr": self.slave, **how},
                               start_new_session=True, preexec_fn=take_terminal)

    def resize(self, rows, columns):
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def type(self, text):
        os.write(self.master, text.encode())

    def read(self):
        """Takes what has come; false if nothing came for a moment."""
        if not select.select([self.master], [], [], 0.05)[0]:
            return False
        self.seen += os.read(self.master, 65536).decode(errors="replace")
        return True

    def await_text(self, pattern):
        """Reads until the pattern has come; returns what came up to its end, and forgets it."""
        end = time.monotonic() + LIMIT
        while not (match := re.search(pattern, self.seen)):
            if time.monotonic() > end:
                raise Failure(f"{pattern!r} did not come, but {self.seen[-3000:]!r}")
            self.read()
        text, self.seen = self.seen[:match.end()], self.seen[match.end():]
        return text

    def run(self, line):
        """Types a line at the shell's prompt; its output, without what the terminal echoed."""
        self.type(line + "\n")
        text = self.await_text(PROMPT)
        # Bash turns bracketed paste on and off around each line.
        return re.sub("\x1b\\[\\?2004[hl]|\r", "", text[:-len(PROMPT)]).partition("\n")[2]

    def settings(self):
        return termios.tcgetattr(self.slave)

    def is_raw(self):
        return not self.settings()[3] & (termios.ICANON | termios.ECHO | termios.ISIG)

    def await_raw(self):
        wait_until(self.is_raw, "the terminal to be raw")

    def finish(self, status=0):
        """Waits for the program's end, which must leave the terminal as it was; the last of what came."""
        def ended():
            self.read()
            return self.process.poll() is not None
        wait_until(ended, "the program to end")
        while self.read():
            pass
        expect_equal(self.settings(), self.before, "the terminal's settings afterwards")
        if status is not None and self.process.returncode != status:
            raise Failure(f"status: wanted {status}\n"
                          f"{Outcome(self.process.args, self.process.returncode, self.seen.encode(), b'')}")
        return self.seen.replace("\r", "")


def shell(t, **how):
    command = t.command("bash", "--norc", "--noprofile", options=["-e", f"PS1={PROMPT}", "-e", "TERM=xterm"])
    terminal = Terminal(t, command, **how)
    terminal.await_text(PROMPT)
    return terminal


@test
def raw_while_running_and_as_before_afterwards(t):
    terminal = shell(t)
    expect(terminal.is_raw(), "raw while the guest has it")
    expect_equal(terminal.run("tty; test -t 0 && test -t 2 && echo yes"), "/dev/console\nyes\n")
    terminal.type("exit 3\n")
    terminal.finish(3)


def restored_after(t, number, status):
    terminal = Terminal(t, t.command("sh", "-c", "echo started; exec sleep 1000"))
    terminal.await_text("started")
    expect(terminal.is_raw(), "raw while the guest has it")
    terminal.process.send_signal(number)
    terminal.finish(status)


@test
def as_before_after_sigterm(t):
    restored_after(t, signal.SIGTERM, 143)


@test
def as_before_after_sigint(t):
    restored_after(t, signal.SIGINT, 130)


@test
def as_before_after_sighup(t):
    restored_after(t, signal.SIGHUP, 129)


@test
def as_before_after_sigquit(t):
    restored_after(t, signal.SIGQUIT, 131)


@test
def as_before_after_a_crash_of_the_kernel(t):
    """A fault of the kernel's own is a panic, which puts the terminal in order and says so."""
    restored_after(t, signal.SIGSEGV, None)
    restored_after(t, signal.SIGABRT, None)


@test
def as_before_after_umbras_own_errors(t):
    for arguments, status in ((["no-such-command"], 127), (["/etc/passwd"], 126)):
        terminal = Terminal(t, t.command(*arguments))
        terminal.finish(status)
    terminal = Terminal(t, t.command("true", options=["-w", "/no/such"]))
    expect("no such directory" in terminal.finish(125), "the message")


@test
def as_before_though_the_guest_changed_it(t):
    terminal = shell(t)
    terminal.run("stty -echo -icanon raw; true")
    terminal.type("exit\r\n")
    terminal.finish(0)


@test
def line_editing(t):
    """The guest's own line discipline: echo, erase, kill, end of file."""
    terminal = Terminal(t, t.command("cat"))
    terminal.await_raw()
    terminal.type("abX\x7fc\n")
    expect_equal(terminal.await_text("\r\nabc\r\n"), "abX\b \bc\r\nabc\r\n")
    terminal.type("dropped\x15kept\n")
    terminal.await_text("kept\r\nkept\r\n")
    terminal.type("\x04")
    terminal.finish(0)


@test
def no_line_is_lost_that_is_typed_early(t):
    """What is typed before the guest runs is read by it."""
    terminal = Terminal(t, t.command("sh", "-c", "read line; echo \"<$line>\""))
    terminal.type("early\n")
    terminal.await_text("<early>")
    terminal.finish(0)


@test
def window_size(t):
    terminal = shell(t, rows=30, columns=101)
    expect_equal(terminal.run("stty size"), "30 101\n")
    terminal.run("trap 'echo changed; stty size' WINCH")
    terminal.resize(41, 77)
    # The shell acts on the signal when it has read a line.
    terminal.type("\n")
    terminal.await_text("changed\r\n41 77\r\n")
    terminal.run("trap - WINCH")
    # Blocked and waited for: none is missed between two calls.
    script = "import signal,os; change={signal.SIGWINCH}; signal.pthread_sigmask(0, change); print('waiting'); " \
             "[print('now', os.get_terminal_size()) for turn in range(2) if signal.sigwait(change)]"
    terminal.type(f"python3 -c \"{script}\"\n")
    terminal.await_text("waiting\r\n")
    terminal.resize(10, 20)
    terminal.await_text(r"now os.terminal_size\(columns=20, lines=10\)")
    terminal.resize(50, 200)
    terminal.await_text(r"now os.terminal_size\(columns=200, lines=50\)")
    terminal.type("exit\n")
    terminal.finish(0)


@test
def interrupt_and_quit(t):
    terminal = shell(t)
    # The word comes from the program, not from the echo of the line.
    for key, status in (("\x03", 130), ("\x1c", 131)):
        terminal.type("sh -c 'echo sta\"\"rted; exec sleep 1000'\n")
        terminal.await_text("started\r\n")
        terminal.type(key)
        terminal.await_text(PROMPT)
        expect_equal(terminal.run("echo $?"), f"{status}\n")
    terminal.type("exit\n")
    terminal.finish(0)


@test
def interrupted_line_is_forgotten(t):
    """By the line discipline. (Bash reads raw, and keeps some of it now and then, on any Linux.)"""
    terminal = Terminal(t, t.command("sh", options=["-e", f"PS1={PROMPT}"]))
    terminal.await_text(PROMPT)
    terminal.type("half a line")
    terminal.await_text("half a line")
    terminal.type("\x03")
    terminal.await_text(PROMPT)
    expect_equal(terminal.run("echo whole"), "whole\n")
    terminal.type("exit\n")
    terminal.finish(0)


@test
def job_control(t):
    terminal = shell(t)
    # One process that starts no other: a shell in the middle of vfork(2) cannot be stopped, on any Linux. The pieces keep
    # the words out of what the shell prints of the line.
    terminal.type("perl -e '$| = 1; $SIG{CONT} = sub { print \"goes\", \" on\\n\" }; print \"sta\", \"rted\\n\"; sleep 1 while 1'\n")
    terminal.await_text("started\r\n")
    terminal.type("\x1a")
    terminal.await_text(r"\[1\]\+ +Stopped")
    terminal.await_text(PROMPT)
    expect("Stopped" in terminal.run("jobs"), "jobs says that it is stopped")
    terminal.type("bg\n")
    # In either order: two processes write.
    terminal.await_text(rf"goes on\r\n[\s\S]*{PROMPT}|{PROMPT}[\s\S]*goes on\r\n")
    expect("Running" in terminal.run("jobs"), "jobs says that it runs")
    terminal.run("kill -STOP %1")
    wait_until(lambda: "Stopped" in terminal.run("jobs"), "the job to be stopped")
    # It says so when it has the terminal: before, ^C would be the shell's.
    terminal.type("fg\n")
    terminal.await_text("goes on\r\n")
    terminal.type("\x03")
    terminal.await_text(PROMPT)
    expect_equal(terminal.run("jobs; echo none"), "none\n")
    terminal.type("exit\n")
    terminal.finish(0)


@test
def job_in_the_background_may_not_read(t):
    terminal = shell(t)
    terminal.run("cat &")
    wait_until(lambda: "Stopped" in terminal.run("jobs"), "cat to be stopped by SIGTTIN")
    terminal.type("fg\n")
    terminal.await_text("cat\r\n")
    terminal.type("to cat\n")
    terminal.await_text("to cat\r\nto cat\r\n")
    terminal.type("\x04")
    terminal.await_text(PROMPT)
    terminal.type("exit\n")
    terminal.finish(0)


@test
def pipeline_is_one_job(t):
    terminal = shell(t)
    # Each says when it runs: until then it is still a bash that ignores the signal, as an interactive one does.
    terminal.type("say='echo sta\"\"rted >/dev/tty; exec sleep 1000'; sh -c \"$say\" | sh -c \"$say\" | sh -c \"$say\"\n")
    for _ in range(3):
        terminal.await_text("started\r\n")
    terminal.type("\x1a")
    terminal.await_text(r"\[1\]\+ +Stopped")
    terminal.await_text(PROMPT)
    # Some may not have become sleep yet.
    expect_equal(terminal.run("ps -e -o stat= | grep -c ^T"), "3\n")
    terminal.run("kill %1; bg; wait; true")
    expect_equal(terminal.run("ps -C sleep -o stat= | wc -l"), "0\n")
    terminal.type("exit\n")
    terminal.finish(0)


@test
def suspend_character_without_job_control_inside(t):
    """^Z to a program that no shell watches: it belongs to the guest, and ^C still works afterwards."""
    terminal = Terminal(t, t.command("sh", "-c", "trap 'echo got it; exit 4' INT; echo started; while :; do sleep 0.05; done"))
    terminal.await_text("started")
    terminal.type("\x03")
    terminal.await_text("got it")
    terminal.finish(4)


@test
def vi(t):
    terminal = shell(t)
    terminal.type("vi /tmp/text\n")
    terminal.await_text(r"/tmp/text[\s\S]*~[\s\S]*~")
    terminal.type("ifirst line\rsecond line\x1byyp:wq\r")
    terminal.await_text(PROMPT)
    expect_equal(terminal.run("cat /tmp/text"), "first line\nsecond line\nsecond line\n")
    terminal.type("exit\n")
    terminal.finish(0)


@test
def less(t):
    terminal = shell(t, rows=20)
    terminal.type("seq -f 'line %g.' 500 | less\n")
    terminal.await_text(r"line 1\.[\s\S]*line 19\.[\s\S]*:")
    terminal.type(" ")
    terminal.await_text(r"line 38\.")
    terminal.type("G")
    terminal.await_text(r"line 500\.[\s\S]*\(END\)")
    terminal.type("/line 77\\.\r")
    terminal.await_text(r"Pattern not found")
    terminal.type("\r?line 77\\.\r")
    terminal.await_text(r"line 77\.|77")
    terminal.type("q")
    terminal.await_text(PROMPT)
    terminal.type("exit\n")
    terminal.finish(0)


@test
def top(t):
    terminal = shell(t, rows=30, columns=120)
    terminal.type("top\n")
    terminal.await_text(r"Tasks:[\s\S]*PID[\s\S]*top")
    terminal.type("q")
    terminal.await_text(PROMPT)
    expect_equal(terminal.run("echo $?"), "0\n")
    terminal.type("exit\n")
    terminal.finish(0)


@test
def history_and_completion_in_bash(t):
    terminal = shell(t)
    expect_equal(terminal.run("echo one"), "one\n")
    terminal.type("\x1b[A")
    terminal.await_text("echo one")
    terminal.type("\n")
    terminal.await_text(f"one\r\n.*{PROMPT}")
    terminal.type("ls /etc/debian_ver\t")
    terminal.await_text("sion ")
    terminal.type("\n")
    terminal.await_text(PROMPT)
    terminal.type("\x04")
    terminal.finish(0)


@test
def hang_up(t):
    """The terminal goes away: the shell's jobs end, and the instance."""
    terminal = shell(t)
    terminal.type("sleep 1000 &\n")
    terminal.await_text(PROMPT)
    os.close(terminal.slave)
    os.close(terminal.master)
    terminal.process.wait(LIMIT)


@test
def output_elsewhere_leaves_the_terminal_alone(t):
    """`umbra run -- ls | less`: the terminal is the other program's."""
    terminal = Terminal(t, t.command("sh", "-c", "echo started; sleep 1000"), stdout=-1)
    expect_equal(terminal.process.stdout.read(8), b"started\n")
    expect_equal(terminal.settings(), terminal.before, "while the guest runs")
    terminal.process.send_signal(signal.SIGTERM)
    terminal.finish(143)


@test
def error_output_apart(t):
    """stdin and stdout are the terminal, stderr is a pipe."""
    terminal = Terminal(t, t.command("sh", "-c", "test -t 2 || echo 'no terminal' >&2; test -t 1 && echo terminal"), stderr=-1)
    terminal.await_text("terminal")
    expect_equal(terminal.process.stderr.read(), b"no terminal\n")
    terminal.finish(0)


@test
def pseudo_terminals_inside(t):
    """script(1) makes one."""
    t.sh("script -q -c 'tty; stty size; echo $((6 * 7))' /tmp/typescript </dev/null; grep -c '^42' /tmp/typescript").expect(
        lambda out: "/dev/pts/0" in out and out.endswith("1\n"))
