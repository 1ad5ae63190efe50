#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Writes docs/syscalls.md from core/syscall/table.def: the rows that `umbra syscalls` prints. --check only compares."""
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
TABLE = ROOT / "core/syscall/table.def"
PAGE = ROOT / "docs/syscalls.md"
ROW = re.compile(r'^(SYSCALL|REFUSED|MISSING)\((\d+), (\w+),(?: (full|partial|refused),)? "((?:[^"\\]|\\.)*)"')
HEAD = """# System calls

The table of Linux 6.12's x86-64 system calls as Umbra has them. Made from `core/syscall/table.def` by
`tools/syscalls-page.py`; `umbra syscalls` prints the same rows. *full*: as Linux has it; *partial*: with what
the note says missing; *refused*: the error that Linux gives where the feature is configured off, locked down or
absent; *missing*: ENOSYS.

"""


def page():
    rows, count = [], {"full": 0, "partial": 0, "refused": 0, "missing": 0}
    for line in TABLE.read_text().splitlines():
        if match := ROW.match(line):
            kind, number, name, level, note = match.groups()
            level = level or kind.lower()
            note = "ENOSYS " + note if kind == "REFUSED" else note
            count[level] += 1
            rows.append((int(number), f"| {number} | {name} | {level} | {note} |"))
    summary = f"{count['full']} full, {count['partial']} partial, {count['refused']} refused, {count['missing']} missing.\n\n"
    table = ["| number | name | level | note |", "|---|---|---|---|"] + [text for _, text in sorted(rows)]
    return HEAD + summary + "\n".join(table) + "\n"


def main():
    if sys.argv[1:] == ["--check"]:
        return 0 if PAGE.exists() and PAGE.read_text() == page() else 1
    PAGE.write_text(page())
    return 0


if __name__ == "__main__":
    sys.exit(main())
