# SPDX-License-Identifier: GPL-2.0-or-later
# user: root
# mount and its kin, lsblk, flock, setsid, script, unshare, and what tells of the machine.
mkdir m n
mount -t tmpfs -o size=1m,mode=700 here m
findmnt -no FSTYPE,OPTIONS m | grep -o 'tmpfs.*size=1024k,mode=700'
df -k m | awk 'NR==2{print $2}'
mountpoint m
echo data > m/file
mount --bind m n
cat n/file
mount -o remount,bind,ro n
touch n/x 2>&1 | grep -o 'Read-only.*'
umount n m; mountpoint m || true; ls m | wc -l
lsblk >/dev/null 2>&1
echo "lsblk: $?"
lscpu | grep -c '^CPU(s):'
blkid -V | grep -o blkid
lsns -n -o TYPE -p $$ | sort | tr '\n' ' '
echo
flock lock -c 'flock -n lock -c "echo got it" || echo "held"'; (flock 9; echo under lock) 9> lock
setsid -w sh -c 'ps -o sid= -p $$ | tr -d " " | sed "s/^$$\$/leader/"'
script -qec 'tty | sed s/[0-9]*$//; exit 5' record; echo "script: $?"; grep -ac pts record
unshare -mu sh -c 'hostname inside; hostname; mount -t tmpfs x /mnt; findmnt -n /mnt | wc -l'
findmnt -n /mnt | wc -l
hostname | grep -c inside
nsenter -t $$ -u true; echo "nsenter: $?"
prlimit --nofile=100:200 sh -c 'ulimit -Sn; ulimit -Hn'
chrt -p $$ | sed 's/[0-9][0-9]*//'
taskset -p 1 $$ | grep -c mask
ionice -p $$
mkfifo f
fallocate -l 1M big
stat -c '%s %b' big
fallocate -p -o 0 -l 512K big
stat -c '%s %b' big
hexdump -C big | head -2
rev <<< abc
column -t <<< 'a b'
getopt -o ab: -- -b x -a y
logger -s -t name said 2>&1 | grep -o 'name: said'
mcookie | wc -c
whereis -b bash | grep -o /bin/bash
namei -l /usr/bin/env | tail -1
chroot / sh -c 'echo in chroot'
setpriv --reuid 1000 --regid 1000 --clear-groups id -u
pivot_root / / 2>&1 | grep -o 'Device or resource busy\|Invalid argument'
