# SPDX-License-Identifier: GPL-2.0-or-later
# long
# passes
# What of Python's own suite takes minutes: pools of processes.
modules="test_multiprocessing_spawn test_multiprocessing_fork test_concurrent_futures"
. /workplace/python-suite.sh
