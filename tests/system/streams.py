# SPDX-License-Identifier: GPL-2.0-or-later
"""Standard input, output and error without a terminal: as they are, to the byte, and to the end."""
import hashlib
import os
import random

from harness import expect, expect_equal, read_until, test


def noise(size):
    return random.Random(size).randbytes(size)


@test
def binary_file_through_cat(t):
    """umbra run -- sh -c 'cat; echo x >&2' <file | wc"""
    data = noise(48 << 20)
    source = t.file("data", data)
    with open(source, "rb") as stdin:
        result = t.sh("cat; echo x >&2", stdin=stdin)
    result.expect(None, err="x\n")
    expect_equal(hashlib.sha256(result.raw).hexdigest(), hashlib.sha256(data).hexdigest(), "what came out")


@test
def binary_pipe_through_cat(t):
    data = noise(32 << 20)
    result = t.sh("cat", input=data)
    expect_equal(hashlib.sha256(result.raw).hexdigest(), hashlib.sha256(data).hexdigest(), "what came out")


@test
def output_to_a_file(t):
    target = t.scratch / "out"
    target.write_bytes(b"kept\n")
    with open(target, "ab") as stdout:
        t.sh("head -c 20000000 /dev/zero; echo end", stdout=stdout).expect(None)
    expect_equal(target.stat().st_size, 5 + 20000000 + 4)
    expect(target.read_bytes()[:5] == b"kept\n" and target.read_bytes()[-4:] == b"end\n", "both ends of the file")


@test
def errors_apart_from_output(t):
    t.sh("echo out; echo err >&2; echo out2").expect("out\nout2\n", err="err\n")


@test
def same_pipe_for_both_keeps_the_order(t):
    read_end, write_end = os.pipe()
    process = t.start(t.command("/bin/sh", "-c", "for i in 1 2 3 4 5; do echo out$i; echo err$i >&2; done"),
                      stdout=write_end, stderr=write_end)
    os.close(write_end)
    with os.fdopen(read_end, "rb") as stream:
        expect_equal(stream.read().decode(), "".join(f"out{i}\nerr{i}\n" for i in range(1, 6)))
    t.ends(process, 0)


@test
def input_is_not_read_ahead(t):
    """What the guest did not read is left for whoever reads next."""
    source = t.file("lines", "first\nsecond\nthird\n")
    with open(source, "rb", buffering=0) as stdin:
        t.run("bash", "-c", "read line; echo $line", stdin=stdin).expect("first\n")
        expect_equal(stdin.read(), b"second\nthird\n", "what is left")


@test
def closed_reader_is_a_broken_pipe(t):
    process = t.start(t.command("bash", "-c", "yes; echo ${PIPESTATUS[0]} $? >&2"))
    read_until(process.stdout, b"y\ny\n")
    process.stdout.close()
    process.stdout = None
    _, err = process.communicate(timeout=150)
    expect("141" in err.decode() or "Broken pipe" in err.decode(), err)


@test
def closed_descriptors_are_closed_in_the_guest(t):
    look = "for fd in 0 1 2; do [ -e /proc/$$/fd/$fd ] && echo $fd; done"
    t.host("sh", "-c", 'exec "$@" 0<&- 2>&-', "sh", *t.command("/bin/sh", "-c", look)).expect("1\n", status=1)


@test
def end_of_input(t):
    t.sh("cat; echo end", input=b"").expect("end\n")
    t.sh("wc -c", stdin=open(os.devnull, "rb")).expect("0\n")


@test
def messages_answer_messages(t):
    """No buffer stands between: a question is answered before the next one is asked."""
    process = t.start(t.command("bash", "-c", "while read -r line; do echo \"<$line>\"; done"), stdin=-1)
    for number in range(50):
        process.stdin.write(f"line {number}\n".encode())
        process.stdin.flush()
        expect_equal(read_until(process.stdout, b"\n"), f"<line {number}>\n".encode())
    t.ends(process, 0)


@test
def caller_keeps_its_descriptor_flags(t):
    """A pipe that was blocking is blocking afterwards: others have it too."""
    import fcntl
    read_end, write_end = os.pipe()
    before = fcntl.fcntl(write_end, fcntl.F_GETFL)
    t.sh("echo x", stdout=write_end).expect(None)
    expect_equal(fcntl.fcntl(write_end, fcntl.F_GETFL), before)
    os.close(read_end)
    os.close(write_end)
