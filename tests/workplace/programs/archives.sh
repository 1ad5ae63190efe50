# SPDX-License-Identifier: GPL-2.0-or-later
# tar with each compressor, cpio, and rsync between two local directories.
mkdir tree; cp -a /usr/lib/python3.11/json /usr/lib/python3.11/email /usr/share/perl5/Debconf tree/
ln -s json/decoder.py tree/link; ln tree/json/scanner.py tree/hard; truncate -s 3M tree/sparse; mkfifo tree/fifo
(cd tree; find . -printf '%y %m %n %P %l\n' | LC_ALL=C sort) > want
for how in none gzip bzip2 xz zstd; do
    option=--$how; [ $how = none ] && option=
    tar -C tree -S $option -cf archive.$how . && mkdir out.$how && tar -C out.$how -xpf archive.$how
    (cd out.$how; find . -printf '%y %m %n %P %l\n' | LC_ALL=C sort) | cmp - want && diff -r --no-dereference -x fifo tree out.$how && echo "$how: same"
done
gzip -k9 want; xz -kT2 want; zstd -qk19 want; bzip2 -k want
for name in want.gz want.xz want.zst want.bz2; do
    case $name in *.gz) zcat $name ;; *.xz) xzcat $name ;; *.zst) zstdcat $name ;; *.bz2) bzcat $name ;; esac | cmp - want && echo "$name: same"
done
(cd tree; find . -depth -print0 | cpio -0o --quiet -H newc) > archive.cpio
mkdir out.cpio
(cd out.cpio; cpio -idm --quiet < ../archive.cpio)
diff -r --no-dereference -x fifo tree out.cpio && echo "cpio: same"
rsync -aHS tree/ copy/; rsync -aHSni --delete tree/ copy/ | wc -l
echo changed >> tree/json/tool.py
rm tree/hard
# A directory's time differs if the second has changed meanwhile.
rsync -aHSi --delete tree/ copy/ | grep -v '^\.d' | LC_ALL=C sort
rsync -a --checksum --bwlimit=100000 --partial --inplace tree/ other/ && diff -r --no-dereference -x fifo tree other && echo "rsync: same"
