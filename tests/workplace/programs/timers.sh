# SPDX-License-Identifier: GPL-2.0-or-later
# user: root
# cron's job at start, and timers of each kind.
mkdir -p spool; echo "@reboot echo from cron > $PWD/cron.out" | crontab -u root -; crontab -l | grep -c reboot
rm -f /run/crond.reboot /var/run/crond.pid
cron
for _ in $(seq 400); do [ -s cron.out ] && break; sleep 0.05; done
cat cron.out
pkill -x cron
crontab -r
python3 - <<'PYTHON'
import os, select, signal, time
count = 0
def tick(*_):
    global count; count += 1
signal.signal(signal.SIGALRM, tick); signal.setitimer(signal.ITIMER_REAL, 0.02, 0.02)
while count < 5: signal.pause()
signal.setitimer(signal.ITIMER_REAL, 0); print("real", count >= 5)
signal.signal(signal.SIGVTALRM, tick); count = 0; signal.setitimer(signal.ITIMER_VIRTUAL, 0.05)
while not count: pass
print("virtual", count)
PYTHON
timeout -s INT 0.1 sleep 100; echo "timeout $?"
