"""Tries to reach the host through the descriptors that a program is started with. Prints what each attempt came to."""

import array
import fcntl
import os
import socket
import struct

from attempts import report

SIOCGIFCONF = 0x8912


def interfaces(descriptor):
    buffer = array.array("B", bytes(4096))
    fcntl.ioctl(descriptor, SIOCGIFCONF, struct.pack("iL", 4096, buffer.buffer_info()[0]))


def take_name(descriptor):
    socket.socket(fileno=os.dup(descriptor)).bind("\0taken-by-%d-of-%d" % (descriptor, os.getpid()))


def pass_descriptor(descriptor):
    socket.send_fds(socket.socket(fileno=os.dup(descriptor)), [b"\n"], [0])


def peer(descriptor):
    socket.socket(fileno=os.dup(descriptor)).getsockopt(socket.SOL_SOCKET, 17, 12)


tries = {
    "addresses of the namespace it was made in": interfaces,
    "abstract name there": take_name,
    "another descriptor through it": pass_descriptor,
    "who is at the other end": peer,
}
attempts = {
    f"{what}: {name}": lambda attempt=attempt, descriptor=descriptor: attempt(descriptor)
    for descriptor, name in enumerate(["stdin", "stdout", "stderr"])
    for what, attempt in tries.items()
}

if __name__ == "__main__":
    report(attempts)
