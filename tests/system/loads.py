# SPDX-License-Identifier: GPL-2.0-or-later
"""redis-benchmark, wrk, pgbench and iperf3 to their ends, without an error, with one virtual CPU and with four: beside their
server on the guest's loopback, and from a second instance that reaches the server's instance by its published ports."""
import dataclasses
import textwrap
import typing

from harness import expect, expect_equal, read_until, test
from network import GATEWAY, free_port
from services import number, script_command

#: The ptrace backend has one.
CPUS = {"seccomp": (1, 4), "ptrace": (1,)}


@dataclasses.dataclass
class Load:
    """Shell scripts, as root in the tree of network programs: `serve` returns when servers listen at `ports`; `measure` finds
    them at $HOST and $1, $2...; `judge` has what it said."""
    ports: tuple
    serve: str
    measure: str
    judge: typing.Callable
    datagrams: bool = False


def redis_is_fine(out):
    for name in "SET", "GET", "LPUSH":
        expect(number(f'"{name}","([0-9.]+)"', out) > 0, out)
    expect("rror" not in out, out)


def wrk_is_fine(out):
    expect(number("([0-9]+) requests in", out) > 0, out)
    expect("errors" not in out and "Non-2xx" not in out, out)


def pgbench_is_fine(out):
    expect("actually processed: 100/100" in out and "failed transactions: 0 " in out, out)
    expect("error" not in out and "abort" not in out, out)


def iperf_is_fine(out):
    expect_equal(out.count("iperf Done."), 3, out)
    expect("error" not in out and "unable" not in out and "not available" not in out, out)


REDIS = Load((6379,), """
    redis-server --save '' --protected-mode no --daemonize yes --logfile /tmp/log >/dev/null
    until redis-cli ping 2>/dev/null | grep -q PONG; do sleep 0.05; done
""", """
    redis-benchmark -h $HOST -p $1 -c 10 -n 2000 -t set,get,lpush --csv
    redis-benchmark -h $HOST -p $1 -c 10 -n 2000 -P 16 -t set,get --csv
""", redis_is_fine)

WRK = Load((80,), "nginx", "wrk -c 20 -t 2 -d 1 --timeout 60s http://$HOST:$1/", wrk_is_fine)

PGBENCH = Load((5432,), """
    mkdir -p /srv/data /run/postgresql; chown postgres /srv/data /run/postgresql
    cat >/tmp/work <<'END'
    set -e
    cd /srv/data
    initdb -N -A trust -D d >/dev/null
    echo 'host all all all trust' >>d/pg_hba.conf
    pg_ctl -D d -w -l log -o "-F -c listen_addresses='*'" start >/dev/null
END
    su postgres -s /bin/bash -c "PATH=$PATH:$(echo /usr/lib/postgresql/*/bin) bash /tmp/work"
""", """
    export PGHOST=$HOST PGPORT=$1 PGUSER=postgres PATH=$PATH:$(echo /usr/lib/postgresql/*/bin)
    pgbench -q -i >/dev/null 2>&1
    pgbench -c 4 -j 2 -t 25 2>&1
""", pgbench_is_fine)

#: A stream, several backwards, and datagrams; each has a server, since one that has just measured is deaf for a moment.
IPERF = Load((5201, 5202, 5203), """
    for port in "$@"; do iperf3 -s -D -p $port; done
    until [ $(ss -Hltn | grep -c ':520[123] ') = 3 ]; do sleep 0.05; done
""", """
    iperf3 -c $HOST -p $1 -t 1 2>&1
    iperf3 -c $HOST -p $2 -t 1 -R -P 3 2>&1
    iperf3 -c $HOST -p $3 -t 1 -u -b 10M 2>&1
""", iperf_is_fine, datagrams=True)


def bash(t, scripts, host, ports, cpus, *options):
    return script_command(t, "\n".join(map(textwrap.dedent, scripts)), *ports,
                          options=["--cpus", cpus, "-e", f"HOST={host}", *options])


def on_loopback(t, load):
    for cpus in CPUS[t.backend]:
        load.judge(t.host(*bash(t, [load.serve, load.measure], "127.0.0.1", load.ports, cpus)).expect(err=None).out)


def published(t, load):
    for cpus in CPUS[t.backend]:
        outer = [free_port() for _ in load.ports]
        ways = [f"127.0.0.1:{host}:{guest}{kind}" for host, guest in zip(outer, load.ports)
                for kind in (["", "/udp"] if load.datagrams else [""])]
        server = t.start(bash(t, [load.serve, "echo ready; read line"], "127.0.0.1", load.ports, cpus,
                              *(word for way in ways for word in ("-p", way))), stdin=-1)
        read_until(server.stdout, b"ready\n")
        load.judge(t.host(*bash(t, [load.measure], GATEWAY, outer, cpus, "--host-loopback")).expect(err=None).out)
        server.stdin.write(b"enough\n")
        t.ends(server, 0)


@test
def redis_on_loopback(t):
    on_loopback(t, REDIS)


@test
def redis_published(t):
    published(t, REDIS)


@test
def wrk_on_loopback(t):
    on_loopback(t, WRK)


@test
def wrk_published(t):
    published(t, WRK)


@test
def pgbench_on_loopback(t):
    on_loopback(t, PGBENCH)


@test
def pgbench_published(t):
    published(t, PGBENCH)


@test
def iperf_on_loopback(t):
    on_loopback(t, IPERF)


@test
def iperf_published(t):
    published(t, IPERF)
