# SPDX-License-Identifier: GPL-2.0-or-later
# user: root
# dpkg and apt with a repository in a directory: packages of our own, from their first version to their purge.
export DEBIAN_FRONTEND=noninteractive LC_ALL=C
# make_package NAME VERSION FIELD...: the scripts, if any, lie in ./scripts.
make_package() {
    local name=$1 version=$2; shift 2
    mkdir -p "$name/DEBIAN" "$name/usr/share/$name" "$name/etc"
    printf 'Package: %s\nVersion: %s\nArchitecture: all\nMaintainer: Ann <ann@example.org>\nDescription: one of ours\n' "$name" "$version" > "$name/DEBIAN/control"
    printf '%s\n' "$@" >> "$name/DEBIAN/control"
    echo "$version" > "$name/usr/share/$name/version"
    echo "setting=$version" > "$name/etc/$name.conf"
    echo "/etc/$name.conf" > "$name/DEBIAN/conffiles"
    for when in preinst postinst prerm postrm; do
        printf '#!/bin/sh\nset -e\necho "%s %s %s $1" >> /var/log/ours\n' "$name" "$version" $when > "$name/DEBIAN/$when"
        chmod 755 "$name/DEBIAN/$when"
    done
    [ "$name" = watcher ] && echo 'interest-noawait /usr/share/watched' > "$name/DEBIAN/triggers"
    [ "$name" = watched ] && mkdir -p "$name/usr/share/watched" && echo "$version" > "$name/usr/share/watched/file"
    dpkg-deb -b --root-owner-group "$name" "repository/${name}_$version.deb" >/dev/null; rm -r "$name"
}
index() { (cd repository; apt-ftparchive packages . > Packages; apt-ftparchive release . > Release); apt-get -qq update; }
rm -f /var/log/ours; mkdir repository
mkdir saved; cp -a /etc/apt/sources.list* saved/; rm -rf /etc/apt/sources.list.d/*; chmod 755 . ; chmod 755 "$HOME"
echo "deb [trusted=yes] file:$PWD/repository ./" > /etc/apt/sources.list
make_package base 1.0
make_package watcher 1.0 'Depends: base'
make_package watched 1.0 'Depends: base (>= 1.0)'
make_package rival 1.0 'Conflicts: watched'
index
apt-get -qq -y install watcher watched >out 2>err || { echo "install: $?"; cat out err; }
dpkg-query -W -f '${Package} ${Version} ${db:Status-Status}\n' base watcher watched
dpkg -S /usr/share/watched/file
dpkg -V base
echo "verified: $?"
echo 'setting=mine' > /etc/base.conf
make_package base 2.0
make_package watched 2.0 'Depends: base (>= 2.0)'
index
apt list --upgradable 2>/dev/null | grep -c upgradable
apt-get -qq -y -o Dpkg::Options::=--force-confold dist-upgrade >out 2>err || { echo "upgrade: $?"; cat out err; }
cat /etc/base.conf /etc/watched.conf /usr/share/base/version; apt-cache policy base | grep Installed
apt-get -qq -y install rival >out 2>err; dpkg-query -W -f '${Package} ${db:Status-Status}\n' rival watched
apt-get -qq -y remove watcher >/dev/null 2>&1
ls /etc/watcher.conf
apt-get -qq -y purge watcher rival watched base >/dev/null 2>&1
ls /etc/watcher.conf /etc/base.conf /usr/share/base 2>&1 | grep -c 'No such file'
apt-get -qq -y install no-such-package 2>&1 | grep -c 'Unable to locate'
cat /var/log/ours
cp -a saved/. /etc/apt/; dpkg --audit; echo "audit: $?"
localedef -i de_DE -f UTF-8 ./de_DE.UTF-8 && LOCPATH=$PWD LC_ALL=de_DE.UTF-8 date -d @1700000000 -u +%A
