#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""What can be said about the code without running it. `tools/dev check [--all] [--fix] [CHECK..]`:

    format   files are as clang-format and .clang-format would have them; --fix makes them so
    style    the rules of tests/style/check.py
    clang    the whole tree compiles with clang, -Wthread-safety and -Werror, in build-clang/
    tidy     clang-tidy with .clang-tidy

format and tidy look at the files that main has not, or has otherwise; with --all at every one. Each check prints
"ok NAME", or what is wrong and "FAILED NAME"; the last line counts.
"""
import argparse
import concurrent.futures
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
BUILD = ROOT / "build-clang"
TIDY = ROOT / "build-tidy"
JOBS = os.cpu_count() or 1
SOURCES, HEADERS = (".cpp", ".c"), (".h",)


class Problem(Exception):
    """A check cannot be made at all: a tool is missing, or the tree cannot be configured."""


def run(command, **more):
    return subprocess.run(command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, errors="replace", **more)


def tool(name, package):
    """clang's tools of version 14, under either of the names that Debian gives them."""
    for candidate in (f"{name}-14", name):
        path = shutil.which(candidate)
        if path and re.search(r"version 14\.", run([path, "--version"]).stdout):
            return path
    raise Problem(f"{name} 14 is missing: apt-get install {package}")


def git(*arguments):
    result = run(["git", *arguments])
    return result.stdout.split("\n")[:-1] if result.returncode == 0 else None


def tree(suffixes):
    """Names of all files of the tree that end so. Without git: what is on disk, but for build directories."""
    names = git("ls-files", "-co", "--exclude-standard")
    if names is None:
        names = [str(path.relative_to(ROOT)) for path in ROOT.rglob("*")
                 if not re.match(r"(build|\.)", str(path.relative_to(ROOT)))]
    return sorted(name for name in set(names) if name.endswith(suffixes) and (ROOT / name).is_file())


def changed():
    """Names of what main has not, or has otherwise: commits since then, and what is not committed."""
    for main in ("origin/main", "main"):
        base = git("merge-base", "HEAD", main)
        if base:
            return set(git("diff", "--name-only", base[0]) + git("ls-files", "-o", "--exclude-standard"))
    raise Problem("there is no branch main to compare with: use --all")


def chosen_files(suffixes, options):
    """What format and tidy look at."""
    names = tree(suffixes)
    if options.all:
        return names
    differ = changed()
    return [name for name in names if name in differ]


def in_parallel(function, items):
    with concurrent.futures.ThreadPoolExecutor(JOBS) as pool:
        return list(pool.map(function, items))


def check_format(options):
    formatter = tool("clang-format", "clang-format")
    names = chosen_files(SOURCES + HEADERS, options)
    print(f"  clang-format over {len(names)} files", flush=True)
    if not names:
        return []  # without a name clang-format would read standard input
    if options.fix:
        run([formatter, "-i", *names])
        return []

    def offences(batch):
        output = run([formatter, "--dry-run", *batch]).stdout
        return re.findall(r"^([^\s:]+:\d+):\d+: warning: code should be clang-formatted", output, re.MULTILINE)
    batches = [names[i::JOBS] for i in range(min(JOBS, len(names)))]
    lines = sorted({where for batch in in_parallel(offences, batches) for where in batch})
    files = {line.split(":")[0] for line in lines}
    advice = [f"{len(files)} of {len(names)} files; tools/dev check --fix format mends them"] if lines else []
    return [f"{where}: not as clang-format has it" for where in lines] + advice


def check_style(options):
    result = run([sys.executable, "tests/style/check.py"])
    return [line for line in result.stdout.splitlines() if not line.startswith("ok ")] if result.returncode else []


def configure(directory, *options):
    """Makes build-clang/ or build-tidy/, without optimisation: its output is not for running."""
    compiler = tool("clang++", "clang")
    if not (directory / "build.ninja").exists():
        ccache = "ccache " if shutil.which("ccache") else ""
        c_compiler = re.sub(r"clang\+\+", "clang", compiler)
        result = run(["meson", "setup", str(directory), str(ROOT), "-Doptimization=0", *options],
                     env=dict(os.environ, CC=ccache + c_compiler, CXX=ccache + compiler))
        if result.returncode != 0:
            raise Problem(f"{directory.name} cannot be configured:\n" + result.stdout)
    # So that compile_commands.json is of this tree, not of an older one.
    result = run(["ninja", "-C", str(directory), "build.ninja"])
    if result.returncode != 0:
        raise Problem(f"{directory.name} cannot be configured:\n" + result.stdout)


def commands(directory):
    """Of a build directory: source -> object, both as ninja writes them."""
    listed = json.loads((directory / "compile_commands.json").read_text())
    return {entry["file"]: entry["output"] for entry in listed}


def check_clang(options):
    configure(BUILD)
    wanted = commands(BUILD)
    if options.beyond:
        covered = {source for source, output in commands(ROOT / options.beyond).items()
                   if (ROOT / options.beyond / output).exists()}
        wanted = {source: output for source, output in wanted.items() if source not in covered}
    print(f"  clang over {len(wanted)} sources", flush=True)
    result = run(["ninja", "-k", "0", "-C", str(BUILD), "-j", str(JOBS), *wanted.values()])
    if result.returncode == 0:
        return []
    return [line for line in result.stdout.splitlines() if not line.startswith(("[", "ninja: "))]


def check_tidy(options):
    tidy = tool("clang-tidy", "clang-tidy")
    names = chosen_files(SOURCES, options)
    # Nothing is built there; without precompiled headers a source that does not include what it uses is found, too.
    configure(TIDY, "-Db_pch=false")
    known = {os.path.normpath(TIDY / source) for source in commands(TIDY)}
    # Guest programs that the system tests bring into the guest as text are not compiled here.
    names = [name for name in names if str(ROOT / name) in known]
    print(f"  clang-tidy over {len(names)} sources", flush=True)

    def offences(name):
        result = run([tidy, "-p", str(TIDY), "--quiet", name])
        return [] if result.returncode == 0 else [
            line for line in result.stdout.splitlines() if not re.match(r"\d+ warnings? |Suppressed|Error while", line)]
    # A fault in a header is found by each source that includes it.
    return list(dict.fromkeys(line for found in in_parallel(offences, names) for line in found))


CHECKS = {"format": check_format, "style": check_style, "clang": check_clang, "tidy": check_tidy}


def main():
    parser = argparse.ArgumentParser(prog="tools/dev check", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checks", nargs="*", metavar="CHECK", help="one of " + ", ".join(CHECKS) + "; all without")
    parser.add_argument("--all", action="store_true", help="format, tidy: every file, not only changed ones")
    parser.add_argument("--fix", action="store_true", help="format: write the files")
    parser.add_argument("--beyond", metavar="DIRECTORY", help="clang: leave out what that build directory compiles")
    options = parser.parse_args()
    for name in options.checks:
        if name not in CHECKS:
            parser.error(f"no such check: {name}; there are " + ", ".join(CHECKS))
    failed = 0
    chosen = [name for name in CHECKS if not options.checks or name in options.checks]
    for name in chosen:
        try:
            offences = CHECKS[name](options)
        except Problem as problem:
            offences = str(problem).splitlines()
        for offence in offences:
            print(f"  {offence}")
        print(f"{'FAILED' if offences else 'ok'} {name}", flush=True)
        failed += bool(offences)
    print(f"{len(chosen) - failed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
