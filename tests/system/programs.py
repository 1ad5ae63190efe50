# SPDX-License-Identifier: GPL-2.0-or-later
"""Programs of every kind, as they come: static and dynamic, shells and interpreters, a compiler and what it makes."""
import re

from harness import expect, test

HELLO = "#include <stdio.h>\nint main(int n, char **a) { printf(\"hello, %s\\n\", n > 1 ? a[1] : \"world\"); return 7; }\n"


def run_program(t, name, *arguments, options=(), **how):
    """A program of ours, shown in the guest under /programs."""
    return t.run(f"/programs/{name}", *arguments, options=["-v", f"{t.programs}:/programs:ro", *options], **how)


@test
def static_glibc(t):
    run_program(t, "hello-glibc", "glibc").expect("hello, glibc\n")


@test
def static_musl(t):
    run_program(t, "hello-musl", "musl").expect("hello, musl\n")


@test
def static_in_the_built_in_tree(t):
    run_program(t, "hello-musl", "musl", root=None).expect("hello, musl\n")


@test
def dynamic_glibc(t):
    t.run("/usr/bin/uname", "-sm").expect("Linux x86_64\n")
    t.run("/lib64/ld-linux-x86-64.so.2", "/bin/echo", "by the loader").expect("by the loader\n")


@test
def bash(t):
    script = """
        set -euo pipefail
        words=(one two three)
        for word in "${words[@]}"; do printf '%s ' "${word^^}"; done
        echo $(( $(printf 'x%.0s' {1..1000} | wc -c) + ${#words[@]} ))
        cat <<< "here" | tr a-z A-Z
        diff <(seq 5) <(printf '%s\\n' 1 2 3 4 5) && echo same
        (exit 3) || echo "status $?"
        trap 'echo left' EXIT
    """
    t.run("bash", "-c", script).expect("ONE TWO THREE 1003\nHERE\nsame\nstatus 3\nleft\n")


@test
def coreutils(t):
    script = """
        set -e
        cd "$(mktemp -d)"
        seq 1000 | shuf | sort -n | md5sum | cut -c1-8
        mkdir -p a/b/c; echo data > a/b/c/file; ln -s b/c/file a/link; ln a/b/c/file a/hard
        cp -a a copy; cmp a/link copy/link; stat -c '%h %s' copy/hard
        mv copy moved; rm -r a; find moved -type f | sort
        dd if=/dev/zero of=sparse bs=1 count=1 seek=1048575 status=none; stat -c %s sparse
        touch -d '2020-02-02 02:02:02 UTC' dated; date -u -r dated +%F
        tail -c 3 moved/hard; df . >/dev/null; sync
        tar -cf all.tar moved && tar -tf all.tar | wc -l
        timeout 100 true; nohup true 2>/dev/null; env -i A=b env; printenv HOME
    """
    wanted = "ee01db18\n2 5\nmoved/b/c/file\nmoved/hard\n1048576\n2020-02-02\nta\n6\nA=b\n/root\n"
    t.sh(script).expect(lambda out: out.splitlines()[1:] == wanted.splitlines()[1:])


@test
def perl(t):
    script = r"""
        use strict; use warnings; use POSIX (); use File::Temp qw(tempfile);
        my ($file, $name) = tempfile(UNLINK => 1); print $file "line $_\n" for 1..100; close $file;
        open my $in, '<', $name or die; my $count = () = <$in>; print "lines $count\n";
        my $pid = fork // die; if (!$pid) { POSIX::_exit(5) } waitpid $pid, 0; print "status ", $? >> 8, "\n";
        print join(',', map { sprintf '%x', $_ } grep { $_ % 7 == 0 } 0..50), "\n"; print `echo sub`;
        local $SIG{ALRM} = sub { print "alarm\n" }; kill ALRM => $$;
    """
    t.run("perl", "-e", script).expect("lines 100\nstatus 5\n0,7,e,15,1c,23,2a,31\nsub\nalarm\n")


