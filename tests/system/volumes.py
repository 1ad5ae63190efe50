# SPDX-License-Identifier: GPL-2.0-or-later
"""-v: directories and files of the host in the guest."""
import os

from harness import expect, expect_equal, test


@test
def directory_is_written_through(t):
    here = t.directory("here")
    (here / "file").write_text("host\n")
    t.sh("cat /mnt/host/file; echo guest > /mnt/host/new; rm /mnt/host/file", options=["-v", f"{here}:/mnt/host"]).expect("host\n")
    expect_equal([path.name for path in here.iterdir()], ["new"])
    expect_equal((here / "new").read_text(), "guest\n")


@test
def directory_read_only(t):
    here = t.directory("here")
    (here / "file").write_text("host\n")
    t.sh("cat /mnt/file; echo x > /mnt/file || echo x > /mnt/new || mkdir /mnt/dir || rm /mnt/file || echo all refused",
         options=["-v", f"{here}:/mnt:ro"]).expect("host\nall refused\n", err=lambda err: err.count("ead-only file system") == 4)
    expect_equal((here / "file").read_text(), "host\n")


@test
def file_is_written_through(t):
    here = t.file("one/file", "host\n")
    t.file("one/secret", "not shown\n")
    t.sh("cat /etc/motd; echo guest > /etc/motd; ls /etc/motd; cat /etc/secret /etc/motd/secret 2>/dev/null; "
         "grep -c ' /etc/motd ' /proc/self/mountinfo", options=["-v", f"{here}:/etc/motd"]).expect("host\n/etc/motd\n1\n")
    expect_equal(here.read_text(), "guest\n")
    expect_equal((here.parent / "secret").read_text(), "not shown\n")


@test
def file_read_only(t):
    here = t.file("file", "host\n")
    t.sh("cat /etc/motd; echo guest > /etc/motd || echo refused", options=["-v", f"{here}:/etc/motd:ro"]).expect(
        "host\nrefused\n", err=None)
    expect_equal(here.read_text(), "host\n")


@test
def file_where_there_was_none(t):
    """The place is made, directories above it too."""
    here = t.file("file", "host\n")
    t.sh("cat /new/deep/place; stat -c %F /new/deep", options=["-v", f"{here}:/new/deep/place:ro"]).expect("host\ndirectory\n")


@test
def directory_where_there_was_none(t):
    here = t.file("directory/file", "host\n")
    t.sh("cat /new/deep/place/file", options=["-v", f"{here.parent}:/new/deep/place:ro"]).expect("host\n")


@test
def program_as_a_file(t):
    t.run("/usr/bin/greeting", "you", options=["-v", f"{t.programs}/hello-musl:/usr/bin/greeting:ro"]).expect("hello, you\n")


@test
def file_cannot_be_removed_or_replaced(t):
    """As with a bind mount: EBUSY."""
    here = t.file("file", "host\n")
    t.sh("rm -f /etc/motd || mv /etc/hostname /etc/motd || echo busy", options=["-v", f"{here}:/etc/motd"]).expect(
        "busy\n", err=lambda err: err.count("busy") == 2)
    expect_equal(here.read_text(), "host\n")


@test
def link_to_a_file_is_followed(t):
    here = t.file("file", "host\n")
    link = here.parent / "link"
    link.symlink_to("file")
    t.sh("cat /etc/motd; echo guest >> /etc/motd", options=["-v", f"{link}:/etc/motd"]).expect("host\n")
    expect_equal(here.read_text(), "host\nguest\n")
    expect(link.is_symlink(), "the link is one still")


@test
def kinds_must_agree(t):
    here = t.file("file", "host\n")
    for volume in (f"{here}:/etc", f"{here.parent}:/etc/passwd"):
        t.sh("true", options=["-v", volume]).expect("", status=125, err=lambda err: err.count("\n") == 1 and volume in err)


@test
def several_and_one_below_another(t):
    outer, inner = t.directory("outer"), t.directory("inner")
    (inner / "file").write_text("inner\n")
    t.sh("cat /mnt/sub/file; echo x > /mnt/top; echo y > /mnt/sub/low",
         options=["-v", f"{outer}:/mnt", "-v", f"{inner}:/mnt/sub"]).expect("inner\n")
    expect_equal((outer / "top").read_text(), "x\n")
    expect_equal((inner / "low").read_text(), "y\n")


@test
def relative_host_path(t):
    here = t.file("directory/file", "host\n")
    t.sh("cat /mnt/file", options=["-v", "directory:/mnt:ro"], cwd=here.parent.parent).expect("host\n")


@test
def by_do(t):
    here = t.file("file", "shown\n")
    t.do("cat", "/etc/hostname", options=["-v", f"{here}:/etc/hostname:ro"], cwd="/").expect("shown\n")


@test
def missing_on_the_host(t):
    t.sh("true", options=["-v", "/no/such:/mnt"]).expect("", status=125, err=lambda err: "/no/such" in err and err.count("\n") == 1)
    expect(not os.path.exists("/no/such"), "it was not made")
