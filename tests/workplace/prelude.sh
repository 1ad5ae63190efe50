# SPDX-License-Identifier: GPL-2.0-or-later
# What each script of programs/ begins with: a home and working directory of its own, and no output that a locale turns.
set -u
unset TMPDIR
export HOME="$(mktemp -d)" LANG=C.UTF-8 TZ=UTC PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin TERM=screen
cd "$HOME" || exit 1
