"""Runs a program under a system call filter, as a container's runtime does: under-filter.py FILTER PROGRAM ARGUMENTS…"""
import ctypes
import os
import sys

PR_SET_NO_NEW_PRIVS, PR_SET_SECCOMP, SECCOMP_MODE_FILTER = 38, 22, 2


class Program(ctypes.Structure):
    _fields_ = [("length", ctypes.c_ushort), ("filter", ctypes.c_void_p)]


code = open(sys.argv[1], "rb").read()
instructions = ctypes.create_string_buffer(code, len(code))
program = Program(len(code) // 8, ctypes.addressof(instructions))
libc = ctypes.CDLL(None, use_errno=True)
for call in (
    lambda: libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0),
    lambda: libc.prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, ctypes.byref(program), 0, 0),
):
    if call() != 0:
        sys.exit(f"prctl: {os.strerror(ctypes.get_errno())}")
os.execv(sys.argv[2], sys.argv[2:])
