# SPDX-License-Identifier: GPL-2.0-or-later
"""The command line: what each option does, what each mistake is told, help, reports."""
import json
import os
import re

from harness import expect, expect_equal, test

COMMANDS = ["run", "do", "doctor", "version", "syscalls"]


def one_line(*words):
    return lambda err: err.count("\n") == 1 and err.startswith("umbra") and all(word in err for word in words)


@test
def environment(t):
    t.run("env", options=["-e", "A=b c", "-e", "EMPTY=", "-e", "FROM_CALLER", "-e", "NOT_SET"],
          env={**os.environ, "FROM_CALLER": "yes", "OTHER": "no"}).expect(
        lambda out: {"A=b c", "EMPTY=", "FROM_CALLER=yes"} <= set(out.splitlines()) and "NOT_SET" not in out
        and "OTHER" not in out and "PATH=/usr/local/sbin:" in out and "HOME=/root" in out)


@test
def environment_of_do(t):
    t.do("env", env={**os.environ, "FROM_CALLER": "yes"}, options=["-e", "ADDED=1"]).expect(
        lambda out: {"FROM_CALLER=yes", "ADDED=1"} <= set(out.splitlines()))


@test
def working_directory(t):
    t.run("pwd", options=["-w", "/usr/share"]).expect("/usr/share\n")
    t.run("pwd").expect("/\n")


@test
def user(t):
    t.sh("id -u; id -g; echo ~; cat /etc/shadow || echo refused; touch /etc/x || echo refused; grep CapEff /proc/self/status",
         options=["-u", "1000:50"]).expect("1000\n50\n/\nrefused\nrefused\nCapEff:\t0000000000000000\n", err=None)
    t.run("id", "-g", options=["-u", "7"]).expect("7\n")


@test
def hostname(t):
    t.sh("hostname; uname -n; cat /proc/sys/kernel/hostname", options=["--hostname", "box.example"]).expect("box.example\n" * 3)
    t.run("uname", "-n").expect("umbra\n")


@test
def memory(t):
    out = t.run("cat", "/proc/meminfo", options=["--memory", "256M"]).expect(None).out
    total = int(re.search(r"MemTotal: +(\d+) kB", out).group(1))
    expect(200 << 10 < total <= 256 << 10, out)
    # More than there is ends the program, not the instance.
    t.sh("perl -e '$x = \"x\" x 400_000_000; print length $x' || echo \"ended $?\"; echo alive",
         options=["--memory", "256M"]).expect(lambda out: "ended" in out and out.endswith("alive\n"), err=None)


@test
def sizes(t):
    for size, kilobytes in (("512m", 512 << 10), ("1G", 1 << 20), ("134217728", 128 << 10), ("65536K", 64 << 10)):
        out = t.run("grep", "MemTotal", "/proc/meminfo", options=["--memory", size]).expect(None).out
        expect(kilobytes * 0.8 < int(out.split()[1]) <= kilobytes, out)


@test
def cpus(t):
    count = 3 if t.backend == "seccomp" else 1
    t.sh("nproc; grep -c ^processor /proc/cpuinfo; ls -d /sys/devices/system/cpu/cpu[0-9]* | wc -l",
         options=["--cpus", count]).expect(f"{count}\n" * 3)


@test(backend="ptrace")
def cpus_that_ptrace_lacks(t):
    t.run("true", options=["--cpus", "2"]).expect("", status=125, err=one_line("--cpus 2", "--cpus 1"))


@test
def quiet_and_not(t):
    message = t.command("/bin/sh", "-c", "echo '<3>from the kernel' > /dev/kmsg")
    t.host(*message).expect("", err="")
    t.host(*(word for word in message if word != "-q")).expect("", err=lambda err: "from the kernel" in err)


@test
def log_file(t):
    log = t.scratch / "log"
    t.run("true", options=["--log", log]).expect("")
    expect(f"{t.backend} backend" in log.read_text(), log.read_text())


@test
def stats(t):
    """What the kernel did, in numbers, when the instance ends."""
    file = t.scratch / "stats"
    t.sh("cat /etc/debian_version >/dev/null; cat /nonexistent 2>/dev/null; true", options=["--stats-output", file]).expect(None)
    text = file.read_text()
    rows = {line.split()[0]: line.split() for line in text.splitlines()}
    expect(int(rows["execve"][1]) >= 2 and rows["execve"][2] == "0", "execve is counted: two programs")
    expect(int(rows["openat"][2]) >= 1, "what failed is, too")
    expect(int(rows["exit_group"][1]) == int(re.search(r"tasks made (\d+)", text)[1]) + 1, "each process exits once")
    faults = int(re.search(r"page faults of guests (\d+)", text)[1])
    expect(faults > 0, "programs fault")
    causes = re.search(r"by cause: (.*)", text)[1]
    expect(sum(int(n) for n in re.findall(r"\d+", causes)) > 0, f"by causes: {causes}")
    expect(int(re.search(r"bytes copied from guests (\d+)", text)[1]) > 0, "arguments are copied")


@test
def strace(t):
    trace = t.scratch / "trace"
    t.sh("cat /etc/debian_version; true", options=["--strace=openat,execve", "--strace-output", trace]).expect(None)
    text = trace.read_text()
    expect("execve(\"/usr/bin/cat\"" in text and 'openat(AT_FDCWD, "/etc/debian_version"' in text and "read(" not in text, text)


@test
def shell_without_a_command(t):
    command = t.command(root=None)
    t.host(*command, input=b"echo $0 here; exit 3\n").expect("/bin/sh here\n", status=3)


