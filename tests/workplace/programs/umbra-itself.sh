# SPDX-License-Identifier: GPL-2.0-or-later
# long
# sources
# A real project: Umbra's own configuration, build and unit tests.
cp -r /sources work; cd work
meson setup build >/dev/null && ninja -C build -j2 tests/unit-tests umbra >log 2>&1 || tail -20 log
build/tests/unit-tests --gtest_brief=1 | grep PASSED | sed 's/[0-9]* tests/tests/'
build/umbra version | cut -d' ' -f1
