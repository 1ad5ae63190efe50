#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The rules of style that a script can check. Each check is a case: prints "ok NAME" or the offences and "FAILED NAME".

An offence that has its reason is excused in the file itself, in the first ten lines: `// size: why it is long`.
"""
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
CODE = (".cpp", ".h", ".c", ".S", ".def")
SCRIPTS = (".py", ".sh", ".build", ".yml")
# Where there is no Kernel to hang from: what a panic prints must work when everything else is broken.
PROCESS_GLOBALS = {"umbra::(anonymous namespace)::panic_hook"}
MAX_SOURCE, MAX_HEADER, MAX_FUNCTION = 500, 250, 60

# Law 1: who may include whom. tests may include everything.
ALLOWED = {
    "core/base": {"core/base"},
    "core": {"core"},
    "hostabi": {"hostabi", "core/base"},
    "drivers-virtual": {"drivers-virtual", "core", "hostabi"},
    "arch-um": {"arch-um", "core", "hostabi", "drivers-virtual"},
    "tools": {"tools", "arch-um", "drivers-virtual", "core", "hostabi"},
}

# The freestanding and container parts of C++ that core may use; <cstring> and friends for memcpy.
CORE_HEADERS = set("""algorithm array atomic bit bitset charconv cinttypes climits compare concepts cstdarg cstddef
    cstdint cstdlib cstring deque forward_list functional initializer_list iterator limits list map memory memory_resource
    new numeric optional queue set span stack string string_view tuple type_traits unordered_map unordered_set utility
    variant vector version cmath source_location ranges cstdio mutex""".split())
# The tests of core speak gtest, and a fake platform may use threads.
CORE_TEST_HEADERS = {"gtest/gtest.h", "gmock/gmock.h", "thread", "condition_variable", "random", "chrono",
                     "cerrno"}


def files():
    listed = subprocess.run(["git", "ls-files", "-co", "--exclude-standard"], cwd=ROOT, capture_output=True, text=True)
    if listed.returncode == 0 and listed.stdout:
        names = set(listed.stdout.splitlines())
    else:  # not a git tree, or not ours: what is on disk, but for build directories
        names = [str(path.relative_to(ROOT)) for path in ROOT.rglob("*")
                 if path.is_file() and not re.match(r"(build|\.)", str(path.relative_to(ROOT)))]
    return sorted(name for name in names if (ROOT / name).is_file())


def text_of(name):
    return (ROOT / name).read_text(errors="replace")


def code_files(suffixes=CODE):
    return [name for name in FILES if name.endswith(suffixes)]


def includes(name):
    for number, line in enumerate(text_of(name).splitlines(), 1):
        match = re.match(r"\s*#\s*include\s*([<\"])([^>\"]+)[>\"]", line)
        if match:
            yield number, match.group(1), match.group(2)


def area_of(name):
    for area in ("core/base", "core", "hostabi", "drivers-virtual", "arch-um", "tools"):
        if name.startswith(area + "/"):
            return area
    return None


def target_of(name, included):
    """The path in the tree that an include means, or None if it is none of ours."""
    for candidate in (included, str(pathlib.PurePosixPath(name).parent / included)):
        if (ROOT / candidate).is_file():
            return candidate
    return None


def include_edges():
    for name in code_files():
        area = area_of(name)
        if area is None or name.endswith("-test.cpp"):
            continue
        for number, _, included in includes(name):
            target = target_of(name, included)
            if target and not any(target.startswith(allowed + "/") for allowed in ALLOWED[area]):
                yield f"{name}:{number}: {area} must not include {target}"


def core_is_freestanding():
    for name in code_files():
        if not name.startswith("core/"):
            continue
        is_test = name.endswith("-test.cpp") or "/fake/" in name or "/test-" in name
        for number, kind, included in includes(name):
            if target_of(name, included) or included.startswith("absl/"):
                continue
            if included in CORE_HEADERS or is_test and included in CORE_TEST_HEADERS:
                continue
            yield f"{name}:{number}: core must not include <{included}>"


def heavy_headers():
    for name in code_files():
        for number, _, included in includes(name):
            if included in ("regex", "iostream", "format"):
                yield f"{name}:{number}: <{included}> is too heavy"


def spdx_lines():
    for name in code_files(CODE + SCRIPTS) + ["tools/dev"]:
        head = text_of(name).splitlines()[:2]
        if text_of(name) and not any("SPDX-License-Identifier: GPL-2.0-or-later" in line for line in head):
            yield f"{name}:1: the SPDX line is missing"


def file_comments():
    """After the SPDX line come two to ten lines on what the file is; one suffices for a small file."""
    for name in code_files((".cpp", ".h", ".S")):
        lines = text_of(name).splitlines()
        if len(lines) > 40 and not (len(lines) > 1 and re.match(r"(//|#|/?\*)", lines[1].strip())):
            yield f"{name}:2: say what the file is"


def file_names():
    exceptions = re.compile(r"^(README\.md|LICENSE|AUTHORS|CONTRIBUTING\.md|meson\.build|meson_options\.txt|__init__\.py|_umbra)$")
    for name in FILES:
        for part in name.split("/"):
            if part.startswith(".") or exceptions.match(part):
                continue
            if not re.fullmatch(r"[a-z0-9]+([.-][a-z0-9]+)*(\.S)?", part):
                yield f"{name}: kebab-case, please: {part}"
                break


def excused(text):
    return any(re.search(r"(//|#) size: \S+", line) for line in text.splitlines()[:10])


def file_sizes():
    for name in code_files((".cpp", ".h", ".c", ".S", ".py")):
        text = text_of(name)
        limit = MAX_HEADER if name.endswith(".h") else MAX_SOURCE
        length = text.count("\n")
        if length > limit and not excused(text):
            yield f"{name}: {length} lines, more than {limit}: split it, or say why in a line `// size: reason`"


def function_sizes():
    """By the layout that clang-format gives: a function's braces stand in the first column (or four in, in a class)."""
    for name in code_files((".cpp", ".h", ".c")):
        text = text_of(name)
        if excused(text):
            continue
        lines = text.splitlines()
        start, indent = None, ""
        for number, line in enumerate(lines, 1):
            match = re.fullmatch(r"( {0,4})\{", line)
            if match and start is None and number > 1 and re.search(r"[)\w>]\s*(const|noexcept|override)?$", lines[number - 2]):
                start, indent = number, match.group(1)
            elif start is not None and re.fullmatch(re.escape(indent) + r"\};?", line):
                if number - start - 1 > MAX_FUNCTION:
                    yield f"{name}:{start}: function of {number - start - 1} lines, more than {MAX_FUNCTION}"
                start = None