@test
def python(t):
    script = """
import os, subprocess, threading, tempfile, mmap, select, socket, time, json
total = []
threads = [threading.Thread(target=lambda n=n: total.append(sum(range(n * 1000)))) for n in range(8)]
[thread.start() for thread in threads]; [thread.join() for thread in threads]
print(sorted(total)[-1])
print(subprocess.run(['sh', '-c', 'echo out; echo err >&2; exit 4'], capture_output=True))
with tempfile.NamedTemporaryFile() as file:
    file.truncate(1 << 20)
    with mmap.mmap(file.fileno(), 0) as area:
        area[12345:12350] = b'bytes'
    print(os.pread(file.fileno(), 5, 12345))
left, right = socket.socketpair()
left.send(b'through'); print(select.select([right], [], [])[0] == [right], right.recv(100))
print(json.dumps({'a': [1, 2.5, None]}), time.time() > 1e9, os.cpu_count() >= 1)
"""
    t.run("python3", "-c", script).expect(
        "24496500\nCompletedProcess(args=['sh', '-c', 'echo out; echo err >&2; exit 4'], returncode=4, "
        "stdout=b'out\\n', stderr=b'err\\n')\nb'bytes'\nTrue b'through'\n"
        '{"a": [1, 2.5, null]} True True\n')


@test
def compiler(t):
    """gcc inside, and what it makes."""
    source = t.file("hello.c", HELLO)
    script = "cd /tmp && cp /src/hello.c . && gcc -O2 -Wall hello.c && ./a.out dynamic; echo $?; " \
             "gcc -static hello.c -o static && ./static static"
    t.sh(script, options=["-v", f"{source.parent}:/src:ro"]).expect("hello, dynamic\n7\nhello, static\n", status=7)


@test
def make_in_parallel(t):
    for number in range(6):
        t.file(f"src/part{number}.c", f"int part{number}(void) {{ return {number}; }}\n")
    calls = " + ".join(f"part{number}()" for number in range(6))
    declared = "".join(f"int part{number}(void); " for number in range(6))
    t.file("src/main.c", f"#include <stdio.h>\n{declared}\nint main(void) {{ printf(\"%d\\n\", {calls}); return 0; }}\n")
    t.file("src/Makefile", "objects := $(patsubst %.c,%.o,$(wildcard *.c))\nprogram: $(objects)\n\tgcc -o $@ $^\n")
    t.sh("cp -r /src /tmp/build && cd /tmp/build && make -s -j3 && ./program",
         options=["-v", f"{t.scratch}/src:/src:ro"]).expect("15\n")


@test
def scripts_by_their_first_line(t):
    t.file("bin/direct", "#!/bin/sh\necho \"$0 $*\"\n", 0o755)
    t.file("bin/python", "#!/usr/bin/env -S python3 -s\nimport sys; print(sys.argv[1:])\n", 0o755)
    options = ["-v", f"{t.scratch}/bin:/scripts:ro"]
    t.run("/scripts/direct", "a", "b", options=options).expect("/scripts/direct a b\n")
    t.run("/scripts/python", "c d", options=options).expect("['c d']\n")


@test
def process_tools(t):
    """What reads /proc finds what it needs."""
    t.sh("ps -e -o pid=,comm= | head -2; ps -e -o args= | grep -c '^[p]s -e'; ps aux | wc -l").expect(
        lambda out: re.match(r" *1 init\n +\d+ sh\n1\n[5-7]\n$", out))
    t.sh("free -m && uptime && vmstat && top -b -n 1 | head -20 && pgrep -x sh && pidof sh; w >/dev/null; nproc; "
         "lscpu >/dev/null; findmnt -n -o FSTYPE /proc").expect(
        lambda out: "Mem:" in out and "load average" in out and "PID" in out and out.endswith("proc\n"), status=None)


@test
def many_cpus(t):
    """A program with POSIX threads that run at once, for which every CPU is used."""
    cpus = 4 if t.backend == "seccomp" else 1
    for name in ("storms-glibc", "storms-musl"):
        result = run_program(t, name, "threads", options=["--cpus", cpus]).expect(None)
        expect("threads: ok" in result.out, result)
    t.run("nproc", options=["--cpus", cpus]).expect(f"{cpus}\n")


@test
def server_on_loopback(t):
    """A web server and its clients, over IPv4 and IPv6, and a name that stands in /etc/hosts."""
    script = """
        import http.server, socket, threading, urllib.request
        class Server(http.server.ThreadingHTTPServer):
            address_family = socket.AF_INET6
        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                body = self.path.encode() * 10000
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)
            def log_message(self, *arguments):
                pass
        server = Server(("::", 0), Handler)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        got = []
        def fetch(host, name):
            with urllib.request.urlopen(f"http://{host}:{server.server_port}/{name}", timeout=60) as answer:
                got.append((name, len(answer.read())))
        clients = [threading.Thread(target=fetch, args=(host, f"{i}")) for i in range(4)
                   for host in ("127.0.0.1", "[::1]", "localhost")]
        for client in clients: client.start()
        for client in clients: client.join()
        server.shutdown()
        print(len(got), set(size for name, size in got))
    """
    hosts = "printf '127.0.0.1 localhost\\n' > /etc/hosts; exec python3 -c \"$0\""
    t.run("sh", "-c", hosts, "\n".join(line[8:] for line in script.splitlines())).expect("12 {20000}\n")


