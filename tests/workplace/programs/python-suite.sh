# SPDX-License-Identifier: GPL-2.0-or-later
# long
# passes
# except: pass test.test_uuid.*_getnode: there is no Ethernet address to ask ip and ifconfig for
# Python's own suite: the modules that ask the most of a kernel.
modules="test_os test_posix test_subprocess test_signal test_threading test_thread test_fork1 test_wait3 test_wait4 test_mmap
    test_select test_poll test_epoll test_selectors test_fcntl test_ioctl test_pty test_io test_file test_fileio test_tempfile
    test_shutil test_glob test_pathlib test_stat test_resource test_time test_mailbox test_faulthandler test_pwd test_grp
    test_uuid test_venv"
. /workplace/python-suite.sh
