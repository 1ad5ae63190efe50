# SPDX-License-Identifier: GPL-2.0-or-later
"""Where a judge runs a suite on the host, so that it cannot disturb the machine: namespaces of its own for mounts, the host's
name, IPC and processes; no block devices; /sys and most of /proc/sys read-only; no capability to set the clock, to reboot
and the like. HOST_NAMESPACES and then "sh -c SANDBOX sh COMMAND.." is the command."""

#: The sysctls that belong to a namespace of the sandbox, and may be written there.
OWN_SYSCTLS = "kernel/msgmax kernel/msgmnb kernel/msgmni kernel/msg_next_id kernel/sem kernel/sem_next_id " \
              "kernel/shmall kernel/shmmax kernel/shmmni kernel/shm_next_id kernel/shm_rmid_forced " \
              "kernel/hostname kernel/domainname kernel/ns_last_pid fs/mqueue"
SANDBOX = f"""set -e
mount -t tmpfs -o mode=755 tmpfs /mnt
for name in null zero full random urandom tty; do : >/mnt/$name; mount --bind /dev/$name /mnt/$name; done
mkdir /mnt/pts /mnt/shm /mnt/mqueue
mount -t devpts -o newinstance,ptmxmode=666,mode=620 devpts /mnt/pts
mount -t tmpfs -o mode=1777 tmpfs /mnt/shm
mount -t mqueue mqueue /mnt/mqueue
ln -s pts/ptmx /mnt/ptmx
ln -s /proc/self/fd /mnt/fd
mount --move /mnt /dev
mount --rbind /sys /sys
for at in $(findmnt -n -r -o TARGET -R /sys); do mount -o remount,bind,ro "$at"; done
mount --bind /proc/sys /mnt
mount --bind /proc/sys /proc/sys
mount -o remount,bind,ro /proc/sys
for name in {OWN_SYSCTLS}; do [ -e /mnt/$name ] && mount --bind /mnt/$name /proc/sys/$name || true; done
umount /mnt
exec setpriv --bounding-set -sys_time,-sys_boot,-sys_module,-syslog,-sys_pacct,-sys_rawio "$@"
"""
HOST_NAMESPACES = ["unshare", "--mount", "--uts", "--ipc", "--pid", "--fork", "--mount-proc", "--propagation", "private",
                   "--kill-child"]
