# SPDX-License-Identifier: GPL-2.0-or-later
"""Servers and their clients, in one instance or in two: what people run on a network, as the distribution has it."""
import functools
import http.server
import re
import textwrap
import threading

from harness import expect, expect_equal, read_until, test
from network import GATEWAY, GUEST, free_port


def script_command(t, script, *arguments, options=()):
    """A shell script, as root in the tree of network programs; stops at the first failure."""
    return t.command("/bin/bash", "-c", "set -euo pipefail\n" + textwrap.dedent(script), "script", *arguments, root=t.network,
                     options=["-u", "0", *options])


def serve(t, script, *arguments, options=()):
    """Runs it. Its output."""
    return t.host(*script_command(t, script, *arguments, options=options)).expect(err=None).out


def number(pattern, text):
    found = re.search(pattern, text)
    expect(found, f"{pattern} in {text!r}")
    return float(found[1])


@test
def ping(t):
    out = serve(t, """
        for to in 127.0.0.1 ::1 10.0.2.15 10.0.2.2 umbra; do ping -q -c 2 -i 0.01 $to | grep transmitted; done
        ping -c 1 -t 7 127.0.0.1 | grep -o 'icmp_seq=1 ttl=64'
        su user -c 'ping -q -c 1 localhost | grep transmitted'
        { ping -q -c 1 10.0.2.77 || true; } | grep -o '100% packet loss'
    """)
    expect_equal(out.count(" 0% packet loss"), 6, out)
    expect("ttl=64" in out and "100% packet loss" in out, out)


@test
def redis(t):
    out = serve(t, """
        redis-server --save '' --daemonize yes --logfile /tmp/log >/dev/null
        until redis-cli ping 2>/dev/null | grep -q PONG; do sleep 0.05; done
        redis-cli set key value; redis-cli get key
        redis-benchmark -c 10 -n 2000 -t set,get --csv
        redis-cli shutdown nosave
        grep -i 'error' /tmp/log || true
    """)
    expect(out.startswith("OK\nvalue\n"), out)
    for name in "SET", "GET":
        expect(number(f'"{name}","([0-9.]+)"', out) > 0, out)
    expect("rror" not in out, out)


@test
def nginx(t):
    out = serve(t, """
        head -c 1000000 /dev/urandom >/var/www/html/large
        nginx
        curl -sS http://127.0.0.1/ | grep -o 'Welcome to nginx' | head -n 1
        curl -sS http://localhost/large | cmp - /var/www/html/large
        curl -sS -o /dev/null -w '%{http_code}\\n' http://[::1]/none
        wrk -c 20 -t 2 -d 1 --timeout 60s http://127.0.0.1/
        nginx -s quit
    """)
    expect(out.startswith("Welcome to nginx\n404\n"), out)
    expect(number("([0-9]+) requests in", out) > 0 and "errors" not in out and "Non-2xx" not in out, out)


@test
def postgresql(t):
    out = serve(t, """
        export PATH=$PATH:$(echo /usr/lib/postgresql/*/bin) HOME=/tmp
        mkdir -p /srv/data /run/postgresql; chown postgres /srv/data /run/postgresql
        cat >/tmp/work <<'END'
        set -e
        cd /srv/data
        initdb -N -A trust -D d >/dev/null
        pg_ctl -D d -w -l log -o -F start >/dev/null
        createdb -h 127.0.0.1 b
        pgbench -q -i -h 127.0.0.1 b >/dev/null 2>&1
        pgbench -h 127.0.0.1 -c 4 -j 2 -t 25 b 2>&1
        psql -h ::1 -At -c 'select sum(abalance) = (select sum(bbalance) from pgbench_branches) from pgbench_accounts' b
        pg_ctl -D d -w -m fast stop >/dev/null
END
        su postgres -s /bin/bash -c "PATH=$PATH bash /tmp/work"
    """)
    expect("actually processed: 100/100" in out and "failed transactions: 0 " in out, out)
    expect(out.endswith("\nt\n"), out)


@test
def ssh(t):
    """With a terminal and without, and a file there and back."""
    out = serve(t, """
        mkdir -p /run/sshd ~/.ssh; chmod 700 ~/.ssh
        ssh-keygen -q -t ed25519 -N '' -f ~/.ssh/id_ed25519; cp ~/.ssh/id_ed25519.pub ~/.ssh/authorized_keys
        ssh-keygen -q -A >/dev/null
        printf 'Host *\\n Port 2222\\n StrictHostKeyChecking accept-new\\n LogLevel ERROR\\n' >~/.ssh/config
        /usr/sbin/sshd -p 2222 # goes into the background first, and listens then
        until ssh localhost true 2>/dev/null; do sleep 0.05; done
        ssh localhost 'echo $SSH_CONNECTION | cut -d " " -f 1,3,4'
        ssh -4 localhost 'exit 9' || echo $?
        head -c 300000 /dev/urandom >/tmp/there
        ssh localhost 'cat' </tmp/there | cmp - /tmp/there
        scp -q /tmp/there localhost:/tmp/copy; cmp /tmp/there /tmp/copy
        ssh -tt localhost tty </dev/null
        kill $(cat /run/sshd.pid)
    """)
    expect_equal(out.replace("\r", ""), "::1 ::1 2222\n9\n/dev/pts/0\n")


