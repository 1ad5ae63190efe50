# SPDX-License-Identifier: GPL-2.0-or-later
# bash and dash with job control, each on a terminal of its own as `script` gives it.
for shell in bash dash; do
    echo "== $shell"
    cat > session <<'INPUT'
set -m
sleep 1000 & first=$!
sleep 2000 &
jobs > list; grep -c Running list
kill -STOP %1; until ps -o stat= -p $first | grep -q T; do sleep 0.02; done; jobs %1 > list; grep -o Stopped list
kill %2; wait %2; echo "status $?"
bg %1 >/dev/null; kill %1; wait %1; echo "status $?"
sh -c 'kill -STOP $$; echo continued'
fg >/dev/null
trap 'echo interrupted' INT; kill -INT $$
ps -o stat= -p $$ | grep -o +
exit 7
INPUT
    cat > type-it <<'PYTHON'
import os, pty, sys
child, terminal = pty.fork()
if child == 0:
    os.environ["PS1"] = ""
    os.execvp(sys.argv[1], [sys.argv[1], "./session"])
text = b""
while True:
    try:
        block = os.read(terminal, 4096)
    except OSError:
        break
    if not block:
        break
    text += block
print(text.decode().replace("\r", ""), end="")
print("ended with", os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
PYTHON
    python3 type-it $shell | sed 's/\[[0-9]\]//; s/^[ +-]*//' | grep -v ^Terminated
done
