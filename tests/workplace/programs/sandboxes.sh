# SPDX-License-Identifier: GPL-2.0-or-later
# Namespaces as programs use them who are not root: unshare, nsenter, bubblewrap; capsh.
unshare -Ur sh -c 'id -u; cat /proc/self/uid_map | tr -s " "' | sed 's/1000/USER/'
unshare -Urm sh -c 'mount -t tmpfs inside /mnt && findmnt -no FSTYPE /mnt'
unshare -Urpf --mount-proc sh -c 'echo $$; ps -o pid=,comm= | wc -l'
unshare -Uri sh -c 'ipcmk -M 4096 >/dev/null; ipcs -m | grep -c 0x'
unshare -Uru sh -c 'hostname inside; hostname'
unshare -Urn sh -c 'ip -o link | cut -d: -f2; ip link set lo up; ip -o addr | wc -l'
unshare -UrT --monotonic 100000 sh -c 'test $(cut -d. -f1 /proc/uptime) -lt 100000; cat /proc/self/timens_offsets' | tr -s ' '
unshare -UrC sh -c 'cat /proc/self/cgroup | tail -1 | cut -d: -f3'
unshare -Ur unshare -Ur unshare -Ur id -u
bwrap --unshare-all --ro-bind / / --proc /proc --dev /dev --tmpfs /tmp sh -c 'echo in a sandbox as $(id -un), process 1 is $(cat /proc/1/comm)'
bwrap --unshare-user --uid 7 --gid 8 --ro-bind / / --chdir / sh -c 'id -u; id -g; touch /x 2>&1 | grep -o "Read-only.*"'
bwrap --unshare-pid --die-with-parent --ro-bind / / --proc /proc --dev /dev --tmpfs /tmp --bind "$HOME" /tmp/new sh -c 'echo kept > /tmp/new/file'; cat file
unshare -Urm sh -c 'mount --rbind / /mnt && cd /mnt && pivot_root . opt && ls -d /opt/usr'
sleep 100 & nsenter -t $! -U --preserve-credentials true 2>&1 | grep -o 'Invalid argument\|Operation not permitted'; kill $!
capsh --print | grep -E '^(Current:|Ambient)'
unshare -Ur capsh --drop=cap_sys_admin -- -c 'capsh --print | grep -c "Bounding.*cap_sys_admin"'
unshare -Ur --keep-caps capsh --print | grep '^Current:' | grep -c cap_sys_admin
lsns -o TYPE -p $$ | tail -n +2 | LC_ALL=C sort | tr '\n' ' '; echo
