# SPDX-License-Identifier: GPL-2.0-or-later
# Runs $modules of Python's own suite. Prints "pass NAME" for each test that passes.
python3 -m test -o -j2 --timeout 600 --junit-xml results.xml $modules > log 2>&1
python3 - <<'PYTHON'
import xml.etree.ElementTree as tree
for case in tree.parse("results.xml").iter("testcase"):
    if not any(child.tag in ("failure", "error", "skipped") for child in case):
        print("pass", case.get("name"))
PYTHON
grep -E 'failed|crashed|timed out|^FAIL|^ERROR' log | sort -u; grep -A10 slowest log
