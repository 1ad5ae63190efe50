# SPDX-License-Identifier: GPL-2.0-or-later
"""Where the tree comes from: directories, archives in each compression, the built-in one, the host's; and what is
written to them."""
import hashlib
import os
import pathlib
import shutil
import stat
import subprocess

from harness import expect, expect_equal, read_until, test


def small_tree(t):
    """A tree of its own to write to, with static programs."""
    root = t.directory("small")
    for name in ("bin", "etc", "proc", "dev", "tmp"):
        (root / name).mkdir()
    program = root / "bin/storms"
    program.write_bytes((t.programs / "storms-musl").read_bytes())
    program.chmod(0o755)
    hello = root / "bin/hello"
    hello.write_bytes((t.programs / "hello-musl").read_bytes())
    hello.chmod(0o755)
    (root / "etc/name").write_text("small tree\n")
    (root / "etc/link").symlink_to("name")
    os.link(root / "etc/name", root / "etc/hard")
    return root


def picture(root):
    """All that a tree is, but for access times."""
    found = []
    for directory, names, files in os.walk(root):
        for name in sorted(names + files):
            path = os.path.join(directory, name)
            status = os.lstat(path)
            content = b""
            if stat.S_ISREG(status.st_mode):
                content = hashlib.sha256(pathlib.Path(path).read_bytes()).digest()
            elif stat.S_ISLNK(status.st_mode):
                content = os.readlink(path)
            found.append((path, status.st_mode, status.st_uid, status.st_gid, status.st_nlink, status.st_size,
                          status.st_mtime_ns, content))
    return sorted(found)


@test
def directory(t):
    t.run("cat", "/etc/debian_version", root=t.tree).expect(lambda out: out.startswith("12."))


@test
def archive(t):
    t.run("cat", "/etc/debian_version", root=t.tar).expect(lambda out: out.startswith("12."))


def compressed(t, kind, program):
    archive = t.scratch / f"small.tar{kind}"
    plain = t.scratch / "small.tar"
    subprocess.run(["tar", "--owner=0", "--group=0", "-C", str(small_tree(t)), "-cf", str(plain), "."], check=True)
    if program:
        with open(archive, "wb") as out:
            subprocess.run([*program, str(plain)], stdout=out, check=True)
    before = hashlib.sha256(archive.read_bytes()).digest()
    t.run("/bin/hello", "archive", root=archive).expect("hello, archive\n")
    t.run("/bin/storms", "execs", root=archive).expect("execs: ok\n")
    expect_equal(hashlib.sha256(archive.read_bytes()).digest(), before, "the archive itself")


@test
def archive_plain(t):
    compressed(t, "", None)


@test
def archive_gz(t):
    compressed(t, ".gz", ["gzip", "-c"])


@test
def archive_xz(t):
    compressed(t, ".xz", ["xz", "-c"])


@test
def archive_zst(t):
    compressed(t, ".zst", ["zstd", "-q", "-c"])


@test
def owners_modes_and_links_of_an_archive(t):
    """An ordinary user has a Debian that root owns, set-user-ID bits, owners and hard links included."""
    script = "stat -c '%U:%G %a' / /etc/passwd /usr/bin/passwd /etc/shadow /tmp /var/mail; " \
             "test $(stat -c %i /usr/bin/perl) = $(stat -c %i /usr/bin/perl5.36.0) && stat -c %h /usr/bin/perl; " \
             "readlink /bin; test -u /usr/bin/su && echo setuid"
    t.sh(script, root=t.tar).expect("root:root 755\nroot:root 644\nroot:root 4755\nroot:shadow 640\nroot:root 1777\n"
                                    "root:mail 2775\n2\nusr/bin\nsetuid\n")


@test(user="user")
def directory_of_an_ordinary_user_is_roots(t):
    root = small_tree(t)
    t.sh("stat -c '%u:%g' /tree/etc/name", root=None, options=["-v", f"{root}:/tree"]).expect("0:0\n")
    subprocess.run(["cp", "/bin/busybox", str(root / "bin/busybox")], check=True)
    t.run("/bin/busybox", "stat", "-c", "%u:%g", "/etc/name", root=root).expect("0:0\n")


@test
def built_in_tree(t):
    t.sh("busybox | head -1; ls /bin/sh; touch /new && ls /new; mount | grep -c ' /proc '", root=None).expect(
        lambda out: out.startswith("BusyBox v") and out.endswith("/bin/sh\n/new\n1\n"))


@test
def lower_layer_stays_as_it_was(t):
    """Every way to change a file there is; the host's tree shows nothing of it."""
    root = small_tree(t)
    script = """
        set -e
        cd /
        echo more >> etc/name; cat etc/hard; cat etc/link
        : > etc/hard; chmod 600 etc/name; touch -d 2001-01-01 bin/hello; mv etc moved; mkdir etc; echo new > etc/name
        rm bin/hello; ln moved/name second; ln -sf nowhere moved/link; mkdir -p deep/er; rmdir tmp
        mv bin/storms bin/other; truncate -s 100 bin/other; dd if=/dev/zero of=bin/other bs=1 count=1 seek=5 conv=notrunc
        find . | sort | tr '\\n' ' '
    """
    subprocess.run(["cp", "/bin/busybox", str(root / "bin/busybox")], check=True)
    before = picture(root)
    result = t.run("/bin/busybox", "sh", "-c", script, root=root,
                   options=["-e", "PATH=/none"])
    expect_equal(result.status, 0, result)
    expect("more" in result.out and "/second" in result.out, result)
    expect_equal(picture(root), before, "the tree on the host")


