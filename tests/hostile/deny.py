#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""deny.py CALL[:ARG=VALUE]=ERRNO... -- COMMAND [ARG...]: runs a command that the host refuses some system calls.

What a container runtime's seccomp profile does: the filter answers the calls that are named with the errno and lets
all others through. ARG is 0 to 5: the filter then looks at the low half of that argument; with VALUE as 0xBITS& it asks
whether all of the bits are set. The filter stays on the command and on all that it starts.
"""
import ctypes
import errno
import os
import re
import struct
import sys

# x86-64's numbers: Python knows none, and the host's headers may not be there.
NUMBERS = {"io_uring_setup": 425, "io_uring_enter": 426, "io_uring_register": 427, "userfaultfd": 323, "ptrace": 101,
           "seccomp": 317, "memfd_create": 319, "process_vm_readv": 310, "process_vm_writev": 311, "pidfd_open": 434}
AUDIT_ARCH_X86_64 = 0xC000003E
PR_SET_SECCOMP, PR_SET_NO_NEW_PRIVS, SECCOMP_MODE_FILTER = 22, 38, 2
RET_ALLOW, RET_ERRNO = 0x7FFF0000, 0x00050000
LOAD, JUMP_EQUAL, JUMP_SET, AND, RETURN = 0x20, 0x15, 0x45, 0x54, 0x06


def instruction(code, value, yes=0, no=0):
    return struct.pack("HBBI", code, yes, no, value)


def rule(text):
    """The instructions of one rule; they fall through where it does not apply."""
    match = re.fullmatch(r"(\w+)(?::([0-5])=(0x[0-9a-f]+|\d+)(&?))?=(E\w+)", text)
    if not match:
        sys.exit(f"deny.py: {text}: not CALL[:ARG=VALUE]=ERRNO")
    name, argument, value, bits, error = match.groups()
    refuse = [instruction(RETURN, RET_ERRNO | getattr(errno, error))]
    if argument:
        value = int(value, 0)
        check = [instruction(AND, value)] if bits else []
        refuse = [instruction(LOAD, 16 + 8 * int(argument)), *check, instruction(JUMP_EQUAL, value, 0, 1), *refuse]
    return [instruction(LOAD, 0), instruction(JUMP_EQUAL, NUMBERS[name], 0, len(refuse)), *refuse]


def install(rules):
    program = [instruction(LOAD, 4), instruction(JUMP_EQUAL, AUDIT_ARCH_X86_64, 1, 0), instruction(RETURN, RET_ALLOW)]
    for text in rules:
        program += rule(text)
    program.append(instruction(RETURN, RET_ALLOW))
    code = ctypes.create_string_buffer(b"".join(program))
    description = ctypes.create_string_buffer(struct.pack("HxxxxxxQ", len(program), ctypes.addressof(code)))
    libc = ctypes.CDLL(None, use_errno=True)
    prctl = lambda *arguments: libc.prctl(*(ctypes.c_ulong(argument) for argument in arguments))
    if prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) or prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, ctypes.addressof(description)):
        sys.exit(f"deny.py: no filter: {os.strerror(ctypes.get_errno())}")


def main():
    split = sys.argv.index("--")
    install(sys.argv[1:split])
    os.execvp(sys.argv[split + 1], sys.argv[split + 1:])


if __name__ == "__main__":
    main()
