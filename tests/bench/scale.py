# SPDX-License-Identifier: GPL-2.0-or-later
"""What operations cost where there is much of something, and what processes do at once: `tools/dev bench --scale [KIND..]`.

scale.cpp runs on the host and in the guest: for each kind of thing with a hundredth, a tenth and all of its number, and for
system calls, faults and forks with 1, 2, 4 and 8 processes. Each figure is the median of the runs (with --best
the least)."""
SHARES = (100, 10, 1)
PARALLEL = ("syscalls", "faults", "forks")
PROCESSES = (1, 2, 4, 8)


def kinds(program, run):
    """{kind: its full number}"""
    return {name: int(value) for name, value in run([program, "--list"]).items()}


def measure(sides, command, runs, pick):
    """{operation: {side: ns}}; `sides`: {side: (the program as it sees it, how it is run to {operation: ns})}"""
    times = {}
    for _ in range(runs):
        for side, (program, run) in sides.items():
            for name, value in run([program, *map(str, command)]).items():
                times.setdefault(name, {}).setdefault(side, []).append(value)
    return {name: {side: pick(values) for side, values in per_side.items()} for name, per_side in times.items()}


def report(sides, names, runs, pick):
    """{"numbers": {kind: {number: {operation: {side: ns}}}}, "parallel": {kind: {processes: {side: ns}}}}"""
    full = kinds(*sides["host"])
    result = {"numbers": {}, "parallel": {}}
    for kind, number in full.items():
        if kind in names or not names:
            result["numbers"][kind] = {number // share: measure(sides, [kind, number // share], runs, pick) for share in SHARES}
    for kind in PARALLEL:
        if kind in names or not names:
            result["parallel"][kind] = {count: measure(sides, ["--parallel", kind, count], runs, pick).get(kind, {}) for count in PROCESSES}
    return result


def known(sides):
    return [*kinds(*sides["host"]), *PARALLEL]


def cell(value):
    return f"{value:,.0f}" if value is not None else "-"


def print_numbers(kind, by_number):
    counts = list(by_number)
    print(f"\n| {kind}, ns for one | " + " | ".join(f"host, {count:,}" for count in counts) + " | "
          + " | ".join(f"guest, {count:,}" for count in counts) + " | growth, host | guest |")
    print("|---" + "|--:" * (2 * len(counts) + 2) + "|")
    operations = [name for count in counts for name in by_number[count]]
    for name in dict.fromkeys(operations):
        values = {side: [by_number[count].get(name, {}).get(side) for count in counts] for side in ("host", "guest")}
        growth = [f"{v[-1] / v[0]:.1f}" if v[0] and v[-1] else "-" for v in values.values()]
        print("| " + " | ".join([name, *map(cell, values["host"]), *map(cell, values["guest"]), *growth]) + " |")


def print_parallel(by_kind):
    print("\n| at once, against one process | " + " | ".join(f"host, {n}" for n in PROCESSES) + " | "
          + " | ".join(f"guest, {n}" for n in PROCESSES) + " |")
    print("|---" + "|--:" * (2 * len(PROCESSES)) + "|")
    for kind, by_count in by_kind.items():
        cells = []
        for side in ("host", "guest"):
            one = by_count[1].get(side)
            cells += [f"{one / by_count[n][side]:.2f}" if one and by_count[n].get(side) else "-" for n in PROCESSES]
        first = [cell(by_count[1].get(side)) for side in ("host", "guest")]
        print(f"| {kind} ({first[0]} and {first[1]} ns for one) | " + " | ".join(cells) + " |")


def table(result):
    for kind, by_number in result["numbers"].items():
        print_numbers(kind, by_number)
    if result["parallel"]:
        print_parallel(result["parallel"])
