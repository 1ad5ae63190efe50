# SPDX-License-Identifier: GPL-2.0-or-later
# A 64-bit program that makes a system call of the 32-bit kind gets ENOSYS or dies by a signal that says so, never more.
cat > call.c <<'C'
#include <stdio.h>
int main(void) {
    long result = 20; /* getpid of i386 */
    __asm__ volatile("int $0x80" : "+a"(result) : : "memory", "r8", "r9", "r10", "r11");
    puts(result == -38 || result > 0 ? "answered" : "strange");
    return 0;
}
C
gcc call.c -o call
exec 3>&2 2>/dev/null # the shell's own words about what was killed have numbers
./call
echo "status $?" # that of SIGSEGV where the host, and so its guest, has no such calls at all
exec 2>&3
