# SPDX-License-Identifier: GPL-2.0-or-later
# What a program leaves when it crashes, read by gdb: written by the kernel, and by gdb itself.
cat > crashes.c <<'C'
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
struct node { int value; struct node *next; };
static __thread int mine = 7;
static int sum(struct node *n) { return n->value + sum(n->next); }
static void *wait_for_ever(void *argument) { mine = 8; for (;;) pthread_testcancel(); return argument; }
int main(void) {
    pthread_t thread;
    struct node last = { 3, (struct node *)16 }, first = { 2, &last };
    char *text = strdup("on the heap");
    pthread_create(&thread, 0, wait_for_ever, text);
    return sum(&first);
}
C
gcc -g -O0 -pthread crashes.c -o crashes
ulimit -c unlimited
bash -c './crashes; exit' 2>&1 | grep -o 'Segmentation fault.*(core dumped)'
core=$(ls core* | head -1)
# Where the host hands core files to a program there is none here; gdb makes one.
[ -f "$core" ] || { gdb -q -batch -ex run -ex 'generate-core-file core' ./crashes >/dev/null 2>&1; core=core; }
file -b "$core" | grep -o 'ELF 64-bit LSB core file'
echo "threads: $(gdb -q -batch -ex 'info threads' ./crashes "$core" 2>/dev/null | grep -c '^[ *] [0-9]')"
gdb -q -batch -ex bt -ex 'frame 1' -ex 'print *n' -ex 'frame 2' -ex 'print text' -ex 'print first' -ex 'print $_siginfo.si_signo' \
    -ex 'print $_siginfo._sifields._sigfault.si_addr' -ex 'print mine' ./crashes "$core" 2>/dev/null |
    sed -E 's/0x[0-9a-f]+/ADDRESS/g; s/LWP [0-9]+/LWP N/' | grep -vE 'New LWP|libthread_db|host libthread'
readelf -n "$core" | grep -oE 'NT_(PRSTATUS|PRPSINFO|SIGINFO|AUXV|FILE|FPREGSET)' | LC_ALL=C sort | uniq -c
sleep 100 & gcore -o live $! >/dev/null 2>&1; ls live.* | wc -l; kill $!