@test(user="root")
def debian_tree_stays_as_it_was(t):
    """As above with what Debian's tools do, dpkg's database included."""
    marks = [f"{t.tree}/etc/passwd", f"{t.tree}/etc", f"{t.tree}/usr/bin", f"{t.tree}/var/lib/dpkg/status", f"{t.tree}/root"]

    def look():
        return [(os.lstat(path).st_mtime_ns, os.lstat(path).st_size) for path in marks]
    before = look()
    t.sh("useradd -m someone && id someone && rm -r /usr/bin/perl* && ! perl -v 2>/dev/null && "
         "sed -i s/root/toor/ /etc/passwd && head -c 4 /etc/passwd && dpkg --purge --force-all make >/dev/null 2>&1 && ! which make",
         root=t.tree).expect(lambda out: out.endswith("\ntoor"))
    expect_equal(look(), before, "times and sizes on the host")


@test
def instances_do_not_see_each_other(t):
    first = t.start(t.command("/bin/sh", "-c", "echo mine > /etc/motd; echo written; read go; cat /etc/motd"), stdin=-1)
    read_until(first.stdout, b"written\n")
    t.sh("cat /etc/motd 2>/dev/null; echo theirs > /etc/motd").expect(lambda out: "mine" not in out)
    first.stdin.write(b"go\n")
    first.stdin.flush()
    expect_equal(t.ends(first, 0).out, "mine\n")


@test
def written_through(t):
    """--rw: the directory itself."""
    root = small_tree(t)
    subprocess.run(["cp", "/bin/busybox", str(root / "bin/busybox")], check=True)
    script = "echo new > /etc/new; echo more >> /etc/name; mv /bin/hello /bin/renamed; mkdir -p /a/b; ln /etc/new /a/hard; " \
             "ln -s /etc/new /a/soft; chmod 640 /etc/new; rm /etc/link; rmdir /tmp"
    t.run("/bin/busybox", "sh", "-c", script, root=root, options=["--rw"]).expect("")
    expect_equal((root / "etc/new").read_text(), "new\n")
    expect_equal((root / "etc/hard").read_text(), "small tree\nmore\n")
    expect_equal(stat.S_IMODE((root / "a/hard").stat().st_mode), 0o640)
    expect_equal(os.readlink(root / "a/soft"), "/etc/new")
    expect((root / "bin/renamed").exists() and not (root / "bin/hello").exists(), "the renamed file")
    expect(not (root / "etc/link").is_symlink() and not (root / "tmp").exists(), "what was removed")
    expect_equal((root / "etc/new").stat().st_uid, os.geteuid(), "the owner on the host")


@test
def mapped_writes_reach_the_host(t):
    """What is written through a mapping is on the host when the instance has ended."""
    data = t.file("data/file", b"." * 100000)
    script = "import mmap,os; f=os.open('/data/file', os.O_RDWR); m=mmap.mmap(f, 0); m[70000:70005]=b'magic'"
    t.run("python3", "-c", script, options=["-v", f"{data.parent}:/data"]).expect("")
    expect_equal(data.read_bytes()[69999:70006], b".magic.")


@test
def host_tree_by_do(t):
    """`umbra do`: the host's files, the current directory, the calling user; writes are gone at the end."""
    here = t.directory("here")
    (here / "input").write_text("from the host\n")
    result = t.do("sh", "-c", "pwd; id -u; cat input; echo changed > input; echo new > output; cat output", cwd=here)
    result.expect(f"{here}\n{os.geteuid()}\nfrom the host\nnew\n")
    expect_equal(sorted(path.name for path in here.iterdir()), ["input"])
    expect_equal((here / "input").read_text(), "from the host\n")


@test
def root_by_do(t):
    t.do("id", "-u", options=["-u", "0"]).expect("0\n")
    t.do("sh", "-c", "touch /usr/bin/new-program /etc/new && ls /usr/bin/new-program", options=["-u", "0"], cwd="/").expect(
        "/usr/bin/new-program\n")
    expect(not os.path.exists("/usr/bin/new-program"), "the host has it")


@test
def build_by_do(t):
    """`umbra do -- make` just works."""
    here = t.directory("project")
    (here / "Makefile").write_text("program: main.o other.o\n\tgcc -o $@ $^\n")
    (here / "main.c").write_text("#include <stdio.h>\nint other(void);\nint main(void) { printf(\"%d\\n\", other()); }\n")
    (here / "other.c").write_text("int other(void) { return 42; }\n")
    t.do("make", "-s", "-j2", cwd=here).expect("")
    expect_equal(sorted(path.name for path in here.iterdir()), ["Makefile", "main.c", "other.c"])
    t.do("sh", "-c", "make -s && ./program", cwd=here).expect("42\n")


@test
def building_umbra_by_do(t):
    """`umbra do -- tools/dev build`, cold: the configuration and the parts that stubs are made of, without a cache."""
    # The caller's own copy: he could not build in somebody else's directory.
    sources = t.scratch / "sources"
    shutil.copytree(t.lane.sources, sources)
    targets = ["arch-um/stub/stub.elf", "tests/system/hello-glibc"]
    t.do("sh", "-c", f"tools/dev build {' '.join(targets)} && build/tests/system/hello-glibc built", cwd=sources,
         options=["-e", f"CCACHE_DIR={t.scratch}/ccache"]).expect(lambda out: out.endswith("\nhello, built\n"), err=None)
    expect(not (sources / "build").exists(), "the host has a build directory")
    expect_equal(list(t.scratch.iterdir()), [sources], "the host has the compiler's cache")
