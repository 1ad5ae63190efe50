# SPDX-License-Identifier: GPL-2.0-or-later
# procps and psmisc: each sees the same processes.
sleep 1234 & first=$!; sleep 1234 & second=$!
until [ "$(ps -o comm= -p $first -p $second | tr '\n' ' ')" = "sleep sleep " ]; do sleep 0.02; done
pgrep -fx 'sleep 1234' | sort -n | tr '\n' ' ' | sed "s/$first/first/; s/$second/second/"; echo
ps -o ppid= -p $first | tr -d ' ' | sed "s/^$$\$/shell/"
ps -eo pid,args | grep -c '[s]leep 1234'
ps -o pid,ni,stat,wchan,tty,time,comm -p $first | awk 'NR==2{print $NF}'
top -bn1 -p $first | awk -v pid=$first '$1 == pid {print $NF}'
free -b | awk '/^Mem:/{print ($2 > 100e6 && $3 > 0 && $7 > 0 && $7 <= $2) ? "memory" : $0}'
vmstat 1 2 | awk 'NR>2{print NF}'
uptime | grep -o 'load average'
renice -n 3 -p $first | grep -o "new priority.*"; ps -o ni= -p $first
pstree -p $$ | grep -o 'sleep' | sort | uniq -c | tr -s ' '
lsof -p $first 2>/dev/null | awk '$4=="txt"{print $NF}'
readlink /proc/$first/exe; tr '\0' ' ' < /proc/$first/cmdline; echo
pmap $first | tail -1 | grep -o total; pwdx $first | grep -c "$PWD"
kill -TERM $first; wait $first; echo "status $?"
exec 3>&2 2>/dev/null # the shell's own word about it has its number
pkill -KILL -fx 'sleep 1234'
wait $second
status=$?
exec 2>&3
echo "status $status"
sysctl -n kernel.ostype; w -h | wc -l; watch -t -n 1 -g date +%s >/dev/null 2>&1; echo "watch: $?"