@test
def system_v_ipc_tools(t):
    script = """
        set -e
        ipcmk -S 3 | cut -d: -f1; ipcmk -Q | cut -d: -f1; ipcmk -M 4096 | cut -d: -f1
        ipcs | grep -c 0x
        ipcrm --all
        ipcs | grep -c 0x || echo none
    """
    t.run("sh", "-c", script).expect("Semaphore id\nMessage queue id\nShared memory id\n3\n0\nnone\n")


@test
def namespaces_of_mounts_and_names(t):
    script = """
        set -e
        unshare --mount --uts sh -c 'mount -t tmpfs none /mnt; touch /mnt/inside; hostname inside; ls /mnt; hostname'
        ls /mnt; hostname
        unshare --uts sleep 100 & other=$!
        while [ "$(readlink /proc/$other/ns/uts)" = "$(readlink /proc/self/ns/uts)" ]; do :; done
        nsenter --target $other --uts sh -c 'hostname theirs; hostname'; hostname
        kill $other
    """
    t.run("sh", "-c", script).expect("inside\ninside\numbra\ntheirs\numbra\n")


@test
def filters_of_libseccomp(t):
    """apt's library: a filter that it makes, for all threads, and a listener."""
    script = """
import ctypes, errno, os
library, libc = ctypes.CDLL('libseccomp.so.2'), ctypes.CDLL(None, use_errno=True)
library.seccomp_init.restype = ctypes.c_void_p
ALLOW, ERRNO, NOTIFY, SYNC = 0x7fff0000, 0x50000, 0x7fc00000, 4
def load(call, action, *attributes):
    context = ctypes.c_void_p(library.seccomp_init(ALLOW))
    number = library.seccomp_syscall_resolve_name(call)
    for attribute in attributes:
        library.seccomp_attr_set(context, attribute, 1)
    return number, library.seccomp_rule_add(context, action, number, 0), library.seccomp_load(context), context
number, added, loaded, _ = load(b'getppid', ERRNO | errno.EXDEV, SYNC)
print(added, loaded, libc.syscall(number), errno.errorcode[ctypes.get_errno()], flush=True)
number, added, loaded, context = load(b'getpgid', NOTIFY)
print(added, loaded, os.readlink(f'/proc/self/fd/{library.seccomp_notify_fd(context)}'), flush=True)
os.execvp('grep', ['grep', 'Seccomp', '/proc/self/status'])
"""
    t.run("python3", "-c", script).expect(
        "0 0 -1 EXDEV\n0 0 anon_inode:seccomp notify\nSeccomp:\t2\nSeccomp_filters:\t2\n")


@test
def mounts_as_tools_make_and_show_them(t):
    script = """
        set -e
        cd /
        mount -t tmpfs -o size=1m,mode=700 scratch /mnt
        findmnt -rno SOURCE,FSTYPE,OPTIONS /mnt
        mountpoint -q /mnt && echo mounted
        mkdir /mnt/a /mnt/b /mnt/c
        mount -t tmpfs below /mnt/a
        mount --make-rshared /mnt
        findmnt -rRno TARGET,PROPAGATION /mnt
        mount --rbind /mnt /mnt/b
        findmnt -no TARGET /mnt/b/a
        mount -o bind,ro /mnt/a /mnt/c
        touch /mnt/a/x
        touch /mnt/c/y 2>&1 | sed 's/.*: //'
        mount -o remount,size=2m /mnt
        findmnt -no OPTIONS --first-only /mnt
        umount -R /mnt
        mountpoint -q /mnt || echo gone
        echo 'none /mnt tmpfs size=3m,nosuid 0 0' > /etc/fstab
        mount -a
        findmnt -no OPTIONS /mnt
        (cd /mnt && umount /mnt 2>&1 | sed 's/.*: //'; umount -l /mnt)
        mountpoint -q /mnt || echo gone
    """
    expected = [
        "scratch tmpfs rw,relatime,size=1024k,mode=700",
        "mounted",
        "/mnt shared",
        "/mnt/a shared",
        "/mnt/b/a",
        "Read-only file system",
        "rw,relatime,size=2048k,mode=700",
        "gone",
        "rw,nosuid,relatime,size=3072k",
        "target is busy.",
        "gone",
    ]
    t.run("sh", "-c", script).expect("\n".join(expected) + "\n")
