# SPDX-License-Identifier: GPL-2.0-or-later
# long
# passes
# What of Python's own suite speaks over sockets.
modules="test_socket test_ssl test_asyncio test_httplib test_httpservers test_urllib2_localnet test_ftplib test_smtplib test_xmlrpc
    test_selectors test_socketserver test_asyncore test_telnetlib test_poplib test_imaplib"
. /workplace/python-suite.sh
