# SPDX-License-Identifier: GPL-2.0-or-later
# strace, ltrace, gdb and valgrind on programs of the same system.
cat > traced.c <<'C'
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>
int counter;
int add(int amount) { counter += amount; return counter; }
static void handle(int signal) { add(signal - SIGUSR1); }
static void *run(void *argument) { add(100); return argument; }
int main(void) {
    for (int i = 1; i <= 3; ++i) add(i);
    signal(SIGUSR1, handle); raise(SIGUSR1);
    pthread_t thread; pthread_create(&thread, 0, run, 0); pthread_join(thread, 0);
    if (fork() == 0) { add(1); _exit(5); }
    int status; wait(&status);
    char *kept = malloc(10); kept[0] = 1;
    printf("counter %d, child %d\n", counter, WEXITSTATUS(status));
    return 0;
}
C
gcc -g -O0 -pthread traced.c -o traced
strace -f -qq -e trace=exit_group,write -e signal=SIGUSR1,SIGCHLD -o calls ./traced
sed 's/[0-9]\{2,\}/N/g; s/^N *//' calls | grep -vE 'resumed|unfinished' | LC_ALL=C sort
strace -c -f -o table ./traced >/dev/null
grep -c execve table
strace -e inject=getppid:error=EPERM -e trace=getppid sh -c 'echo $PPID' 2>&1 | grep -c '^getppid.*INJECTED'
strace -k -e trace=write ./traced 2>&1 | grep -c 'traced(main'
ltrace -e printf -e malloc ./traced 2>&1 | grep -o 'printf("counter [^)]*)\|exited (status 0)'
cat > commands <<'GDB'
set confirm off
set pagination off
break add
run
backtrace
print amount
finish
watch counter
continue
continue
delete
break handle
continue
info threads
x/2i $pc
stepi
next
step
info signals SIGUSR1
delete
set follow-fork-mode child
catch fork
continue
delete
continue
GDB
# A watch is the processor's, if the host has that to give: without it gdb would see nothing outside, and more inside.
case $HOST_LACKS in *watchpoints*) sed -i '1i set can-use-hw-watchpoints 0' commands ;; esac
gdb -q -batch -x commands ./traced > session 2>&1
grep -oE '^#[01] .* in main|^#0 +add|^\$1 = 1|Value returned is .*|Old value = .*|New value = .*|(Hardware w|W)atchpoint 2: counter|Program received signal SIGUSR1.*|Catchpoint [0-9]+ \(forked|exited with code 05|exited normally|=> 0x[0-9a-f]* <handle' session | sed 's/0x[0-9a-f]*/ADDRESS/g'
gdb -q -batch -ex 'thread apply all backtrace 1' -ex detach --args sleep 100 2>&1 | tail -1
exec 3>&2 2>/dev/null # the shell's own words about what was killed have numbers
sleep 1000 &
gdb -q -batch -p $! -ex 'backtrace 1' -ex 'print (int)getpid()' -ex 'kill' 2>&1 | grep -cE '^#0|^\$1 = [0-9]+'
wait $!
echo "attached: $?"
sleep 1000 &
kill -SEGV $!
wait $!
echo "fault: $?"
exec 2>&3
valgrind -q --error-exitcode=9 --leak-check=full ./traced 2>&1 | grep -oE 'counter.*|definitely lost'
valgrind -q --tool=helgrind ./traced | cut -d, -f1
valgrind --tool=callgrind ./traced 2>&1 | grep -c Collected
