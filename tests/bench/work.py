# SPDX-License-Identifier: GPL-2.0-or-later
"""Work of a developer's day, as shell scripts: what `tools/dev bench` measures beside single operations. Each runs in a
fresh directory of its own, the same on the host and in the guest; `prepare` is not timed. Beside it lies `source`, with SOURCE."""
import shutil

SOURCE = "core"  # of Umbra's own tree

FILES = """
import os
for i in range(2000):
    os.makedirs(f'd{i // 100}', exist_ok=True)
    with open(f'd{i // 100}/f{i}', 'w') as file:
        file.write(f'{i}\\n' * 100)
"""
SMALL_FILES = FILES + """
for root, _, names in os.walk('.'):
    for name in names:
        open(f'{root}/{name}').read()
for root, dirs, names in os.walk('.', topdown=False):
    for name in names: os.unlink(f'{root}/{name}')
    for name in dirs: os.rmdir(f'{root}/{name}')
"""
SQLITE = """
import sqlite3
base = sqlite3.connect('base')
base.execute('create table t(a integer, b text)')
for start in range(0, 20000, 1000):
    with base:
        base.executemany('insert into t values (?, ?)', ((i * 7919 % 20000, 'x' * 40) for i in range(start, start + 1000)))
with base:
    base.execute('create index i on t(a)')
assert base.execute('select count(*) from t where a < 100').fetchone()[0] == 100
"""
C_PROJECT = r"""
for i in 1 2 3 4 5 6 7 8 9 10 11 12 13; do
    { echo '#include <stdio.h>'; echo '#include <stdlib.h>'; echo '#include <string.h>'; echo '#include <unistd.h>'
      for j in $(seq 40); do
          echo "int f_${i}_$j(char *s, int n) { int r = $j; for (int k = 0; k < n; k++) r = r * 31 + s[k]; return r % (n + 1); }"
      done; } >part$i.c
done
printf 'int main(void) { return 0; }\n' >main.c
printf 'OBJECTS = main.o %s\nprogram: $(OBJECTS)\n\tcc -o $@ $(OBJECTS)\n%%.o: %%.c\n\tcc -O2 -c $<\n' \
    "$(for i in 1 2 3 4 5 6 7 8 9 10 11 12 13; do printf 'part%s.o ' $i; done)" >Makefile
"""
# Twelve files of Umbra's own virtual file system, which is C++20 with many headers; SOURCE is laid beside the directory.
CORE = """
cp -r ../source/core .
cat >Makefile <<'END'
PARTS = attributes create dentry-cache lease locks marks mount mount-tree namespace open remove walker
program: $(PARTS:%=%.o)
\tar rc $@ $^
%.o: core/vfs/%.cpp
\tg++ -std=gnu++20 -O1 -fno-exceptions -I. -c -o $@ $<
END
"""
# The same files, with a precompiled header of what most of them include.
PRECOMPILED = CORE + """
g++ -std=gnu++20 -O1 -fno-exceptions -I. -x c++-header -o core/pch/kernel.h.gch core/pch/kernel.h
sed -i 's#-I[.]#-I. -include core/pch/kernel.h#' Makefile
"""
PACKAGES = """
import os
for package in range(12):
    for part in range(150):
        folder = f'tree/p{package}/usr/share/p{package}/{part // 50}'
        os.makedirs(folder, exist_ok=True)
        with open(f'{folder}/{part}', 'w') as file:
            file.write(f'{package} {part}\\n' * 300)
    os.makedirs(f'tree/p{package}/DEBIAN')
    depends = f'Depends: p{package - 1}\\n' if package else ''
    with open(f'tree/p{package}/DEBIAN/control', 'w') as file:
        file.write(f'Package: p{package}\\nVersion: 1\\nArchitecture: all\\nMaintainer: a <a@b.c>\\n{depends}Description: files\\n')
"""
# A repository of twelve packages with 150 files each, and a root of its own into which anybody may install them.
REPOSITORY = r"""
mkdir -p repository apt/etc/preferences.d apt/etc/apt.conf.d apt/state/lists/partial apt/cache/archives/partial
mkdir -p root/var/lib/dpkg/info root/var/lib/dpkg/updates
: >root/var/lib/dpkg/status
for i in 0 1 2 3 4 5 6 7 8 9 10 11; do
    chmod -R go-w tree/p$i
    dpkg-deb -Zgzip -b tree/p$i repository/p$i.deb >log
    { dpkg-deb -f repository/p$i.deb
      echo "Filename: ./p$i.deb"; echo "Size: $(stat -c %s repository/p$i.deb)"
      echo "SHA256: $(sha256sum repository/p$i.deb | cut -d' ' -f1)"; echo; } >>repository/Packages
done
echo "deb [trusted=yes] file:$PWD/repository ./" >apt/etc/sources.list
cat >apt/etc/apt.conf <<END
Dir::Etc "$PWD/apt/etc";
Dir::State "$PWD/apt/state";
Dir::State::status "$PWD/root/var/lib/dpkg/status";
Dir::Cache "$PWD/apt/cache";
Dir::Log "$PWD/apt";
APT::Sandbox::User "";
DPkg::Options { "--root=$PWD/root"; "--force-not-root"; "--log=$PWD/apt/dpkg.log"; };
END
"""
APT = """
export APT_CONFIG=$PWD/apt/etc/apt.conf PATH="$PATH:/usr/sbin:/sbin"
apt-get -q update >log
apt-get -q -y install p11 >log 2>&1 || { cat log; exit 1; }
test $(find root/usr -type f | wc -l) = 1800
"""
GIT = "git init -q . && git config user.email a@b.c && git config user.name A"


def python(program):
    return "python3 - <<'END'\n" + program + "END\n"


# name: (the programs it needs, what is prepared, what is timed)
WORK = {
    "make-13-c-files": (["make", "cc"], C_PROJECT, "make -s -j2"),
    "make-core": (["make", "g++"], CORE, "make -s -j$(nproc)"),
    "make-precompiled": (["make", "g++"], PRECOMPILED, "make -s -j$(nproc)"),
    "python-import": (["python3"], "", "python3 -c 'import asyncio, json, subprocess, unittest, email, http.client'"),
    "2000-small-files": (["python3"], "", python(SMALL_FILES)),
    "git-2000-files": (["git", "python3"], python(FILES) + GIT,
                       "git add . && git commit -q -m one && git status --short && git log --stat >log"),
    "tar-and-untar": (["tar", "python3"], python(FILES), "tar cf ../tree.tar . && mkdir out && tar xf ../tree.tar -C out && rm ../tree.tar"),
    "apt-install": (["apt-get", "dpkg", "dpkg-deb", "python3"], python(PACKAGES) + REPOSITORY, APT),
    "sqlite": (["python3"], "", python(SQLITE)),
    "redis-set-get": (["redis-server", "redis-benchmark"], "",
                      "redis-server --port 7399 --save '' --daemonize yes >log && "
                      "until redis-cli -p 7399 ping >log 2>&1; do sleep 0.01; done && "
                      "redis-benchmark -q -p 7399 -c 10 -n 20000 -t set,get && redis-cli -p 7399 shutdown nosave"),
}


def missing(name):
    """The programs that the host has not."""
    return [program for program in WORK[name][0] if not shutil.which(program)]


def script(name):
    """(prepared, timed) as /bin/sh takes them; both run in the directory $1 (made by the first)."""
    _, prepare, timed = WORK[name]
    return (f'set -e; mkdir -p "$1"; cd "$1"\n{prepare}\n', f'set -e; cd "$1"\n{timed}\n')
