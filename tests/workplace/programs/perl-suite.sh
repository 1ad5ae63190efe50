# SPDX-License-Identifier: GPL-2.0-or-later
# repository
# passes
# Perl's own tests of IO and POSIX, from its sources, with the perl that is installed. "pass FILE" for each without a failure.
tar -xf /repository/sources/perl_*.orig.tar.xz --strip-components=1 --wildcards '*/dist/IO' '*/ext/POSIX' '*/t/*.pl'
for part in dist/IO ext/POSIX; do
    (cd $part && PERL_CORE=1 prove -j2 t >log 2>&1; sed -n 's/^\(t[^ ]*\.t\) \.* ok$/pass '"${part//\//\\/}"'\/\1/p' log | sort
     grep -vE '\.\. ok$|^Files=' log)
done