@test
def mistakes(t):
    file = t.file("file", "no archive\n")
    missing = t.scratch / "missing"
    cases = [
        (["run", "--no-such"], ["--no-such", "--help"]),
        (["run", "--rootfs", missing], [str(missing), "directory"]),
        (["run", "--rootfs", "/dev/null"], ["/dev/null", "directory"]),
        (["run", "-q", "--rootfs", file], [str(file)]),
        (["run", "--rootfs"], ["--rootfs"]),
        (["run", "--rw"], ["--rw", "--rootfs"]),
        (["run", "--rw", "--rootfs", t.tar], ["--rw", "archive"]),
        (["run", "--memory", "12Q"], ["12Q", "512M"]),
        (["run", "--memory", "1K"], ["1K", "16M"]),
        (["run", "--memory", ""], ["--memory"]),
        (["run", "--cpus", "0"], ["--cpus", "'0'"]),
        (["run", "--cpus", "many"], ["--cpus", "many"]),
        (["run", "-u", "root"], ["root", "1000"]),
        (["run", "-w", "relative"], ["relative", "/tmp"]),
        (["run", "-e", "=x"], ["NAME=VALUE"]),
        (["run", "-v", "/tmp"], ["HOST:GUEST"]),
        (["run", "-v", "/tmp:relative"], ["absolute"]),
        (["run", "-v", "/tmp:/mnt:rx"], ["rx"]),
        (["run", "--backend", "other"], ["other", "seccomp", "ptrace"]),
        (["run", "--hostname", "a b"], ["a b"]),
        (["run", "--fault-around", "5K"], ["5K"]),
        (["run", "--without", "speed"], ["speed", "image-faults", "patched-calls"]),
        (["run", "--strace=nothing"], ["nothing"]),
        (["do", "--rootfs", "/"], ["--rootfs"]),
        (["fly"], ["fly", "run"]),
        ([], ["run"]),
        (["doctor", "extra"], ["extra"]),
        (["version", "--loud"], ["--loud"]),
    ]
    for arguments, words in cases:
        t.host(t.umbra, *arguments).expect("", status=125, err=one_line(*words))


@test
def empty_tree(t):
    t.run("sh", root=t.directory("empty")).expect("", status=127, err=one_line("sh", "no such command"))


@test
def help_of_every_command(t):
    t.host(t.umbra, "--help").expect(lambda out: all(f"  {name} " in out for name in COMMANDS))
    for name in COMMANDS:
        for flag in ("--help", "-h"):
            t.host(t.umbra, name, flag).expect(lambda out: out.startswith("Usage: ") or "Usage: umbra " + name in out)


@test
def help_names_every_option_that_the_manual_has(t):
    sources = t.lane.sources
    manual = open(f"{sources}/docs/umbra.1").read()
    run_help = t.host(t.umbra, "run", "--help").out
    options = set(re.findall(r"--[a-z-]+", run_help)) - {"--"}
    for option in options:
        expect(f"Fl -{option[2:]}" in manual, f"docs/umbra.1 lacks {option}")
        for shell in ("umbra.bash", "_umbra"):
            found = [path for path in os.listdir(f"{sources}/tools/completion") if path.endswith(shell)]
            expect(found, f"no completion {shell}")
            expect(option in open(f"{sources}/tools/completion/{found[0]}").read(), f"{shell} lacks {option}")


@test
def version(t):
    t.host(t.umbra, "version").expect(lambda out: re.fullmatch(r"umbra \d+\.\d+\S* .*\n", out))


@test
def syscalls(t):
    t.host(t.umbra, "syscalls").expect(lambda out: "read" in out and re.search(r"\d+ full, \d+ partial, \d+ refused .*, \d+ missing", out))


@test
def doctor(t):
    t.host(t.umbra, "doctor").expect(lambda out: "io_uring" in out and "backend: auto takes " in out)


@test
def doctor_for_programs(t):
    report = json.loads(t.host(t.umbra, "doctor", "--json").expect(None).out)
    expect(report["backend"] in ("seccomp", "ptrace"), report)
    features = report["features"]
    names = [feature["name"] for feature in features]
    expect(any("io_uring" in name for name in names) and any("userfaultfd" in name for name in names), report)
    for feature in features:
        expect(feature["state"] in ("present", "missing", "not probed"), feature)


@test
def report_that_cannot_be_written(t):
    with open("/dev/full", "wb") as full:
        t.host(t.umbra, "version", stdout=full).expect(None, status=125, err=one_line("space"))


@test
def shell_completion(t):
    """bash offers what the command has."""
    script = f"source {t.lane.sources}/tools/completion/umbra.bash\n" \
             "complete -p umbra >/dev/null || exit 1\n" \
             "COMP_WORDS=(umbra run --back); COMP_CWORD=2; COMP_LINE='umbra run --back'; COMP_POINT=16\n" \
             "\"$(complete -p umbra | sed 's/.*-F \\([^ ]*\\).*/\\1/')\" umbra --back run; echo \"${COMPREPLY[@]}\"\n"
    expect_equal(t.host("bash", "-c", script).expect(None).out.split(), ["--backend"])


@test
def name_after_the_command_is_the_commands(t):
    t.run("echo", "--rootfs", "x", "--", "-q").expect("--rootfs x -- -q\n")
    command = [word for word in t.command("echo", "-e", "x") if word != "--"]
    t.host(*command).expect("x\n" if t.root else None)
