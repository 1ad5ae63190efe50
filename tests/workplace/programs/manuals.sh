# SPDX-License-Identifier: GPL-2.0-or-later
# man: formats, pages and searches.
export MANPAGER=cat MANWIDTH=80 LC_ALL=C
man 7 signal | head -1 | tr -s ' '
man ls | grep -c 'ls - list directory contents'
man -w 7 signal | grep -o 'signal.7.gz'
man no-such-page
echo "status $?"
echo '.TH OURS 1
.SH NAME
ours \- a page of our own
.SH DESCRIPTION
It says \fBthis\fP.' > ours.1; man -l ours.1 | grep -c 'It says this'; groff -V >/dev/null 2>&1; lexgrog ours.1 | grep -o 'a page of our own'