@test
def git(t):
    out = serve(t, """
        export HOME=/tmp
        git config --global user.email user@umbra; git config --global user.name user
        git init -q -b main /srv/r; cd /srv/r; head -c 1000000 /dev/urandom >large; git add .; git commit -qm one
        git daemon --base-path=/srv --export-all --enable=receive-pack --reuseaddr --detach --pid-file=/tmp/pid
        until git ls-remote -q git://127.0.0.1/r >/dev/null 2>&1; do sleep 0.05; done
        cd /tmp; git clone -q git://127.0.0.1/r copy; cmp copy/large /srv/r/large
        cd copy; echo two >small; git add .; git commit -qm two; git push -q origin HEAD:other
        git -C /srv/r log --format=%s other
        kill $(cat /tmp/pid)
    """)
    expect_equal(out, "two\none\n")


@test
def iperf(t):
    """One stream, several backwards, and datagrams."""
    out = serve(t, """
        measure() {
            iperf3 -s -1 -D --pidfile /tmp/pid
            until ss -Hltn | grep -q :5201; do sleep 0.05; done
            iperf3 -t 1 "$@" 2>&1
            while ss -Hltn | grep -q :5201; do sleep 0.05; done
        }
        measure -c 127.0.0.1
        measure -c ::1 -R -P 3
        measure -c 127.0.0.1 -u -b 10M
    """)
    expect_equal(out.count("iperf Done."), 3, out)
    expect("error" not in out and "not available" not in out, out)


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


@test
def clients_of_a_web_server_of_the_hosts(t):
    """curl, wget and git's clone, from the host's loopback."""
    site = t.directory("site")
    volume = ["-v", f"{site}:/site"]
    serve(t, """
        head -c 3000000 /dev/urandom >/site/large
        export HOME=/tmp
        git config --global user.email user@umbra; git config --global user.name user
        git init -q -b main /tmp/r; cd /tmp/r; cp /site/large .; git add .; git commit -qm one
        git clone -q --bare . /site/r; git -C /site/r update-server-info
    """, options=volume)
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=site))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    out = serve(t, """
        for get in 'curl -sS' '/busybox wget -q -O -'; do $get $1/large | cmp - /site/large; done
        curl -sS -o /dev/null -w '%{http_code}\\n' $1/none
        /busybox wget -q -O - $1/none 2>&1 | grep -o 404 || true
        git clone -q $1/r /tmp/copy; cmp /tmp/copy/large /site/large; git -C /tmp/copy log --format=%s
    """, f"http://{GATEWAY}:{server.server_port}", options=[*volume, "-v", "/bin/busybox:/busybox:ro", "--host-loopback"])
    expect_equal(out, "404\n404\none\n")


@test
def clients_of_another_instance(t):
    """ssh, and git's clone by it and by git's own protocol, to ports that the servers' instance has published."""
    keys, ports = ["-v", f"{t.directory('keys')}:/keys"], [free_port(), free_port()]
    server = t.start(script_command(t, """
        mkdir -p /run/sshd ~/.ssh; chmod 700 ~/.ssh
        ssh-keygen -q -t ed25519 -N '' -f /keys/key; cp /keys/key.pub ~/.ssh/authorized_keys
        ssh-keygen -q -A >/dev/null
        /usr/sbin/sshd -p 2222
        git config --global user.email user@umbra; git config --global user.name user
        git init -q -b main /srv/r; cd /srv/r; head -c 1000000 /dev/urandom >large; git add .; git commit -qm one
        git daemon --base-path=/srv --export-all --reuseaddr --detach
        until ss -Hltn | grep -q :9418; do sleep 0.05; done
        echo ready; read line
    """, options=[*keys, "-p", f"127.0.0.1:{ports[0]}:2222", "-p", f"127.0.0.1:{ports[1]}:9418"]), stdin=-1)
    read_until(server.stdout, b"ready\n")
    out = serve(t, """
        cp /keys/key /tmp/key; chmod 600 /tmp/key; cd /tmp
        export GIT_SSH_COMMAND='ssh -i /tmp/key -o StrictHostKeyChecking=accept-new -o LogLevel=ERROR'
        there="$GIT_SSH_COMMAND -p $2 root@$1"
        $there 'echo $SSH_CONNECTION | cut -d " " -f 1,3,4'
        head -c 3000000 /dev/urandom >data; $there cat <data | cmp - data
        git clone -q ssh://root@$1:$2/srv/r one; git clone -q git://$1:$3/r other
        cmp one/large other/large; git -C other log --format=%s
    """, GATEWAY, *ports, options=[*keys, "--host-loopback"])
    expect_equal(out, f"{GATEWAY} {GUEST} 2222\none\n")
    server.stdin.write(b"enough\n")
    t.ends(server, 0)
