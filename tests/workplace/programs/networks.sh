# SPDX-License-Identifier: GPL-2.0-or-later
# user: root
# Networks of one's own: ip, ss, unshare, nsenter.
unshare -n ip -o link | cut -d' ' -f2,3
unshare -n sh -c 'ip link set lo up; ip -o addr | tr -s " " | cut -d" " -f2-6; ip route get 127.0.0.1 | head -1'
unshare -n sh -c 'ip link set lo up; ip addr add 10.1.2.3/24 dev lo; ip -o -4 addr | tr -s " " | cut -d" " -f4; ip route show table local'
unshare -n sh -c 'ip link set lo up; ip link set lo down; ip -6 addr | wc -l; ip rule | wc -l'
unshare -n sh -c 'ip addr add 300.1.1.1/8 dev lo; ip link set nothing up; ip link del lo' 2>&1 | tail -1
unshare -n python3 -c '
import socket, subprocess
subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
tcp = socket.create_server(("127.0.0.1", 4000), backlog=7)
udp = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
udp.bind(("::1", 53))
for kind in "-tlnH", "-ulnH":
    print(*subprocess.run(["ss", kind], capture_output=True, text=True, check=True).stdout.split())
print(socket.if_nameindex())
'
unshare -n sleep 100 & other=$!
while [ "$(readlink /proc/$other/ns/net)" = "$(readlink /proc/self/ns/net)" ]; do :; done
nsenter -t $other -n ip link set lo up
nsenter -t $other -n ip -o link | grep -o LOWER_UP
kill $other
unshare -i ipcmk -Q | sed 's/[0-9]*$//'
unshare -i ipcs -q | tail -n +4 | wc -l
