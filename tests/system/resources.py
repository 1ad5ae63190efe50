# SPDX-License-Identifier: GPL-2.0-or-later
"""What an instance costs the host while its guest does nothing: no wake-up, little memory."""
import pathlib
import re
import time

from harness import children_of, expect, expect_equal, read_until, test, wait_until

MIB = 1 << 20
#: Beyond the guest's own pages: the kernel and its pool of stubs.
MEMORY = 8 * MIB
#: How much more the kernel may have of its own after much memory was used than after little.
LEFT_BEHIND = MIB


def sleeper(t):
    """A guest with a sleeping shell; its host processes, once they have settled."""
    process = t.start(t.command("/bin/sh", "-c", "echo ready; read line"), stdin=-1)
    read_until(process.stdout, b"ready\n")
    return process, settled(process)


def settled(process):
    """An instance's host processes, once they have gone to sleep."""
    pids = [process.pid, *children_of(process.pid)]
    last = [None]

    def same():
        before, last[0] = last[0], wake_ups(pids)
        time.sleep(0.5)
        return before == last[0]
    wait_until(same, "the instance to go to sleep")
    return pids


def wake_ups(pids):
    """How often their threads have gone to sleep so far."""
    return sum(int(re.search(r"^voluntary_ctxt_switches:\s*(\d+)", path.read_text(), re.M).group(1))
               for pid in pids for path in pathlib.Path(f"/proc/{pid}/task").glob("*/status"))


def mapped(pid):
    """(of all mappings, of those that show guest memory): Pss in bytes."""
    total = bank = 0
    in_bank = False
    for line in pathlib.Path(f"/proc/{pid}/smaps").read_text().splitlines():
        if re.match(r"[0-9a-f]+-[0-9a-f]+ ", line):
            in_bank = "memfd:umbra-bank" in line
        elif line.startswith("Pss:"):
            size = int(line.split()[1]) << 10
            total += size
            bank += size if in_bank else 0
    return total, bank


def own_memory(pid):
    """Bytes of the process's own: anonymous. Pss will not do, for what it says of files changes when other instances end."""
    text = pathlib.Path(f"/proc/{pid}/smaps").read_text()
    return sum(int(size) << 10 for size in re.findall(r"^Anonymous:\s*(\d+) kB", text, re.M))


@test
def an_idle_instance_never_wakes(t):
    process, pids = sleeper(t)
    before = wake_ups(pids)
    time.sleep(10)
    expect_equal(wake_ups(pids), before, "wake-ups in ten seconds")
    expect_equal(t.ends(process).status, 1, "status of read at the end of file")


@test(user="root")  # the host shows smaps of processes that are not dumpable to root only
def little_memory_beyond_the_guests(t):
    process, pids = sleeper(t)
    sizes = [mapped(pid) for pid in pids]
    beyond = sum(total - bank for total, bank in sizes)
    expect(beyond <= MEMORY, f"{beyond / MIB:.1f} MiB beyond the guest's pages")
    t.ends(process)


@test(user="root")
def memory_goes_back_to_the_host(t):
    use = "dd if=/dev/zero of=/dev/null bs={} count=1 2>&1 | tail -1; echo used; read line; "
    process = t.start(t.command("/bin/sh", "-c", use.format("1M") + use.format("1G") + use.format("1G"),
                                options=("--memory", "4G")), stdin=-1)
    own, bank = [], []
    for _ in range(3):
        read_until(process.stdout, b"used\n")
        own.append(own_memory(process.pid))
        bank.append(mapped(process.pid)[1])
        process.stdin.write(b"\n")
        process.stdin.flush()
    t.ends(process)
    for size in own[1:]:
        expect(size <= own[0] + LEFT_BEHIND, f"{(size - own[0]) / MIB:.1f} MiB of the kernel's own stay")
    for size in bank[1:]:
        expect(size <= bank[0] + 40 * MIB, f"{size / MIB:.1f} MiB of free guest memory stay")
