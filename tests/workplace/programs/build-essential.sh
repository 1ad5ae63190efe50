# SPDX-License-Identifier: GPL-2.0-or-later
# user: root
# repository
# A second Debian in a directory by mmdebstrap, and build-essential installed in it by apt, from local package files.
sources="deb [trusted=yes] copy:/repository bookworm main"
mmdebstrap --quiet --mode=root --variant=minbase bookworm ./debian "$sources" 2>log || { echo "mmdebstrap: $?"; tail -20 log; }
mkdir -p debian/repository; cp -r /repository debian/
echo "$sources" > debian/etc/apt/sources.list
mkdir -p debian/proc debian/dev; mount -t proc proc debian/proc; mount --rbind /dev debian/dev
chroot debian sh -c 'apt-get -qq -o Acquire::Languages=none update && DEBIAN_FRONTEND=noninteractive apt-get -qq -y --no-install-recommends install build-essential' >log 2>&1 || { echo "apt: $?"; tail -30 log; }
chroot debian dpkg-query -W -f '${db:Status-Status}\n' | sort | uniq -c | awk '{print ($1 > 80), $2}'
echo '#include <iostream>
int main() { std::cout << "built inside the inside\n"; }' > debian/root/a.cpp
chroot debian sh -c 'cd /root && g++ -O2 a.cpp && ./a.out'
chroot debian dpkg --audit; echo "audit: $?"; umount -R debian/dev debian/proc
