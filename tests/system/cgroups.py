# SPDX-License-Identifier: GPL-2.0-or-later
"""Control groups as a shell uses them: directories, echo and cat."""
from harness import test

#: Has the controllers at hand below the root, and waits for a word in a file.
PRELUDE = """
    cd /sys/fs/cgroup
    echo '+cpu +memory +pids' > cgroup.subtree_control
    mkdir g
    until_says() { while ! grep -qx "$2" "$1"; do sleep 0.01; done; }
"""


def cgroup_test(t, script, **how):
    return t.sh(PRELUDE + script, **how)


@test
def the_tree(t):
    cgroup_test(t, """
        cat cgroup.controllers cgroup.subtree_control
        sh -c 'echo $$ > g/cgroup.procs; cat /proc/self/cgroup; mkdir g/below; echo $$ > g/below/cgroup.procs; cat /proc/self/cgroup'
        cat g/cgroup.events
        rmdir g 2>/dev/null || echo busy
        rmdir g/below g && ls -d g 2>/dev/null || echo gone
        grep cgroup2 /proc/mounts | cut -d' ' -f2,3
    """).expect("cpu memory pids\ncpu memory pids\n0::/g\n0::/g/below\npopulated 0\nfrozen 0\nbusy\ngone\n"
                "/sys/fs/cgroup cgroup2\n")


@test
def a_fork_bomb_is_held(t):
    cgroup_test(t, """
        echo 20 > g/pids.max
        bash -c 'echo $$ > g/cgroup.procs; bomb() { bomb | bomb & }; bomb; wait' 2>/dev/null
        until_says g/pids.events 'max [1-9][0-9]*'
        test "$(cat g/pids.peak)" -le 20 && echo held
        echo 1 > g/cgroup.kill
        until_says g/cgroup.events 'populated 0'
        echo over
    """).expect("held\nover\n")


@test
def an_eater_is_killed_alone(t):
    cgroup_test(t, """
        echo 64M > g/memory.max
        sh -c 'echo $$ > g/cgroup.procs; exec python3 -c "x = bytearray(1 << 20); y = [bytearray(b\\"x\\" * (1 << 20)) for _ in range(300)]"'
        echo "status $?"
        grep oom_kill g/memory.events
        test "$(cat g/memory.peak)" -le 70000000 && echo bounded
        python3 -c 'print(len(bytearray(b"x" * (100 << 20))))'
    """, limit=120).expect("status 137\noom_kill 1\nbounded\n104857600\n", err=lambda text: "Traceback" not in text)


@test
def files_make_room(t):
    script = t.file("look.py", """
import mmap, os
total = 0
for directory, _, names in os.walk("/usr/lib"):
    for path in (os.path.join(directory, name) for name in names):
        if os.path.islink(path) or os.path.getsize(path) < 100_000: continue
        with open(path, "rb") as file, mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ) as text:
            total += sum(text[i] for i in range(0, len(text), 4096)) >= 0 and len(text)
print("enough" if total > 50_000_000 else total)
""")
    # Of an archive, pages are read into frames; those of a directory are the host's.
    cgroup_test(t, """
        echo 24M > g/memory.max
        sh -c 'echo $$ > g/cgroup.procs; exec python3 /look/look.py'
        grep oom_kill g/memory.events
    """, root=t.tar, options=["-v", f"{script.parent}:/look:ro"], limit=120).expect("enough\noom_kill 0\n")


@test
def frozen_and_thawed(t):
    cgroup_test(t, """
        bash -c 'echo $BASHPID > g/cgroup.procs; while :; do echo tick; sleep 0.01; done' > /tmp/ticks &
        until_says g/cgroup.events 'populated 1'
        until_says /tmp/ticks tick
        echo 1 > g/cgroup.freeze
        until_says g/cgroup.events 'frozen 1'
        before=$(wc -c < /tmp/ticks); sleep 0.2; after=$(wc -c < /tmp/ticks)
        test "$before" = "$after" && echo still
        echo 0 > g/cgroup.freeze
        while test "$(wc -c < /tmp/ticks)" = "$after"; do sleep 0.01; done
        echo moving
        echo 1 > g/cgroup.kill
        wait 2>/dev/null
        until_says g/cgroup.events 'populated 0'
        rmdir g && echo gone
    """).expect("still\nmoving\ngone\n", err=None)


@test
def a_quota_slows_down(t):
    cgroup_test(t, """
        echo '10000 100000' > g/cpu.max
        bash -c 'echo $BASHPID > g/cgroup.procs; for ((i = 0; i < 200000; i++)); do :; done'
        awk '/^usage_usec/ && $2 > 0 { print "counted" } /^nr_throttled/ && $2 > 0 { print "throttled" }' g/cpu.stat
    """, limit=120).expect("counted\nthrottled\n")
