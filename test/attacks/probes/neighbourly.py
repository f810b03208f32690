"""The two sides of a neighbourhood: `offers` a secret in every way that programs of one machine share things, or takes it.

Prints READY when it offers; else what it got, as JSON: `neighbour`, or the error's name.
"""

import errno
import json
import os
import socket
import sys
import threading
import time


def serve(family, address):
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.bind(address)
    listener.listen()

    def answer():
        while True:
            connection, _ = listener.accept()
            connection.sendall(b"neighbour")
            connection.close()

    threading.Thread(target=answer, daemon=True).start()


def offer():
    for path in ("/tmp/shared", "/dev/shm/shared"):
        with open(path, "w") as file:
            file.write("neighbour")
        os.chmod(path, 0o666)
    serve(socket.AF_UNIX, "\0shared")
    serve(socket.AF_UNIX, "/tmp/shared.sock")
    serve(socket.AF_INET, ("127.0.0.1", 7777))
    serve(socket.AF_INET6, ("::1", 7777))
    os.mkfifo("/tmp/pipe")
    print("READY", flush=True)
    while True:
        # Opened for both, it does not wait for a reader.
        pipe = os.open("/tmp/pipe", os.O_RDWR)
        os.write(pipe, b"neighbour")
        time.sleep(60)


def read(path, flags=0):
    descriptor = os.open(path, os.O_RDONLY | flags)
    return os.read(descriptor, 64).decode()


def from_socket(family, address):
    connection = socket.socket(family, socket.SOCK_STREAM)
    connection.connect(address)
    return connection.recv(64).decode()


def processes():
    for pid in filter(str.isdigit, os.listdir("/proc")):
        with open(f"/proc/{pid}/cmdline") as file:
            if file.read().endswith("off" + "ers\0"):
                os.kill(int(pid), 0)
                return "neighbour"
    raise ProcessLookupError(errno.ESRCH, "nobody")


attempts = {
    "file": lambda: read("/tmp/shared"),
    "memory": lambda: read("/dev/shm/shared"),
    "pipe": lambda: read("/tmp/pipe", os.O_NONBLOCK),
    "abstract": lambda: from_socket(socket.AF_UNIX, "\0shared"),
    "path": lambda: from_socket(socket.AF_UNIX, "/tmp/shared.sock"),
    "tcp": lambda: from_socket(socket.AF_INET, ("127.0.0.1", 7777)),
    "tcp v6": lambda: from_socket(socket.AF_INET6, ("::1", 7777)),
    "processes": processes,
}


def outcome(attempt):
    try:
        return attempt()
    except OSError as error:
        return errno.errorcode[error.errno]


if sys.argv[1] == "offers":
    offer()
else:
    print(json.dumps({name: outcome(attempt) for name, attempt in attempts.items()}))
