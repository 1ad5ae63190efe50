# SPDX-License-Identifier: GPL-2.0-or-later
# coreutils, findutils, grep, sed, awk and their kin on the tree's own files.
find /usr/lib/python3.11 -name '*.py' -size +2k | LC_ALL=C sort > files
wc -l < files
xargs -a files -n 50 -P 4 cat | wc -c
grep -rlE '^class [A-Z]' /usr/lib/python3.11 --include='*.py' | LC_ALL=C sort | md5sum
xargs -a files sed -n 's/^def \([a-z_]*\).*/\1/p' | sort | uniq -c | sort -k1,1nr -k2 | head -5
xargs -a files awk '/^import /{n[$2]++} END{for(m in n) if (n[m] > 40) print n[m], m}' | sort -rn | head -3
join <(seq 9 | awk '{print $1, $1*$1}') <(seq 2 2 8) | paste -sd,
split -n l/7 -d files part; cat part* | cmp - files && rm part*
seq 100000 | shuf --random-source=/usr/bin/python3 | sort -n --parallel=2 -S 1M | tail -1
comm -12 <(seq 1 3 30) <(seq 1 2 30 | sort) 2>/dev/null | wc -l
mkfifo pipe; (seq 1000 > pipe &) ; tee copy < pipe | tail -1; cmp copy <(seq 1000) && echo same
truncate -s 10M sparse; du -k --apparent-size sparse | cut -f1; du -k sparse | cut -f1
dd if=/dev/urandom of=random bs=64k count=16 status=none; sha256sum random > sum; sha256sum -c sum
install -D -m 4711 /bin/true a/b/true
stat -c '%a %s' a/b/true | cut -d' ' -f1
ln -s b/true a/link
readlink -f a/link | grep -o 'a/b/true'
cp -a a b; find b -printf '%y %m %P\n' | LC_ALL=C sort
timeout 0.1 sleep 100; echo "timeout: $?"
echo $(($(nice -n 5 nice) - $(nice))); env -i A=1 printenv; id -un; date -u -d @1700000000 +%FT%T; numfmt --to=iec 1048576; factor 1000000007
find a b -type f -newer files -exec chmod 600 {} + ; find . -perm 600 -type f | LC_ALL=C sort