def core_globals():
    """Law 8: no mutable globals, no thread-locals. Asked of the compiled library, which cannot be fooled by layout."""
    library = ROOT / "build/libcore.a"
    if not library.exists():
        yield "build/libcore.a: build first"
        return
    table = subprocess.run(["objdump", "-tC", str(library)], capture_output=True, text=True).stdout
    member = ""
    for line in table.splitlines():
        if ":     file format" in line:
            member = line.split(":")[0]
        match = re.match(r"[0-9a-f]{16} .{7} (\.(?:data|bss|tdata|tbss)(?:\.\S+)?)\s+[0-9a-f]{16}\s+(.+)$", line)
        # Tables of pointers are relocated once and then read-only; section symbols have no size of their own.
        if match and not match.group(1).startswith(".data.rel.ro") and not match.group(2).startswith(".") \
                and match.group(2) not in PROCESS_GLOBALS:
            yield f"{member}: mutable global: {match.group(2)}: state hangs from Kernel"


def no_exceptions():
    for name in code_files((".cpp", ".h")):
        if not name.startswith(("core/", "hostabi/")) or name.endswith("-test.cpp"):
            continue
        for number, line in enumerate(text_of(name).splitlines(), 1):
            code = re.sub(r'"(\\.|[^"\\])*"', '""', line.split("//")[0])
            if re.search(r"\b(throw|try|catch)\b", code):
                yield f"{name}:{number}: the kernel is built without exceptions"


def machine_paths():
    """Nothing that is true on one machine only. Spelled in pieces, so that this file passes."""
    words = ["/" + "work/", "/" + "tmp/wt"]
    for name in FILES:
        if name.startswith("tests/style/"):
            continue
        for number, line in enumerate(text_of(name).splitlines(), 1):
            for word in words:
                if re.search(r"(^|[\s\"'(=])" + re.escape(word), line):
                    yield f"{name}:{number}: a path of one machine: {word}"


def white_space():
    for name in FILES:
        if name.endswith((".patch", ".txt", ".golden")):
            continue
        text = text_of(name)
        if text and not text.endswith("\n"):
            yield f"{name}: no newline at the end"
        for number, line in enumerate(text.splitlines(), 1):
            if line != line.rstrip():
                yield f"{name}:{number}: white space at the end of the line"
            if "\t" in line and name.endswith((".cpp", ".h", ".py")):
                yield f"{name}:{number}: tab"


def sources_are_listed():
    """Every source stands in a meson.build: one that does not is dead, or a test that never runs."""
    listed = "\n".join(text_of(name) for name in FILES if name.endswith("meson.build"))
    for name in code_files((".cpp", ".S", ".c")):
        if f"'{pathlib.PurePosixPath(name).name}'" not in listed and f"/{pathlib.PurePosixPath(name).name}'" not in listed:
            yield f"{name}: in no meson.build"


def syscalls_page():
    if subprocess.run([sys.executable, str(ROOT / "tools/syscalls-page.py"), "--check"]).returncode != 0:
        yield "docs/syscalls.md: not what core/syscall/table.def says: run tools/syscalls-page.py"


CHECKS = [include_edges, core_is_freestanding, heavy_headers, spdx_lines, file_comments, file_names, file_sizes,
          function_sizes, core_globals, no_exceptions, machine_paths, white_space, sources_are_listed, syscalls_page]


def main():
    failed = False
    for check in CHECKS:
        offences = list(check())
        for offence in offences:
            print(f"  {offence}")
        print(f"{'FAILED' if offences else 'ok'} {check.__name__.replace('_', '-')}")
        failed = failed or bool(offences)
    return 1 if failed else 0


if __name__ == "__main__":
    FILES = files()
    sys.exit(main())
